package match

import "math/bits"

// sharing tells of hashes which fields have them: what a target field has in common with
// each source field is found by looking its hashes up once. It is an open table, at most
// half full: most of what is looked up is not in it, which one look at it tells.
type sharing struct {
	slots  []slot
	shift  int     // of a hash to its slot: its first bits are as good as any
	owners []owner // [0] is nobody
}

type slot struct {
	hash  uint64
	first int32 // of the owners, 0 in a free slot
}

// owner is a field that has a hash, and the next one that has it, too.
type owner struct{ field, next int32 }

// enter replaces all hashes. It needs those of a field without repetition.
func (s *sharing) enter(hashes [][]uint64) {
	n := 0
	for _, list := range hashes {
		n += len(list)
	}
	size := bits.Len(uint(2 * n))
	s.slots, s.shift, s.owners = sized(s.slots, 1<<size), 64-size, append(s.owners[:0], owner{})
	clear(s.slots)
	for field, list := range hashes {
		for _, hash := range list {
			at := s.slot(hash)
			s.owners = append(s.owners, owner{field: int32(field), next: at.first})
			*at = slot{hash: hash, first: int32(len(s.owners) - 1)}
		}
	}
}

// slot is where a hash is, or would be.
func (s *sharing) slot(hash uint64) *slot {
	for at := hash >> s.shift; ; at++ {
		found := &s.slots[at&uint64(len(s.slots)-1)]
		if found.first == 0 || found.hash == hash {
			return found
		}
	}
}

// count adds to counts, by field, how many of hashes it has.
func (s *sharing) count(hashes []uint64, counts []float32) {
	clear(counts)
	for _, hash := range hashes {
		for o := s.slot(hash).first; o != 0; o = s.owners[o].next {
			counts[s.owners[o].field]++
		}
	}
}

// weigh is count of weighted words. They are added as they are sorted.
func (s *sharing) weigh(words []uint64, weights []float32) {
	clear(weights)
	for _, word := range words {
		for o := s.slot(word).first; o != 0; o = s.owners[o].next {
			weights[s.owners[o].field] += weightOf(word)
		}
	}
}

package match

import (
	"cmp"
	"slices"
)

// sharing tells of hashes which fields have them: what a target field has in common with
// each source field is found by looking its hashes up once.
type sharing struct {
	owners []owner          // by hash
	first  map[uint64]int32 // hash -> its first owner
}

type owner struct {
	hash  uint64
	field int32
}

// newSharing needs sorted hashes without repetition, by field.
func newSharing(hashes [][]uint64) sharing {
	n := 0
	for _, list := range hashes {
		n += len(list)
	}
	s := sharing{owners: make([]owner, 0, n), first: make(map[uint64]int32, n)}
	for field, list := range hashes {
		for _, hash := range list {
			s.owners = append(s.owners, owner{hash: hash, field: int32(field)})
		}
	}
	slices.SortStableFunc(s.owners, func(a, b owner) int { return cmp.Compare(a.hash, b.hash) })
	for i := n - 1; i >= 0; i-- {
		s.first[s.owners[i].hash] = int32(i)
	}
	return s
}

// of are the owners of a hash.
func (s *sharing) of(hash uint64) []owner {
	first, known := s.first[hash]
	if !known {
		return nil
	}
	end := first + 1
	for int(end) < len(s.owners) && s.owners[end].hash == hash {
		end++
	}
	return s.owners[first:end]
}

// count adds to counts, by field, how many of hashes it has.
func (s *sharing) count(hashes []uint64, counts []float32) {
	clear(counts)
	for _, hash := range hashes {
		for _, o := range s.of(hash) {
			counts[o.field]++
		}
	}
}

// weigh is count of weighted words. They are added as they are sorted.
func (s *sharing) weigh(words []uint64, weights []float32) {
	clear(weights)
	for _, word := range words {
		for _, o := range s.of(word) {
			weights[o.field] += weightOf(word)
		}
	}
}

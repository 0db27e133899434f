package match

import "sync"

// ready is an entity ready to be compared.
type ready struct {
	side *side
	// text is of names and descriptions, where the entity's fingerprint has values, too.
	text *fingerprint
	size int // bytes, about
}

// shelf keeps entities that are ready, those that were used last: making one ready takes
// as long as comparing it several times, and all of a large tenant would take hundreds
// of megabytes.
//
// It has two generations. When the young one has its half of the room, it becomes the
// old one, and what was old and not asked for again is gone.
type shelf struct {
	mu         sync.Mutex
	young, old map[int]*ready
	size       int // bytes of the young
}

// ShelfBytes is the room that an index has for entities that are ready: some 1,000 fields of
// 2 KB, with values.
const ShelfBytes = 2 << 20

func (s *shelf) get(entity int) (*ready, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.young[entity]; ok {
		return r, true
	}
	r, ok := s.old[entity]
	if ok {
		s.enter(entity, r)
	}
	return r, ok
}

func (s *shelf) put(entity int, r *ready) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.young[entity]; !again && r.size <= ShelfBytes/2 {
		s.enter(entity, r)
	}
}

func (s *shelf) enter(entity int, r *ready) {
	if s.young == nil || s.size+r.size > ShelfBytes/2 {
		s.old, s.young, s.size = s.young, make(map[int]*ready), 0
	}
	s.young[entity] = r
	s.size += r.size
}

// ready returns an entity from the shelf, or makes it ready. Two goroutines may make
// the same one at once, which is the same twice.
func (x *Index) ready(entity int) *ready {
	if r, ok := x.shelf.get(entity); ok {
		return r
	}
	fields := x.all[entity].Fields
	profiles := make([]Profile, len(fields))
	for i, f := range fields {
		samples, _ := samplesOf(&f)
		profiles[i] = profileOf(f, samples)
	}
	r := &ready{side: newSide(profiles, nameConcepts(&x.all[entity]))}
	if x.fingerprints[entity].valued {
		text := textOf(fields, profiles)
		x.measure(&text)
		r.text = &text
	}
	r.size = r.side.bytes()
	if r.text != nil {
		r.size += 4 * (len(r.text.words) + len(r.text.grams))
	}
	x.shelf.put(entity, r)
	return r
}

// What parts of a side take, about, with their slices and strings.
const (
	fieldBytes  = 128
	labelBytes  = 160
	wordBytes   = 112
	valuesBytes = 160
	vectorBytes = 384
)

func (s *side) bytes() int {
	size := wordBytes * (len(s.names.words) + len(s.prose.words) + len(s.share)/2)
	for _, words := range [][]word{s.names.words, s.prose.words} {
		for i := range words {
			size += 8 * len(words[i].grams)
		}
	}
	for i := range s.fields {
		size += s.fields[i].bytes()
	}
	return size
}

func (f *sideField) bytes() int {
	size := fieldBytes + 8*len(f.description.words)
	for i := range f.names {
		name := &f.names[i]
		size += labelBytes + vectorBytes + len(name.joined) + 8*(len(name.words)+len(name.grams))
	}
	if f.sense != f.names[0].meaning {
		size += vectorBytes
	}
	if v := f.values; v != nil {
		size += valuesBytes + 8*(len(v.whole)+len(v.words))
		if v.meaning != nil {
			size += vectorBytes
		}
	}
	return size
}

package broadcast

import "errors"

// publication is the state of one call of Publish.
type publication struct {
	messages []Message
	results  []error
	held     map[int64]bool // streams with a refused message
}

func newPublication(messages []Message) *publication {
	p := &publication{messages: messages, results: make([]error, len(messages)), held: map[int64]bool{}}
	for i := range p.results {
		p.results[i] = ErrNotTried
	}
	return p
}

// chunk takes messages from next on until a request is full. Those behind a refused
// one are left out, so that no stream overtakes itself.
func (p *publication) chunk(next int, l limits) (chunk []int, after int) {
	size := l.overhead
	for ; next < len(p.messages) && len(chunk) < maxBatch; next++ {
		if p.held[p.messages[next].Stream] {
			continue
		}
		_, more := l.sizes(p.messages[next])
		if len(chunk) > 0 && l.request > 0 && size+more > l.request {
			break
		}
		size += more
		chunk = append(chunk, next)
	}
	return chunk, next
}

// note records what became of a request. A refused batch has no result yet: its
// messages are tried one by one.
func (p *publication) note(chunk []int, err error) {
	switch {
	case err == nil:
		for _, index := range chunk {
			p.results[index] = nil
		}
	case len(chunk) == 1 && classify(err) == refused:
		p.results[chunk[0]] = err
		p.held[p.messages[chunk[0]].Stream] = true
	}
}

// fail gives err to every message that only waited for its turn.
func (p *publication) fail(err error) {
	for i, m := range p.messages {
		if errors.Is(p.results[i], ErrNotTried) && !p.held[m.Stream] {
			p.results[i] = err
		}
	}
}

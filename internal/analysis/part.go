package analysis

import (
	"context"
	"errors"
	"sync"
)

const (
	// askedFields is how many source fields one question holds.
	askedFields = 60
	// contextFields of them belong to the part before and only explain the others.
	contextFields = 3
	// parallelParts are asked at the same time.
	parallelParts = 4
)

// part is one of the questions about the fields of a schema.
type part struct {
	own     []int // positions in source.fields
	context []int // fields of the part before, shown in front
	saved   bool  // an earlier attempt has its answer
	*proposed
}

// answer has all parts answered, a few at a time. When the model goes away no new
// part is begun, but those that are under way are waited for: their answers are paid,
// and saved for the next attempt.
func (s *staged) answer(ctx context.Context) error {
	var (
		workers  sync.WaitGroup
		slots    = make(chan struct{}, parallelParts)
		mu       sync.Mutex
		failures = make([]error, len(s.parts))
		crash    any
		stop     bool
		done     = s.recall() // so that progress does not go back after a kill
	)
	s.talk.reserve(len(s.parts) - done)
	s.req.Progress(StageAsk, 1+done, 1+len(s.parts))
	for i, p := range s.parts {
		slots <- struct{}{}
		mu.Lock()
		stopped := stop
		mu.Unlock()
		if stopped {
			break
		}
		workers.Go(func() {
			defer func() {
				v := recover()
				mu.Lock()
				defer mu.Unlock()
				if v != nil {
					crash, stop = v, true
				}
				switch {
				case failures[i] != nil && !answeredBadly(failures[i]):
					stop = true
				case v == nil && !p.saved:
					done++
					s.req.Progress(StageAsk, 1+done, 1+len(s.parts))
				}
				<-slots
			}()
			failures[i] = s.answerPart(ctx, p)
		})
	}
	workers.Wait()
	if crash != nil {
		panic(crash) // where the caller can recover
	}
	return s.judge(ctx, failures)
}

// answerTo is the answer that an earlier attempt has paid for.
func (s *staged) answerTo(q Question) (exchange, bool) {
	return s.talk.find(func(old Question) bool {
		return old.Ask == q.Ask && old.Repair == nil && sameSource(old, q)
	})
}

// recall marks and counts the parts that an earlier attempt has answers to.
func (s *staged) recall() int {
	count := 0
	for _, p := range s.parts {
		if _, p.saved = s.answerTo(s.partQuestion(p)); p.saved {
			count++
		}
	}
	return count
}

// judge says what failed parts mean: one that the model has no good answer to is
// left to the matcher, unless they all are. A model that is away ends the attempt,
// unless the owner chose a fallback.
func (s *staged) judge(ctx context.Context, failures []error) error {
	var bad error
	failed := 0
	for _, err := range failures {
		switch {
		case err == nil:
			continue
		case answeredBadly(err):
		case s.cfg.Fallback == FallbackOffline && ctx.Err() == nil && ModelErrorOf(err) != nil:
			s.draft.doubt(ReviewFallbackOffline)
			continue
		default:
			return err
		}
		failed++
		bad = errors.Join(bad, err)
	}
	if failed > 0 && failed == len(s.parts) {
		return ModelErrorOf(bad)
	}
	return nil
}

// answerPart asks, or takes the answer that is there, verifies it, and has what
// fails repaired once.
func (s *staged) answerPart(ctx context.Context, p *part) error {
	q := s.partQuestion(p)
	asked, found := s.answerTo(q)
	if !found {
		var err error
		if asked, err = s.talk.put(ctx, q); err != nil {
			return err
		}
	}
	proposal, err := s.model.Read(asked.Question, asked.Answer)
	if err != nil {
		return err
	}
	s.verifying.Lock()
	answered := s.carryOut(p, asked.Question, proposal)
	err = answered.check(ctx, answered.items(proposal.Mappings))
	s.verifying.Unlock()
	if err != nil {
		return err
	}
	if err := s.repair(ctx, s.talk, answered, proposal.Rejected); err != nil {
		return err
	}
	p.proposed = answered
	return nil
}

// carryOut makes the draft of a part: of the entity that is decided, or of the fields
// that the part proposes for a new one.
func (s *staged) carryOut(p *part, q Question, proposal Proposal) *proposed {
	answered := &proposed{draft: s.part(), question: q, proposal: proposal, fields: make([]int, len(q.Source)), context: len(p.context)}
	for i, f := range q.Source {
		answered.fields[i] = s.src.position[f.Name]
	}
	answered.proposal.Action, answered.proposal.Entity = s.draft.dst.action, 0 // whatever it says
	if s.isNew() {
		answered.proposal.Entity = -1
		answered.dst = newTarget(s.draft.dst.name, func(string) bool { return false })
		answered.renamed = make(map[string]string)
		if proposal.NewEntity != nil {
			answered.renamed = answered.dst.addProposed(proposal.NewEntity.Fields)
		}
		answered.dst.profile(s.src)
	}
	return answered
}

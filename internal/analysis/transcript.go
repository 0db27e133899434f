package analysis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// transcript is the conversation with a model about one schema: what was asked, and
// what was answered. Every answer is saved before anybody looks at it, those that
// come at the same time one after the other. Answers of an earlier attempt are given
// again without a question.
type transcript struct {
	model Model
	save  func(ctx context.Context, checkpoint []byte, usage Usage) error

	mu    sync.Mutex
	kept  checkpoint
	usage Usage
	// left is how many more questions may be asked, over all attempts of the run.
	left int
}

// chargeTimeout bounds the writing of what a failed question has cost.
const chargeTimeout = 5 * time.Second

// newTranscript continues from a checkpoint, or starts without one.
func newTranscript(c *inquiry, saved *checkpoint) *transcript {
	t := &transcript{model: c.model, save: c.req.Save, left: c.cfg.MaxQuestions}
	if saved == nil {
		t.kept = checkpoint{Version: checkpointVersion, Fields: c.src.digest()}
		return t
	}
	t.kept = *saved
	t.kept.Version = checkpointVersion
	t.left -= len(saved.Asked)
	return t
}

func (t *transcript) begun() bool { return len(t.kept.Asked) > 0 }

// staged says that the first question was about the entity alone.
func (t *transcript) staged() bool { return t.begun() && t.kept.Asked[0].Question.Ask == AskEntity }

// find returns the answer that is there already.
func (t *transcript) find(wanted func(Question) bool) (exchange, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.kept.Asked, func(e exchange) bool { return wanted(e.Question) })
	if i < 0 {
		return exchange{}, false
	}
	return t.kept.Asked[i], true
}

// parts are the answers about fields, without the repairs.
func (t *transcript) parts() []exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []exchange
	for _, e := range t.kept.Asked {
		if e.Question.Ask != AskEntity && e.Question.Repair == nil {
			list = append(list, e)
		}
	}
	return list
}

// put asks a question and saves the answer before anybody looks at it.
func (t *transcript) put(ctx context.Context, q Question) (exchange, error) {
	answer, err := t.model.Ask(ctx, q)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.usage = t.usage.Add(answer.Usage)
	if err != nil {
		if lost := t.charge(ctx, answer.Usage); lost != nil {
			err = errors.Join(err, lost)
		}
		return exchange{}, err
	}
	e := exchange{Question: q, Answer: answer.Raw}
	t.kept.Asked = append(t.kept.Asked, e)
	raw, err := t.kept.encode()
	if err != nil {
		return exchange{}, err
	}
	if err := t.save(ctx, raw, answer.Usage); err != nil {
		return exchange{}, fmt.Errorf("save the answer of the model: %w", err)
	}
	return e, nil
}

// charge counts what a failed question has cost, with the answers that there are. The
// run may be over for its deadline; what was paid is written all the same.
func (t *transcript) charge(ctx context.Context, usage Usage) error {
	if usage.Calls == 0 {
		return nil
	}
	raw, err := t.kept.encode()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), chargeTimeout)
	defer cancel()
	if err := t.save(ctx, raw, usage); err != nil {
		return fmt.Errorf("save what a failed question has cost: %w", err)
	}
	return nil
}

// spend takes one question from what is left, false when nothing is. A first question
// is put whether or not anything is.
func (t *transcript) spend() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left <= 0 {
		return false
	}
	t.left--
	return true
}

// reserve takes n questions from what is left, so that repairs can not use them.
func (t *transcript) reserve(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left -= max(0, n)
}

// sameSource says that two questions are about the same fields.
func sameSource(a, b Question) bool {
	return slices.EqualFunc(a.Source, b.Source, func(x, y SourceField) bool { return x.Name == y.Name })
}

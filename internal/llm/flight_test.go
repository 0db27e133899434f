package llm

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

type outcome struct {
	answer analysis.Answer
	err    error
}

// askAtOnce asks the same in as many goroutines, the first of them with ctx, and returns
// when all but the first wait for the first.
func askAtOnce(ctx context.Context, t *testing.T, b bundle, callers int) (first chan outcome, others chan outcome) {
	t.Helper()
	first, others = make(chan outcome, 1), make(chan outcome, callers)
	ask := func(ctx context.Context, to chan outcome) {
		answer, err := b.Ask(ctx, customerQuestion())
		to <- outcome{answer, err}
	}
	go ask(ctx, first)
	if err := b.server.Wait(testContext(t), 1); err != nil {
		t.Fatal(err)
	}
	for range callers - 1 {
		go ask(testContext(t), others)
	}
	return first, others
}

func TestEqualQuestionsAtOnceCostOneCall(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	b := setup(t, nil, llmtest.Gated(gate, llmtest.Good()))
	first, others := askAtOnce(testContext(t), t, b, 8)
	close(gate)
	leader := <-first
	if leader.err != nil || leader.answer.Usage.Calls != 1 {
		t.Fatalf("the first: %+v %v", leader.answer.Usage, leader.err)
	}
	for range 7 {
		other := <-others
		if other.err != nil || !bytes.Equal(other.answer.Raw, leader.answer.Raw) || other.answer.Usage != (analysis.Usage{CachedCalls: 1}) {
			t.Errorf("another: %+v %v, want the same answer for nothing", other.answer.Usage, other.err)
		}
	}
	if n := b.server.Count(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// TestNobodyWaitsForACallerThatLeft: the cancellation of one run is not that of another.
func TestNobodyWaitsForACallerThatLeft(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, llmtest.Hang())
	ctx, cancel := context.WithCancelCause(testContext(t))
	left := errors.New("the run was cancelled")
	first, others := askAtOnce(ctx, t, b, 3)
	cancel(left)
	if leader := <-first; !errors.Is(leader.err, left) {
		t.Errorf("the first: %v, want its own cause", leader.err)
	}
	for range 2 {
		if other := <-others; other.err != nil {
			t.Errorf("another: %v, want an answer of its own", other.err)
		}
	}
}

func TestAFailureIsSharedOnce(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	b := setup(t, nil, llmtest.Gated(gate, llmtest.Unauthorized()))
	first, others := askAtOnce(testContext(t), t, b, 2)
	close(gate)
	if leader := <-first; analysis.ModelErrorOf(leader.err) == nil {
		t.Errorf("the first: %v, want its failure", leader.err)
	}
	// The second either waited for the first, or came after it and asked again.
	if other := <-others; other.err != nil && analysis.ModelErrorOf(other.err) == nil {
		t.Errorf("another: %v", other.err)
	}
	if len(b.flights.byKey) != 0 {
		t.Errorf("%d calls are still known", len(b.flights.byKey))
	}
}

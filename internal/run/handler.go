// Package run takes one schema through its analysis: a task from Redis, a claim in
// the database, the analysis, the commit. It holds the asynq handler, the classes
// of errors, the rules of retrying, and the service that runs the asynq servers and
// drains them; and what looks after them: the sweeper, which queues again what Redis
// forgot, the queue doctor, which mends what asynq trips over, and a watch on clocks and
// on Redis.
//
// It decides nothing about a schema and knows no table: the analysis is behind
// Analyzer, the durable state behind Store.
//
// It guarantees that a task ends in one of three ways: the state in the database
// is final and the task is acknowledged; the task comes back; or the task names
// nothing that can be worked on and is archived with a sentence. Whatever dies in
// between, the database row is the truth and nothing is written without a current
// claim.
package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/failpoint"
	"github.com/schemacast/schemacast/internal/schema"
	"github.com/schemacast/schemacast/internal/task"
)

// Analyzer finds the place of a schema among the entities of its tenant.
type Analyzer interface {
	// Analyze must return soon after its context ends.
	Analyze(ctx context.Context, r analysis.Request) (*analysis.Result, error)
	// Rematch decides again, offline, about entities that appeared meanwhile. It is
	// pure.
	Rematch(s schema.Schema, r analysis.Recommendation, added []schema.Entity) analysis.Recommendation
}

// Confirm says when a completed analysis opens the data path.
type Confirm string

// The policies of confirmation.
const (
	ConfirmAlways   Confirm = "always"   // as the app expects today
	ConfirmVerified Confirm = "verified" // not when something needs review
)

// HandlerConfig holds what a Handler can do without.
type HandlerConfig struct {
	// Owner names this process in claims. Defaults to NewOwner().
	Owner string
	// MaxAttempts is how many attempts of a run may fail before the run does.
	// Defaults to 6.
	MaxAttempts int
	// Confirm defaults to ConfirmAlways.
	Confirm Confirm
	// Heartbeat is how often a claim is renewed, and how fast a cancel is seen.
	// Defaults to 5 s. The store counts an owner as gone after several of them.
	Heartbeat time.Duration
	// ProgressEvery is the least time between two progress events of a run, and
	// before the first one. Defaults to 500 ms.
	ProgressEvery time.Duration
	// AnalysisTimeout bounds one attempt's analysis. Defaults to what asynq's own
	// timeout of the task leaves.
	AnalysisTimeout time.Duration
	// StoreTimeout bounds one call of the store. Defaults to 10 s.
	StoreTimeout time.Duration
	// CommitTimeout is how long a result is offered to a database that is not
	// available. Defaults to 30 s.
	CommitTimeout time.Duration
	// GiveUpAfter is how long after its first claim a run may still be put off for what
	// is nobody's fault, such as a rate limit or a quota: that uses no attempt, so that
	// only time bounds it. Defaults to 24 h.
	GiveUpAfter time.Duration
	// TenantSlots is how many runs of one tenant may go on at a time, over all workers.
	// Defaults to any number.
	TenantSlots int
	// Ended is told of each schema whose task is about to be acknowledged, as
	// Sweeper.Recheck wants it. It must not block. Defaults to nobody.
	Ended func(schemaID int64)
	// Observer defaults to nobody.
	Observer Observer
	// Tracer begins the span of a task. Defaults to one that records nothing.
	Tracer trace.Tracer
	// Logger defaults to one that discards.
	Logger *slog.Logger
}

// Handler works on tasks of type task.Type. It is safe for concurrent use.
type Handler struct {
	store    Store
	analyzer Analyzer
	cfg      HandlerConfig
	log      *slog.Logger
	drain    *drain
	gate     *tenantGate
	// databaseDown says that the last claim found no database.
	databaseDown atomic.Bool
	// hung counts attempts whose analysis ignored the end of its context.
	hung atomic.Int64
	// retried is how often asynq gave the task of a context back with a failure.
	retried func(context.Context) int
}

var _ asynq.Handler = (*Handler)(nil)

// NewHandler returns a handler that works for a Service.
func NewHandler(store Store, analyzer Analyzer, cfg HandlerConfig) (*Handler, error) {
	if store == nil || analyzer == nil {
		return nil, errors.New("a handler needs a store and an analyzer")
	}
	cfg = cfg.withDefaults()
	if cfg.Confirm != ConfirmAlways && cfg.Confirm != ConfirmVerified {
		return nil, fmt.Errorf("confirm policy %q is unknown; use %q or %q", cfg.Confirm, ConfirmAlways, ConfirmVerified)
	}
	return &Handler{
		store:    store,
		analyzer: analyzer,
		cfg:      cfg,
		log:      cfg.Logger,
		drain:    newDrain(),
		gate:     newTenantGate(),
		retried: func(ctx context.Context) int {
			n, _ := asynq.GetRetryCount(ctx)
			return n
		},
	}, nil
}

func (c HandlerConfig) withDefaults() HandlerConfig {
	if c.Owner == "" {
		c.Owner = NewOwner()
	}
	if c.MaxAttempts <= 0 {
		c.MaxAttempts = 6
	}
	if c.Confirm == "" {
		c.Confirm = ConfirmAlways
	}
	if c.Heartbeat <= 0 {
		c.Heartbeat = 5 * time.Second
	}
	if c.ProgressEvery <= 0 {
		c.ProgressEvery = 500 * time.Millisecond
	}
	if c.StoreTimeout <= 0 {
		c.StoreTimeout = 10 * time.Second
	}
	if c.CommitTimeout <= 0 {
		c.CommitTimeout = 30 * time.Second
	}
	if c.GiveUpAfter <= 0 {
		c.GiveUpAfter = 24 * time.Hour
	}
	if c.Ended == nil {
		c.Ended = func(int64) {}
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.Tracer == nil {
		c.Tracer = noop.NewTracerProvider().Tracer("")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// confirms says whether a result opens the data path.
func (h *Handler) confirms(r analysis.Recommendation) bool {
	return h.cfg.Confirm == ConfirmAlways || !r.NeedsReview()
}

// ProcessTask works on one task. A nil error means that the task is not needed any
// more, be it that the run ended, well or not, or that there is nothing to do.
func (h *Handler) ProcessTask(ctx context.Context, t *asynq.Task) (err error) {
	if !h.drain.enter() {
		return snooze(0, "the worker is shutting down")
	}
	defer h.drain.leave()
	ctx, span := h.traced(ctx, t)
	defer span.End()
	if id, known := asynq.GetTaskID(ctx); known {
		ctx = withIDs(ctx, slog.String(keyTask, id))
	}
	// asynq would recover as well, but it would store the panic's value, which may be
	// data of a tenant.
	defer func() {
		if p := recover(); p != nil {
			logPanic(ctx, h.log, "handler", p)
			err = again(backoff(0), "the worker failed on this task; its log has the stack")
		}
	}()
	if t.Type() != task.Type {
		return h.waitForDeploy(ctx, fmt.Sprintf("task type %q is unknown to this worker", t.Type()))
	}
	payload, err := task.Decode(t.Payload())
	if err != nil {
		return h.undecodable(ctx, err)
	}
	ctx = withIDs(ctx, slog.Int64(keySchema, payload.SchemaID))
	err = h.take(ctx, ClaimRequest{SchemaID: payload.SchemaID, TenantID: payload.TenantID})
	if err == nil {
		h.cfg.Ended(payload.SchemaID)
	}
	return err
}

// take claims a schema and makes an attempt at it.
func (h *Handler) take(ctx context.Context, r ClaimRequest) error {
	failpoint.Reach("run.dequeued")
	if h.gate.shut(r.TenantID) {
		h.cfg.Observer.Refused(RefusedTenantFull)
		return h.waitForTenant(ctx, r.TenantID)
	}
	claim, err := h.claim(ctx, r)
	if claim == nil {
		return h.refused(ctx, r, err)
	}
	h.gate.open(claim.Schema.TenantID)
	// The end of a run makes room for the next one.
	defer h.gate.open(claim.Schema.TenantID)
	failpoint.Reach("run.claimed")
	a, work := h.newAttempt(ctx, claim)
	defer a.end()
	if err != nil {
		return a.conclude(work, err)
	}
	return a.run(work)
}

// claim waits for a database that is not available, for as long as a commit does: the
// slot could do nothing else, and the queue would only be turned over and over.
func (h *Handler) claim(ctx context.Context, r ClaimRequest) (*Claim, error) {
	r.Owner, r.TenantSlots = h.cfg.Owner, h.cfg.TenantSlots
	var claim *Claim
	asked := time.Now()
	ctx, done := step(ctx, "claim")
	err := h.persist(ctx, func(ctx context.Context) (err error) {
		claim, err = h.store.Claim(ctx, r)
		h.noteDatabase(ctx, err)
		return err
	})
	if claim != nil {
		h.cfg.Observer.Claimed(claim, time.Since(asked))
		done(nil)
	} else {
		done(unexpected(err))
	}
	return claim, err
}

// noteDatabase logs that the database went away or came back.
func (h *Handler) noteDatabase(ctx context.Context, err error) {
	down := transient(err) || errors.Is(err, context.DeadlineExceeded)
	if h.databaseDown.Swap(down) == down {
		return
	}
	if down {
		h.log.ErrorContext(ctx, "claims find no database; tasks wait", "error", err)
	} else {
		h.log.InfoContext(ctx, "claims find the database again")
	}
}

package analysis

import (
	"context"
	"errors"
	"sync"

	"github.com/schemacast/schemacast/internal/analysis/match"
)

// The stages that Request.Progress hears of.
const (
	StageMatch  = "match"  // finding candidates; fields
	StageAsk    = "ask"    // waiting for the model; questions
	StageVerify = "verify" // running formulas on sample rows; mappings
)

// topEntities is how many candidate entities a decision is made among.
const topEntities = 10

// Analyzer analyses schemas. It is safe for concurrent use.
type Analyzer struct {
	catalog Catalog
	reading turns
	model   Model // nil is the offline engine
	cfg     Config
	cache   *cache
}

// New returns an Analyzer. Without a model it decides offline.
func New(catalog Catalog, model Model, cfg Config) (*Analyzer, error) {
	if catalog == nil {
		return nil, errors.New("analysis: no catalog; an Analyzer needs one to know the entities")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Analyzer{catalog: catalog, model: model, cfg: cfg, cache: newCache(cfg.CachedBytes)}, nil
}

// Analyze decides where a schema belongs. Errors: *schema.FieldsError when the
// schema has no usable field, *ModelError as the model gave it, the error of
// Request.Save or of the catalog, and the context's cause.
func (a *Analyzer) Analyze(ctx context.Context, req Request) (*Result, error) {
	if req.Save == nil || req.Progress == nil {
		return nil, errors.New("analysis: Request.Save and Request.Progress are mandatory")
	}
	src, err := newSource(req.Schema)
	if err != nil {
		return nil, err
	}
	req.Progress(StageMatch, 0, len(src.fields))
	known, err := a.entitiesOf(ctx, req.Schema)
	if err != nil {
		return nil, err
	}
	c := &inquiry{
		cfg: a.cfg, model: a.model, req: req, src: src, entities: known,
		hits: known.index.Retrieve(src.profiles, topEntities), failed: map[string]int{},
	}
	recommendation, err := c.decide(ctx)
	if err != nil {
		return nil, err
	}
	return &Result{Recommendation: recommendation, Usage: c.usage, Seen: known.seen, Failed: c.failed}, nil
}

// inquiry is the analysis of one schema.
type inquiry struct {
	cfg      Config
	model    Model
	req      Request
	src      *source
	entities *entities
	hits     []match.Hit
	usage    Usage
	failed   map[string]int // by code, under verifying
	// verifying is held by whoever runs formulas: answers may come at the same time,
	// and what is known about the source is found out once for all of them.
	verifying sync.Mutex
}

// decide asks the model if there is one and it is needed. Its failure is the caller's
// to handle, unless the owner chose a fallback.
func (c *inquiry) decide(ctx context.Context) (Recommendation, error) {
	if c.model == nil {
		return c.offline(ctx)
	}
	if c.cfg.SkipCertain {
		if r, certain, err := c.certain(ctx); certain || err != nil {
			return r, err
		}
	}
	r, err := c.ask(ctx)
	if err == nil || c.cfg.Fallback != FallbackOffline || ctx.Err() != nil || ModelErrorOf(err) == nil {
		return r, err
	}
	if r, err = c.offline(ctx); err != nil {
		return r, err
	}
	r.Review = append(r.Review, ReviewFallbackOffline)
	return r, nil
}

func (c *inquiry) bestScore() float64 {
	if len(c.hits) == 0 {
		return 0
	}
	return c.hits[0].Score
}

// scoreOf is the retrieval score of an entity, 0 when it was not among the best.
func (c *inquiry) scoreOf(position int) float64 {
	for _, hit := range c.hits {
		if hit.Entity == position {
			return hit.Score
		}
	}
	return 0
}

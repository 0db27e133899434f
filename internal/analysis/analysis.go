// Package analysis finds the place of a schema among the canonical entities of
// its tenant: which entity it is, or that it is a new one, and how its fields map.
// Offline retrieval picks candidates, one question to a language model decides,
// and everything that it answers is verified before it leaves this package.
//
// It knows no database, no queue and no HTTP: the entities come through Catalog,
// the model is a Model. Without a model the offline matcher decides alone, and the
// result says so.
package analysis

import (
	"context"

	"github.com/schemacast/schemacast/internal/schema"
)

// Request asks for the analysis of one schema.
type Request struct {
	Schema schema.Schema
	// Checkpoint is what an earlier attempt of the same run saved, nil when there is
	// none. A checkpoint made for other fields, or that can not be read, is ignored.
	Checkpoint []byte
	// Save stores a checkpoint. It is called with the raw answer before the answer is
	// interpreted, and with what that one answer cost; each checkpoint replaces the
	// one before. Its error ends the analysis. Mandatory.
	Save func(ctx context.Context, checkpoint []byte, usage Usage) error
	// Progress tells how far the analysis is. Mandatory; it must not block.
	Progress func(stage string, done, total int)
}

// Result is the outcome of an analysis.
type Result struct {
	Recommendation Recommendation
	// Usage is what this attempt cost: an answer that came from the checkpoint is a
	// cached call.
	Usage Usage
	// Seen holds the ids of the tenant's entities that the decision took into
	// account. A commit compares them with those that exist by then.
	Seen map[int64]bool
	// Failed counts, by the Code constants, what a model proposed that did not pass
	// verification, whether its repair did or not.
	Failed map[string]int
}

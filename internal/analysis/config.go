package analysis

import "fmt"

// Fallback says what an analysis does when the model fails.
type Fallback string

// The fallbacks.
const (
	// FallbackNone returns the model's error, so that the run waits.
	FallbackNone Fallback = ""
	// FallbackOffline lets the offline engine decide, and the result say so.
	FallbackOffline Fallback = "offline"
)

// Config tunes an Analyzer.
type Config struct {
	// RawSamples says whose sample values go into questions. Only the owner of the
	// data may decide that. Defaults to nobody's: the model sees the shapes of values.
	RawSamples func(tenantID string) bool
	// Fallback defaults to FallbackNone.
	Fallback Fallback
	// CreateBelow is the absolute score of the best entity under which the offline
	// engine creates a new one. Defaults to 0.5.
	CreateBelow float64
	// SkipCertain asks no model about a schema whose place is certain: every field is
	// called as a field of one entity is, or was mapped to it before. The result says
	// that it is the offline engine's. Defaults to asking always.
	SkipCertain bool
	// MaxQuestions bounds the questions of one analysis, repairs included, over all
	// attempts. What a wide schema has beyond is mapped offline and marked. Defaults
	// to 20, 3 is the least.
	MaxQuestions int
	// CachedBytes bounds, as an estimate, the memory of the indexes that are kept
	// between analyses, over all tenants. The tenant seen last is kept whatever its
	// size: its analyses would build an index each otherwise. Defaults to 16 MiB,
	// about 50,000 fields of entities.
	CachedBytes int
}

const (
	defaultCreateBelow = 0.5
	defaultCachedBytes = 16 << 20
	defaultQuestions   = 20
	leastQuestions     = 3 // the entity, its fields, and what fails of them
)

func (c Config) withDefaults() (Config, error) {
	if c.CreateBelow == 0 {
		c.CreateBelow = defaultCreateBelow
	}
	if c.RawSamples == nil {
		c.RawSamples = func(string) bool { return false }
	}
	if c.CachedBytes == 0 {
		c.CachedBytes = defaultCachedBytes
	}
	if c.MaxQuestions == 0 {
		c.MaxQuestions = defaultQuestions
	}
	switch {
	case c.MaxQuestions < leastQuestions:
		return c, fmt.Errorf("analysis: MaxQuestions is %d; set it to 0 for the default, or to %d or more", c.MaxQuestions, leastQuestions)
	case c.CreateBelow < 0 || c.CreateBelow > 1:
		return c, fmt.Errorf("analysis: CreateBelow is %g; set it between 0 and 1", c.CreateBelow)
	case c.CachedBytes < 0:
		return c, fmt.Errorf("analysis: CachedBytes is %d; set it to 0 for the default or above", c.CachedBytes)
	case c.Fallback != FallbackNone && c.Fallback != FallbackOffline:
		return c, fmt.Errorf("analysis: Fallback is %q; set it to %q or leave it empty", c.Fallback, FallbackOffline)
	}
	return c, nil
}

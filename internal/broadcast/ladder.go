package broadcast

import (
	"fmt"
	"slices"

	"github.com/schemacast/schemacast/internal/schema"
)

// Rung is how much of an event is sent. A higher rung is a smaller form.
type Rung int

// The rungs of the ladder.
const (
	RungFull      Rung = iota // everything
	RungNoSamples             // without sample values; the first rung unless Config.Samples is on
	// RungBare is without bronze_schema and silver_entity (completed), with an empty
	// list of fields (started), or with a cut sentence (failed).
	RungBare
)

// Rendered is an event in one of its forms.
type Rendered struct {
	Name     string
	Channels []string // at least one, the tenant's own first
	Data     string
	Rung     Rung
	// Smallest says that no smaller form exists.
	Smallest bool
}

// SizeError says that even the smallest form of an event is too large. It is
// permanent.
type SizeError struct {
	EventID string
	Bytes   int // of the smallest form's data as the server counts it
	Limits  string
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("event %s has %d bytes in its smallest form and does not fit into %s; raise BROADCAST_MAX_BYTES if the server allows more",
		e.EventID, e.Bytes, e.Limits)
}

// Renderer turns events into what goes over the wire.
type Renderer struct {
	namer   namer
	samples bool
	limits  limits
}

// NewRenderer checks the part of cfg that concerns the content of events: Mode,
// Templates, MaxBytes, MaxRequestBytes, Samples.
func NewRenderer(cfg Config) (*Renderer, error) {
	cfg, _ = cfg.resolve() // NewPublisher reports what is wrong about the server
	if err := cfg.eventProblems(); err != nil {
		return nil, fmt.Errorf("configure events: %w", err)
	}
	namer, err := newNamer(cfg.Mode, cfg.Templates)
	if err != nil {
		return nil, fmt.Errorf("configure events: %w", err)
	}
	return &Renderer{namer: namer, samples: cfg.Samples, limits: newLimits(cfg)}, nil
}

// Render gives the largest form of ev that fits the limits and is not larger than
// from. Errors are permanent: *ChannelError, *SizeError, or an event without data.
func (r *Renderer) Render(ev schema.Event, from Rung) (Rendered, error) {
	channels, err := r.namer.channels(ev)
	if err != nil {
		return Rendered{}, err
	}
	longest := slices.MaxFunc(channels, func(a, b string) int { return len(a) - len(b) })
	out := Rendered{Name: eventName(ev.Kind), Channels: channels}
	ladder := r.ladder(ev.Kind)
	last := ladder[len(ladder)-1]
	for _, rung := range ladder {
		if rung < from && rung != last {
			continue
		}
		data, err := encode(ev, form{rung: rung, samples: r.samples})
		if err != nil {
			return Rendered{}, err
		}
		out.Data, out.Rung, out.Smallest = string(data), rung, rung == last
		if r.limits.fit(Message{Name: out.Name, Channel: longest, Data: out.Data}) {
			return out, nil
		}
	}
	sent, _ := r.limits.sizes(Message{Name: out.Name, Channel: longest, Data: out.Data})
	return Rendered{}, &SizeError{EventID: ev.ID, Bytes: sent, Limits: r.limits.String()}
}

// ladder lists the forms that a kind of event has.
func (r *Renderer) ladder(kind schema.EventKind) []Rung {
	switch {
	case kind == schema.EventProgress:
		return []Rung{RungFull}
	case kind == schema.EventFailed:
		return []Rung{RungFull, RungBare}
	case r.samples:
		return []Rung{RungFull, RungNoSamples, RungBare}
	default:
		return []Rung{RungNoSamples, RungBare}
	}
}

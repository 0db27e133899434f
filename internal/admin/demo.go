package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Sources adds sources to the demo's tenant.
type Sources interface {
	// Samples are files that wait to be added.
	Samples(ctx context.Context) ([]Sample, error)
	// AddSample adds one of Samples, or asks again for its analysis.
	AddSample(ctx context.Context, file string) (Added, error)
	// AddFile adds a file that somebody sends, whose name says what it is.
	AddFile(ctx context.Context, name string, content io.Reader) (Added, error)
}

// Sample is a file and how many fields it has.
type Sample struct {
	File   string `json:"file"`
	Fields int    `json:"fields"`
}

// Added is where a source ended up.
type Added struct {
	SchemaID int64  `json:"schema_id"`
	Name     string `json:"name"`
}

// InputError says what is wrong with a source that somebody sent.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

type demoJSON struct {
	Samples []Sample `json:"samples"`
}

const (
	maxUpload     = 5 << 20
	maxSourceBody = 4 << 10
)

// samples never returns nil: a folder that can not be read is a demo with less to add.
func (u *UI) samples(r *http.Request) []Sample {
	list, err := u.ports.Sources.Samples(r.Context())
	if err != nil {
		u.cfg.Logger.Warn("the demo's further files can not be read", "error", err)
	}
	return append([]Sample{}, list...)
}

func (u *UI) addSource(w http.ResponseWriter, r *http.Request, _ identity) {
	added, err := u.readSource(w, r)
	var wrong *InputError
	var large *http.MaxBytesError
	switch {
	case err == nil:
		write(w, http.StatusAccepted, added)
	case errors.As(err, &large):
		fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the file is larger than %d MB; send its first records alone", maxUpload>>20), "too_large")
	case errors.As(err, &wrong):
		fail(w, http.StatusBadRequest, wrong.Error(), "input")
	default:
		u.unavailable(w, r, "the source can not be added", err)
	}
}

func (u *UI) readSource(w http.ResponseWriter, r *http.Request) (Added, error) {
	if name := r.URL.Query().Get("name"); name != "" {
		return u.ports.Sources.AddFile(r.Context(), name, http.MaxBytesReader(w, r.Body, maxUpload))
	}
	var body struct {
		Sample string `json:"sample"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSourceBody)).Decode(&body); err != nil || body.Sample == "" {
		return Added{}, &InputError{errors.New(`name one of the samples as {"sample":"FILE"}, or send a file with ?name=FILE`)}
	}
	return u.ports.Sources.AddSample(r.Context(), body.Sample)
}

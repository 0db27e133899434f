package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/schemacast/schemacast/internal/run"
)

// Requests asks for analyses.
type Requests interface {
	// Retry asks for the analysis of a schema of a tenant. One that is open already serves
	// as well. Its error is run.ErrUnknownSchema, or a *RefusedError where the row may not
	// be analysed.
	Retry(ctx context.Context, schemaID int64, tenantID string, force bool) (Retried, error)
}

// Retried is an open run.
type Retried struct {
	RunID string
	// Running says that a worker is at it; else it waits for one.
	Running bool
	// Already says that it was open before.
	Already bool
}

// RefusedError says what stands against an analysis, and the cure.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

type retriedJSON struct {
	RunID   string `json:"run_id"`
	State   string `json:"state"`
	Already bool   `json:"already"`
}

const maxRetryBody = 1 << 10

func (u *UI) retry(w http.ResponseWriter, r *http.Request, who identity) {
	var body struct {
		Force bool `json:"force"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRetryBody)).Decode(&body)
	if err != nil && !errors.Is(err, io.EOF) {
		fail(w, http.StatusBadRequest, `send {"force":false}, or nothing`, "body")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), graphTimeout)
	defer cancel()
	id, tenantID, ok := u.ownSchema(ctx, w, r, who)
	if !ok {
		return
	}
	retried, err := u.ports.Requests.Retry(ctx, id, tenantID, body.Force)
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		fail(w, http.StatusConflict, refused.Reason, "disabled")
	case errors.Is(err, run.ErrUnknownSchema):
		unknownSchema(w)
	case err != nil:
		u.unavailable(w, r, "the analysis can not be asked for", err)
	default:
		state := "requested"
		if retried.Running {
			state = "running"
		}
		write(w, http.StatusAccepted, retriedJSON{retried.RunID, state, retried.Already})
	}
}

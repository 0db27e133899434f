package admin

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/schema"
)

// Graphs gives what there is to draw.
type Graphs interface {
	// GraphPage reads a part of the graph of one tenant, and nothing of another. Its error
	// is schema.ErrUnknownTenant or schema.ErrBadCursor where the query is at fault.
	GraphPage(ctx context.Context, q schema.GraphQuery) (schema.GraphPage, error)
	// SchemaTenant returns the tenant of a schema, else run.ErrUnknownSchema.
	SchemaTenant(ctx context.Context, schemaID int64) (string, error)
	// Detail reads one schema of a tenant, else run.ErrUnknownSchema.
	Detail(ctx context.Context, schemaID int64, tenantID string, samples bool) (schema.Detail, error)
}

const (
	// graphTimeout ends a read, and the wait for one.
	graphTimeout = 5 * time.Second
	// graphReaders is how many graphs are read at once: they can be large, and a page
	// that is reloaded in a hurry must not cost the workers their connections.
	graphReaders = 4
	// mostSchemas is the largest page.
	mostSchemas = 1000
)

func (u *UI) graph(w http.ResponseWriter, r *http.Request, who identity) {
	tenantID, values := r.PathValue("tenant"), r.URL.Query()
	limit, err := strconv.Atoi(values.Get("limit"))
	if values.Has("limit") && (err != nil || limit < 1 || limit > mostSchemas) {
		fail(w, http.StatusBadRequest, "limit is no number from 1 to 1000; leave it out for 500", "limit")
		return
	}
	if !who.tenants.Has(tenantID) {
		unknownTenant(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), graphTimeout)
	defer cancel()
	page, err := u.readGraph(ctx, schema.GraphQuery{
		TenantID: tenantID, Limit: limit, Cursor: values.Get("cursor"), Since: values.Get("since"), Known: knownTag(r),
	})
	switch {
	case err == nil:
		writeGraph(w, page)
	case errors.Is(err, schema.ErrUnknownTenant):
		unknownTenant(w)
	case errors.Is(err, schema.ErrBadCursor):
		fail(w, http.StatusBadRequest, schema.ErrBadCursor.Error(), "cursor")
	default:
		u.unavailable(w, r, "the graph can not be read", err)
	}
}

func unknownTenant(w http.ResponseWriter) {
	fail(w, http.StatusNotFound, schema.ErrUnknownTenant.Error(), "unknown_tenant")
}

func unknownSchema(w http.ResponseWriter) {
	fail(w, http.StatusNotFound, run.ErrUnknownSchema.Error(), "unknown_schema")
}

func writeGraph(w http.ResponseWriter, page schema.GraphPage) {
	if page.Tag != "" {
		w.Header().Set("ETag", `W/"`+page.Tag+`"`)
	}
	if page.Unchanged {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	write(w, http.StatusOK, newGraphJSON(page))
}

// knownTag is the tag that a client has. It names the state of the tenant and not one
// answer, so it may come from an answer to another query.
func knownTag(r *http.Request) string {
	tag, _, _ := strings.Cut(r.Header.Get("If-None-Match"), ",")
	return strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`)
}

func (u *UI) readGraph(ctx context.Context, q schema.GraphQuery) (schema.GraphPage, error) {
	select {
	case u.readers <- struct{}{}:
		defer func() { <-u.readers }()
		return u.ports.Graphs.GraphPage(ctx, q)
	case <-ctx.Done():
		return schema.GraphPage{}, context.Cause(ctx)
	}
}

// ownSchema returns the id in the path and its tenant, when who may see it; else it has
// answered as for one that does not exist.
func (u *UI) ownSchema(ctx context.Context, w http.ResponseWriter, r *http.Request, who identity) (id int64, tenantID string, ok bool) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id < 1 {
		unknownSchema(w)
		return 0, "", false
	}
	tenantID, err = u.ports.Graphs.SchemaTenant(ctx, id)
	switch {
	case errors.Is(err, run.ErrUnknownSchema) || err == nil && !who.tenants.Has(tenantID):
		unknownSchema(w)
	case err != nil:
		u.unavailable(w, r, "the schema can not be read", err)
	default:
		return id, tenantID, true
	}
	return 0, "", false
}

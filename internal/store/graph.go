package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/schemacast/schemacast/internal/schema"
)

// The bounds of one page of a graph. Nothing bounds what a tenant has.
const (
	graphPage    = 500
	graphPageMax = 1000
	// graphFields bounds the fields of all schemas and entities of a page together: a page
	// ends before the row that would go beyond, unless that is its only one.
	graphFields = 20_000
)

// GraphPage reads one page of what a dashboard draws of a tenant. Its error is
// schema.ErrUnknownTenant when there is no such tenant, and schema.ErrBadCursor for a
// cursor that was not given out for it.
func (s *Store) GraphPage(ctx context.Context, q schema.GraphQuery) (schema.GraphPage, error) {
	page, err := s.graphPage(ctx, q, graphFields)
	if err != nil {
		return schema.GraphPage{}, fmt.Errorf("read the graph of a tenant: %w", err)
	}
	return page, nil
}

func (s *Store) graphPage(ctx context.Context, q schema.GraphQuery, fields int) (schema.GraphPage, error) {
	if clip(q.TenantID, maxVarchar) != q.TenantID {
		return schema.GraphPage{}, schema.ErrUnknownTenant // PostgreSQL would not compare it
	}
	if q.Limit <= 0 {
		q.Limit = graphPage
	}
	g := &graphReader{wanted: q, limit: min(q.Limit, graphPageMax), fields: fields, confidences: map[int64]confidences{}}
	if q.Cursor != "" {
		var err error
		if g.at, err = parseCursor(q.Cursor, q.TenantID); err != nil {
			return schema.GraphPage{}, err
		}
	}
	err := s.snapshot(ctx, func(t *tx) error {
		g.tx = t
		return g.read()
	})
	return g.page, err
}

// snapshot runs f in a transaction that sees the database as it is at the first
// query, and takes no locks.
func (s *Store) snapshot(ctx context.Context, f func(*tx) error) error {
	err := s.db.WithContext(ctx).Transaction(func(db *gorm.DB) error {
		return f(&tx{DB: db, store: s})
	}, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	return translate(err)
}

// graphReader reads one page, table by table.
type graphReader struct {
	*tx
	wanted schema.GraphQuery
	limit  int
	fields int
	at     *graphCursor // where the page begins
	delta  *graphDelta  // nil to read everything
	page   schema.GraphPage

	more        bool                  // there are schemas beyond the page
	confidences map[int64]confidences // by schema
	linked      []linkedEntities      // in the order of the page's schemas
	known       map[int64]int         // number of fields of the entities that are read
}

func (g *graphReader) read() error {
	if err := g.begin(); err != nil || g.page.Unchanged {
		return err
	}
	if !g.at.Entities {
		for _, read := range []func() error{g.readSchemas, g.readLinks, g.readLinkedEntities} {
			if err := read(); err != nil {
				return err
			}
		}
		if g.cut(); g.more {
			return g.next(graphCursor{ID: g.page.Schemas[len(g.page.Schemas)-1].ID})
		}
		g.at.ID = 0
	}
	return g.readOtherEntities()
}

// begin reads the tenant's state for a first page; a later one has it in its cursor.
func (g *graphReader) begin() error {
	tenantID := g.wanted.TenantID
	n, err := g.query(&g.page.Seq, "SELECT CAST((SELECT COALESCE(SUM(last_seq), 0) FROM schemacast_streams WHERE tenant_id = ?) AS bigint) "+
		"FROM tenants WHERE id = ?", tenantID, tenantID)
	if err != nil {
		return err
	}
	if n == 0 {
		return schema.ErrUnknownTenant
	}
	if g.at == nil {
		return g.beginFirst()
	}
	g.page.Since, g.page.Totals = g.at.Since, g.at.Totals
	g.page.Typical = time.Duration(g.at.TypicalMs) * time.Millisecond
	if g.at.Base == "" {
		return nil
	}
	base, ok := parseSince(g.at.Base, tenantID)
	now, okNow := parseSince(g.at.Since, tenantID)
	if !ok || !okNow {
		return schema.ErrBadCursor
	}
	g.page.Delta, g.delta = true, base.until(now)
	g.delta.mappings = g.at.Mappings
	return nil
}

func (g *graphReader) beginFirst() error {
	state, err := g.readState(g.wanted.TenantID)
	if err != nil {
		return err
	}
	state.seq = g.page.Seq
	g.page.Tag = state.tag()
	if g.wanted.Known == g.page.Tag {
		g.page = schema.GraphPage{Tag: g.page.Tag, Unchanged: true}
		return nil
	}
	g.page.Totals = schema.GraphTotals{Schemas: state.Schemas, Entities: state.Entities}
	g.page.Since = state.since().encode(g.wanted.TenantID)
	if g.page.Typical, err = g.typical(g.wanted.TenantID); err != nil {
		return err
	}
	g.at = &graphCursor{Since: g.page.Since, Totals: g.page.Totals, TypicalMs: g.page.Typical.Milliseconds()}
	if base, ok := parseSince(g.wanted.Since, g.wanted.TenantID); ok {
		if delta := base.until(state.since()); delta.useful() {
			delta.mappings = state.mappings.newest >= delta.from.Unix()
			g.page.Delta, g.delta, g.at.Base, g.at.Mappings = true, delta, g.wanted.Since, delta.mappings
		}
	}
	return nil
}

// next says where the next page begins.
func (g *graphReader) next(c graphCursor) error {
	c.Since, c.Base, c.Mappings, c.Totals, c.TypicalMs = g.at.Since, g.at.Base, g.at.Mappings, g.at.Totals, g.at.TypicalMs
	var err error
	g.page.Next, err = c.encode(g.wanted.TenantID)
	return err
}

// cut ends the page before the first schema that would bring more fields than a page
// holds, together with the entities that it leads to.
func (g *graphReader) cut() {
	end := g.end()
	g.more = g.more || end < len(g.page.Schemas)
	g.page.Schemas = g.page.Schemas[:end]
	shown := map[int64]bool{}
	for _, of := range g.linked[:end] {
		for _, link := range of.links {
			if _, read := g.known[link.EntityID]; read {
				g.page.Links = append(g.page.Links, link)
			}
		}
		for _, id := range of.entities {
			shown[id] = true
		}
	}
	g.page.Entities = slices.DeleteFunc(g.page.Entities, func(e schema.Entity) bool { return !shown[e.ID] })
}

// end is the number of schemas that fit, at least one where there is one.
func (g *graphReader) end() int {
	width, counted := 0, map[int64]bool{}
	for i, s := range g.page.Schemas {
		width += len(s.Fields)
		missing := false
		for _, id := range g.linked[i].entities {
			fields, read := g.known[id]
			missing = missing || !read
			if !counted[id] {
				counted[id] = true
				width += fields
			}
		}
		if i > 0 && (width > g.fields || missing) {
			return i
		}
	}
	return len(g.page.Schemas)
}

// width is the number of fields on the page.
func (g *graphReader) width() int {
	width := 0
	for _, s := range g.page.Schemas {
		width += len(s.Fields)
	}
	for _, e := range g.page.Entities {
		width += len(e.Fields)
	}
	return width
}

// each hands the rows of a query to use one after the other, with their number, so
// that only what is kept takes memory. It says whether use wanted no more.
func each[T any](t *tx, use func(n int, row *T) bool, query string, args ...any) (stopped bool, err error) {
	rows, err := t.Raw(query, args...).Rows()
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	for n := 0; rows.Next(); n++ {
		var row T
		if err := t.ScanRows(rows, &row); err != nil {
			return false, err
		}
		if !use(n, &row) {
			return true, nil
		}
	}
	return false, rows.Err()
}

func withoutSamples(fields []schema.Field) {
	for i := range fields {
		fields[i].Sample, fields[i].Samples = nil, nil
	}
}

// drawn returns the row as a graph shows it. Fields that can not be used are no reason to
// hide an entity.
func (r *entityRow) drawn() schema.Entity {
	fields, _ := schema.ParseFields(json.RawMessage(r.DetectedFields))
	withoutSamples(fields)
	return schema.Entity{ID: r.ID, TenantID: r.TenantID, Name: orZero(r.Name), Hash: r.Hash, Fields: fields}
}

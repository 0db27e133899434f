package store

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/schemacast/schemacast/internal/schema"
)

const (
	// taughtMappings is how many mappings of a tenant are looked at, the newest first.
	taughtMappings = 50_000
	// maxAliases of a field are kept.
	maxAliases = 8
)

// taught is one mapping that says how a field is called somewhere.
type taught struct {
	ID       int64
	EntityID int64
	SchemaID int64
	Alias    string
	Target   string
	// Human says that a person made the mapping, changed it, or confirmed its schema.
	Human bool
}

// taughtQuery reads the newest of them, in no order. A schema teaches when it is
// confirmed, by the owner's policy or by a human; its source, its entity and our notes
// are all of the one tenant. A mapping of ours that is doubtful does not, unless a
// human touched it. The definitions are only looked into once the newest are found.
func taughtQuery(d dialect) string {
	human := "COALESCE(s.type = 'entity' OR s.confirmed_at IS NOT NULL OR m.updated_at > m.created_at OR COALESCE(w.own_mappings, '') IN ('', '{}', 'null') " +
		"OR w.last_mapping > 0 AND m.id > w.last_mapping, FALSE)"
	return "SELECT m.id, m.target_schema_id, m.schema_id, m.field_path, COALESCE(" + d.mappedField + ", ''), t.human FROM (" +
		"SELECT m.id, " + human + " AS human FROM schema_mappings m " +
		"JOIN schemas s ON s.id = m.schema_id AND s.tenant_id = ? AND s.type IN ('input', 'entity') AND s.status = 'confirmed' " +
		"JOIN schemas e ON e.id = m.target_schema_id AND e.tenant_id = ? AND e.type = 'struct' AND e.status = 'confirmed' " +
		"LEFT JOIN schemacast_streams w ON w.schema_id = m.schema_id AND w.tenant_id = ? " +
		"WHERE m.field_path <> '' AND m.field_path NOT LIKE '%,%' AND (" + human +
		" OR COALESCE(w.doubtful, '') NOT LIKE '%,' || CAST(m.id AS varchar(20)) || ',%') " +
		"ORDER BY m.id DESC LIMIT ?) t JOIN schema_mappings m ON m.id = t.id"
}

// lesson is what the mappings of one tenant teach, by entity and field.
type lesson struct {
	number  int64 // another one for each lesson of this process
	aliases map[int64]map[string][]string
	values  map[int64]map[string][]jsonValue
}

// equal says whether two lessons teach the same.
func (l *lesson) equal(other *lesson) bool {
	return reflect.DeepEqual(l.aliases, other.aliases) && reflect.DeepEqual(l.values, other.values)
}

// learn reads and weighs what the mappings of a tenant teach.
func (s *Store) learn(ctx context.Context, tenantID string) (*lesson, error) {
	rows, err := s.db.WithContext(ctx).Raw(taughtQuery(s.dialect), tenantID, tenantID, tenantID, taughtMappings).Rows()
	if err != nil {
		return nil, fmt.Errorf("read what was mapped before: %w", translate(err))
	}
	defer func() { _ = rows.Close() }()
	w := newWeighing()
	for rows.Next() {
		var t taught
		if err := rows.Scan(&t.ID, &t.EntityID, &t.SchemaID, &t.Alias, &t.Target, &t.Human); err != nil {
			return nil, fmt.Errorf("read what was mapped before: %w", translate(err))
		}
		w.add(t)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read what was mapped before: %w", translate(err))
	}
	learned := &lesson{aliases: w.aliases()}
	learned.values, err = s.values(ctx, tenantID, w.sources())
	return learned, err
}

// nameIn is a name inside an entity, of one of its fields or of a source's.
type nameIn struct {
	entityID int64
	name     string
}

// vote is what speaks for one target of an alias.
type vote struct {
	target string
	human  bool
	count  int
	newest int64 // id of the newest mapping
}

// weighing collects votes.
type weighing struct {
	votes map[nameIn][]*vote // by alias
	// paths are the fields of schemas that were mapped to a target, the newest first.
	paths map[nameIn][]sourcePlace
	// inSchema guards against a source that one schema maps to two targets, as the parts
	// of a name: it is called like neither.
	inSchema map[sourcePlace]nameIn
	split    map[sourcePlace]bool
	all      []taught
}

// sourcePlace is a field of a schema.
type sourcePlace struct {
	schemaID int64
	path     string
}

func newWeighing() *weighing {
	return &weighing{
		votes: make(map[nameIn][]*vote), paths: make(map[nameIn][]sourcePlace),
		inSchema: make(map[sourcePlace]nameIn), split: make(map[sourcePlace]bool),
	}
}

func (w *weighing) add(t taught) {
	if t.Target == "" {
		return
	}
	place, target := sourcePlace{t.SchemaID, t.Alias}, nameIn{t.EntityID, t.Target}
	if other, known := w.inSchema[place]; known {
		w.split[place] = w.split[place] || other != target
		return
	}
	w.inSchema[place] = target
	w.all = append(w.all, t)
}

// count turns the rows into votes, once all are known.
func (w *weighing) count() {
	slices.SortFunc(w.all, func(a, b taught) int { return cmp.Compare(b.ID, a.ID) }) // the newest first
	for _, t := range w.all {
		place := sourcePlace{t.SchemaID, t.Alias}
		if w.split[place] {
			continue
		}
		if target := (nameIn{t.EntityID, t.Target}); len(w.paths[target]) < maxValues {
			w.paths[target] = append(w.paths[target], place)
		}
		if strings.EqualFold(t.Alias, t.Target) {
			continue // teaches nothing
		}
		key := nameIn{t.EntityID, strings.ToLower(t.Alias)}
		at := slices.IndexFunc(w.votes[key], func(v *vote) bool { return v.target == t.Target })
		if at < 0 {
			at = len(w.votes[key])
			w.votes[key] = append(w.votes[key], &vote{target: t.Target, newest: t.ID})
		}
		v := w.votes[key][at]
		v.count++
		v.human = v.human || t.Human
	}
	w.all = nil
}

// ranked compares two votes: a human's word beats any number of ours, so that what a
// human corrected stops teaching also where we had repeated it; then the number of
// schemas counts, then how new it is.
func ranked(a, b *vote) int {
	rank := func(v *vote) int {
		if v.human {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.count, a.count), cmp.Compare(b.newest, a.newest))
}

// aliases are the names by entity and field, the best first. A name stands for one
// field of an entity only.
func (w *weighing) aliases() map[int64]map[string][]string {
	w.count()
	type named struct {
		alias string
		*vote
	}
	byField := make(map[nameIn][]named)
	for key, votes := range w.votes {
		best := slices.MinFunc(votes, ranked)
		field := nameIn{key.entityID, best.target}
		byField[field] = append(byField[field], named{key.name, best})
	}
	aliases := make(map[int64]map[string][]string)
	for field, list := range byField {
		slices.SortFunc(list, func(a, b named) int { return cmp.Or(ranked(a.vote, b.vote), cmp.Compare(a.alias, b.alias)) })
		if aliases[field.entityID] == nil {
			aliases[field.entityID] = make(map[string][]string)
		}
		for _, n := range list[:min(len(list), maxAliases)] {
			aliases[field.entityID][field.name] = append(aliases[field.entityID][field.name], n.alias)
		}
	}
	return aliases
}

// teach puts what is learned into the fields of entities.
func (l *lesson) teach(entities []schema.Entity) {
	for _, e := range entities {
		names, values := l.aliases[e.ID], l.values[e.ID]
		if len(names)+len(values) == 0 {
			continue
		}
		for i := range e.Fields {
			f := &e.Fields[i]
			f.Aliases = names[f.Name]
			f.Learned = values[f.Name]
		}
	}
}

package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// report sums the soak test up, as docs/reliability.md has it.
func (s *soak) report(length time.Duration) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("soak of %s, seed %d, %d workers, %d tenants", length, s.seed, soakWorkers, soakTenants)
	line("schemas: %d, of which %d were never enqueued by anybody", s.added, s.unasked)
	line("ended: %s", s.value("SELECT string_agg(what || ' ' || n, ', ' ORDER BY n DESC) FROM (SELECT coalesce(nullif(error_code, ''), outcome) AS what, count(*) AS n FROM schemacast_runs GROUP BY 1) x"))
	line("lost: %s", s.value("SELECT count(*) FROM schemas WHERE type = 'input' AND ai_analysis_status NOT IN ('completed', 'failed')"))
	line("duplicated: %d (runs with two ends, fields mapped twice, entities made twice)", s.duplicated())
	order, repeated := s.deliveries()
	line("events: %s in the outbox, %d deliveries, %d of them repetitions; out of order: %d",
		s.value("SELECT count(*) FROM schemacast_events"), len(s.recorder.Messages()), repeated, order)
	line("attempts: %s", s.value("SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY n DESC) FROM (SELECT outcome, sum(times) AS n FROM schemacast_attempts GROUP BY 1) x"))
	b.WriteString(s.calls())
	line("faults: %d", sum(s.faults))
	for _, name := range slices.Sorted(maps.Keys(s.faults)) {
		line("  %3d  %s", s.faults[name], name)
	}
	line("memory, every %s:", soakSample)
	for _, sample := range s.samples {
		line("  %s", sample)
	}
	return b.String()
}

func sum(counts map[string]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}

// duplicated counts what breaks P2.
func (s *soak) duplicated() (n int) {
	for promise, query := range broken {
		if strings.HasPrefix(promise, "P2") {
			n += decode[int](s.t, []byte(s.value("SELECT count(*) FROM ("+query+") AS found")))
		}
	}
	return n
}

// deliveries counts first deliveries that came too late, and repetitions.
func (s *soak) deliveries() (disordered, repeated int) {
	seen, last := map[string]bool{}, map[int64]int64{}
	for _, m := range s.recorder.Messages() {
		e := decode[event](s.t, m.Data)
		if seen[e.EventID] {
			repeated++
			continue
		}
		seen[e.EventID] = true
		if e.Seq <= last[e.SchemaID] {
			disordered++
		}
		last[e.SchemaID] = e.Seq
	}
	return disordered, repeated
}

// soakField is the line of the question that names the schema; entities have such fields
// too.
var soakField = regexp.MustCompile(`(?m)^s\d+ \| "soak_\d+"`)

// calls says how often the model was asked beyond once a schema, and why: a second
// question was asked on purpose, or the first one got no answer that could be stored.
// The numbers of attempts say what that was: an error of the model, or a worker that died.
func (s *soak) calls() string {
	first, repairs, again := map[string]bool{}, 0, 0
	for _, r := range s.llm.Requests() {
		_, name, _ := strings.Cut(soakField.FindString(r.User), "|")
		switch {
		case r.Repair():
			repairs++
		case first[name]:
			again++
		default:
			first[name] = true
		}
	}
	return fmt.Sprintf("calls of the model: %d for %d schemas; beyond one: %d repairs of a bad answer, %d repeated questions (%s answers were stored, %s taken from the cache; attempts that ended: lost %s, retry %s)\n",
		s.llm.Count(), len(first), repairs, again, s.value("SELECT coalesce(sum(calls), 0) FROM schemacast_runs"), s.value("SELECT coalesce(sum(cached_calls), 0) FROM schemacast_runs"),
		s.value("SELECT count(*) FROM schemacast_attempts WHERE outcome = 'lost'"), s.value("SELECT count(*) FROM schemacast_attempts WHERE outcome = 'retry'"))
}

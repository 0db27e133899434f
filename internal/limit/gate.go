package limit

import (
	"time"

	"github.com/go-redis/redis_rate/v10"

	"github.com/schemacast/schemacast/internal/llm"
)

// gate is one limit that a request has to pass. A request passes all that concern it
// or takes nothing.
type gate struct {
	name     string
	limit    redis_rate.Limit
	backfill bool // concerns backfills alone
	tokens   bool // counts tokens, not requests
}

// newGates makes the gates in the order of passing: the narrow one of a backfill comes
// before the one that all share.
func newGates(cfg Config) []gate {
	var gates []gate
	add := func(name string, perMinute, burst int, tokens bool) {
		if perMinute <= 0 {
			return
		}
		part := func(n int) int { return max(1, int(float64(n)*cfg.BackfillShare)) }
		gates = append(gates,
			gate{name + ":backfill", redis_rate.Limit{Rate: part(perMinute), Burst: part(burst), Period: time.Minute}, true, tokens},
			gate{name, redis_rate.Limit{Rate: perMinute, Burst: burst, Period: time.Minute}, false, tokens})
	}
	// Providers divide a minute further, so requests come evenly; one question about a
	// wide schema may take a minute's tokens.
	add("requests", cfg.RequestsPerMinute, max(1, cfg.RequestsPerMinute/6), false)
	add("tokens", cfg.TokensPerMinute, cfg.TokensPerMinute, true)
	return gates
}

func (g gate) concerns(need llm.Need) bool { return need.Backfill || !g.backfill }

// count is what the need takes. More than the whole of a limit would never pass.
func (g gate) count(need llm.Need) int {
	if !g.tokens {
		return 1
	}
	return min(max(need.Tokens, 0), g.limit.Burst)
}

// owed is what is still to be taken when used tokens were spent; negative to give back.
func (g gate) owed(need llm.Need, used int) int {
	if !g.tokens {
		return 0
	}
	return min(max(used, 0), g.limit.Burst) - g.count(need)
}

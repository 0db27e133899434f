package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/schemacast/schemacast/internal/llm"
)

// local keeps the limits of this worker alone, for as long as Redis does not answer.
type local struct {
	gates []gate

	mu      sync.Mutex // over all buckets: a request passes all of them or none
	buckets []*rate.Limiter
}

func newLocal(gates []gate) *local {
	l := &local{gates: gates}
	for _, g := range gates {
		perSecond := float64(g.limit.Rate) / g.limit.Period.Seconds()
		l.buckets = append(l.buckets, rate.NewLimiter(rate.Limit(perSecond), g.limit.Burst))
	}
	return l
}

func (l *local) take(need llm.Need) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for i, g := range l.gates {
		if !g.concerns(need) {
			continue
		}
		reserved := l.buckets[i].ReserveN(now, g.count(need))
		wait := reserved.DelayFrom(now)
		if wait == 0 {
			continue
		}
		reserved.CancelAt(now)
		for j, passed := range l.gates[:i] {
			if passed.concerns(need) {
				l.buckets[j].ReserveN(now, -passed.count(need))
			}
		}
		return wait
	}
	return 0
}

func (l *local) settle(need llm.Need, used int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for i, g := range l.gates {
		if owed := g.owed(need, used); g.concerns(need) && owed != 0 {
			l.buckets[i].ReserveN(now, owed) // also into debt
		}
	}
}

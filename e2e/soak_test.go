package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/task"
	"github.com/schemacast/schemacast/internal/testenv"
)

const (
	soakVariable = "SCHEMACAST_SOAK"      // a duration such as 10m: runs the soak test
	seedVariable = "SCHEMACAST_SOAK_SEED" // repeats the faults of an earlier one
	// reportVariable is a file that the report is written to, besides the output.
	reportVariable = "SCHEMACAST_SOAK_REPORT"

	soakWorkers = 3
	soakTenants = 5
	// soakOpen is how many analyses are open at a time.
	soakOpen = 200
	// soakTick is how often the test feeds, looks after its workers and breaks things.
	soakTick = 250 * time.Millisecond
	// soakSample is how often the workers' memory is read.
	soakSample = 10 * time.Second
	// soakPatience is for the end of what is open when the last fault is mended. A
	// worker that died a moment before is missed after 30 s.
	soakPatience = 5 * time.Minute
)

// TestSoak breaks everything at random while three workers analyse thousands of
// schemas, mends it, and wants nothing lost, nothing twice, nothing out of order.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv(soakVariable))
	if err != nil || length <= 0 {
		t.Skip(soakVariable + " is not set to a duration: see make soak")
	}
	s := newSoak(t)
	s.during(length)
	s.mend()
	s.awaitEnd(soakPatience)
	s.proveNow(verdict{calls: -1})
	s.sample()
	report := s.report(length)
	t.Log(report)
	if path := os.Getenv(reportVariable); path != "" {
		if err := os.WriteFile(path, []byte(report), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// soak is an installation of its own, every part of which can be broken.
type soak struct {
	*faultGround
	random   *rand.Rand
	seed     uint64
	postgres *testenv.PostgresServer
	soketi   *testenv.SoketiServer
	toRedis  *testenv.Proxy
	toDB     *testenv.Proxy
	tenants  []string
	producer *task.Producer

	workers [soakWorkers]*worker
	faults  map[string]int
	mends   []mending
	added   int
	unasked int // rows of which only the database knows
	samples []string
	started time.Time
}

// mending is what ends a fault.
type mending struct {
	due time.Time
	do  func() (done bool)
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(seedVariable); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s is %q: use the number that a report has printed", seedVariable, text)
		}
		seed = n
	}
	t.Logf("seed %d", seed)
	soketi := testenv.StartSoketi(t)
	recorder := testenv.StartRecorder(t, &soketi.SoketiApp)
	s := &soak{
		faultGround: faulty(newGround(t, recorder.App), recorder), soketi: soketi,
		random: rand.New(rand.NewPCG(seed, seed)), seed: seed, faults: map[string]int{}, started: time.Now(),
		postgres: testenv.StartPostgres(t, testenv.PostgresConfig{Settings: []string{"max_connections=300"}}),
	}
	s.env["DB_URL"] = s.postgres.URL
	s.useDatabase(s.postgres.URL)
	s.toDB, s.toRedis = s.throughDatabaseProxy(), s.throughRedisProxy()
	for name, value := range map[string]string{
		"WORKER_CONCURRENCY": "8", "WORKER_DRAIN_TIMEOUT": "3s", "ANALYSIS_TIMEOUT": "20s", "LOG_LEVEL": "warn", "WORKER_SWEEP_INTERVAL": "5s",
	} {
		s.env[name] = value
	}
	for n := range soakTenants {
		s.tenants = append(s.tenants, fmt.Sprintf("soak-%d", n))
		s.exec("INSERT INTO tenants (id, name, created_at) VALUES ($1, $1, now())", s.tenants[n])
	}
	redis.SetLogger(noLog{}) // it tells of every connection that a fault refuses
	var err error
	s.producer, err = task.NewProducer(redis.NewClient(&redis.Options{Addr: s.toRedis.Addr, MaxRetries: -1}), task.ProducerConfig{Name: "soak"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type noLog struct{}

func (noLog) Printf(context.Context, string, ...any) {}

// during feeds and breaks until the time is over.
func (s *soak) during(length time.Duration) {
	ticker := time.NewTicker(soakTick)
	defer ticker.Stop()
	end := time.Now().Add(length)
	nextFault, nextSample := time.Now().Add(5*time.Second), time.Now()
	for now := range ticker.C {
		if now.After(end) {
			return
		}
		s.revive()
		s.mendDue(now)
		s.feed()
		if now.After(nextFault) {
			s.breakSomething(now)
			nextFault = now.Add(time.Duration(1+s.random.IntN(8)) * time.Second)
		}
		if now.After(nextSample) {
			s.sample()
			nextSample = now.Add(soakSample)
		}
	}
}

// revive starts workers in place of those that have ended.
func (s *soak) revive() {
	for n, w := range s.workers {
		if w == nil || w.hasEnded() {
			s.workers[n] = s.spawn(s.t)
			s.workers[n].arm("run.committed=tell") // for the number of goroutines
		}
	}
}

func (s *soak) mendDue(now time.Time) {
	var later []mending
	for _, m := range s.mends {
		if m.due.After(now) || !m.do() {
			later = append(later, m)
		}
	}
	s.mends = later
}

// mend ends all faults.
func (s *soak) mend() {
	s.mendDue(time.Now().Add(time.Hour))
	s.postgres.Start()
	s.server.Start()
	s.soketi.Start()
	s.toDB.Restore()
	s.toRedis.Restore()
	s.recorder.Behave(testenv.Takes)
	s.reconnect()
	for _, w := range s.workers {
		s.tell(w, syscall.SIGCONT)
	}
	s.revive()
}

// feed keeps the installation busy: new rows, most with a task, as the app makes them.
// While the database is down nobody can ask for anything.
func (s *soak) feed() {
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Second)
	defer cancel()
	if s.db.IsClosed() {
		conn, err := pgx.ConnectConfig(ctx, s.db.Config())
		if err != nil {
			return
		}
		s.db = conn
	}
	var open int
	err := s.db.QueryRow(ctx, "SELECT count(*) FROM schemas WHERE type = 'input' AND ai_analysis_status IN ('pending', 'processing')").Scan(&open)
	if err != nil || open >= soakOpen {
		return
	}
	var requests []task.Request
	for range 10 {
		tenant := s.tenants[s.random.IntN(len(s.tenants))]
		var id int64
		err := s.db.QueryRow(ctx, "INSERT INTO schemas (created_at, hash, tenant_id, sample_data, detected_fields) VALUES (now(), $1, $2, '{}', $3::text::jsonb) RETURNING id",
			fmt.Sprintf("soak-%d-%d", s.seed, s.added), tenant, soakShape(s.added)).Scan(&id)
		if err != nil {
			return
		}
		s.added++
		if s.random.IntN(20) == 0 {
			s.unasked++ // the producer died before it enqueued
			continue
		}
		queue := task.QueueInteractive
		if s.random.IntN(4) == 0 {
			queue = task.QueueBackfill
		}
		requests = append(requests, task.Request{Payload: task.Payload{SchemaID: id, TenantID: tenant}, Queue: queue})
	}
	_, _ = s.producer.Enqueue(ctx, requests...) // Redis may be down: the row is the wish
}

// soakShape is a shape of one of few kinds, which names itself.
func soakShape(n int) string {
	kind := []string{"customer", "invoice", "vehicle", "sensor", "parcel"}[n%5]
	return fmt.Sprintf(`[{"name":"%[1]s_id","type":"string"},{"name":"%[1]s_code","type":"string"},{"name":"%[1]s_owner","type":"string"},{"name":"soak_%[2]d","type":"string"}]`, kind, n)
}

// sample notes what the workers hold.
func (s *soak) sample() {
	var parts []string
	for _, w := range s.workers {
		if w == nil || w.hasEnded() {
			parts = append(parts, "down")
			continue
		}
		goroutines := "?"
		if log := w.log.String(); strings.Contains(log, "goroutines=") {
			goroutines, _, _ = strings.Cut(log[strings.LastIndex(log, "goroutines=")+len("goroutines="):], "\n")
		}
		parts = append(parts, fmt.Sprintf("%s, goroutines %s", memory(s.t, w.cmd.Process.Pid), goroutines))
	}
	s.samples = append(s.samples, fmt.Sprintf("%6s  %5d schemas  %s", time.Since(s.started).Round(time.Second), s.added, strings.Join(parts, " | ")))
}

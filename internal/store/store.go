// Package store keeps everything durable: the app's own tables, which it reads and
// writes as the app expects them, and the tables of Schemacast (prefix
// schemacast_), which hold runs, their attempts, the outbox of events and the cache
// of answers.
//
// Every change of state and the event that tells of it are one transaction. All
// times that decide anything are the database's clock. PostgreSQL is the production
// database; SQLite serves the embedded mode and takes one writer at a time.
//
// gorm and the rows do not leave this package: it speaks the vocabulary of package
// schema and implements the ports of package run (Store, Leases, Backlog, Archive,
// Clock), analysis.Catalog, broadcast.Outbox and the answer cache of package llm.
//
// What locks more than one row does so in the order run, tenant, schema. Migrations
// only add, so that workers of two versions can run side by side.
package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/glebarez/sqlite"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/run"
)

var (
	_ run.Store        = (*Store)(nil)
	_ analysis.Catalog = (*Store)(nil)
	_ broadcast.Outbox = (*Store)(nil)
	_ broadcast.Meter  = (*Store)(nil)
)

// Config says which database to use and how.
type Config struct {
	// Dialect is "pgsql" or "sqlite".
	Dialect string
	// DSN is a PostgreSQL URL or keyword string, or the path of an SQLite file.
	DSN string
	// MaxConns bounds the pool. Defaults to 20; SQLite uses at most 8.
	MaxConns int
	// StaleAfter is how long an owner may miss heartbeats before its claim may be
	// taken. Defaults to 30 s, six heartbeats.
	StaleAfter time.Duration
	// MaxAttempts is the budget of a run. Defaults to 6.
	MaxAttempts int
	// MaxLost is how many workers may go away during the attempts of a run before it
	// counts as the reason. Defaults to 3.
	MaxLost int
	// MaxRestarts is how often a run starts again because the fields of its schema
	// changed under it. Defaults to 3.
	MaxRestarts int
	// RelayOwner gets the lease of a stream when an event is written, so that the
	// relay of the same process sends it at once. Empty in processes without a relay.
	RelayOwner string
	// RelayLease is how long that lease lasts. Defaults to 10 s.
	RelayLease time.Duration
	// LearnEvery is the least time between two looks at what a tenant's mappings teach.
	// A tenant with many waits fifty times as long as a look takes. Defaults to 1 s; a
	// negative one looks every time.
	LearnEvery time.Duration
	// Nudge is called after a commit that wrote an event. It must not block.
	Nudge func(schemaID int64)

	// bounds are smaller in tests, which have to reach them.
	bounds bounds
}

// bounds limit what one transaction reads or writes of tables that may be long.
type bounds struct {
	// pruneBatch bounds the rows of one kind that one transaction of Prune deletes, so
	// that it holds no lock and no write-ahead log for long. Defaults to 3000.
	pruneBatch int
	// pruneLook bounds the runs that one call of Prune looks at. Defaults to 20,000.
	pruneLook int
	// eraseBatch bounds the rows that one transaction of Erase deletes. Defaults to 3000.
	eraseBatch int
	// revisited is how many rows that count as settled are looked at again in one sweep,
	// so that what became visible later still is found in the end. Defaults to 5000.
	revisited int
}

// Store is safe for concurrent use.
type Store struct {
	db      *gorm.DB
	dialect dialect
	cfg     Config
	// lessons are what the mappings of tenants teach.
	lessons lessons
	// looks are the last ones at what humans do to the mappings of tenants.
	looks mappingLooks
	// glances are the last looks at which entities large tenants have.
	glances glances
	// written are statements as gorm writes them for a pipeline, by what it was given.
	written sync.Map
	// unanswered are claims whose commit this process can not tell the outcome of.
	unanswered unansweredClaims
}

// Open connects to the database. It does not look at the tables: see CheckTables.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	d, err := dialectOf(cfg.Dialect)
	if err != nil {
		return nil, err
	}
	s := &Store{dialect: d, cfg: withDefaults(cfg)}
	dialector, err := dialectorOf(d, cfg.DSN)
	if err != nil {
		return nil, s.unreachable(err)
	}
	s.db, err = gorm.Open(dialector, &gorm.Config{
		Logger:                 logger.Discard,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
	})
	if err != nil {
		return nil, s.unreachable(err) // SQLite opens its file here
	}
	if err := s.configurePool(); err != nil {
		return nil, err
	}
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(s.unreachable(err), s.Close())
	}
	return s, nil
}

// unreachable names the database that does not answer, and the variables to check.
func (s *Store) unreachable(err error) error {
	if s.dialect.name == SQLite {
		return fmt.Errorf("open the database file %s: %w; check that DB_DATABASE names an SQLite file in a folder that can be written", s.cfg.DSN, err)
	}
	if errors.Is(err, ErrReadOnly) {
		return fmt.Errorf("use the %s database: %w", s.dialect.name, err)
	}
	if _, cure := handshake(err); cure != "" {
		return fmt.Errorf("reach the %s database: %w; %s", s.dialect.name, withoutSecrets(err), cure)
	}
	return fmt.Errorf("reach the %s database: %w; check DB_URL, or DB_HOST, DB_PORT, DB_DATABASE, DB_USERNAME and DB_PASSWORD",
		s.dialect.name, withoutSecrets(err))
}

// Close waits for running queries and closes the connections.
func (s *Store) Close() error {
	db, err := s.db.DB()
	if err != nil {
		return err
	}
	return db.Close()
}

// Ping says whether the database answers and can be written.
func (s *Store) Ping(ctx context.Context) error {
	db, err := s.db.DB()
	if err != nil {
		return err
	}
	if err := db.PingContext(ctx); err != nil {
		return err
	}
	return s.checkWritable(ctx)
}

func withDefaults(cfg Config) Config {
	setDefault(&cfg.MaxConns, 20)
	setDefault(&cfg.StaleAfter, 30*time.Second)
	setDefault(&cfg.MaxAttempts, 6)
	setDefault(&cfg.MaxLost, 3)
	setDefault(&cfg.MaxRestarts, 3)
	setDefault(&cfg.RelayLease, 10*time.Second)
	setDefault(&cfg.bounds, bounds{pruneBatch: 3000, pruneLook: 20_000, eraseBatch: 3000, revisited: 5000})
	setDefault(&cfg.LearnEvery, time.Second)
	if cfg.Nudge == nil {
		cfg.Nudge = func(int64) {}
	}
	return cfg
}

func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// idleTransaction is how long PostgreSQL waits for the next statement of a transaction
// before it ends it. Ours wait for nothing in between; but a worker that is stopped, or
// whose machine is gone, would keep its locks for hours, and with them others' events.
const idleTransaction = "15s"

func dialectorOf(d dialect, dsn string) (gorm.Dialector, error) {
	if d.name == SQLite {
		// Transactions take the write lock when they begin: one that reads first and
		// writes later would fail instead of waiting for its turn.
		return sqlite.Open(dsn + "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)"), nil
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	// Not as a parameter of the connection, which PgBouncer refuses.
	limited := stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		// Compiling a plan takes longer than any statement of ours.
		_, err := conn.Exec(ctx, "SET idle_in_transaction_session_timeout = '"+idleTransaction+"'; SET jit = off")
		return err
	})
	return postgres.New(postgres.Config{Conn: stdlib.OpenDB(*cfg, limited)}), nil
}

func (s *Store) configurePool() error {
	db, err := s.db.DB()
	if err != nil {
		return err
	}
	conns := s.cfg.MaxConns
	if s.dialect.name == SQLite {
		conns = min(conns, 8)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return nil
}

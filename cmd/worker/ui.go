package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/admin"
	"github.com/schemacast/schemacast/internal/broadcast"
	"github.com/schemacast/schemacast/internal/buildinfo"
	"github.com/schemacast/schemacast/internal/config"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

// newUIConfig says what the dashboard shows. Who may see it is added by the caller.
func newUIConfig(cfg *config.Config, logger *slog.Logger) admin.UIConfig {
	c := admin.UIConfig{
		Version: buildinfo.Version(), ChannelMode: cfg.Broadcast.Channel, ChannelTemplate: broadcast.TenantTemplate,
		Bands: cfg.Admin.Bands, AppURL: cfg.Admin.AppURL, Samples: cfg.Admin.Samples, Logger: logger,
	}
	if b := cfg.Broadcast.Browser; b.Host != "" {
		scheme := "http"
		if b.Secure {
			scheme = "https"
		}
		c.Events = &admin.EventServer{Key: b.Key, Host: b.Host, Port: b.Port, Scheme: scheme, Cluster: b.Cluster}
	}
	return c
}

func access(cfg config.Admin) admin.Access {
	a := admin.Access{Proxies: cfg.Proxies, Header: cfg.Header}
	for _, token := range cfg.Tokens {
		a.Tokens = append(a.Tokens, admin.Token{Secret: token.Secret.Reveal(), Tenants: token.Tenants})
	}
	return a
}

// dashboard is the UI of a real worker, and its ways to Redis.
type dashboard struct {
	*admin.UI
	redis  redis.UniversalClient
	queues *task.Monitor // nil with ADMIN_ASYNQMON=off
}

func newDashboard(cfg *config.Config, db *store.Store, logger *slog.Logger) (*dashboard, error) {
	d := &dashboard{redis: newLimitRedis(cfg.Redis.Options())}
	if err := d.build(cfg, db, logger); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *dashboard) build(cfg *config.Config, db *store.Store, logger *slog.Logger) error {
	requests, err := newRequests(db, d.redis, logger)
	if err != nil {
		return err
	}
	ports := admin.Ports{Graphs: db, Tenants: db, Requests: requests}
	if mode := cfg.Admin.Asynqmon; mode != config.AsynqmonOff {
		connect := func() redis.UniversalClient { return newLimitRedis(cfg.Redis.Options()) }
		d.queues, err = task.NewMonitor(connect, task.MonitorConfig{Root: admin.QueuesPath, Write: mode == config.AsynqmonWrite})
		if err != nil {
			return err
		}
		ports.Queues = d.queues
	}
	admission, err := broadcast.NewAdmission(broadcastConfig(cfg.Broadcast))
	if err != nil {
		return err
	}
	if admission != nil { // a nil of another type would not be nil
		ports.Admission = admission
	}
	c := newUIConfig(cfg, logger)
	c.Access = access(cfg.Admin)
	d.UI, err = admin.NewUI(cfg.Worker.AdminAddr, c, ports)
	return err
}

func (d *dashboard) close() error {
	err := d.redis.Close()
	if d.queues != nil {
		err = errors.Join(err, d.queues.Close())
	}
	return err
}

// stop ends it without waiting for long: a browser keeps its connection.
func (d *dashboard) stop(ctx context.Context) error {
	if d == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, dashboardStop)
	defer cancel()
	return errors.Join(d.UI.Stop(ctx), d.close())
}

// dashboardStop is how long answers that are under way may take. Idle connections are
// closed at once.
const dashboardStop = 5 * time.Second

// dashboardRequester is who asks when somebody clicks.
const dashboardRequester = "dashboard"

// requests implements admin.Requests as `enqueue schema` does: the wish is in the database
// first, the task is a hint.
type requests struct {
	db       *store.Store
	producer *task.Producer
	logger   *slog.Logger
}

var _ admin.Requests = (*requests)(nil)

func newRequests(db *store.Store, client redis.UniversalClient, logger *slog.Logger) (*requests, error) {
	producer, err := task.NewProducer(client, task.ProducerConfig{Name: "dashboard/" + buildinfo.Version()})
	return &requests{db: db, producer: producer, logger: logger}, err
}

// Retry implements admin.Requests.
func (q *requests) Retry(ctx context.Context, schemaID int64, tenantID string, force bool) (admin.Retried, error) {
	answers, err := q.db.Request(ctx, store.Request{SchemaIDs: []int64{schemaID}, TenantID: tenantID, By: dashboardRequester, Force: force})
	if err != nil {
		return admin.Retried{}, err
	}
	switch answer := answers[0]; answer.State {
	case store.RequestUnknown:
		return admin.Retried{}, run.ErrUnknownSchema
	case store.RequestRefused:
		return admin.Retried{}, &admin.RefusedError{Reason: answer.Reason}
	}
	q.enqueue(ctx, schemaID, tenantID)
	standing, err := q.db.Standing(ctx, schemaID, tenantID)
	return admin.Retried{RunID: standing.RunID, Running: standing.Owned, Already: answers[0].State == store.RequestAlreadyOpen}, err
}

// enqueue makes the task. Without Redis the sweeper brings it later, so it is no failure.
func (q *requests) enqueue(ctx context.Context, schemaID int64, tenantID string) {
	payload := task.PayloadOf(schemaID, tenantID)
	if _, err := q.producer.Enqueue(ctx, task.Request{Payload: payload}); err != nil {
		q.logger.Warn("task not queued, the sweeper will", "schema_id", schemaID, "error", err)
	}
}

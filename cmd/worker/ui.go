package main

import (
	"context"
	"log/slog"

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
		Bands: [2]float64{0.9, 0.7}, Logger: logger,
	}
	if b := cfg.Broadcast; b.Publishes() {
		scheme := "http"
		if b.Secure {
			scheme = "https"
		}
		c.Events = &admin.EventServer{Key: b.Key, Host: b.Host, Port: b.Port, Scheme: scheme, Cluster: b.Cluster}
	}
	return c
}

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

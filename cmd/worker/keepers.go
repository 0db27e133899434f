package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/buildinfo"
	"github.com/schemacast/schemacast/internal/config"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
)

// keepers look after what goes wrong beside the runs: the watch in every process,
// sweeper and queue doctor in one of the whole installation.
type keepers struct {
	redis   redis.UniversalClient
	watch   *run.Watch
	doctor  *run.Doctor
	sweeper *run.Sweeper
}

// youngRequest is for how long a request is left to its producer, who is about to queue
// it.
const youngRequest = 15 * time.Second

func newKeepers(cfg *config.Config, db *store.Store, owner string, logger *slog.Logger) (*keepers, error) {
	options, interval := cfg.Redis.Options(), cfg.Worker.SweepInterval
	k := &keepers{redis: run.NewRedis(options)}
	var watchErr, doctorErr, sweeperErr error
	k.watch, watchErr = run.NewWatch(options, db, run.WatchConfig{Logger: logger})
	k.doctor, doctorErr = run.NewDoctor(db, k.redis, run.DoctorConfig{
		Owner: owner, Interval: min(2*interval, 30*time.Second), Logger: logger,
	})
	k.sweeper, sweeperErr = run.NewSweeper(db, k.redis, run.SweeperConfig{
		Owner: owner, Interval: interval, Grace: min(interval, youngRequest), Producer: "sweeper/" + buildinfo.Version(), Logger: logger,
		Retention: run.Retention{Events: cfg.Worker.RetainEvents, Answers: cfg.Worker.RetainAnswers, Runs: cfg.Worker.RetainRuns},
	})
	if err := errors.Join(watchErr, doctorErr, sweeperErr); err != nil {
		return nil, errors.Join(err, k.redis.Close())
	}
	return k, nil
}

// prepare comes before asynq starts: a clock that is far off would take tasks from
// others, and messages that can not be decoded would stop its recovery.
func (k *keepers) prepare(ctx context.Context) error {
	if err := k.watch.Start(ctx); err != nil {
		return err
	}
	return k.doctor.Start(ctx)
}

// stop hands sweeping and doctoring over to another process. It comes before the drain,
// which may take long.
func (k *keepers) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return errors.Join(k.sweeper.Stop(ctx), k.doctor.Stop(ctx), k.watch.Stop(ctx), k.redis.Close())
}

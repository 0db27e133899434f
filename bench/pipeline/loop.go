package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pusher/pusher-http-go/v5"
)

// The bare loop is what remains of the work when all thought is taken out of it: round trips
// to the same services, one after the other, each as fast as its library makes it. Nothing is
// verified, fenced, numbered or repeated. The list is fixed, so that figures of different
// versions can be compared:
//
//  1. one asynq task
//  2. a transaction of three statements: read the schema, mark it, write an event
//  3. one question to a model
//  4. a transaction of six statements, and one for each mapping: read the schema and lock it,
//     read the entity, delete its mappings, insert each, write the row, close the run, write
//     an event
//  5. two events to Soketi: one as soon as the first transaction is committed, one at the end

// loopEnv makes this program the loop; its value is a loopSpec.
const loopEnv = "SCHEMACAST_BENCH_LOOP"

type loopSpec struct {
	DSN, Redis, Soketi, Model string
	Question                  []byte
	Concurrency               int
	FirstEntity               int64
	Mappings                  int
}

// looper is a running loop.
type looper struct {
	loopSpec
	pool   *pgxpool.Pool
	http   *http.Client
	pusher pusher.Client
}

// loop works until it is told to stop.
func loop(ctx context.Context, text string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var l looper
	if err := json.Unmarshal([]byte(text), &l.loopSpec); err != nil {
		return fmt.Errorf("%s: %w", loopEnv, err)
	}
	config, err := pgxpool.ParseConfig(l.DSN)
	if err != nil {
		return err
	}
	config.MaxConns = int32(l.Concurrency)
	if l.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	defer l.pool.Close()
	for _, table := range []string{
		"CREATE TABLE IF NOT EXISTS loop_events (id bigserial PRIMARY KEY, schema_id bigint, kind text, payload text)",
		"CREATE TABLE IF NOT EXISTS loop_runs (schema_id bigint PRIMARY KEY, state text)",
	} {
		if _, err := l.pool.Exec(ctx, table); err != nil {
			return err
		}
	}
	l.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: l.Concurrency}}
	l.pusher = pusher.Client{
		AppID: soketiApp, Key: soketiKey, Secret: soketiSecret, Host: l.Soketi, OverrideMaxMessagePayloadKB: 100,
		HTTPClient: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: l.Concurrency}},
	}
	server := asynq.NewServer(asynq.RedisClientOpt{Addr: l.Redis}, asynq.Config{
		Concurrency: l.Concurrency, Queues: map[string]int{queueName: 1},
		TaskCheckInterval: 50 * time.Millisecond, LogLevel: asynq.ErrorLevel,
	})
	if err := server.Start(asynq.HandlerFunc(l.process)); err != nil {
		return err
	}
	<-ctx.Done()
	server.Shutdown()
	return nil
}

// loopRow is what the loop reads of a schema.
type loopRow struct{ tenant, hash, fields string }

func (l *looper) process(ctx context.Context, t *asynq.Task) error {
	var payload struct {
		SchemaID int64 `json:"schema_id"`
	}
	if err := json.Unmarshal(t.Payload(), &payload); err != nil {
		return err
	}
	id := payload.SchemaID
	var row loopRow
	err := pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error { return l.claim(ctx, tx, id, &row) })
	if err != nil {
		return err
	}
	started := fmt.Sprintf(`{"status":"started","schema_id":%d,"tenant_id":%q,"data":{"hash":%q,"detected_fields":%s}}`,
		id, row.tenant, row.hash, row.fields)
	if err := l.pusher.Trigger("tenant."+row.tenant+".schemas", "schema.analysis", started); err != nil {
		return err
	}
	answer, err := l.ask(ctx)
	if err != nil {
		return err
	}
	var entity string
	err = pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error { return l.commit(ctx, tx, id, answer, &entity) })
	if err != nil {
		return err
	}
	completed := fmt.Sprintf(`{"status":"completed","schema_id":%d,"tenant_id":%q,"data":{"bronze_schema":{"id":%d,"detected_fields":%s},"silver_entity":{"detected_fields":%s},"mappings_count":%d}}`,
		id, row.tenant, id, row.fields, entity, l.Mappings)
	return l.pusher.Trigger("tenant."+row.tenant+".schemas", "schema.analysis", completed)
}

func (l *looper) claim(ctx context.Context, tx pgx.Tx, id int64, row *loopRow) error {
	err := tx.QueryRow(ctx, "SELECT tenant_id, hash, detected_fields::text FROM schemas WHERE id = $1 FOR UPDATE", id).Scan(&row.tenant, &row.hash, &row.fields)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE schemas SET ai_analysis_status = 'processing', updated_at = now() WHERE id = $1", id); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO loop_events (schema_id, kind, payload) VALUES ($1, 'started', $2)", id, row.fields)
	return err
}

func (l *looper) ask(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.Model+"/v1/chat/completions", bytes.NewReader(l.Question))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+modelKey)
	response, err := l.http.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	var completion struct {
		Choices []struct {
			Message struct {
				Content string `json:"content"`
			} `json:"message"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(body, &completion); err != nil || len(completion.Choices) == 0 {
		return "", errors.Join(errors.New("no answer of the model"), err)
	}
	return completion.Choices[0].Message.Content, nil
}

func (l *looper) commit(ctx context.Context, tx pgx.Tx, id int64, answer string, entity *string) error {
	var fields string
	if err := tx.QueryRow(ctx, "SELECT detected_fields::text FROM schemas WHERE id = $1 FOR UPDATE", id).Scan(&fields); err != nil {
		return err
	}
	if err := tx.QueryRow(ctx, "SELECT detected_fields::text FROM schemas WHERE id = $1", l.FirstEntity).Scan(entity); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM schema_mappings WHERE schema_id = $1", id); err != nil {
		return err
	}
	for i := range l.Mappings {
		definition := fmt.Sprintf(`{"schema_mapping":{"fields":[{"sourcePath":"field_%d","fieldName":"field_%d","sourceType":"string","fieldType":"string"}]}}`, i, i)
		_, err := tx.Exec(ctx, "INSERT INTO schema_mappings (schema_id, target_schema_id, field_path, is_array, mapping_definition, mapping_type, created_at, updated_at) "+
			"VALUES ($1, $2, $3, false, $4, 'direct', now(), now())", id, l.FirstEntity, fmt.Sprintf("field_%d", i), definition)
		if err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "UPDATE schemas SET ai_recommendations = $2, ai_analysis_status = 'completed', ai_analyzed_at = now(), name = 'bench_source', "+
		"status = 'confirmed', updated_at = now() WHERE id = $1", id, answer)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO loop_runs (schema_id, state) VALUES ($1, 'completed')", id); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO loop_events (schema_id, kind, payload) VALUES ($1, 'completed', $2)", id, strings.Join([]string{fields, *entity}, ""))
	return err
}

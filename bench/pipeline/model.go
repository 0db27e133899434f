package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

const modelKey = "sk-bench-0123456789abcdef"

// model stands in for a language model behind its HTTP API, and for the Python service that
// the PHP worker asks. It answers after a given time, and as quickly as it can beyond that:
// its own work counts for every side.
type model struct {
	url     string
	server  *http.Server
	latency atomic.Int64 // in nanoseconds
	calls   atomic.Int64
	// question is the newest question of a worker, for the bare loop, which sends the same.
	question atomic.Pointer[[]byte]
}

func startModel(ctx context.Context) (*model, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &model{url: "http://" + listener.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", m.complete)
	mux.HandleFunc("POST /analyze-schema", m.analyse)
	m.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = m.server.Serve(listener) }()
	return m, nil
}

func (m *model) close() error { return m.server.Close() }

// take reads a request and waits as long as a model thinks.
func (m *model) take(r *http.Request) ([]byte, error) {
	m.calls.Add(1)
	body, err := io.ReadAll(r.Body)
	if latency := time.Duration(m.latency.Load()); latency > 0 {
		select {
		case <-time.After(latency):
		case <-r.Context().Done():
		}
	}
	return body, err
}

// chat is a request to a model, and completion its answer, as far as they matter here.
type chat struct {
	Model    string `json:"model"`
	Messages []struct {
		Content string `json:"content"`
	} `json:"messages"`
}

func (m *model) complete(w http.ResponseWriter, r *http.Request) {
	body, err := m.take(r)
	var request chat
	if err != nil || json.Unmarshal(body, &request) != nil || len(request.Messages) == 0 {
		http.Error(w, "no chat request", http.StatusBadRequest)
		return
	}
	m.question.Store(&body)
	question := request.Messages[len(request.Messages)-1].Content
	answer := llmtest.GoodAnswer(question)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"id": "chatcmpl-bench", "object": "chat.completion", "created": time.Now().Unix(), "model": request.Model,
		"choices": []any{map[string]any{
			"index": 0, "finish_reason": "stop", "message": map[string]any{"role": "assistant", "content": answer},
		}},
		// Four bytes a token: bench/tokens counts.
		"usage": map[string]int{
			"prompt_tokens": len(body) / 4, "completion_tokens": len(answer) / 4, "total_tokens": (len(body) + len(answer)) / 4,
		},
	})
}

// analyse is the Python service's one route: a schema and all entities of the tenant come,
// an entity and mappings of equal names go. That it asks a model four times, one after the
// other, is left out: it takes as long as one question.
func (m *model) analyse(w http.ResponseWriter, r *http.Request) {
	body, err := m.take(r)
	type field struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	var request struct {
		Schema struct {
			Fields []field `json:"detected_fields"`
		} `json:"incoming_schema"`
		Entities []struct {
			ID     int64   `json:"id"`
			Name   string  `json:"name"`
			Fields []field `json:"fields"`
		} `json:"existing_entities"`
	}
	if err != nil || json.Unmarshal(body, &request) != nil || len(request.Schema.Fields) == 0 {
		http.Error(w, "no schema", http.StatusUnprocessableEntity)
		return
	}
	stem, _, _ := strings.Cut(request.Schema.Fields[0].Name, "_")
	for _, entity := range request.Entities {
		if !strings.EqualFold(entity.Name, stem) {
			continue
		}
		var mappings []any
		for i := range min(len(request.Schema.Fields)-1, len(entity.Fields)) {
			mappings = append(mappings, map[string]any{
				"source_field": request.Schema.Fields[i].Name, "target_field": entity.Fields[i].Name, "transformation": "direct",
				"jsonata_formula": nil, "confidence": 0.9, "explanation": "equal names",
			})
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"action": "map_to_existing", "entity_id": entity.ID, "entity_name": entity.Name, "source_schema_name": "bench_source",
			"similarity_score": 90, "reasoning": "equal names", "canonical_schema": map[string]any{"fields": entity.Fields},
			"field_mappings": mappings, "analysis_timestamp": "2026-01-01T00:00:00.000000", "agent_version": "1.0.0",
		})
		return
	}
	http.Error(w, fmt.Sprintf("no entity %q", stem), http.StatusInternalServerError)
}

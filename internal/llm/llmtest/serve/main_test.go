package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestServesUntilTheContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"-delay", "1ms", "-failures", "2"}, writer) }()
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var where struct {
		BaseURL string `json:"base_url"`
		Key     string `json:"key"`
	}
	if err := json.Unmarshal([]byte(line), &where); err != nil || where.Key == "" {
		t.Fatalf("first line %q: %v", line, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(where.BaseURL, "/v1")+"/llmtest/requests", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestRefusesWrongArguments(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-delay", "soon"}, {"-addr", "256.0.0.1:1"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("run(%q) is no error", args)
		}
	}
}

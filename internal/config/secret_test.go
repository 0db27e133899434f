package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretMasks(t *testing.T) {
	t.Parallel()
	type holder struct {
		Public Secret
		hidden Secret
	}
	s := NewSecret("hunter2")
	h := holder{s, s}
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p"} {
		fmt.Fprintf(&b, verb+verb+verb+verb+"\n", s, &s, h, &h)
	}
	fmt.Fprintln(&b, s.String(), h.hidden)
	encoded, err := json.Marshal(map[string]any{"s": s, "h": h, "p": &s})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(encoded)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "s", s, "h", h, "p", &s)
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "s", s, "h", h, "p", &s)
	for _, leak := range []string{"hunter2", "68756e74657232", "68756E74657232", "104 117"} {
		if strings.Contains(b.String(), leak) {
			t.Errorf("the secret is in the output as %q:\n%s", leak, b.String())
		}
	}
	if !strings.Contains(b.String(), masked) || s.Reveal() != "hunter2" {
		t.Errorf("got %q revealed and output %s", s.Reveal(), b.String())
	}
	if text := fmt.Sprintf("%v|%s", Secret{}, NewSecret("")); text != "|" {
		t.Errorf("an empty secret prints %q", text)
	}
}

// Whatever prints a configuration shows no secret.
func TestConfigMasks(t *testing.T) {
	t.Parallel()
	cfg := load(t, map[string]string{
		"REDIS_URL": "rediss://app:hunter2@cache/0", "REDIS_SENTINEL_PASSWORD": "hunter2",
		"BROADCAST_CHANNEL": "encrypted", "BROADCAST_ENCRYPTION_KEY": "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ=",
	})
	encoded, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v %+v %#v %s %s %s %s\n%s\n", cfg, *cfg, cfg, cfg.Database, cfg.Redis, cfg.Broadcast, cfg.Database.PostgresDSN(), encoded)
	if err := cfg.Describe(&b); err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{"hunter2", "aHVudGVy"} {
		if strings.Contains(b.String(), leak) {
			t.Errorf("%q is in the output:\n%s", leak, b.String())
		}
	}
}

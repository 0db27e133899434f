package llm

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	got, err := Config{APIKey: "sk-x"}.withDefaults()
	if err != nil {
		t.Fatalf("withDefaults: %v", err)
	}
	want := Config{
		APIKey: "sk-x", BaseURL: "https://api.openai.com/v1", Model: "gpt-4.1-mini",
		Timeout: 2 * time.Minute, MaxOutputTokens: 16_384, Connections: 64,
		Limiter: noLimits{}, Observer: nobody{}, BreakerFailures: 10, BreakerPause: 30 * time.Second,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got)\n%s", diff)
	}
}

func TestConfigAccepts(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{
		{BaseURL: "http://localhost:11434/v1"},
		{BaseURL: "http://127.0.0.1:8080/v1/"},
		{BaseURL: "http://[::1]:8080"},
		{BaseURL: "http://model.internal/v1", AllowHTTP: true},
		{BaseURL: "https://openrouter.example/api/v1", APIKey: "sk-or", Model: "openai/o3-mini"},
	} {
		client, err := New(cfg, nil, nil)
		if err != nil {
			t.Errorf("New(%+v): %v", cfg, err)
			continue
		}
		if client.Name() == "" {
			t.Errorf("New(%+v) has no name", cfg)
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	const secret = "sk-verysecret"
	for _, c := range []struct {
		name string
		cfg  Config
		want []string // parts of the one error
	}{
		{"nothing", Config{}, []string{"OPENAI_API_KEY", "OPENAI_BASE_URL"}},
		{"default address without a key", Config{BaseURL: DefaultBaseURL + "/"}, []string{"OPENAI_API_KEY"}},
		{"line break in the key", Config{APIKey: secret + "\n"}, []string{"OPENAI_API_KEY", "line break"}},
		{"http", Config{BaseURL: "http://10.0.0.1/v1"}, []string{"http://10.0.0.1", "unencrypted", "https"}},
		{"http to a name like localhost", Config{BaseURL: "http://localhost.example/v1"}, []string{"unencrypted"}},
		{"scheme", Config{BaseURL: "ftp://host/v1"}, []string{`"ftp"`, "https"}},
		{"no scheme", Config{BaseURL: "host/v1?key=" + secret}, []string{"absolute URL", DefaultBaseURL}},
		{"not a URL", Config{BaseURL: "https://host\x7f/" + secret}, []string{"absolute URL"}},
		{"query", Config{BaseURL: "https://host/v1?api-key=" + secret}, []string{"https://host", "query"}},
		{"empty query", Config{BaseURL: "https://host/v1?"}, []string{"query"}},
		{"fragment", Config{BaseURL: "https://host/v1#" + secret}, []string{"fragment"}},
		{"password", Config{BaseURL: "https://user:" + secret + "@host/v1"}, []string{"https://host", "password"}},
		{"model", Config{APIKey: secret, Model: " gpt"}, []string{`" gpt"`, "spaces"}},
		{"negative", Config{APIKey: secret, Timeout: -time.Second, MaxOutputTokens: -5}, []string{"-1s", "-5 tokens"}},
		{"all at once", Config{BaseURL: "ftp://host", APIKey: "a b", Model: "x "}, []string{"ftp", "API key", "model name"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(c.cfg, nil, nil)
			if err == nil {
				t.Fatal("New accepts it")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not name %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "verysecret") {
				t.Errorf("error shows a secret: %q", err)
			}
		})
	}
}

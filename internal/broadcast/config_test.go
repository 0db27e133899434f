package broadcast

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	type server struct {
		MaxBytes, MaxRequest int
		Address              string
		Secure               bool
	}
	tests := map[string]struct {
		config Config
		want   server
	}{
		"soketi":        {Config{Host: "soketi"}, server{102400, 0, "soketi:6001", false}},
		"soketi, https": {Config{Host: "soketi", Secure: true}, server{102400, 0, "soketi:443", true}},
		"pusher":        {Config{}, server{10240, 0, "", true}},
		"reverb":        {Config{Driver: DriverReverb, Host: "::1"}, server{10240, 10000, "[::1]:8080", false}},
		"own limits":    {Config{Driver: DriverReverb, Host: "r", Port: 9, MaxBytes: 9000, MaxRequestBytes: 50000}, server{9000, 50000, "r:9", false}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.config.Mode, tt.config.AppID, tt.config.Key, tt.config.Secret = ModePublic, "app", "key", "secret"
			c, err := tt.config.resolve()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, server{c.MaxBytes, c.MaxRequestBytes, c.address(), c.Secure}); diff != "" {
				t.Errorf("defaults (-want +got):\n%s", diff)
			}
		})
	}
}

// The relay must not wait long for a server that hangs.
func TestConfigTimeouts(t *testing.T) {
	t.Parallel()
	c, err := testConfig().resolve()
	if err != nil {
		t.Fatal(err)
	}
	if c.Timeout != 3*time.Second || c.ConnectTimeout > c.Timeout {
		t.Errorf("timeouts = %s for a request and %s for its connection, want 3 s and no more", c.Timeout, c.ConnectTimeout)
	}
}

// With Reverb the variables are Reverb's.
func TestConfigNamesReverbsVariables(t *testing.T) {
	t.Parallel()
	_, err := NewPublisher(Config{Driver: DriverReverb, Mode: ModePublic, Port: 70000}, nil)
	if err == nil {
		t.Fatal("a broken configuration was accepted")
	}
	for _, want := range []string{"REVERB_APP_ID", "REVERB_APP_KEY", "REVERB_APP_SECRET", "REVERB_HOST", "REVERB_PORT"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %s:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "PUSHER_") {
		t.Errorf("the error names variables that are not read:\n%v", err)
	}
}

// One error tells everything that is wrong, and what to set.
func TestConfigReportsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := NewPublisher(Config{
		Driver: "soketi", Mode: "secret", MaxBytes: 100, MaxRequestBytes: 100, AppID: "a/b", Key: "a key",
		Host: "http://soketi:6001", Port: 70000, Cluster: "e u",
	}, nil)
	if err == nil {
		t.Fatal("a broken configuration was accepted")
	}
	for _, want := range []string{
		"BROADCAST_CONNECTION", "BROADCAST_CHANNEL", "BROADCAST_MAX_BYTES", "bytes a request", "PUSHER_APP_ID", "PUSHER_APP_KEY",
		"PUSHER_APP_SECRET", "PUSHER_HOST", "PUSHER_PORT", "PUSHER_APP_CLUSTER",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not mention %s:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "a key") {
		t.Errorf("the error quotes the key:\n%v", err)
	}
}

func TestConfigEncryptionKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"":                              "0 bytes instead of 32",
		"not base64!":                   "is not base64",
		"c2hvcnQ=":                      "5 bytes instead of 32",
		strings.Repeat("A", 43) + "=":   "",
		strings.Repeat("A", 43) + "=\n": "",
	} {
		_, err := NewRenderer(Config{Mode: ModeEncrypted, EncryptionKey: key})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("key %q: error = %v, want %q", key, err, want)
		}
	}
}

func TestRelayConfig(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]RelayConfig{
		"no owner":         {},
		"batch too large":  {Owner: "w", Batch: 11},
		"negative batch":   {Owner: "w", Batch: -1},
		"negative streams": {Owner: "w", Streams: -1},
		"negative lease":   {Owner: "w", LeaseTTL: -1},
	} {
		if _, err := NewRelay(nil, nil, nil, cfg); err == nil || !strings.HasPrefix(err.Error(), "configure relay: ") {
			t.Errorf("%s: error = %v, want a refusal", name, err)
		}
	}
	if _, err := NewRenderer(Config{}); err == nil {
		t.Error("an undecided channel mode was accepted")
	}
}

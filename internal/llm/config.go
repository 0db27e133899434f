package llm

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
)

// The defaults of Config.
const (
	DefaultBaseURL         = "https://api.openai.com/v1"
	DefaultModel           = "gpt-4.1-mini"
	DefaultTimeout         = 120 * time.Second
	DefaultMaxOutputTokens = 16_384
)

// Config says which model answers, and where it runs.
type Config struct {
	// APIKey is sent as a bearer token. It may be empty for servers that need none,
	// but not with the default base URL.
	APIKey string
	// BaseURL is the address up to and without "/chat/completions". It must be https;
	// http is taken for loopback addresses, and elsewhere with AllowHTTP. Defaults to
	// DefaultBaseURL.
	BaseURL string
	// AllowHTTP allows http to other machines, where the network protects the key and
	// the prompts. Defaults to false.
	AllowHTTP bool
	// Model is the name that the server knows the model by. Defaults to DefaultModel.
	Model string
	// Timeout limits one request. A call takes at most two of them, retries included.
	// Defaults to DefaultTimeout.
	Timeout time.Duration
	// MaxOutputTokens is the most that one answer may be allowed; what it is allowed
	// follows from the size of its question. Models that think get all of it at once,
	// and twice as much for an answer that was cut off. Defaults to
	// DefaultMaxOutputTokens.
	MaxOutputTokens int
	// Connections is how many idle connections to the server are kept: the number of
	// calls that run at once. Defaults to 64.
	Connections int
	// Limiter shares the limits of the model with other workers. Defaults to none.
	Limiter Limiter
	// Memory keeps what was learned about the server. Defaults to none: every process
	// learns for itself.
	Memory Memory
	// Price is what the model costs; without one its cost is not known. What a server
	// says about the cost of an answer comes first. Defaults to none.
	Price *Price
	// Budgets bound what is spent in a day, and Ledger keeps the accounts. Both default to
	// none.
	Budgets analysis.Budgets
	Ledger  Ledger
	// Observer hears of every request. Defaults to nobody.
	Observer Observer
	// BreakerFailures is after how many failures in a row, of those that say that the
	// server is away, no request is sent for a while. Defaults to 10.
	BreakerFailures int
	// BreakerPause is how long that is. Defaults to 30 s.
	BreakerPause time.Duration
}

// withDefaults returns the configuration with every zero replaced, or one error
// that names each problem.
func (c Config) withDefaults() (Config, error) {
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	if c.Model == "" {
		c.Model = DefaultModel
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxOutputTokens == 0 {
		c.MaxOutputTokens = DefaultMaxOutputTokens
	}
	if c.Connections == 0 {
		c.Connections = 64
	}
	if c.Limiter == nil {
		c.Limiter = noLimits{}
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.BreakerFailures == 0 {
		c.BreakerFailures = 10
	}
	if c.BreakerPause == 0 {
		c.BreakerPause = 30 * time.Second
	}
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	return c, c.validate()
}

func (c Config) validate() error {
	problems := []error{c.validateBaseURL(), c.validateKey(), c.Price.validate()}
	if c.Price == nil && (c.Budgets.All.CostMicros != 0 || c.Budgets.Tenant.CostMicros != 0) {
		problems = append(problems, errNoPrice)
	}
	if c.Ledger == nil && !c.Budgets.None() {
		problems = append(problems, errors.New("the language model has a budget and no ledger; pass one that keeps the accounts"))
	}
	if strings.TrimSpace(c.Model) != c.Model || strings.ContainsFunc(c.Model, notPrintable) {
		problems = append(problems, fmt.Errorf(
			"model name %q has spaces around it or control characters; write it as the server lists it", c.Model))
	}
	if c.Timeout < 0 {
		problems = append(problems, fmt.Errorf(
			"timeout of the language model is %s; set a positive one, such as %s", c.Timeout, DefaultTimeout))
	}
	if c.MaxOutputTokens < 0 || c.Connections < 0 {
		problems = append(problems, fmt.Errorf(
			"output limit is %d tokens and connections are %d; neither may be negative", c.MaxOutputTokens, c.Connections))
	}
	if c.BreakerFailures < 0 || c.BreakerPause < 0 {
		problems = append(problems, fmt.Errorf(
			"breaker opens after %d failures for %s; neither may be negative", c.BreakerFailures, c.BreakerPause))
	}
	return errors.Join(problems...)
}

// validateKey never shows the key. A key with a line break, as files end with one,
// would fail in every request with an error that names no cause.
func (c Config) validateKey() error {
	if c.APIKey == "" {
		if c.BaseURL == DefaultBaseURL {
			return errors.New("no API key for " + DefaultBaseURL + "; set OPENAI_API_KEY, or OPENAI_BASE_URL of a server without keys")
		}
		return nil
	}
	for _, r := range c.APIKey {
		if r <= ' ' || r > '~' {
			return errors.New("the API key has a space, line break or non-ASCII character; " +
				"check OPENAI_API_KEY for what was copied along with it")
		}
	}
	return nil
}

// validateBaseURL shows the address only where it can not hold a secret.
func (c Config) validateBaseURL() error {
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return errors.New("the base URL of the language model is no absolute URL; write it like " + DefaultBaseURL)
	}
	shown := u.Scheme + "://" + u.Host
	switch {
	case u.User != nil:
		return fmt.Errorf("the base URL of the language model at %s has a user or password in it; use the API key instead", shown)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return fmt.Errorf("the base URL of the language model at %s has a query or fragment; end it with the path, as in %s",
			shown, DefaultBaseURL)
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return fmt.Errorf("the base URL of the language model has scheme %q; use https", u.Scheme)
	case !c.AllowHTTP && !loopback(u.Hostname()):
		return fmt.Errorf("the base URL of the language model, %s, would send the key and the prompts unencrypted; "+
			"use https, or allow http explicitly", shown)
	}
	return nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func notPrintable(r rune) bool { return r < ' ' || r == 0x7f }

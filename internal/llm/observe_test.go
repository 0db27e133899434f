package llm

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
)

// earshot is an Observer that writes down what it hears.
type earshot struct {
	mu    sync.Mutex
	lines []string
}

func (n *earshot) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func (n *earshot) Called(c Call) {
	n.note("called %s %q tokens=%t", c.Model, c.Failure, c.Usage.PromptTokens > 0 && c.Usage.CompletionTokens > 0)
}
func (n *earshot) Repeated(after analysis.ModelErrorKind) { n.note("repeated after %s", after) }
func (n *earshot) Withheld(by Limit)                      { n.note("withheld by %s", by) }
func (n *earshot) Cached()                                { n.note("cached") }

func TestObserverHearsOfRequests(t *testing.T) {
	t.Parallel()
	const good = `called gpt-4.1-mini "" tokens=true`
	for _, tc := range []struct {
		name   string
		script []llmtest.Step
		change func(*Config)
		want   []string
	}{
		{"an answer, and the cache", []llmtest.Step{llmtest.Good()}, nil, []string{good, "cached"}},
		{"a failure that passes", []llmtest.Step{llmtest.Status(500, "broken"), llmtest.Good()}, nil,
			[]string{`called gpt-4.1-mini "unavailable" tokens=false`, "repeated after unavailable", good, "cached"}},
		{"a bad answer", []llmtest.Step{llmtest.Content("no JSON"), llmtest.Good()}, nil,
			[]string{good, "repeated after bad_answer", good, "cached"}},
		{"a spent budget", nil, budgeted(&accounts{refusal: &analysis.SpentError{}}), []string{"withheld by budget", "withheld by budget"}},
		{"a tenant's", nil, budgeted(&accounts{refusal: &analysis.SpentError{Tenant: true}}),
			[]string{"withheld by tenant_budget", "withheld by tenant_budget"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			heard := &earshot{}
			b := setup(t, func(c *Config) {
				if tc.change != nil {
					tc.change(c)
				}
				c.Observer = heard
			}, tc.script...)
			for range 2 {
				_, _ = b.Ask(testContext(t), customerQuestion())
			}
			if diff := cmp.Diff(tc.want, heard.lines); diff != "" {
				t.Errorf("heard (-want +got):\n%s", diff)
			}
		})
	}
}

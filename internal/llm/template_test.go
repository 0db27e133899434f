package llm

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTemplates wants of every dialect the bytes that the encoder writes.
func TestTemplates(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{
		{APIKey: "sk-x"}, {APIKey: "sk-x", BaseURL: "https://openrouter.ai/api/v1", Model: `a "model" <2000000011> \u0000user\u0000`},
	} {
		c := mustNew(t, cfg)
		for bits := range 1 << 4 {
			for r := rungStrict; r <= rungPlain; r++ {
				d := dialect{Rung: r, Bare: bits&1 > 0, Temperature: bits&2 > 0, MaxTokens: bits&4 > 0, Thinks: bits&8 > 0}
				for i, user := range append(hostile[:len(hostile)-1:len(hostile)-1], "2000000011", "\x00user\x00", " <b> & ") {
					limit := 1 + i*1_000
					want, err := json.Marshal(c.request(d, c.forms.in(d), systemPrompt(r), user, limit))
					if err != nil {
						t.Fatal(err)
					}
					made, err := c.templates.in(c, d)
					if err != nil {
						t.Fatal(err)
					}
					got, err := made.body(user, limit)
					if err != nil || string(got) != string(want) {
						t.Fatalf("%+v, %q: %v (-want +got)\n%s", d, user, err, cmp.Diff(string(want), string(got)))
					}
				}
			}
		}
	}
	if raw, err := json.Marshal(userMark); err != nil || string(raw) != `"\u0000user\u0000"` {
		t.Errorf("the mark is %s, %v", raw, err)
	}
}

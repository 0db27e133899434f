package llm

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/analysis"
)

// FuzzRead wants that no answer panics, that reading is pure, and that whatever
// comes out names only what is in the question.
func FuzzRead(f *testing.F) {
	client := testReader(f)
	f.Add(testAnswer(nil), false)
	f.Add(testAnswer(func(a *answer) { a.Mappings[0].Target, a.Unmapped = "t99", []string{"s77", ""} }), true)
	f.Add(testAnswer(func(a *answer) {
		a.Decision = "create_new"
		a.NewEntity = answerEntity{Name: "X", Fields: []answerField{{Name: "y", Type: "string"}}}
		a.Mappings[0].Target = "n1"
	}), false)
	f.Add([]byte("<think>{</think>```json\n{}\n```"), false)
	f.Fuzz(func(t *testing.T, raw []byte, repair bool) {
		q := customerQuestion()
		if repair {
			q = repairQuestion()
		}
		got, err := client.Read(q, bytes.Clone(raw))
		again, errAgain := client.Read(q, raw)
		if diff := cmp.Diff(got, again); diff != "" || fmt.Sprint(err) != fmt.Sprint(errAgain) {
			t.Fatalf("Read is not pure:\n%s", diff)
		}
		if err != nil {
			if e := analysis.ModelErrorOf(err); e == nil || e.Kind != analysis.ModelBadAnswer {
				t.Fatalf("error %v is no bad answer", err)
			}
			return
		}
		checkProposal(t, q, got)
	})
}

func checkProposal(t *testing.T, q analysis.Question, p analysis.Proposal) {
	t.Helper()
	names := map[string]bool{}
	if p.Action == analysis.ActionMapToExisting {
		for _, field := range q.Entities[p.Entity].Fields {
			names[field.Name] = true
		}
	} else {
		for _, field := range p.NewEntity.Fields {
			names[field.Name] = field.Name != ""
		}
	}
	indices := append([]int(nil), p.Unmapped...)
	for _, m := range p.Mappings {
		indices = append(indices, m.Sources...)
		if !names[m.Target] {
			t.Fatalf("target %q is not in the entity", m.Target)
		}
		if !utf8.ValidString(m.Why) || utf8.RuneCountInString(m.Why) > maxWhy {
			t.Fatalf("why is %q", m.Why)
		}
	}
	for _, s := range indices {
		if s < 0 || s >= len(q.Source) {
			t.Fatalf("source %d is not in the question", s)
		}
	}
}

// FuzzErrorInfo wants that no error body panics or gets a code that is data.
func FuzzErrorInfo(f *testing.F) {
	for _, body := range []string{
		`{"error":{"message":"x","type":"t","code":"c","param":"p"}}`, `{"error":"x"}`, `[{"error":{"code":429}}]`,
		`{"object":"error","message":"x","code":400}`, `{"detail":[{"loc":["body",1],"msg":"m"}]}`, `{"detail":"x"}`,
		`<html>`, ``, `null`, `[]`, `{"error":null}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		info := parseErrorInfo(raw)
		if info.code != "" && !errorCode.MatchString(info.code) || len(info.text) > 4*maxErrorText {
			t.Fatalf("info = %+v", info)
		}
		_, _ = parseReply(raw)
	})
}

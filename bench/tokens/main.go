// Tokens counts what a language model is asked for one schema: calls, and tokens of
// prompts and answers, by how wide the schema is and how many entities its tenant has;
// beside it the four chained calls of the system that this one replaces.
//
//	go run ./bench/tokens
//
// The whole analysis runs, against the scripted model of llmtest, whose answers are good
// ones by equal names. The four calls are rebuilt from what is known of them, see
// chained.go, and rather too short than too long. Everything is counted by o200k_base.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/tiktoken-go/tokenizer"

	"github.com/schemacast/schemacast/internal/analysis"
	"github.com/schemacast/schemacast/internal/llm"
	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/schema"
)

func main() {
	if err := run(context.Background(), os.Stdout, []int{10, 40, 120, 500}, []int{10, 100, 1000}); err != nil {
		fmt.Fprintln(os.Stderr, "tokens:", err)
		os.Exit(1)
	}
}

// cost is what a schema takes.
type cost struct{ calls, prompt, answer int }

func run(ctx context.Context, out io.Writer, widths, tenants []int) error {
	counter, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		return fmt.Errorf("load the vocabulary: %w", err)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "fields\tentities\tcalls\tprompt\tanswer\tfour calls: prompt\tanswer\ttimes\t")
	for _, fields := range widths {
		for _, entities := range tenants {
			ours, err := measure(ctx, counter, sourceOf(fields), entitiesOf(entities))
			if err != nil {
				return err
			}
			theirs := chained(counter, sourceOf(fields), entitiesOf(entities))
			_, _ = fmt.Fprintf(table, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t\n", fields, entities, ours.calls, ours.prompt, ours.answer,
				theirs.prompt, theirs.answer, float64(theirs.prompt+theirs.answer)/float64(max(1, ours.prompt+ours.answer)))
		}
	}
	return table.Flush() // reports what the writes above failed with
}

// catalog is the entities of the only tenant.
type catalog []schema.Entity

func (c catalog) EntityVersion(context.Context, string) (string, error) { return "", nil }

func (c catalog) Entities(context.Context, string) ([]schema.Entity, error) { return c, nil }

// measure analyses a schema and counts what the model saw and said.
func measure(ctx context.Context, counter tokenizer.Codec, source schema.Schema, entities []schema.Entity) (cost, error) {
	server, err := llmtest.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return cost{}, err
	}
	defer server.Close()
	model, err := llm.New(llm.Config{APIKey: llmtest.Key, BaseURL: server.BaseURL()}, nil, nil)
	if err != nil {
		return cost{}, err
	}
	defer model.Close()
	said := &recorder{Client: model}
	analyzer, err := analysis.New(catalog(entities), said, analysis.Config{})
	if err != nil {
		return cost{}, err
	}
	_, err = analyzer.Analyze(ctx, analysis.Request{
		Schema:   source,
		Save:     func(context.Context, []byte, analysis.Usage) error { return nil },
		Progress: func(string, int, int) {},
	})
	if err != nil {
		return cost{}, fmt.Errorf("analyse %d fields among %d entities: %w", len(source.Fields), len(entities), err)
	}
	total := cost{calls: server.Count()}
	for _, r := range server.Requests() {
		total.prompt += count(counter, r.System) + count(counter, r.User) + count(counter, r.Schema)
	}
	for _, answer := range said.answers {
		total.answer += count(counter, answer)
	}
	return total, nil
}

// recorder keeps the answers of a model.
type recorder struct {
	*llm.Client
	answers []string
}

func (r *recorder) Ask(ctx context.Context, q analysis.Question) (analysis.Answer, error) {
	answer, err := r.Client.Ask(ctx, q)
	r.answers = append(r.answers, string(answer.Raw))
	return answer, err
}

func count(counter tokenizer.Codec, text string) int {
	n, err := counter.Count(text)
	if err != nil {
		panic(err) // any text can be counted
	}
	return n
}

package llm

import (
	"bytes"
	"context"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/schemacast/schemacast/internal/analysis"
)

// variant is a question in the way in which it is put. All variants of a question have
// the same ids, so an answer to any of them is an answer to it.
type variant struct {
	asked   analysis.Question
	dialect dialect
	limit   int // tokens of the answer
	detail  detail
	masked  bool
	hint    string // about an earlier answer, behind the question
}

func (c *Client) variant(q analysis.Question, d dialect) variant {
	return variant{asked: q, dialect: d, limit: c.outputLimit(q, d)}
}

// question is what is shown of the question.
func (v variant) question() analysis.Question {
	q := v.asked
	if v.masked {
		q, _ = masked(q)
	}
	return shortened(q, v.detail)
}

// remedies remembers what was tried within one call: each cure once.
type remedies struct {
	larger, again, masked bool
	// before is the failure that the last cure was for, and raw the answer that it had.
	before failure
	raw    string
}

// put asks the server for an answer to a variant, and, as far as a failure has a cure,
// to another one: without what the server refuses, with more room, with less detail,
// without what a filter may have taken offence at, or once more where the answer could
// not be used. An answer that can not be used in the end is returned all the same: it
// was paid, and it is Read that says why. Usable says that Read reads it. The
// variant comes with its request, which its key was made of.
func (c *Client) put(ctx context.Context, v variant, p prepared) (answer analysis.Answer, usable bool, err error) {
	start := time.Now()
	var usage analysis.Usage
	var tried remedies
	for {
		r, more, f := c.try(ctx, v, p, start)
		usage = usage.Add(more)
		if f.ModelError == nil {
			return analysis.Answer{Raw: []byte(r.content), Usage: usage}, true, nil
		}
		if ctx.Err() != nil {
			return analysis.Answer{Usage: usage}, false, context.Cause(ctx)
		}
		raw := ""
		if r != nil && f.unusable {
			raw = r.content
		}
		next, cured := c.remedy(ctx, v, f, &tried)
		if !cured || f.lacks == featureNone && time.Since(start) > c.cfg.Timeout {
			answer, err = tried.outcome(f, raw, usage)
			return answer, false, err
		}
		c.cfg.Observer.Repeated(f.Kind)
		if f.lacks == featureNone {
			tried.before, tried.raw = f, raw
		}
		v, p = next, prepared{}
	}
}

// outcome is what is told when no cure is left. A model that answered badly and then does
// not end, or is not let answer once more, has answered badly: it is not away.
func (t *remedies) outcome(f failure, raw string, usage analysis.Usage) (analysis.Answer, error) {
	if last := t.before; last.ModelError != nil && last.Kind == analysis.ModelBadAnswer &&
		(f.late || f.Kind == analysis.ModelConfig || f.Kind == analysis.ModelTooLarge) {
		f, raw = last, t.raw
	}
	if raw != "" {
		return analysis.Answer{Raw: []byte(raw), Usage: usage}, nil
	}
	return analysis.Answer{Usage: usage}, f.ModelError
}

// remedy returns the variant to try after a failure, false when there is none.
func (c *Client) remedy(ctx context.Context, v variant, f failure, tried *remedies) (variant, bool) {
	switch {
	case f.lacks != featureNone:
		less, was := v.dialect.without(f.lacks)
		v.dialect = less
		if was && c.spoken.refused(ctx, f.lacks) {
			c.logger.WarnContext(ctx, "the model server refuses a feature; requests go without it from now on",
				slog.String("feature", string(f.lacks)), slog.String("model", c.cfg.Model),
				slog.String("answers", less.Rung.String()), slog.Int("status", f.Status))
		}
		return v, was
	case f.cut && !tried.larger:
		tried.larger = true
		d := v.dialect
		d.Thinks = d.Thinks || c.spoken.current(ctx).Thinks
		larger := c.largerLimit(v.limit, d)
		enlarged := larger > v.limit
		v.limit = larger
		return v, enlarged
	case f.unusable && !tried.again:
		tried.again = true
		if f.form {
			v.dialect.Rung = v.dialect.Rung.below()
		}
		v.hint = "\nThe answer before could not be used: " + f.Detail +
			". Answer with one complete JSON object in the given form, and nothing else.\n"
		return v, true
	case f.Kind == analysis.ModelRefused && !tried.masked:
		tried.masked = true
		_, v.masked = masked(v.asked)
		return v, v.masked
	case f.Kind == analysis.ModelTooLarge && !tried.larger: // else it is the room that is too large
		return v.shorter()
	}
	return v, false
}

// shorter returns the next variant that shows less, false when there is none.
func (v variant) shorter() (variant, bool) {
	shown := v.question()
	for v.detail < detailLeast {
		v.detail++
		if !reflect.DeepEqual(v.question(), shown) { // far cheaper than to compare prompts
			return v, true
		}
	}
	return v, false
}

// try puts one variant to the server and judges what it answers. Its request is made
// unless it is there.
func (c *Client) try(ctx context.Context, v variant, p prepared, start time.Time) (*reply, analysis.Usage, failure) {
	if p.body == nil {
		var f failure
		if p, f = c.prepare(v); f.ModelError != nil {
			return nil, analysis.Usage{}, f
		}
	}
	need := Need{Tokens: p.prompt + answerEstimate(v.asked, v.dialect), Backfill: analysis.IsBackfill(ctx)}
	r, calls, f := c.repeat(ctx, attempt{tenantID: v.asked.TenantID, prepared: p, need: need, start: start})
	if r != nil && r.thinks && c.spoken.think(ctx) {
		c.logger.InfoContext(ctx, "the model thinks before it answers; its output gets more room from now on",
			slog.String("model", c.cfg.Model))
	}
	usage := c.usageOf(r, calls, p)
	if f.ModelError == nil {
		f = c.judge(v, p, r)
	}
	wellFormed := f.ModelError == nil && unwrapped(r.content)
	if (f.ModelError == nil || f.form) && c.spoken.formed(ctx, v.dialect.Rung, wellFormed) {
		c.logger.WarnContext(ctx, "the model server does not enforce the form of answers; they are asked for in another way from now on",
			slog.String("model", c.cfg.Model), slog.String("answers", v.dialect.Rung.below().String()))
	}
	return r, usage, f
}

// judge finds out whether an answer can be used, and whether the whole question was read.
func (c *Client) judge(v variant, p prepared, r *reply) failure {
	f := failure{}
	if a, err := c.decode([]byte(r.content)); err != nil {
		f = failure{ModelError: badAnswer(err), unusable: true, form: true}
	} else if _, err := decide(v.asked, a); err != nil { // Read has no other errors
		f = failure{ModelError: badAnswer(err), unusable: true}
	}
	if cut, surely := cutPrompt(r.tokens, p, v.dialect); surely || cut && f.ModelError != nil {
		return failure{ModelError: &analysis.ModelError{
			Kind:   analysis.ModelTooLarge,
			Detail: "the server read only a part of the question; give the model a larger context, with Ollama by num_ctx",
		}}
	}
	return f
}

// unwrapped says whether an answer is JSON alone, as it is where a form is enforced.
func unwrapped(content string) bool {
	text := bytes.TrimSpace(withoutThoughts([]byte(strings.TrimPrefix(content, "\ufeff"))))
	return len(text) > 1 && text[0] == '{' && text[len(text)-1] == '}'
}

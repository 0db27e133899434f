package analysis

import (
	"cmp"
	"context"
	"slices"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

// draft is a recommendation in the making: a decision, the mappings that passed and
// what did not.
type draft struct {
	src      *source
	dst      *target
	passed   []*verified
	defects  []*defect
	review   []string
	progress func(stage string, done, total int)
}

// progressStep is how many verified items make a step of progress.
const progressStep = 250

// check verifies items and files them. Its error is the context's.
func (d *draft) check(ctx context.Context, items []item) error {
	for i, it := range items {
		if i%progressStep == 0 {
			d.progress(StageVerify, i, len(items))
		}
		passed, failed, err := verify(ctx, d.src, d.dst, it)
		switch {
		case err != nil:
			return err
		case failed != nil:
			d.defects = append(d.defects, failed)
		default:
			d.passed = append(d.passed, passed)
		}
	}
	return nil
}

// fill lets the matcher map source fields that are free to targets that are free,
// as far as allowed says.
func (d *draft) fill(ctx context.Context, allowed func(sourceField, target int) bool) error {
	usedSource, usedTarget := d.used()
	lists := make([][]match.Candidate, len(d.src.fields))
	var misfits []*defect
	for s, list := range d.dst.candidates {
		if usedSource[s] {
			continue
		}
		for _, c := range list {
			switch {
			case usedTarget[c.Target] || !allowed(s, c.Target):
			case d.mappable(s, c.Target):
				lists[s] = append(lists[s], c)
			case c.Score >= misfitFloor:
				// It must not take the target from a field that fits.
				misfits = append(misfits, d.misfit(s, c.Target))
			}
		}
	}
	err := d.check(ctx, assigned(lists, d.dst))
	d.defects = append(d.defects, misfits...) // behind what was tried, which tells more
	return err
}

// mappable says that the matcher may map a pair: directly, or as times.
func (d *draft) mappable(s, t int) bool {
	from, to := d.src.fields[s], d.dst.fields[t]
	return fits(from, to, schema.OpDirect) || d.dst.holdsTime(to.Name) && len(d.src.timeFormats(s)) > 0
}

func (d *draft) misfit(s, t int) *defect {
	return &defect{
		item:   item{sources: []int{s}, target: d.dst.fields[t].Name},
		code:   CodeTypeMismatch,
		detail: mismatch(d.src.fields[s], d.dst.fields[t]),
	}
}

func (d *draft) used() (sources, targets map[int]bool) {
	sources, targets = make(map[int]bool), make(map[int]bool)
	for _, v := range d.passed {
		targets[v.target] = true
		for _, s := range v.sources {
			sources[s] = true
		}
	}
	return sources, targets
}

// finish makes the recommendation. Every source field and every required target is
// in a mapping or among the unmapped.
func (d *draft) finish(engine schema.Engine, model string) Recommendation {
	d.settle()
	slices.SortStableFunc(d.passed, func(a, b *verified) int {
		return cmp.Or(cmp.Compare(first(a.sources), first(b.sources)), cmp.Compare(a.target, b.target))
	})
	r := Recommendation{
		Action:     d.dst.action,
		EntityID:   d.dst.id,
		EntityName: d.dst.name,
		Fields:     d.dst.shared(),
		Mappings:   make([]schema.Mapping, len(d.passed)),
		Unmapped:   d.unmapped(),
		Engine:     engine,
		Model:      model,
	}
	for i, v := range d.passed {
		r.Mappings[i] = v.mapping
	}
	if len(d.src.skipped) > 0 {
		d.doubt(ReviewTruncatedFields)
	}
	if len(d.passed) == 0 {
		d.doubt(ReviewNothingMapped)
	}
	r.Review = d.review
	r.Similarity = d.similarity()
	d.rate(&r)
	return r
}

// doubt adds a review code once.
func (d *draft) doubt(code string) {
	if !slices.Contains(d.review, code) {
		d.review = append(d.review, code)
	}
}

// first puts constants behind everything else.
func first(sources []int) int {
	if len(sources) == 0 {
		return maxFields
	}
	return sources[0]
}

// unmapped reports source fields without a mapping, with the first reason found,
// required targets that stay empty, and constants that failed.
func (d *draft) unmapped() []Unmapped {
	usedSource, usedTarget := d.used()
	reasons := make(map[int]*defect)
	list := make([]Unmapped, 0, len(d.src.fields)-len(usedSource))
	for _, bad := range d.defects {
		for _, s := range bad.item.sources {
			if _, have := reasons[s]; !have {
				reasons[s] = bad
			}
		}
	}
	for s, f := range d.src.fields {
		if usedSource[s] {
			continue
		}
		u := Unmapped{Source: f.Name, Code: CodeNoTarget, Detail: "nothing in the entity fits this field"}
		if bad := reasons[s]; bad != nil {
			u.Target, u.Code, u.Detail = d.knownTarget(bad.item.target), bad.code, bad.detail
		}
		list = append(list, u)
	}
	list = append(list, d.src.skipped...)
	return append(list, d.emptyTargets(usedTarget)...)
}

func (d *draft) emptyTargets(used map[int]bool) []Unmapped {
	var list []Unmapped
	for t, f := range d.dst.fields {
		if f.Required && !used[t] {
			list = append(list, Unmapped{Target: f.Name, Code: CodeRequiredMissing, Detail: "the entity requires this field and nothing fills it"})
			d.doubt(ReviewRequiredMissing)
		}
	}
	for _, bad := range d.defects {
		t, known := d.dst.position[bad.item.target]
		if len(bad.item.sources) == 0 && known && !used[t] && !d.dst.fields[t].Required {
			list = append(list, Unmapped{Target: bad.item.target, Code: bad.code, Detail: bad.detail})
			used[t] = true
		}
	}
	return list
}

// knownTarget hides names that a model invented.
func (d *draft) knownTarget(name string) string {
	if _, ok := d.dst.position[name]; ok {
		return name
	}
	return ""
}

// similarity is how well the entity fits, 0 to 100: half the score of retrieval,
// half the share of the source fields that are mapped, weighed by confidence.
func (d *draft) similarity() *int {
	if d.dst.action != ActionMapToExisting {
		return nil
	}
	similarity := int(100*(0.5*d.dst.score+0.5*d.coverage()) + 0.5)
	similarity = max(0, min(100, similarity))
	return &similarity
}

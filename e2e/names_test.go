package e2e

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v4"
)

// This file compares what deploy/alerts, deploy/grafana and docs say with what a worker
// exports.

type alertFile struct {
	Groups []struct {
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

// checkNames reports each name, label and value of an expression that no worker has, and
// each series that the documentation does not list.
func checkNames(t *testing.T, families map[string]*dto.MetricFamily) {
	t.Helper()
	for where, expr := range expressions(t) {
		parsed, err := parser.ParseExpr(expr)
		if err != nil {
			t.Errorf("%s: %v in %s", where, err, expr)
			continue
		}
		parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
			switch n := n.(type) {
			case *parser.VectorSelector:
				checkSelector(t, where, n, families)
			case *parser.AggregateExpr:
				checkGrouping(t, where, n, families)
			}
			return nil
		})
	}
	var exported []string
	for name := range families {
		if strings.HasPrefix(name, "schemacast_") {
			exported = append(exported, name)
		}
	}
	slices.Sort(exported)
	var listed []string
	for _, match := range regexp.MustCompile("(?m)^\\| `(schemacast_[a-z_]+)`").FindAllStringSubmatch(string(readFile(t, "../docs/observability.md")), -1) {
		listed = append(listed, match[1])
	}
	slices.Sort(listed)
	if diff := cmp.Diff(exported, listed); diff != "" {
		t.Errorf("docs/observability.md lists other series than a worker has (-exported +listed):\n%s", diff)
	}
}

// expressions are those of the alerts and of the dashboard, by where they stand.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, rule := range alerts(t) {
		found["alert "+rule.name] = rule.expr
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(readFile(t, "../deploy/grafana/schemacast.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$job", ".*")
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			found["panel "+panel.Title+" "+target.RefID] = filled.Replace(target.Expr)
		}
	}
	if len(found) < 50 {
		t.Errorf("only %d expressions were found", len(found))
	}
	return found
}

type alert struct{ name, expr string }

func alerts(t *testing.T) (list []alert) {
	t.Helper()
	var file alertFile
	if err := yaml.Unmarshal(readFile(t, "../deploy/alerts/schemacast.yml"), &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			list = append(list, alert{rule.Alert, rule.Expr})
			if want := "docs/runbook.md#" + strings.ToLower(rule.Alert); rule.Annotations["runbook"] != want {
				t.Errorf("%s has the runbook %q, want %q", rule.Alert, rule.Annotations["runbook"], want)
			}
			if s := rule.Labels["severity"]; s != "page" && s != "ticket" {
				t.Errorf("%s has the severity %q, want page or ticket", rule.Alert, s)
			}
			if rule.Annotations["summary"] == "" {
				t.Errorf("%s has no summary", rule.Alert)
			}
		}
	}
	return list
}

// family returns the family of a series, which a histogram has three of.
func family(families map[string]*dto.MetricFamily, name string) *dto.MetricFamily {
	if f := families[name]; f != nil {
		return f
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, cut := strings.CutSuffix(name, suffix); cut && families[base].GetType() == dto.MetricType_HISTOGRAM {
			return families[base]
		}
	}
	return nil
}

// valuesOf are the labels of a family and their values.
func valuesOf(f *dto.MetricFamily) map[string][]string {
	values := map[string][]string{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			values[l.GetName()] = append(values[l.GetName()], l.GetValue())
		}
	}
	return values
}

func checkSelector(t *testing.T, where string, s *parser.VectorSelector, families map[string]*dto.MetricFamily) {
	t.Helper()
	f := family(families, s.Name)
	if f == nil {
		t.Errorf("%s: no worker exports %s", where, s.Name)
		return
	}
	values := valuesOf(f)
	for _, m := range s.LabelMatchers {
		if m.Name == "__name__" || scraped(m.Name) {
			continue
		}
		if _, has := values[m.Name]; !has {
			t.Errorf("%s: %s has no label %s", where, s.Name, m.Name)
			continue
		}
		if s.Name == "schemacast_attempts_ended_total" {
			continue // its series begin with their first attempt
		}
		wanted := []string{m.Value}
		if m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp {
			wanted = strings.Split(m.Value, "|")
		}
		for _, value := range wanted {
			if !slices.Contains(values[m.Name], value) {
				t.Errorf("%s: %s has no %s %q", where, s.Name, m.Name, value)
			}
		}
	}
}

// checkGrouping wants the labels of an aggregation in one of the series below it.
func checkGrouping(t *testing.T, where string, a *parser.AggregateExpr, families map[string]*dto.MetricFamily) {
	t.Helper()
	known := map[string][]string{"le": nil}
	parser.Inspect(a.Expr, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			maps.Copy(known, valuesOf(family(families, s.Name)))
		}
		return nil
	})
	for _, label := range a.Grouping {
		if _, has := known[label]; !has && !scraped(label) {
			t.Errorf("%s: nothing there has the label %s: %s", where, label, a)
		}
	}
}

// scraped are the labels that Prometheus itself gives to a target.
func scraped(label string) bool { return label == "instance" || label == "job" }

// Each alert has one section that says what to do, with programs that exist.
func TestRunbook(t *testing.T) {
	t.Parallel()
	text := string(readFile(t, "../docs/runbook.md"))
	var sections, wanted []string
	for _, match := range regexp.MustCompile(`(?m)^## (Schemacast\w+)$`).FindAllStringSubmatch(text, -1) {
		sections = append(sections, match[1])
	}
	for _, a := range alerts(t) {
		wanted = append(wanted, a.name)
	}
	if diff := cmp.Diff(wanted, sections); diff != "" {
		t.Errorf("sections of docs/runbook.md (-alerts +sections):\n%s", diff)
	}
	for _, section := range strings.Split(text, "\n## ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		for _, part := range []string{"**Meaning.**", "**See.**", "**Causes.**", "**Cure.**"} {
			if strings.HasPrefix(name, "Schemacast") && strings.Count(body, part) != 1 {
				t.Errorf("%s has not one part %s", name, part)
			}
		}
	}
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	checkCommands(t, dir, text)
}

// checkCommands wants the help of each of our commands in a text to know all its flags.
func checkCommands(t *testing.T, dir, text string) {
	t.Helper()
	g := &ground{t: t}
	seen := 0
	for _, match := range regexp.MustCompile(`(?m)^bin/(worker|enqueue) ([a-z]+)(.*)$`).FindAllStringSubmatch(text, -1) {
		seen++
		help := g.run(match[1], match[2], "--help")
		if help.code != 0 {
			t.Errorf("%s: no such command in %s", match[0], dir)
		}
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(match[3], -1) {
			if !strings.Contains(help.stdout, flag) {
				t.Errorf("%s: %s %s has no flag %s", match[0], match[1], match[2], flag)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d commands were found", seen)
	}
}

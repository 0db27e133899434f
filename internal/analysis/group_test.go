package analysis

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/schema"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fields string
		want   []string
	}{
		{"numbers", "id q_001 q_002 q_003", []string{"q_001 q_002 q_003"}},
		{"two are none", "q_1 q_2 name", nil},
		{"several forms", "addr1_line addr1_city addr2_line addr2_city addr3_line addr3_city", []string{"addr1_line addr2_line addr3_line", "addr1_city addr2_city addr3_city"}},
		{"list elements", "items.0.sku items.1.sku items.2.sku", []string{"items.0.sku items.1.sku items.2.sku"}},
		{"numbered columns mean nothing", "col_1 col_2 col_3 Attribute_1 Attribute_2 Attribute_3", nil},
		{"sisters", "s.a.on s.a.level s.b.on s.b.level s.c.level s.c.on", []string{"s.a.on s.b.on s.c.on", "s.a.level s.b.level s.c.level"}},
		{"three objects with one field in common", "home.city work.city birth.city", nil},
		{"objects that differ", "s.a.on s.a.level s.b.on s.b.temp s.c.level s.c.on", nil},
		{"types differ", "q_1 q_2:float q_3", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s schema.Schema
			for _, name := range strings.Fields(tt.fields) {
				name, typ, _ := strings.Cut(name, ":")
				if typ == "" {
					typ = "string"
				}
				s.Fields = append(s.Fields, schema.Field{Name: name, Type: typ})
			}
			src, err := newSource(s)
			if err != nil {
				t.Fatal(err)
			}
			all := make([]int, len(src.fields))
			for i := range all {
				all[i] = i
			}
			var got []string
			for _, g := range groupsOf(src, all) {
				got = append(got, strings.Join(src.names(g.members), " "))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCounterpart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		varying []string // of the first one and of the other, with blanks between several
		target  string
		want    string // empty when the target does not tell them apart
	}{
		{[]string{"001", "002"}, "question_1", "question_2"},
		{[]string{"1", "12"}, "question_01", "question_12"},
		{[]string{"1", "12"}, "question1", "question12"},
		{[]string{"001", "010"}, "q001", "q010"},
		{[]string{"1", "2"}, "phone", ""},
		{[]string{"1", "2"}, "phone_11", ""},
		{[]string{"0", "7"}, "item_0_price", "item_7_price"},
		{[]string{"1 3", "2 4"}, "row_1_col_3", "row_2_col_4"},
		{[]string{"1 3", "2 4"}, "row_1", ""},
		{[]string{"north", "south wing"}, "north_level", "south_wing_level"},
		{[]string{"a", "b"}, "s.a.on", "s.b.on"},
		{[]string{"a", "b"}, "alarm", ""},
		{[]string{"", "b"}, "alarm", ""},
	}
	for _, tt := range tests {
		g := &group{varying: [][]string{strings.Split(tt.varying[0], " "), strings.Split(tt.varying[1], " ")}}
		if tt.varying[1] == "south wing" {
			g.varying[1] = []string{"south wing"}
		}
		got, ok := g.counterpart(tt.target, 1)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("%q of %q is %q, %t; want %q", tt.target, tt.varying, got, ok, tt.want)
		}
	}
}

func FuzzCounterpart(f *testing.F) {
	f.Add("q_001", "1", "2")
	f.Add("ıİ.x", "ı", "b")
	f.Fuzz(func(t *testing.T, target, from, to string) {
		g := &group{varying: [][]string{{from}, {to}}}
		if name, ok := g.counterpart(target, 1); ok && name == "" && target != "" && to != "" && digits(to) {
			t.Errorf("the counterpart of %q is empty", target)
		}
	})
}

package lexicon

import (
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFileIsSound(t *testing.T) {
	t.Parallel()
	if texts+offset(count) != len(file) {
		t.Fatalf("the words end at byte %d of %d", texts+offset(count), len(file))
	}
	if !sort.SliceIsSorted(make([]struct{}, count), func(i, j int) bool { return spelling(i) < spelling(j) }) {
		t.Error("the words are not sorted")
	}
	for i := range count {
		if Find(spelling(i)) != Word(i) {
			t.Fatalf("word %d, %q, is not found", i, spelling(i))
		}
	}
	for _, unknown := range []string{"", "zzzzqx", "\xff"} {
		if Find(unknown) != None {
			t.Errorf("%q is found", unknown)
		}
	}
}

// TestMeaning: in every language, words are nearer to those of like meaning.
func TestMeaning(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ word, near, far string }{
		{"price", "cost", "title"}, {"price", "价格", "日期"}, {"customer", "client", "weight"},
		{"city", "stadt", "preis"}, {"author", "作者", "价格"}, {"date", "日期", "作者"}, {"country", "nation", "height"},
	} {
		near, far := Similarity(Find(tt.word), Find(tt.near)), Similarity(Find(tt.word), Find(tt.far))
		if near < 0.35 || near < far+0.15 {
			t.Errorf("%s is as near as %.2f to %s and %.2f to %s", tt.word, near, tt.near, far, tt.far)
		}
	}
}

func TestRarity(t *testing.T) {
	t.Parallel()
	if common, rare := Find("the").Rarity(), Find("invoice").Rarity(); common >= rare || None.Rarity() != 1 {
		t.Errorf("the is as rare as %.2f, invoice as %.2f, an unknown word as %.2f", common, rare, None.Rarity())
	}
}

func TestSegment(t *testing.T) {
	t.Parallel()
	for run, want := range map[string][]string{"商品价格": {"商品", "价格"}, "发布日期": {"发布", "日期"}, "": nil, "\U00020000": {"\U00020000"}} {
		if diff := cmp.Diff(want, Segment(run)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", run, diff)
		}
	}
}

func FuzzSegment(f *testing.F) {
	f.Add("商品价格x")
	f.Fuzz(func(t *testing.T, run string) {
		if got := strings.Join(Segment(run), ""); got != run {
			t.Errorf("the parts of %q are %q", run, got)
		}
	})
}

// TestDots: four sums side by side are those of Dot, to the bit.
func TestDots(t *testing.T) {
	t.Parallel()
	var vectors []*Vector
	for i, word := range []string{"price", "prix", "email", "", "城市", "date", "order", "name", "", "city", "status"} {
		var v Vector
		v.Add(Find(word), 1/float32(i+3))
		v.Normalize()
		vectors = append(vectors, &v)
		if word == "" {
			vectors[i] = nil
		}
	}
	for n := range vectors {
		for _, v := range vectors {
			dots := make([]float32, n)
			v.Dots(vectors[:n], dots)
			for i, got := range dots {
				if want := v.Dot(vectors[i]); got != want {
					t.Errorf("direction %d of %d: %g, want %g", i, n, got, want)
				}
			}
		}
		pairs, others := vectors[:n], slices.Clone(vectors[len(vectors)-n:])
		dots := make([]float32, n)
		Dots(pairs, others, dots)
		for i, got := range dots {
			if want := pairs[i].Dot(others[i]); got != want {
				t.Errorf("pair %d of %d: %g, want %g", i, n, got, want)
			}
		}
	}
}

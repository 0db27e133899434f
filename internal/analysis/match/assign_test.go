package match

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAssign(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		candidates [][]Candidate
		floor      float64
		want       []int
	}{
		{"nothing", nil, 0, []int{}},
		{"no candidates", [][]Candidate{nil, {}}, 0, []int{Unassigned, Unassigned}},
		{"one", [][]Candidate{{{Target: 7, Score: 0.9}}}, 0.5, []int{0}},
		{"below the floor", [][]Candidate{{{Target: 7, Score: 0.4}}}, 0.5, []int{Unassigned}},
		{"the better one keeps the target", [][]Candidate{{{0, 0.6}}, {{0, 0.9}}}, 0.5, []int{Unassigned, 0}},
		{"the earlier one is not moved for less", [][]Candidate{{{0, 0.9}}, {{0, 0.6}}}, 0.5, []int{0, Unassigned}},
		{
			// Greedy would take 0.9 and leave the second row alone: 0.9 < 0.8 + 0.85.
			"a chain is better than the best pair",
			[][]Candidate{{{0, 0.9}, {1, 0.8}}, {{0, 0.85}}},
			0.5, []int{1, 0},
		},
		{
			"a long chain",
			[][]Candidate{{{0, 0.9}, {1, 0.7}}, {{1, 0.9}, {2, 0.7}}, {{2, 0.9}, {3, 0.7}}, {{0, 0.9}}},
			0.5, []int{1, 1, 1, 0},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Assign(tt.candidates, tt.floor)); diff != "" {
				t.Errorf("assignment (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAssignIsOptimal compares the sum with that of all possible assignments.
func TestAssignIsOptimal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 6).Draw(t, "rows")
		candidates := make([][]Candidate, rows)
		for i := range candidates {
			for target := range 6 {
				if rapid.Bool().Draw(t, fmt.Sprintf("edge %d-%d", i, target)) {
					score := float64(rapid.IntRange(1, 20).Draw(t, "score")) / 20
					candidates[i] = append(candidates[i], Candidate{Target: target, Score: score})
				}
			}
		}
		got, taken := 0.0, map[int]bool{}
		for i, choice := range Assign(candidates, 0.2) {
			if choice == Unassigned {
				continue
			}
			c := candidates[i][choice]
			if taken[c.Target] {
				t.Fatalf("target %d was given twice", c.Target)
			}
			if c.Score < 0.2 {
				t.Fatalf("a candidate of %g passed the floor", c.Score)
			}
			taken[c.Target] = true
			got += c.Score
		}
		if want := bestSum(candidates, 0, 0, 0.2); math.Abs(want-got) > 1e-9 {
			t.Fatalf("sum of scores is %g, the best is %g", got, want)
		}
	})
}

func bestSum(candidates [][]Candidate, row int, taken uint, floor float64) float64 {
	if row == len(candidates) {
		return 0
	}
	best := bestSum(candidates, row+1, taken, floor)
	for _, c := range candidates[row] {
		if bit := uint(1) << c.Target; taken&bit == 0 && c.Score >= floor {
			best = max(best, c.Score+bestSum(candidates, row+1, taken|bit, floor))
		}
	}
	return best
}

// TestAssignOfTies is the worst case for augmenting paths: everybody wants the same
// few targets equally.
func TestAssignOfTies(t *testing.T) {
	t.Parallel()
	candidates := make([][]Candidate, 5000)
	for i := range candidates {
		for target := range 8 {
			candidates[i] = append(candidates[i], Candidate{Target: target, Score: 0.8})
		}
	}
	given := 0
	for _, choice := range Assign(candidates, 0.5) {
		if choice != Unassigned {
			given++
		}
	}
	if given != 8 {
		t.Errorf("%d source fields got a target, want 8", given)
	}
}

func BenchmarkAssign5000x5000(b *testing.B) {
	for _, spread := range []int{100, 1} { // different scores, equal scores
		b.Run(fmt.Sprintf("scores=%d", spread), func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			candidates := make([][]Candidate, 5000)
			for i := range candidates {
				for range 8 {
					score := 0.5 + 0.5*float64(random.IntN(spread))/float64(spread)
					candidates[i] = append(candidates[i], Candidate{Target: random.IntN(5000), Score: score})
				}
			}
			for b.Loop() {
				Assign(candidates, 0.5)
			}
		})
	}
}

package match

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestKeptEntities: what is kept for the next schema changes no answer, to the bit,
// whoever asks at the same time.
func TestKeptEntities(t *testing.T) {
	t.Parallel()
	entities := ordinaryEntities(60, 12)
	used := NewIndex(entities)
	random := rand.New(rand.NewPCG(5, 8))
	var group sync.WaitGroup
	for range 12 {
		source := ProfilesOf(ordinaryFields(random, 1+random.IntN(40)))
		group.Go(func() {
			fresh := NewIndex(entities)
			for range 2 {
				if diff := cmp.Diff(fresh.Retrieve(source, 60), used.Retrieve(source, 60)); diff != "" {
					t.Errorf("hits (-fresh +used):\n%s", diff)
				}
				if diff := cmp.Diff(fresh.Match(source, 7, 9), used.Match(source, 7, 9)); diff != "" {
					t.Errorf("pairs (-fresh +used):\n%s", diff)
				}
			}
		})
	}
	group.Wait()
}

// TestComparedAloneOrAfterOthers: likenesses of words that earlier entities had are
// used again, and are the same.
func TestComparedAloneOrAfterOthers(t *testing.T) {
	t.Parallel()
	entities := ordinaryEntities(40, 12)
	x := NewIndex(entities)
	source := ProfilesOf(ordinaryFields(rand.New(rand.NewPCG(6, 6)), 20))
	together := x.CompareEntities(source)
	for i := range entities {
		alone := x.entityEvidence(x.newEntityQuery(source), i)
		if diff := cmp.Diff(Evidence(alone[:]), together[i]); diff != "" {
			t.Errorf("entity %d (-alone +after others):\n%s", i, diff)
		}
	}
}

func TestShelfIsBounded(t *testing.T) {
	t.Parallel()
	var s shelf
	const most = 10
	each := ShelfBytes / 2 / most
	for entity := range 100 {
		s.put(entity, &ready{size: each})
		if _, kept := s.get(0); !kept {
			t.Fatalf("entity 0 is gone after entity %d, though it is asked for all the time", entity)
		}
		if n := len(s.young) + len(s.old); n > 2*most {
			t.Fatalf("%d entities are kept, want at most %d", n, 2*most)
		}
	}
	if _, kept := s.get(50); kept {
		t.Error("entity 50 is still there after 49 others")
	}
	s.put(100, &ready{size: ShelfBytes})
	if _, kept := s.get(100); kept {
		t.Error("an entity as large as the shelf is kept")
	}
}

// TestAllOrOne: what is looked up for all source fields at once is what two fields have
// in common when they are compared alone.
func TestAllOrOne(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(4, 9))
	for _, entity := range ordinaryEntities(20, 12) {
		source, target := ordinaryFields(random, 30), newSide(ProfilesOf(entity.Fields), nameConcepts(&entity))
		all, one := newComparison(newSide(ProfilesOf(source), nil)), newComparison(newSide(ProfilesOf(source), nil))
		all.against(target)
		one.against(target)
		for j := range target.fields {
			all.lookAtAll(j)
			for i := range source {
				var got, want features
				one.lookAt(i, j)
				all.pair(&got, i, j)
				one.pair(&want, i, j)
				if got != want {
					t.Errorf("%s with %s (-alone +with all):\n%s", source[i].Name, entity.Fields[j].Name, cmp.Diff(want, got))
				}
			}
		}
	}
}

// TestBestOrAll: that most pairs of an entity are not compared in full changes no raw
// score that counts, to the bit, of wide entities, too.
func TestBestOrAll(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 7))
	for _, entity := range append(ordinaryEntities(20, 12), ordinaryEntities(1, 300)...) {
		c := newComparison(newSide(ProfilesOf(ordinaryFields(random, 1+random.IntN(30))), nil))
		c.against(newSide(ProfilesOf(entity.Fields), nameConcepts(&entity)))
		c.unmatched()
		c.takeAll()
		best, filled := slices.Clone(c.best), slices.Clone(c.filled)
		c.unmatched()
		c.each(func(s, t int, f *features) { c.take(rank(f), s, t) })
		if diff := cmp.Diff(c.best, best); diff != "" {
			t.Errorf("%s: raw scores of source fields (-all +best):\n%s", entity.Name, diff)
		}
		if diff := cmp.Diff(c.filled, filled); diff != "" {
			t.Errorf("%s: raw scores of its fields (-all +best):\n%s", entity.Name, diff)
		}
	}
}

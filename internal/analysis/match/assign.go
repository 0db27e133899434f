package match

import "container/heap"

// Unassigned is the answer of Assign for a source field that gets no target.
const Unassigned = -1

// assignSteps bounds the work of one assignment: that many candidates are looked
// at, about a second. Real schemas need a thousandth of it; a hostile one, whose
// thousands of fields all fit each other alike, gets the rest assigned greedily.
const assignSteps = 20_000_000

// Assign gives every source field at most one target and every target at most one
// source field, so that the sum of the scores is the highest possible. Candidates
// with a score below floor are ignored. The answer holds, for each source field,
// the position in its list of candidates, or Unassigned.
//
// It is the Hungarian method on the sparse graph of candidates: one shortest
// augmenting path, by Dijkstra with potentials, for each source field. Beyond a
// fixed amount of work the remaining fields take the best target that is free.
func Assign(candidates [][]Candidate, floor float64) []int {
	a := newAssignment(candidates, floor)
	for row := range candidates {
		if a.steps < assignSteps {
			a.augment(row)
		} else {
			a.takeFree(row)
		}
	}
	return a.result()
}

// unit is a score of 1 in the whole numbers that costs are counted in: rounding of
// floats could close a chain of moves to a circle.
const unit = 1 << 32

// assignment minimises cost = 1 - score; leaving a row out costs 1. That is an edge
// of its own, so every row always has an augmenting path.
type assignment struct {
	edges   [][]edge
	column  map[int]int // target -> column
	owner   []int       // by column: the row that has it, or -1
	chosen  []int       // by row: the column, or -1
	price   []int64     // potential of columns
	rowPot  []int64     // potential of rows
	dist    []int64     // by column, of the running search
	via     []int       // by column: the row that reached it
	done    []int       // by column: the search that settled it
	seen    []int       // by column: the search that reached it
	search  int
	steps   int
	indices [][]int
}

type edge struct {
	column int
	cost   int64
}

func newAssignment(candidates [][]Candidate, floor float64) *assignment {
	a := &assignment{
		edges:   make([][]edge, len(candidates)),
		column:  make(map[int]int),
		chosen:  make([]int, len(candidates)),
		rowPot:  make([]int64, len(candidates)),
		indices: make([][]int, len(candidates)),
	}
	for row, list := range candidates {
		a.chosen[row] = Unassigned
		for i, c := range list {
			if c.Score < floor || c.Score <= 0 {
				continue
			}
			column, ok := a.column[c.Target]
			if !ok {
				column = len(a.column)
				a.column[c.Target] = column
			}
			a.edges[row] = append(a.edges[row], edge{column: column, cost: unit - int64(c.Score*unit)})
			a.indices[row] = append(a.indices[row], i)
		}
	}
	n := len(a.column)
	a.owner, a.via = make([]int, n), make([]int, n)
	a.price, a.dist = make([]int64, n), make([]int64, n)
	a.done, a.seen = make([]int, n), make([]int, n)
	for column := range a.owner {
		a.owner[column] = Unassigned
	}
	return a
}

// augment finds the cheapest way to give row a place: a free column at the end of a
// chain of moves, or a row on the chain that gives up its column.
func (a *assignment) augment(row int) {
	if len(a.edges[row]) == 0 {
		return
	}
	a.search++
	p := &path{end: Unassigned, length: unit - a.rowPot[row], quits: row}
	a.relax(row, 0, p)
	var settled []int
	for p.queue.Len() > 0 {
		next := heap.Pop(&p.queue).(reached)
		if next.dist >= p.length {
			break
		}
		if a.done[next.column] == a.search {
			continue
		}
		a.done[next.column] = a.search
		settled = append(settled, next.column)
		holder := a.owner[next.column]
		if d := next.dist + unit - a.rowPot[holder]; d < p.length {
			p.end, p.length, p.quits = Unassigned, d, holder
		}
		a.relax(holder, next.dist, p)
	}
	a.reprice(row, settled, p.length)
	a.flip(row, p.end, p.quits)
}

// path is the cheapest end that a search knows: a free column, or, with end
// Unassigned, the row that quits.
type path struct {
	end    int
	length int64
	quits  int
	queue  columnQueue // owned columns to go on from
}

// relax looks at the columns of row, which the search reached at dist. What is no
// nearer than the best end is left out.
func (a *assignment) relax(row int, dist int64, p *path) {
	for _, e := range a.edges[row] {
		a.steps++
		if a.done[e.column] == a.search {
			continue
		}
		d := dist + e.cost - a.rowPot[row] - a.price[e.column]
		if d >= p.length || a.seen[e.column] == a.search && d >= a.dist[e.column] {
			continue
		}
		a.seen[e.column], a.dist[e.column], a.via[e.column] = a.search, d, row
		if a.owner[e.column] == Unassigned {
			p.end, p.length = e.column, d
		} else {
			heap.Push(&p.queue, reached{column: e.column, dist: d})
		}
	}
}

// reprice keeps all reduced costs at or above zero, and those of the chosen edges
// at zero.
func (a *assignment) reprice(row int, settled []int, length int64) {
	a.rowPot[row] += length
	for _, column := range settled {
		gain := length - a.dist[column]
		if gain <= 0 {
			continue
		}
		a.price[column] -= gain
		if holder := a.owner[column]; holder != Unassigned {
			a.rowPot[holder] += gain
		}
	}
}

// flip moves every row of the chain one column on.
func (a *assignment) flip(row, end, quitRow int) {
	if end == Unassigned {
		if quitRow == row {
			return
		}
		end = a.chosen[quitRow]
		a.chosen[quitRow] = Unassigned
	}
	for end != Unassigned {
		holder := a.via[end]
		end, a.chosen[holder], a.owner[end] = a.chosen[holder], end, holder
		if holder == row {
			return
		}
	}
}

func (a *assignment) takeFree(row int) {
	best := Unassigned
	cost := int64(unit)
	for _, e := range a.edges[row] {
		if a.owner[e.column] == Unassigned && e.cost < cost {
			best, cost = e.column, e.cost
		}
	}
	if best != Unassigned {
		a.chosen[row], a.owner[best] = best, row
	}
}

func (a *assignment) result() []int {
	result := make([]int, len(a.chosen))
	for row, column := range a.chosen {
		result[row] = Unassigned
		for i, e := range a.edges[row] {
			if e.column == column {
				result[row] = a.indices[row][i]
			}
		}
	}
	return result
}

type reached struct {
	column int
	dist   int64
}

// columnQueue is a heap of reached columns, the nearest first; ties by column, so
// that the result does not depend on chance.
type columnQueue []reached

func (q columnQueue) Len() int { return len(q) }

func (q columnQueue) Less(i, j int) bool {
	if q[i].dist != q[j].dist {
		return q[i].dist < q[j].dist
	}
	return q[i].column < q[j].column
}

func (q columnQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *columnQueue) Push(x any) { *q = append(*q, x.(reached)) }

func (q *columnQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

package llm

import (
	"strconv"

	"github.com/schemacast/schemacast/internal/analysis"
)

// numbering gives the fields of all entities of a question their t ids. Short ids
// keep prompts small, and an answer can not invent a name.
type numbering struct {
	// first holds, for each entity, the number of its first field, from 1.
	first []int
	total int
}

func newNumbering(q analysis.Question) numbering {
	ids := numbering{first: make([]int, len(q.Entities))}
	for e, entity := range q.Entities {
		ids.first[e] = ids.total + 1
		ids.total += len(entity.Fields)
	}
	return ids
}

// maxIDDigits bounds the numbers in ids; no question has that many of anything.
const maxIDDigits = 7

// parseID reads an id such as s12: the letter, then a number from 1 without leading
// zeros. It returns the index, from 0.
func parseID(id string, letter byte) (int, bool) {
	if len(id) < 2 || len(id) > 1+maxIDDigits || id[0] != letter || id[1] == '0' {
		return 0, false
	}
	for i := 1; i < len(id); i++ {
		if id[i] < '0' || id[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(id[1:])
	return n - 1, err == nil
}

// nameOf returns the id for texts that the model gets back, or a stand-in when it
// is no id at all: an answer may hold anything.
func nameOf(id string) string {
	for _, letter := range []byte("setnf") {
		if _, ok := parseID(id, letter); ok {
			return id
		}
	}
	return "something that is no id"
}

package record

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"path"
	"strings"
)

// delimiters are tried in this order; the first of equals wins.
var delimiters = []rune{',', ';', '\t', '|'}

// extension is what the name of a file says about its format.
func extension(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	return strings.TrimPrefix(path.Ext(name), ".")
}

// isJSON says whether the text is JSON rather than CSV. A CSV file may start with
// "[id],[name]" or a number, so the first character alone does not tell.
func (t *text) isJSON() bool {
	hint := t.ext == "json" || t.ext == "ndjson" || t.ext == "jsonl"
	head := bytes.TrimSpace(t.head)
	if len(head) == 0 {
		return hint
	}
	second := bytes.TrimSpace(head[1:])
	switch head[0] {
	case '{':
		return hint || len(second) == 0 || second[0] == '"' || second[0] == '}'
	case '[':
		return hint || len(second) == 0 || startsValue(second) || second[0] == ']'
	}
	if t.whole && json.Valid(head) {
		return true // a scalar; two lines of a table are not one value
	}
	return hint && !hasDelimiter(firstLine(head))
}

func startsValue(b []byte) bool {
	if c := b[0]; c == '{' || c == '[' || c == '"' || c == '-' || (c >= '0' && c <= '9') {
		return true
	}
	for _, word := range []string{"null", "true", "false"} {
		if bytes.HasPrefix(b, []byte(word)) {
			return true
		}
	}
	return false
}

func firstLine(b []byte) []byte {
	if i := bytes.IndexAny(b, "\r\n"); i >= 0 {
		return b[:i]
	}
	return b
}

func hasDelimiter(line []byte) bool { return bytes.ContainsAny(line, string(delimiters)) }

// endsLinesWithReturn knows files whose lines end as on the old Mac OS.
func endsLinesWithReturn(b []byte) bool {
	return bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') >= 0
}

// delimiter finds the character between the columns: the one that cuts the most
// rows of the head into as many values as the header, and of equals the one that
// gives more columns. A file of one column has none; then it is the comma.
func (t *text) delimiter() rune {
	sample := t.head
	if i := bytes.LastIndexAny(sample, "\r\n"); i > 0 && !t.whole {
		sample = sample[:i]
	}
	if endsLinesWithReturn(sample) {
		sample = bytes.ReplaceAll(sample, []byte("\r"), []byte("\n"))
	}
	best, bestFit, bestColumns := ',', 0.0, 1
	for _, d := range delimiters {
		fit, columns := fitness(sample, d)
		if columns > 1 && (fit > bestFit || (fit == bestFit && columns > bestColumns)) {
			best, bestFit, bestColumns = d, fit, columns
		}
	}
	return best
}

// separatorLine is the delimiter that a first line such as "sep=;" names, which Excel
// reads and others write for it; 0 without such a line.
func (t *text) separatorLine() rune {
	line := bytes.Trim(firstLine(t.head), `" `)
	if len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep=")) && bytes.ContainsAny(line[4:], string(delimiters)) {
		return rune(line[4])
	}
	return 0
}

// fitness is the share of the first rows that have as many values as the header.
func fitness(sample []byte, delimiter rune) (fit float64, columns int) {
	const maxRows = 50
	r := csv.NewReader(bytes.NewReader(sample))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = delimiter, -1, true, true
	header, err := r.Read()
	if err != nil {
		return 0, 0
	}
	columns = len(header)
	rows, same := 1, 1
	for rows < maxRows {
		row, err := r.Read()
		if err != nil {
			break
		}
		rows++
		if len(row) == columns {
			same++
		}
	}
	return float64(same) / float64(rows), columns
}

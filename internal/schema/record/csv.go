package record

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// csvReader reads rows under a header.
type csvReader struct {
	t       *text
	budget  *budgetReader
	r       *csv.Reader
	columns []column
	line    int // of the last row
	// following is the line after the last row, unless blank lines follow.
	following int
	count     int // of rows with values
}

// column is one name of the header.
type column struct {
	key  []byte // as JSON, with the colon
	text bool   // its digits are no numbers, see isTextColumn
}

// newCSVReader finds the delimiter and reads the header.
func newCSVReader(t *text) (*csvReader, error) {
	var source io.Reader = t.r
	if endsLinesWithReturn(t.head) {
		source = returnReader{source}
	}
	c := &csvReader{t: t, budget: &budgetReader{r: source}}
	c.r = csv.NewReader(c.budget)
	c.r.Comma = t.delimiter()
	if hint := t.separatorLine(); hint != 0 {
		c.r.Comma = hint
		if _, err := c.row(); err != nil {
			return nil, err
		}
	}
	c.r.FieldsPerRecord = -1
	c.r.ReuseRecord = true
	// Tab-separated files know no quotes, so 5" is fine there. Elsewhere a stray
	// quote is an error: guessing its end would swallow rows.
	c.r.LazyQuotes = c.r.Comma == '\t'
	c.r.TrimLeadingSpace = c.r.Comma != '\t'
	header, err := c.row()
	if errors.Is(err, io.EOF) {
		return nil, t.fail(0, "export at least one record", "the file is empty")
	}
	if err != nil {
		return nil, err
	}
	if len(header) > t.opts.MaxFields {
		return nil, t.fail(c.line, "split the table, or store it as rows of name and value",
			"the header has %d columns, more than the allowed %d", len(header), t.opts.MaxFields)
	}
	c.columns = columnsOf(header)
	return c, nil
}

// next returns the next row as an object, or io.EOF. A row without any value is
// no record: spreadsheets export them below the data.
func (c *csvReader) next() (json.RawMessage, error) {
	for {
		row, err := c.row()
		if errors.Is(err, io.EOF) && c.count == 0 {
			return nil, c.t.fail(0, "export at least one record below it", "the file has only a header")
		}
		if err != nil {
			return nil, err
		}
		for len(row) > len(c.columns) && row[len(row)-1] == "" {
			row = row[:len(row)-1] // delimiters at the end of a row hold nothing
		}
		if len(row) > len(c.columns) {
			return nil, c.tooLong(len(row))
		}
		if strings.Join(row, "") != "" {
			c.count++
			return c.object(row), nil
		}
	}
}

// tooLong reports a row of more values than the header has names. Where that is one,
// the first line is mostly no header at all.
func (c *csvReader) tooLong(values int) error {
	quote := fmt.Sprintf("quote the value that contains the delimiter %q", c.r.Comma)
	if len(c.columns) == 1 {
		return c.t.fail(c.line, "remove what stands above the header, or "+quote,
			"the row has %d values, but the first line, which has to be the header, names one column", values)
	}
	return c.t.fail(c.line, quote, "the row has %d values, but the header names %d columns", values, len(c.columns))
}

// row reads one row and trims its values.
func (c *csvReader) row() ([]string, error) {
	c.budget.left = c.t.opts.MaxRecordBytes + csvReadAhead
	row, err := c.r.Read()
	var syntax *csv.ParseError
	switch {
	case errors.Is(err, errOverBudget):
		return nil, c.t.tooLarge(max(c.following, 1))
	case errors.As(err, &syntax):
		return nil, c.t.fail(syntax.StartLine, `put quotes around the whole value and double those inside, or close the open one`,
			"the row that starts here has a stray or open quote")
	case err != nil:
		return nil, c.t.readError(err)
	}
	c.line, _ = c.r.FieldPos(0)
	c.following = c.line + 1
	for i, value := range row {
		if !utf8.ValidString(value) {
			return nil, c.t.notUTF8(c.line)
		}
		c.following += strings.Count(value, "\n")
		row[i] = strings.TrimSpace(value)
	}
	return row, nil
}

// object writes a row as JSON. Values that a short row lacks have no member.
func (c *csvReader) object(row []string) json.RawMessage {
	b := []byte{'{'}
	for i, value := range row {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, c.columns[i].key...)
		b = appendValue(b, value, c.columns[i].text)
	}
	return append(b, '}')
}

// columnsOf names the columns: white space is trimmed, and inside made single
// spaces; a name without characters becomes column_3, the second of equal ones
// name_2.
func columnsOf(header []string) []column {
	columns := make([]column, len(header))
	taken := make(map[string]bool, len(header))
	names := make([]string, len(header))
	for i, name := range header {
		names[i] = strings.Join(strings.Fields(name), " ")
		if names[i] == "" {
			names[i] = fmt.Sprintf("column_%d", i+1)
		}
		taken[names[i]] = true
	}
	seen := make(map[string]int, len(header)) // the last number given to a name
	for i, name := range names {
		unique := name
		for seen[name]++; seen[name] > 1; seen[name]++ {
			unique = fmt.Sprintf("%s_%d", name, seen[name])
			if !taken[unique] {
				break
			}
		}
		taken[unique] = true
		columns[i] = column{key: append(appendString(nil, unique), ':'), text: isTextColumn(name)}
	}
	return columns
}

// csvReadAhead is how much csv.Reader reads beyond the row it returns.
const csvReadAhead = 4096

var errOverBudget = errors.New("row is too large")

// budgetReader stops a row that does not end, as after a quote that is not closed.
type budgetReader struct {
	r    io.Reader
	left int
}

func (b *budgetReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errOverBudget
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// returnReader reads carriage returns as ends of lines.
type returnReader struct{ r io.Reader }

func (r returnReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	for i, c := range p[:n] {
		if c == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}

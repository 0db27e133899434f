package record

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// headBytes is how much of a file is looked at to decide what it is.
const headBytes = 64 << 10

const exportCure = "export it as CSV, JSON or NDJSON"

// text is the unpacked content of a file as UTF-8 without a byte order mark. That
// it is valid UTF-8 is up to the readers of records, which know the line.
type text struct {
	file string // for errors
	ext  string // lower case, without .gz
	opts Options
	r    *bufio.Reader
	head []byte // what r starts with, at most headBytes
	// whole says that head is all there is.
	whole bool
}

// open unpacks and decodes r.
func open(r io.Reader, name string, opts Options) (*text, error) {
	t := &text{file: name, ext: extension(name), opts: opts}
	if t.file == "" {
		t.file = "the input"
	}
	if err := t.look(r); err != nil {
		return nil, err
	}
	if isGzip(t.head) {
		unpacked, err := t.unpack()
		if err != nil {
			return nil, err
		}
		if err := t.look(unpacked); err != nil {
			return nil, err
		}
	}
	if err := t.decode(); err != nil {
		return nil, err
	}
	visible := bytes.TrimSpace(t.head)
	switch {
	case len(visible) == 0 && t.whole:
		return nil, t.fail(0, "export at least one record", "the file is empty")
	case len(visible) > 0 && visible[0] == '<':
		return nil, t.fail(0, exportCure, "the file is XML or HTML")
	}
	return t, nil
}

// look makes r the content, and reads its head.
func (t *text) look(r io.Reader) error {
	t.r = bufio.NewReaderSize(r, headBytes)
	head, err := t.r.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return t.readError(err)
	}
	t.head, t.whole = head, errors.Is(err, io.EOF)
	return nil
}

// decode turns the content into UTF-8. A byte order mark decides; without one it
// is UTF-8, or Windows-1252 (which has all of Latin-1 that is printable) when most
// of the bytes beyond ASCII make no sense in UTF-8. JSON is UTF-8 by definition.
// Where the first 64 KiB are ASCII the file is taken for UTF-8, and what follows is
// an error with its line if it is not.
func (t *text) decode() error {
	var decoder transform.Transformer
	switch {
	case bytes.HasPrefix(t.head, []byte("\xff\xfe\x00\x00")):
		return t.fail(0, "save the file as UTF-8", "the text is UTF-32")
	case bytes.HasPrefix(t.head, []byte("\xff\xfe")):
		decoder = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()
	case bytes.HasPrefix(t.head, []byte("\xfe\xff")):
		decoder = unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()
	case bytes.HasPrefix(t.head, []byte("\xef\xbb\xbf")):
		_, _ = t.r.Discard(3) // was peeked
		return t.look(t.r)
	default:
		if err := t.checkBinary(); err != nil {
			return err
		}
		if !isWindows1252(t.head, t.whole) || t.isJSON() {
			return nil
		}
		decoder = charmap.Windows1252.NewDecoder()
	}
	return t.look(transform.NewReader(t.r, decoder))
}

// magics are the beginnings of files that people take for tables.
var magics = []struct{ prefix, what, cure string }{
	{"PK\x03\x04", "a ZIP or Excel file", "export the sheet as CSV"},
	{"\xd0\xcf\x11\xe0", "an old Excel file", "export the sheet as CSV"},
	{"PAR1", "a Parquet file", "export it as CSV or NDJSON"},
	{"Obj\x01", "an Avro file", "export it as NDJSON"},
	{"%PDF-", "a PDF file", "export the table as CSV"},
	{"SQLite format 3\x00", "a SQLite database", "export the table as CSV"},
	{"\x1f\x8b", "packed with gzip twice", "unpack it once"},
	{"\x28\xb5\x2f\xfd", "packed with Zstandard", "unpack it, or pack it with gzip"},
	{"BZh", "packed with bzip2", "unpack it, or pack it with gzip"},
}

func (t *text) checkBinary() error {
	for _, m := range magics {
		if bytes.HasPrefix(t.head, []byte(m.prefix)) {
			return t.fail(0, m.cure, "the file is %s", m.what)
		}
	}
	controls := 0
	for _, c := range t.head {
		if c < '\t' || (c > '\r' && c < ' ') || c == 0x7f {
			controls++
		}
	}
	// A few stray control characters are dirt, more are another kind of file. Text
	// has no NUL at all.
	if bytes.IndexByte(t.head, 0) >= 0 || (controls > 3 && controls*100 > len(t.head)) {
		return t.fail(0, exportCure, "the file is binary")
	}
	return nil
}

// isWindows1252 compares how often bytes beyond ASCII form characters of UTF-8 with
// how often they do not: a few broken ones in UTF-8 are an error to report, and no
// reason to misread the others.
func isWindows1252(head []byte, whole bool) bool {
	valid, invalid := 0, 0
	for i := 0; i < len(head); {
		if head[i] < utf8.RuneSelf {
			i++
			continue
		}
		if !whole && len(head)-i < utf8.UTFMax {
			break // may be cut
		}
		r, size := utf8.DecodeRune(head[i:])
		if r == utf8.RuneError && size == 1 {
			invalid++
		} else {
			valid++
		}
		i += size
	}
	return invalid > valid
}

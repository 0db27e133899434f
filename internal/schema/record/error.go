package record

import (
	"errors"
	"fmt"
	"io"
)

// Error says what is wrong with the content of a file and what to do about it.
type Error struct {
	File    string // as given to Read, "the input" when that was empty
	Line    int    // counted from 1, 0 when the whole file is meant
	Problem string // a clause: "the file is empty"
	Cure    string // a clause: "export at least one record"
}

func (e *Error) Error() string {
	place := e.File
	if e.Line > 0 {
		place = fmt.Sprintf("%s, line %d", e.File, e.Line)
	}
	return place + ": " + e.Problem + "; " + e.Cure
}

// fail makes an Error about the text.
func (t *text) fail(line int, cure, problem string, args ...any) error {
	return &Error{File: t.file, Line: line, Problem: fmt.Sprintf(problem, args...), Cure: cure}
}

// readError keeps an Error as it is, and wraps what the reader of the file said.
func (t *text) readError(err error) error {
	var known *Error
	if errors.Is(err, io.EOF) || errors.As(err, &known) {
		return err
	}
	return fmt.Errorf("read %s: %w", t.file, err)
}

func (t *text) tooLarge(line int) error {
	return t.fail(line, "close open quotes, or put large lists into records of their own",
		"the record that starts here has more than %d bytes", t.opts.MaxRecordBytes)
}

func (t *text) notUTF8(line int) error {
	return t.fail(line, "save the file as UTF-8", "the text is not valid UTF-8")
}

package record

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
)

func isGzip(head []byte) bool { return bytes.HasPrefix(head, []byte("\x1f\x8b")) }

// unpack returns the content of a gzip file, up to the limit.
func (t *text) unpack() (io.Reader, error) {
	z, err := gzip.NewReader(t.r)
	if err != nil {
		return nil, t.gzipError(err)
	}
	return &unpacker{t: t, z: z, left: t.opts.MaxUnpackedBytes}, nil
}

// unpacker stops a file that is small on disk and endless in memory.
type unpacker struct {
	t    *text
	z    *gzip.Reader
	left int64
}

func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	if u.left -= int64(n); u.left < 0 {
		return 0, u.t.fail(0, "split the file",
			"the file unpacks to more than %d bytes", u.t.opts.MaxUnpackedBytes)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = u.t.gzipError(err)
	}
	return n, err
}

// gzipError tells a damaged file from one that could not be read.
func (t *text) gzipError(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return t.fail(0, "copy it again", "the gzip file ends too early")
	}
	if errors.As(err, &corrupt) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) {
		return t.fail(0, "copy it again", "the gzip file is damaged")
	}
	return t.readError(err)
}

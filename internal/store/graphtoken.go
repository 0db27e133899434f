package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"time"

	"github.com/schemacast/schemacast/internal/schema"
)

const (
	// mappingBuckets is into how many parts the mappings of a tenant are divided, by the id
	// of their schema. Deletions leave no time behind: a part whose fingerprint changed is
	// told in full, which is too much and never too little.
	mappingBuckets = 64
	// usefulBuckets is how many may have changed before everything is told instead.
	usefulBuckets = mappingBuckets / 2
	// overlap is how far behind its moment a delta begins: a transaction commits later than
	// it took the time, and the app's clock may be another.
	overlap = time.Minute
	// oldestDelta is how old the moment of a delta may be.
	oldestDelta = 24 * time.Hour

	tokenVersion = 1
	maxToken     = 4 << 10
)

// graphSince is a moment of a tenant's graph.
type graphSince struct {
	at     time.Time
	prints [mappingBuckets]uint32
}

func printOf(mappings, ids int64) uint32 {
	sum := fnv.New32a()
	_ = binary.Write(sum, binary.BigEndian, []int64{mappings, ids}) // a hash takes everything
	return sum.Sum32()
}

func (s graphSince) encode(tenantID string) string {
	var b bytes.Buffer
	b.WriteByte(tokenVersion)
	b.Write(tenantMark(tenantID))
	_ = binary.Write(&b, binary.BigEndian, s.at.UnixMilli())
	_ = binary.Write(&b, binary.BigEndian, s.prints)
	return base64.RawURLEncoding.EncodeToString(b.Bytes())
}

// parseSince returns false for what was not given out for the tenant, or by another
// version: a client then gets everything, as one without a token does.
func parseSince(token, tenantID string) (graphSince, bool) {
	var s graphSince
	raw, err := base64.RawURLEncoding.DecodeString(token)
	const head = 1 + markLen
	if err != nil || len(raw) != head+8+4*mappingBuckets || raw[0] != tokenVersion || !bytes.Equal(raw[1:head], tenantMark(tenantID)) {
		return s, false
	}
	s.at = time.UnixMilli(int64(binary.BigEndian.Uint64(raw[head:]))).UTC()
	for i := range s.prints {
		s.prints[i] = binary.BigEndian.Uint32(raw[head+8+4*i:])
	}
	return s, true
}

const markLen = 8

// tenantMark keeps tokens from being used for another tenant by mistake. It guards nothing:
// a token opens nothing either.
func tenantMark(tenantID string) []byte {
	sum := sha256.Sum256([]byte(tenantID))
	return sum[:markLen]
}

// graphDelta is what changed between two moments.
type graphDelta struct {
	age     time.Duration // between both moments
	from    time.Time     // with the overlap
	buckets []int         // of mappings
	// mappings says that some may have been edited since.
	mappings bool
}

func (s graphSince) until(now graphSince) *graphDelta {
	d := &graphDelta{age: now.at.Sub(s.at), from: s.at.Add(-overlap)}
	for i := range s.prints {
		if s.prints[i] != now.prints[i] {
			d.buckets = append(d.buckets, i)
		}
	}
	return d
}

// useful says whether a delta is shorter than everything. One whose moment is in the future
// was not given out by this database.
func (d *graphDelta) useful() bool {
	return d.age >= 0 && d.age <= oldestDelta && len(d.buckets) <= usefulBuckets
}

// graphCursor is where a page begins, and what all pages share.
type graphCursor struct {
	Mark      []byte             `json:"m"`
	Entities  bool               `json:"e,omitempty"` // there are no more schemas
	ID        int64              `json:"i,omitempty"` // the last one that was told, 0 for none
	Since     string             `json:"s"`           // of the first page
	Base      string             `json:"b,omitempty"` // of the delta
	Mappings  bool               `json:"c,omitempty"` // see graphDelta
	Totals    schema.GraphTotals `json:"t"`
	TypicalMs int64              `json:"y,omitempty"`
}

func (c graphCursor) encode(tenantID string) (string, error) {
	c.Mark = tenantMark(tenantID)
	raw, err := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString(raw), err
}

func parseCursor(token, tenantID string) (*graphCursor, error) {
	if len(token) > maxToken {
		return nil, schema.ErrBadCursor
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, schema.ErrBadCursor
	}
	var c graphCursor
	if err := json.Unmarshal(raw, &c); err != nil || !bytes.Equal(c.Mark, tenantMark(tenantID)) || c.ID < 0 {
		return nil, schema.ErrBadCursor
	}
	if _, ok := parseSince(c.Since, tenantID); !ok {
		return nil, schema.ErrBadCursor
	}
	return &c, nil
}

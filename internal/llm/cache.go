package llm

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// Cache keeps raw answers, so that an equal question of the same tenant costs
// nothing again. Keys are 64 hex digits and differ between tenants; the tenant is
// passed as well so that an implementation can keep and delete them apart.
type Cache interface {
	// Answer returns the raw answer stored under the key, found=false when there is none.
	Answer(ctx context.Context, tenantID, key string) (raw []byte, found bool, err error)
	// SaveAnswer stores a raw answer under the key. Of two answers to one key either
	// may stay: only usable ones are saved.
	SaveAnswer(ctx context.Context, tenantID, key string, raw []byte) error
}

// saveTimeout bounds the storing of an answer. It is on its own clock: an answer
// that was paid for is stored also when the call was cancelled meanwhile.
const saveTimeout = 5 * time.Second

// cacheKey hashes the three parts with their lengths, so that no tenant can choose
// a name that makes its key another tenant's.
func cacheKey(tenantID, model string, request []byte) string {
	hash := sha256.New()
	for _, part := range [][]byte{[]byte(tenantID), []byte(model), request} {
		_ = binary.Write(hash, binary.BigEndian, uint64(len(part))) // a hash never fails to write
		hash.Write(part)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// noCache is the Cache of a client without one.
type noCache struct{}

func (noCache) Answer(context.Context, string, string) ([]byte, bool, error) { return nil, false, nil }

func (noCache) SaveAnswer(context.Context, string, string, []byte) error { return nil }

package analysis

import (
	"container/list"
	"encoding/binary"
	"hash/maphash"
	"strconv"
	"sync"

	"github.com/schemacast/schemacast/internal/schema"
)

// cache keeps the indexed entities of the tenants seen last, since indexing 10,000
// entities takes longer than all the rest of an analysis. An entry is found by its
// tenant and is only used when the entities are still the same ones.
type cache struct {
	limit int // bytes
	seed  maphash.Seed

	mu      sync.Mutex
	size    int                      // bytes of all entries
	tenants map[string]*list.Element // of *cached
	recent  *list.List               // the last used first
}

type cached struct {
	tenantID string
	digest   uint64
	size     int
	entities *entities
	ready    chan struct{} // closed when entities is set
}

func newCache(limit int) *cache {
	return &cache{limit: limit, seed: maphash.MakeSeed(), tenants: make(map[string]*list.Element), recent: list.New()}
}

// get returns the entities indexed. Of several analyses that need the same index at
// once, one builds it and the others wait.
func (c *cache) get(tenantID string, all []schema.Entity) *entities {
	digest, size := c.digest(all)
	c.mu.Lock()
	if element, ok := c.tenants[tenantID]; ok {
		entry := element.Value.(*cached)
		if entry.digest == digest {
			c.recent.MoveToFront(element)
			c.mu.Unlock()
			<-entry.ready
			if entry.entities != nil {
				return entry.entities
			}
			return newEntities(tenantID, all) // whoever built it panicked
		}
		c.drop(element)
	}
	entry := &cached{tenantID: tenantID, digest: digest, size: size, ready: make(chan struct{})}
	c.tenants[tenantID] = c.recent.PushFront(entry)
	c.size += size
	for c.size > c.limit && c.recent.Len() > 1 {
		c.drop(c.recent.Back())
	}
	c.mu.Unlock()
	defer close(entry.ready)
	entry.entities = newEntities(tenantID, all)
	return entry.entities
}

func (c *cache) drop(element *list.Element) {
	entry := element.Value.(*cached)
	c.recent.Remove(element)
	delete(c.tenants, entry.tenantID)
	c.size -= entry.size
}

// fieldBytes is what an indexed field takes beside its texts.
const fieldBytes = 256

// digest covers everything that the index and the questions take from entities, and
// estimates the memory of both.
func (c *cache) digest(all []schema.Entity) (digest uint64, size int) {
	var h maphash.Hash
	h.SetSeed(c.seed)
	number := func(n int64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(n))
		_, _ = h.Write(b[:])
	}
	write := func(texts ...string) {
		for _, text := range texts {
			number(int64(len(text))) // in front: "ab","c" is not "a","bc"
			_, _ = h.WriteString(text)
			size += len(text)
		}
	}
	for _, entity := range all {
		number(entity.ID)
		write(entity.Name)
		for _, f := range entity.Fields {
			write(f.Name, f.Type, f.Format, f.Description, string(f.Sample), strconv.FormatBool(f.Required))
		}
		number(int64(len(entity.Fields)))
		size += fieldBytes * len(entity.Fields)
	}
	return h.Sum64(), size
}

package analysis

import (
	"container/list"
	"encoding/binary"
	"hash/maphash"
	"sync"

	"github.com/schemacast/schemacast/internal/schema"
)

// cache keeps the indexed entities of the tenants seen last, since indexing 10,000
// entities takes longer than all the rest of an analysis. An entry is found by its
// tenant and is only used when the entities are still the same ones.
type cache struct {
	limit int // entity fields
	seed  maphash.Seed

	mu      sync.Mutex
	fields  int
	tenants map[string]*list.Element // of *cached
	recent  *list.List               // the last used first
}

type cached struct {
	tenantID string
	digest   uint64
	entities *entities
	fields   int
	ready    chan struct{} // closed when entities is set
}

func newCache(limit int) *cache {
	return &cache{limit: limit, seed: maphash.MakeSeed(), tenants: make(map[string]*list.Element), recent: list.New()}
}

// get returns the entities indexed. Of several analyses that need the same index at
// once, one builds it and the others wait.
func (c *cache) get(tenantID string, all []schema.Entity) *entities {
	digest, fields := c.digest(all)
	if fields > c.limit {
		return newEntities(tenantID, all)
	}
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
	entry := &cached{tenantID: tenantID, digest: digest, fields: fields, ready: make(chan struct{})}
	c.tenants[tenantID] = c.recent.PushFront(entry)
	c.fields += fields
	for c.fields > c.limit {
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
	c.fields -= entry.fields
}

// digest covers everything that the index and the questions take from entities.
func (c *cache) digest(all []schema.Entity) (digest uint64, fields int) {
	var h maphash.Hash
	h.SetSeed(c.seed)
	var number [8]byte
	write := func(texts ...string) {
		for _, text := range texts {
			binary.LittleEndian.PutUint64(number[:], uint64(len(text)))
			_, _ = h.Write(number[:]) // a length in front: "ab","c" is not "a","bc"
			_, _ = h.WriteString(text)
		}
	}
	for _, entity := range all {
		binary.LittleEndian.PutUint64(number[:], uint64(entity.ID))
		_, _ = h.Write(number[:])
		write(entity.Name)
		for _, f := range entity.Fields {
			write(f.Name, f.Type, f.Format, f.Description, string(f.Sample))
			required := byte(0)
			if f.Required {
				required = 1
			}
			_ = h.WriteByte(required)
		}
		fields += len(entity.Fields)
		binary.LittleEndian.PutUint64(number[:], uint64(len(entity.Fields)))
		_, _ = h.Write(number[:])
	}
	return h.Sum64(), fields
}

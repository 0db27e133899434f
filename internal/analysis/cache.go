package analysis

import (
	"container/list"
	"encoding/binary"
	"hash/maphash"
	"strconv"
	"sync"
	"time"

	"github.com/schemacast/schemacast/internal/analysis/match"
	"github.com/schemacast/schemacast/internal/schema"
)

// cache keeps the indexed entities of the tenants seen last, since indexing 10,000
// entities takes longer than all the rest of an analysis. An entry is found by its
// tenant and is only used when the entities are still the same ones. What was learned
// about them may be a little older: every commit teaches something, and a large
// tenant would do nothing but index.
type cache struct {
	limit int // bytes
	seed  maphash.Seed
	now   func() time.Time

	mu      sync.Mutex
	size    int                      // bytes of all entries
	tenants map[string]*list.Element // of *cached
	recent  *list.List               // the last used first
}

// indexShare of its time a process may spend on indexing what its tenants learned: an
// index that took a second is good for twenty, and longer where there are more tenants.
const indexShare = 20

// indexFor is how long an index is good for at least: the entities that were made ready
// in it are lost with it.
const indexFor = time.Second

type cached struct {
	tenantID string
	digest   digest
	version  string    // of the catalog, empty when it told none; guarded by mu
	lacks    bool      // lessons that the version has; guarded by mu
	due      time.Time // from when on an index that lacks some is too old; guarded by mu
	size     int
	entities *entities
	ready    chan struct{} // closed when entities is set
}

func newCache(limit int) *cache {
	return &cache{limit: limit, seed: maphash.MakeSeed(), now: time.Now, tenants: make(map[string]*list.Element), recent: list.New()}
}

// digest identifies entities.
type digest struct {
	facts   uint64 // all but what was learned
	learned uint64 // names and values of what was mapped to them
}

// known returns the indexed entities of a tenant when they are good for a version of the
// catalog, else nil.
func (c *cache) known(tenantID, version string) *entities {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.tenants[tenantID]
	if !ok || version == "" {
		return nil
	}
	entry := element.Value.(*cached)
	select {
	case <-entry.ready:
	default:
		return nil // it is being built
	}
	if entry.version != version || entry.lacks && !c.now().Before(entry.due) {
		return nil
	}
	c.recent.MoveToFront(element)
	return entry.entities // nil when whoever built it panicked
}

// get returns the entities indexed. Of several analyses that need the same index at
// once, one builds it and the others wait.
func (c *cache) get(tenantID, version string, all []schema.Entity) *entities {
	sum, size := c.digest(all)
	c.mu.Lock()
	if element, ok := c.tenants[tenantID]; ok {
		entry := element.Value.(*cached)
		if entry.digest == sum || entry.digest.facts == sum.facts && c.now().Before(entry.due) {
			entry.version, entry.lacks = version, entry.digest != sum
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
	entry := &cached{tenantID: tenantID, digest: sum, version: version, size: size, ready: make(chan struct{})}
	c.tenants[tenantID] = c.recent.PushFront(entry)
	c.size += size
	for c.size > c.limit && c.recent.Len() > 1 {
		c.drop(c.recent.Back())
	}
	c.mu.Unlock()
	defer close(entry.ready)
	began := c.now()
	entry.entities = newEntities(tenantID, all)
	c.mu.Lock()
	entry.due = c.now().Add(max(indexFor, indexShare*time.Duration(c.recent.Len())*c.now().Sub(began)))
	c.mu.Unlock()
	return entry.entities
}

func (c *cache) drop(element *list.Element) {
	entry := element.Value.(*cached)
	c.recent.Remove(element)
	delete(c.tenants, entry.tenantID)
	c.size -= entry.size
}

const (
	// fieldBytes is what an indexed field takes beside its texts.
	fieldBytes = 256
	// readyBytes is what a field takes while its entity is kept ready to be compared, up to
	// match.ShelfBytes for all of an index.
	readyBytes = 2200
)

// digest covers everything that the index and the questions take from entities, and
// estimates the memory of both.
func (c *cache) digest(all []schema.Entity) (sum digest, size int) {
	var facts, learned digester
	fields := 0
	facts.hash.SetSeed(c.seed)
	learned.hash.SetSeed(c.seed)
	for _, entity := range all {
		facts.number(entity.ID)
		facts.write(entity.Name)
		for _, f := range entity.Fields {
			facts.write(f.Name, f.Type, f.Format, f.Description, string(f.Sample), strconv.FormatBool(f.Required))
			learned.write(f.Aliases...)
			learned.number(int64(len(f.Aliases)))
			for _, value := range f.Learned {
				learned.write(string(value))
			}
			learned.number(int64(len(f.Learned)))
		}
		facts.number(int64(len(entity.Fields)))
		fields += len(entity.Fields)
	}
	size = fieldBytes*fields + min(readyBytes*fields, match.ShelfBytes)
	return digest{facts: facts.hash.Sum64(), learned: learned.hash.Sum64()}, size + facts.size + learned.size
}

// digester hashes texts and counts their bytes.
type digester struct {
	hash maphash.Hash
	size int
}

func (d *digester) number(n int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	_, _ = d.hash.Write(b[:])
}

func (d *digester) write(texts ...string) {
	for _, text := range texts {
		d.number(int64(len(text))) // in front: "ab","c" is not "a","bc"
		_, _ = d.hash.WriteString(text)
		d.size += len(text)
	}
}

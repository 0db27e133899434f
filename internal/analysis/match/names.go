package match

import (
	"strings"
	"sync"
)

// name is the name of a field, cut into words and made comparable. It never changes.
type name struct {
	tokens []Token
	text   *text
}

// nameCache keeps names: those of a tenant's schemas come again and again, and cutting
// them takes as long as all else that is known of a field without values. Names alone,
// never values or descriptions, which may be anybody's.
//
// It has two generations, as a shelf has.
type nameCache struct {
	mu         sync.RWMutex
	young, old map[string]*name
}

const (
	// keptNames of a generation take 2 MB at most, about 1 KB each.
	keptNames = 2048
	// longestKept bounds a name that is kept, in bytes.
	longestKept = 64
)

// names is the one for all tenants: it holds nothing but what follows from a name.
var names nameCache

// nameOf cuts a name, or finds it cut before.
func nameOf(spelt string) *name {
	if known, ok := names.get(spelt); ok {
		return known
	}
	tokens := Tokens(strings.Clone(spelt)) // which keeps no more than the name
	n := &name{tokens: tokens, text: nameText(tokens)}
	if len(spelt) <= longestKept {
		names.put(strings.Clone(spelt), n)
	}
	return n
}

func (c *nameCache) get(spelt string) (*name, bool) {
	c.mu.RLock()
	found, young := c.young[spelt]
	if young {
		c.mu.RUnlock()
		return found, true
	}
	found, old := c.old[spelt]
	c.mu.RUnlock()
	if old {
		c.put(strings.Clone(spelt), found)
	}
	return found, old
}

func (c *nameCache) put(spelt string, n *name) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young == nil || len(c.young) >= keptNames {
		c.old, c.young = c.young, make(map[string]*name)
	}
	c.young[spelt] = n
}

package analysis

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// checkpointVersion changes when a checkpoint, or what it means, does. The first one
// held at most a question and its repair, which this one can continue.
const checkpointVersion = 2

// checkpoint is what a run keeps of the answers that it paid for: the questions
// with them, since an answer only means something together with its question.
type checkpoint struct {
	Version int    `json:"v"`
	Fields  string `json:"fields"` // digest of the fields that were asked about
	// Asked are the questions in the order in which they were answered: one about
	// everything, or one about the entity and then those about its fields. A repair
	// has the Source of the question whose answer it mends.
	Asked []exchange `json:"asked"`
}

type exchange struct {
	Question Question `json:"question"`
	Answer   []byte   `json:"answer"`
}

func (c *checkpoint) encode() ([]byte, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode the checkpoint: %w", err)
	}
	return raw, nil
}

// decodeCheckpoint returns nil when raw is no checkpoint for this source: none, not
// readable, of another version, about other fields, or of another tenant.
func decodeCheckpoint(raw []byte, src *source) *checkpoint {
	var c checkpoint
	if len(raw) == 0 || json.Unmarshal(raw, &c) != nil || c.Version < 1 || c.Version > checkpointVersion {
		return nil
	}
	if c.Fields != src.digest() || len(c.Asked) == 0 || c.Asked[0].Question.Repair != nil {
		return nil
	}
	for _, e := range c.Asked {
		if e.Question.TenantID != src.schema.TenantID {
			return nil
		}
		for _, f := range e.Question.Source {
			if _, known := src.position[f.Name]; !known {
				return nil
			}
		}
	}
	return &c
}

// digest identifies the fields, whatever their order.
func (s *source) digest() string {
	parts := make([]string, len(s.fields))
	for i, f := range s.fields {
		parts[i] = fmt.Sprintf("%q:%q:%q", f.Name, f.Type, f.Format)
	}
	slices.Sort(parts)
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])
}

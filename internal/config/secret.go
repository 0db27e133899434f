package config

import (
	"fmt"
	"log/slog"
)

// masked is what a secret shows of itself. It has a fixed length, so that not even
// that leaks.
const masked = "********"

// Secret is a text that shows itself to nobody but Reveal: not to fmt with any verb,
// not to JSON, not to slog, and not to a %+v of a struct that holds it, for which the
// text lies behind a pointer. The zero Secret is empty.
type Secret struct{ text *string }

// NewSecret returns the secret of a text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal returns the text, for whom it is meant.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsEmpty says that there is no secret.
func (s Secret) IsEmpty() bool { return s.Reveal() == "" }

// Equal compares the texts.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String masks.
func (s Secret) String() string {
	if s.IsEmpty() {
		return ""
	}
	return masked
}

// Format masks under every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText masks, for JSON and everything else that encodes text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the plain text.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}

// LogValue masks.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

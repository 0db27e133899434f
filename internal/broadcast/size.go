package broadcast

import (
	"fmt"
	"strings"
)

const (
	// requestOverhead is what an HTTP request has beside the messages: request line
	// with the signature, headers, and the JSON around the batch. Names and ids come
	// on top.
	requestOverhead = 640
	// messageOverhead is the JSON around one message of a batch.
	messageOverhead = len(`{"channel":"","name":"","data":""},`)
)

// limits are a server's, as it counts.
type limits struct {
	data      int // of one event's data, UTF-8 bytes
	request   int // of a whole request, 0 for none
	overhead  int // of a request without messages
	encrypted bool
}

func newLimits(cfg Config) limits {
	return limits{
		data:      cfg.MaxBytes,
		request:   cfg.MaxRequestBytes,
		overhead:  requestOverhead + len(cfg.AppID) + len(cfg.Key) + len(cfg.Host),
		encrypted: cfg.Mode == ModeEncrypted,
	}
}

func (l limits) String() string {
	text := fmt.Sprintf("%d bytes an event", l.data)
	if l.request > 0 {
		text += fmt.Sprintf(" and %d bytes a request", l.request)
	}
	return text
}

// fit says whether the server takes a message on its own.
func (l limits) fit(m Message) bool {
	sent, inRequest := l.sizes(m)
	return sent <= l.data && (l.request == 0 || l.overhead+inRequest <= l.request)
}

// sizes returns the bytes of the data as the server counts it, and those that the
// message takes in a request.
func (l limits) sizes(m Message) (sent, inRequest int) {
	sent = len(m.Data)
	quoted := quotedLen(m.Data)
	if l.encrypted {
		sent = sealedLen(sent)
		quoted = sent + sealedQuotes
	}
	return sent, messageOverhead + len(m.Channel) + len(m.Name) + quoted
}

const (
	sealedFrame  = len(`{"nonce":"","ciphertext":""}`)
	sealedQuotes = 8  // quotation marks in the frame, each gets a backslash
	nonceLen     = 32 // base64 of 24 bytes
	boxOverhead  = 16 // the authenticator of NaCl's secretbox
)

// sealedLen is the length of n bytes after encryption, about 4/3 of it.
func sealedLen(n int) int {
	return sealedFrame + nonceLen + (n+boxOverhead+2)/3*4
}

// quotedLen is the length of s inside a JSON string as the client writes it: it
// escapes <, > and & too.
func quotedLen(s string) int {
	n := len(s)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"', c == '\\', c == '\n', c == '\r', c == '\t', c == '\b', c == '\f':
			n++
		case c < ' ', c == '<', c == '>', c == '&':
			n += len(`\u0000`) - 1
		}
	}
	// U+2028 and U+2029 take three bytes as they stand and six escaped.
	return n + 3*(strings.Count(s, "\u2028")+strings.Count(s, "\u2029"))
}

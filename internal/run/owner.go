package run

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
)

// maxHost keeps an owner within the 255 characters that a column for it has.
const maxHost = 128

// NewOwner names this process among all workers, ever: host:pid:random. The random
// part is what tells two containers apart whose host and pid are equal.
func NewOwner() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "unknown"
	}
	host = strings.ToValidUTF8(host[:min(len(host), maxHost)], "")
	return fmt.Sprintf("%s:%d:%s", host, os.Getpid(), rand.Text()[:12])
}

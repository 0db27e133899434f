package broadcast

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Driver is the kind of server, in the words of Laravel's BROADCAST_CONNECTION.
type Driver string

// The drivers. Soketi, Sockudo and Pusher itself are all DriverPusher.
const (
	DriverPusher Driver = "pusher"
	DriverReverb Driver = "reverb"
	DriverLog    Driver = "log"  // publishes nothing, logs what it would
	DriverNull   Driver = "null" // publishes nothing
)

// Mode says who may listen.
type Mode string

// The modes of channels.
const (
	ModePublic    Mode = "public"    // whoever knows the app key, which every browser does
	ModePrivate   Mode = "private"   // whom the app's auth endpoint admits
	ModeEncrypted Mode = "encrypted" // as private, and the server can not read the events
)

const (
	soketiMaxBytes   = 100 << 10
	pusherMaxBytes   = 10 << 10
	reverbMaxRequest = 10_000
	// leastMaxBytes holds the smallest form of an event with the longest names that
	// the app's columns take.
	leastMaxBytes = 4 << 10
	maxTemplates  = maxBatch
)

// Config describes the server and what is sent to it.
type Config struct {
	// Driver is the kind of server. Defaults to DriverPusher.
	Driver Driver
	// Mode has no default: an operator has to decide who may listen.
	Mode Mode
	// Templates adds channels to tenant.{tenant_id}.schemas, such as
	// user.{requested_by}.schemas. A channel whose {requested_by} is empty, or can
	// not be part of a name, is skipped. Defaults to none.
	Templates []string
	// MaxBytes limits the data of one event as the server counts it, in UTF-8 bytes
	// after encryption. Defaults to 102,400 (Soketi), or 10,240 for DriverReverb and
	// for Pusher's cloud, which is DriverPusher without Host.
	MaxBytes int
	// MaxRequestBytes limits a whole HTTP request; batches are split and events cut
	// to fit. Defaults to 10,000 for DriverReverb (REVERB_MAX_REQUEST_SIZE),
	// otherwise to no limit.
	MaxRequestBytes int
	// Samples keeps sample values in events. Defaults to false.
	Samples bool

	// AppID, Key and Secret are the app's credentials on the server.
	AppID, Key, Secret string
	// Host is a host name or address without scheme and port. Defaults to Pusher's
	// cloud, always over https.
	Host string
	// Port defaults to 443 with Secure, otherwise to 6001 (Soketi), or 8080 for
	// DriverReverb.
	Port int
	// Secure chooses https. Defaults to false.
	Secure bool
	// Cluster is of Pusher's cloud, used without Host. Defaults to "mt1".
	Cluster string
	// EncryptionKey is base64 of 32 bytes, the app's own key for encrypted channels.
	// It is needed for ModeEncrypted.
	EncryptionKey string

	// ConnectTimeout limits the dial and the TLS handshake, each. Defaults to 3 s.
	ConnectTimeout time.Duration
	// Timeout limits one request with its answer. Defaults to 3 s.
	Timeout time.Duration
}

// identifier is what app ids and keys are made of. The client puts both into URLs
// without escaping.
var identifier = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)

// resolve fills in the defaults and reports every problem at once.
func (c Config) resolve() (Config, error) {
	if c.Driver == "" {
		c.Driver = DriverPusher
	}
	cloud := c.Driver == DriverPusher && c.Host == ""
	c.Secure = c.Secure || cloud
	c.Cluster = orDefault(c.Cluster, "mt1")
	c.ConnectTimeout = orDefault(c.ConnectTimeout, 3*time.Second)
	c.Timeout = orDefault(c.Timeout, 3*time.Second)
	switch {
	case c.Driver == DriverReverb:
		c.MaxBytes = orDefault(c.MaxBytes, pusherMaxBytes)
		c.MaxRequestBytes = orDefault(c.MaxRequestBytes, reverbMaxRequest)
	case cloud:
		c.MaxBytes = orDefault(c.MaxBytes, pusherMaxBytes)
	default:
		c.MaxBytes = orDefault(c.MaxBytes, soketiMaxBytes)
	}
	switch {
	case c.Secure:
		c.Port = orDefault(c.Port, 443)
	case c.Driver == DriverReverb:
		c.Port = orDefault(c.Port, 8080)
	default:
		c.Port = orDefault(c.Port, 6001)
	}
	return c, errors.Join(c.eventProblems(), c.serverProblems())
}

// eventProblems checks what concerns rendering.
func (c Config) eventProblems() error {
	var problems []error
	switch c.Mode {
	case ModePublic, ModePrivate, ModeEncrypted:
	default:
		problems = append(problems, fmt.Errorf("channel mode %q is unknown; set BROADCAST_CHANNEL to public (what the existing "+
			"dashboard listens to; everybody with the app key can read), private or encrypted", c.Mode))
	}
	if c.MaxBytes < leastMaxBytes {
		problems = append(problems, fmt.Errorf("the limit of %d bytes an event is too small; set BROADCAST_MAX_BYTES to at least %d",
			c.MaxBytes, leastMaxBytes))
	}
	if c.MaxRequestBytes != 0 && c.MaxRequestBytes < leastMaxBytes+requestOverhead {
		problems = append(problems, fmt.Errorf("the limit of %d bytes a request is too small; allow at least %d",
			c.MaxRequestBytes, leastMaxBytes+requestOverhead))
	}
	if c.Mode == ModeEncrypted {
		problems = append(problems, encryptionKeyProblem(c.EncryptionKey))
	}
	return errors.Join(problems...)
}

// serverProblems checks what concerns publishing.
func (c Config) serverProblems() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	switch c.Driver {
	case DriverLog, DriverNull:
		return nil
	case DriverPusher, DriverReverb:
	default:
		add("broadcast driver %q is unknown; set BROADCAST_CONNECTION to pusher (also for Soketi), reverb, log or null", c.Driver)
	}
	variable := c.Driver.variable
	if !identifier.MatchString(c.AppID) {
		add("app id %q is empty or can not stand in a URL; set %s to letters, digits and . _ ~ -", c.AppID, variable("APP_ID"))
	}
	if !identifier.MatchString(c.Key) {
		add("the app key is empty or can not stand in a URL; set %s to letters, digits and . _ ~ -", variable("APP_KEY"))
	}
	if c.Secret == "" {
		add("the app secret is empty; set %s", variable("APP_SECRET"))
	}
	if strings.ContainsAny(c.Host, "/@?# ") || (strings.Contains(c.Host, ":") && net.ParseIP(c.Host) == nil) {
		add("host %q is no host name; set %s without scheme, port and path, such as soketi.example.com", c.Host, variable("HOST"))
	}
	if c.Host == "" && c.Driver == DriverReverb {
		add("the host of Reverb is empty; set REVERB_HOST")
	}
	if !identifier.MatchString(c.Cluster) {
		add("cluster %q is no cluster name; set PUSHER_APP_CLUSTER to one such as mt1 or eu", c.Cluster)
	}
	if c.Port < 1 || c.Port > 65535 {
		add("port %d is none; set %s to 1 to 65535", c.Port, variable("PORT"))
	}
	return errors.Join(problems...)
}

// address is the server's host:port, empty for Pusher's cloud, whose name the client
// makes from the cluster.
func (c Config) address() string {
	if c.Host == "" {
		return ""
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
}

// encryptionKeyProblem never quotes the key.
func encryptionKeyProblem(key string) error {
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return errors.New("the encryption key is not base64; set BROADCAST_ENCRYPTION_KEY to base64 of 32 bytes, " +
			"the same that the app authorises with")
	}
	if len(raw) != 32 {
		return fmt.Errorf("the encryption key has %d bytes instead of 32; set BROADCAST_ENCRYPTION_KEY to base64 of 32 bytes, "+
			"the same that the app authorises with", len(raw))
	}
	return nil
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

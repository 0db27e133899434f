package broadcast

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/pusher/pusher-http-go/v5"
)

// Publisher sends messages. It is safe for concurrent use.
type Publisher interface {
	// Publish sends messages, at most 10 in one request, and returns one result for
	// each, nil for those that the server took. Errors are *PublishError,
	// ErrNotTried, or of the network or ctx.
	Publish(ctx context.Context, messages []Message) []error
	// Check asks the server whether it is one and knows the credentials, nil when
	// both hold. It publishes nothing.
	Check(ctx context.Context) error
	// Close ends idle connections.
	Close()
}

// NewPublisher makes the publisher of cfg.Driver. It does not connect; Check does.
// Only DriverLog uses log, which may be nil.
func NewPublisher(cfg Config, log *slog.Logger) (Publisher, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, fmt.Errorf("configure broadcasting: %w", err)
	}
	if cfg.Driver == DriverLog || cfg.Driver == DriverNull {
		return silent{log: orDefault(log, slog.New(slog.DiscardHandler)), tell: cfg.Driver == DriverLog}, nil
	}
	base := newTransport(cfg)
	server, err := newServer(cfg, base)
	if err != nil {
		return nil, err
	}
	server.closeIdle = base.CloseIdleConnections
	return server, nil
}

// server publishes to a Pusher server.
type server struct {
	client    pusher.Client // copied for each call, never used itself
	transport http.RoundTripper
	cfg       Config
	limits    limits
	closeIdle func()
}

var (
	_ Publisher = (*server)(nil)
	_ Publisher = silent{}
)

func newServer(cfg Config, base http.RoundTripper) (*server, error) {
	s := &server{
		client: pusher.Client{
			AppID: cfg.AppID, Key: cfg.Key, Secret: cfg.Secret,
			Host: cfg.address(), Secure: cfg.Secure, Cluster: cfg.Cluster,
			OverrideMaxMessagePayloadKB: (cfg.MaxBytes + 1023) / 1024,
		},
		transport: transport{base: base},
		cfg:       cfg,
		limits:    newLimits(cfg),
		closeIdle: func() {},
	}
	if cfg.Mode == ModeEncrypted {
		s.client.EncryptionMasterKeyBase64 = cfg.EncryptionKey
		// The library parses the key on first use, without a lock. This call does it
		// before there are goroutines; copies of the client share the result.
		if _, err := s.client.AuthorizePrivateChannel([]byte("channel_name=private-encrypted-warm&socket_id=1.1")); err != nil {
			return nil, fmt.Errorf("configure broadcasting: prepare the encryption key: %w", err)
		}
	}
	return s, nil
}

// Publish sends messages in requests as large as the server takes. When it refuses
// a batch, the messages are sent one by one, so that one bad message costs only
// itself. After a failure that concerns the server nothing more is tried.
func (s *server) Publish(ctx context.Context, messages []Message) []error {
	p := newPublication(messages)
	for next := 0; next < len(messages); {
		var chunk []int
		chunk, next = p.chunk(next, s.limits)
		err := s.send(ctx, p, chunk)
		if len(chunk) > 1 && err != nil && classify(err) == refused {
			err = s.singly(ctx, p, chunk)
		}
		if err != nil && classify(err) != refused {
			p.fail(err)
			break
		}
	}
	return p.results
}

// Check asks for the channels of the app. It is the only request that tells on
// every server whether the credentials are right; the prefix keeps the answer small.
func (s *server) Check(ctx context.Context) error {
	prefix := "schemacast-check-"
	return s.call(ctx, func(client *pusher.Client) error {
		_, err := client.Channels(pusher.ChannelsParams{FilterByPrefix: &prefix})
		return err
	})
}

// Close ends idle connections.
func (s *server) Close() { s.closeIdle() }

// singly sends the messages of a refused batch one by one. It returns the failure
// that concerns the server, if any.
func (s *server) singly(ctx context.Context, p *publication, chunk []int) error {
	for _, index := range chunk {
		if p.held[p.messages[index].Stream] {
			continue
		}
		if err := s.send(ctx, p, []int{index}); err != nil && classify(err) != refused {
			return err
		}
	}
	return nil
}

// send is one request, and notes what became of it.
func (s *server) send(ctx context.Context, p *publication, chunk []int) error {
	if len(chunk) == 0 {
		return nil
	}
	batch := make([]pusher.Event, len(chunk))
	for i, index := range chunk {
		m := p.messages[index]
		batch[i] = pusher.Event{Channel: m.Channel, Name: m.Name, Data: m.Data}
	}
	err := s.call(ctx, func(client *pusher.Client) error {
		if len(batch) == 1 {
			return client.Trigger(batch[0].Channel, batch[0].Name, batch[0].Data)
		}
		_, err := client.TriggerBatch(batch)
		return err
	})
	if errors.Is(err, errVague) {
		// It counts where a Pusher server answers.
		err = s.Check(ctx)
	}
	p.note(chunk, err)
	return err
}

// call runs one request of the library under ctx and the timeout.
func (s *server) call(ctx context.Context, send func(*pusher.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	client := s.client
	client.HTTPClient = &http.Client{Transport: bound{ctx: ctx, base: s.transport}}
	err := send(&client)
	if err == nil {
		return nil
	}
	if answer, ok := errors.AsType[*PublishError](err); ok {
		answer.Driver = s.cfg.Driver
		return answer
	}
	if network, ok := errors.AsType[*url.Error](err); ok {
		// The *url.Error holds the signed URL, which can be replayed for ever.
		return fmt.Errorf("reach the Pusher server at %s: %w", s.where(), network.Err)
	}
	// What is left is the library's own check of the message.
	return &PublishError{Status: http.StatusBadRequest, Msg: err.Error(), Driver: s.cfg.Driver}
}

func (s *server) where() string {
	return orDefault(s.client.Host, "cluster "+s.cfg.Cluster)
}

// silent stands in for a server where broadcasting is switched off.
type silent struct {
	log  *slog.Logger
	tell bool
}

// Publish takes everything.
func (s silent) Publish(ctx context.Context, messages []Message) []error {
	for _, m := range messages {
		if s.tell {
			s.log.InfoContext(ctx, "event not published, the broadcast driver is log",
				slog.Int64("schema_id", m.Stream), slog.String("event", m.Name), slog.String("channel", m.Channel),
				slog.Int("bytes", len(m.Data)))
		}
	}
	return make([]error, len(messages))
}

// Check succeeds.
func (silent) Check(context.Context) error { return nil }

// Close does nothing.
func (silent) Close() {}

package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// nextPorts is how many ports a listener that may takes after the one it should.
const nextPorts = 100

// listener is an HTTP server that starts and stops once.
type listener struct {
	name     string // of the server, for errors: "health server"
	variable string // that its address comes from
	addr     string
	next     bool // a taken port is no error: the next free one will do
	logger   *slog.Logger
	http     *http.Server

	mu     sync.Mutex
	tcp    net.Listener
	served chan struct{}
}

func newListener(name, variable, addr string, handler http.Handler, logger *slog.Logger) *listener {
	return &listener{
		name: name, variable: variable, addr: addr, logger: logger, served: make(chan struct{}),
		http: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 2 * time.Second,
			ReadTimeout:       5 * time.Second,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       30 * time.Second,
			MaxHeaderBytes:    8 << 10,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		},
	}
}

// Start listens, so that a taken port is an error here, and serves until Stop.
func (l *listener) Start(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tcp != nil {
		return fmt.Errorf("start %s: it was started before", l.name)
	}
	tcp, err := l.listen(ctx)
	if err != nil {
		return fmt.Errorf("start %s on %s %s: %w; free the port or choose another", l.name, l.variable, l.addr, err)
	}
	l.tcp = tcp
	go func() {
		defer close(l.served)
		if err := l.http.Serve(tcp); !errors.Is(err, http.ErrServerClosed) {
			l.logger.Error("http server ended", "server", l.name, "error", err)
		}
	}()
	return nil
}

func (l *listener) listen(ctx context.Context) (net.Listener, error) {
	var config net.ListenConfig
	tcp, first := config.Listen(ctx, "tcp", l.addr)
	if !l.next || !errors.Is(first, syscall.EADDRINUSE) {
		return tcp, first
	}
	host, port, err := net.SplitHostPort(l.addr)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, first
	}
	for n := number + 1; n <= min(number+nextPorts, 65535); n++ {
		tcp, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(n)))
		if !errors.Is(err, syscall.EADDRINUSE) {
			return tcp, err
		}
	}
	return nil, first
}

// Addr returns the address that the server listens on, empty before Start.
func (l *listener) Addr() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tcp == nil {
		return ""
	}
	return l.tcp.Addr().String()
}

// Stop lets running requests end until ctx does, and cuts the rest.
func (l *listener) Stop(ctx context.Context) error {
	if l.Addr() == "" {
		return nil
	}
	err := l.http.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("stop %s: %w", l.name, errors.Join(err, l.http.Close()))
	}
	<-l.served
	return err
}

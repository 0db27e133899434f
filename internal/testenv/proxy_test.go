package testenv_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/testenv"
)

// startEcho returns the address of a server that answers with what it is sent, and
// tells what that was.
func startEcho(t *testing.T) (addr string, received <-chan string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	lines := make(chan string, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				buffer := make([]byte, 1024)
				for {
					n, err := conn.Read(buffer)
					if err != nil {
						return
					}
					lines <- string(buffer[:n])
					if _, err := conn.Write(buffer[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String(), lines
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// say sends a text and returns what comes back within limit.
func say(conn net.Conn, text string, limit time.Duration) (string, error) {
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	buffer := make([]byte, 1024)
	n, err := conn.Read(buffer)
	return string(buffer[:n]), err
}

func TestProxyCutsAndRestores(t *testing.T) {
	t.Parallel()
	addr, _ := startEcho(t)
	p := testenv.StartProxy(t, addr)
	conn := dial(t, p.Addr)
	if got, err := say(conn, "one", timeout); got != "one" || err != nil {
		t.Fatalf("through the proxy: %q, %v", got, err)
	}
	p.Cut()
	if got, err := say(conn, "two", timeout); err == nil {
		t.Errorf("a cut connection answered %q", got)
	}
	if refused, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Addr); err == nil {
		_ = refused.Close()
		t.Error("a cut proxy took a connection")
	}
	p.Restore()
	if got, err := say(dial(t, p.Addr), "three", timeout); got != "three" || err != nil {
		t.Errorf("after Restore: %q, %v", got, err)
	}
}

func TestProxyLosesAnswers(t *testing.T) {
	t.Parallel()
	addr, received := startEcho(t)
	p := testenv.StartProxy(t, addr)
	conn := dial(t, p.Addr)
	if _, err := say(conn, "zero", timeout); err != nil {
		t.Fatal(err)
	}
	<-received

	p.Truncate(0)
	if got, err := say(conn, "one", timeout); !errors.Is(err, io.EOF) {
		t.Errorf("a truncated answer is %q, %v", got, err)
	}
	if got := <-received; got != "one" {
		t.Errorf("the server got %q", got)
	}
	p.Restore()

	conn = dial(t, p.Addr)
	p.Swallow()
	if got, err := say(conn, "two", 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a swallowed answer is %q, %v", got, err)
	}
	if got := <-received; got != "two" {
		t.Errorf("the server got %q", got)
	}
	p.Restore()

	p.Hold()
	conn = dial(t, p.Addr)
	if got, err := say(conn, "three", 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a held request was answered with %q, %v", got, err)
	}
	select {
	case got := <-received:
		t.Errorf("the server got %q", got)
	default:
	}
}

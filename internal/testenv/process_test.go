package testenv_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/testenv"
)

// envHang makes TestHang start a Redis and wait to be killed.
const envHang = "SCHEMACAST_TESTENV_HANG"

func TestHang(t *testing.T) {
	if os.Getenv(envHang) == "" {
		t.Skip("not a test: TestServersDieWithAKilledTestBinary runs it in a process of its own")
	}
	t.Parallel()
	_, _ = fmt.Fprintln(os.Stdout, "redis "+testenv.Redis(t))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestServersDieWithAKilledTestBinary(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can end a child with its parent")
	}
	testenv.Redis(t) // skips where there is none
	binary, addr := startHang(t)
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()

	if err := binary.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		t.Fatal(err)
	}
	// The connection ends when the Redis at its other end does.
	if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the Redis of a killed test binary still runs after %v", timeout)
	}
}

// startHang runs TestHang in another process and returns the address of its Redis.
func startHang(t *testing.T) (binary *exec.Cmd, addr string) {
	t.Helper()
	binary = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHang$")
	binary.Env = append(os.Environ(), envHang+"=1")
	if _, err := binary.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := binary.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := binary.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = binary.Wait() })
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if found, ok := strings.CutPrefix(lines.Text(), "redis "); ok {
			return binary, found
		}
	}
	t.Fatal("the process ended before it had a Redis")
	return nil, ""
}

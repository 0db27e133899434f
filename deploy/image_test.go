package deploy

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/schemacast/schemacast/internal/testenv"
)

// dockerfile is the Dockerfile as instructions, continued lines joined, by stage.
func dockerfile(t *testing.T) (stages [][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	comments := regexp.MustCompile(`(?m)^#.*\n`)
	joined := strings.ReplaceAll(comments.ReplaceAllString(string(text), ""), "\\\n", "")
	for line := range strings.Lines(joined) {
		line = strings.Join(strings.Fields(line), " ")
		switch {
		case line == "":
		case strings.HasPrefix(line, "FROM "):
			stages = append(stages, []string{line})
		default:
			last := len(stages) - 1
			stages[last] = append(stages[last], line)
		}
	}
	return stages
}

// The image holds the two programs and the certificates, and nothing in it runs as
// root or needs a shell.
func TestImage(t *testing.T) {
	t.Parallel()
	stages := dockerfile(t)
	if len(stages) != 2 || !strings.HasSuffix(stages[0][0], " AS build") {
		t.Fatalf("stages %q, want a build and an image", stages)
	}
	want := []string{
		"FROM scratch",
		"COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
		"COPY --from=build /out/worker /out/enqueue /",
		"USER 65532:65532",
		`HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/worker", "-healthcheck"]`,
		"STOPSIGNAL SIGTERM",
		`ENTRYPOINT ["/worker"]`,
	}
	if diff := cmp.Diff(want, stages[1]); diff != "" {
		t.Errorf("the image (-want +got):\n%s", diff)
	}
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	release := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindStringSubmatch(string(module))[1]
	if !strings.Contains(stages[0][0], " golang:"+release+"-") {
		t.Errorf("the build is %q, go.mod wants Go %s", stages[0][0], release)
	}
}

// copyContext copies what .dockerignore lets through: folders, and files with an extension.
func copyContext(to string) error {
	text, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		name, included := strings.CutPrefix(strings.TrimSpace(line), "!")
		if !included {
			continue
		}
		source, target := filepath.Join(root, name), filepath.Join(to, name)
		if filepath.Ext(name) == "" {
			err = os.CopyFS(target, os.DirFS(source))
		} else {
			err = copyFile(target, source)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(target, source string) error {
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	return os.WriteFile(target, content, 0o600)
}

var buildCommand = regexp.MustCompile(`(?s)CGO_ENABLED=0 .*?\./cmd/\.\.\.`)

// build runs the go build of the Dockerfile in the folder context, into the folder out.
func build(context, out string) error {
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		return err
	}
	command := strings.Replace(buildCommand.FindString(string(text)), "/out/", "$OUT/", 1)
	cmd := exec.Command("sh", "-ec", command)
	cmd.Dir = context
	cmd.Env = append(os.Environ(), "OUT="+out, "COMMIT=0123456789ab", "TARGETOS="+runtime.GOOS, "TARGETARCH="+runtime.GOARCH)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, said)
	}
	return nil
}

// container is a root folder with the two programs alone, as the image has it.
type container struct {
	t    *testing.T
	root string
}

// TestEmptyRoot builds as the Dockerfile does, from what .dockerignore lets through, and
// runs the programs where there is nothing else.
func TestEmptyRoot(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		const reason = "an empty root folder needs chroot, which only root may do, on Linux"
		if os.Getenv("CI") == "true" {
			t.Fatal(reason + "; run CI as root")
		}
		t.Skip(reason)
	}
	context, out := t.TempDir(), t.TempDir()
	if err := errors.Join(copyContext(context), build(context, out)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]func(*testing.T, container){
		"programs": programsNeedNothingElse, "services": imageReachesItsServices,
	} {
		t.Run(name, func(t *testing.T) { test(t, newContainer(t, out)) })
	}
}

func newContainer(t *testing.T, programs string) container {
	t.Helper()
	c := container{t: t, root: t.TempDir()}
	for _, name := range []string{"worker", "enqueue"} {
		if err := os.Link(filepath.Join(programs, name), filepath.Join(c.root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// certificates puts the authorities where the Dockerfile does.
func (c container) certificates(authorities []byte) {
	c.t.Helper()
	target := filepath.Join(c.root, "etc/ssl/certs/ca-certificates.crt")
	if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, authorities, 0o644)); err != nil {
		c.t.Fatal(err)
	}
}

// run runs a program of the image as its user, with no other files and variables.
func (c container) run(variables map[string]string, program string, args ...string) (code int, output string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/"+program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/"}
	for name, value := range variables {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Fatalf("run %s in an empty root: %v", program, err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func (c container) want(code int, text string, variables map[string]string, program string, args ...string) {
	c.t.Helper()
	gotCode, output := c.run(variables, program, args...)
	if gotCode != code || !strings.Contains(output, text) {
		c.t.Errorf("%s %s: exit code %d, want %d and %q in:\n%s", program, strings.Join(args, " "), gotCode, code, text, output)
	}
}

// serve starts a web server and returns its host:port.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func programsNeedNothingElse(t *testing.T, c container) {
	c.want(0, "0123456789ab", nil, "worker", "--version")
	c.want(0, "0123456789ab", nil, "enqueue", "--version")
	c.want(78, "DB_DATABASE is not set", nil, "worker")

	offline := map[string]string{
		"DB_HOST": "127.0.0.1", "DB_DATABASE": "app", "DB_USERNAME": "app", "BROADCAST_CONNECTION": "null", "ANALYSIS_ENGINE": "offline",
	}
	c.want(0, "ANALYSIS_ENGINE", offline, "worker", "config")

	alive := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/livez" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	c.want(0, "", map[string]string{"HEALTH_ADDR": alive}, "worker", "-healthcheck")
	_, port, err := net.SplitHostPort(alive)
	if err != nil {
		t.Fatal(err)
	}
	c.want(0, "", map[string]string{"HEALTH_ADDR": ":" + port}, "worker", "-healthcheck")
	dead := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	c.want(1, "not alive", map[string]string{"HEALTH_ADDR": dead}, "worker", "-healthcheck")
	c.want(1, "no worker answers", map[string]string{"HEALTH_ADDR": "127.0.0.1:1"}, "worker", "-healthcheck")
}

// A worker reaches every service, and trusts the certificates that the Dockerfile
// copies.
func imageReachesItsServices(t *testing.T, c container) {
	soketi := testenv.Soketi(t)
	model := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"choices":[{"finish_reason":"stop","message":{"content":"{\"ok\":true}"}}]}`)
	}))
	model.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that does not trust it is meant
	model.StartTLS()
	t.Cleanup(model.Close)
	variables := map[string]string{
		"DB_URL": testenv.Postgres(t), "REDIS_URL": "redis://" + testenv.Redis(t),
		"BROADCAST_CONNECTION": "pusher", "BROADCAST_CHANNEL": "public", "PUSHER_APP_ID": soketi.AppID, "PUSHER_APP_KEY": soketi.Key,
		"PUSHER_APP_SECRET": soketi.Secret, "PUSHER_HOST": soketi.Host, "PUSHER_PORT": strconv.Itoa(soketi.Port), "PUSHER_SCHEME": "http",
		"OPENAI_BASE_URL": model.URL + "/v1", "OPENAI_API_KEY": "sk-test",
	}
	c.want(0, "version", variables, "worker", "migrate", "--with-app-tables")
	c.want(1, "the server's certificate is not trusted", variables, "worker", "check")
	c.certificates(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: model.Certificate().Raw}))
	c.want(0, "answers", variables, "worker", "check")
}

// The context of the build is small and has no secret in it.
func TestBuildContext(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 || lines[0] != "*" || slices.ContainsFunc(lines[1:], func(l string) bool { return !strings.HasPrefix(l, "!") }) {
		t.Errorf(".dockerignore is %q; it lets nothing through but what it names", lines)
	}
	if slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "!.") }) {
		t.Errorf(".dockerignore lets hidden files through: %q", lines)
	}
}

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/schemacast/schemacast/internal/llm/llmtest"
	"github.com/schemacast/schemacast/internal/testenv"
)

// The tests of files named laravel_* run a real Laravel application, e2e/laravel/app on
// Debian's framework, with our Composer package. It stands for the existing app: its
// models, its ingestion route, the queries of its dashboard.

// laravel is an installation with that application on it.
type laravel struct {
	*ground
	dir string // of the installed application
	url string // of its server
}

// frameworkFile is where Debian's php-laravel-framework puts the framework.
const frameworkFile = "/usr/share/php/Illuminate/autoload.php"

// php finds the interpreter, or ends the test where something of it is missing.
func php(t *testing.T) string {
	t.Helper()
	binary, err := exec.LookPath("php")
	if err != nil {
		testenv.Need(t, "php is not in PATH")
	}
	if _, err := os.Stat(frameworkFile); err != nil {
		testenv.Need(t, "php-laravel-framework is not installed")
	}
	if missing := phpLacks(); missing != "" {
		testenv.Need(t, "php has no "+missing)
	}
	return binary
}

var phpLacks = sync.OnceValue(func() string {
	const ask = `foreach (["redis", "pdo_pgsql", "mbstring", "openssl"] as $e) if (!extension_loaded($e)) die($e); @include "Predis/autoload.php"; if (!class_exists("Predis\\Client")) echo "Predis";`
	out, err := exec.Command("php", "-d", "include_path=/usr/share/php", "-r", ask).Output()
	if err != nil {
		return "way to run: " + err.Error()
	}
	return string(out)
})

// newLaravel installs the application beside the programs, over the app's tables and
// ours, and starts its server.
func newLaravel(t *testing.T, soketi testenv.SoketiApp, script ...llmtest.Step) *laravel {
	t.Helper()
	binary := php(t)
	app := &laravel{ground: newGround(t, soketi, script...)}
	app.install()
	app.serve(binary)
	return app
}

// install copies the application, as a checkout of it, and writes what Composer
// would: vendor/autoload.php and the list of packages by which Laravel discovers ours.
func (a *laravel) install() {
	a.t.Helper()
	a.dir = filepath.Join(a.t.TempDir(), "app")
	if err := os.CopyFS(a.dir, os.DirFS("laravel/app")); err != nil {
		a.t.Fatal(err)
	}
	for _, dir := range []string{"vendor/composer", "storage/logs", "storage/framework/views", "bootstrap/cache"} {
		if err := os.MkdirAll(filepath.Join(a.dir, dir), 0o750); err != nil {
			a.t.Fatal(err)
		}
	}
	a.write("vendor/autoload.php", fmt.Sprintf("<?php\n\n$vendor = __DIR__;\nrequire %q;\n", a.absolute("laravel/autoload.php")))
	a.write("vendor/composer/installed.json", string(a.installedPackages()))
	a.configure()
}

// installedPackages is vendor/composer/installed.json with our package as Composer
// lists one that a folder holds.
func (a *laravel) installedPackages() []byte {
	a.t.Helper()
	dir := a.absolute("../laravel")
	text, err := os.ReadFile(filepath.Join(dir, "composer.json"))
	if err != nil {
		a.t.Fatal(err)
	}
	manifest := decode[map[string]any](a.t, text)
	manifest["install-path"] = dir
	encoded, err := json.Marshal(map[string]any{"packages": []any{manifest}})
	if err != nil {
		a.t.Fatal(err)
	}
	return encoded
}

// configure writes the app's .env. Its own names are what the worker reads as well, so
// that both are sure to mean the same servers.
func (a *laravel) configure() {
	a.t.Helper()
	if dsn := a.env["DB_URL"]; dsn != "" {
		u, err := url.Parse(dsn)
		if err != nil {
			a.t.Fatal(err)
		}
		password, _ := u.User.Password()
		a.with("DB_URL", "", "DB_CONNECTION", "pgsql", "DB_HOST", u.Hostname(), "DB_PORT", u.Port(),
			"DB_DATABASE", strings.TrimPrefix(u.Path, "/"), "DB_USERNAME", u.User.Username(), "DB_PASSWORD", password)
		host, port, _ := strings.Cut(a.server.Addr, ":")
		a.with("REDIS_URL", "", "REDIS_HOST", host, "REDIS_PORT", port)
	}
	var lines []string
	for name, value := range a.env {
		lines = append(lines, name+"="+value)
	}
	slices.Sort(lines)
	lines = append(lines, "APP_KEY=base64:"+appKey, "APP_URL=http://localhost")
	a.write(".env", strings.Join(lines, "\n")+"\n")
}

// appKey is any 32 bytes.
const appKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// with sets variables of both the app and the programs. The app reads them at its next
// request.
func (a *laravel) with(pairs ...string) {
	for pair := range slices.Chunk(pairs, 2) {
		a.env[pair[0]] = pair[1]
	}
}

func (a *laravel) write(name, content string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(content), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *laravel) absolute(path string) string {
	a.t.Helper()
	absolute, err := filepath.Abs(path)
	if err != nil {
		a.t.Fatal(err)
	}
	return absolute
}

// phpCommand runs PHP in the application's folder, with nothing of the environment
// that could stand before its .env.
func (a *laravel) phpCommand(binary string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary, append([]string{"-d", "opcache.enable_cli=1", "-d", "display_errors=stderr"}, args...)...)
	cmd.Dir = a.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return cmd
}

var phpAddress = regexp.MustCompile(`Development Server \((http://127\.0\.0\.1:[1-9][0-9]*)\) started`)

// serve starts PHP's own web server on a free port.
func (a *laravel) serve(binary string) {
	a.t.Helper()
	cmd := a.phpCommand(binary, "-S", "127.0.0.1:0", "-t", "public", "public/index.php")
	log := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	a.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if a.t.Failed() {
			a.t.Logf("log of the application's server:\n%s\nlog of the application:\n%s", log, a.log())
		}
	})
	await(a.t, "the application's server listens", func() bool {
		match := phpAddress.FindStringSubmatch(log.String())
		if match == nil {
			return false
		}
		a.url = match[1]
		return true
	})
}

// log is what the application logged.
func (a *laravel) log() string {
	text, err := os.ReadFile(filepath.Join(a.dir, "storage/logs/laravel.log"))
	if err != nil {
		return "(nothing)"
	}
	const enough = 8 << 10
	return string(text[:min(len(text), enough)])
}

// artisan runs a command of the application to its end.
func (a *laravel) artisan(args ...string) output {
	a.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := a.phpCommand("php", append([]string{"artisan", "--no-ansi"}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		a.t.Fatal(err)
	}
	return output{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// wantArtisan runs a command and wants an exit code and a text in what it prints.
func (a *laravel) wantArtisan(code int, text string, args ...string) output {
	a.t.Helper()
	o := a.artisan(args...)
	if o.code != code || !strings.Contains(o.stdout+o.stderr, text) {
		a.t.Fatalf("artisan %s: exit %d, want %d and %q\nstdout: %s\nstderr: %s", strings.Join(args, " "), o.code, code, text, o.stdout, o.stderr)
	}
	return o
}

// user is somebody who is logged in.
type user struct {
	ID    int64  `json:"id"`
	Token string `json:"token"`
}

// addUser adds a user of a tenant, a landlord without one.
func (a *laravel) addUser(tenant string) user {
	a.t.Helper()
	args := []string{"app:user"}
	if tenant != "" {
		args = append(args, "--", tenant)
	}
	return decode[user](a.t, []byte(a.wantArtisan(0, "token", args...).stdout))
}

// request asks the application, as a user when there is one, and wants a status.
func (a *laravel) request(status int, method, path string, who user, body any) []byte {
	a.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, bytes.NewReader(encoded))
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if who.Token != "" {
		request.Header.Set("Authorization", "Bearer "+who.Token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if response.StatusCode != status {
		a.t.Fatalf("%s %s: status %d, want %d: %.2000s", method, path, response.StatusCode, status, answer)
	}
	return answer
}

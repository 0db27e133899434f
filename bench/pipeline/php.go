package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// errNoPHP says that PHP or its framework is missing.
var errNoPHP = errors.New("no PHP with Laravel here; Debian's packages php-cli, php-laravel-framework, php-guzzlehttp-guzzle, php-curl and php-pgsql have it")

func havePHP() error {
	_, err := exec.LookPath("php")
	for _, library := range []string{"Illuminate", "GuzzleHttp"} {
		if err == nil {
			_, err = os.Stat("/usr/share/php/" + library + "/autoload.php")
		}
	}
	if err != nil {
		return errNoPHP
	}
	return nil
}

// phpSide is the queue worker of the application that the service replaces.
type phpSide struct {
	*ground
	root string // of the sources of this project
	dir  string // of the installed application
}

// newPHP installs the application: that of e2e/laravel, and the folder php over it.
func (g *ground) newPHP(ctx context.Context) (*phpSide, error) {
	if err := havePHP(); err != nil {
		return nil, err
	}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return nil, fmt.Errorf("find the sources of %s: %w; run it inside of them", module, err)
	}
	p := &phpSide{ground: g, root: strings.TrimSpace(string(root)), dir: filepath.Join(g.dir, "app")}
	if err := os.RemoveAll(p.dir); err != nil { // of another section
		return nil, err
	}
	if err := os.CopyFS(p.dir, os.DirFS(filepath.Join(p.root, "e2e/laravel/app"))); err != nil {
		return nil, err
	}
	for _, dir := range strings.Fields(
		"vendor/composer app/Jobs app/Events storage/logs storage/framework/cache/data storage/framework/views bootstrap/cache") {
		if err := os.MkdirAll(filepath.Join(p.dir, dir), 0o750); err != nil {
			return nil, err
		}
	}
	for from, to := range map[string]string{
		"Jobs/AnalyzeSchemaJob.php": "app/Jobs/AnalyzeSchemaJob.php", "Events/SchemaAnalysis.php": "app/Events/SchemaAnalysis.php",
		"Pusher.php": "app/Pusher.php", "queue.php": "config/queue.php",
		"console.php": "routes/console.php", "autoload.php": "vendor/autoload.php",
	} {
		text, err := os.ReadFile(filepath.Join(p.root, "bench/pipeline/php", from))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(p.dir, to), text, 0o600); err != nil {
			return nil, err
		}
	}
	// Its channels are authorised by our package, which is not here.
	if err := os.WriteFile(filepath.Join(p.dir, "routes/channels.php"), []byte("<?php\n"), 0o600); err != nil {
		return nil, err
	}
	return p, os.WriteFile(filepath.Join(p.dir, "vendor/composer/installed.json"), []byte(`{"packages":[]}`), 0o600)
}

// configure writes the application's .env for a site.
func (p *phpSide) configure(s *site) error {
	address, err := url.Parse(p.dsn(s.database))
	if err != nil {
		return err
	}
	password, _ := address.User.Password()
	redisHost, redisPort, _ := strings.Cut(p.redisAddr, ":")
	soketiHost, soketiPort, _ := strings.Cut(p.soketi, ":")
	lines := []string{
		"APP_ENV=production", "APP_KEY=base64:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "APP_URL=http://localhost", "LOG_LEVEL=error",
		"DB_CONNECTION=pgsql", "DB_HOST=" + address.Hostname(), "DB_PORT=" + address.Port(), "DB_DATABASE=" + s.database,
		"DB_USERNAME=" + address.User.Username(), "DB_PASSWORD=" + password,
		"REDIS_HOST=" + redisHost, "REDIS_PORT=" + redisPort, "BENCH_MODEL_URL=" + p.model.url,
		"BROADCAST_CONNECTION=pusher", "PUSHER_APP_ID=" + soketiApp, "PUSHER_APP_KEY=" + soketiKey, "PUSHER_APP_SECRET=" + soketiSecret,
		"PUSHER_HOST=" + soketiHost, "PUSHER_PORT=" + soketiPort, "PUSHER_SCHEME=http",
	}
	return os.WriteFile(filepath.Join(p.dir, ".env"), []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

func (p *phpSide) artisan(ctx context.Context, args ...string) *exec.Cmd {
	php := []string{"-d", "opcache.enable_cli=1", "-d", "display_errors=stderr", "artisan", "--no-ansi"}
	cmd := exec.CommandContext(ctx, "php", append(php, args...)...)
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return cmd
}

// jobs is the queue's table as Laravel's migration makes it.
const jobs = `CREATE TABLE IF NOT EXISTS jobs (
	id bigserial PRIMARY KEY, queue varchar(255) NOT NULL, payload text NOT NULL, attempts smallint NOT NULL,
	reserved_at integer, available_at integer NOT NULL, created_at integer NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_queue_index ON jobs (queue)`

func (p *phpSide) enqueue(ctx context.Context, s *site) error {
	if err := p.configure(s); err != nil {
		return err
	}
	if _, err := s.db.Exec(ctx, jobs); err != nil {
		return err
	}
	out, err := p.artisan(ctx, "bench:dispatch", fmt.Sprint(s.first), fmt.Sprint(s.last())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("dispatch: %w: %s", err, out)
	}
	return nil
}

func (p *phpSide) command(ctx context.Context, _ *site) (*exec.Cmd, error) {
	return p.artisan(ctx, "queue:work", "--tries=3", "--timeout=90", "--sleep=3"), nil
}

// Enqueue asks for analyses: of schemas in the database, of files whose shape it
// stores first, as the app's ingestion would, and again of what failed. It shows how
// analyses went, and cancels them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/schemacast/schemacast/internal/buildinfo"
	"github.com/schemacast/schemacast/internal/config"
	"github.com/schemacast/schemacast/internal/run"
	"github.com/schemacast/schemacast/internal/store"
	"github.com/schemacast/schemacast/internal/task"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	// exitInterrupted is that of a shell for a command that Ctrl-C ended.
	exitInterrupted = 130
)

type cli struct {
	EnvFile string           `default:".env" placeholder:"PATH" help:"File of variables, as the Laravel app has it."`
	JSON    bool             `name:"json" help:"Print one JSON document a line on standard output."`
	Version kong.VersionFlag `help:"Print version and commit."`

	Schema     schemaCmd                 `cmd:"" help:"Ask for the analysis of schemas that are in the database."`
	File       fileCmd                   `cmd:"" help:"Store the shape of files and ask for its analysis."`
	Status     statusCmd                 `cmd:"" help:"Show where schemas stand: their runs and the attempts of each."`
	Cancel     cancelCmd                 `cmd:"" help:"End analyses that have not ended."`
	Retry      retryCmd                  `cmd:"" help:"Ask again for analyses that failed."`
	Backfill   backfillCmd               `cmd:"" help:"Ask for the analysis of all schemas that wait or failed, however many."`
	Completion kongcompletion.Completion `cmd:"" help:"Say how to switch on completion in bash, zsh or fish."`
}

// Help is shown by --help.
func (cli) Help() string {
	return `Examples:

  enqueue file customers.csv --tenant Globex --wait
  enqueue file customers.csv --create-tenant "Globex Ltd"
  zcat export.ndjson.gz | enqueue file - --tenant Globex --name export
  enqueue schema 12 15 --wait
  enqueue --json schema 12 --wait | jq .standing.entity
  enqueue status 12
  enqueue cancel 12
  enqueue retry --failed --code llm_unavailable --since 2h
  enqueue backfill --tenant Globex --dry-run
  enqueue backfill --rate 200/s --max-pending 20000 --watch

Database and Redis come from the variables of the Laravel app, or its .env file.`
}

// app is what commands work with. Results go to stdout, everything else to stderr.
type app struct {
	environ        []string
	envFile        string
	json           bool
	stdin          io.Reader
	stdout, stderr io.Writer
	// requester stays on the runs that this command asks for.
	requester string

	store    *store.Store
	redis    redis.UniversalClient
	producer *task.Producer
	close    []func() error
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	// What it has to say comes with the error.
	redis.SetLogger(run.RedisLog{Logger: slog.New(slog.DiscardHandler)})
	a := &app{environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, requester: requester()}
	code := a.main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func (a *app) main(ctx context.Context, args []string) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c, kong.Name("enqueue"), kong.Description("Asks for the analysis of schemas."),
		kong.Writers(a.stdout, a.stderr),
		kong.Vars{
			"version": "enqueue " + buildinfo.String(),
			"queue":   task.QueueInteractive, "backfill": task.QueueBackfill, "queues": strings.Join(task.Queues(), ","),
		},
		kong.Exit(func(code int) { exit = code }), kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		a.note("%s", err)
		return exitFailed
	}
	kongcompletion.Register(parser)
	parsed, err := parser.Parse(args)
	if exit >= 0 {
		return exit // --help and --version
	}
	if err != nil {
		a.note("%s; see `enqueue --help`", err)
		return exitUsage
	}
	a.envFile, a.json = c.EnvFile, c.JSON
	return a.exitCode(errors.Join(parsed.Run(a), a.disconnect()))
}

func (a *app) exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	var usage *usageError
	switch {
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.As(err, &usage):
		a.note("%s", err)
		return exitUsage
	case !errors.Is(err, errUnfinished):
		a.note("%s", err)
	}
	var wrong *config.Error
	if errors.As(err, &wrong) {
		return wrong.ExitCode()
	}
	return exitFailed
}

// connect opens what every command needs. It is called after the input was checked,
// so that a typing error costs no connection.
func (a *app) connect(ctx context.Context) error {
	cfg, err := config.Load(config.Source{Environ: a.environ, DotEnv: a.envFile}, config.Producer()...)
	if err != nil {
		return err
	}
	dsn := cfg.Database.Name
	if cfg.Database.Driver == config.PostgreSQL {
		dsn = cfg.Database.PostgresDSN().Reveal()
	}
	if a.store, err = store.Open(ctx, store.Config{Dialect: cfg.Database.Driver, DSN: dsn, MaxConns: 4}); err != nil {
		return err
	}
	a.close = append(a.close, a.store.Close)
	if err := a.store.CheckTables(ctx); err != nil {
		return err
	}
	a.redis = newRedis(cfg.Redis.Options())
	a.close = append(a.close, a.redis.Close)
	a.producer, err = task.NewProducer(a.redis, task.ProducerConfig{Name: "enqueue/" + buildinfo.Version()})
	return err
}

// newRedis returns a client that gives up after seconds, unlike a worker's: somebody
// waits for the answer, and nothing is lost.
func newRedis(opts redis.UniversalOptions) redis.UniversalClient {
	opts.MaxRetries, opts.DialerRetries = 1, 1
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewUniversalClient(&opts)
}

func (a *app) disconnect() error {
	var err error
	for _, f := range a.close {
		err = errors.Join(err, f())
	}
	return err
}

// note tells the user something that is not the result.
func (a *app) note(format string, args ...any) {
	// Errors hold names that strangers chose, and some have several lines.
	lines := strings.Split(fmt.Sprintf(format, args...), "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	_, _ = fmt.Fprintln(a.stderr, "enqueue: "+strings.Join(lines, "\n"))
}

// requester names who runs the command, for the history of runs.
func requester() string {
	if u, err := user.Current(); err == nil {
		return "cli:" + u.Username
	}
	return "cli"
}

// Worker runs the AnalyzeSchema workers, and the few commands that an operator needs
// beside them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
	"github.com/redis/go-redis/v9"

	"github.com/schemacast/schemacast/internal/buildinfo"
	"github.com/schemacast/schemacast/internal/config"
	"github.com/schemacast/schemacast/internal/run"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// cli is the command line. Whatever a flag can say, a variable can too; see
// docs/configuration.md.
type cli struct {
	EnvFile     string           `default:".env" placeholder:"PATH" help:"File of variables, as the Laravel app has it."`
	Healthcheck bool             `help:"Ask the worker on HEALTH_ADDR whether it is alive, and exit 0 if so: for images without a shell."`
	Version     kong.VersionFlag `help:"Print version and commit."`

	Run        runCmd                    `cmd:"" default:"withargs" help:"Run the worker until SIGTERM or Ctrl-C (the default)."`
	Migrate    migrateCmd                `cmd:"" help:"Bring the schemacast_ tables to the version of this program."`
	Check      checkCmd                  `cmd:"" help:"Try every part that a worker needs, and say which are fine."`
	Config     configCmd                 `cmd:"" help:"Print the effective configuration, without secrets."`
	Erase      eraseCmd                  `cmd:"" help:"Delete what the schemacast_ tables hold of a tenant."`
	Completion kongcompletion.Completion `cmd:"" help:"Say how to switch on completion in bash, zsh or fish."`
}

// Help is shown by --help.
func (cli) Help() string {
	return `Examples:

  worker check                       Are database, Redis, Soketi and model fine?
  worker migrate                     Make or update our tables.
  worker                             Work until Ctrl-C.
  worker run --embedded --demo       See it work, with nothing installed.

All settings are variables: see docs/configuration.md, and "worker config" for those in force.`
}

// program is what commands work with.
type program struct {
	environ        []string
	envFile        string
	overrides      map[string]string
	stdout, stderr io.Writer
}

// load reads the configuration that a command needs, and prints its warnings.
func (p *program) load(needs ...config.Need) (*config.Config, error) {
	cfg, err := config.Load(config.Source{Environ: p.environ, DotEnv: p.envFile, Overrides: p.overrides}, needs...)
	if err != nil {
		return nil, err
	}
	for _, warning := range cfg.Warnings {
		_, _ = fmt.Fprintln(p.stderr, "warning:", warning)
	}
	return cfg, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal finds the default handling again, and kills.
	context.AfterFunc(ctx, stop)
	// What it has to say comes with the errors; a running worker logs it as well.
	redis.SetLogger(run.RedisLog{Logger: slog.New(slog.DiscardHandler)})
	code := execute(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func execute(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c, kong.Name("worker"), kong.Description("Runs the AnalyzeSchema workers of Schemacast."),
		kong.Writers(stdout, stderr), kong.Vars{"version": "worker " + buildinfo.String()},
		kong.Exit(func(code int) { exit = code }), kong.BindTo(ctx, (*context.Context)(nil)), kong.UsageOnError())
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "worker:", err)
		return exitFailed
	}
	kongcompletion.Register(parser)
	parsed, err := parser.Parse(dashes(args))
	if exit >= 0 {
		return exit // --help and --version
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "worker:", err)
		return exitUsage
	}
	p := &program{environ: environ, envFile: c.EnvFile, stdout: stdout, stderr: stderr}
	if c.Healthcheck {
		err = healthcheck(ctx, p)
	} else {
		err = parsed.Run(p)
	}
	return exitCode(err, stderr)
}

// dashes accepts -healthcheck, as Go's own flags are written.
func dashes(args []string) []string {
	out := make([]string, len(args))
	for i, arg := range args {
		if arg == "-healthcheck" || arg == "-version" {
			arg = "-" + arg
		}
		out[i] = arg
	}
	return out
}

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintln(stderr, "worker:", err)
	var wrong *config.Error
	if errors.As(err, &wrong) {
		return wrong.ExitCode()
	}
	return exitFailed
}

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/configuration"
)

const usage = `entrypoint starts the application with its variables.

usage: entrypoint [FLAGS] -- COMMAND [ARGUMENT…]

If CONFIG_SECRET_ID names a secret, the variables are the keys of its JSON object; otherwise they are read from .env, if
it exists. If DATABASE_SECRET_ARN is set, DATABASE_URL is built from that secret and from DATABASE_HOST, DATABASE_PORT,
DATABASE_NAME, DATABASE_CONNECTION_LIMIT and DATABASE_POOL_TIMEOUT, unless it has a value. A variable that is already
set is not changed. Then the command replaces this process. No value is ever printed.

flags:
  --require A,B      variables that must have a value; repeatable
  --override         let the secret, or .env, override variables that are already set
  --env-file FILE    read this file instead of .env
  --timeout TIME     give up after this long (30s)
  --check            do everything except start the command; print each variable and its source
  --version          print the version
  --help             print this help

examples:
  entrypoint --require DATABASE_URL,SENTRY_DSN -- bun run start
  entrypoint --check --require DATABASE_URL

exit codes: the command's own; 64 for wrong arguments, 75 if a retry may succeed (Secrets Manager was unreachable or
throttled), 78 if the configuration must be changed, 126 and 127 if the command cannot be executed or does not exist, 130
and 143 if SIGINT or SIGTERM came before the command was started.
`

// options are the parsed command line.
type options struct {
	required  []string
	override  bool
	envFile   string
	timeout   time.Duration
	check     bool
	help      bool
	version   bool
	command   []string
	fileGiven bool
}

func parse(args []string) (options, error) {
	o := options{envFile: ".env"}
	flags := flag.NewFlagSet("entrypoint", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Func("require", "", func(list string) error {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); !configuration.IsName(name) {
				return errors.New("use names of variables, separated by commas")
			}
			o.required = append(o.required, name)
		}
		return nil
	})
	flags.BoolVar(&o.override, "override", false, "")
	flags.StringVar(&o.envFile, "env-file", o.envFile, "")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "")
	flags.BoolVar(&o.check, "check", false, "")
	flags.BoolVar(&o.version, "version", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		o.help = true
		return o, nil
	case err != nil:
		return o, usageError(err.Error())
	}
	flags.Visit(func(f *flag.Flag) { o.fileGiven = o.fileGiven || f.Name == "env-file" })
	o.command = flags.Args()
	switch {
	case o.version:
		return o, nil
	case len(o.command) == 0 && !o.check:
		return o, usageError("no command is given")
	case o.timeout <= 0:
		return o, usageError("--timeout must be positive")
	}
	return o, nil
}

func usageError(what string) error {
	return exitError{exitUsage, fmt.Errorf("%s; use entrypoint [FLAGS] -- COMMAND; see entrypoint --help", what)}
}

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

Where CONFIG_SECRET_ID names a secret, the variables are the keys of that JSON object; elsewhere they are read from .env,
where there is one. Where DATABASE_SECRET_ARN is set, DATABASE_URL is built from that secret and from DATABASE_HOST,
DATABASE_PORT, DATABASE_NAME, DATABASE_CONNECTION_LIMIT and DATABASE_POOL_TIMEOUT, unless there is one. A variable
that is set already is left as it is. Then the command takes this process's place. No value is ever printed.

flags:
  --require A,B      variables that must have a value; can be given several times
  --override         the secret, or .env, wins over variables that are set already
  --env-file FILE    read this file instead of .env
  --timeout TIME     give up after this long (30s)
  --check            do everything but start the command; print each variable and where it comes from
  --version          print the version
  --help             print this

examples:
  entrypoint --require DATABASE_URL,SENTRY_DSN -- bun run start
  entrypoint --check --require DATABASE_URL

exit codes: the command's own; 64 for wrong arguments, 75 where a later try may succeed (Secrets Manager could not be
reached or throttled), 78 where the configuration has to be changed, 126 and 127 where the command cannot be started or
is not there, 130 and 143 where SIGINT or SIGTERM came before the command was started.
`

// options are what the command line says.
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
				return errors.New("give names of variables, with commas between them")
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
		return o, usageError("--timeout has to be more than nothing")
	}
	return o, nil
}

func usageError(what string) error {
	return exitError{exitUsage, fmt.Errorf("%s; write entrypoint [FLAGS] -- COMMAND, and see entrypoint --help", what)}
}

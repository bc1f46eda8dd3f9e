package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
)

// settings are the global flags' values, and the streams.
type settings struct {
	streams
	// dir is the project's root, stateDir where everything that commands write lies; both are absolute.
	dir, stateDir string
	// name is the environment as it was given; "" where none was.
	name        string
	local       bool
	faults      []string
	endpointURL string
	region      string
	profile     string
	pulumi      string
	format      string
	output      string
	timeout     time.Duration
	// wait waits for the lock of the environment, in the commands that take it.
	wait bool
	// strict lets warnings count, in the commands that change something.
	strict bool
	// newStack takes a state that is not there for one that never was, whatever the account has; of up.
	newStack bool
	yes      bool
	quiet    bool
	verbose  bool
	debug    bool
	noColor  bool
}

const globalCategory = "Global flags"

// globalFlags are on every command. formats are the command's own.
func globalFlags(formats []string) []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "env", Aliases: []string{"e"}, Usage: "the environment: dev, staging, production or another `NAME`"},
		&cli.BoolFlag{Name: "local", Usage: "act on the simulated account on this machine"},
		&cli.StringSliceFlag{Name: "fault", Usage: "make things go wrong in the simulated account by `NAME`; deployer local faults lists them"},
		&cli.StringFlag{Name: "endpoint-url", Usage: "an AWS-compatible endpoint's `URL`", EnvVars: []string{"AWS_ENDPOINT_URL"}},
		&cli.StringFlag{Name: "region", Usage: "the AWS `REGION`, instead of the environment's"},
		&cli.StringFlag{Name: "profile", Usage: "the `NAME` of a profile in the AWS configuration"},
		&cli.StringFlag{Name: "pulumi", Usage: "the engine's `FILE`, instead of bin/pulumi or the one on PATH"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the result to `FILE` instead of standard output"},
		&cli.DurationFlag{Name: "timeout", Usage: "give up after this `TIME`, such as 90s or 30m"},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "answer every question with yes"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress, only results and errors"},
		&cli.BoolFlag{Name: "verbose", Usage: "say more"},
		&cli.BoolFlag{Name: "debug", Usage: "say everything; with status, every call to AWS"},
		&cli.BoolFlag{Name: "no-color", Usage: "no colours (NO_COLOR does the same)"},
		&cli.StringFlag{Name: "dir", Usage: "the project's root `DIRECTORY`", Value: "."},
		&cli.StringFlag{Name: "state-dir", Usage: "the `DIRECTORY` of the simulated account, work copies and plugins", DefaultText: ".deployer in the root"},
	}
	if len(formats) > 0 {
		flags = append(flags, &cli.StringFlag{
			Name: "format", Aliases: []string{"f"}, Usage: "the result's `FORM`: " + strings.Join(formats, ", "), DefaultText: formats[0],
		})
	}
	for _, f := range withVariables(flags, variable) {
		setCategory(f)
	}
	return flags
}

func setCategory(f cli.Flag) {
	switch f := f.(type) {
	case *cli.StringFlag:
		f.Category = globalCategory
	case *cli.BoolFlag:
		f.Category = globalCategory
	case *cli.StringSliceFlag:
		f.Category = globalCategory
	case *cli.DurationFlag:
		f.Category = globalCategory
	}
}

// settingsOf reads the flags of a command and refuses what cannot be meant.
func settingsOf(c *cli.Context, s streams, v verb) (settings, error) {
	if err := v.checkArguments(c); err != nil {
		return settings{}, err
	}
	dir, err := filepath.Abs(c.String("dir"))
	if err != nil {
		return settings{}, fmt.Errorf("find the project's root: %w", err)
	}
	stateDir := filepath.Join(dir, ".deployer")
	if given := c.String("state-dir"); given != "" {
		if stateDir, err = filepath.Abs(given); err != nil {
			return settings{}, fmt.Errorf("find the state directory: %w", err)
		}
	}
	set := settings{
		streams: s, dir: dir, stateDir: stateDir,
		name: c.String("env"), local: c.Bool("local"), faults: split(c.StringSlice("fault")),
		endpointURL: c.String("endpoint-url"), region: c.String("region"), profile: c.String("profile"), pulumi: c.String("pulumi"),
		format: c.String("format"), output: c.String("output"), timeout: c.Duration("timeout"), wait: c.Bool("wait"), strict: c.Bool("strict"),
		yes: c.Bool("yes"), quiet: c.Bool("quiet"), verbose: c.Bool("verbose"), debug: c.Bool("debug"),
		noColor: noColor(c),
	}
	if set.format == "" && len(v.formats) > 0 {
		set.format = v.formats[0]
	}
	switch {
	case len(v.formats) > 0 && !slices.Contains(v.formats, set.format):
		return set, hint.With(fmt.Errorf("--format %q is not known", set.format), "give one of "+strings.Join(v.formats, ", "))
	case len(set.faults) > 0 && !set.local:
		return set, hint.With(errors.New("--fault makes things go wrong in the simulated account only"), "add --local")
	case set.timeout < 0:
		return set, hint.With(fmt.Errorf("--timeout %s is no time to wait", set.timeout), "give a time such as 90s or 30m; without --timeout there is no limit")
	case set.local && c.IsSet("endpoint-url") && os.Getenv("AWS_ENDPOINT_URL") == "":
		return set, hint.With(errors.New("--local and --endpoint-url are two different places"), "leave one of them out")
	}
	if set.local {
		set.endpointURL = ""
	}
	set.warned = new(atomic.Int64)
	return set, nil
}

// noColor follows https://no-color.org: NO_COLOR counts when it is present and not empty, whatever its value.
func noColor(c *cli.Context) bool {
	return os.Getenv("NO_COLOR") != "" || os.Getenv("DEPLOYER_NO_COLOR") != "" || c.Bool("no-color")
}

// around runs a command within its time limit and sends its result to where it belongs.
func (s settings) around(ctx context.Context, run func(context.Context, settings) error) error {
	if s.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("the time limit of %s has passed", s.timeout))
		defer cancel()
	}
	if s.output == "" {
		return run(ctx, s)
	}
	if err := checkOutput(s.output); err != nil {
		return err
	}
	var result bytes.Buffer
	out := s.out
	s.out = &result
	err := run(ctx, s)
	if result.Len() == 0 {
		return err
	}
	if writeErr := replaceFile(s.output, result.Bytes()); writeErr != nil {
		// The command has run, and what it found is not lost.
		_, _ = out.Write(result.Bytes())
		return errors.Join(err, failure{fmt.Errorf("write the result: %w", writeErr)})
	}
	return err
}

// strictFlag is on the commands that end with 0 although there were warnings.
func strictFlag() cli.Flag {
	return &cli.BoolFlag{Name: "strict", Usage: "exit with 2 when it is done with warnings"}
}

// strictly is what --strict makes of the end of a command.
func (s settings) strictly(err error) error {
	if err == nil && s.strict && s.warned.Load() > 0 {
		return verdict(codeWarnings)
	}
	return err
}

// checkOutput refuses a file that cannot be there, before anything is done whose result would be lost.
func checkOutput(path string) error {
	if found, err := os.Stat(path); err == nil && found.IsDir() {
		return hint.With(fmt.Errorf("--output: %s is a directory", path), "name a file in it")
	}
	if found, err := os.Stat(filepath.Dir(path)); err != nil || !found.IsDir() {
		return hint.With(fmt.Errorf("--output: there is no directory %s", filepath.Dir(path)), "make it first, or name another file")
	}
	return nil
}

// checkRegion refuses a --region that is not the file's, for a command that deals with what is deployed there or is to
// be. Commands that only read may look elsewhere.
func (s settings) checkRegion() error {
	if s.region == "" {
		return nil
	}
	given := s.region
	s.region = ""
	a, name, err := s.account()
	if err != nil || a.region == given {
		return err
	}
	return hint.With(fmt.Errorf("--region %s: %s says that %s lies in %s", given, environment.FileName(name), name, a.region),
		"leave --region out: it is for commands that only read")
}

// environment loads the environment that --env names.
func (s settings) environment() (*environment.Environment, error) {
	if s.name == "" {
		known, err := environment.List(s.dir)
		if err != nil {
			return nil, err
		}
		return nil, hint.With(errors.New("--env is missing: which environment?"), "the environments are "+strings.Join(known, ", "))
	}
	if environment.StackOf(s.name) == environment.SharedStack {
		return nil, hint.With(errors.New("the shared stack is no environment"), "`deployer bootstrap` brings it up, `deployer outputs --env shared` shows it")
	}
	env, err := environment.Load(s.dir, s.name)
	if err != nil {
		return nil, err
	}
	if s.region != "" {
		env.Region = s.region
	}
	return env, nil
}

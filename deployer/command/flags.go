package command

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/local"
)

// globalFlags are the values of the flags that every command has.
type globalFlags struct {
	target.Options
	// env is --env as it was given, region a region that replaces the environment's; "" where the flag is missing.
	env, region    string
	format, output string
	// timeout is 0 where there is no limit.
	timeout                             time.Duration
	yes, quiet, verbose, debug, noColor bool
	inForce                             flagsInForce
}

const globalCategory = "Global flags"

// flagsOfAll returns the flags of every command. Formats are the command's own.
func flagsOfAll(formats []string) []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "env", Aliases: []string{"e"}, Usage: "the environment: dev, staging, production or another `NAME`"},
		&cli.BoolFlag{Name: "local", Usage: "act on the simulated account on this machine"},
		&cli.StringSliceFlag{Name: "fault", Usage: "inject the fault `NAME` into the simulated account; `deployer local faults` lists them"},
		&cli.StringFlag{Name: "endpoint-url", Usage: "an AWS-compatible endpoint's `URL`", EnvVars: []string{"AWS_ENDPOINT_URL"}},
		&cli.StringFlag{Name: "region", Usage: "the AWS `REGION`, instead of the environment's"},
		&cli.StringFlag{Name: "profile", Usage: "the `NAME` of a profile in the AWS configuration"},
		&cli.StringFlag{Name: "pulumi", Usage: "the engine's `FILE`, instead of bin/pulumi or the one on PATH"},
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the result to `FILE` instead of standard output"},
		&cli.DurationFlag{Name: "timeout", Usage: "stop after this `TIME`, such as 90s or 30m"},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "answer every question with yes"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print only results and errors, no progress"},
		&cli.BoolFlag{Name: "verbose", Usage: "print more details"},
		&cli.BoolFlag{Name: "debug", Usage: "print everything; with status, every call to AWS"},
		&cli.BoolFlag{Name: "no-color", Usage: "disable colours, as NO_COLOR does"},
		&cli.StringFlag{Name: "dir", Usage: "the project's root `DIRECTORY`", Value: "."},
		&cli.StringFlag{Name: "state-dir", Usage: "the `DIRECTORY` of the simulated account, work copies and plugins", DefaultText: ".deployer in the root"},
	}
	if len(formats) > 0 {
		flags = append(flags, &cli.StringFlag{
			Name: "format", Aliases: []string{"f"}, Usage: "the result's `FORMAT`: " + strings.Join(formats, ", "), DefaultText: formats[0],
		})
	}
	for _, f := range withVariables(flags, variable) {
		category, _ := attributes(f)
		*category = globalCategory
	}
	return flags
}

// waitFlag returns --wait, strictFlag --strict, and so on: flags that several commands share.
func waitFlag() cli.Flag {
	return &cli.BoolFlag{Name: "wait", Usage: "wait while another process changes the environment, instead of failing; --timeout limits the wait"}
}

func strictFlag() cli.Flag {
	return &cli.BoolFlag{Name: "strict", Usage: "exit with 2 if there were warnings"}
}

func stopMigrationFlag() cli.Flag {
	return &cli.BoolFlag{Name: "stop-migration", Usage: "when interrupted, also stop the migration, instead of letting it continue"}
}

func imageTagFlag(defaultText string) cli.Flag {
	return &cli.StringFlag{Name: "image-tag", Aliases: []string{"t"}, Usage: "the image's `TAG`, its digest or at least 7 digits of it, TAG@DIGEST, which is " +
		"rejected where the tag has another digest, or a reference REPOSITORY:TAG", DefaultText: defaultText}
}

// readGlobalFlags reads the flags of every command and rejects those that contradict each other.
func readGlobalFlags(c *cli.Context, formats []string) (globalFlags, error) {
	dir, err := filepath.Abs(c.String("dir"))
	if err != nil {
		return globalFlags{}, fmt.Errorf("find the project's root: %w", err)
	}
	stateDir := filepath.Join(dir, ".deployer")
	if given := c.String("state-dir"); given != "" {
		if stateDir, err = filepath.Abs(given); err != nil {
			return globalFlags{}, fmt.Errorf("find the state directory: %w", err)
		}
	}
	flags := globalFlags{
		Options: target.Options{
			Dir: dir, StateDir: stateDir, Local: c.Bool("local"), Faults: split(c.StringSlice("fault")),
			EndpointURL: c.String("endpoint-url"), Profile: c.String("profile"), Pulumi: c.String("pulumi"),
			Debug: c.Bool("debug"),
		},
		env: c.String("env"), region: c.String("region"),
		format: c.String("format"), output: c.String("output"), timeout: c.Duration("timeout"),
		inForce: readFlagsInForce(c),
		yes:     c.Bool("yes"), quiet: c.Bool("quiet"), verbose: c.Bool("verbose"), debug: c.Bool("debug"), noColor: noColor(c),
	}
	if flags.format == "" && len(formats) > 0 {
		flags.format = formats[0]
	}
	unusable := local.CheckFaults(flags.Faults)
	switch {
	case len(formats) > 0 && !slices.Contains(formats, flags.format):
		return flags, unknownValue("--format: unknown format", flags.format, formats, "give one of ")
	case len(flags.Faults) > 0 && !flags.Local:
		return flags, hint.With(errors.New("--fault works in the simulated account only"), "add --local")
	case unusable != nil:
		return flags, unusable
	case flags.timeout < 0:
		return flags, hint.With(fmt.Errorf("--timeout %s is negative", flags.timeout), "give a time such as 90s or 30m; without --timeout there is no limit")
	case flags.Local && c.IsSet("endpoint-url") && os.Getenv("AWS_ENDPOINT_URL") == "":
		return flags, hint.With(errors.New("--local and --endpoint-url contradict each other"), "leave one of them out")
	}
	if flags.Local {
		flags.EndpointURL = ""
	}
	return flags, nil
}

// noColor follows https://no-color.org: NO_COLOR counts when it is present and not empty, whatever its value.
func noColor(c *cli.Context) bool {
	return os.Getenv("NO_COLOR") != "" || os.Getenv("DEPLOYER_NO_COLOR") != "" || c.Bool("no-color")
}

// defaultDir returns the project's root without --dir.
func defaultDir() string { return cmp.Or(os.Getenv(variable("dir")), ".") }

// split reads the words of a flag that takes a list: a,b or given several times.
func split(values []string) []string {
	var words []string
	for _, v := range values {
		for _, word := range strings.Split(v, ",") {
			if word = strings.TrimSpace(word); word != "" && !slices.Contains(words, word) {
				words = append(words, word)
			}
		}
	}
	return words
}

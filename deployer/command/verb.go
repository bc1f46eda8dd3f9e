package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/stack"
)

// A verb describes a command of the deployer. Its help, examples, formats, environment variables and completion follow from it.
type verb struct {
	name string
	// args names the arguments in the usage line, such as TAG.
	args string
	// usage is one line; long has the details.
	usage, long string
	examples    []string
	// formats are the values of --format, the default first; none where the output has one form.
	formats []string
	flags   []cli.Flag
	// required are the flags of which the command needs one, with their values, the usual one first; none where it needs none.
	required []string
	// hidden verbs are started by the deployer itself, and are in no help.
	hidden bool
	// changes reports that the command changes something, and nothing where it exits with codeNotRun.
	changes bool
	// engine reports that the command runs the engine: it is looked for while the account is opened.
	engine bool
	// takesShared reports that --env shared is taken; the command is prepared for a target without an environment.
	takesShared bool
	// takesSeveral reports that --env takes several environments, a,b or all.
	takesSeveral bool
	// sensitive verbs take secrets: errors never repeat what is on their command line.
	sensitive bool
	// validateArgs checks the arguments before their number is checked, where a verb knows more about them.
	validateArgs func(*cli.Context) error
	run          func(context.Context, *services, *cli.Context) error
	// verbs are the commands below it; a verb with some runs nothing itself.
	verbs []verb
}

// services are what commands are built from. Each command takes those that it needs.
type services struct {
	flags    globalFlags
	terminal *terminal
	targets  *targets
	stacks   *stack.Opener
	locks    *locker
	shared   *sharedStack
}

func newServices(flags globalFlags, wait bool, s streams) *services {
	t := newTerminal(flags, s)
	if s.flags != nil {
		*s.flags = flags.inForce
	}
	stacks := &stack.Opener{Options: flags.Options, Warn: t.warn, Instructions: s.err}
	locks := &locker{terminal: t, options: flags.Options, wait: wait}
	all := &targets{options: flags.Options, selected: flags.env, region: flags.region, terminal: t}
	return &services{
		flags: flags, terminal: t, targets: all, stacks: stacks, locks: locks,
		shared: &sharedStack{terminal: t, targets: all, stacks: stacks, locks: locks},
	}
}

// verbs returns the table of commands, in the order of the help.
func verbs() []verb {
	return []verb{
		upVerb(), rollbackVerb(), restartVerb(), imagesVerb(), previewVerb(), driftVerb(), migrateVerb(), destroyVerb(),
		sleepVerb(), wakeVerb(),
		statusVerb(), tasksVerb(), healthVerb(), varsVerb(), logsVerb(), execVerb(), tunnelVerb(), costVerb(), outputsVerb(), urlVerb(),
		historyVerb(), lockVerb(), snapshotVerb(), secretsVerb(), envVerb(), bootstrapVerb(), importVerb(), doctorVerb(), mcpVerb(),
		localVerb(), completionVerb(), versionVerb(),
	}
}

// command returns the library's command of a verb.
func (v verb) command(s streams) *cli.Command {
	c := &cli.Command{
		Name: v.name, Usage: v.usage, OnUsageError: v.usageError, HideHelpCommand: true, Hidden: v.hidden,
	}
	for _, sub := range v.verbs {
		c.Subcommands = append(c.Subcommands, sub.command(s))
	}
	if v.run == nil {
		c.Action = rejectCommand
		return c
	}
	c.Flags = append(withVariables(v.flags, v.variable), flagsOfAll(v.formats)...)
	c.Action = func(ctx *cli.Context) error {
		if err := v.checkArguments(ctx); err != nil {
			return err
		}
		flags, err := readGlobalFlags(ctx, v.formats)
		if err != nil {
			return err
		}
		if err := v.rejectContradictions(ctx); err != nil {
			return err
		}
		all := newServices(flags, ctx.Bool("wait"), s)
		all.targets.takesShared = v.takesShared
		s.setChanging(v.changes)
		if v.engine {
			go func() { _, _ = all.stacks.Engine(ctx.Context) }() // the opener returns the error to who needs the engine
		}
		return runWithTimeout(ctx.Context, flags.timeout, func(limited context.Context) error {
			return all.terminal.withOutputFile(flags.output, func() error {
				err := all.terminal.withWriteError(v.run(limited, all, ctx))
				if v.changes && exitCode(err) == codeNotRun {
					err = unchangedError{err}
				}
				if err == nil && ctx.Bool("strict") && all.terminal.warnings.Load() > 0 {
					return exitStatus(codeWarnings)
				}
				return err
			})
		})
	}
	return c
}

// usageError returns the error for flags that cannot be read.
func (v verb) usageError(c *cli.Context, err error, sub bool) error {
	if v.sensitive {
		err = fmt.Errorf("%s: a flag is unknown or has an invalid value; it is not repeated, since it may be a secret", v.name)
	}
	return usageError(c, err, sub)
}

// findVerb returns the verb that words name.
func findVerb(words []string) (found verb, known bool) {
	below := verbs()
	for _, word := range words {
		at := slices.IndexFunc(below, func(v verb) bool { return v.name == word })
		if at < 0 {
			return verb{}, false
		}
		found, known, below = below[at], true, below[at].verbs
	}
	return found, known
}

// eachVerb calls f with each verb that runs something, and with the words that name it, which begin with path.
func eachVerb(path string, all []verb, f func(path string, v verb)) {
	for _, v := range all {
		if v.run != nil && !v.hidden {
			f(path+" "+v.name, v)
		}
		eachVerb(path+" "+v.name, v.verbs, f)
	}
}

// checkArguments rejects arguments that a command would ignore.
func (v verb) checkArguments(c *cli.Context) error {
	if v.validateArgs != nil {
		if err := v.validateArgs(c); err != nil {
			return err
		}
	}
	usage := fmt.Sprintf("`%s --help` shows the usage", c.Command.HelpName)
	if v.args == "" && c.Args().Present() {
		given := "one"
		if !v.sensitive {
			given = strconv.Quote(c.Args().First())
			if meant := v.meantFlag(c, c.Args().First()); meant != "" {
				usage = fmt.Sprintf("did you mean `%s`? %s", meant, usage)
			}
		}
		return hint.With(fmt.Errorf("%s takes no argument, %s was given", v.name, given), usage)
	}
	if v.args != "" && !strings.HasPrefix(v.args, "[") && c.NArg() == 0 {
		return hint.With(fmt.Errorf("%s is missing", v.args), usage)
	}
	if v.args != "" && !strings.HasPrefix(v.args, "[") && c.NArg() != 1 {
		return hint.With(fmt.Errorf("%s takes %s, and nothing else", v.name, v.args), usage)
	}
	return nil
}

// commandScopedFlags take other values with each command: phases with up, components with status.
var commandScopedFlags = []string{"only", "skip"}

// variable returns the environment variable of a flag: --image-tag is DEPLOYER_IMAGE_TAG, --skip of up DEPLOYER_UP_SKIP.
func (v verb) variable(flag string) string {
	if slices.Contains(commandScopedFlags, flag) {
		flag = v.name + "-" + flag
	}
	return variable(flag)
}

// variablePrefix begins the environment variables of flags.
const variablePrefix = "DEPLOYER_"

func variable(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// withVariables gives every flag its environment variable.
func withVariables(flags []cli.Flag, name func(flag string) string) []cli.Flag {
	for _, f := range flags {
		_, variables := attributes(f)
		*variables = append([]string{name(f.Names()[0])}, *variables...)
	}
	return flags
}

// attributes returns a flag's category and environment variables, to be set.
func attributes(f cli.Flag) (category *string, variables *[]string) {
	switch f := f.(type) {
	case *cli.StringFlag:
		return &f.Category, &f.EnvVars
	case *cli.BoolFlag:
		return &f.Category, &f.EnvVars
	case *cli.DurationFlag:
		return &f.Category, &f.EnvVars
	case *cli.IntFlag:
		return &f.Category, &f.EnvVars
	case *cli.Float64Flag:
		return &f.Category, &f.EnvVars
	case *cli.StringSliceFlag:
		return &f.Category, &f.EnvVars
	}
	panic(fmt.Sprintf("no command has a flag of type %T", f))
}

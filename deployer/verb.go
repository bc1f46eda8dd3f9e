package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
)

// verb is a command of the deployer, before it is given to the command line library.
type verb struct {
	name string
	// args names the arguments in the usage line, such as TAG.
	args string
	// usage is one line; about tells more.
	usage, about string
	examples     []string
	// formats are what --format takes, the default first; none where the output has one form.
	formats []string
	flags   []cli.Flag
	// discreet verbs deal with values: what is wrong on their command line is never repeated, since it may be one.
	discreet bool
	// refuse says what is wrong with the arguments before their number is looked at, where a verb knows more of them.
	refuse func(*cli.Context) error
	run    func(context.Context, settings, *cli.Context) error
	// verbs are the commands below it; a verb with some runs nothing itself.
	verbs []verb
}

// verbs is the table of commands, in the order in which the help lists them.
func verbs() []verb {
	return []verb{
		upVerb(), rollbackVerb(), imagesVerb(), previewVerb(), driftVerb(), migrateVerb(), destroyVerb(),
		statusVerb(), healthVerb(), varsVerb(), logsVerb(), execVerb(), costVerb(), outputsVerb(), urlVerb(),
		historyVerb(), lockVerb(), snapshotVerb(), secretsVerb(), envVerb(), bootstrapVerb(), importVerb(), localVerb(),
		completionVerb(), versionVerb(),
	}
}

// command makes the library's command of a verb.
func (v verb) command(s streams) *cli.Command {
	c := &cli.Command{
		Name: v.name, Usage: v.usage, ArgsUsage: v.args, Description: v.description(),
		OnUsageError: v.usageError, HideHelpCommand: true,
	}
	if v.args == "" {
		c.ArgsUsage = " "
	}
	for _, sub := range v.verbs {
		c.Subcommands = append(c.Subcommands, sub.command(s))
	}
	if v.run == nil {
		c.Action = helpOrUnknown
		return c
	}
	c.Flags = append(withVariables(v.flags, v.variable), globalFlags(v.formats)...)
	c.Action = func(ctx *cli.Context) error {
		set, err := settingsOf(ctx, s, v)
		if err != nil {
			return err
		}
		return set.around(ctx.Context, func(bounded context.Context, set settings) error { return set.strictly(v.run(bounded, set, ctx)) })
	}
	return c
}

// usageError is the error of flags that cannot be read.
func (v verb) usageError(c *cli.Context, err error, sub bool) error {
	if v.discreet {
		err = fmt.Errorf("%s has not all of the flags that were given, or one takes another value; it is not repeated, since it may be a secret", v.name)
	}
	return usageError(c, err, sub)
}

// description is the longer help: what the verb does, and examples.
func (v verb) description() string {
	var b strings.Builder
	b.WriteString(v.about)
	if len(v.examples) > 0 {
		if v.about != "" {
			b.WriteString("\n\n")
		}
		b.WriteString("Examples:\n   " + strings.Join(v.examples, "\n   "))
	}
	return b.String()
}

// checkArguments refuses arguments that a command would silently ignore.
func (v verb) checkArguments(c *cli.Context) error {
	if v.refuse != nil {
		if err := v.refuse(c); err != nil {
			return err
		}
	}
	if v.args == "" && c.Args().Present() {
		given := "one"
		if !v.discreet {
			given = strconv.Quote(c.Args().First())
		}
		return hint.With(fmt.Errorf("%s takes no argument, %s was given", v.name, given),
			fmt.Sprintf("`%s --help` shows the usage", c.Command.HelpName))
	}
	if v.args != "" && !strings.HasPrefix(v.args, "[") && c.NArg() != 1 {
		return hint.With(fmt.Errorf("%s takes %s, and nothing else", v.name, v.args),
			fmt.Sprintf("`%s --help` shows the usage", c.Command.HelpName))
	}
	return nil
}

// ownWords are the flags that take other words with each command: phases with up, components with status.
var ownWords = []string{"only", "skip"}

// variable is the environment variable of a flag: --image-tag is DEPLOYER_IMAGE_TAG, --skip of up DEPLOYER_UP_SKIP.
func (v verb) variable(flag string) string {
	if slices.Contains(ownWords, flag) {
		flag = v.name + "-" + flag
	}
	return variable(flag)
}

func variable(flag string) string {
	return "DEPLOYER_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// withVariables gives every flag its environment variable.
func withVariables(flags []cli.Flag, name func(flag string) string) []cli.Flag {
	for _, f := range flags {
		variable := []string{name(f.Names()[0])}
		switch f := f.(type) {
		case *cli.StringFlag:
			f.EnvVars = append(variable, f.EnvVars...)
		case *cli.BoolFlag:
			f.EnvVars = append(variable, f.EnvVars...)
		case *cli.DurationFlag:
			f.EnvVars = append(variable, f.EnvVars...)
		case *cli.IntFlag:
			f.EnvVars = append(variable, f.EnvVars...)
		case *cli.Float64Flag:
			f.EnvVars = append(variable, f.EnvVars...)
		case *cli.StringSliceFlag:
			f.EnvVars = append(variable, f.EnvVars...)
		}
	}
	return flags
}

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

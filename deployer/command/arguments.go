package command

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
)

// permute moves a command's flags between its name and its arguments, where the flag library looks for them: people write
// `secrets set KEY --env staging` and `--env staging status`. A flag whose value is another flag, or is empty where the flag chooses
// what the command acts on, is an error.
func permute(app *cli.App, args []string) ([]string, error) {
	if len(args) == 0 {
		return args, nil
	}
	head, rest := args[:1:1], args[1:]
	commands, flags, global := app.Commands, app.Flags, flagsOfAll([]string{"text"})
	var early []string
	for len(rest) > 0 {
		if len(head) == 1 && flagOf([]cli.Flag{&cli.BoolFlag{Name: versionFlag}}, rest[0]) != nil {
			rest = append([]string{versionFlag}, rest[1:]...) // --version works like the command
		}
		next := commandNamed(commands, rest[0])
		switch {
		case next == nil && len(commands) > 0 && flagOf(global, rest[0]) != nil:
			length := 1
			if takesValue(global, rest[0]) {
				length = min(2, len(rest))
			}
			early, rest = append(early, rest[:length]...), rest[length:]
			continue
		case next == nil && len(commands) > 0 && !strings.HasPrefix(rest[0], "-") && rest[0] != "help":
			// The flags of an unknown command are unknown: the error is about its name.
			return append(head, rest[0]), nil
		case next == nil && len(commands) > 0:
			return append(head, rest...), nil // help, or an unknown flag: there are no flags of a command
		case next == nil:
			sorted, err := sortArguments(flags, slices.Concat(early, rest))
			return append(head, sorted...), err
		}
		head, rest = append(head, rest[0]), rest[1:]
		commands, flags = next.Subcommands, next.Flags
	}
	if len(commands) > 0 {
		return head, nil // no command: print the help
	}
	sorted, err := sortArguments(flags, early)
	return append(head, sorted...), err
}

// sortArguments puts options before arguments. What follows -- does not change. It checks the flags' values with checkValue.
func sortArguments(flags []cli.Flag, rest []string) ([]string, error) {
	var options, arguments []string
	chosen := map[string]string{}
	for i := 0; i < len(rest); i++ {
		switch arg := rest[i]; {
		case arg == "--":
			return slices.Concat(options, arguments, rest[i:]), nil
		case !strings.HasPrefix(arg, "-") || arg == "-":
			arguments = append(arguments, arg)
		default:
			options = append(options, arg)
			value, joined := "", false
			if _, value, joined = strings.Cut(arg, "="); !joined && (!takesValue(flags, arg) || i+1 == len(rest)) {
				continue
			}
			if !joined {
				i++
				value = rest[i]
				options = append(options, value)
			}
			if err := cmp.Or(checkValue(flags, arg, value, joined), checkOnce(flags, arg, value, chosen)); err != nil {
				return nil, err
			}
		}
	}
	return slices.Concat(options, arguments), nil
}

// versionFlag is the name of the command and of the flag that print the version.
const versionFlag = "version"

// targetFlags choose what a command acts on. An empty value is an error: a script's variable that is empty would choose the
// default, such as every service.
var targetFlags = []string{"image-tag", "to", "component", "only", "service", "task", "container", "command"}

// checkValue rejects a value that is spelled like a flag of the command, which the flag library would take all the same, and an
// empty value of one of targetFlags. Joined values follow a =, and may be spelled like a flag.
func checkValue(flags []cli.Flag, arg, value string, joined bool) error {
	known := flagOf(flags, arg)
	if known == nil {
		return nil
	}
	name := "--" + known.Names()[0]
	if slices.Contains(targetFlags, known.Names()[0]) && strings.Trim(value, ", ") == "" {
		return hint.With(fmt.Errorf("%s is given, and its value is empty", name), "give a value, or leave "+name+" out")
	}
	spelled := value == "--" || flagOf(flags, value) != nil || flagOf([]cli.Flag{cli.HelpFlag}, value) != nil
	if swallowed, _, _ := strings.Cut(value, "="); spelled && !joined {
		return hint.With(fmt.Errorf("%s has no value: %s follows, which is a flag", name, swallowed),
			fmt.Sprintf("give a value after %s; if %s is the value, write %s=%s", name, swallowed, name, swallowed))
	}
	return nil
}

// checkOnce rejects a second value of --env, or of one of targetFlags that takes one: the flag library would take the last.
func checkOnce(flags []cli.Flag, arg, value string, chosen map[string]string) error {
	known, isText := flagOf(flags, arg).(*cli.StringFlag)
	if !isText || known.Name != "env" && !slices.Contains(targetFlags, known.Name) {
		return nil
	}
	if first, given := chosen[known.Name]; given && first != value {
		return hint.With(fmt.Errorf("--%s is given twice: %s and %s", known.Name, first, value), "give one of them")
	}
	chosen[known.Name] = value
	return nil
}

func commandNamed(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// takesValue reports whether the flag is followed by its value.
func takesValue(flags []cli.Flag, arg string) bool {
	known := flagOf(flags, arg)
	_, isBool := known.(*cli.BoolFlag)
	return known != nil && !isBool && !strings.Contains(arg, "=")
}

// flagOf returns the flag that an argument sets; nil where it sets none of them.
func flagOf(flags []cli.Flag, arg string) cli.Flag {
	if !strings.HasPrefix(arg, "-") {
		return nil
	}
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

package command

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// permute moves a command's flags between its name and its arguments, where the flag library looks for them: people write
// `secrets set KEY --env staging` and `--env staging status`.
func permute(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	head, rest := args[:1:1], args[1:]
	commands, flags, global := app.Commands, app.Flags, flagsOfAll([]string{"text"})
	var early []string
	for len(rest) > 0 {
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
			return append(head, rest[0])
		case next == nil && len(commands) > 0:
			return append(head, rest...) // help or completion: there are no flags of a command
		case next == nil:
			return append(head, sortArguments(flags, slices.Concat(early, rest))...)
		}
		head, rest = append(head, rest[0]), rest[1:]
		commands, flags = next.Subcommands, next.Flags
	}
	if len(commands) > 0 {
		return head // no command: print the help
	}
	return append(head, sortArguments(flags, early)...)
}

// sortArguments puts options before arguments. What follows -- does not change.
func sortArguments(flags []cli.Flag, rest []string) []string {
	var options, arguments []string
	for i := 0; i < len(rest); i++ {
		switch arg := rest[i]; {
		case arg == "--":
			return slices.Concat(options, arguments, rest[i:])
		case !strings.HasPrefix(arg, "-") || arg == "-":
			arguments = append(arguments, arg)
		default:
			options = append(options, arg)
			if takesValue(flags, arg) && i+1 < len(rest) {
				i++
				options = append(options, rest[i])
			}
		}
	}
	return slices.Concat(options, arguments)
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

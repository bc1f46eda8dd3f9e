package command

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Widths of the help: in a pipe, and at most in a terminal, since longer lines are hard to read.
const (
	defaultHelpWidth = 80
	maxHelpWidth     = 110
	// maxNameColumn limits the column of names; a longer name has a line of its own.
	maxNameColumn = 24
)

// helpRequest returns the words of the command whose help the arguments ask for: with --help or -h, with the command help, or with none at
// all of a group. Arguments are those that permute returns.
func helpRequest(app *cli.App, args []string) (path []string, asked bool) {
	if len(args) > 1 && args[1] == "help" {
		return args[2:], true
	}
	commands, flags, rest := app.Commands, app.Flags, args[min(1, len(args)):]
	for len(rest) > 0 {
		next := commandNamed(commands, rest[0])
		if next == nil {
			break
		}
		path, rest = append(path, rest[0]), rest[1:]
		commands, flags = next.Subcommands, next.Flags
	}
	if len(rest) == 0 {
		return path, len(commands) > 0
	}
	for i := 0; i < len(rest) && strings.HasPrefix(rest[i], "-") && rest[i] != "--"; i++ {
		if flagOf([]cli.Flag{cli.HelpFlag}, rest[i]) != nil {
			return path, true
		}
		if takesValue(flags, rest[i]) {
			i++
		}
	}
	return nil, false
}

// printHelp prints the help of a command, or of the program where path is empty.
func printHelp(w io.Writer, path []string) error {
	width := min(styleOf(w, true).Width, maxHelpWidth)
	if width == 0 {
		width = defaultHelpWidth
	}
	page := helpPage{width: width}
	switch v, known := findVerb(path); {
	case len(path) == 0:
		page.ofProgram()
	case !known:
		return unknownCommand("deployer", strings.Join(path, " "), nil)
	default:
		page.ofCommand(strings.Join(append([]string{"deployer"}, path...), " "), v)
	}
	_, err := io.WriteString(w, page.String())
	return err
}

// A helpPage is built section by section.
type helpPage struct {
	strings.Builder
	width int
}

func (p *helpPage) ofProgram() {
	p.section("NAME", "deployer - deploys the Balancer V3 GraphQL API to AWS and reports its health")
	p.section("USAGE", "deployer COMMAND [options], with the global options before or after the command")
	p.rows("COMMANDS", list.Map(verbs(), func(v verb) [2]string { return [2]string{v.name, v.usage} }))
	p.rows("GLOBAL OPTIONS", append(optionRows(flagsOfAll(nil)),
		[2]string{"--help, -h", "show the help of the deployer or of a command"}, [2]string{"--" + versionFlag, "print the version, like the command version"}))
	p.section("DESCRIPTION", introduction)
}

func (p *helpPage) ofCommand(path string, v verb) {
	p.section("NAME", path+" - "+v.usage)
	usage := path + " [options]"
	if len(v.verbs) > 0 {
		usage = path + " COMMAND [options]"
	}
	p.section("USAGE", strings.TrimSpace(usage+" "+v.args))
	if len(v.verbs) > 0 {
		visible := list.Filter(v.verbs, func(v verb) bool { return !v.hidden })
		p.rows("COMMANDS", list.Map(visible, func(v verb) [2]string { return [2]string{v.name, v.usage} }))
	}
	own, global := slices.Clone(v.flags), flagsOfAll(nil)
	slices.SortFunc(own, func(a, b cli.Flag) int { return strings.Compare(a.Names()[0], b.Names()[0]) })
	if len(v.formats) > 0 {
		own = append(own, flagOf(flagsOfAll(v.formats), "--format"))
	}
	if len(own) > 0 {
		p.rows("OPTIONS", optionRows(own))
	}
	p.section("GLOBAL OPTIONS", strings.Join(list.Map(global, func(f cli.Flag) string { return "--" + f.Names()[0] }), " ")+
		"\n`deployer --help` describes them. "+variableExample(v))
	if v.long != "" {
		p.section("DESCRIPTION", v.long)
	}
	if len(v.examples) > 0 {
		p.WriteString("\nEXAMPLES:\n   " + strings.Join(v.examples, "\n   ") + "\n")
	}
}

// variableExample returns a sentence with the environment variables of a command's options, as examples.
func variableExample(v verb) string {
	var examples []string
	for _, f := range v.flags {
		if name := f.Names()[0]; len(examples) == 0 && takesValue(v.flags, "--"+name) || slices.Contains(commandScopedFlags, name) || name == "image-tag" {
			examples = append(examples, fmt.Sprintf("--%s is %s", name, v.variable(name)))
		}
	}
	if len(examples) == 0 {
		return "Every option has a variable."
	}
	return "Variables: every option has one: " + strings.Join(examples, ", ") + "."
}

// section adds a heading and a text below it.
func (p *helpPage) section(heading, content string) {
	if p.Len() > 0 {
		p.WriteString("\n")
	}
	const indent = "   "
	p.WriteString(heading + ":\n")
	for _, line := range strings.Split(joinLines(content), "\n") {
		p.WriteString(strings.TrimRight(text.Wrap(indent+line, p.width, indent), " ") + "\n")
	}
}

// joinLines joins the lines of each paragraph, which are broken for another width. A line that begins with a space stays.
func joinLines(content string) string {
	var b strings.Builder
	for i, line := range strings.Split(content, "\n") {
		switch previous := b.String(); {
		case i == 0:
		case line == "", strings.HasPrefix(line, " "), strings.HasSuffix(previous, "\n"), strings.HasPrefix(previous[strings.LastIndex(previous, "\n")+1:], " "):
			b.WriteString("\n")
		default:
			b.WriteString(" ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// rows adds a heading and a table of names and their meanings.
func (p *helpPage) rows(heading string, rows [][2]string) {
	column := 0
	for _, row := range rows {
		column = max(column, min(len(row[0]), maxNameColumn))
	}
	p.WriteString("\n" + heading + ":\n")
	indent := strings.Repeat(" ", column+5)
	for _, row := range rows {
		name := fmt.Sprintf("   %-*s  ", column, row[0])
		if len(row[0]) > column {
			name = "   " + row[0] + "\n" + indent
		}
		meaning := text.Wrap(strings.Repeat(" ", len(indent))+row[1], p.width, indent)
		p.WriteString(name + strings.TrimPrefix(meaning, indent) + "\n")
	}
}

// placeholder matches the name of a flag's value in its usage.
var placeholder = lazyregexp.New("`([^`]*)`")

// optionRows returns the names and meanings of flags.
func optionRows(flags []cli.Flag) [][2]string {
	return list.Map(flags, func(f cli.Flag) [2]string {
		documented := f.(cli.DocGenerationFlag)
		usage := documented.GetUsage()
		name := strings.Join(list.Map(f.Names(), dashed), ", ")
		if documented.TakesValue() {
			value := "VALUE"
			if match := placeholder.FindStringSubmatch(usage); match != nil {
				value = match[1]
				usage = strings.Replace(usage, match[0], value, 1)
			}
			name += " " + value
			if preset := strings.Trim(documented.GetDefaultText(), `"`); preset != "" && preset != "0s" && preset != "0" {
				usage += " (default: " + preset + ")"
			}
		}
		return [2]string{name, usage}
	})
}

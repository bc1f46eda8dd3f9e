package command

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/local"
)

func completionVerb() verb {
	return verb{
		name: "completion", args: "SHELL", usage: "print the completion script for bash, zsh or fish",
		examples: []string{"source <(deployer completion bash)", "deployer completion fish | source"},
		run: func(_ context.Context, s *services, c *cli.Context) error {
			script, known := completionScripts()[c.Args().First()]
			if !known {
				return unknownValue("unknown shell", c.Args().First(), shells, "give one of ")
			}
			s.terminal.print(script)
			return nil
		},
	}
}

var shells = []string{"bash", "zsh", "fish"}

//go:embed completion/deployer.bash
var bashCompletion string

//go:embed completion/deployer.zsh
var zshCompletion string

//go:embed completion/deployer.fish
var fishCompletion string

// completionScripts returns the script of each shell. It runs the deployer with completeWord and the words up to the cursor.
func completionScripts() map[string]string {
	return map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
}

// completeWord is the first argument with which the scripts of completion run the deployer; it is in no help.
const completeWord = "__complete"

// Answers that ask the shell for the names of files or of directories.
const (
	completeFiles       = ":files"
	completeDirectories = ":directories"
)

// A choice is a word that completes the one at the cursor, and what it means.
type choice struct{ word, meaning string }

// printChoices prints what completes the last of the words, one choice on a line, with a tab before its meaning. Nothing is read but the
// project's files: completion must answer at once.
func printChoices(w io.Writer, words []string) {
	for _, c := range choices(words) {
		line := c.word
		if c.meaning != "" {
			line += "\t" + c.meaning
		}
		_, _ = fmt.Fprintln(w, line)
	}
}

// choices returns what completes the last of the words that follow the program's name.
func choices(words []string) []choice {
	if len(words) == 0 {
		words = []string{""}
	}
	words, current := words[:len(words)-1], words[len(words)-1]
	line := scanLine(words)
	switch name, value, joined := strings.Cut(current, "="); {
	case line.ended:
		return nil
	case line.open != nil:
		return line.values(line.open, "", current)
	case strings.HasPrefix(current, "-") && joined:
		return line.values(flagOf(line.flags, name), name+"=", value)
	case strings.HasPrefix(current, "-"):
		return line.flagChoices(current)
	case len(line.verbs) > 0 && line.count > 0:
		return nil
	case len(line.verbs) > 0:
		visible := list.Filter(line.verbs, func(v verb) bool { return !v.hidden })
		return matching(current, list.Map(visible, func(v verb) choice { return choice{v.name, v.usage} }))
	}
	return matching(current, plain(line.arguments()))
}

// A completedLine is what the words before the cursor mean.
type completedLine struct {
	// verb is the command so far, verbs are those that may follow.
	verb  verb
	verbs []verb
	// path are the words that name the command.
	path  []string
	flags []cli.Flag
	given map[string]string
	// open is a flag whose value follows, or nil; ended reports that -- was given.
	open  cli.Flag
	ended bool
	// count is the number of arguments.
	count int
}

// scanLine reads the words before the cursor.
func scanLine(words []string) *completedLine {
	line := &completedLine{verbs: verbs(), given: map[string]string{}}
	line.flags = flagsOfAll(nil)
	for i := 0; i < len(words); i++ {
		word := words[i]
		at := slices.IndexFunc(line.verbs, func(v verb) bool { return v.name == word })
		switch f := flagOf(line.flags, word); {
		case word == "--":
			line.ended = true
			return line
		case f != nil:
			name, value, joined := strings.Cut(word, "=")
			if takesValue(line.flags, name) && !joined {
				if i+1 == len(words) {
					line.open = f
					return line
				}
				i++
				value = words[i]
			}
			line.given[f.Names()[0]] = value
		case strings.HasPrefix(word, "-"):
		case at >= 0:
			line.verb, line.verbs = line.verbs[at], line.verbs[at].verbs
			line.path = append(line.path, word)
			line.flags = append(slices.Clone(line.verb.flags), flagsOfAll(line.verb.formats)...)
		default:
			line.count++
		}
	}
	return line
}

// flagChoices returns the flags that begin with a word and were not given yet. Flags of lists may be given again.
func (l *completedLine) flagChoices(current string) []choice {
	var found []choice
	for _, f := range append(slices.Clone(l.flags), cli.HelpFlag) {
		name := f.Names()[0]
		_, given := l.given[name]
		if _, isList := f.(*cli.StringSliceFlag); given && !isList {
			continue
		}
		found = append(found, choice{"--" + name, placeholder.ReplaceAllString(f.(cli.DocGenerationFlag).GetUsage(), "$1")})
	}
	if len(l.path) == 0 {
		found = append(found, choice{"--" + versionFlag, "print the version"})
	}
	return matching(current, found)
}

// values returns the values of a flag that begin with current, each behind a prefix. Of a list, the part after the last comma is completed.
func (l *completedLine) values(f cli.Flag, prefix, current string) []choice {
	if f == nil {
		return nil
	}
	all := flagValues(l.verb, f.Names()[0], l)
	_, several := f.(*cli.StringSliceFlag)
	if several || f.Names()[0] == "env" && l.verb.takesSeveral {
		if comma := strings.LastIndex(current, ","); comma >= 0 {
			earlier := strings.Split(current[:comma], ",")
			all = list.Filter(all, func(value string) bool { return !slices.Contains(earlier, value) && value != allEnvironments })
			prefix, current = prefix+current[:comma+1], current[comma+1:]
		}
	}
	if len(all) == 1 && strings.HasPrefix(all[0], ":") {
		return plain(all)
	}
	return list.Map(matching(current, plain(all)), func(c choice) choice { return choice{prefix + c.word, c.meaning} })
}

// flagValues returns the values that a flag of a command takes, as far as they are known without a call of AWS. A nil line stands for no
// other flags.
func flagValues(v verb, flag string, l *completedLine) []string {
	switch flag {
	case "env":
		return l.environments(v)
	case "against", "compare", "from":
		return l.environments(verb{})
	case "format":
		return v.formats
	case "component":
		return stack.ComponentNames()
	case "only":
		return checks.Components()
	case "skip":
		if v.name == "status" {
			return checks.Components()
		}
		return release.PhaseNames()
	case "category":
		return checks.Categories()
	case "service":
		if v.name == "logs" {
			return logSources
		}
		return l.services()
	case "fault":
		return list.Map(local.Faults(), func(f local.Fault) string { return f.Name })
	case "version":
		return []string{"AWSPREVIOUS"}
	case "output", "pulumi", "from-file":
		return []string{completeFiles}
	case "dir", "state-dir":
		return []string{completeDirectories}
	}
	return nil
}

// services returns the roles of the services that the environment of --env has; every role where it is not known.
func (l *completedLine) services() []string {
	if l != nil && l.given["env"] != "" {
		if env, err := environment.Load(l.dir(), l.given["env"]); err == nil {
			return list.Map(env.Services.List(), func(s environment.Service) string { return string(s.Role) })
		}
	}
	return serviceRoles()
}

// serviceRoles returns the roles that services have.
func serviceRoles() []string {
	return []string{string(environment.API), string(environment.Worker), string(environment.Scheduler)}
}

// dir returns the project's root on the command line.
func (l *completedLine) dir() string {
	if given := l.given["dir"]; given != "" {
		return given
	}
	return defaultDir()
}

// environments returns the values of --env that a command takes.
func (l *completedLine) environments(v verb) []string {
	stacks, err := environment.List(l.dir())
	if err != nil {
		return nil
	}
	if v.takesShared {
		stacks = append(stacks, environment.SharedStack)
	}
	if v.takesSeveral {
		stacks = append(stacks, allEnvironments)
	}
	return stacks
}

// arguments returns the first arguments that the command takes.
func (l *completedLine) arguments() []string {
	switch path := strings.Join(l.path, " "); {
	case l.count > 0:
		return nil
	case path == "completion":
		return shells
	case path == "secrets set":
		return l.secretKeys()
	}
	return nil
}

// secretKeys returns the keys of the configuration secret that the environment of --env needs, or every environment.
func (l *completedLine) secretKeys() []string {
	stacks := []string{l.given["env"]}
	if stacks[0] == "" {
		stacks = l.environments(verb{})
	}
	var keys []string
	for _, name := range stacks {
		if env, err := environment.Load(l.dir(), name); err == nil {
			keys = append(keys, env.SecretKeys()...)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(keys)))
}

// plain returns words without meanings.
func plain(words []string) []choice {
	return list.Map(words, func(word string) choice { return choice{word: word} })
}

// matching returns the choices that begin with a word.
func matching(word string, all []choice) []choice {
	return list.Filter(all, func(c choice) bool { return strings.HasPrefix(c.word, word) })
}

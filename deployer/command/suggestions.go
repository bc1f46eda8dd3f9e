package command

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/suggest"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// otherCommands maps what other tools call a command (the AWS CDK and Copilot, SST, Kamal, ecspresso, flyctl, Heroku, Terraform, kubectl) to
// the deployer's.
var otherCommands = map[string]string{
	"deploy": "up", "apply": "up", "release": "up", "update": "up", "push": "up", "ship": "up",
	"ps": "tasks", "containers": "tasks", "pods": "tasks", "info": "status", "show": "status", "describe": "status",
	"svc": "status", "monitor": "status", "releases": "history", "deployments": "history", "revisions": "history", "events": "history",
	"ssh": "exec", "console": "exec", "shell": "exec", "sh": "exec", "bash": "exec", "run": "exec", "attach": "exec",
	"tail": "logs", "log": "logs", "diff": "preview", "plan": "preview", "synth": "preview", "refresh": "drift",
	"undo": "rollback", "abort": "rollback", "upp": "up", "scale": "up", "revert": "rollback", "reload": "restart", "bounce": "restart", "migration": "migrate", "migrations": "migrate",
	"registry": "images", "tags": "images", "builds": "images", "ls": "env list", "list": "env list", "environments": "env list",
	"validate": "env validate", "check": "doctor", "whoami": "doctor", "login": "doctor", "auth": "doctor",
	"config": "vars", "envs": "vars", "variables": "vars", "setenv": "secrets set", "secret": "secrets", "open": "url", "domain": "url",
	"init": "bootstrap", "setup": "bootstrap", "unlock": "lock release", "force-unlock": "lock release",
	"backup": "snapshot create", "restore": "snapshot restore", "bill": "cost", "costs": "cost", "price": "cost",
	"psql": "tunnel", "db": "tunnel", "proxy": "tunnel", "forward": "tunnel", "port-forward": "tunnel",
	"remove": "destroy", "delete": "destroy", "rm": "destroy", "down": "destroy", "teardown": "destroy",

	"secrets list": "secrets check", "secrets ls": "secrets check", "secrets get": "secrets check", "secrets put": "secrets set",
	"secrets add": "secrets set", "secrets update": "secrets set", "secrets create": "secrets init", "secrets import": "secrets init",
	"secrets unset": "secrets set KEY --delete",
	"secrets rm":    "secrets set KEY --delete", "secrets delete": "secrets set KEY --delete",
	"secrets compare": "secrets diff",
	"snapshot ls":     "snapshot list", "snapshot take": "snapshot create", "snapshot new": "snapshot create", "env ls": "env list",
	"env create": "env new", "env add": "env new", "env check": "env validate", "lock show": "lock status", "lock force": "lock release",
	"lock break": "lock release", "lock unlock": "lock release", "local start": "local serve", "local run": "local serve",
}

// unknownCommand returns the error for a word that is no command below the one of path, such as deployer secrets.
func unknownCommand(path, word string, commands []*cli.Command) error {
	remedy := fmt.Sprintf("`%s --help` lists the commands", path)
	if meant := meantCommand(path, word, commands); meant != "" {
		remedy = fmt.Sprintf("did you mean `%s`? %s", meant, remedy)
	}
	return hint.With(fmt.Errorf("unknown command %q", word), remedy)
}

// meantCommand returns the command that was probably meant, "" where there is none: by a name of another tool, or by one with a typing error.
// Of a command that deletes it returns the dry run.
func meantCommand(path, word string, commands []*cli.Command) string {
	group := strings.TrimPrefix(strings.TrimPrefix(path, "deployer"), " ")
	own := map[string]string{}
	for _, c := range commands {
		if !c.Hidden {
			own[c.Name] = strings.TrimSpace(group + " " + c.Name)
		}
	}
	for other, meant := range otherCommands {
		if below, name := cutLast(other); below == group && own[name] == "" {
			own[name] = meant
		}
	}
	meant := own[strings.ToLower(word)]
	if nearest := suggest.Nearest(word, slices.Sorted(maps.Keys(own))); meant == "" && len(nearest) > 0 {
		meant = own[nearest[0]]
	}
	switch meant {
	case "":
		return ""
	case destroyName:
		return "deployer destroy --dry-run"
	}
	v, _ := findVerb(strings.Fields(meant))
	return v.withRequired("deployer " + meant)
}

// withRequired returns a command of the verb that has no arguments, with the argument that the verb needs, and with the usual one of the
// flags that it needs, where it has none of them.
func (v verb) withRequired(command string) string {
	if v.args != "" && !strings.HasPrefix(v.args, "[") {
		command += " " + v.args
	}
	given := strings.Fields(command)
	if len(v.required) > 0 && !slices.ContainsFunc(v.required, func(flag string) bool { return slices.Contains(given, strings.Fields(flag)[0]) }) {
		command += " " + v.required[0]
	}
	return command
}

// givenFlags returns the verb's own flags that a command line has, except one, each after a space.
func (v verb) givenFlags(c *cli.Context, except string) string {
	var given strings.Builder
	for _, flag := range v.flags {
		name := flag.Names()[0]
		if name == except || !c.IsSet(name) {
			continue
		}
		given.WriteString(" --" + name)
		switch flag.(type) {
		case *cli.BoolFlag:
		case *cli.StringSliceFlag:
			given.WriteString(" " + text.ShellQuote(strings.Join(c.StringSlice(name), ",")))
		default:
			given.WriteString(" " + text.ShellQuote(fmt.Sprint(c.Value(name))))
		}
	}
	return given.String()
}

// cutLast returns the words before the last one, and the last.
func cutLast(words string) (before, last string) {
	at := strings.LastIndex(words, " ")
	return words[:max(at, 0)], words[at+1:]
}

// otherFlags maps names of flags, as other tools have them or short, to the deployer's.
var otherFlags = map[string]string{
	"tag": "image-tag", "image": "image-tag", "environment": "env", "stage": "env", "stack": "env", "s": "env", "en": "env", "l": "local", "v": "verbose",
	"plan": "dry-run", "n": "dry-run", "preview": "dry-run", "color": "no-color", "no-colour": "no-color", "silent": "quiet", "cwd": "dir",
	"wait-timeout": "timeout", "auto-approve": "yes", "force": "yes", "assume-yes": "yes", "svc": "service", "component": "only", "tail": "limit",
	"revision": "to", "exclude": "skip", "json": "format", "yaml": "format", "cluster": "env", "aws-profile": "profile", "aws-region": "region",
}

// The errors of the flag library, which have no types.
// Source: https://cs.opensource.google/go/go/+/master:src/flag/flag.go and https://github.com/urfave/cli/blob/v2-maint/flag_duration.go
var (
	notDefined   = lazyregexp.New(`^flag provided but not defined: -(.*)$`)
	needsValue   = lazyregexp.New(`^flag needs an argument: -(.*)$`)
	invalidValue = lazyregexp.New(`^invalid (?:boolean )?value (".*") for (?:flag )?-([^:]+): `)
	invalidEnv   = lazyregexp.New(`^could not parse (".*") as \S+ value from (environment variable ".*") for flag ([^:]+): `)
)

// flagError explains an error of the flag library about a command of a path and its flags.
func flagError(path string, flags []cli.Flag, err error) error {
	message := err.Error()
	usage := fmt.Sprintf("`%s --help` lists the flags", path)
	if match := notDefined.FindStringSubmatch(message); match != nil {
		return hint.With(fmt.Errorf("unknown flag %s", dashed(match[1])), flagHint(path, flags, match[1], usage))
	}
	if match := needsValue.FindStringSubmatch(message); match != nil {
		return hint.With(fmt.Errorf("%s has no value", dashed(match[1])), "give a value after it; "+usage)
	}
	if match := invalidValue.FindStringSubmatch(message); match != nil {
		return valueError(flags, match[2], match[1], "")
	}
	if match := invalidEnv.FindStringSubmatch(message); match != nil {
		return valueError(flags, match[3], match[1], match[2])
	}
	return hint.With(err, usage)
}

// valueError returns the error for a value, which is quoted, that a flag cannot have, and what to give. Source is the value's, "" for the
// command line.
func valueError(flags []cli.Flag, name, value, source string) error {
	kind, remedy := "a value of this flag", "give another value"
	switch flagOf(flags, "--"+name).(type) {
	case *cli.DurationFlag:
		kind, remedy = "a time", "give a number with its unit, as in 90s, 5m or 1h30m"
		if number := strings.Trim(value, `"`); wholeNumber.MatchString(number) {
			kind, remedy = "a time: it has no unit", fmt.Sprintf("give the unit: %ss for seconds or %[1]sm for minutes", number)
		}
	case *cli.IntFlag:
		kind, remedy = "a whole number", "give one in digits, such as 20"
	case *cli.Float64Flag:
		kind, remedy = "a number", "give one such as 1.5"
	case *cli.BoolFlag:
		kind, remedy = "true or false", "give the flag alone, or =true or =false"
	}
	if source != "" {
		source = ", which is in the " + source + ","
	}
	return hint.With(fmt.Errorf("%s: %s%s is not %s", dashed(name), value, source, kind), remedy)
}

// wholeNumber matches a number without a unit.
var wholeNumber = lazyregexp.New(`^[0-9]+$`)

// dashed returns a flag as it is written: -e, --env.
func dashed(name string) string {
	if len(name) > 1 {
		return "--" + strings.TrimLeft(name, "-")
	}
	return "-" + name
}

// flagHint returns what to do about an unknown flag.
func flagHint(path string, flags []cli.Flag, name, usage string) string {
	name, _, _ = strings.Cut(name, "=")
	if name == versionFlag && flagOf(flags, "--"+versionFlag) == nil {
		return "`deployer --version` prints the version"
	}
	var meant []string
	switch other := otherFlags[name]; {
	case name == "json" || name == "yaml":
		if f := flagOf(flags, "--format"); f != nil && strings.Contains(f.(cli.DocGenerationFlag).GetUsage(), name) {
			meant = []string{"--format " + name}
		}
	case other != "" && flagOf(flags, "--"+other) != nil:
		meant = []string{dashed(other)}
	case len(commandsWith(name)) == 0:
		meant = list.Map(suggest.Nearest(name, longNames(flags)), dashed)
	}
	if len(meant) > 0 {
		return fmt.Sprintf("did you mean %s? %s", strings.Join(meant, " or "), usage)
	}
	if others := commandsWith(name); len(others) > 0 && !slices.Contains(others, strings.TrimPrefix(path, "deployer ")) {
		return fmt.Sprintf("%s is a flag of %s; %s", dashed(name), text.Join(others, "and"), usage)
	}
	return usage
}

// longNames returns the names of flags, without the short ones.
func longNames(flags []cli.Flag) []string {
	var names []string
	for _, f := range flags {
		names = append(names, f.Names()[0])
	}
	return names
}

// commandsWith returns the commands that have a flag of their own by the name.
func commandsWith(name string) []string {
	var found []string
	eachVerb("", verbs(), func(path string, v verb) {
		if flagOf(v.flags, "--"+name) != nil {
			found = append(found, strings.TrimSpace(path))
		}
	})
	return found
}

// meantFlag returns the command with the flag that an argument was probably meant for, and with those that were given: up dev --code-only is
// up --env dev --code-only; "" where there is no such flag.
func (v verb) meantFlag(c *cli.Context, argument string) string {
	if v.name == "vars" && argument == "set" {
		return "deployer secrets set KEY"
	}
	takes := func(flag string, values []string) bool {
		return flagOf(v.flags, "--"+flag) != nil && slices.Contains(values, argument)
	}
	stacks, _ := environment.Names(c.String("dir")) // a directory that cannot be read suggests nothing
	flag, value := "", argument
	switch nearest := suggest.Nearest(argument, stacks); {
	case argument == allEnvironments && v.takesSeveral, argument == environment.SharedStack && v.takesShared:
		flag = "env"
	case takes("service", serviceRoles()):
		flag = "service"
	case takes("component", stack.ComponentNames()):
		flag = "component"
	case takes("only", checks.Components()):
		flag = "only"
	case takes("image-tag", []string{argument}) && (argument == "latest" || strings.ContainsAny(argument, "0123456789.")) && release.ValidImage(argument):
		flag = "image-tag"
	case len(nearest) > 0:
		flag, value = "env", nearest[0]
	default:
		return ""
	}
	return v.withRequired(fmt.Sprintf("%s --%s %s", c.Command.HelpName, flag, value) + v.givenFlags(c, flag))
}

// unknownValue returns the error for a value that a flag does not take. The remedy names those that it takes.
func unknownValue(what, value string, known []string, remedy string) error {
	return hint.With(fmt.Errorf("%s %q", what, value), suggest.Hint(value, known, remedy+strings.Join(known, ", ")))
}

// errSeveral returns the error of a command that takes one environment and was given several.
func errSeveral(selected string) error {
	return hint.With(errors.New("--env "+selected+": this command takes one environment"), "run it once for each; `deployer env list` lists them")
}

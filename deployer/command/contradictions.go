package command

import (
	"fmt"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// dependentFlags maps flags to the one without which they would do nothing, in commands that have both.
var dependentFlags = map[string]string{"interval": "watch", "since": "stats"}

// shortFormats are the flags that are short for a value of --format. Two of them together are allowed where formatPairs has them.
var shortFormats = []string{"yaml", "summary", "json"}

// formatPairs maps pairs of shortFormats to the format that they are together.
var formatPairs = map[string]string{"yaml+summary": "yaml+summary"}

// rejectContradictions rejects flags on the command line that contradict each other, or that would be ignored.
func (v verb) rejectContradictions(c *cli.Context) error {
	for _, f := range v.flags {
		name := f.Names()[0]
		needed, dependent := dependentFlags[name]
		dependent = dependent && flagOf(v.flags, "--"+needed) != nil
		if dependent && c.IsSet(name) && !c.Bool(needed) && !v.fromVariable(name) {
			return hint.With(fmt.Errorf("--%s does nothing without --%s", name, needed), fmt.Sprintf("add --%s, or leave --%s out", needed, name))
		}
	}
	if flagOf(v.flags, "--only") != nil && flagOf(v.flags, "--skip") != nil {
		skipped := split(c.StringSlice("skip"))
		if both := list.Filter(split(c.StringSlice("only")), func(word string) bool { return slices.Contains(skipped, word) }); len(both) > 0 {
			return hint.With(fmt.Errorf("--only and --skip both name %s", text.Join(both, "and")), "leave it out of one of them")
		}
	}
	return v.rejectFormats(c)
}

// fromVariable reports whether a flag has an environment variable, which holds for every command and contradicts nothing.
func (v verb) fromVariable(flag string) bool { return os.Getenv(v.variable(flag)) != "" }

// rejectFormats rejects short forms of --format that contradict each other or --format itself.
func (v verb) rejectFormats(c *cli.Context) error {
	given := list.Filter(shortFormats, func(name string) bool { return flagOf(v.flags, "--"+name) != nil && c.Bool(name) })
	if len(given) == 0 {
		return nil
	}
	format := given[0]
	if len(given) > 1 {
		format = formatPairs[given[0]+"+"+given[1]]
	}
	const leaveOut = "leave one of them out"
	if format == "" || len(given) > 2 {
		return hint.With(fmt.Errorf("%s contradict each other", text.Join(list.Map(given, dashed), "and")), leaveOut)
	}
	if explicit := c.String("format"); c.IsSet("format") && explicit != format && !v.fromVariable("format") {
		return hint.With(fmt.Errorf("%s and --format %s contradict each other", text.Join(list.Map(given, dashed), "and"), explicit), leaveOut)
	}
	return nil
}

package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/secrets"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func secretsDiffVerb() verb {
	return verb{
		name: "diff", usage: "show which keys differ between versions of the secret, or between environments",
		sensitive: true,
		long: `Without flags, compares the previous version with the current one. With --version, compares from that version; with
--against, from the other environment's secret. Keys are added, removed, changed or the same; no value is printed.`,
		examples: []string{
			"deployer secrets diff --env staging",
			"deployer secrets diff --env staging --against production",
			"deployer secrets diff --env staging --version 1a2b3c4d-… --format json",
		},
		formats: []string{"text", "json"},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "against", Usage: "compare with the secret of another `ENVIRONMENT`"},
			&cli.StringFlag{Name: "version", Usage: "compare with the version of this `ID`, or AWSPREVIOUS", Value: secrets.Previous},
		},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			if c.IsSet("against") && c.IsSet("version") {
				return hint.With(errors.New("--against and --version exclude each other"), "leave one of them out")
			}
			return secretsDiffOptions{
				targets: s.targets, terminal: s.terminal, format: s.flags.format, against: c.String("against"), version: c.String("version"),
			}.run(ctx)
		},
	}
}

type secretsDiffOptions struct {
	targets  *targets
	terminal *terminal
	format   string

	against, version string
}

func (o secretsDiffOptions) run(ctx context.Context) error {
	name := o.targets.selected
	after, afterName, err := o.read(ctx, name, secrets.Current)
	if err != nil {
		return err
	}
	other, version := name, o.version
	if o.against != "" {
		other, version = o.against, secrets.Current
		if environment.StackOf(other) == environment.StackOf(name) {
			return hint.With(fmt.Errorf("--against: %s is the environment itself", other), "name another one; `deployer env list` lists them")
		}
	}
	before, beforeName, err := o.read(ctx, other, version)
	if errors.Is(err, secrets.ErrNoVersion) && version == secrets.Previous {
		return hint.With(errors.New("the secret has one version only: there is no previous one to compare with"), "--against compares with another environment")
	}
	if err != nil {
		return err
	}
	return ui.KeyDifferences(o.terminal.out, beforeName, afterName, keyDifferences(before, after), o.format)
}

// read returns the keys of a version of an environment's secret, and a name for it.
func (o secretsDiffOptions) read(ctx context.Context, env, which string) (keys map[string]string, name string, err error) {
	err = o.targets.with(ctx, env, func(t *target.Target) error {
		version, err := readSecret(ctx, configSecret(t), t.Env, which)
		if err != nil {
			return err
		}
		name = fmt.Sprintf("%s of %s (%s)", version.ID, t.Env.SecretName(), version.Created.UTC().Format("2006-01-02 15:04:05Z"))
		var found *configuration.Settings
		if found, err = keysIn(t.Env.SecretName(), version); err == nil {
			keys = found.Values
		}
		return err
	})
	return keys, name, err
}

// keyDifferences returns how each key changed, in alphabetical order.
func keyDifferences(before, after map[string]string) []ui.KeyDifference {
	all := maps.Clone(before)
	maps.Copy(all, after)
	differences := []ui.KeyDifference{}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		old, was := before[key]
		value, is := after[key]
		result := "same"
		switch {
		case !was:
			result = "added"
		case !is:
			result = "removed"
		case old != value:
			result = "changed"
		}
		differences = append(differences, ui.KeyDifference{Key: key, Result: result})
	}
	return differences
}

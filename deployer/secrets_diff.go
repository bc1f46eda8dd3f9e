package main

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
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func secretsDiffVerb() verb {
	return verb{
		name: "diff", usage: "which keys differ between versions of the secret, or between environments",
		discreet: true,
		about: `Without flags: from the version before the current one to that. With --version, from that version; with --against, from
the other environment's secret. Keys are added, removed, changed or the same; no value is printed.`,
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
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			if c.IsSet("against") && c.IsSet("version") {
				return hint.With(errors.New("--against and --version are two comparisons"), "leave one of them out")
			}
			return secretsDiff{settings: s, against: c.String("against"), version: c.String("version")}.run(ctx)
		},
	}
}

// secretsDiff compares by key.
type secretsDiff struct {
	settings
	against, version string
}

func (s secretsDiff) run(ctx context.Context) error {
	after, afterName, err := s.read(ctx, secrets.Current)
	if err != nil {
		return err
	}
	other := s
	which := s.version
	if s.against != "" {
		other.name, which = s.against, secrets.Current
		if environment.StackOf(s.against) == environment.StackOf(s.name) {
			return hint.With(fmt.Errorf("--against: %s is the environment itself", s.against), "name another one; `deployer env list` lists them")
		}
	}
	before, beforeName, err := other.read(ctx, which)
	if errors.Is(err, secrets.ErrNoVersion) && which == secrets.Previous {
		return hint.With(fmt.Errorf("the secret has one version only, so there is nothing to compare with: %w", err), "--against compares with another environment")
	}
	if err != nil {
		return err
	}
	return ui.KeyDifferences(s.out, beforeName, afterName, keyDifferences(before, after), s.format)
}

// read returns the keys of a version of the environment's secret, and what it is called.
func (s secretsDiff) read(ctx context.Context, which string) (keys map[string]string, name string, err error) {
	err = s.visit(ctx, func(env *environment.Environment, p *place) error {
		version, err := readSecret(ctx, p.configSecret(env), env, which)
		if err != nil {
			return err
		}
		name = fmt.Sprintf("%s of %s (%s)", version.ID, env.SecretName(), version.Created.UTC().Format("2006-01-02 15:04:05Z"))
		var found *configuration.Settings
		if found, err = keysIn(env.SecretName(), version); err == nil {
			keys = found.Values
		}
		return err
	})
	return keys, name, err
}

// keyDifferences says what became of each key, in the order of the alphabet.
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

package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/secrets"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/suggest"
)

func secretsSetVerb() verb {
	return verb{
		name: "set", args: "KEY", usage: "set one key of the secret",
		changes: true,
		long: `The value comes from a pipe, or from an answer at the terminal, which is not shown; never from the command line, which
others can see and the shell remembers. A piped value is taken unchanged, with all its lines, except for one newline at its
end; an empty one is rejected. It is written only if no one else has changed the secret meanwhile. The services that have to
be restarted are listed. This also is how the application gets a variable of its own that is no secret, such as a feature flag: set its
key here, and list it in configuration.optional of the environment's file; the task definition has only what the program sets.`,
		examples: []string{
			"deployer secrets set SENTRY_DSN --env staging",
			"deployer secrets set SIGNING_KEY --env staging < key.pem",
			"deployer secrets set OLD_TOKEN --env staging --delete",
		},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "delete", Usage: "remove the key"},
			&cli.BoolFlag{Name: "force", Usage: "write placeholders and other rejected values"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print what would be changed, and change nothing"},
		},
		sensitive:    true,
		validateArgs: rejectValue,
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return secretsSetOptions{
				targets: s.targets, terminal: s.terminal,
				key: c.Args().First(), remove: c.Bool("delete"), force: c.Bool("force"), dryRun: c.Bool("dry-run"),
			}.run(ctx)
		},
	}
}

// rejectValue rejects a value on the command line, and does not repeat it.
func rejectValue(c *cli.Context) error {
	if key, _, given := strings.Cut(c.Args().First(), "="); given || c.NArg() > 1 {
		if !configuration.IsName(key) {
			key = "KEY"
		}
		return hint.With(errors.New("a value is not taken from the command line: others can see it there, and the shell remembers it"),
			"pipe it, or answer at the terminal: `deployer secrets set "+key+"`; if it was a real one, renew it")
	}
	if c.NArg() == 1 && !configuration.IsName(c.Args().First()) {
		return hint.With(errors.New("KEY is not a valid name of a variable"), "use letters, digits and _, with no digit first")
	}
	return nil
}

type secretsSetOptions struct {
	targets  *targets
	terminal *terminal

	key                   string
	remove, force, dryRun bool
}

func (o secretsSetOptions) run(ctx context.Context) error {
	return o.targets.withOwn(ctx, o.targets.selected, func(t *target.Target) error {
		env, store := t.Env, configSecret(t)
		current, err := readSecret(ctx, store, env, secrets.Current)
		if err != nil {
			return err
		}
		had, err := keysIn(env.SecretName(), current)
		if err != nil {
			return err
		}
		values, change, err := o.change(ctx, t, had.Values)
		if err != nil {
			return err
		}
		marked := *current.Text != configuration.WithoutByteOrderMark(*current.Text)
		if marked {
			o.terminal.warn(fmt.Errorf("%s begins with a byte order mark (U+FEFF), which this command removes", env.SecretName()))
		}
		if change == "" && (marked || len(had.Converted) > 0) {
			change = "written again to"
		}
		if change == "" {
			o.terminal.printf("%s of %s has this value already: nothing was changed\n", o.key, env.SecretName())
			return nil
		}
		if o.dryRun {
			o.terminal.printf("%s would be %s %s; %s\n", o.key, change, env.SecretName(), dryRunNote)
			return nil
		}
		if err := o.terminal.confirmSecret(ctx, env); err != nil {
			return err
		}
		return o.write(ctx, t, store, current, values, change)
	})
}

// change returns the values that the secret gets, and what happens to the key: added to, changed in, removed from; "" where nothing
// does.
func (o secretsSetOptions) change(ctx context.Context, t *target.Target, had map[string]string) (map[string]string, string, error) {
	env := t.Env
	values := maps.Clone(had)
	before, there := had[o.key]
	if o.remove {
		if !there {
			return nil, "", hint.With(fmt.Errorf("%s has no key %s", env.SecretName(), o.key),
				suggest.Hint(o.key, slices.Sorted(maps.Keys(had)), "`deployer secrets check` lists the keys"))
		}
		return o.removed(env, o.terminal.readUse(ctx, t), values)
	}
	value, source, err := o.value(ctx)
	if err != nil {
		return nil, "", err
	}
	if strings.TrimSpace(value) == "" && !o.force {
		return nil, "", hint.With(fmt.Errorf("%s: the value of %s is empty: nothing was written", source, o.key),
			"pipe the value or answer with it; --delete removes the key, --force writes an empty value")
	}
	values[o.key] = value
	given := &configuration.Settings{Source: source, Values: values}
	if _, err := configuration.EncodeSecret(env.SecretName(), values); err != nil {
		return nil, "", err
	}
	// Problems of other keys are not this command's.
	if err := o.terminal.checkValues(env, o.terminal.readUse(ctx, t), given, []string{o.key}, "nothing was written", o.force); err != nil {
		return nil, "", err
	}
	switch {
	case there && before == value:
		return values, "", nil
	case there:
		return values, "changed in", nil
	}
	return values, "added to", nil
}

func (o secretsSetOptions) removed(
	env *environment.Environment, use checks.SecretUse, values map[string]string,
) (map[string]string, string, error) {
	file := environment.FileName(env.Stack)
	switch {
	case o.force || !slices.Contains(use.Required(env), o.key):
	case slices.Contains(env.SecretKeys(), o.key):
		return nil, "", hint.With(fmt.Errorf("%s is required: without it no task starts", o.key),
			"remove it from configuration.required in "+file+" and deploy first, or give --force")
	default:
		return nil, "", hint.With(fmt.Errorf("the task definitions that run refer to %s: without it no other task of theirs starts", o.key),
			"run a full deployment first, which replaces them by "+file+", or give --force")
	}
	delete(values, o.key)
	return values, "removed from", nil
}

// value reads the value, and names its source.
func (o secretsSetOptions) value(ctx context.Context) (value, source string, err error) {
	if isTerminal(o.terminal.in) {
		value, err := o.terminal.readPassword(ctx, o.key)
		if err != nil {
			return "", "", fmt.Errorf("read the value of %s: %w", o.key, err)
		}
		return value, "the answer", nil
	}
	content, err := o.terminal.readInput(ctx, "-")
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	return text, standardInput, err
}

// write writes the new values and prints which services have to be restarted.
func (o secretsSetOptions) write(ctx context.Context, t *target.Target, store secrets.Store,
	current *secrets.Version, values map[string]string, change string,
) error {
	text, err := configuration.EncodeSecret(t.Env.SecretName(), values)
	if err != nil {
		return err
	}
	written, err := store.Write(ctx, current, text)
	if err != nil {
		return markAttempted(err)
	}
	o.terminal.warn(written.CleanupErr)
	o.terminal.printf("%s was %s %s\n", o.key, change, t.Env.SecretName())
	o.terminal.printOutdated(ctx, t)
	return nil
}

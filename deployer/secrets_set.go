package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/secrets"
	"github.com/balancer/v3-backend-infra/environment"
)

func secretsSetVerb() verb {
	return verb{
		name: "set", args: "KEY", usage: "set one key of the secret",
		about: `The value comes from a pipe, or from an answer at the terminal, which is not shown; never from the command line, which
others can see and the shell remembers. From a pipe it is taken as it is, with all its lines, less one newline at its
end; an empty one is refused. It is written only if nobody else has changed the secret meanwhile; then it says which services have to be
restarted.`,
		examples: []string{
			"deployer secrets set SENTRY_DSN --env staging",
			"deployer secrets set SIGNING_KEY --env staging < key.pem",
			"deployer secrets set OLD_TOKEN --env staging --delete",
		},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "delete", Usage: "take the key out"},
			&cli.BoolFlag{Name: "force", Usage: "write placeholders and what else is refused"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what would be changed, and change nothing"},
		},
		discreet: true,
		refuse:   refuseValue,
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return secretsSet{
				settings: s, key: c.Args().First(), remove: c.Bool("delete"), force: c.Bool("force"), dryRun: c.Bool("dry-run"),
			}.run(ctx)
		},
	}
}

// refuseValue refuses a value on the command line, and does not repeat what stands there.
func refuseValue(c *cli.Context) error {
	if key, _, given := strings.Cut(c.Args().First(), "="); given || c.NArg() > 1 {
		if !configuration.IsName(key) {
			key = "KEY"
		}
		return hint.With(errors.New("a value is not taken from the command line: others can see it there, and the shell remembers it"),
			"pipe it, or answer at the terminal: `deployer secrets set "+key+"`; if it was a real one, renew it")
	}
	if c.NArg() == 1 && !configuration.IsName(c.Args().First()) {
		return hint.With(errors.New("the KEY has a name that no variable can have"), "use letters, digits and _, with no digit first")
	}
	return nil
}

// secretsSet changes one key of the configuration secret.
type secretsSet struct {
	settings
	key                   string
	remove, force, dryRun bool
}

func (s secretsSet) run(ctx context.Context) error {
	if err := s.checkRegion(); err != nil {
		return err
	}
	return s.visit(ctx, func(env *environment.Environment, p *place) error {
		store := p.configSecret(env)
		current, err := readSecret(ctx, store, env, secrets.Current)
		if err != nil {
			return err
		}
		had, err := keysIn(env.SecretName(), current)
		if err != nil {
			return err
		}
		values, change, err := s.change(ctx, env, had.Values)
		if err != nil {
			return err
		}
		if change == "" {
			_, err := fmt.Fprintf(s.out, "%s of %s is left as it is: nothing would change\n", s.key, env.SecretName())
			return err
		}
		if s.dryRun {
			_, err := fmt.Fprintf(s.out, "%s would be %s %s\n", s.key, change, env.SecretName())
			return err
		}
		if err := s.confirmSecret(ctx, env); err != nil {
			return err
		}
		return s.write(ctx, env, p, store, current, values, change)
	})
}

// change returns what the secret is to hold, and what is done to the key: added to, changed in, removed from; nothing
// where it is so already.
func (s secretsSet) change(ctx context.Context, env *environment.Environment, had map[string]string) (map[string]string, string, error) {
	values := maps.Clone(had)
	before, there := had[s.key]
	if s.remove {
		return s.without(env, values, there)
	}
	value, source, err := s.value(ctx)
	if err != nil {
		return nil, "", err
	}
	if strings.TrimSpace(value) == "" && !s.force {
		return nil, "", hint.With(fmt.Errorf("%s: there is no value for %s: nothing was written", source, s.key),
			"pipe the value or answer with it; --delete takes the key out, --force writes an empty one")
	}
	values[s.key] = value
	given := &configuration.Settings{Source: source, Values: values}
	if _, err := configuration.EncodeSecret(env.SecretName(), values); err != nil {
		return nil, "", err
	}
	// What is wrong with other keys is not this command's.
	if err := s.judged(env, given, []string{s.key}, "nothing was written", s.force); err != nil {
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

func (s secretsSet) without(env *environment.Environment, values map[string]string, there bool) (map[string]string, string, error) {
	if slices.Contains(env.SecretKeys(), s.key) && !s.force {
		return nil, "", hint.With(fmt.Errorf("%s is required: without it no task starts", s.key),
			"take it out of configuration.required of "+environment.FileName(env.Stack)+" and deploy first, or give --force")
	}
	if !there {
		return values, "", nil
	}
	delete(values, s.key)
	return values, "removed from", nil
}

// value reads the value, and says where from.
func (s secretsSet) value(ctx context.Context) (value, source string, err error) {
	if file, ok := s.in.(*os.File); ok && isTerminal(s.in) {
		_, _ = fmt.Fprintf(s.err, "%s: ", s.key)
		value, err := hidden(ctx, file)
		_, _ = fmt.Fprintln(s.err)
		if err != nil {
			return "", "", fmt.Errorf("read the value of %s: %w", s.key, err)
		}
		return value, "the answer", nil
	}
	content, err := s.readInput(ctx, "-")
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	return text, standardInput, err
}

// write makes the new values current and says what is to be done then.
func (s secretsSet) write(ctx context.Context, env *environment.Environment, p *place, store secrets.Store,
	current *secrets.Version, values map[string]string, change string,
) error {
	text, err := configuration.EncodeSecret(env.SecretName(), values)
	if err != nil {
		return err
	}
	written, err := store.Write(ctx, current, text)
	if err != nil {
		return triedToWrite(err)
	}
	s.warn(written.CleanupErr)
	if _, err := fmt.Fprintf(s.out, "%s was %s %s\n", s.key, change, env.SecretName()); err != nil {
		return err
	}
	s.tellRestart(ctx, env, p)
	return nil
}

package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/secrets"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
)

func secretsInitVerb() verb {
	return verb{
		name: "init", usage: "create the secret, before an environment's first deployment",
		changes:   true,
		sensitive: true,
		long: `The values come from --from-file, from standard input where it is a pipe (both in the format of a .env file or a JSON
object), or from answers at the terminal, which are not shown. A secret that has a value is not changed, unless --replace
is given; then all of it is written again, unless another user writes it meanwhile. Keys that would be lost are named and
have to be confirmed; with --yes they are only named.`,
		examples: []string{
			"deployer secrets init --env staging",
			"deployer secrets init --env staging --from-file .env.staging",
			"sops decrypt staging.env | deployer secrets init --env staging --from-file -",
			"deployer secrets init --env staging --from-file .env.staging --replace",
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "from-file", Usage: "read the values from `FILE`; - is standard input"},
			&cli.BoolFlag{Name: "replace", Usage: "overwrite all of an existing secret"},
			&cli.BoolFlag{Name: "force", Usage: "write placeholders and other rejected values"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print which keys would be written, and write nothing"},
		},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return secretsInitOptions{
				targets: s.targets, terminal: s.terminal,
				file: c.String("from-file"), replace: c.Bool("replace"), force: c.Bool("force"), dryRun: c.Bool("dry-run"),
			}.run(ctx)
		},
	}
}

type secretsInitOptions struct {
	targets  *targets
	terminal *terminal

	file                   string
	replace, force, dryRun bool
}

// run creates the secret where there is none, gives it its first value, or replaces it.
func (o secretsInitOptions) run(ctx context.Context) error {
	return o.targets.withOwn(ctx, o.targets.selected, func(t *target.Target) error {
		env, store := t.Env, configSecret(t)
		before, err := o.before(ctx, store, env)
		if err != nil {
			return err
		}
		values, err := o.values(ctx, t)
		if err != nil {
			return err
		}
		keys, lost := printableNames(env, values), before.without(values)
		if o.dryRun {
			o.terminal.printf("%s would be %s with %s%s; %s\n", env.SecretName(), before.done(), keys, listed("; it would lose ", lost), dryRunNote)
			return nil
		}
		if err := o.confirmReplacement(ctx, env, lost); err != nil {
			return err
		}
		if err := o.write(ctx, store, env, before, values.Values); err != nil {
			return err
		}
		o.terminal.printf("%s was %s with %s\n", env.SecretName(), before.done(), keys)
		o.terminal.printOutdated(ctx, t)
		return nil
	})
}

// earlier is the secret before the command.
type earlier struct {
	exists bool
	// current is nil where there is no secret, or none with a value.
	current *secrets.Version
	// keys are those of the current value, as far as they can be read.
	keys []string
}

// before reads the secret. One with a value is an error without --replace.
func (o secretsInitOptions) before(ctx context.Context, store secrets.Store, env *environment.Environment) (earlier, error) {
	current, err := store.Read(ctx, secrets.Current)
	switch {
	case errors.Is(err, secrets.ErrNoSecret):
		return earlier{}, nil
	case errors.Is(err, secrets.ErrNoValue):
		return earlier{exists: true}, nil
	case err != nil:
		return earlier{}, err
	case !o.replace:
		return earlier{}, existsAlready(env)
	}
	held := earlier{exists: true, current: current}
	if current.Text == nil {
		o.terminal.warn(fmt.Errorf("%s holds binary data, which is lost", env.SecretName()))
		return held, nil
	}
	had, err := configuration.ParseSecret(env.SecretName(), configuration.WithoutByteOrderMark(*current.Text))
	if err != nil {
		o.terminal.warn(fmt.Errorf("%s holds more than can be read as variables, which is lost", env.SecretName()))
	}
	held.keys = had.Names()
	return held, nil
}

// without returns the keys that the new values lack.
func (e earlier) without(values *configuration.Settings) []string {
	return slices.DeleteFunc(slices.Clone(e.keys), func(key string) bool {
		_, kept := values.Values[key]
		return kept
	})
}

// done returns what happens to the secret.
func (e earlier) done() string {
	switch {
	case !e.exists:
		return "created"
	case e.current == nil:
		return "filled"
	}
	return "replaced"
}

func listed(introduction string, keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return introduction + strings.Join(keys, ", ")
}

// confirmReplacement asks before keys are lost, and before the secret of a protected environment changes, in one question.
func (o secretsInitOptions) confirmReplacement(ctx context.Context, env *environment.Environment, lost []string) error {
	if len(lost) == 0 {
		return o.terminal.confirmSecret(ctx, env)
	}
	reason := env.SecretName() + listed(" loses ", lost)
	if o.terminal.yes {
		o.terminal.warn(errors.New(reason))
		return nil
	}
	if env.Protected {
		reason += ", and " + env.Name + " is protected"
	}
	return o.terminal.confirm(ctx, "replace the configuration of", env.Name, reason)
}

// existsAlready returns the error for a secret that has a value: it belongs to people.
func existsAlready(env *environment.Environment) error {
	return hint.With(fmt.Errorf("%s exists already and is not changed", env.SecretName()),
		"`deployer secrets check --env "+env.Stack+"` checks whether it is complete, `deployer secrets set KEY --env "+env.Stack+"` changes a key")
}

func (o secretsInitOptions) write(
	ctx context.Context, store secrets.Store, env *environment.Environment, before earlier, values map[string]string,
) error {
	text, err := configuration.EncodeSecret(env.SecretName(), values)
	if err != nil {
		return err
	}
	if before.exists {
		written, err := store.Write(ctx, before.current, text)
		o.terminal.warn(written.CleanupErr)
		return markAttempted(err)
	}
	err = store.Create(ctx, text, "Configuration of the "+env.Name+" environment", env.Tags())
	if errors.Is(err, secrets.ErrExists) {
		return existsAlready(env)
	}
	return markAttempted(err)
}

// values returns the values that the secret gets, complete.
func (o secretsInitOptions) values(ctx context.Context, t *target.Target) (*configuration.Settings, error) {
	values, err := o.read(ctx, t.Env)
	if err != nil {
		return nil, err
	}
	return values, o.terminal.checkValues(t.Env, o.terminal.readUse(ctx, t), values, nil, "no secret was created", o.force)
}

// read takes the values from a file, from a pipe, or from a person.
func (o secretsInitOptions) read(ctx context.Context, env *environment.Environment) (*configuration.Settings, error) {
	file, name := o.file, o.file
	if file == "" && isTerminal(o.terminal.in) {
		values, err := o.ask(ctx, env)
		return &configuration.Settings{Source: "the answers", Values: values}, err
	}
	if file == "" || file == "-" {
		file, name = "-", standardInput
	}
	content, err := o.terminal.readInput(ctx, file)
	if err != nil {
		return nil, err
	}
	return configuration.ParseFile(name, content)
}

// ask reads each required value at the terminal, without echo.
func (o secretsInitOptions) ask(ctx context.Context, env *environment.Environment) (map[string]string, error) {
	values := map[string]string{}
	for _, key := range env.SecretKeys() {
		answer, err := o.terminal.readPassword(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("read the value of %s: %w", key, err)
		}
		values[key] = strings.TrimSpace(answer)
	}
	return values, nil
}

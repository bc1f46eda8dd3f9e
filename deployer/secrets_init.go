package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/secrets"
	"github.com/balancer/v3-backend-infra/environment"
)

func secretsInitVerb() verb {
	return verb{
		name: "init", usage: "make the secret, before an environment's first deployment",
		discreet: true,
		about: `The values come from --from-file, from standard input where it is a pipe (both in the form of a .env file or a JSON
object), or from answers at the terminal, which are not shown. A secret that has a value is left alone, unless --replace
is given; then all of it is written anew, if nobody else writes it meanwhile. The keys that it loses are named and asked
about, or only named with --yes.`,
		examples: []string{
			"deployer secrets init --env staging",
			"deployer secrets init --env staging --from-file .env.staging",
			"sops decrypt staging.env | deployer secrets init --env staging --from-file -",
			"deployer secrets init --env staging --from-file .env.staging --replace",
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "from-file", Usage: "read the values from `FILE`; - is standard input"},
			&cli.BoolFlag{Name: "replace", Usage: "write a secret that is there anew, all of it"},
			&cli.BoolFlag{Name: "force", Usage: "write placeholders and what else is refused"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say which keys would be written, and write nothing"},
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return secretsInit{
				settings: s, file: c.String("from-file"), replace: c.Bool("replace"), force: c.Bool("force"), dryRun: c.Bool("dry-run"),
			}.run(ctx)
		},
	}
}

// secretsInit makes the configuration secret where there is none, gives it its first value, or writes all of it anew.
type secretsInit struct {
	settings
	file                   string
	replace, force, dryRun bool
}

func (s secretsInit) run(ctx context.Context) error {
	if err := s.checkRegion(); err != nil {
		return err
	}
	return s.visit(ctx, func(env *environment.Environment, p *place) error {
		store := p.configSecret(env)
		before, err := s.before(ctx, store, env)
		if err != nil {
			return err
		}
		values, err := s.values(ctx, env)
		if err != nil {
			return err
		}
		keys, lost := strings.Join(values.Names(), ", "), before.without(values)
		if s.dryRun {
			_, err := fmt.Fprintf(s.out, "%s would be %s with %s%s\n", env.SecretName(), before.done(), keys, listed("; it would lose ", lost))
			return err
		}
		if err := s.confirmReplacement(ctx, env, lost); err != nil {
			return err
		}
		if err := s.write(ctx, store, env, before, values.Values); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(s.out, "%s was %s with %s\n", env.SecretName(), before.done(), keys); err != nil {
			return err
		}
		s.tellRestart(ctx, env, p)
		return nil
	})
}

// earlier is what there was before.
type earlier struct {
	secret bool
	// current is nil where there is no secret, or none with a value.
	current *secrets.Version
	// keys are those of the current value, as far as they can be read.
	keys []string
}

// before looks at what there is. A secret with a value is left alone, unless it is to be replaced.
func (s secretsInit) before(ctx context.Context, store secrets.Store, env *environment.Environment) (earlier, error) {
	current, err := store.Read(ctx, secrets.Current)
	switch {
	case errors.Is(err, secrets.ErrNoSecret):
		return earlier{}, nil
	case errors.Is(err, secrets.ErrNoValue):
		return earlier{secret: true}, nil
	case err != nil:
		return earlier{}, err
	case !s.replace:
		return earlier{}, existsAlready(env)
	}
	held := earlier{secret: true, current: current}
	if current.Text == nil {
		s.warn(fmt.Errorf("%s holds binary data, which goes", env.SecretName()))
		return held, nil
	}
	had, err := configuration.ParseSecret(env.SecretName(), *current.Text)
	if err != nil {
		s.warn(fmt.Errorf("%s holds more than can be read as variables, which goes", env.SecretName()))
	}
	held.keys = had.Names()
	return held, nil
}

// without are the keys that the new values lack.
func (e earlier) without(values *configuration.Settings) []string {
	return slices.DeleteFunc(slices.Clone(e.keys), func(key string) bool {
		_, kept := values.Values[key]
		return kept
	})
}

// done is what becomes of the secret.
func (e earlier) done() string {
	switch {
	case !e.secret:
		return "made"
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

// confirmReplacement asks before keys go, and before the secret of a protected environment changes, in one question.
func (s secretsInit) confirmReplacement(ctx context.Context, env *environment.Environment, lost []string) error {
	if len(lost) == 0 {
		return s.confirmSecret(ctx, env)
	}
	reason := env.SecretName() + listed(" loses ", lost)
	if s.yes {
		s.warn(errors.New(reason))
		return nil
	}
	if env.Protected {
		reason += ", and " + env.Name + " is protected"
	}
	return s.confirm(ctx, "replace the configuration of", env.Name, reason)
}

// existsAlready leaves a secret alone that is there: it is people's.
func existsAlready(env *environment.Environment) error {
	return hint.With(fmt.Errorf("%s exists already and is left as it is", env.SecretName()),
		"`deployer secrets check --env "+env.Stack+"` says whether it is complete, `deployer secrets set KEY --env "+env.Stack+"` changes a key")
}

func (s secretsInit) write(
	ctx context.Context, store secrets.Store, env *environment.Environment, before earlier, values map[string]string,
) error {
	text, err := configuration.EncodeSecret(env.SecretName(), values)
	if err != nil {
		return err
	}
	if before.secret {
		written, err := store.Write(ctx, before.current, text)
		s.warn(written.CleanupErr)
		return triedToWrite(err)
	}
	err = store.Create(ctx, text, "Configuration of the "+env.Name+" environment", env.Tags())
	if errors.Is(err, secrets.ErrExists) {
		return existsAlready(env)
	}
	return triedToWrite(err)
}

// triedToWrite marks an error as one of a change that was tried.
func triedToWrite(err error) error {
	if err == nil {
		return nil
	}
	return failure{err}
}

// values are what the secret is to hold, complete.
func (s secretsInit) values(ctx context.Context, env *environment.Environment) (*configuration.Settings, error) {
	values, err := s.read(ctx, env)
	if err != nil {
		return nil, err
	}
	return values, s.judged(env, values, nil, "no secret was made", s.force)
}

// read takes the values from a file, from a pipe, or from a person.
func (s secretsInit) read(ctx context.Context, env *environment.Environment) (*configuration.Settings, error) {
	file, name := s.file, s.file
	if file == "" && isTerminal(s.in) {
		values, err := s.ask(ctx, env)
		return &configuration.Settings{Source: "the answers", Values: values}, err
	}
	if file == "" || file == "-" {
		file, name = "-", standardInput
	}
	content, err := s.readInput(ctx, file)
	if err != nil {
		return nil, err
	}
	return configuration.ParseFile(name, content)
}

// ask reads each required value at the terminal, without echo.
func (s secretsInit) ask(ctx context.Context, env *environment.Environment) (map[string]string, error) {
	file, ok := s.in.(*os.File)
	if !ok {
		return nil, errors.New("there is no terminal to ask at")
	}
	values := map[string]string{}
	for _, key := range env.SecretKeys() {
		_, _ = fmt.Fprintf(s.err, "%s: ", key)
		answer, err := hidden(ctx, file)
		_, _ = fmt.Fprintln(s.err)
		if err != nil {
			return nil, fmt.Errorf("read the value of %s: %w", key, err)
		}
		values[key] = strings.TrimSpace(answer)
	}
	return values, nil
}

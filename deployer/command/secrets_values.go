package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/secrets"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// standardInput names the source of values that come from standard input.
const standardInput = "standard input"

// readInput reads a file, or standard input for "-".
func (t *terminal) readInput(ctx context.Context, file string) ([]byte, error) {
	read := func() ([]byte, error) { return os.ReadFile(file) }
	if file == "-" {
		read = func() ([]byte, error) { return io.ReadAll(io.LimitReader(t.in, 2*configuration.SecretLimit)) }
	}
	content, err := readWithContext(ctx, read)
	if err != nil {
		return nil, fmt.Errorf("read the values: %w", err)
	}
	return content, nil
}

// checkValues rejects placeholders and other values that are mistakes, and warns about those that may be, each with its location.
// Keys limits it to these; nil is all of a secret, and what is missing, too. Outcome is what did not happen; force turns
// rejections into warnings.
func (t *terminal) checkValues(
	env *environment.Environment, use checks.SecretUse, values *configuration.Settings, keys []string, outcome string, force bool,
) error {
	var rejected []string
	for _, p := range checks.SecretProblems(values, env, use) {
		text := values.Location(p.Key) + ": " + p.String()
		if p.Kind == checks.UnknownKey && mayBePiece(env, values, p.Key) {
			text = values.Location(p.Key) + ": a name without a value, which the application does not know, can be a piece of the value above it: " +
				"remove the line, or list the name in configuration.optional of " + environment.FileName(env.Stack)
		}
		switch {
		case keys != nil && !slices.Contains(keys, p.Key):
		case p.Rejected && !force:
			rejected = append(rejected, text)
		default:
			t.warn(errors.New(text))
		}
	}
	if len(rejected) == 0 {
		return nil
	}
	return hint.With(fmt.Errorf("%s:\n  %s", outcome, strings.Join(rejected, "\n  ")), "correct these values; --force writes them anyway, but a required key that is "+
		"empty, a placeholder or not a URL, and another environment's database, stop the next deployment")
}

// mayBePiece reports whether a name in a file can be a piece of a value, such as the last line of Base64 with its =, so that it must not
// be printed: it has no value, and is not known to the application.
func mayBePiece(env *environment.Environment, values *configuration.Settings, name string) bool {
	value, given := values.Values[name]
	return given && value == "" && values.Lines[name] > 0 && !env.ReadsVariable(name) && !configuration.ChangesLoader(name)
}

// printableNames returns the names of variables, and the line instead of a name that may be a piece of a value.
func printableNames(env *environment.Environment, values *configuration.Settings) string {
	return strings.Join(list.Map(values.Names(), func(name string) string {
		if mayBePiece(env, values, name) {
			return fmt.Sprintf("the name in line %d", values.Lines[name])
		}
		return name
	}), ", ")
}

// readUse returns what the running task definitions refer to, with which the values of the secret are compared. Where they cannot be
// read, that is only a warning: a change of the secret must not depend on ECS.
func (t *terminal) readUse(ctx context.Context, in *target.Target) checks.SecretUse {
	use, err := checks.ReadSecretUse(ctx, in.Env, in.AWS)
	if err != nil {
		t.warn(fmt.Errorf("the values are only compared with %s: %w", environment.FileName(in.Env.Stack), err))
	}
	return use
}

// keysIn returns the keys of a version of the secret. A value that is not a JSON object is an error; a byte order mark is none, since
// the next change removes it.
func keysIn(name string, v *secrets.Version) (*configuration.Settings, error) {
	if v.Text == nil {
		return nil, hint.With(fmt.Errorf("%s holds binary data, not a JSON object", name),
			"`deployer secrets init --replace` writes all of it again")
	}
	found, err := configuration.ParseSecret(name, configuration.WithoutByteOrderMark(*v.Text))
	if err != nil {
		return nil, hint.With(err, "`deployer secrets init --replace` writes all of it again")
	}
	return found, nil
}

// readSecret reads a version. Where there is no secret, or none with a value, the hint has the command that creates it.
func readSecret(ctx context.Context, store secrets.Store, env *environment.Environment, which string) (*secrets.Version, error) {
	version, err := store.Read(ctx, which)
	switch {
	case errors.Is(err, secrets.ErrNoSecret):
		return nil, hint.With(err, "create it: `deployer secrets init --env "+env.Stack+"`")
	case errors.Is(err, secrets.ErrNoValue):
		return nil, hint.With(err, "write all of it: `deployer secrets init --env "+env.Stack+"`")
	}
	return version, err
}

// confirmSecret asks before the secret of a protected environment changes.
func (t *terminal) confirmSecret(ctx context.Context, env *environment.Environment) error {
	if !env.Protected {
		return nil
	}
	return t.confirm(ctx, "change the configuration of", env.Name, env.Name+" is protected")
}

// printOutdated prints which services still run with the previous values, and what restarts them.
func (t *terminal) printOutdated(ctx context.Context, in *target.Target) {
	outdated := checks.OutdatedTasks(ctx, in.Env, checks.Sources{AWS: in.AWS, Network: in.Network}, in.Clock)
	if len(outdated) == 0 {
		return
	}
	var names []string
	for _, f := range outdated {
		names = append(names, strings.TrimPrefix(f.Service, "ECS-Tasks-"))
	}
	_, _ = fmt.Fprintf(t.err, "these services run with the previous values until they are restarted: %s\n  %s\n",
		strings.Join(names, ", "), outdated[0].Hint.Command)
}

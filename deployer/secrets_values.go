package main

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
	"github.com/balancer/v3-backend-infra/environment"
)

// standardInput is what - stands for, and how it is named in what is said.
const standardInput = "standard input"

// readInput reads a file, or standard input for "-".
func (s settings) readInput(ctx context.Context, file string) ([]byte, error) {
	read := func() ([]byte, error) { return os.ReadFile(file) }
	if file == "-" {
		read = func() ([]byte, error) { return io.ReadAll(io.LimitReader(s.in, 2*configuration.SecretLimit)) }
	}
	content, err := answered(ctx, read)
	if err != nil {
		return nil, fmt.Errorf("read the values: %w", err)
	}
	return content, nil
}

// judged refuses values that nobody means, and warns of what may be a mistake, each named with its place: about the keys
// that about lists, or about all of a secret, what is missing too, where it is nil. outcome says what did not happen;
// force lets it happen all the same.
func (s settings) judged(env *environment.Environment, values *configuration.Settings, about []string, outcome string, force bool) error {
	for _, w := range values.Warnings {
		if about == nil || slices.Contains(about, w.Key) {
			s.warn(errors.New(w.Text(values.Source)))
		}
	}
	var unfit []string
	for _, p := range checks.SecretProblems(values.Values, env) {
		said := values.Location(p.Key) + ": " + p.String()
		switch {
		case about != nil && !slices.Contains(about, p.Key):
		case p.Rejected && !force:
			unfit = append(unfit, said)
		default:
			s.warn(errors.New(said))
		}
	}
	if len(unfit) == 0 {
		return nil
	}
	return hint.With(fmt.Errorf("%s:\n  %s", outcome, strings.Join(unfit, "\n  ")), "correct what is named; --force writes it all the same")
}

// keysIn are the keys of a version of the secret; a value that is no JSON object has none, and is an error.
func keysIn(name string, v *secrets.Version) (*configuration.Settings, error) {
	if v.Text == nil {
		return nil, hint.With(fmt.Errorf("%s holds binary data, not a JSON object", name), "`secrets init --replace` writes all of it anew")
	}
	found, err := configuration.ParseSecret(name, *v.Text)
	if err != nil {
		return nil, hint.With(err, "`secrets init --replace` writes all of it anew")
	}
	return found, nil
}

// readSecret reads a version; where there is no secret, or none with a value, the error says how to make it.
func readSecret(ctx context.Context, store secrets.Store, env *environment.Environment, which string) (*secrets.Version, error) {
	version, err := store.Read(ctx, which)
	switch {
	case errors.Is(err, secrets.ErrNoSecret):
		return nil, hint.With(err, "make it: `deployer secrets init --env "+env.Stack+"`")
	case errors.Is(err, secrets.ErrNoValue):
		return nil, hint.With(err, "write all of it: `deployer secrets init --env "+env.Stack+"`")
	}
	return version, err
}

// confirmSecret asks before the secret of a protected environment changes.
func (s settings) confirmSecret(ctx context.Context, env *environment.Environment) error {
	if !env.Protected {
		return nil
	}
	return s.confirm(ctx, "change the configuration of", env.Name, env.Name+" is protected")
}

// tellRestart says which services run with the values from before, and what renews them.
func (s settings) tellRestart(ctx context.Context, env *environment.Environment, p *place) {
	stale := checks.OutdatedTasks(ctx, env, checks.Sources{AWS: p.aws, Network: p.network}, p.clock)
	if len(stale) == 0 {
		return
	}
	var names []string
	for _, f := range stale {
		names = append(names, strings.TrimPrefix(f.Service, "ECS-Tasks-"))
	}
	_, _ = fmt.Fprintf(s.err, "these services run with the values from before, until they are restarted: %s\n  %s\n",
		strings.Join(names, ", "), stale[0].Hint.Command)
}

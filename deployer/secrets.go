package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func secretsVerb() verb {
	return verb{
		name: "secrets", usage: "the configuration secret; no value is ever printed",
		verbs: []verb{
			{
				name: "check", usage: "whether the secret has every key that the tasks need",
				examples: []string{"deployer secrets check --env staging"},
				formats:  []string{"text", "json"},
				run: func(ctx context.Context, s settings, _ *cli.Context) error {
					return secretsCheck{s}.run(ctx)
				},
			},
			{
				name: "init", usage: "make the secret, before an environment's first deployment",
				about: `The values come from --from-file, from standard input where it is a pipe (both in the form of a .env file
or a JSON object), or from answers at the terminal, which are not shown.`,
				examples: []string{
					"deployer secrets init --env staging",
					"deployer secrets init --env staging --from-file .env.staging",
				},
				flags: []cli.Flag{
					&cli.StringFlag{Name: "from-file", Usage: "read the values from `FILE`"},
					&cli.BoolFlag{Name: "dry-run", Usage: "say which keys would be written, and write nothing"},
				},
				run: func(ctx context.Context, s settings, c *cli.Context) error {
					return secretsInit{settings: s, file: c.String("from-file"), dryRun: c.Bool("dry-run")}.run(ctx)
				},
			},
		},
	}
}

// secretsCheck judges the secret by key.
type secretsCheck struct{ settings }

func (s secretsCheck) run(ctx context.Context) error {
	return s.visit(ctx, func(env *environment.Environment, p *place) error {
		report := checks.Run(ctx, env, checks.Sources{AWS: p.aws, Network: p.network}, checks.Options{Only: []string{"secrets"}}, p.clock)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := ui.Findings(s.out, report.Services, s.format, s.style()); err != nil {
			return err
		}
		return codeOf(report.Summary.Status)
	})
}

// secretsInit makes the configuration secret where there is none.
type secretsInit struct {
	settings
	file   string
	dryRun bool
}

func (s secretsInit) run(ctx context.Context) error {
	if err := s.checkRegion(); err != nil {
		return err
	}
	return s.visit(ctx, func(env *environment.Environment, p *place) error {
		client := secretsmanager.NewFromConfig(p.aws)
		if err := s.refuseExisting(ctx, client, env); err != nil {
			return err
		}
		values, err := s.values(ctx, env)
		if err != nil {
			return err
		}
		keys := strings.Join(slices.Sorted(maps.Keys(values)), ", ")
		if s.dryRun {
			_, err := fmt.Fprintf(s.out, "%s would be made with %s\n", env.SecretName(), keys)
			return err
		}
		if err := s.create(ctx, client, env, values); err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.out, "%s was made with %s\n", env.SecretName(), keys)
		return err
	})
}

// refuseExisting leaves a secret alone that is there already: it is people's.
func (s secretsInit) refuseExisting(ctx context.Context, client *secretsmanager.Client, env *environment.Environment) error {
	_, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(env.SecretName())})
	var absent *types.ResourceNotFoundException
	switch {
	case errors.As(err, &absent):
		return nil
	case err != nil:
		return fmt.Errorf("look up the secret %s: %w", env.SecretName(), err)
	}
	return hinted{fmt.Errorf("%s exists already and is left as it is", env.SecretName()),
		"`deployer secrets check --env " + env.Stack + "` says whether it is complete"}
}

func (s secretsInit) create(ctx context.Context, client *secretsmanager.Client, env *environment.Environment, values map[string]string) error {
	body, err := configuration.EncodeSecret(env.SecretName(), values)
	if err != nil {
		return err
	}
	var tags []types.Tag
	for key, value := range env.Tags() {
		tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	_, err = client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(env.SecretName()), SecretString: aws.String(body), Tags: tags,
		Description: aws.String("Configuration of the " + env.Name + " environment"),
	})
	if err != nil {
		return fmt.Errorf("make the secret %s: %w", env.SecretName(), err)
	}
	return nil
}

// values are what the secret is to hold, complete.
func (s secretsInit) values(ctx context.Context, env *environment.Environment) (map[string]string, error) {
	values, err := s.read(ctx, env)
	if err != nil {
		return nil, err
	}
	var problems []string
	for _, p := range configuration.Judge(values, env.SecretKeys()) {
		problems = append(problems, fmt.Sprintf("%s is %s", p.Key, p.Kind))
	}
	if len(problems) > 0 {
		return nil, hinted{fmt.Errorf("no secret was made: %s", strings.Join(problems, ", ")), "the application does not start without them"}
	}
	return values, nil
}

// read takes the values from a file, from a pipe, or from a person.
func (s secretsInit) read(ctx context.Context, env *environment.Environment) (map[string]string, error) {
	switch {
	case s.file != "":
		content, err := os.ReadFile(s.file)
		if err != nil {
			return nil, fmt.Errorf("read the values: %w", err)
		}
		return parseValues(s.file, content)
	case !isTerminal(s.in):
		content, err := answered(ctx, func() ([]byte, error) { return io.ReadAll(s.in) })
		if err != nil {
			return nil, fmt.Errorf("read the values: %w", err)
		}
		return parseValues("standard input", content)
	}
	return s.ask(ctx, env)
}

// parseValues reads a JSON object or a .env file.
func parseValues(name string, content []byte) (map[string]string, error) {
	settings, err := configuration.ParseFile(name, content)
	if err != nil {
		return nil, err
	}
	return settings.Values, nil
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

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/configuration"
)

// The variables that say where the others are. The infrastructure program sets them in the task definition.
const (
	configSecretID    = "CONFIG_SECRET_ID"
	databaseSecretARN = "DATABASE_SECRET_ARN"
	databaseURL       = "DATABASE_URL"
	databaseHost      = "DATABASE_HOST"
)

// starter brings together what the application is started with.
type starter struct {
	options
	// environment is this process's, as NAME=value.
	environment []string
	say         func(line string)
	clock       clock.Clock
	// transport carries what is asked of Secrets Manager; nil means the network.
	transport http.RoundTripper
}

// prepared is an application that only has to be started.
type prepared struct {
	// path is the program, empty where there is no command.
	path string
	// environment is the application's, as NAME=value.
	environment []string
	// origins say where the variables that were added come from.
	origins map[string]string
}

func (s starter) prepare(ctx context.Context) (*prepared, error) {
	p := &prepared{}
	if len(s.command) > 0 {
		path, err := lookUp(s.command[0])
		if err != nil {
			return nil, err
		}
		p.path = path
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	own := variables(s.environment)
	settings, url, err := s.gather(ctx, own)
	if err != nil {
		return nil, err
	}
	for _, warning := range settings.Warnings {
		s.say("warning: " + warning.Text(settings.Source))
	}
	all := merge(own, settings, url, s.override)
	if err := s.judge(all, settings); err != nil {
		return nil, err
	}
	p.environment, p.origins = all.list(s.environment), all.origins
	s.say(all.summary(settings))
	return p, nil
}

// gather reads the variables, and the DATABASE_URL that was built.
func (s starter) gather(ctx context.Context, own map[string]string) (*configuration.Settings, string, error) {
	id, named := own[configSecretID]
	if named && strings.TrimSpace(id) == "" {
		return nil, "", misconfigured(fmt.Errorf("%s is empty; name the configuration secret, or unset it to read .env", configSecretID))
	}
	var settings *configuration.Settings
	if !named {
		var err error
		if settings, err = s.readFile(); err != nil {
			return nil, "", err
		}
	}
	databaseSecret := own[databaseSecretARN]
	if own[databaseURL] != "" || settings != nil && settings.Values[databaseURL] != "" {
		databaseSecret = ""
	}
	if !named && databaseSecret == "" {
		return settings, "", nil
	}
	v, err := s.openVault(ctx, own)
	if err != nil {
		return nil, "", err
	}
	return v.gather(ctx, settings, databaseSecret, own)
}

// readFile reads .env. That there is none is no mistake, unless a file was asked for.
func (s starter) readFile() (*configuration.Settings, error) {
	const limit = 1 << 20
	file, err := os.Open(s.envFile)
	if errors.Is(err, fs.ErrNotExist) && !s.fileGiven {
		return &configuration.Settings{Source: "the environment alone: " + configSecretID + " is not set, and there is no " + s.envFile}, nil
	}
	if err != nil {
		return nil, misconfigured(fmt.Errorf("read the variables: %w", err))
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, misconfigured(fmt.Errorf("read the variables: %w", err))
	}
	if len(content) > limit {
		return nil, misconfigured(fmt.Errorf("%s has more than %d bytes, which no file of variables has", s.envFile, limit))
	}
	settings, err := configuration.ParseDotenv(s.envFile, content)
	if err != nil {
		return nil, misconfigured(err)
	}
	return settings, nil
}

// judge refuses to start without the required variables, and warns of values that look wrong.
func (s starter) judge(all merged, settings *configuration.Settings) error {
	var stopping []string
	for _, problem := range configuration.Judge(all.values, slices.Compact(slices.Sorted(slices.Values(s.required)))) {
		if problem.Kind == configuration.Missing || problem.Kind == configuration.Empty {
			stopping = append(stopping, problem.Key+" is "+problem.Kind.String())
		}
	}
	if len(stopping) > 0 {
		return misconfigured(fmt.Errorf("the application is not started: %s; looked in the environment and in %s",
			strings.Join(stopping, ", "), settings.Source))
	}
	added := slices.DeleteFunc(settings.Names(), func(name string) bool { return settings.Values[name] == "" })
	for _, problem := range configuration.Judge(settings.Values, added) {
		s.say(fmt.Sprintf("warning: %s: %s is %s", settings.Place(problem.Key), problem.Key, problem.Kind))
	}
	host, expected := configuration.DatabaseHost(all.values[databaseURL]), all.values[databaseHost]
	if all.values[databaseURL] != "" && expected != "" && host != strings.ToLower(expected) {
		s.say(fmt.Sprintf("warning: %s leads to another host than %s", databaseURL, databaseHost))
	}
	return nil
}

// describe prints the variables that were added and where they come from.
func (p *prepared) describe(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	names := make([]string, 0, len(p.origins))
	for name := range p.origins {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", name, p.origins[name])
	}
	_ = table.Flush()
}

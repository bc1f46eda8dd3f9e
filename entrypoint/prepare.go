package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/configuration"
)

// The variables that locate the others. The infrastructure program sets them in the task definition.
const (
	configSecretID    = "CONFIG_SECRET_ID"
	databaseSecretARN = "DATABASE_SECRET_ARN"
	databaseURL       = "DATABASE_URL"
	databaseHost      = "DATABASE_HOST"
)

// launcher prepares the start of the application.
type launcher struct {
	options
	// environment is this process's, as NAME=value.
	environment []string
	log         func(line string)
	clock       clock.Clock
	// transport sends the requests to Secrets Manager; nil means the network.
	transport http.RoundTripper
}

// prepared is an application that is ready to be started.
type prepared struct {
	// path is the program, empty if there is no command.
	path string
	// environment is the application's, as NAME=value.
	environment []string
	// origins are the sources of the added variables.
	origins map[string]string
}

func (l launcher) prepare(ctx context.Context) (*prepared, error) {
	p := &prepared{}
	if len(l.command) > 0 {
		path, err := findCommand(l.command[0])
		if err != nil {
			return nil, err
		}
		p.path = path
	}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	existing := variables(l.environment)
	settings, url, err := l.collect(ctx, existing)
	if err != nil {
		return nil, err
	}
	for _, warning := range settings.Warnings {
		l.log("warning: " + warning.Text(settings.Source))
	}
	if err := rejectLoaderVariables(settings); err != nil {
		return nil, err
	}
	all := merge(existing, settings, url, l.override)
	if err := l.validate(all, settings); err != nil {
		return nil, err
	}
	p.environment, p.origins = all.list(l.environment), l.printable(all, settings)
	l.log(all.summary(settings))
	return p, nil
}

// printable returns the sources of the variables by name. A name of a file that has no value and is not required can be a piece of a
// value, such as the last line of Base64 with its =: its line replaces it.
func (l launcher) printable(all mergedVariables, settings *configuration.Settings) map[string]string {
	origins := map[string]string{}
	for name, origin := range all.origins {
		if line := settings.Lines[name]; line > 0 && settings.Values[name] == "" && !slices.Contains(l.required, name) {
			name = fmt.Sprintf("(empty, in line %d)", line)
		}
		origins[name] = origin
	}
	return origins
}

// collect returns the variables, and the DATABASE_URL that was built.
func (l launcher) collect(ctx context.Context, existing map[string]string) (*configuration.Settings, string, error) {
	id, named := existing[configSecretID]
	if named && strings.TrimSpace(id) == "" {
		return nil, "", configurationError(fmt.Errorf("%s is empty; name the configuration secret, or unset it to read .env", configSecretID))
	}
	var settings *configuration.Settings
	if !named {
		var err error
		if settings, err = l.readFile(); err != nil {
			return nil, "", err
		}
	}
	databaseSecret := existing[databaseSecretARN]
	if existing[databaseURL] != "" || settings != nil && settings.Values[databaseURL] != "" {
		databaseSecret = ""
	}
	if !named && databaseSecret == "" {
		return settings, "", nil
	}
	client, err := l.newSecretsClient(ctx, existing)
	if err != nil {
		return nil, "", err
	}
	return client.fetchSecrets(ctx, settings, databaseSecret, existing)
}

// readFile reads .env. It may be missing unless it was given explicitly.
func (l launcher) readFile() (*configuration.Settings, error) {
	const limit = 1 << 20
	file, err := os.Open(l.envFile)
	if errors.Is(err, fs.ErrNotExist) && !l.fileGiven {
		return &configuration.Settings{Source: "the environment alone: " + configSecretID + " is not set, and " + l.envFile + " does not exist"}, nil
	}
	if err != nil {
		return nil, configurationError(fmt.Errorf("read the variables: %w", err))
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, configurationError(fmt.Errorf("read the variables: %w", err))
	}
	if len(content) > limit {
		return nil, configurationError(fmt.Errorf("%s is larger than %d bytes", l.envFile, limit))
	}
	settings, err := configuration.ParseDotenv(l.envFile, content)
	if err != nil {
		return nil, configurationError(err)
	}
	return settings, nil
}

// rejectLoaderVariables returns an error if the settings have variables that determine which code is loaded.
func rejectLoaderVariables(settings *configuration.Settings) error {
	found := slices.DeleteFunc(slices.Sorted(maps.Keys(settings.Values)), func(name string) bool { return !configuration.ChangesLoader(name) })
	if len(found) == 0 {
		return nil
	}
	return configurationError(fmt.Errorf("the application was not started: %s has %s, which would change the code that it loads; "+
		"remove it there, and set it in the image with ENV", settings.Source, strings.Join(found, ", ")))
}

// validate returns an error if required variables are missing, and warns of suspicious values.
func (l launcher) validate(all mergedVariables, settings *configuration.Settings) error {
	var missing []string
	for _, problem := range configuration.Judge(all.values, slices.Compact(slices.Sorted(slices.Values(l.required)))) {
		if problem.Kind == configuration.Missing || problem.Kind == configuration.Empty {
			missing = append(missing, problem.Key+" "+problem.Message())
		}
	}
	if len(missing) > 0 {
		return configurationError(fmt.Errorf("the application was not started: %s; the variables were read from %s",
			strings.Join(missing, ", "), settings.Source))
	}
	added := slices.DeleteFunc(settings.Names(), func(name string) bool {
		return settings.Values[name] == "" || all.origins[name] != settings.Source
	})
	for _, problem := range configuration.Judge(settings.Values, added) {
		l.log(fmt.Sprintf("warning: %s: %s %s", settings.Location(problem.Key), problem.Key, problem.Message()))
	}
	host, expected := configuration.DatabaseHost(all.values[databaseURL]), all.values[databaseHost]
	if all.values[databaseURL] != "" && expected != "" && host != strings.ToLower(expected) {
		l.log(fmt.Sprintf("warning: %s points to another host than %s", databaseURL, databaseHost))
	}
	return nil
}

// describe prints the added variables and their sources.
func (p *prepared) describe(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(p.origins)) {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", name, p.origins[name])
	}
	_ = table.Flush()
}

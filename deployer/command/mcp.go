package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/mcp"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func mcpVerb() verb {
	return verb{
		name: "mcp", usage: "serve what the deployer reads to an assistant: a Model Context Protocol server",
		long: `Serves tools on standard input and output, until the client closes them:
` + text.Wrap("   "+strings.Join(mcp.Tools(), " "), 74, "   ") + `
All of them only read, none asks a question, and secrets are masked under any argument. A result has at most ` +
			fmt.Sprint(mcp.MaxTokens) + ` tokens
and names what it left out.
With --env, the server is for these environments; with a single one, calls need not name it. --timeout limits each call.`,
		examples:     []string{"deployer mcp", "deployer mcp --env staging", "deployer mcp --env dev --local"},
		takesSeveral: true,
		// The server runs until its client closes the streams: the time limit is each call's.
		run: func(_ context.Context, s *services, c *cli.Context) error {
			if s.flags.output != "" {
				return hint.With(errors.New("--output: the output of mcp is read by its client"), "leave --output out")
			}
			return mcpServer{flags: s.flags, self: s.terminal.self}.run(c.Context, s, c.App.Version)
		},
	}
}

// mcpServer reads what the tools return, each call with services of its own.
type mcpServer struct {
	flags globalFlags
	// self is this program's file, as in streams.
	self string
}

func (m mcpServer) run(ctx context.Context, s *services, version string) error {
	names, err := m.environments(s.targets)
	if err != nil {
		return err
	}
	server, err := mcp.NewServer(mcp.Options{
		Version: version, Environments: names, Components: checks.Components(), Tasks: taskServices, Sources: logSources,
		Services: []string{string(environment.API), string(environment.Worker), string(environment.Scheduler)},
	}, m.functions())
	if err != nil {
		return err
	}
	return server.Run(ctx, mcp.Streams(s.terminal.in, s.terminal.out))
}

// environments returns the stacks that --env names; without it all.
func (mcpServer) environments(t *targets) ([]string, error) {
	if t.selected == "" {
		return environment.List(t.options.Dir)
	}
	names, err := t.names()
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		env, err := t.environment(name)
		if err != nil {
			return nil, err
		}
		names[i] = env.Stack
	}
	return names, nil
}

// services returns services for one call, which reads nothing from standard input and writes to the buffers.
func (m mcpServer) services(env string) (s *services, out, log *bytes.Buffer) {
	flags := m.flags
	flags.env, flags.inForce.env, flags.format = env, env, "json"
	flags.quiet, flags.yes, flags.verbose, flags.debug, flags.Debug, flags.noColor = true, false, false, false, false, true
	out, log = &bytes.Buffer{}, &bytes.Buffer{}
	inForce := &flagsInForce{}
	return newServices(flags, false, streams{
		in: strings.NewReader(""), out: out, err: flaggedWriter{log, inForce}, self: m.self, flags: inForce,
	}), out, log
}

// A command runs with the services of one call.
type command func(context.Context, *services) error

// read runs a command with --format json, and decodes its result. It returns the command's warnings.
func (m mcpServer) read(ctx context.Context, env string, into any, run command) (warnings []string, err error) {
	result, warnings, err := m.output(ctx, env, run)
	switch {
	case err != nil:
		return nil, err
	case len(result) == 0:
		return nil, errors.New(strings.Join(append(warnings, "there is no result"), "\n"))
	}
	if err := json.Unmarshal(result, into); err != nil {
		return nil, fmt.Errorf("read the result: %w", err)
	}
	return warnings, nil
}

// output runs a command with --format json, and returns its result, its warnings, and its error with the flags in force. An exit
// code whose reason is in the result is no error.
func (m mcpServer) output(ctx context.Context, env string, run command) (result []byte, warnings []string, err error) {
	s, out, log := m.services(env)
	err = runWithTimeout(ctx, m.flags.timeout, func(ctx context.Context) error { return s.terminal.withWriteError(run(ctx, s)) })
	if reasons := unreportedErrors(err); len(reasons) > 0 {
		failure := s.terminal.failureOf(errors.Join(reasons...))
		return nil, nil, hint.With(errors.New(sanitize.Text(failure.Message)), sanitize.Text(failure.Hint))
	}
	return out.Bytes(), warningsIn(log.String()), nil
}

// warningsIn returns the messages in what a command logged.
func warningsIn(log string) []string {
	var found []string
	for line := range strings.Lines(log) {
		line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "deployer: "), "warning: ")
		if line != "" {
			found = append(found, line)
		}
	}
	return found
}

// functions returns what the tools call.
func (m mcpServer) functions() mcp.Functions {
	return mcp.Functions{
		Status: m.status, Health: m.health, Drift: m.drift, Preview: m.preview, History: m.history, Tasks: m.tasks, Logs: m.logs,
		Images: m.images, Vars: m.vars, Cost: m.cost, Outputs: m.outputs, Lock: m.lock,
	}
}

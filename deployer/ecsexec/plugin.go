package ecsexec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// InstallURL is the page that describes how to install the plugin.
const InstallURL = "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"

const (
	pluginName = "session-manager-plugin"
	// responseVariable is the environment variable in which the plugin reads the session. As an argument, every user of the machine
	// could read it.
	// Source: https://github.com/aws/session-manager-plugin/blob/mainline/src/sessionmanagerplugin/session/session.go
	responseVariable = "AWS_SSM_START_SESSION_RESPONSE"
)

// lastInsecureVersion is the last version of the plugin that expects the session as an argument.
// Source: https://github.com/aws/aws-cli/blob/develop/awscli/customizations/ecs/executecommand.py
var lastInsecureVersion = []int{1, 2, 497, 0}

// Plugin is the installed Session Manager plugin.
type Plugin struct{ path, version string }

// Path returns the path of the binary.
func (p Plugin) Path() string { return p.path }

// Version returns the version of the binary, such as 1.2.707.0.
func (p Plugin) Version() string { return p.version }

// FindPlugin finds the plugin on PATH. It returns an error for a version that would show the session's token to every user of the
// machine.
func FindPlugin(ctx context.Context) (Plugin, error) {
	path, err := exec.LookPath(pluginName)
	if err != nil {
		return Plugin{}, fmt.Errorf("%s is not on PATH, and a session needs it", pluginName)
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return Plugin{}, fmt.Errorf("%s --version: %w", path, err)
	}
	version := strings.TrimSpace(string(out))
	if !newerThan(version, lastInsecureVersion) {
		return Plugin{}, fmt.Errorf("%s is version %q, which passes the session's token as an argument that every user of this machine can read",
			path, version)
	}
	return Plugin{path, version}, nil
}

// newerThan reports whether a version is newer than another. It has four parts, such as 1.2.707.0, and so is no semantic version.
func newerThan(version string, other []int) bool {
	var parts []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return false
		}
		parts = append(parts, n)
	}
	return slices.Compare(parts, other) > 0
}

// A Session is an open session of Session Manager, with the keys that the plugin reads. The token gives access to the task.
type Session struct {
	ID        string `json:"SessionId"`
	StreamURL string `json:"StreamUrl"`
	Token     string `json:"TokenValue"`
}

// PluginConfig is how the plugin reaches Systems Manager.
type PluginConfig struct {
	// Profile and Endpoint are "" for the plugin's defaults.
	Region, Profile, Endpoint string
}

// Run runs the plugin on the terminal until the session ends, and returns its exit code. Keys such as Ctrl-C go to the session. When
// ctx ends, the plugin gets SIGTERM.
func (p Plugin) Run(ctx context.Context, t Target, s Session, l PluginConfig, in io.Reader, out, log io.Writer) (int, error) {
	cmd, err := p.command(ctx, t, s, l, syscall.SIGTERM)
	if err != nil {
		return 0, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, log
	// The terminal sends these signals to the plugin, too, which handles and forwards them. The AWS CLI ignores them as well. The
	// deployer exits after the session, so they are never restored.
	signal.Ignore(os.Interrupt, syscall.SIGQUIT, syscall.SIGTSTP)
	return exitCode(ctx, cmd.Run())
}

// Forward runs the plugin with a session of StartForwarding until the session ends, and returns its exit code, which is 0 also where the
// session could not be opened or Session Manager ended it. What the plugin prints goes to log. When ctx ends, the plugin gets SIGINT, upon
// which it ends the session.
func (p Plugin) Forward(ctx context.Context, t Target, s Session, l PluginConfig, log io.Writer) (int, error) {
	cmd, err := p.command(ctx, t, s, l, os.Interrupt)
	if err != nil {
		return 0, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	return exitCode(ctx, cmd.Run())
}

// command returns the plugin's command, which gets a signal when ctx ends, and is killed if it has not ended five seconds later.
func (p Plugin) command(ctx context.Context, t Target, s Session, l PluginConfig, end os.Signal) (*exec.Cmd, error) {
	response, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	request, err := json.Marshal(map[string]string{"Target": t.Name()})
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, p.path, responseVariable, l.Region, "StartSession", l.Profile, string(request), l.Endpoint)
	cmd.Env = append(os.Environ(), responseVariable+"="+string(response))
	cmd.Cancel = func() error { return cmd.Process.Signal(end) }
	cmd.WaitDelay = 5 * time.Second
	return cmd, nil
}

// exitCode returns the exit code in the result of the plugin's command, or why there is none.
func exitCode(ctx context.Context, err error) (int, error) {
	var exited *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case errors.As(err, &exited) && exited.ExitCode() < 0:
		return 0, fmt.Errorf("%s: %w", pluginName, err)
	case errors.As(err, &exited):
		return exited.ExitCode(), nil
	}
	return 0, err
}

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
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// InstallURL tells how to install the plugin.
const InstallURL = "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"

const (
	pluginName = "session-manager-plugin"
	// responseVariable tells the plugin by its name where the session stands, instead of among the arguments, which
	// everybody on the machine can read.
	// Source: https://github.com/aws/session-manager-plugin/blob/mainline/src/sessionmanagerplugin/session/session.go
	responseVariable = "AWS_SSM_START_SESSION_RESPONSE"
)

// lastInsecureVersion is the last version of the plugin that wants the session among its arguments.
// Source: https://github.com/aws/aws-cli/blob/develop/awscli/customizations/ecs/executecommand.py
var lastInsecureVersion = []int{1, 2, 497, 0}

// Plugin is the installed Session Manager plugin.
type Plugin struct{ path string }

// FindPlugin finds the plugin on PATH and asks for its version: one that is too old would show the session's token to
// everybody on the machine, and is an error.
func FindPlugin(ctx context.Context) (Plugin, error) {
	path, err := exec.LookPath(pluginName)
	if err != nil {
		return Plugin{}, fmt.Errorf("%s is not on PATH: it is what sessions run through", pluginName)
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return Plugin{}, fmt.Errorf("%s --version: %w", path, err)
	}
	version := strings.TrimSpace(string(out))
	if !newerThan(version, lastInsecureVersion) {
		return Plugin{}, fmt.Errorf("%s is version %q, which takes the session's token as an argument that everybody on this machine can read",
			path, version)
	}
	return Plugin{path}, nil
}

// newerThan reports whether a version such as 1.2.707.0 comes after another.
func newerThan(version string, other []int) bool {
	parts := strings.Split(version, ".")
	for i, least := range other {
		if i >= len(parts) {
			return false
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil || n != least {
			return err == nil && n > least
		}
	}
	return len(parts) > len(other)
}

// PluginConfig is where Systems Manager is, for the plugin.
type PluginConfig struct {
	// Profile and Endpoint are "" for what the plugin finds by itself.
	Region, Profile, Endpoint string
}

// Run gives the terminal to the plugin until the session ends, and returns the plugin's exit code. Meanwhile keys such as
// Ctrl-C belong to the session. When ctx ends, the plugin is asked to end it.
func (p Plugin) Run(ctx context.Context, t Target, s *types.Session, l PluginConfig, in io.Reader, out, log io.Writer) (int, error) {
	// The plugin reads them by these names.
	response, err := json.Marshal(map[string]string{
		"SessionId": aws.ToString(s.SessionId), "StreamUrl": aws.ToString(s.StreamUrl), "TokenValue": aws.ToString(s.TokenValue),
	})
	if err != nil {
		return 0, err
	}
	request, err := json.Marshal(map[string]string{"Target": t.Name()})
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, p.path, responseVariable, l.Region, "StartSession", l.Profile, string(request), l.Endpoint)
	cmd.Env = append(os.Environ(), responseVariable+"="+string(response))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	// The terminal sends them to the plugin too, which asks for them again and passes them on; until it does, nobody has to
	// act on them. The AWS CLI does the same. The deployer ends with the session, so they are not given back.
	signal.Ignore(os.Interrupt, syscall.SIGQUIT, syscall.SIGTSTP)
	err = cmd.Run()
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

package command

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/text"
)

// The help of every command fits a terminal, begins with the command's own options, and names the global ones.
func TestHelp(t *testing.T) {
	pages := map[string]string{}
	_, pages[""], _ = runLine(t, "--help")
	for _, group := range []string{"lock", "snapshot", "secrets", "env", "local"} {
		_, pages[group], _ = runLine(t, group, "--help")
	}
	eachVerb("", verbs(), func(path string, v verb) {
		var code int
		code, pages[path], _ = runLine(t, append(strings.Fields(path), "--help")...)
		require.Equal(t, codeDone, code, path)
		for _, f := range v.flags {
			at := strings.Index(pages[path], "\n   --"+f.Names()[0])
			assert.Greater(t, at, 0, "%s lacks --%s", path, f.Names()[0])
			assert.Less(t, at, strings.Index(pages[path], "\nGLOBAL OPTIONS:"), "%s: --%s", path, f.Names()[0])
		}
		assert.Contains(t, pages[path], v.usage[:10])
	})
	require.Greater(t, len(pages), 30)
	for path, page := range pages {
		options, _, _ := strings.Cut(page, "\nEXAMPLES:")
		for _, line := range strings.Split(options, "\n") {
			assert.LessOrEqual(t, text.Width(line), defaultHelpWidth, "%s: %s", path, line)
			assert.Equal(t, strings.TrimRight(line, " "), line, path)
		}
		for _, f := range flagsOfAll(nil) {
			assert.Contains(t, page, "--"+f.Names()[0], path)
		}
	}
	require.Contains(t, pages[""], "   --env, -e NAME         the environment: dev, staging, production or another\n                          NAME\n")
	require.Contains(t, pages[""], "\n   --version ")
	require.Contains(t, pages[" up"], "   --image-tag, -t TAG     the image's TAG")
	require.Contains(t, pages[" logs"], "(default: 15m)")
	require.Contains(t, pages[" up"], "DEPLOYER_UP_SKIP")
}

// Help is what these command lines ask for, and no other.
func TestHelpRequest(t *testing.T) {
	_, want, _ := runLine(t, "secrets", "set", "--help")
	for line, asked := range map[string]bool{
		"help secrets set": true, "secrets set -h": true, "secrets set --env dev --help": true, "--env dev secrets set --help": true,
		"secrets set KEY -help": true, "secrets set -- --help": false, "secrets set --env=--help KEY a": false, "help secrets": false,
	} {
		_, printed, _ := runLine(t, strings.Fields(line)...)
		assert.Equal(t, asked, printed == want, line)
	}
	_, group, _ := runLine(t, "secrets")
	require.Contains(t, group, "   check  check that the secret")
	_, program, _ := runLine(t)
	_, help, _ := runLine(t, "help")
	require.Equal(t, help, program)
}

func TestJoinLines(t *testing.T) {
	for given, want := range map[string]string{
		"a\nb\n\nc\nd":      "a b\n\nc d",
		"a:\n   x\n   y\nb": "a:\n   x\n   y\nb",
		"a":                 "a",
	} {
		require.Equal(t, want, joinLines(given))
	}
}

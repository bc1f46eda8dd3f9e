package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// resizedTerminal runs a command in a terminal emulator of 80 columns, which gets another width as soon as its screen matches a pattern.
// It writes what the terminal shows at the end, with what has scrolled out, to a file: resized-terminal COLUMNS PATTERN FILE COMMAND ARG….
func resizedTerminal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: resized-terminal COLUMNS PATTERN FILE COMMAND ARG…")
	}
	// A socket's path is limited to about 100 characters.
	socket, err := os.MkdirTemp("", "tmux-")
	ts.Check(err)
	defer func() { _ = os.RemoveAll(socket) }()
	tmux := func(arguments ...string) string {
		cmd := exec.Command("tmux", append([]string{"-u", "-f", "/dev/null", "-S", filepath.Join(socket, "s")}, arguments...)...)
		cmd.Dir = ts.MkAbs(".")
		for _, name := range []string{"PATH", "HOME", "USER", "DEPLOYER_DIR", "DEPLOYER_STATE_DIR", "AWS_EC2_METADATA_DISABLED"} {
			cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			ts.Fatalf("tmux %s: %v: %s", arguments, err, out)
		}
		return string(out)
	}
	command := strings.Join(list.Map(args[3:], text.ShellQuote), " ")
	tmux("new-session", "-d", "-x", "80", "-y", "24", command+`; echo "exit code $?"; exec cat`)
	defer tmux("kill-server")
	waitFor := func(pattern string) string {
		matches := regexp.MustCompile("(?m)" + pattern)
		for deadline := time.Now().Add(processTimeout); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
			if screen := tmux("capture-pane", "-p", "-J", "-S", "-"); matches.MatchString(screen) {
				return screen
			}
		}
		ts.Fatalf("the terminal does not show %s:\n%s", pattern, tmux("capture-pane", "-p", "-S", "-"))
		return ""
	}
	waitFor(args[1])
	tmux("resize-window", "-x", args[0], "-y", "24")
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(waitFor("^exit code [0-9]+")), 0o600))
}

package command

import (
	"bufio"
	"os"
	"os/exec"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// killAt runs a command and kills it when it begins a step: kill-at rename deployer snapshot restore --switch.
func killAt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: kill-at STEP COMMAND ARG…")
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), scriptVariables(ts)...)
	progress, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	var written []string
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		written = append(written, lines.Text())
		if name, rest, _ := strings.Cut(lines.Text(), " "); name == args[0] && strings.TrimSpace(rest) == "started" {
			ts.Check(cmd.Process.Kill())
			_ = cmd.Wait() // it was killed: that is its error
			return
		}
	}
	ts.Fatalf("%s ended before it began %s (%v):\n%s", args[1], args[0], cmd.Wait(), strings.Join(written, "\n"))
}

// scriptVariables returns the environment variables that a script sets for the deployer.
func scriptVariables(ts *testscript.TestScript) []string {
	var all []string
	for _, name := range []string{"DEPLOYER_DIR", "DEPLOYER_STATE_DIR", "HOME", "USER", "AWS_EC2_METADATA_DISABLED"} {
		all = append(all, name+"="+ts.Getenv(name))
	}
	return all
}

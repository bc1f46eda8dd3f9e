package command

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// interruptAt runs a command, interrupts it when it first writes a line that matches to standard error, and requires its exit
// code: interrupt-at PATTERN CODE deployer up …. The file stderr.txt has what it wrote.
func interruptAt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupt-at PATTERN CODE COMMAND ARG…")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	cmd := exec.Command(args[2], args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "DEPLOYER_DIR", "DEPLOYER_STATE_DIR", "DEPLOYER_PULUMI", outputVariable} {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	out, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	var written strings.Builder
	matched := false
	for lines := bufio.NewScanner(io.TeeReader(out, &written)); lines.Scan(); {
		if !matched && pattern.MatchString(lines.Text()) {
			matched = true
			ts.Check(cmd.Process.Signal(os.Interrupt))
		}
	}
	_ = cmd.Wait()
	ts.Check(os.WriteFile(ts.MkAbs("stderr.txt"), []byte(written.String()), 0o600))
	ts.Logf("%s", written.String())
	if code := strconv.Itoa(cmd.ProcessState.ExitCode()); code != args[1] || !matched {
		ts.Fatalf("exit code %s, want %s; a line matched: %v", code, args[1], matched)
	}
}

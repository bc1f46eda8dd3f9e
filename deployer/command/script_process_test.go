package command

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/balancer/v3-backend-infra/internal/procs"
)

// processTimeout is how long a script waits for a background process.
const processTimeout = time.Minute

// process is a deployer that a script has started in the background.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}

	mu  sync.Mutex
	err bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err.String()
}

// processCommands returns the commands by which a script runs several deployers at once:
//
//	deployer-start NAME ARG…   starts one
//	await PATTERN NAME         waits until its output matches
//	interrupt, terminate, hangup, kill-deployer NAME  sends it SIGINT, SIGTERM, SIGHUP or SIGKILL
//	kill-engine NAME STACK     kills it together with its engine, as soon as the engine has locked the stack
//	ends CODE NAME             waits for its end and requires its exit code; -1 where it was killed
//	errors NAME PATTERN        requires its output to match
//	remote-lock STACK          changes the engine's remaining locks on a stack to those of another machine
//	drop-resource STACK TYPE[::NAME]   removes a resource from a state, as after a kill at the wrong moment
func processCommands() map[string]func(*testscript.TestScript, bool, []string) {
	var mu sync.Mutex
	all := map[*testscript.TestScript]map[string]*process{}
	of := func(ts *testscript.TestScript, name string) *process {
		mu.Lock()
		defer mu.Unlock()
		p := all[ts][name]
		if p == nil {
			ts.Fatalf("there is no process %s", name)
		}
		return p
	}
	send := func(s syscall.Signal) func(*testscript.TestScript, bool, []string) {
		return func(ts *testscript.TestScript, _ bool, args []string) {
			ts.Check(of(ts, args[0]).cmd.Process.Signal(s))
		}
	}
	return map[string]func(*testscript.TestScript, bool, []string){
		"deployer-start": func(ts *testscript.TestScript, _ bool, args []string) {
			p := startDeployer(ts, args[1:])
			mu.Lock()
			defer mu.Unlock()
			if all[ts] == nil {
				all[ts] = map[string]*process{}
			}
			all[ts][args[0]] = p
		},
		"await": func(ts *testscript.TestScript, _ bool, args []string) {
			p, pattern := of(ts, args[1]), regexp.MustCompile("(?m)"+args[0])
			deadline := time.Now().Add(processTimeout)
			for !pattern.MatchString(p.output()) {
				select {
				case <-p.ended:
					if !pattern.MatchString(p.output()) {
						ts.Fatalf("%s ended without writing %s:\n%s", args[1], args[0], p.output())
					}
				case <-time.After(10 * time.Millisecond):
				}
				if time.Now().After(deadline) {
					ts.Fatalf("%s does not write %s:\n%s", args[1], args[0], p.output())
				}
			}
		},
		"drop-resource": dropResource,
		"kill-engine": func(ts *testscript.TestScript, _ bool, args []string) {
			p := of(ts, args[0])
			deadline := time.Now().Add(processTimeout)
			for len(engineLocks(ts, args[1])) == 0 {
				select {
				case <-p.ended:
					ts.Fatalf("%s ended before its engine had a lock:\n%s", args[0], p.output())
				case <-time.After(time.Millisecond):
				}
				if time.Now().After(deadline) {
					ts.Fatalf("the engine of %s has no lock:\n%s", args[0], p.output())
				}
			}
			ts.Check(procs.KillTree(p.cmd.Process.Pid, "pulumi", syscall.SIGKILL))
		},
		"interrupt":     send(syscall.SIGINT),
		"hangup":        send(syscall.SIGHUP),
		"terminate":     send(syscall.SIGTERM),
		"kill-deployer": send(syscall.SIGKILL),
		"remote-lock":   remoteLock,
		"ends": func(ts *testscript.TestScript, _ bool, args []string) {
			p := of(ts, args[1])
			select {
			case <-p.ended:
			case <-time.After(processTimeout):
				ts.Fatalf("%s does not end:\n%s", args[1], p.output())
			}
			if code := p.cmd.ProcessState.ExitCode(); args[0] != strconv.Itoa(code) {
				ts.Fatalf("%s exited with %d, want %s:\n%s", args[1], code, args[0], p.output())
			}
		},
		"errors": func(ts *testscript.TestScript, neg bool, args []string) {
			if regexp.MustCompile("(?m)"+args[1]).MatchString(of(ts, args[0]).output()) == neg {
				ts.Fatalf("%s, want %s (negated: %v):\n%s", args[0], args[1], neg, of(ts, args[0]).output())
			}
		},
	}
}

// startDeployer starts a deployer in the script's environment. It does not outlive the script.
func startDeployer(ts *testscript.TestScript, args []string) *process {
	path, err := exec.LookPath("deployer")
	ts.Check(err)
	p := &process{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	for _, name := range []string{"DEPLOYER_DIR", "DEPLOYER_STATE_DIR", "HOME", "USER", "ROOT", "DEPLOYER_PULUMI", "AWS_EC2_METADATA_DISABLED", outputVariable} {
		p.cmd.Env = append(p.cmd.Env, name+"="+ts.Getenv(name))
	}
	p.cmd.Env = append(p.cmd.Env, "PATH="+os.Getenv("PATH"))
	ts.Check(p.cmd.Start())
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	ts.Defer(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// engineLocks returns the files of the engine's locks on a stack.
func engineLocks(ts *testscript.TestScript, stack string) []string {
	files, err := filepath.Glob(filepath.Join(ts.Getenv("STATE"), "local", "state", ".pulumi", "locks", "*", "*", stack, "*.json"))
	ts.Check(err)
	return files
}

// remoteLock changes the engine's remaining locks on a stack to those of another machine, runner-a.
func remoteLock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: remote-lock STACK")
	}
	files := engineLocks(ts, args[0])
	if len(files) == 0 {
		ts.Fatalf("the engine left no lock on %s", args[0])
	}
	for _, file := range files {
		var lock map[string]any
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &lock))
		lock["hostname"] = "runner-a"
		body, err := json.Marshal(lock)
		ts.Check(err)
		ts.Check(os.WriteFile(file, body, 0o600))
	}
}

// dropResource removes the only resource of a type, or the one of a name, from a stack's state, as if the engine had been killed before it
// could record the resource: drop-resource STACK TYPE[::NAME]. No other resource may depend on it.
func dropResource(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: drop-resource STACK TYPE[::NAME]")
	}
	files, err := filepath.Glob(filepath.Join(ts.Getenv("STATE"), "local", "state", ".pulumi", "stacks", "*", args[0]+".json"))
	ts.Check(err)
	if len(files) != 1 {
		ts.Fatalf("%d states of %s", len(files), args[0])
	}
	var outer, checkpoint, latest map[string]json.RawMessage
	var resources []json.RawMessage
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(files[0])), &outer))
	ts.Check(json.Unmarshal(outer["checkpoint"], &checkpoint))
	ts.Check(json.Unmarshal(checkpoint["latest"], &latest))
	ts.Check(json.Unmarshal(latest["resources"], &resources))
	before := len(resources)
	resources = slices.DeleteFunc(resources, func(raw json.RawMessage) bool {
		var r struct{ URN, Type string }
		ts.Check(json.Unmarshal(raw, &r))
		return r.Type == args[1] || strings.HasSuffix(r.URN, "$"+args[1])
	})
	if before-len(resources) != 1 {
		ts.Fatalf("%d resources of %s", before-len(resources), args[1])
	}
	encode := func(v any) json.RawMessage {
		raw, err := json.Marshal(v)
		ts.Check(err)
		return raw
	}
	latest["resources"] = encode(resources)
	checkpoint["latest"] = encode(latest)
	outer["checkpoint"] = encode(checkpoint)
	ts.Check(os.WriteFile(files[0], encode(outer), 0o600))
}

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
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/balancer/v3-backend-infra/internal/procs"
)

// patience is how long a script waits for what a background process does.
const patience = time.Minute

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

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err.String()
}

// processCommands let a script have several deployers at once:
//
//	deployer-start NAME ARG…   starts one
//	await PATTERN NAME         waits until it has said something
//	interrupt, terminate, hangup, slay NAME  sends it SIGINT, SIGTERM, SIGHUP or SIGKILL
//	fell NAME STACK            kills it together with its engine, as soon as that holds its lock on the stack
//	ends CODE NAME             waits for its end and wants its exit code; -1 where it was killed
//	errors NAME PATTERN        wants it to have said something
//	elsewhere STACK            makes the locks that are left on a stack those of another machine
//	forget STACK TYPE          takes a resource out of a state, as a kill at the wrong moment does
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
			deadline := time.Now().Add(patience)
			for !pattern.MatchString(p.said()) {
				select {
				case <-p.ended:
					if !pattern.MatchString(p.said()) {
						ts.Fatalf("%s ended and never said %s:\n%s", args[1], args[0], p.said())
					}
				case <-time.After(10 * time.Millisecond):
				}
				if time.Now().After(deadline) {
					ts.Fatalf("%s does not say %s:\n%s", args[1], args[0], p.said())
				}
			}
		},
		"forget": forget,
		"fell": func(ts *testscript.TestScript, _ bool, args []string) {
			p := of(ts, args[0])
			deadline := time.Now().Add(patience)
			for len(engineLocks(ts, args[1])) == 0 {
				select {
				case <-p.ended:
					ts.Fatalf("%s ended before its engine had a lock:\n%s", args[0], p.said())
				case <-time.After(time.Millisecond):
				}
				if time.Now().After(deadline) {
					ts.Fatalf("the engine of %s has no lock:\n%s", args[0], p.said())
				}
			}
			ts.Check(procs.KillTree(p.cmd.Process.Pid, "pulumi", syscall.SIGKILL))
		},
		"interrupt": send(syscall.SIGINT),
		"hangup":    send(syscall.SIGHUP),
		"terminate": send(syscall.SIGTERM),
		"slay":      send(syscall.SIGKILL),
		"elsewhere": elsewhere,
		"ends": func(ts *testscript.TestScript, _ bool, args []string) {
			p := of(ts, args[1])
			select {
			case <-p.ended:
			case <-time.After(patience):
				ts.Fatalf("%s does not end:\n%s", args[1], p.said())
			}
			if code := p.cmd.ProcessState.ExitCode(); args[0] != strconv.Itoa(code) {
				ts.Fatalf("%s exited with %d, want %s:\n%s", args[1], code, args[0], p.said())
			}
		},
		"errors": func(ts *testscript.TestScript, neg bool, args []string) {
			if regexp.MustCompile("(?m)"+args[1]).MatchString(of(ts, args[0]).said()) == neg {
				ts.Fatalf("%s, want %s (negated: %v):\n%s", args[0], args[1], neg, of(ts, args[0]).said())
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
	for _, name := range []string{"DEPLOYER_DIR", "DEPLOYER_STATE_DIR", "HOME", "USER", "ROOT", "AWS_EC2_METADATA_DISABLED"} {
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

// engineLocks are the files of the engine's locks on a stack.
func engineLocks(ts *testscript.TestScript, stack string) []string {
	files, err := filepath.Glob(filepath.Join(ts.Getenv("STATE"), "local", "state", ".pulumi", "locks", "*", "*", stack, "*.json"))
	ts.Check(err)
	return files
}

// elsewhere makes the locks of the engine that are left on a stack those of another machine, runner-a.
func elsewhere(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: elsewhere STACK")
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

// forget takes the one resource of a type out of a stack's state, as if the engine had died before it could note it:
// forget STACK TYPE. Nothing else may depend on it.
func forget(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: forget STACK TYPE")
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
		var r struct{ Type string }
		ts.Check(json.Unmarshal(raw, &r))
		return r.Type == args[1]
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

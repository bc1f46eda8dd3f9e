package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tiktoken-go/tokenizer"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/docs/schema"
)

// statusCommands returns the commands of the scripts about status.
func statusCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"validates":     validates,
		"compact":       compact,
		"webhook":       webhook,
		"watches":       watches,
		"writes-secret": writesSecret,
	}
}

// merged returns all commands in one map.
func merged[M ~map[K]V, K comparable, V any](all ...M) M {
	one := M{}
	for _, m := range all {
		maps.Copy(one, m)
	}
	return one
}

// validates validates a report against the published schema: validates stdout.
func validates(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: validates FILE")
	}
	if err := schema.ValidateStatus([]byte(ts.ReadFile(args[0]))); (err != nil) != neg {
		ts.Fatalf("%s and the schema: %v", args[0], err)
	}
}

// compact compares the YAML of a report with its JSON: compact REPORT.yaml REPORT.json. The YAML has every finding
// that is not healthy, with its hint, and fewer tokens: at most a fifth while no more than a tenth is not healthy.
func compact(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: compact REPORT.yaml REPORT.json")
	}
	short, long := ts.ReadFile(args[0]), ts.ReadFile(args[1])
	var whole checks.Report
	ts.Check(json.Unmarshal([]byte(long), &whole))
	var brief struct{ Services []checks.Finding }
	ts.Check(yaml.Unmarshal([]byte(short), &brief))
	at := 0
	for _, f := range whole.Services {
		if f.Status == checks.Healthy {
			continue
		}
		if at >= len(brief.Services) {
			ts.Fatalf("the YAML lacks %s", f.Service)
		}
		got := brief.Services[at]
		same := got.Service == f.Service && got.Status == f.Status && got.Reason == f.Reason && got.Message == f.Message
		if !same || *got.Hint != *f.Hint {
			ts.Fatalf("the YAML has\n%+v\nthe JSON has\n%+v", got, f)
		}
		// The two reports are of different minutes: a new alarm may have got its first data between them.
		delete(got.Details, "waiting_for_first_data")
		delete(f.Details, "waiting_for_first_data")
		if len(got.Details) != len(f.Details) {
			ts.Fatalf("%s: the YAML has the evidence %v, the JSON %v", f.Service, got.Details, f.Details)
		}
		at++
	}
	share := float64(at) / float64(len(whole.Services))
	for _, encoding := range []tokenizer.Encoding{tokenizer.Cl100kBase, tokenizer.O200kBase} {
		ratio := float64(tokens(ts, encoding, short)) / float64(tokens(ts, encoding, long))
		ts.Logf("%s: %d of %d not healthy, the YAML has %.3f of the JSON's tokens", encoding, at, len(whole.Services), ratio)
		if share <= 0.10 && ratio > 0.20 || ratio >= 1 {
			ts.Fatalf("the YAML has %.2f of the JSON's tokens while %.2f of the findings are not healthy", ratio, share)
		}
	}
}

func tokens(ts *testscript.TestScript, encoding tokenizer.Encoding, s string) int {
	codec, err := tokenizer.Get(encoding)
	ts.Check(err)
	n, err := codec.Count(s)
	ts.Check(err)
	return n
}

// webhook starts a server that answers with the HTTP status, and writes each request to posted-1.json and so on.
// WEBHOOK is its URL, which ends in SECRETPATH.
func webhook(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: webhook STATUS")
	}
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	var posted atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		name := fmt.Sprintf("posted-%d.json", posted.Add(1))
		if err := os.WriteFile(ts.MkAbs(name), body, 0o600); err != nil || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.Header().Set("Location", "https://elsewhere.example/")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "no_service")
	}))
	ts.Defer(server.Close)
	ts.Setenv("WEBHOOK", server.URL+"/services/SECRETPATH")
}

// watches runs a command that repeats itself until it has printed a number of JSON documents, interrupts it once, and requires
// its exit code: watches 3 2 deployer status ….
func watches(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: watches DOCUMENTS CODE COMMAND ARG…")
	}
	wanted, err := strconv.Atoi(args[0])
	ts.Check(err)
	cmd := exec.Command(args[2], args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "DEPLOYER_DIR", "DEPLOYER_STATE_DIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	documents := json.NewDecoder(out)
	for range wanted {
		var document json.RawMessage
		if err := documents.Decode(&document); err != nil {
			_ = cmd.Process.Kill()
			ts.Fatalf("the watch printed no JSON: %v", err)
		}
		ts.Check(schema.ValidateStatus(document))
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	_, _ = io.Copy(io.Discard, out)
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	if code := strconv.Itoa(cmd.ProcessState.ExitCode()); code != args[1] {
		ts.Fatalf("exit code %s, want %s", code, args[1])
	}
}

// browser opens a page in a real browser and prints the resulting document; messages of the browser's console go to standard
// error. It is a program of its own, so that scripts can run it with exec.
func browser() {
	profile, err := os.MkdirTemp("", "browser-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(profile) }()
	page, err := filepath.Abs(os.Args[1])
	if err != nil {
		panic(err)
	}
	cmd := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+profile,
		"--enable-logging=stderr", "--dump-dom", "file://"+page)
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = os.Stdout, &log
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err, log.String())
		os.Exit(1)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "CONSOLE") {
			fmt.Fprint(os.Stderr, line)
		}
	}
}

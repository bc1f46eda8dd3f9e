package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/tiktoken-go/tokenizer"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awshook"
	"github.com/balancer/v3-backend-infra/local"
)

// latency is the simulated latency of each call to AWS.
const latency = 50 * time.Millisecond

// status prints how long a report on staging takes compared with its critical path of calls, and how many calls it
// makes. A run with throttled calls shows the cost of retries.
func (f fixture) status() error {
	return table("status of staging, 50 ms a call\tcalls\trepeated\tunknown\ttime\tlongest chain\ttime/chain\t", func(row func(string, ...any)) error {
		for _, condition := range []struct {
			name   string
			faults []string
		}{
			{"", nil},
			{"one call in ten throttled", []string{"api-throttled"}},
		} {
			r, err := f.measureStatus(condition.faults)
			if err != nil {
				return err
			}
			var chain time.Duration
			for _, c := range checks.CriticalPath(r.trace) {
				chain += c.Duration()
			}
			row("%s\t%d\t%d\t%d\t%s\t%s\t%.2f", condition.name, len(r.trace), r.repeated, r.Summary.Unknown, seconds(r.took), seconds(chain),
				r.took.Seconds()/chain.Seconds())
		}
		return nil
	})
}

// statusRun is a report with its trace.
type statusRun struct {
	checks.Report
	trace []checks.Call
	// repeated is the number of earlier calls in the same run with the same input.
	repeated int
	took     time.Duration
}

// measureStatus reports on staging without its stack, which needs no call to AWS.
func (f fixture) measureStatus(faults []string) (result statusRun, err error) {
	env, err := environment.Load(".", "staging")
	if err != nil {
		return result, err
	}
	account, err := local.Open(context.Background(), local.Options{
		Dir: filepath.Join(f.state(), "local"), AccountID: env.Account, Region: env.Region, Faults: faults,
	})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, account.Close()) }()
	network, err := account.Network()
	if err != nil {
		return result, err
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	aws := awshook.Before(account.AWS(), func(ctx context.Context, name string, in any) error {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("note a call of %s: %w", name, err)
		}
		mu.Lock()
		if call := name + string(text); seen[call] {
			result.repeated++
		} else {
			seen[call] = true
		}
		mu.Unlock()
		return clock.Real().Wait(ctx, latency)
	})
	began := time.Now()
	result.Report = checks.Run(context.Background(), env, checks.Sources{AWS: aws, Network: network}, checks.Options{
		Trace: func(c checks.Call) { result.trace = append(result.trace, c) },
	}, clock.Real())
	result.took = time.Since(began)
	return result, nil
}

// tokens prints how many tokens a report on staging has in each format, and their ratio.
func (f fixture) tokens() error {
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		return fmt.Errorf("load the tokenizer: %w", err)
	}
	return table("status of staging\tnot healthy\tjson tokens\tyaml tokens\tyaml/json\t", func(row func(string, ...any)) error {
		for _, faults := range []string{"", "alarm", "port-open,dead-letters,alarm", "certificate-expired,access-denied"} {
			reports := map[string]string{}
			counts := map[string]int{}
			for _, form := range []string{"json", "yaml"} {
				if reports[form], err = f.statusOutput(form, faults); err != nil {
					return err
				}
				if counts[form], err = codec.Count(reports[form]); err != nil {
					return fmt.Errorf("count tokens: %w", err)
				}
			}
			var report struct{ Summary struct{ Healthy, Total int } }
			if err := json.Unmarshal([]byte(reports["json"]), &report); err != nil {
				return fmt.Errorf("read the report: %w", err)
			}
			row("%s\t%d of %d\t%d\t%d\t%.2f", cmp.Or(faults, "no fault"), report.Summary.Total-report.Summary.Healthy, report.Summary.Total,
				counts["json"], counts["yaml"], float64(counts["yaml"])/float64(counts["json"]))
		}
		return nil
	})
}

// statusOutput returns the output of `status`. Unhealthy findings are no error.
func (f fixture) statusOutput(form, faults string) (string, error) {
	cmd := exec.Command(f.deployer, "status", "--env", "staging", "--local", "--state-dir", f.state(), "--skip", "stack", "--format", form, "--fault", faults)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 2) {
		return "", fmt.Errorf("run deployer status: %w", err)
	}
	return string(out), nil
}

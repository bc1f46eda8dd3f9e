package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/calls"
	"github.com/balancer/v3-backend-infra/local"
)

// latency is what each call to AWS takes here, as it would over a slow line.
const latency = 50 * time.Millisecond

// status shows how long a report on the deployed staging takes, against the longest chain of calls that have to wait for
// each other, and how many calls it makes. The calls that are throttled show what trying again costs.
func (s setting) status() error {
	return table("status of staging, 50 ms a call\tcalls\tmade twice\tunknown\ttime\tlongest chain\ttime/chain\t", func(row func(string, ...any)) error {
		for _, under := range []struct {
			name   string
			faults []string
		}{
			{"", nil},
			{"one call in ten throttled", []string{"api-throttled"}},
		} {
			r, err := s.judge(under.faults)
			if err != nil {
				return err
			}
			var chain time.Duration
			for _, c := range checks.LongestChain(r.trace) {
				chain += c.Took()
			}
			row("%s\t%d\t%d\t%d\t%s\t%s\t%.2f", under.name, len(r.trace), r.twice, r.Summary.Unknown, seconds(r.took), seconds(chain),
				r.took.Seconds()/chain.Seconds())
		}
		return nil
	})
}

// judged is a report and how it came about.
type judged struct {
	checks.Report
	trace []checks.Call
	// twice is how many calls had been made before in the same run, with the same input.
	twice int
	took  time.Duration
}

// judge makes a report on staging without its stack, which is no call to AWS.
func (s setting) judge(faults []string) (result judged, err error) {
	env, err := environment.Load(".", "staging")
	if err != nil {
		return result, err
	}
	account, err := local.Open(context.Background(), local.Options{
		Dir: filepath.Join(s.state(), "local"), AccountID: env.Account, Region: env.Region, Faults: faults,
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
	made := map[string]bool{}
	aws := calls.Before(account.AWS(), func(ctx context.Context, name string, in any) error {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("note a call of %s: %w", name, err)
		}
		mu.Lock()
		if call := name + string(text); made[call] {
			result.twice++
		} else {
			made[call] = true
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

package main

import (
	"fmt"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// rollouts prints how rollouts are polled: the calls of one poll of three services, and how long after the end of the
// last service deployment it is noticed, in polling intervals.
func (f fixture) rollouts() error {
	return table("rollout of staging\tpolls\tcalls a poll\tend noticed after\tin intervals\t", func(row func(string, ...any)) error {
		for _, tag := range []string{"1.41.7-9f8e7d6c5", "1.41.8-abc123def"} {
			w, err := f.measureRollout(tag)
			if err != nil {
				return err
			}
			intervals := 0.0
			if w.PauseSeconds > 0 {
				intervals = w.LagSeconds / w.PauseSeconds
			}
			row("%s\t%d\t%.1f\t%.2f s\t%.2f", tag, w.Polls, float64(w.Calls)/float64(w.Polls), w.LagSeconds, intervals)
		}
		return nil
	})
}

// measureRollout deploys a tag that is not running, and returns the statistics of its rollout.
func (f fixture) measureRollout(tag string) (history.RolloutStats, error) {
	result, err := f.up(tag)
	if err != nil {
		return history.RolloutStats{}, err
	}
	if result.Rollout == nil || result.Rollout.Polls == 0 {
		return history.RolloutStats{}, fmt.Errorf("roll out %s: it was not polled", tag)
	}
	return *result.Rollout, nil
}

func (f fixture) up(tag string, flags ...string) (result history.Deployment, err error) {
	err = f.deploy(f.engine, append([]string{"up", "--env", "staging", "--image-tag", tag, "--yes"}, flags...), &result)
	return result, err
}

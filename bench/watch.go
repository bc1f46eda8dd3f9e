package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"github.com/balancer/v3-backend-infra/deployer/record"
)

// watch shows how rollouts are watched: the calls that a look at three services takes, and how long after the end of the
// last service deployment it is seen, in pauses between two looks.
func (s setting) watch() error {
	return table("rollout of staging\tlooks\tcalls a look\tend seen after\tin pauses\t", func(row func(string, ...any)) error {
		for _, tag := range []string{"1.41.7-9f8e7d6c5", "1.41.8-abc123def"} {
			w, err := s.rollOut(tag)
			if err != nil {
				return err
			}
			pauses := 0.0
			if w.PauseSeconds > 0 {
				pauses = w.LagSeconds / w.PauseSeconds
			}
			row("%s\t%d\t%.1f\t%.2f s\t%.2f", tag, w.Looks, float64(w.Calls)/float64(w.Looks), w.LagSeconds, pauses)
		}
		return nil
	})
}

// rollOut deploys a tag that does not run, and returns how its rollout was watched.
func (s setting) rollOut(tag string) (record.Watch, error) {
	result, err := s.up(tag)
	if err != nil {
		return record.Watch{}, err
	}
	if result.Rollout == nil || result.Rollout.Looks == 0 {
		return record.Watch{}, fmt.Errorf("roll %s out: it was not watched", tag)
	}
	return *result.Rollout, nil
}

// up deploys a tag to staging, and returns the record of it.
func (s setting) up(tag string, flags ...string) (result record.Deployment, err error) {
	args := append([]string{"up", "--env", "staging", "--image-tag", tag, "--yes", "--local", "--state-dir", s.state(),
		"--pulumi", s.engine, "--quiet", "--format", "json"}, flags...)
	cmd := exec.Command(s.deployer, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return result, fmt.Errorf("deploy %s: %w", tag, err)
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return result, fmt.Errorf("read the result of deploying %s: %w", tag, err)
	}
	return result, nil
}

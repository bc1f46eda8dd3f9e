package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// up deploys a tag to staging, and returns the record of it.
func (f fixture) up(tag string, flags ...string) (result history.Deployment, err error) {
	args := append([]string{"up", "--env", "staging", "--image-tag", tag, "--yes", "--local", "--state-dir", f.state(),
		"--pulumi", f.engine, "--quiet", "--format", "json"}, flags...)
	cmd := exec.Command(f.deployer, args...)
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

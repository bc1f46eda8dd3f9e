package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/tiktoken-go/tokenizer"
)

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

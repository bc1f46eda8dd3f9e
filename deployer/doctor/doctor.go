// Package doctor evaluates what deployments depend on outside the environment itself: this machine, the credentials, the account's backend and
// quotas, and the settings of the repositories at GitHub. Readers collect facts; evaluations are functions of facts alone.
package doctor

import (
	"fmt"
	"slices"
	"sync"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Skipped is the status of what does not apply here, or was not read; the message names why. It does not count.
const Skipped checks.Status = "skipped"

// The components of a report, in its order.
const (
	ComponentEngine        = "engine"
	ComponentPlugins       = "provider_plugins"
	ComponentSessionPlugin = "session_manager_plugin"
	ComponentResolver      = "resolver"
	ComponentCredentials   = "credentials"
	ComponentClock         = "clock"
	ComponentStateBucket   = "state_bucket"
	ComponentStateKey      = "state_key"
	ComponentShared        = "shared_stack"
	ComponentRoles         = "roles"
	ComponentLocks         = "locks"
	ComponentQuotas        = "quotas"
	ComponentGitHub        = "github"
)

// Finding is the evaluation of one thing that deployments depend on.
type Finding struct {
	Component string `json:"component"`
	// Subject is what of the component is meant, such as a plugin or a repository's setting; "" where there is only one.
	Subject string        `json:"subject,omitempty"`
	Status  checks.Status `json:"status"`
	Message string        `json:"message"`
	// Hint is what to do about it, or the commands that do it, a line each. Only a healthy finding has none.
	Hint string `json:"hint,omitempty"`
}

// Summary counts the findings of a report by status; what was skipped does not count in the total.
type Summary struct {
	checks.Summary
	Skipped int `json:"skipped"`
}

// Report is the result of a run.
type Report struct {
	// Environment is the full name of the environment that was asked for; "" where the report is about the account alone.
	Environment string `json:"environment,omitempty"`
	Account     string `json:"account"`
	Region      string `json:"region"`
	// Simulated reports that the account is simulated on this machine.
	Simulated bool      `json:"simulated"`
	Summary   Summary   `json:"summary"`
	Findings  []Finding `json:"findings"`
}

// Summarize counts findings, with the status of the worst.
func Summarize(findings []Finding) Summary {
	counted := list.Filter(findings, func(f Finding) bool { return f.Status != Skipped })
	statuses := list.Map(counted, func(f Finding) checks.Finding { return checks.Finding{Status: f.Status} })
	return Summary{Summary: checks.Aggregate(statuses), Skipped: len(findings) - len(counted)}
}

// about identifies what findings are about.
type about struct{ component, subject string }

// finding returns a finding whose message is one line: parts of it come from AWS, GitHub and other programs.
func (a about) finding(status checks.Status, remedy, format string, args ...any) Finding {
	message := text.PrintableLine(fmt.Sprintf(format, args...))
	return Finding{Component: a.component, Subject: a.subject, Status: status, Message: message, Hint: remedy}
}

func (a about) healthy(format string, args ...any) Finding {
	return a.finding(checks.Healthy, "", format, args...)
}

// unknown returns the finding of what could not be read. The hint of the error precedes remedy.
func (a about) unknown(err error, remedy, format string, args ...any) Finding {
	if of := hint.Of(err); of != "" {
		remedy = of
	}
	return a.finding(checks.Unknown, remedy, "%s: %v", fmt.Sprintf(format, args...), err)
}

// Skip returns the finding of a component that does not apply, or was not read.
func Skip(component, remedy, format string, args ...any) Finding {
	return about{component: component}.finding(Skipped, remedy, format, args...)
}

// Collect calls all readers at once and returns their findings in the order of the readers.
func Collect(readers ...func() []Finding) []Finding {
	found := make([][]Finding, len(readers))
	parallel(len(readers), func(i int) { found[i] = readers[i]() })
	return slices.Concat(found...)
}

// parallel calls f with 0 to n-1, all at once.
func parallel(n int, f func(int)) {
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { f(i) })
	}
	wait.Wait()
}

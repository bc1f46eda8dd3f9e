package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
	"github.com/balancer/v3-backend-infra/internal/problem"
)

// An edit is a valid change of an environment's file.
type edit struct {
	// key is the dotted path below the environment's block, value the new value; nil removes the key.
	key   string
	value any
	// undeployable is set if no full deployment can apply the edit: it stays pending beside deployments of code, and is
	// reverted at the end.
	undeployable bool
}

func (e edit) String() string {
	if e.value == nil {
		return "-" + e.key
	}
	return fmt.Sprintf("%s=%v", e.key, e.value)
}

// apply changes a block. Removing a key removes everything below it.
func (e edit) apply(block map[string]any) {
	keys := strings.Split(e.key, ".")
	for _, key := range keys[:len(keys)-1] {
		inner, ok := block[key].(map[string]any)
		if !ok {
			inner = map[string]any{}
			block[key] = inner
		}
		block = inner
	}
	if last := keys[len(keys)-1]; e.value == nil {
		delete(block, last)
	} else {
		block[last] = e.value
	}
}

type object = map[string]any

// edits returns the changes that users make in staging's file: every key that can change without making it another
// environment.
func edits() []edit {
	return []edit{
		{key: "network.zones", value: 3, undeployable: true},
		{key: "network.nat", value: "per-zone"},
		{key: "network.nat", value: "single"},
		{key: "image.criticalFindings", value: "fail"},
		{key: "image.repository", value: "nowhere", undeployable: true}, // the infra program cannot be previewed
		{key: "services.api", value: object{"cpu": 1024, "memory": 2048, "tasks": object{"min": 1, "max": 2}, "autoscaling": object{"cpuPercent": 70}}},
		{key: "services.api", value: object{"cpu": 256, "memory": 512}}, // without autoscaling
		{key: "services.api.tasks", value: object{"min": 2, "max": 4}},
		{key: "services.api.autoscaling", value: object{"memoryPercent": 80, "requestsPerMinute": 1000}},
		{key: "services.api.command", value: []string{"bun", "run", "api"}},
		{key: "services.api.healthCheck", value: []string{"CMD-SHELL", "exit 0"}},
		{key: "services.api.spot", value: true},
		{key: "services.worker"},
		{key: "services.worker", value: object{"cpu": 512, "memory": 1024, "command": []string{"bun", "run", "jobs"}}},
		{key: "services.worker", value: object{"cpu": 256, "memory": 512, "command": []string{"bun", "run", "worker"}, "tasks": object{"min": 1, "max": 3}, "autoscaling": object{"cpuPercent": 60}}},
		{key: "services.worker.tasks", value: object{"min": 2, "max": 2}},
		{key: "services.scheduler"},
		{key: "services.scheduler.memory", value: 1024},
		{key: "services.executeCommand", value: false},
		{key: "database.instanceClass", value: "db.t3.medium"},
		{key: "database.storageGiB", value: 40},
		{key: "database.maxStorageGiB", value: 200},
		{key: "database.multiZone", value: true},
		{key: "database.backupDays", value: 14},
		{key: "database.deletionProtection", value: true},
		{key: "database.performanceInsights", value: true},
		{key: "database.passwordRotationDays", value: 60},
		{key: "database.connections", value: 5},
		{key: "database.poolTimeout", value: "20s"},
		{key: "queue.visibilityTimeout", value: "10m"},
		{key: "queue.retentionDays", value: 7},
		{key: "queue.maxReceives", value: 5},
		{key: "configuration.required", value: []string{"DATABASE_URL", "SENTRY_DSN", "AWS_REGION", "NODE_ENV", "SQS_BACKGROUND_JOB_QUEUE_URL"}},
		{key: "configuration.optional", value: []string{"LOG_LEVEL"}},
		{key: "monitoring.level", value: "basic"},
		{key: "monitoring.level", value: "full"},
		{key: "monitoring.logRetentionDays", value: 30},
		{key: "monitoring.emails", value: []string{"oncall@example.com"}},
		{key: "monitoring", value: object{"level": "enhanced", "webhooks": []string{"https://alerts.example.com/sns"}}}, // basic has no topic
		{key: "firewall.enabled", value: false},
		{key: "firewall.rateLimit", value: 5000},
		{key: "budget.monthlyUSD", value: 500},
		{key: "schedule.awake", value: "Mon-Sat 06:00-22:00 Europe/London"},
		{key: "schedule"},
		{key: "domain.name", value: "staging-api-2.hyperchonk.com"},
		{key: "deployment.rollback", value: "manual"},
		{key: "deployment.backup", value: "snapshot"},
		{key: "deployment.verifiedIn", value: []string{}}, // another value would let no new image through
		{key: "deployment.snapshotsKept", value: 3},
		{key: "deployment.rollout", value: object{"timeout": "20m", "alarms": []string{"api-latency", "worker-memory"}, "bake": "1m"}},
		{key: "deployment.migrations", value: object{"order": "after"}},
		{key: "deployment.migrations", value: object{"command": []string{"bun", "migrate"}, "timeout": "5m"}},
		{key: "deployment.migrations", value: object{"cpu": 1024, "memory": 2048}},
		{key: "deployment.health", value: object{"tries": 3, "interval": "5s"}},
		{key: "network.cidr", value: "10.99.0.0/16", undeployable: true},
		{key: "database.name", value: "other", undeployable: true},
		{key: "database.user", value: "other", undeployable: true},
		{key: "database.engineVersion", value: "17", undeployable: true},
		{key: "delivery", value: object{"branch": "main", "trigger": "push", "approval": true, "tests": []string{"unit"}}},
	}
}

// An editTrial is the actions between an edit and the full deployment that applies it.
type editTrial struct {
	number int
	edits  []edit
	// partial is how an earlier full deployment of the edited file (of the original one if the edits are undeployable)
	// failed halfway; "" for none.
	partial string
	// action is code-only, restart, rollback, or the name of a component.
	action string
}

func (t editTrial) String() string {
	text := fmt.Sprintf("%s after %v", t.action, t.edits)
	if t.partial != "" {
		text += ", after a partial deployment: " + t.partial
	}
	return text
}

// partialEnds are the ways in which a full deployment fails halfway. When a killed one gets its signal depends on the
// trial.
var partialEnds = []string{"provision-fails", "migration-fails", "image-pull-error", "killed"}

// actions returns the actions to draw from; deployments of code are as frequent as all components together.
func actions() []string {
	var all []string
	components := infra.Components()
	for range components {
		all = append(all, "code-only", "restart", "rollback")
	}
	for _, c := range components {
		all = append(all, c.Name, c.Name)
	}
	return all
}

// drawEdits draws the trial with a number: one edit or two, with a preference for removals.
func drawEdits(seed uint64, number int) editTrial {
	rng := rand.New(rand.NewPCG(seed, uint64(number)|1<<32))
	all, every := edits(), actions()
	removals := slices.DeleteFunc(slices.Clone(all), func(e edit) bool { return e.value != nil && e.key != "monitoring.level" })
	t := editTrial{number: number, action: every[rng.IntN(len(every))]}
	for range 1 + rng.IntN(2) {
		from := all
		if rng.IntN(3) == 0 {
			from = removals
		}
		e := from[rng.IntN(len(from))]
		if !slices.ContainsFunc(t.edits, func(other edit) bool {
			return strings.HasPrefix(other.key+".", e.key+".") || strings.HasPrefix(e.key+".", other.key+".")
		}) {
			t.edits = append(t.edits, e)
		}
	}
	partial := partialEnds[rng.IntN(len(partialEnds))]
	if t.undeployable() {
		t.action = []string{"code-only", "restart", "rollback"}[rng.IntN(3)]
	}
	if rng.IntN(4) == 0 && !slices.ContainsFunc(t.edits, func(e edit) bool { return e.key == "domain.name" }) {
		// An environment whose domain was changed halfway does not answer, whatever is deployed.
		t.partial = partial
	}
	return t
}

func (t editTrial) undeployable() bool {
	return slices.ContainsFunc(t.edits, func(e edit) bool { return e.undeployable })
}

// project writes a copy of the project with the edits to a directory, and returns an error if the file is invalid.
func (h *harness) project(dir string, changes []edit) error {
	for _, name := range []string{"Pulumi.yaml", environment.FileName(environment.SharedStack), environment.FileName("staging")} {
		content, err := os.ReadFile(filepath.Join(h.root, name))
		if err != nil {
			return err
		}
		if name == environment.FileName("staging") {
			if content, err = edited(content, changes); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	_, err := environment.Load(dir, "staging")
	return err
}

func edited(source []byte, changes []edit) ([]byte, error) {
	var file map[string]map[string]map[string]any
	if err := yaml.Unmarshal(source, &file); err != nil {
		return nil, err
	}
	for _, e := range changes {
		e.apply(file["config"][environment.Key])
	}
	return yaml.Marshal(file)
}

// An editResult is the outcome of an editTrial.
type editResult struct {
	editTrial
	// refused is set if a component was rejected before anything was changed.
	refused bool
	err     error
}

func (r editResult) String() string {
	mark := "✓"
	if r.refused {
		mark = "-"
	}
	if r.err != nil {
		mark = "✗"
	}
	return fmt.Sprintf("%4d %s %s", r.number, mark, r.editTrial)
}

func (h *harness) runEditTrial(ctx context.Context, t editTrial, keep bool) editResult {
	r := editResult{editTrial: t}
	dir, err := h.copyOf(prepared, fmt.Sprintf("trial-%d", t.number))
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "project"), 0o700)
	}
	if err == nil {
		err = h.project(filepath.Join(dir, "project"), r.edits)
	}
	if invalid := (*problem.Error)(nil); errors.As(err, &invalid) && len(r.edits) > 1 {
		r.edits = r.edits[:1] // the two contradict each other
		err = h.project(filepath.Join(dir, "project"), r.edits)
	}
	if err == nil {
		err = h.betweenDeployments(ctx, dir, &r)
	}
	r.err = errors.Join(err, h.remove(dir, t.number, keep))
	return r
}

// prepared is the account of staging with two deployments, so that a rollback has a target.
const prepared base = "staging"

// betweenDeployments runs the trial's action, and then the full deployment that applies the edits.
func (h *harness) betweenDeployments(ctx context.Context, dir string, r *editResult) error {
	a := account{dir: dir, env: "staging", project: filepath.Join(dir, "project")}
	if err := h.deployPartially(ctx, a, r.editTrial); err != nil {
		return err
	}
	args := map[string][]string{
		"code-only": {"up", "--code-only", "--image-tag", oldTag},
		"restart":   {"up", "--code-only", "--restart"},
		"rollback":  {"rollback"},
	}[r.action]
	component := args == nil
	if component {
		args = []string{"up", "--image-tag", newTag, "--component", r.action}
	}
	before, err := fingerprint(dir)
	if err != nil {
		return err
	}
	done, err := h.run(ctx, a, append(args, "--wait")...)
	if err != nil {
		return err
	}
	after, err := fingerprint(dir)
	if err != nil {
		return err
	}
	switch {
	case strings.Contains(done.output, "nothing is lost") || strings.Contains(done.output, "replaced it"):
		return fmt.Errorf("`%s` corrupted the state and repaired it:\n%s", strings.Join(args, " "), done.output)
	case component && done.code == 3 && strings.Contains(done.output, "cannot be deployed alone"):
		if r.refused = true; before != after {
			return fmt.Errorf("`%s` was rejected but changed something:\n%s", strings.Join(args, " "), done.output)
		}
	case done.code != 0:
		return fmt.Errorf("`%s` exits with %d:\n%s", strings.Join(args, " "), done.code, done.output)
	}
	if err := consistent(dir); err != nil {
		return fmt.Errorf("after `%s`: %w\n%s", strings.Join(args, " "), err, done.output)
	}
	if r.undeployable() {
		a.project = h.root
	}
	return h.deployFully(ctx, a)
}

// deployPartially runs a full deployment of the edits that fails halfway.
func (h *harness) deployPartially(ctx context.Context, a account, t editTrial) error {
	args := []string{"up", "--image-tag", newTag}
	if t.undeployable() {
		a.project = h.root
	}
	switch t.partial {
	case "":
		return nil
	case "killed":
		cmd := trial{signal: "SIGKILL", to: deployerAndEngine, fraction: 0.2 + 0.6*rand.New(rand.NewPCG(7, uint64(t.number))).Float64()}
		_, err := h.interrupt(ctx, a, cmd, h.baselines[editedUp], args)
		return err
	}
	_, err := h.run(ctx, a, append(args, "--fault", t.partial)...) // the outcome depends on the edits
	return err
}

// editedUp names the baseline of `up` of staging.
const editedUp = "up staging"

// deployFully runs a full deployment and checks the result.
func (h *harness) deployFully(ctx context.Context, a account) error {
	err := h.mustSucceed(ctx, a,
		[]string{"up", "--image-tag", newTag, "--wait"}, []string{"preview", "--expect-no-changes"}, []string{"drift"})
	if err != nil {
		return err
	}
	if err := consistent(a.dir); err != nil {
		return err
	}
	_, err = compare(a.dir, nil)
	return err
}

// consistent returns an error if a resource comes before one that it depends on, or if a dependency is missing. It does
// not rely on the deployer's own check.
func consistent(dir string) error {
	all, err := states(dir)
	if err != nil {
		return err
	}
	for _, c := range all {
		known := map[string]bool{}
		for _, r := range c.Checkpoint.Latest.Resources {
			needs := append([]string{r.Parent, r.DeletedWith}, r.Dependencies...)
			for _, urns := range r.PropertyDependencies {
				needs = append(needs, urns...)
			}
			if r.Provider != "" {
				needs = append(needs, r.Provider[:strings.LastIndex(r.Provider, "::")])
			}
			for _, urn := range needs {
				if urn != "" && !known[urn] {
					return fmt.Errorf("the state is inconsistent: %s depends on %s, which does not precede it", r.URN, urn)
				}
			}
			known[r.URN] = true
		}
	}
	return nil
}

// fingerprint returns the resources of account and state, which a command that changes nothing must not change.
func fingerprint(dir string) (string, error) {
	var content struct{ Resources map[string]any }
	if err := readAccount(dir, &content); err != nil {
		return "", err
	}
	all, err := states(dir)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal([]any{content, all})
	return string(text), err
}

// runEdits runs the trials concurrently and prints a line for each.
func (h *harness) runEdits(ctx context.Context, trials []editTrial, o options) ([]editResult, error) {
	if err := h.prepareStaging(ctx); err != nil {
		return nil, err
	}
	return inParallel(ctx, o, trials, func(t editTrial) editResult { return h.runEditTrial(ctx, t, o.onlyEdits > 0) },
		func(r editResult) error { return r.err }), nil
}

func (h *harness) prepareStaging(ctx context.Context) error {
	dir := h.baseDir(prepared)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, tag := range []string{oldTag, newTag} {
		if err := h.record(ctx, account{dir: dir, env: "staging", project: h.root}, editedUp, "up", "--image-tag", tag); err != nil {
			return err
		}
	}
	return nil
}

func planEdits(o options) []editTrial {
	var trials []editTrial
	for number := 1; number <= o.edits; number++ {
		if t := drawEdits(o.seed, number); o.onlyEdits == 0 || o.onlyEdits == number {
			trials = append(trials, t)
		}
	}
	return trials
}

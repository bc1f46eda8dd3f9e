package mcp

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A hint's command is a call where it only reads; its flags are arguments where the tool has them.
func TestCallsInAHint(t *testing.T) {
	for text, want := range map[string][]Call{
		"":                                        nil,
		"deployer logs --env staging --local":     {{"logs", map[string]any{"env": "staging"}}},
		"deployer drift --env staging --local":    {{"drift", map[string]any{"env": "staging"}}},
		"deployer up --env staging --refresh":     nil,
		"run `deployer up --env dev` again":       nil,
		"deployer lock release --env dev --force": nil,
		"`deployer lock status --env dev` shows the holder, `deployer history` what it did": {
			{"lock", map[string]any{"env": "dev"}}, {"history", map[string]any{}},
		},
		"`deployer logs --service=api,worker --since 2h --follow` shows them": {
			{"logs", map[string]any{"service": []string{"api", "worker"}, "since": "2h"}},
		},
		"see `deployer history --env dev --state-dir /tmp/x 20261123-161530-1f3a`": {
			{"history", map[string]any{"env": "dev", "id": "20261123-161530-1f3a"}},
		},
		"`deployer history --limit 5` and `deployer images --limit 0`": {
			{"history", map[string]any{"limit": 5}}, {"images", map[string]any{}},
		},
		"`deployer preview --image-tag 1.2.3`":        {{"preview", map[string]any{"image_tag": "1.2.3"}}},
		"`deployer status --only 'dns,delegation'`":   {{"status", map[string]any{"only": []string{"dns", "delegation"}}}},
		"`deployer logs --filter 'a` is no command":   nil,
		"the deployer logs every step":                nil,
		"deployer vars --env dev --no-mask":           {{"vars", map[string]any{"env": "dev"}}},
		"`deployer secrets check --env dev` lists it": nil,
	} {
		require.Equal(t, want, callsIn(text), text)
	}
}

// Every phase that can fail leads on: with what the hint names, then with what shows more about the phase.
func TestCallsAfterAFailedDeployment(t *testing.T) {
	const id = "20261123-161530-1f3a"
	logsOfWorker := with("logs", "service", []string{"worker"})
	for phase, want := range map[string][]Call{
		"migrate": {logsOfWorker, with("logs", "service", []string{"migration"}), with("tasks", "service", []string{"migration"}), {"status", nil}},
		"rollout": {logsOfWorker, {"tasks", nil}, {"logs", nil}, {"status", nil}},
		"health":  {logsOfWorker, {"health", nil}, {"status", nil}},
		"bake": {
			logsOfWorker, with("status", "only", []string{"alarms", "ecs_tasks"}), {"tasks", nil}, {"logs", nil}, {"status", nil},
		},
		"image": {logsOfWorker, {"status", nil}},
	} {
		failed := Deployment{ID: id, FailedPhase: phase, Error: phase + ": broken", Hint: "see `deployer logs --service worker`"}
		all := History{Deployments: []Deployment{{ID: "20261123-161530-2f3a"}, failed}}
		require.Equal(t, []Call{with("history", "id", id)}, all.suggest(), phase)
		one := History{Deployments: []Deployment{failed}, Detailed: true}
		require.Equal(t, want, one.suggest(), phase)
	}
}

func TestUsableCalls(t *testing.T) {
	several := &registry{options: options, arguments: map[string][]string{
		"status": {"env", "only", "limit", "offset"}, "logs": {"env", "service", "since"}, "history": {"env", "id", "limit"},
		"drift": {"env"},
	}}
	fixed := &registry{options: options, arguments: several.arguments}
	fixed.options.Environments = []string{"dev"}
	inDev := func(tool string) Call { return with(tool, "env", "dev") }
	for name, test := range map[string]struct {
		r      *registry
		calls  []Call
		after  Call
		wanted []Call
	}{
		"the environment of the call before": {several, []Call{{"drift", nil}}, inDev("status"), []Call{inDev("drift")}},
		"no environment where it is fixed": {
			fixed, []Call{inDev("drift")}, Call{"status", map[string]any{}}, []Call{{"drift", map[string]any{}}},
		},
		"each once, and not the call itself": {
			several, []Call{{"drift", nil}, inDev("drift"), {"status", nil}}, inDev("status"), []Call{inDev("drift")},
		},
		"no argument that the tool does not have": {
			several, []Call{{"drift", map[string]any{"env": "dev", "since": "1h"}}}, inDev("status"), []Call{inDev("drift")},
		},
		"no value that the tool rejects": {
			several, []Call{with("logs", "service", []string{"gateway"}), with("logs", "service", []string{"api"})}, inDev("status"),
			[]Call{inDev("logs"), {"logs", map[string]any{"env": "dev", "service": []any{"api"}}}},
		},
		"no more than maxNext": {
			several, []Call{
				with("history", "limit", 1), with("history", "limit", 2), with("history", "limit", 3), with("history", "limit", 4),
			}, inDev("status"),
			[]Call{
				{"history", map[string]any{"env": "dev", "limit": int64(1)}}, {"history", map[string]any{"env": "dev", "limit": int64(2)}},
				{"history", map[string]any{"env": "dev", "limit": int64(3)}},
			},
		},
	} {
		require.Equal(t, test.wanted, test.r.usable(test.calls, test.after), name)
	}
}

// Every component that is not healthy leads on.
func TestEveryRelatedToolExists(t *testing.T) {
	for component, names := range related {
		require.Subset(t, Tools(), names, component)
	}
}

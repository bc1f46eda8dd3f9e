package notify

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// record returns a deployment that took 190 s, with changes.
func record(edits ...func(*history.Deployment)) history.Deployment {
	d := history.Deployment{
		ID: "20250603-044314-1f3a", Environment: "staging", Kind: history.Full, By: "anna", Outcome: history.Succeeded, Started: at,
		Ended: at.Add(190 * time.Second), Image: history.Image{Tag: "1.41.8-abc123def", Digest: "sha256:1"},
	}
	for _, edit := range edits {
		edit(&d)
	}
	return d
}

func outcome(o history.Outcome, phase, err string) func(*history.Deployment) {
	return func(d *history.Deployment) {
		d.Outcome, d.Error = o, err
		if phase != "" {
			d.Phases = []history.Phase{{Name: "preflight", Outcome: history.Succeeded}, {Name: phase, Outcome: o}}
		}
	}
}

func TestDeploymentMessages(t *testing.T) {
	for name, test := range map[string]struct {
		record  history.Deployment
		started bool
		event   DeploymentEvent
		want    string
	}{
		"succeeded":     {record(), true, Succeeded, "✅ *staging*: deployment of *1.41.8-abc123def* succeeded after 3m10s"},
		"with warnings": {record(func(d *history.Deployment) { d.Warnings = []string{"a", "b"} }), true, Succeeded, "✅ *staging*: deployment of *1.41.8-abc123def* succeeded after 3m10s, with 2 warnings"},
		"partial":       {record(outcome(history.Incomplete, "", "")), true, Partial, "⚠️ *staging*: deployment of *1.41.8-abc123def* ended as partial after 3m10s: phases were skipped"},
		"not judged":    {record(outcome(history.Incomplete, "bake", "")), true, Partial, "⚠️ *staging*: deployment of *1.41.8-abc123def* ended as partial after 3m10s: the bake could not judge, so the image is not verified"},
		"failed": {record(outcome(history.Failed, "rollout", "rollout: a < b & `x`")), true, Failed,
			"❌ *staging*: deployment of *1.41.8-abc123def* failed in rollout after 3m10s\n```\nrollout: a &lt; b &amp; `x`\n```"},
		"rolled back": {record(outcome(history.Failed, "health", "health: 503"), func(d *history.Deployment) {
			d.RolledBackTo, d.Hint = &history.Image{Tag: "1.41.7"}, "read the log: `deployer logs`"
		}), true, Failed,
			"❌ *staging*: deployment of *1.41.8-abc123def* failed in health after 3m10s and was rolled back to *1.41.7*\n```\nhealth: 503\n```\nhint: read the log: `deployer logs`"},
		"rollback interrupted": {record(outcome(history.Failed, "bake", ""), func(d *history.Deployment) { d.Rollback = history.Interrupted }), true, Failed,
			"❌ *staging*: deployment of *1.41.8-abc123def* failed in bake after 3m10s, and its rollback was interrupted"},
		"rollback failed": {record(outcome(history.Failed, "bake", ""), func(d *history.Deployment) { d.Rollback = history.Failed }), true, Failed,
			"❌ *staging*: deployment of *1.41.8-abc123def* failed in bake after 3m10s, and its rollback failed"},
		"interrupted":   {record(outcome(history.Interrupted, "migrate", "")), true, Interrupted, "⚠️ *staging*: deployment of *1.41.8-abc123def* was interrupted in migrate after 3m10s"},
		"not started":   {record(outcome(history.Failed, "", "no image")), false, NotStarted, "❌ *staging*: deployment of *1.41.8-abc123def* could not start\n```\nno image\n```"},
		"a rollback":    {record(func(d *history.Deployment) { d.Kind = history.Rollback }), true, Succeeded, "✅ *staging*: rollback to *1.41.8-abc123def* succeeded after 3m10s"},
		"a restart":     {record(func(d *history.Deployment) { d.Restarted = true }), true, Succeeded, "✅ *staging*: restart of *1.41.8-abc123def* succeeded after 3m10s"},
		"components":    {record(func(d *history.Deployment) { d.Components = []string{"network", "queue"} }), true, Succeeded, "✅ *staging*: deployment of network and queue succeeded after 3m10s"},
		"with services": {record(func(d *history.Deployment) { d.Components = []string{"services"} }), true, Succeeded, "✅ *staging*: deployment of services with *1.41.8-abc123def* succeeded after 3m10s"},
		"what runs":     {record(func(d *history.Deployment) { d.Image = history.Image{} }), false, Succeeded, "✅ *staging*: deployment of *the image that runs* succeeded after 3m10s"},
		"a mention":     {record(func(d *history.Deployment) { d.Image.Tag = "<!channel>" }), true, Succeeded, "✅ *staging*: deployment of *&lt;!channel&gt;* succeeded after 3m10s"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.event, EndOf(test.record, test.started))
			require.Equal(t, test.want, NewDeploymentMessage(test.event, test.record, "", at).Text)
		})
	}
	running := record(func(d *history.Deployment) { d.Outcome, d.Ended = history.Running, time.Time{} })
	m := NewDeploymentMessage(Started, running, "https://github.com/a/b/actions/runs/1", at)
	require.Equal(t, "→ *staging*: deployment of *1.41.8-abc123def* started by anna (<https://github.com/a/b/actions/runs/1|run>)", m.Text)
	require.Zero(t, m.Seconds)
	running.RolledBackTo = &history.Image{Tag: "1.41.7"}
	running.Phases, running.Error = []history.Phase{{Name: "rollout", Outcome: history.Failed}}, "no task\nrolling back to 1.41.7"
	require.Equal(t, "⚠️ *staging*: deployment of *1.41.8-abc123def* failed in rollout and is rolled back to *1.41.7*\n```\nno task\nrolling back to 1.41.7\n```",
		NewDeploymentMessage(RollingBack, running, "", at).Text)
}

// Neither the text nor any key has the password of a URL, or what a terminal or a runner acts on.
func TestDeploymentMessageRedacts(t *testing.T) {
	d := record(outcome(history.Failed, "migrate", "P1001 postgresql://balancer:hunter22@db:5432/x\x1b[31m"), func(d *history.Deployment) {
		d.Hint, d.Warnings = "set postgresql://balancer:hunter22@db", []string{"redis://:hunter22@cache"}
		d.By, d.Components = "x://a:hunter22@b", []string{"x://a:hunter22@b"}
		d.RolledBackTo = &history.Image{Tag: "x://a:hunter22@b"}
	})
	body, err := json.Marshal(NewDeploymentMessage(Failed, d, "", at))
	require.NoError(t, err)
	require.NotContains(t, string(body), "hunter22")
	require.NotContains(t, string(body), "\\u001b")
	require.Contains(t, string(body), "P1001 postgresql://balancer:[hidden]@db:5432/x")
	require.Equal(t, "redis://:hunter22@cache", d.Warnings[0], "the record stays")
	require.Equal(t, "x://a:hunter22@b", d.Components[0], "the record stays")
	require.Equal(t, "x://a:hunter22@b", d.RolledBackTo.Tag, "the record stays")
}

// A long error is truncated between lines, and a fence in it does not end the block.
func TestEvidenceIsTruncated(t *testing.T) {
	long := strings.Repeat("one line of it\n", 1000)
	short := evidence(long)
	require.LessOrEqual(t, len(short), maxEvidence+len("\n…"))
	require.True(t, strings.HasSuffix(short, "one line of it\n…"), short)
	require.Equal(t, "a '''b''' c", evidence("a ```b``` c\n"))
	require.True(t, strings.HasSuffix(evidence(strings.Repeat("ä", 3000)), "ä\n…"))
}

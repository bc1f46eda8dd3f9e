package ui

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

var steps = []engine.Step{
	{Op: "create", Type: "aws:sqs/queue:Queue", Name: "queue"},
	{Op: "update", Type: "aws:ecs/service:Service", Name: "api", Differences: []engine.Difference{
		{Path: "taskDefinition", Old: "arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-staging-api:1", New: engine.Unknown},
		{Path: "tags.Owner", Old: "us"}, {Path: "tags.Team", New: "them"},
	}},
	{Op: "replace", Replaces: true, Type: "aws:ecs/taskDefinition:TaskDefinition", Name: "api", Differences: []engine.Difference{
		{Path: "containerDefinitions[0].image", Replaces: true,
			Old: "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:" + strings.Repeat("a", 64),
			New: "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:" + strings.Repeat("b", 64)},
	}},
	{Op: "delete", Deletes: true, Type: "aws:rds/instance:Instance", Name: "database"},
}

// What is lost comes first, and a long value is truncated where it does not differ.
func TestPlanText(t *testing.T) {
	var out strings.Builder
	require.NoError(t, Plan(&out, engine.Plan{Steps: steps}, Style{Width: 80}))
	require.Equal(t, `- rds/instance                         database
~ ecs/taskDefinition                   api  (new revision)
    containerDefinitions[0].image: …@sha256:aaaaaaaaaa… → …@sha256:bbbbbbbbbb…
~ ecs/service                          api
    taskDefinition: arn:aws:ecs:us-east-1:12345… → (known after the change)
    tags.Owner: us → (none)
    tags.Team: (none) → them
+ sqs/queue                            queue
1 to create, 1 to update, 1 new revision, 1 to delete
`, out.String())
}

func TestPlanOfNothing(t *testing.T) {
	var out strings.Builder
	require.NoError(t, Plan(&out, engine.Plan{}, Style{}))
	require.Equal(t, "no changes\n", out.String())
}

func TestFormatDifference(t *testing.T) {
	for name, test := range map[string]struct {
		d      engine.Difference
		remark string
		width  int
		want   string
	}{
		"it fits":            {engine.Difference{Path: "retentionInDays", Old: 14.0, New: 30.0}, "(as in the program)", 60, "retentionInDays: 14 → 30  (as in the program)"},
		"it is too wide":     {engine.Difference{Path: "p", Old: "arn:aws:old", New: "arn:aws:new"}, "", 25, "p:\n        arn:aws:old\n      → arn:aws:new"},
		"no terminal":        {engine.Difference{Path: "p", New: "x"}, "(replaces)", 0, "p: (none) → x  (replaces)"},
		"control characters": {engine.Difference{Path: "p", Old: "a\nb", New: "\x1b[31mred"}, "", 0, `p: a\nb → \x1b[31mred`},
		"a secret":           {engine.Difference{Path: "p", Old: engine.Masked, New: engine.Masked}, "(changes)", 0, "p: [secret]  (changes)"},
		"equal sides":        {engine.Difference{Path: "p", Old: false, New: false}, "", 0, "p: false"},
		"equal objects":      {engine.Difference{Path: "p", Old: map[string]any{}, New: map[string]any{}}, "", 0, "p: {}"},
		"text and number":    {engine.Difference{Path: "p", Old: 8080.0, New: "8080"}, "", 0, `p: 8080 → "8080"`},
		"text and nothing":   {engine.Difference{Path: "p", Old: "(none)"}, "", 0, `p: "(none)" → null`},
		"lists and objects":  {engine.Difference{Path: "p", Old: []any{"a"}, New: map[string]any{"b": 1.0}}, "", 0, `p: ["a"] → {"b":1}`},
	} {
		require.Equal(t, test.want, formatDifference(test.d, test.remark, test.width), name)
	}
}

// A line never has the same value on both sides, whatever the provider reports.
func TestNoEqualSides(t *testing.T) {
	same := func(path string, value any) engine.Difference {
		return engine.Difference{Path: path, Old: value, New: value}
	}
	differences := []engine.Difference{
		same("enableEcsManagedTags", false), same("tags", map[string]any{}), same("name", "api"), same("port", 80.0),
		same("secret", engine.Masked), same("arn", engine.Unknown), same("nothing", nil), {Path: "count", Old: 1.0, New: "1"},
	}
	plan := engine.Plan{Steps: []engine.Step{
		{Op: "update", URN: "u::api", Type: "aws:ecs/service:Service", Name: "api", Differences: differences},
	}}
	d := Drift{Environment: "staging", Deployed: true, Account: plan, Program: plan}
	for _, format := range DriftFormats() {
		if format == "json" {
			continue // has both values as they are
		}
		out := driftIn(t, format, 0, false, d)
		for line := range strings.Lines(out) {
			before, after, found := strings.Cut(line, " → ")
			_, before, _ = strings.Cut(before, ": ")
			require.False(t, found && before == strings.TrimSpace(after), line)
			cells := strings.Split(line, " | ")
			require.False(t, len(cells) == 5 && !strings.HasPrefix(line, "| ---") && strings.HasPrefix(cells[4], cells[3]), line)
		}
		require.Contains(t, out, "same value on both sides; the provider reports it for another reason")
	}
}

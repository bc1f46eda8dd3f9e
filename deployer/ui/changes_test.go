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
± ecs/taskDefinition                   api
    containerDefinitions[0].image: …@sha256:aaaa… → …@sha256:bbbb…  (replaces)
~ ecs/service                          api
    taskDefinition: arn:aws:ecs:us-east-1:12345… → (known after the change)
    tags.Owner: us → (none)
    tags.Team: (none) → them
+ sqs/queue                            queue
1 to create, 1 to update, 1 to replace, 1 to delete
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
		"lists and objects":  {engine.Difference{Path: "p", Old: []any{"a"}, New: map[string]any{"b": 1.0}}, "", 0, `p: ["a"] → {"b":1}`},
	} {
		require.Equal(t, test.want, formatDifference(test.d, test.remark, test.width), name)
	}
}

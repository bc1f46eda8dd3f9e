package ui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

func TestHighlight(t *testing.T) {
	policy := func(d ...engine.Difference) engine.Step {
		return engine.Step{Op: "update", Type: "aws:iam/rolePolicy:RolePolicy", Name: "task", Differences: d}
	}
	for name, test := range map[string]struct {
		step engine.Step
		want string
	}{
		"a database is replaced": {
			engine.Step{Op: "replace", Replaces: true, Type: "aws:rds/instance:Instance"}, "deletes the database and its data"},
		"a queue is deleted":                 {engine.Step{Op: "delete", Deletes: true, Type: "aws:sqs/queue:Queue"}, "deletes the queue and its messages"},
		"an alarm is deleted":                {engine.Step{Op: "delete", Deletes: true, Type: "aws:cloudwatch/metricAlarm:MetricAlarm"}, "deletes it"},
		"a load balancer is replaced":        {engine.Step{Op: "replace", Replaces: true, Type: "aws:lb/loadBalancer:LoadBalancer"}, "replaces it, and deletes the old one"},
		"a task definition's next revision":  {engine.Step{Op: "replace", Replaces: true, Type: "aws:ecs/taskDefinition:TaskDefinition"}, ""},
		"a task definition's old revision":   {engine.Step{Op: "delete", Deletes: true, Type: "aws:ecs/taskDefinition:TaskDefinition"}, ""},
		"a queue changes":                    {engine.Step{Op: "update", Type: "aws:sqs/queue:Queue"}, ""},
		"a statement allows one more action": {policy(engine.Difference{Path: "policy.Statement[0].Action[2]", Kind: "add"}), "may broaden permissions"},
		"a statement loses an action":        {policy(engine.Difference{Path: "policy.Statement[0].Action[2]", Kind: "delete"}), ""},
		"a statement loses its condition":    {policy(engine.Difference{Path: "policy.Statement[0].Condition", Kind: "delete"}), "may broaden permissions"},
		"only a policy's tag changes":        {policy(engine.Difference{Path: "tags.Owner", Kind: "update"}), ""},
		"a port is opened": {
			engine.Step{Op: "create", Type: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"}, "may broaden permissions"},
		"a port is closed": {
			engine.Step{Op: "delete", Deletes: true, Type: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"}, "deletes it"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, highlight(test.step)) })
	}
}

func TestPreviewMarkdown(t *testing.T) {
	var out strings.Builder
	require.NoError(t, Previews(&out, []Preview{
		{Environment: "staging", Plan: engine.Plan{Steps: steps}},
		{Environment: "production", Failure: &Failure{Message: "access denied"}},
		{Environment: "new", NewStack: true, Plan: engine.Plan{Steps: steps[:1]}},
	}, true, "markdown", Style{}))
	text := out.String()
	require.Contains(t, text, "> **Review these first**\n>\n> - rds/instance database: deletes the database and its data\n\n<details>")
	require.Contains(t, text, "### production: not known\n\n> access denied\n")
	require.Less(t, strings.Index(text, "| delete |"), strings.Index(text, "| create |"), "what is lost comes first")
	require.Equal(t, 1, strings.Count(text, "Review these first"), "in a new environment everything is new")
}

func TestPreviewJSON(t *testing.T) {
	var out strings.Builder
	require.NoError(t, Previews(&out, []Preview{{Environment: "staging", Stack: "staging", Plan: engine.Plan{Steps: steps[3:]}}}, false, "json", Style{}))
	require.JSONEq(t, `{"environment":"staging","stack":"staging","summary":"1 to delete",
		"attention":["rds/instance database: deletes the database and its data"],
		"steps":[{"operation":"delete","urn":"","type":"aws:rds/instance:Instance","name":"database"}]}`, out.String())
	out.Reset()
	require.NoError(t, Previews(&out, []Preview{{Environment: "dev"}, {Environment: "staging"}}, true, "json", Style{}))
	require.True(t, strings.HasPrefix(out.String(), "["), "several environments are an array")
}

// GitHub refuses a comment of more than 65,536 characters; every environment keeps its part of them.
func TestPreviewMarkdownFitsIntoAComment(t *testing.T) {
	var many []engine.Step
	for i := range 3000 {
		many = append(many, engine.Step{Op: "delete", Deletes: true, Type: "aws:sqs/queue:Queue", Name: fmt.Sprintf("queue-%d", i)})
	}
	var out strings.Builder
	all := []Preview{{Environment: "staging", Plan: engine.Plan{Steps: many}}, {Environment: "production", Plan: engine.Plan{Steps: many}}}
	require.NoError(t, Previews(&out, all, true, "markdown", Style{}))
	require.Less(t, out.Len(), 65_000)
	require.Equal(t, 2, strings.Count(out.String(), "</details>"))
	_, production, _ := strings.Cut(out.String(), "### production")
	require.Contains(t, production, "queue-0: deletes the queue")
	require.Regexp(t, `… and \d+ more`, production)
}

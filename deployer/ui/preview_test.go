package ui

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// risky returns a plan in which nothing is in the order of its risk.
func risky() engine.Plan {
	return engine.Plan{Steps: []engine.Step{
		{Op: "create", Type: "aws:sqs/queue:Queue", Name: "queue"},
		{Op: "replace", Replaces: true, Type: "aws:ec2/subnet:Subnet", Name: "private"},
		{Op: "delete", Deletes: true, Type: "aws:cloudwatch/metricAlarm:MetricAlarm", Name: "dead"},
		{Op: "replace", Replaces: true, Type: "aws:ecs/taskDefinition:TaskDefinition", Name: "api"},
		{Op: "create", Type: "aws:iam/rolePolicyAttachment:RolePolicyAttachment", Name: "admin"},
		{Op: "delete", Deletes: true, Type: "aws:rds/instance:Instance", Name: "database"},
	}}
}

// The greatest risk of any environment comes first, what environments have in common once, and the rest is counted.
func TestPreviewRanksByRisk(t *testing.T) {
	all := []Preview{
		{Environment: "development", Plan: engine.Plan{Steps: risky().Steps[:3]}},
		{Environment: "staging", Plan: risky()},
		{Environment: "new", NewStack: true, Plan: engine.Plan{Steps: steps[:1]}},
		{Environment: "production", Failure: &Failure{Message: "access denied"}},
	}
	var out strings.Builder
	require.NoError(t, Previews(&out, all, true, "markdown", Style{}))
	require.Equal(t, `> **Review these first**
>
> Data or access is lost:
> - staging: rds/instance database: deletes the database and its data
>
> Permissions are widened:
> - staging: iam/rolePolicyAttachment admin: may broaden permissions
>
> Protection is weakened:
> - development, staging: cloudwatch/metricAlarm dead: deletes the alarm
>
> Replaced or deleted:
> - development, staging: ec2/subnet private: replaces it, and deletes the old one

### development: 1 to create, 1 to replace, 1 to delete

<details><summary>Every change</summary>

|  | resource | property | before | after |
| --- | --- | --- | --- | --- |
| delete | cloudwatch/metricAlarm **dead** | | | |
| replace | ec2/subnet **private** | | | |
| create | sqs/queue **queue** | | | |

</details>

### staging: 2 to create, 1 new revision, 1 to replace, 2 to delete

<details><summary>Every change</summary>

|  | resource | property | before | after |
| --- | --- | --- | --- | --- |
| delete | rds/instance **database** | | | |
| create | iam/rolePolicyAttachment **admin** | | | |
| delete | cloudwatch/metricAlarm **dead** | | | |
| replace | ec2/subnet **private** | | | |
| new revision | ecs/taskDefinition **api** | | | |
| create | sqs/queue **queue** | | | |

</details>

### new: 1 to create

<details><summary>Every change</summary>

|  | resource | property | before | after |
| --- | --- | --- | --- | --- |
| create | sqs/queue **queue** | | | |

</details>

### production: not known

> access denied
`, out.String())

	out.Reset()
	require.NoError(t, Previews(&out, all[1:2], false, "text", Style{}))
	require.Equal(t, `Data or access is lost:
  rds/instance database: deletes the database and its data
Permissions are widened:
  iam/rolePolicyAttachment admin: may broaden permissions
Protection is weakened:
  cloudwatch/metricAlarm dead: deletes the alarm
Replaced or deleted:
  ec2/subnet private: replaces it, and deletes the old one

- rds/instance                         database
+ iam/rolePolicyAttachment             admin
- cloudwatch/metricAlarm               dead
± ec2/subnet                           private
~ ecs/taskDefinition                   api  (new revision)
+ sqs/queue                            queue
2 to create, 1 new revision, 1 to replace, 2 to delete
`, out.String())

	out.Reset()
	require.NoError(t, Previews(&out, all[1:2], false, "json", Style{}))
	var decoded struct {
		Attention []string
		Steps     []struct{ Operation, Name string }
	}
	require.NoError(t, json.Unmarshal([]byte(out.String()), &decoded))
	require.Equal(t, []string{
		"rds/instance database: deletes the database and its data", "iam/rolePolicyAttachment admin: may broaden permissions",
		"cloudwatch/metricAlarm dead: deletes the alarm", "ec2/subnet private: replaces it, and deletes the old one",
	}, decoded.Attention)
	require.Equal(t, []struct{ Operation, Name string }{
		{"delete", "database"}, {"create", "admin"}, {"delete", "dead"}, {"replace", "private"}, {"replace", "api"}, {"create", "queue"},
	}, decoded.Steps)
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
		many = append(many, engine.Step{Op: "delete", Deletes: true, Type: "aws:sqs/queue:Queue", Name: fmt.Sprintf("queue-%04d", i)},
			engine.Step{Op: "update", Type: "aws:cloudwatch/logGroup:LogGroup", Name: "logs", Before: map[string]any{"retentionInDays": float64(2 + i)},
				After: map[string]any{"retentionInDays": float64(1 + i)}})
	}
	var out strings.Builder
	all := []Preview{{Environment: "staging", Plan: engine.Plan{Steps: many}}, {Environment: "production", Plan: engine.Plan{Steps: many}}}
	require.NoError(t, Previews(&out, all, true, "markdown", Style{}))
	require.Less(t, out.Len(), 65_000)
	require.Equal(t, 2, strings.Count(out.String(), "</details>"))
	require.Contains(t, out.String(), "> - staging, production: sqs/queue queue-0000, queue-0001, queue-0002 and 2997 more: deletes the queue")
	review, _, _ := strings.Cut(out.String(), "### staging")
	require.Regexp(t, `> - … and \d+ more`, review)
	_, production, _ := strings.Cut(out.String(), "### production")
	require.Contains(t, production, "queue-0000")
	require.Regexp(t, `… and \d+ more`, production)
}

package ui

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// everyDifference returns an environment in which everything differs that can.
func everyDifference() Drift {
	return Drift{
		Environment: "staging", Stack: "staging", Region: "us-east-1", Deployed: true,
		Account: engine.Plan{Steps: []engine.Step{
			{Op: "update", URN: "u::role", Type: "aws:iam/rolePolicy:RolePolicy", Name: "roles-task", ID: "v3-backend-staging-task-role:permissions",
				Differences: []engine.Difference{
					{Path: "policy.Statement[3].Condition.ForAnyValue:StringEquals.kms:ResourceAliases", Old: "alias/ours", New: "alias/theirs"},
					{Path: "tags.Team", New: "a|b`c"},
				}},
			{Op: "update", URN: "u::logs", Type: "aws:cloudwatch/logGroup:LogGroup", Name: "logs", ID: "/aws/ecs/v3-backend-staging",
				Differences: []engine.Difference{
					{Path: "password", Old: engine.Masked, New: engine.Masked}, {Path: "retentionInDays", Old: 14.0, New: 30.0},
				}},
			{Op: "delete", Deletes: true, URN: "u::alarm", Type: "aws:cloudwatch/metricAlarm:MetricAlarm", Name: "dead", ID: "v3-backend-staging-jobs-dead"},
		}},
		Program: engine.Plan{Steps: []engine.Step{
			{Op: "create", URN: "u::queue", Type: "aws:sqs/queue:Queue", Name: "queue"},
			{Op: "update", URN: "u::logs", Type: "aws:cloudwatch/logGroup:LogGroup", Name: "logs", ID: "/aws/ecs/v3-backend-staging",
				Differences: []engine.Difference{
					{Path: "password", Old: engine.Masked, New: engine.Masked}, {Path: "retentionInDays", Old: 14.0, New: 30.0},
				}},
		}},
		Pending:  []engine.Pending{{URN: "u::zone", Type: "aws:route53/record:Record", Name: "alias", Op: "creating"}},
		Remedies: []string{"`deployer up --env staging --image-tag 1.0.0 --refresh` puts it back"},
	}
}

func driftIn(t *testing.T, format string, width int, multiple bool, all ...Drift) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, Drifts(&out, all, multiple, format, Style{Width: width}))
	return out.String()
}

// What is gone comes first, secrets stay secret, and nothing but what has to be copied whole is wider than the terminal.
func TestDriftText(t *testing.T) {
	require.Equal(t, `staging: 3 resources have drifted; 2 changes are pending; the outcome of 1
    operation is unknown

In the account: 2 changed, 1 gone (stack → account)
- cloudwatch/metricAlarm               dead
    id: v3-backend-staging-jobs-dead
    is gone
~ cloudwatch/logGroup                  logs
    id: /aws/ecs/v3-backend-staging
    password: [secret]  (differs)
    retentionInDays: 14 → 30  (as in the program)
~ iam/rolePolicy                       roles-task
    id: v3-backend-staging-task-role:permissions
    policy.Statement[3].Condition.ForAnyValue:StringEquals.kms:ResourceAliases:
        alias/ours
      → alias/theirs
    tags.Team: (none) → a|b`+"`"+`c

In the program: 1 to create, 1 to update (stack → program)
~ cloudwatch/logGroup                  logs
    password: [secret]  (changes)
    retentionInDays: 14 → 30
+ sqs/queue                            queue

With an unknown outcome, from a run that was interrupted:
? route53/record                       alias (creating)

hint: `+"`deployer up --env staging --image-tag 1.0.0 --refresh`"+` puts it back
`, driftIn(t, "text", 80, false, everyDifference()))
}

func TestDriftStatus(t *testing.T) {
	account, program := everyDifference().Account, everyDifference().Program
	for want, d := range map[string]Drift{
		"clean":   {Deployed: true},
		"waiting": {Deployed: true, Program: program},
		"drifted": {Deployed: true, Program: program, Account: account},
		"unknown": {Deployed: true, Account: account, Failure: &Failure{Message: "access denied"}},
	} {
		require.Equal(t, want, driftStatus(d))
		require.Equal(t, want == "clean", d.Clean())
	}
	require.Equal(t, "drifted", driftStatus(Drift{Deployed: true, Pending: everyDifference().Pending}))
	require.Equal(t, "nothing is deployed, so nothing can have drifted", DriftSummary(Drift{}))
	require.Equal(t, "the comparison is incomplete", DriftSummary(Drift{Failure: &Failure{}}))
}

func TestDriftJSON(t *testing.T) {
	var one map[string]any
	require.NoError(t, json.Unmarshal([]byte(driftIn(t, "json", 0, false, everyDifference())), &one))
	require.Equal(t, "drifted", one["status"])
	require.Len(t, one["account"], 3)
	require.Len(t, one["program"], 2)
	logs := one["account"].([]any)[1].(map[string]any)
	require.Equal(t, "changed", logs["change"])
	require.Equal(t, []any{
		map[string]any{"path": "password", "stack": engine.Masked, "account": engine.Masked},
		map[string]any{"path": "retentionInDays", "stack": 14.0, "account": 30.0, "asProgram": true},
	}, logs["differences"])

	var several []any
	require.NoError(t, json.Unmarshal([]byte(driftIn(t, "json", 0, true, Drift{Environment: "dev"})), &several))
	require.Len(t, several, 1)
	require.Equal(t, []any{}, several[0].(map[string]any)["account"])
}

func TestDriftMarkdown(t *testing.T) {
	out := driftIn(t, "markdown", 0, false, everyDifference())
	require.Contains(t, out, "### staging: 3 resources have drifted; 2 changes are pending; ")
	require.Contains(t, out, "| gone | cloudwatch/metricAlarm **dead**<br>`v3-backend-staging-jobs-dead` | | | |\n")
	require.Contains(t, out, "| `tags.Team` | `(none)` | ``a\\|b`c`` |\n")
	require.Contains(t, out, "| `retentionInDays` | `14` | `30` (as in the program) |\n")
	require.Contains(t, out, "- `deployer up --env staging --image-tag 1.0.0 --refresh` puts it back\n")
}

// However much differs, it fits into an issue, counts what is left out, and has room for every environment.
func TestDriftMarkdownFitsIntoAnIssue(t *testing.T) {
	d := everyDifference()
	for i := range 3000 {
		step := d.Account.Steps[0]
		step.URN, step.Name = fmt.Sprint(i), strings.Repeat("n", 200)
		d.Account.Steps = append(d.Account.Steps, step)
		d.Program.Steps = append(d.Program.Steps, step)
	}
	d.Failure = &Failure{Message: strings.Repeat("x", 100_000)}
	out := driftIn(t, "markdown", 0, true, d, d, d)
	require.LessOrEqual(t, utf8.RuneCountInString(out), 65_536)
	require.Equal(t, 3, strings.Count(out, "### staging"))
	require.Equal(t, 6, strings.Count(out, " more.\n"))
	require.Equal(t, 3, strings.Count(out, "| in the program |"))
}

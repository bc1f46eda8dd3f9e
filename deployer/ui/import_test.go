package ui

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

func TestImport(t *testing.T) {
	found := func(typ, id string, data bool, step engine.Step) ImportFound {
		return ImportFound{ImportCandidate: engine.ImportCandidate{PlannedResource: engine.PlannedResource{Type: typ, Name: "n"}, ID: id}, MatchedBy: "name", Step: step, Stateful: data}
	}
	engineChanged := engine.Step{Op: "replace", Replaces: true, Differences: []engine.Difference{
		{Path: "engine", Replaces: true, Old: "mysql", New: "postgres"}, {Path: "tags.Name"},
	}}
	report := ImportReport{
		Environment: "staging",
		Found: []ImportFound{
			found("aws:rds/instance:Instance", "db", true, engineChanged), found("aws:ec2/eip:Eip", "eip", false, engineChanged),
			found("aws:iam/role:Role", "r", false, engine.Step{Op: "update", Differences: []engine.Difference{{Path: `tags["a:b"]`}, {Path: "tags.X"}}}),
		},
		Missing: []ImportMissing{
			{PlannedResource: engine.PlannedResource{Type: "aws:route53/zone:Zone", Name: "zone"}, Candidates: []string{"Z1", "Z2"}, Stateful: true},
			{PlannedResource: engine.PlannedResource{Type: "aws:sqs/queue:Queue", Name: "queue"}, Stateful: true},
			{PlannedResource: engine.PlannedResource{Type: "aws:iam/role:Role", Name: "theirs"}, Foreign: "x"},
		},
	}
	var out strings.Builder
	require.NoError(t, Import(&out, report, Style{}))
	require.Equal(t, `Found in the account:
  rds/instance n: db (by name), REPLACED: engine: mysql → postgres
  ec2/eip n: eip (by name), REPLACED: engine: mysql → postgres
  iam/role n: r (by name), update: tags
Not found, or not imported:
  route53/zone zone: ambiguous: Z1, Z2
  sqs/queue queue: will be created
  iam/role theirs: x belongs to another stack
warning: the first up would replace rds/instance db (engine: mysql → postgres)
warning: the first up would replace ec2/eip eip (engine: mysql → postgres)
warning: route53/zone zone could be any of Z1, Z2: rename or delete the others, or write the right one into the import file
warning: sqs/queue queue was not found: the first up creates an empty one
warning: iam/role theirs: x has its name, but its tags name another stack
staging: 3 resources found, 3 to be created
`, out.String())
	require.Equal(t, []string{"rds/instance db (engine: mysql → postgres)"}, report.DataLosses())
	require.Equal(t, []string{"route53/zone zone (Z1, Z2)"}, report.Ambiguous())
	require.False(t, report.Unambiguous())
	require.True(t, ImportReport{Found: report.Found[2:], Missing: report.Missing[1:2]}.Unambiguous())
}

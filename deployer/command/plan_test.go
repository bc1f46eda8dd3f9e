package command

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/ui"
)

// A question is preceded by what loses data or access, and has the counts; an unknown plan is named.
func TestDescribePlan(t *testing.T) {
	many := []engine.Step{{Op: "delete", Deletes: true, Type: "aws:rds/instance:Instance", Name: "database"}}
	for i := range maxReviewed + 1 {
		many = append(many, engine.Step{Op: "delete", Deletes: true, Type: "aws:sqs/queue:Queue", Name: fmt.Sprint("queue-", i)})
	}
	revision := engine.Step{Op: "replace", Replaces: true, Type: "aws:ecs/taskDefinition:TaskDefinition", Name: "api"}
	for name, test := range map[string]struct {
		plan        ui.Preview
		err         error
		want, first string
		lines       int
	}{
		"code":          {ui.Preview{Plan: engine.Plan{Steps: []engine.Step{revision}}}, nil, "1 new revision", "", 0},
		"the database":  {ui.Preview{Plan: engine.Plan{Steps: many[:1]}}, nil, "1 to delete", "review first: rds/instance database: deletes the database and its data", 1},
		"many":          {ui.Preview{Plan: engine.Plan{Steps: many}}, nil, "12 to delete", "review first: rds/instance database: deletes the database and its data", 11},
		"a new stack":   {ui.Preview{NewStack: true, Plan: engine.Plan{Steps: []engine.Step{{Op: "create", Type: "aws:iam/role:Role"}}}}, nil, "1 to create", "", 0},
		"not known yet": {ui.Preview{}, errors.New("no zone\nmore"), "what it would change is unknown: no zone", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var printed bytes.Buffer
			require.Equal(t, test.want, (&terminal{streams: streams{err: &printed}}).describePlan(test.plan, test.err))
			require.Equal(t, test.lines, strings.Count(printed.String(), "\n"), printed.String())
			require.True(t, strings.HasPrefix(printed.String(), test.first), printed.String())
		})
	}
}

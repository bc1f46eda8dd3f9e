package stack

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdspending"
)

func TestWithoutWaiting(t *testing.T) {
	class := rdspending.Change{Property: "instanceClass", Present: "db.t3.medium", Requested: "db.t3.large", Window: "tue:08:30-tue:09:30"}
	const text = "instanceClass db.t3.medium → db.t3.large waits for the maintenance window (Tue 08:30 UTC)"
	inAccount := engine.Difference{Path: "instanceClass", Old: "db.t3.large", New: "db.t3.medium"}
	inProgram := engine.Difference{Path: "instanceClass", Old: "db.t3.medium", New: "db.t3.large"}
	other := engine.Difference{Path: "deletionProtection", Old: true, New: false}
	smaller := engine.Difference{Path: "instanceClass", Old: "db.t3.large", New: "db.t3.micro"}
	step := func(typ string, differences ...engine.Difference) engine.Step {
		return engine.Step{Type: typ, Differences: differences}
	}
	for _, test := range []struct {
		name    string
		waiting []rdspending.Change
		applied map[string]any
		steps   []engine.Step
		want    []engine.Step
		text    []string
	}{
		{"nothing waits", nil, nil, []engine.Step{step(instanceType, inAccount)}, []engine.Step{step(instanceType, inAccount)}, nil},
		{"drift", []rdspending.Change{class}, nil, []engine.Step{step(instanceType, inAccount)}, nil, []string{text}},
		{"a pending change", []rdspending.Change{class}, nil, []engine.Step{step(instanceType, inProgram)}, nil, []string{text}},
		{"something else as well", []rdspending.Change{class}, nil, []engine.Step{step(instanceType, inAccount, other)},
			[]engine.Step{step(instanceType, other)}, []string{text}},
		{"someone chose another class", []rdspending.Change{class}, nil, []engine.Step{step(instanceType, smaller)},
			[]engine.Step{step(instanceType, smaller)}, []string{text}},
		{"another resource", []rdspending.Change{class}, nil, []engine.Step{step(rotationType, inAccount)}, []engine.Step{step(rotationType, inAccount)}, []string{text}},
		{"the window has applied it", nil, map[string]any{"instanceClass": "db.t3.large"},
			[]engine.Step{step(instanceType, inProgram, other)}, []engine.Step{step(instanceType, other)}, nil},
		{"the window has applied another class", nil, map[string]any{"instanceClass": "db.t3.micro"},
			[]engine.Step{step(instanceType, inProgram)}, []engine.Step{step(instanceType, inProgram)}, nil},
		{"a deletion", []rdspending.Change{class}, nil, []engine.Step{{Type: instanceType, Deletes: true}},
			[]engine.Step{{Type: instanceType, Deletes: true}}, []string{text}},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := withoutWaiting(engine.Plan{Steps: test.steps}, test.waiting, test.applied)
			require.Equal(t, test.want, plan.Steps)
			require.Equal(t, test.text, plan.Waiting)
		})
	}
}

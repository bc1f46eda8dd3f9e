package engine

import (
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

func TestTallyCountsResourcesOnce(t *testing.T) {
	const vpc = "urn:pulumi:dev::proj::x:index:Network$aws:ec2/vpc:Vpc::network"
	tally := newTally([]Resource{
		{URN: "urn:pulumi:dev::proj::pulumi:pulumi:Stack::proj-dev", Type: "pulumi:pulumi:Stack"},
		{URN: "urn:pulumi:dev::proj::pulumi:providers:aws::account", Type: "pulumi:providers:aws"},
		{URN: vpc, Type: "aws:ec2/vpc:Vpc"},
	})
	require.Equal(t, 1, tally.total(), "neither the stack nor a provider")
	tally.add(vpc)
	tally.add("urn:pulumi:dev::proj::x:index:Network$aws:ec2/subnet:Subnet::network-1")
	require.Equal(t, 2, tally.total())
}

// A destroy counts what it deletes in the account, as the question before it and its result do.
func TestTallyOfADestroy(t *testing.T) {
	const urn = "urn:pulumi:dev::proj::"
	state := []Resource{
		{URN: urn + "awsx:ec2:Vpc::network", Type: "awsx:ec2:Vpc"},
		{URN: urn + "aws:ec2/vpc:Vpc::network", Type: "aws:ec2/vpc:Vpc", ID: "vpc-1"},
		{URN: urn + "aws:ecs/taskDefinition:TaskDefinition::api", Type: "aws:ecs/taskDefinition:TaskDefinition", ID: "api", Inputs: map[string]any{"skipDestroy": true}},
		{URN: urn + "aws:logs/logGroup:LogGroup::api", Type: "aws:logs/logGroup:LogGroup", ID: "api", Inputs: map[string]any{"skipDestroy": false}},
	}
	p := newProgress(newDestroyTally(state), false, time.Now)
	var last Event
	for _, r := range state {
		old := &apitype.StepEventStateMetadata{Custom: r.ID != ""}
		m := apitype.StepEventMetadata{URN: r.URN, Type: r.Type, Op: apitype.OpDelete, Old: old}
		for _, e := range append(p.onStepStart(m), p.onStepDone(m)...) {
			require.Equal(t, 2, e.Total)
			last = e
		}
	}
	require.Equal(t, 2, last.Done)
}

// A declared resource is counted before the engine reports it, and once with its events. One that the run leaves out is reported as
// unchanged.
func TestTallyCountsDeclaredResources(t *testing.T) {
	l := newHarness(t, func(ctx *pulumi.Context) error {
		parent := &struct{ pulumi.ResourceState }{}
		if err := ctx.RegisterComponentResource("x:index:Group", "group", parent); err != nil {
			return err
		}
		one, err := newThing(ctx, "one", valueMap("a"), pulumi.Parent(parent))
		if err != nil {
			return err
		}
		if err := ctx.RegisterResourceOutputs(parent, pulumi.Map{}); err != nil {
			return err
		}
		_, err = newThing(ctx, "two", pulumi.Map{"value": one.Value})
		return err
	})
	h := l.open(t)
	for _, update := range []Update{{Excludes: []string{"**::two"}}, {}, {Targets: []string{"**::one"}}} {
		var last Event
		_, err := h.Up(t.Context(), update, func(e Event) {
			if e.Name == "one" && e.Status == Started {
				require.Equal(t, 3, e.Total, "two, which waits for one, is counted from the beginning")
			}
			last = e
		})
		require.NoError(t, err)
		require.Equal(t, 3, last.Total, update)
		require.Equal(t, 3, last.Done, update)
	}
}

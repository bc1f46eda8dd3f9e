package engine

import (
	"testing"

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

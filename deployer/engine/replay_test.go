package engine

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

// owned declares a component with a child, and something that depends on the component: more than pair has.
func owned(ctx *pulumi.Context) error {
	component := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource("test:index:Group", "group", component); err != nil {
		return err
	}
	child, err := newThing(ctx, "child", valueMap("inside"), pulumi.Parent(component))
	if err != nil {
		return err
	}
	topic, err := newThing(ctx, "topic", with(valueMap("t"), "nested", pulumi.Map{"list": pulumi.Array{pulumi.Int(1), pulumi.Bool(true)}}))
	if err != nil {
		return err
	}
	_, err = newThing(ctx, "alarm", pulumi.Map{"value": topic.Value, "password": pulumi.ToSecret(pulumi.String("hush"))},
		pulumi.Protect(true), pulumi.IgnoreChanges([]string{"count"}))
	if err != nil {
		return err
	}
	_, err = newThing(ctx, "service", pulumi.Map{"value": child.Value, "version": pulumi.String("1")}, pulumi.DependsOn([]pulumi.Resource{component}))
	ctx.Export("version", pulumi.String("1"))
	ctx.Export("password", pulumi.ToSecret(pulumi.String("hush")))
	ctx.Export("object", pulumi.Map{"a": pulumi.Array{pulumi.String("b")}})
	return err
}

// onlyService changes the service's version.
func onlyService(version string) Edit {
	return func(d *Declaration) error {
		if d.Name == "service" {
			d.Inputs["version"] = version
		}
		return nil
	}
}

func TestAReplayChangesNothing(t *testing.T) {
	l := newHarness(t, owned)
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	l.done()
	before := h.Current()

	replay, err := h.Replay(t.Context())
	require.NoError(t, err)
	program := replay.Program(nil, func(*Declaration) error { return nil }, nil)
	for _, targets := range [][]string{nil, {urnOf(before, "service")}} {
		done, err := h.Up(t.Context(), Update{Program: program, Targets: targets}, nil)
		require.NoError(t, err)
		require.Zero(t, done.Changed())
		require.Empty(t, l.done())
		after := h.Current()
		before.Updated = after.Updated
		require.ElementsMatch(t, before.Resources, after.Resources)
		require.Equal(t, before.Outputs, after.Outputs)
	}
	require.NotContains(t, read(t, l.stateFile()), "hush")
	plan, err := h.Preview(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.True(t, plan.Empty(), stepNames(plan))
}

// The replay still has resources and dependencies that the program no longer has.
func TestAReplayChangesOnlyWhatIsEdited(t *testing.T) {
	l := newHarness(t, owned)
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	l.done()
	for _, version := range []string{"2", "3", "4"} {
		replay, err := h.Replay(t.Context())
		require.NoError(t, err)
		done, err := h.Up(t.Context(), Update{
			Program: replay.Program(nil, onlyService(version), map[string]any{"version": version}), Targets: []string{urnOf(h.Current(), "service")},
		}, nil)
		require.NoError(t, err)
		require.Equal(t, 1, done.Changed())
		require.Equal(t, []string{"update service"}, l.done())
		require.Equal(t, version, h.Current().Text("version"))
		require.True(t, h.Outputs()["password"].Secret)
	}
}

func TestAReplayThatCannotBeDeclaredFails(t *testing.T) {
	l := newHarness(t, owned)
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	replay, err := h.Replay(t.Context())
	require.NoError(t, err)
	_, err = h.Preview(t.Context(), Update{Program: replay.Program(nil, func(d *Declaration) error {
		if d.Name == "child" {
			d.Inputs["value"] = ARNRef("urn:pulumi:dev::proj::test:index:Thing::nowhere")
		}
		return nil
	}, nil)}, nil)
	require.ErrorContains(t, err, "declare test:index:Thing child: it refers to the ARN of a resource that the state does not have")
}

func urnOf(s State, name string) string {
	for _, r := range s.Resources {
		if strings.HasSuffix(r.URN, "::"+name) {
			return r.URN
		}
	}
	return ""
}

func TestWithoutDefaults(t *testing.T) {
	given := withoutDefaults(map[string]any{
		"__defaults": []any{"name"}, "name": "generated-1234", "value": "v",
		"nested": map[string]any{"__defaults": []any{}, "a": 1.0}, "list": []any{map[string]any{"__defaults": []any{"x"}, "x": "y"}},
	})
	require.Equal(t, map[string]any{"value": "v", "nested": map[string]any{"a": 1.0}, "list": []any{map[string]any{}}}, given)
}

func TestPendingDeletions(t *testing.T) {
	state := State{Resources: []Resource{
		{URN: "service"}, {URN: "definition", PendingDeletion: true}, {URN: "other", PendingDeletion: true},
		{URN: "policy", Dependencies: []string{"service"}}, {URN: "policy", PendingDeletion: true, Dependencies: []string{"service"}},
		{URN: "deep", Dependencies: []string{"policy"}, PendingDeletion: true},
	}}
	code := func(urn string) bool { return urn == "service" || urn == "definition" }
	require.Equal(t, []string{"definition", "policy", "deep"}, state.PendingDeletions(code))
	require.Empty(t, state.PendingDeletions(func(string) bool { return false }))
}

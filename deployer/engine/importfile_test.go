package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

type group struct{ pulumi.ResourceState }

type explicitProvider struct{ pulumi.ProviderResourceState }

// grouped declares a provider of its own, and things of one name in a component, under a thing, and alone.
func grouped(ctx *pulumi.Context) error {
	var with explicitProvider
	if err := ctx.RegisterResource("pulumi:providers:test", "explicit", pulumi.Map{"region": pulumi.String("here")}, &with); err != nil {
		return err
	}
	var g group
	if err := ctx.RegisterComponentResource("proj:index:Group", "one", &g); err != nil {
		return err
	}
	one, err := newThing(ctx, "one", valueMap("a"), pulumi.Parent(&g), pulumi.Provider(&with))
	if err != nil {
		return err
	}
	if _, err := newThing(ctx, "one", valueMap("b"), pulumi.Parent(one), pulumi.Provider(&with)); err != nil {
		return err
	}
	_, err = newThing(ctx, "alone", valueMap("c"), pulumi.Provider(&with))
	return err
}

// planned returns the parents that the program of an empty stack needs, and all of its things as candidates, by their values.
func planned(t *testing.T, l harness) (parents []PlannedResource, candidates []ImportCandidate) {
	t.Helper()
	trial := l
	trial.stack = l.stack.Ephemeral(t.TempDir())
	h := trial.open(t)
	plan, err := h.Preview(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Empty(t, plan.NewResources, "before the parents exist, nothing has a provider")
	require.NoError(t, h.AddParents(t.Context(), plan.NewParents, nil))
	ready, err := h.Preview(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Empty(t, ready.NewParents)
	for _, c := range ready.NewResources {
		candidates = append(candidates, ImportCandidate{c, "id-" + c.Inputs["value"].(string)})
	}
	result, err := h.Reconcile(t.Context(), candidates, false, acceptAll)
	require.NoError(t, err)
	require.Equal(t, candidates, result.Imported)
	return plan.NewParents, candidates
}

// language serves a language host without functions, which the engine needs for an import.
func language(t *testing.T) string {
	t.Helper()
	stop := make(chan bool)
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{Cancel: stop, Init: func(s *grpc.Server) error {
		pulumirpc.RegisterLanguageRuntimeServer(s, pulumirpc.UnimplementedLanguageRuntimeServer{})
		return nil
	}})
	require.NoError(t, err)
	t.Cleanup(func() {
		close(stop)
		require.NoError(t, <-handle.Done)
	})
	return fmt.Sprintf("127.0.0.1:%d", handle.Port)
}

// The engine imports the file, and the program has nothing left to do.
func TestImportFile(t *testing.T) {
	l := newHarness(t, grouped)
	for _, value := range []string{"a", "b", "c"} {
		l.set("id-"+value, map[string]any{"value": value})
	}
	parents, candidates := planned(t, l)
	require.Len(t, candidates, 3)
	content, err := json.Marshal(NewImportFile(parents, candidates, State{}))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "import.json")
	require.NoError(t, os.WriteFile(file, content, 0o600))

	h := l.open(t)
	write(t, filepath.Join(l.stack.WorkDir, "Pulumi.yaml"), fmt.Sprintf("name: proj\nruntime: {name: client, options: {address: %q}}\n", language(t)))
	_, err = h.stateCommand(t.Context(), nil, "import", "--file", file, "--stack", "dev", "--yes", "--skip-preview", "--protect=false", "--generate-code=false")
	require.NoError(t, err, "%s", content)
	nothingLeft(t, l, h)
	state, err := h.State(t.Context())
	require.NoError(t, err)
	require.Empty(t, NewImportFile(parents, candidates, state).Resources, "what the stack has is not imported again")
}

// The same without the file: the candidates are imported into the real stack, with its own provider.
func TestAddParentsAndReconcile(t *testing.T) {
	l := newHarness(t, grouped)
	for _, value := range []string{"a", "b", "c"} {
		l.set("id-"+value, map[string]any{"value": value})
	}
	parents, candidates := planned(t, l)
	h := l.open(t)
	for range 2 { // the second time everything exists
		require.NoError(t, h.AddParents(t.Context(), parents, map[string]any{"image": "it"}))
		_, err := h.Reconcile(t.Context(), candidates, false, acceptAll)
		require.NoError(t, err)
	}
	state, err := h.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, "it", state.Text("image"))
	nothingLeft(t, l, h)
}

func nothingLeft(t *testing.T, l harness, h *Handle) {
	t.Helper()
	plan, err := h.Preview(context.Background(), Update{}, nil)
	require.NoError(t, err)
	require.Empty(t, plan.Steps)
	require.Empty(t, l.done(), "nothing was created, changed or deleted")
}

func TestImportFileNames(t *testing.T) {
	const stack = "urn:pulumi:dev::proj::pulumi:pulumi:Stack::proj-dev"
	const parent = "urn:pulumi:dev::proj::proj:index:Group::a"
	creation := func(urn, typ, name, parent string) PlannedResource {
		return PlannedResource{URN: urn, Type: typ, Name: name, Parent: parent, Provider: "urn:pulumi:dev::proj::pulumi:providers:aws::default_6_83_2::1"}
	}
	parents := []PlannedResource{creation(parent, "proj:index:Group", "a", stack)}
	candidates := []ImportCandidate{
		{creation("u1", "aws:sqs/queue:Queue", "a", parent), "1"}, {creation("u2", "aws:sqs/queue:Queue", "a", ""), "2"},
	}
	require.Equal(t, ImportFile{Resources: []ImportEntry{
		{Type: "proj:index:Group", Name: "a", Component: true},
		{Type: "aws:sqs/queue:Queue", Name: "a-Queue", LogicalName: "a", ID: "1", Parent: "a"},
		{Type: "aws:sqs/queue:Queue", Name: "a-Queue-2", LogicalName: "a", ID: "2"},
	}}, NewImportFile(parents, candidates, State{}))
	require.Equal(t, ImportFile{NameTable: map[string]string{"a": parent}, Resources: []ImportEntry{
		{Type: "aws:sqs/queue:Queue", Name: "a-Queue", LogicalName: "a", ID: "1", Parent: "a"},
		{Type: "aws:sqs/queue:Queue", Name: "a-Queue-2", LogicalName: "a", ID: "2"},
	}}, NewImportFile(parents, candidates, State{Resources: []Resource{{URN: parent}}}))
}

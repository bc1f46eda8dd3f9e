package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

const passphrase = "correct horse battery staple"

// built returns the project's own engine, and skips the test where nobody has built it.
func built(t *testing.T) *Engine {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the engine: left out by -short")
	}
	e, err := Find(t.Context(), Options{Explicit: filepath.Join(root(t), "bin", "pulumi"), Home: t.TempDir()})
	if isError[*NotFoundError](err) {
		t.Skip("no bin/pulumi: `make bin/pulumi` builds the engine that this test runs")
	}
	require.NoError(t, err)
	return e
}

// root is the directory of the module.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		require.NotEqual(t, "/", dir, "no go.mod above the test")
		dir = filepath.Dir(dir)
	}
}

const (
	projectFile = "name: proj\nruntime: go\nmain: infra/program\n"
	stackFile   = "# tracked\nconfig:\n  proj:environment:\n    name: development\n    zones: [1, 2]\n"
)

// lab is a project of its own, a provider, and the stack to open.
type lab struct {
	*provider
	engine *Engine
	stack  Stack
}

func newLab(t *testing.T, program pulumi.RunFunc) lab {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Pulumi.yaml"), projectFile)
	write(t, filepath.Join(dir, "Pulumi.dev.yaml"), stackFile)
	return newLabIn(t, dir, program)
}

// newLabIn works with a project that is there already.
func newLabIn(t *testing.T, dir string, program pulumi.RunFunc) lab {
	t.Helper()
	e, p := built(t), serve(t)
	hidden := filepath.Join(dir, ".deployer")
	return lab{provider: p, engine: e, stack: Stack{
		Project: dir, Name: "dev", WorkDir: filepath.Join(hidden, "work", "dev"), Home: filepath.Join(hidden, "home"),
		BackendURL: "file://" + filepath.Join(hidden, "state"), SecretsProvider: "passphrase",
		Env: p.env(), Program: program,
	}}
}

func (l lab) open(t *testing.T) *Handle {
	t.Helper()
	h, err := l.engine.Open(t.Context(), l.stack)
	require.NoError(t, err)
	return h
}

// stateFile is where the backend keeps the stack.
func (l lab) stateFile() string {
	return filepath.Join(l.stack.backendDir(), ".pulumi", "stacks", "proj", "dev.json")
}

// locks lists the engine's locks of the stack.
func (l lab) locks(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(l.stack.backendDir(), ".pulumi", "locks", "organization", "proj", "dev", "*.json"))
	require.NoError(t, err)
	return files
}

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// pair makes two things of which the second depends on the first.
func pair(first, second pulumi.Map) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		one, err := newThing(ctx, "one", first)
		if err != nil {
			return err
		}
		if _, err := newThing(ctx, "two", second, pulumi.DependsOn([]pulumi.Resource{one})); err != nil {
			return err
		}
		ctx.Export("value", one.Value)
		ctx.Export("password", pulumi.ToSecret(one.Value))
		return nil
	}
}

func text(s string) pulumi.Map { return pulumi.Map{"value": pulumi.String(s)} }

// with adds a property.
func with(m pulumi.Map, key string, value pulumi.Input) pulumi.Map {
	all := pulumi.Map{key: value}
	for k, v := range m {
		all[k] = v
	}
	return all
}

package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

const passphrase = "correct horse battery staple"

// built returns the project's engine, and skips the test if it was not built.
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

// root returns the directory of the module.
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

// harness is a project of its own, a provider, and the stack to open.
type harness struct {
	*provider
	engine *Engine
	stack  Stack
}

func newHarness(t *testing.T, program pulumi.RunFunc) harness {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Pulumi.yaml"), projectFile)
	write(t, filepath.Join(dir, "Pulumi.dev.yaml"), stackFile)
	return newHarnessIn(t, dir, program)
}

// newHarnessIn uses an existing project.
func newHarnessIn(t *testing.T, dir string, program pulumi.RunFunc) harness {
	t.Helper()
	e, p := built(t), serve(t)
	hidden := filepath.Join(dir, ".deployer")
	return harness{provider: p, engine: e, stack: Stack{
		Project: dir, Name: "dev", WorkDir: filepath.Join(hidden, "work", "dev"), Home: filepath.Join(hidden, "home"),
		BackendURL: "file://" + filepath.Join(hidden, "state"), SecretsProvider: "awskms://alias/test?region=us-east-1",
		Env: p.env(), Program: program,
	}}
}

// withPassphrase encrypts secrets with the passphrase, of which the engine derives a key at each start, for a quarter of a second.
func (l harness) withPassphrase() harness {
	l.stack.SecretsProvider = "passphrase"
	l.stack.Env["PULUMI_CONFIG_PASSPHRASE"] = passphrase
	return l
}

func (l harness) open(t *testing.T) *Handle {
	t.Helper()
	h, err := l.engine.Open(t.Context(), l.stack)
	require.NoError(t, err)
	return h
}

// stateFile returns the path of the state.
func (l harness) stateFile() string {
	return filepath.Join(l.stack.backendDir(), ".pulumi", "stacks", "proj", "dev.json")
}

// locks returns the engine's locks of the stack.
func (l harness) locks(t *testing.T) []string {
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

// pair declares two things of which the second depends on the first.
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

func valueMap(s string) pulumi.Map { return pulumi.Map{"value": pulumi.String(s)} }

// with returns the properties with another one.
func with(m pulumi.Map, key string, value pulumi.Input) pulumi.Map {
	all := pulumi.Map{key: value}
	for k, v := range m {
		all[k] = v
	}
	return all
}

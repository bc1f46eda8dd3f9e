package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// engine stands for the engine and the account: it notes what is registered, and knows the stack's own outputs.
type engine struct {
	mu         sync.Mutex
	registered map[string][]resource.PropertyMap
	// outputs are those of the stack itself.
	outputs map[string]any
}

func (e *engine) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.registered[args.TypeToken] = append(e.registered[args.TypeToken], args.Inputs)
	state := args.Inputs.Copy()
	switch args.TypeToken {
	case "aws:rds/instance:Instance":
		state["masterUserSecrets"] = listOf(map[string]any{"secretArn": "arn:database"})
	case "aws:acm/certificate:Certificate":
		state["domainValidationOptions"] = listOf(map[string]any{
			"resourceRecordName": "_x", "resourceRecordType": "CNAME", "resourceRecordValue": "_y",
		})
	}
	return args.Name, state, nil
}

func listOf(items ...any) resource.PropertyValue { return resource.NewPropertyValue(items) }

func (e *engine) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	if args.Token == "pulumi:pulumi:readStackOutputs" {
		return resource.NewPropertyMapFromMap(map[string]any{"outputs": e.outputs}), nil
	}
	return resource.PropertyMap{}, nil
}

// run runs the program as the plain pulumi command does: with the stack's own file as configuration.
func run(t *testing.T, stack string, outputs map[string]any, preview bool) (*engine, error) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", environment.FileName(stack)))
	require.NoError(t, err)
	var file struct {
		Config map[string]any `yaml:"config"`
	}
	require.NoError(t, yaml.Unmarshal(source, &file))
	config := map[string]string{}
	for key, value := range file.Config {
		text, err := yaml.MarshalWithOptions(value, yaml.JSON())
		require.NoError(t, err)
		config[key] = string(text)
	}
	e := &engine{registered: map[string][]resource.PropertyMap{}, outputs: outputs}
	return e, pulumi.RunErr(program(""), pulumi.WithMocks("v3-backend", stack, e), func(info *pulumi.RunInfo) {
		info.Config, info.DryRun, info.RootDirectory = config, preview, filepath.Join("..", "..")
	})
}

func TestPlainUpKeepsTheImageThatRuns(t *testing.T) {
	e, err := run(t, "staging", map[string]any{"image": "repo@sha256:1111"}, false)
	require.NoError(t, err)
	definitions := e.registered["aws:ecs/taskDefinition:TaskDefinition"]
	require.Len(t, definitions, 4)
	for _, d := range definitions {
		require.Contains(t, d["containerDefinitions"].StringValue(), `"image":"repo@sha256:1111"`)
	}
}

func TestPlainUpOfNothingIsRefused(t *testing.T) {
	e, err := run(t, "staging", nil, false)
	require.ErrorIs(t, err, errNoImage)
	require.Empty(t, e.registered)
}

func TestPlainPreviewOfNothingShowsEverything(t *testing.T) {
	e, err := run(t, "dev", nil, true)
	require.NoError(t, err)
	require.Len(t, e.registered["aws:ecs/taskDefinition:TaskDefinition"], 3)
}

func TestSharedStackNeedsNoImage(t *testing.T) {
	e, err := run(t, environment.SharedStack, nil, false)
	require.NoError(t, err)
	require.Len(t, e.registered["aws:ecr/repository:Repository"], 1)
	require.Empty(t, e.registered["aws:ecs/service:Service"])
}

// TestPlainUpUpgradesAtOnce checks that another major version than the recorded one does not wait for the maintenance window, and that
// every other change of a protected environment does.
func TestPlainUpUpgradesAtOnce(t *testing.T) {
	env, err := environment.Load("../..", "production")
	require.NoError(t, err)
	for recorded, immediately := range map[string]bool{env.Database.EngineVersion: false, "14": true, "": false} {
		outputs := map[string]any{"image": "repo@sha256:1111"}
		if recorded != "" {
			deployed := *env
			deployed.Database.EngineVersion = recorded
			outputs["environment"], err = deployed.Encode()
			require.NoError(t, err)
		}
		e, err := run(t, "production", outputs, false)
		require.NoError(t, err)
		require.Equal(t, immediately, e.registered["aws:rds/instance:Instance"][0]["applyImmediately"].BoolValue(), "recorded: %q", recorded)
	}
}

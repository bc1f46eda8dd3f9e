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
	recorded   string
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
	if args.Token == "pulumi:pulumi:readStackOutputs" && e.recorded != "" {
		return resource.NewPropertyMapFromMap(map[string]any{"outputs": map[string]any{"image": e.recorded}}), nil
	}
	return resource.PropertyMap{}, nil
}

// run runs the program as the plain pulumi command does: with the stack's own file as configuration.
func run(t *testing.T, stack, recorded string, preview bool) (*engine, error) {
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
	e := &engine{registered: map[string][]resource.PropertyMap{}, recorded: recorded}
	return e, pulumi.RunErr(program(""), pulumi.WithMocks("v3-backend", stack, e), func(info *pulumi.RunInfo) {
		info.Config, info.DryRun = config, preview
	})
}

func TestPlainUpKeepsTheImageThatRuns(t *testing.T) {
	e, err := run(t, "staging", "repo@sha256:1111", false)
	require.NoError(t, err)
	definitions := e.registered["aws:ecs/taskDefinition:TaskDefinition"]
	require.Len(t, definitions, 4)
	for _, d := range definitions {
		require.Contains(t, d["containerDefinitions"].StringValue(), `"image":"repo@sha256:1111"`)
	}
}

func TestPlainUpOfNothingIsRefused(t *testing.T) {
	e, err := run(t, "staging", "", false)
	require.ErrorIs(t, err, errNoImage)
	require.Empty(t, e.registered)
}

func TestPlainPreviewOfNothingShowsEverything(t *testing.T) {
	e, err := run(t, "dev", "", true)
	require.NoError(t, err)
	require.Len(t, e.registered["aws:ecs/taskDefinition:TaskDefinition"], 3)
}

func TestSharedStackNeedsNoImage(t *testing.T) {
	e, err := run(t, environment.SharedStack, "", false)
	require.NoError(t, err)
	require.Len(t, e.registered["aws:ecr/repository:Repository"], 1)
	require.Empty(t, e.registered["aws:ecs/service:Service"])
}

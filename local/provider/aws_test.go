package provider

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/local/cloud"
)

const speed = 100_000

func openAccount(t *testing.T, path string, faults ...string) *cloud.Account {
	t.Helper()
	account, err := cloud.Open(path, cloud.Options{
		AccountID: "123456789012", Region: "us-east-1", Clock: clock.Fast(speed), Speed: speed, Faults: faults,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, account.Close()) })
	return account
}

func newProvider(t *testing.T, faults ...string) *awsProvider {
	t.Helper()
	return &awsProvider{account: openAccount(t, filepath.Join(t.TempDir(), "account.json"), faults...)}
}

func properties(values map[string]any) resource.PropertyMap {
	return resource.NewPropertyMapFromMap(values)
}

func TestConfigure(t *testing.T) {
	tests := map[string]struct {
		inputs map[string]any
		want   string
	}{
		"the account": {map[string]any{"region": "us-east-1",
			"allowedAccountIds": []any{"123456789012"}}, ""},
		"the account, in JSON": {map[string]any{"allowedAccountIds": `["123456789012"]`}, ""},
		"another account": {map[string]any{"allowedAccountIds": []any{"210987654321"}},
			"AWS account ID not allowed: 123456789012"},
		"another region": {map[string]any{"region": "eu-west-1"},
			"the simulated account is in us-east-1, not in eu-west-1"},
		"a setting without a simulation": {map[string]any{"defaultTags": map[string]any{}},
			"the provider's setting defaultTags is not simulated by local mode"},
	}
	p := newProvider(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := p.Configure(context.Background(), plugin.ConfigureRequest{Inputs: properties(test.inputs)})
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, test.want)
			}
		})
	}
}

func TestDiff(t *testing.T) {
	queue, listener := tokens.Type("aws:sqs/queue:Queue"), tokens.Type("aws:lb/listener:Listener")
	type object = map[string]any
	given := []any{}
	tests := map[string]struct {
		typ         tokens.Type
		olds, news  object
		state       object // what was read last; olds if nil
		want        map[string]plugin.DiffKind
		deleteFirst bool
	}{
		"nothing": {typ: queue, olds: object{"name": "a"}, news: object{"name": "a"}},
		"a change in place": {
			typ: queue, olds: object{"name": "a", "tags": object{"x": "1"}}, news: object{"name": "a", "tags": object{"x": "2"}},
			want: map[string]plugin.DiffKind{"tags.x": plugin.DiffUpdate},
		},
		"a generated name": {
			typ: queue, olds: object{"name": "a-1234567"}, news: object{"name": "a-1234567", "fifoQueue": true, "__defaults": []any{"name"}},
			want: map[string]plugin.DiffKind{"fifoQueue": plugin.DiffAddReplace},
		},
		"a name of which nothing is known": {
			typ: queue, olds: object{"name": "a"}, news: object{"name": "a", "fifoQueue": true},
			want: map[string]plugin.DiffKind{"fifoQueue": plugin.DiffAddReplace},
		},
		"a given name": {
			typ: queue, olds: object{"name": "a"}, news: object{"name": "a", "fifoQueue": true, "__defaults": given},
			want: map[string]plugin.DiffKind{"fifoQueue": plugin.DiffAddReplace}, deleteFirst: true,
		},
		"another given name": {
			typ: queue, olds: object{"name": "a"}, news: object{"name": "b", "__defaults": given},
			want: map[string]plugin.DiffKind{"name": plugin.DiffUpdateReplace}, deleteFirst: true,
		},
		"a given name, changed in place": {
			typ: queue, olds: object{"name": "a"}, news: object{"name": "a", "delaySeconds": 1.0, "__defaults": given},
			want: map[string]plugin.DiffKind{"delaySeconds": plugin.DiffAdd},
		},
		"the domain of a record": {
			typ: "aws:route53/record:Record", olds: object{"name": "a"}, news: object{"name": "b", "__defaults": given},
			want: map[string]plugin.DiffKind{"name": plugin.DiffUpdateReplace},
		},
		"a type that is always deleted first": {
			typ: "aws:ecr/lifecyclePolicy:LifecyclePolicy", olds: object{"policy": "a"}, news: object{"policy": "b", "__defaults": given},
			want: map[string]plugin.DiffKind{"policy": plugin.DiffUpdateReplace}, deleteFirst: true,
		},
		"a reference not known yet": {
			typ: listener, olds: object{"loadBalancerArn": "arn"},
			news: object{"loadBalancerArn": resource.Computed{Element: resource.NewProperty("")}},
			want: map[string]plugin.DiffKind{"loadBalancerArn": plugin.DiffUpdateReplace},
		},
		"the engine's own notes": {typ: queue, olds: object{"__defaults": []any{}}, news: object{}},
		"the account has another value": {
			typ: queue, olds: object{"delaySeconds": 1.0}, news: object{"delaySeconds": 1.0}, state: object{"delaySeconds": 2.0},
			want: map[string]plugin.DiffKind{"delaySeconds": plugin.DiffUpdate},
		},
		"the account has the new value": {
			typ: queue, olds: object{"delaySeconds": 1.0}, news: object{"delaySeconds": 2.0}, state: object{"delaySeconds": 2.0},
		},
		"AWS computes a default": {typ: queue, olds: object{}, news: object{}, state: object{"delaySeconds": 0.0}},
		"a default is declared":  {typ: queue, olds: object{}, news: object{"delaySeconds": 0.0}, state: object{"delaySeconds": 0.0}},
		"AWS adds to an object": {
			typ: queue, olds: object{"a": []any{object{"x": "1"}}}, news: object{"a": []any{object{"x": "1"}}},
			state: object{"a": []any{object{"x": "1", "y": "2"}}},
		},
		"an element was added in the account": {
			typ: queue, olds: object{"a": []any{"x"}}, news: object{"a": []any{"x"}}, state: object{"a": []any{"x", "y"}},
			want: map[string]plugin.DiffKind{"a[1]": plugin.DiffDelete},
		},
		"a tag was added in the account": { // as in a refresh, whose old inputs were read
			typ: queue, olds: object{"tags": object{"x": "1", "y": "2"}}, news: object{"tags": object{"x": "1"}},
			state: object{"tags": object{"x": "1", "y": "2"}},
			want:  map[string]plugin.DiffKind{"tags.y": plugin.DiffDelete},
		},
	}
	p := newProvider(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.state == nil {
				test.state = test.olds
			}
			result, err := p.Diff(context.Background(), plugin.DiffRequest{
				Type: test.typ, OldInputs: properties(test.olds), OldOutputs: properties(test.state), NewInputs: properties(test.news),
			})
			require.NoError(t, err)
			var got map[string]plugin.DiffKind
			for path, change := range result.DetailedDiff {
				if got == nil {
					got = map[string]plugin.DiffKind{}
				}
				got[path] = change.Kind
			}
			require.Equal(t, test.want, got)
			require.Equal(t, test.deleteFirst, result.DeleteBeforeReplace)
			require.Equal(t, test.want == nil, result.Changes == plugin.DiffNone)
		})
	}
}

// A parameter that equals the default of its family reads back as pending-reboot: any other method differs in every preview.
func TestParametersEqualToTheDefault(t *testing.T) {
	p := newProvider(t)
	const typ = "aws:rds/parameterGroup:ParameterGroup"
	for name, test := range map[string]struct {
		family, parameter, value, method string
		differs                          bool
	}{
		"immediate":            {"postgres16", "rds.force_ssl", "1", "immediate", true},
		"pending-reboot":       {"postgres16", "rds.force_ssl", "1", "pending-reboot", false},
		"no default before 15": {"postgres14", "rds.force_ssl", "1", "immediate", false},
		"the other value":      {"postgres16", "rds.force_ssl", "0", "immediate", false},
		"another parameter":    {"postgres16", "log_min_duration_statement", "1", "immediate", false},
	} {
		t.Run(name, func(t *testing.T) {
			inputs := properties(map[string]any{"name": strings.ReplaceAll(name, " ", "-"), "family": test.family, "parameters": []any{
				map[string]any{"name": test.parameter, "value": test.value, "applyMethod": test.method},
			}})
			created, err := p.Create(context.Background(), plugin.CreateRequest{Type: typ, Properties: inputs})
			require.NoError(t, err)
			result, err := p.Diff(context.Background(), plugin.DiffRequest{
				Type: typ, OldInputs: inputs, OldOutputs: created.Properties, NewInputs: inputs,
			})
			require.NoError(t, err)
			require.Equal(t, test.differs, result.Changes == plugin.DiffSome)
			if test.differs {
				require.Len(t, result.DetailedDiff, 1)
				require.Contains(t, result.DetailedDiff, "parameters[0].applyMethod")
			}
		})
	}
}

func TestDiffUnderProvisionFails(t *testing.T) {
	same := properties(map[string]any{"identifier": "db"})
	request := plugin.DiffRequest{Type: "aws:rds/instance:Instance", OldInputs: same, NewInputs: same}
	result, err := newProvider(t, "provision-fails").Diff(context.Background(), request)
	require.NoError(t, err)
	require.Equal(t, plugin.DiffSome, result.Changes)
	require.Empty(t, result.ReplaceKeys)
}

func TestCheckGeneratesNames(t *testing.T) {
	p := newProvider(t)
	request := plugin.CheckRequest{Type: "aws:sqs/queue:Queue", Name: "jobs",
		RandomSeed: []byte("seed of at least 32 bytes, as given")}
	first, err := p.Check(context.Background(), request)
	require.NoError(t, err)
	require.Regexp(t, `^jobs-[0-9a-f]{7}$`, first.Properties["name"].StringValue())

	require.Equal(t, properties(map[string]any{"d": []any{"name"}})["d"], first.Properties["__defaults"], "the name was generated")

	request.Olds, request.RandomSeed = first.Properties, []byte("another seed of at least 32 bytes long")
	again, err := p.Check(context.Background(), request)
	require.NoError(t, err)
	require.Equal(t, first.Properties, again.Properties, "a generated name is kept")

	request.News = properties(map[string]any{"name": resource.Computed{Element: resource.NewProperty("")}})
	unknown, err := p.Check(context.Background(), request)
	require.NoError(t, err)
	require.True(t, unknown.Properties["name"].IsComputed(), "an unknown name is kept")
	require.Empty(t, unknown.Properties["__defaults"].ArrayValue(), "the name was given")
	require.Empty(t, unknown.Failures)
}

func TestSecretsStayWithTheEngine(t *testing.T) {
	const password = "correct horse battery staple"
	path := filepath.Join(t.TempDir(), "account.json")
	p := &awsProvider{account: openAccount(t, path)}
	secret := resource.MakeSecret(resource.NewProperty(password))
	inputs := resource.PropertyMap{
		"name": resource.NewProperty("a"), "tags": resource.NewProperty(resource.PropertyMap{"token": secret,
			"plain": resource.NewProperty("b")}),
	}
	made, err := p.Create(context.Background(), plugin.CreateRequest{Type: "aws:sqs/queue:Queue", Properties: inputs})
	require.NoError(t, err)
	require.Equal(t, inputs["tags"], made.Properties["tags"])

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(content), password)

	read, err := p.Read(context.Background(), plugin.ReadRequest{
		Type: "aws:sqs/queue:Queue", ID: made.ID, Inputs: inputs, State: made.Properties,
	})
	require.NoError(t, err)
	require.Equal(t, inputs, read.Inputs, "a refresh finds no change")
	require.Equal(t, made.Properties, read.Outputs)
}

func TestPreviewCreatesNothing(t *testing.T) {
	p := newProvider(t)
	inputs := properties(map[string]any{"name": "a"})
	made, err := p.Create(context.Background(), plugin.CreateRequest{Type: "aws:sqs/queue:Queue", Properties: inputs,
		Preview: true})
	require.NoError(t, err)
	require.Empty(t, made.ID)
	require.Equal(t, inputs, made.Properties)
	updated, err := p.Update(context.Background(), plugin.UpdateRequest{
		Type: "aws:sqs/queue:Queue", ID: "url", OldOutputs: properties(map[string]any{"name": "a", "url": "url"}),
		NewInputs: properties(map[string]any{"name": "a", "delaySeconds": 1.0}), Preview: true,
	})
	require.NoError(t, err)
	require.Equal(t, properties(map[string]any{"name": "a", "url": "url", "delaySeconds": 1.0}), updated.Properties)
	require.NoError(t, p.account.View(func(s *cloud.State) error {
		require.Empty(t, s.Resources)
		return nil
	}))
}

func TestReadOfAMissingResource(t *testing.T) {
	read, err := newProvider(t).Read(context.Background(), plugin.ReadRequest{Type: "aws:sqs/queue:Queue", ID: "gone"})
	require.NoError(t, err)
	require.Equal(t, plugin.ReadResponse{}, read)
}

// An account does not know what a resource's deletion takes: a refresh keeps what the state has, such as the final snapshot's new name.
func TestReadKeepsDeletionArguments(t *testing.T) {
	p := newProvider(t)
	created, err := p.Create(t.Context(), plugin.CreateRequest{Type: "aws:cloudwatch/logGroup:LogGroup", Properties: properties(map[string]any{
		"name": "logs", "skipDestroy": true})})
	require.NoError(t, err)
	state := created.Properties.Copy()
	state["skipDestroy"] = resource.NewProperty(false)
	read, err := p.Read(t.Context(), plugin.ReadRequest{Type: "aws:cloudwatch/logGroup:LogGroup", ID: created.ID,
		Inputs: properties(map[string]any{"name": "logs", "skipDestroy": false}), State: state})
	require.NoError(t, err)
	require.Equal(t, state, read.Outputs)
	require.False(t, read.Inputs["skipDestroy"].BoolValue())
	require.Equal(t, "logs", read.Inputs["name"].StringValue())
}

package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"

	"github.com/balancer/v3-backend-infra/local/cloud"
)

// awsProvider is the aws provider for the account. It has no state of its own.
type awsProvider struct {
	plugin.UnimplementedProvider
	account *cloud.Account
}

var awsVersion = semver.MustParse("6.83.2")

// Close does nothing: the account outlives every engine.
func (p *awsProvider) Close() error { return nil }

// Attach does nothing: the provider never calls the engine.
func (p *awsProvider) Attach(string) error { return nil }

// SignalCancellation does nothing: operations in progress take seconds and run to their end.
func (p *awsProvider) SignalCancellation(context.Context) error { return nil }

// GetPluginInfo returns the version of the real provider that is simulated.
func (p *awsProvider) GetPluginInfo(context.Context) (plugin.PluginInfo, error) {
	return plugin.PluginInfo{Version: &awsVersion}, nil
}

// GetSchema returns only name and version.
func (p *awsProvider) GetSchema(context.Context, plugin.GetSchemaRequest) (plugin.GetSchemaResponse, error) {
	return schema("aws", awsVersion)
}

func schema(name string, version semver.Version) (plugin.GetSchemaResponse, error) {
	content, err := json.Marshal(map[string]string{"name": name, "version": version.String()})
	return plugin.GetSchemaResponse{Schema: content}, err
}

// CheckConfig accepts the provider's configuration; Configure validates it.
func (p *awsProvider) CheckConfig(_ context.Context, r plugin.CheckConfigRequest) (plugin.CheckConfigResponse, error) {
	return plugin.CheckConfigResponse{Properties: r.News}, nil
}

// DiffConfig replaces the provider if the region changes, as the real one does.
func (p *awsProvider) DiffConfig(_ context.Context, r plugin.DiffConfigRequest) (plugin.DiffConfigResponse, error) {
	return diff(r.OldInputs, r.NewInputs, func(property string) bool { return property == "region" }), nil
}

// globalMetricsRegion is the region of the metrics of Route 53, which a provider of its own may watch.
const globalMetricsRegion = "us-east-1"

// Configure rejects another account or region than the simulated one. The connection keeps the region: each provider of a stack has its own.
func (p *awsProvider) Configure(ctx context.Context, r plugin.ConfigureRequest) (plugin.ConfigureResponse, error) {
	config := toAccount(r.Inputs)
	accountRegion := p.account.Region()
	if region, ok := config["region"].(string); ok && region != accountRegion {
		if region != globalMetricsRegion {
			return plugin.ConfigureResponse{}, fmt.Errorf("the simulated account is in %s, not in %s", accountRegion, region)
		}
		if connected, ok := ctx.Value(connectionKey{}).(*connection); ok {
			connected.region.Store(&region)
		}
	}
	allowed, err := listOf(config["allowedAccountIds"])
	if err != nil {
		return plugin.ConfigureResponse{}, fmt.Errorf("read allowedAccountIds: %w", err)
	}
	if len(allowed) > 0 && !slices.Contains(allowed, p.account.ID()) {
		return plugin.ConfigureResponse{}, fmt.Errorf("AWS account ID not allowed: %s", p.account.ID())
	}
	if config["defaultTags"] != nil {
		return plugin.ConfigureResponse{}, &cloud.UnsimulatedError{What: "the provider's setting defaultTags"}
	}
	return plugin.ConfigureResponse{}, nil
}

// listOf decodes a list of the configuration, which may be JSON in a string.
func listOf(value any) ([]string, error) {
	var list []string
	switch v := value.(type) {
	case string:
		return list, json.Unmarshal([]byte(v), &list)
	case []any:
		for _, item := range v {
			list = append(list, fmt.Sprint(item))
		}
	}
	return list, nil
}

// defaultsKey lists the inputs that Check filled in, as the bridge to Terraform's providers notes them.
const defaultsKey resource.PropertyKey = "__defaults"

// Check validates inputs, and generates a name if the program gave none.
func (p *awsProvider) Check(_ context.Context, r plugin.CheckRequest) (plugin.CheckResponse, error) {
	inputs := r.News.Copy()
	filled := []resource.PropertyValue{}
	if name := resource.PropertyKey(cloud.NameProperty(string(r.Type))); name != "" && !inputs.HasValue(name) {
		given, err := nameFor(r, name)
		if err != nil {
			return plugin.CheckResponse{}, err
		}
		inputs[name] = resource.NewProperty(given)
		filled = append(filled, resource.NewProperty(string(name)))
	}
	inputs[defaultsKey] = resource.NewProperty(filled)
	problems, err := cloud.CheckResource(string(r.Type), toAccount(inputs))
	if err != nil {
		return plugin.CheckResponse{}, err
	}
	response := plugin.CheckResponse{Properties: inputs}
	for _, problem := range problems {
		response.Failures = append(response.Failures, plugin.CheckFailure{
			Property: resource.PropertyKey(problem.Property), Reason: problem.Reason,
		})
	}
	return response, nil
}

// nameFor returns the resource's existing name, or the engine's proposal, or the logical name and seven digits.
func nameFor(r plugin.CheckRequest, name resource.PropertyKey) (string, error) {
	if old := r.Olds[name]; old.IsString() {
		return old.StringValue(), nil
	}
	if r.Autonaming != nil && r.Autonaming.ProposedName != "" {
		return r.Autonaming.ProposedName, nil
	}
	return resource.NewUniqueName(r.RandomSeed, r.Name+"-", 7, 0, nil)
}

// Diff compares what the provider last read with the new inputs, as the bridge does: the state against the configuration. In a
// refresh the engine passes what was just read as the state, and the inputs of the last deployment as the new ones.
func (p *awsProvider) Diff(_ context.Context, r plugin.DiffRequest) (plugin.DiffResponse, error) {
	typ := string(r.Type)
	olds := storedInputs(r)
	before, after := toAccount(olds), toAccount(r.NewInputs)
	result := diff(olds, requestedInputs(r, olds), func(property string) bool { return cloud.Replaces(typ, property, before, after) })
	if property, pending := p.account.PendingChange(typ); pending && result.Changes == plugin.DiffNone {
		result.Changes = plugin.DiffSome
		result.DetailedDiff = map[string]plugin.PropertyDiff{property: {Kind: plugin.DiffUpdate}}
	}
	result.DeleteBeforeReplace = len(result.ReplaceKeys) > 0 && (cloud.DeletesBeforeReplace(typ) || hasGivenName(typ, r.NewInputs))
	return result, nil
}

// hasGivenName reports whether the program gave the name of a resource whose name would be generated otherwise. The bridge
// deletes such a resource before it creates the replacement, whether or not the name changes.
// Source: nameRequiresDeleteBeforeReplace in
// https://github.com/pulumi/pulumi-terraform-bridge/blob/main/pkg/tfbridge/schema.go
func hasGivenName(typ string, inputs resource.PropertyMap) bool {
	name := cloud.NameProperty(typ)
	filled, known := inputs[defaultsKey]
	if name == "" || !inputs.HasValue(resource.PropertyKey(name)) || !known || !filled.IsArray() {
		return false
	}
	return !slices.ContainsFunc(filled.ArrayValue(), func(v resource.PropertyValue) bool {
		return v.IsString() && v.StringValue() == name
	})
}

// storedInputs returns the inputs with the values that the account has: those of the state, without what AWS computes.
func storedInputs(r plugin.DiffRequest) resource.PropertyMap {
	stored := r.OldInputs.Copy()
	for _, inputs := range []resource.PropertyMap{r.OldInputs, r.NewInputs} {
		for key := range inputs {
			if value, known := r.OldOutputs[key]; known && !internal(key) {
				stored[key] = storedValue(value, r.OldInputs[key], r.NewInputs[key])
			}
		}
	}
	return stored
}

// storedValue returns a stored value without the keys of objects that no input has.
func storedValue(value resource.PropertyValue, inputs ...resource.PropertyValue) resource.PropertyValue {
	switch {
	case value.IsObject():
		known := resource.PropertyMap{}
		for key, item := range value.ObjectValue() {
			var parts []resource.PropertyValue
			for _, input := range inputs {
				if input.IsObject() && input.ObjectValue().HasValue(key) {
					parts = append(parts, input.ObjectValue()[key])
				}
			}
			if len(parts) > 0 {
				known[key] = storedValue(item, parts...)
			}
		}
		return resource.NewProperty(known)
	case value.IsArray():
		items := make([]resource.PropertyValue, len(value.ArrayValue()))
		for i, item := range value.ArrayValue() {
			var parts []resource.PropertyValue
			for _, input := range inputs {
				if input.IsArray() && i < len(input.ArrayValue()) {
					parts = append(parts, input.ArrayValue()[i])
				}
			}
			items[i] = storedValue(item, parts...)
		}
		return resource.NewProperty(items)
	}
	return value
}

// requestedInputs returns the new inputs, with ignored changes reset to what is stored. The engine resets them itself before
// an update, and leaves it to the provider in a refresh, as the bridge does.
func requestedInputs(r plugin.DiffRequest, stored resource.PropertyMap) resource.PropertyMap {
	news := r.NewInputs.Copy()
	for _, ignored := range r.IgnoreChanges {
		if path, err := resource.ParsePropertyPath(ignored); err == nil {
			path.Reset(stored, news)
		}
	}
	return news
}

func diff(olds, news resource.PropertyMap, replaces func(property string) bool) plugin.DiffResult {
	changes := olds.Diff(news, internal)
	if changes == nil {
		return plugin.DiffResult{Changes: plugin.DiffNone}
	}
	result := plugin.DiffResult{
		Changes: plugin.DiffSome, DetailedDiff: plugin.NewDetailedDiffFromObjectDiff(changes, true),
	}
	for path, change := range result.DetailedDiff {
		parsed, err := resource.ParsePropertyPath(path)
		if err != nil || len(parsed) == 0 {
			continue
		}
		if property, ok := parsed[0].(string); ok && replaces(property) {
			result.DetailedDiff[path] = change.ToReplace()
			result.ReplaceKeys = append(result.ReplaceKeys, resource.PropertyKey(property))
		}
	}
	return result
}

// Create creates the resource. In a preview the properties that AWS computes stay unknown.
func (p *awsProvider) Create(ctx context.Context, r plugin.CreateRequest) (plugin.CreateResponse, error) {
	if r.Preview {
		return plugin.CreateResponse{Properties: r.Properties}, nil
	}
	if connected, ok := ctx.Value(connectionKey{}).(*connection); ok {
		if region := connected.region.Load(); region != nil {
			ctx = cloud.InRegion(ctx, *region)
		}
	}
	created, err := p.account.CreateResource(ctx, string(r.Type), toAccount(r.Properties))
	if created == nil {
		return plugin.CreateResponse{}, err
	}
	properties := fromAccount(created.Outputs, r.Properties)
	if err != nil {
		return plugin.CreateResponse{}, initFailed(created.ID, properties, err)
	}
	return plugin.CreateResponse{ID: resource.ID(created.ID), Properties: properties}, nil
}

// initFailed returns the error with which a provider returns a resource whose creation began and was not seen to end.
// Source: https://github.com/pulumi/pulumi-terraform-bridge/blob/main/pkg/tfbridge/provider.go (initializationError)
func initFailed(id string, properties resource.PropertyMap, err error) error {
	state, marshalErr := plugin.MarshalProperties(properties, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true})
	if marshalErr != nil {
		return errors.Join(err, marshalErr)
	}
	return rpcerror.WithDetails(rpcerror.New(codes.Unknown, err.Error()),
		&pulumirpc.ErrorResourceInitFailed{Id: id, Properties: state, Reasons: []string{err.Error()}})
}

// Read finds a resource by its ID, for a refresh, or by its ID or name, for an import.
func (p *awsProvider) Read(ctx context.Context, r plugin.ReadRequest) (plugin.ReadResponse, error) {
	found, err := p.account.ReadResource(ctx, string(r.Type), string(r.ID))
	if err != nil || found == nil {
		return plugin.ReadResponse{}, err
	}
	inputs := fromAccount(found.Inputs, r.Inputs)
	if filled, known := r.Inputs[defaultsKey]; known {
		inputs[defaultsKey] = filled
	}
	outputs := fromAccount(found.Outputs, r.State)
	for _, name := range cloud.DeletionArguments() { // AWS does not know them
		keepFromState(inputs, r.Inputs, resource.PropertyKey(name))
		keepFromState(outputs, r.State, resource.PropertyKey(name))
	}
	return plugin.ReadResponse{ReadResult: plugin.ReadResult{ID: resource.ID(found.ID), Inputs: inputs, Outputs: outputs}}, nil
}

// keepFromState replaces a property that was read by the state's, if the state has it.
func keepFromState(read, state resource.PropertyMap, name resource.PropertyKey) {
	if value, known := state[name]; known {
		read[name] = value
	}
}

// Update changes the resource. In a preview the properties that AWS computed before are kept.
func (p *awsProvider) Update(ctx context.Context, r plugin.UpdateRequest) (plugin.UpdateResponse, error) {
	if r.Preview {
		properties := r.OldOutputs.Copy()
		for key, value := range r.NewInputs {
			properties[key] = value
		}
		return plugin.UpdateResponse{Properties: properties}, nil
	}
	updated, err := p.account.UpdateResource(ctx, string(r.Type), string(r.ID), toAccount(r.NewInputs))
	if err != nil {
		return plugin.UpdateResponse{}, err
	}
	return plugin.UpdateResponse{Properties: fromAccount(updated.Outputs, r.NewInputs)}, nil
}

func (p *awsProvider) Delete(ctx context.Context, r plugin.DeleteRequest) (plugin.DeleteResponse, error) {
	return plugin.DeleteResponse{}, p.account.DeleteResource(ctx, string(r.Type), string(r.ID), toAccount(r.Outputs))
}

func (p *awsProvider) Invoke(_ context.Context, r plugin.InvokeRequest) (plugin.InvokeResponse, error) {
	answer, err := p.account.Invoke(string(r.Tok), toAccount(r.Args))
	if err != nil {
		return plugin.InvokeResponse{}, err
	}
	return plugin.InvokeResponse{Properties: fromAccount(answer, nil)}, nil
}

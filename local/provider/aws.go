package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"

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

// Configure rejects another account or region than the simulated one.
func (p *awsProvider) Configure(_ context.Context, r plugin.ConfigureRequest) (plugin.ConfigureResponse, error) {
	config := toAccount(r.Inputs)
	accountRegion := p.account.Region()
	if region, ok := config["region"].(string); ok && region != accountRegion {
		return plugin.ConfigureResponse{}, fmt.Errorf("the simulated account is in %s, not in %s", accountRegion, region)
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

// Check validates inputs, and generates a name if the program gave none.
func (p *awsProvider) Check(_ context.Context, r plugin.CheckRequest) (plugin.CheckResponse, error) {
	inputs := r.News.Copy()
	if name := resource.PropertyKey(cloud.NameProperty(string(r.Type))); name != "" && !inputs.HasValue(name) {
		given, err := nameFor(r, name)
		if err != nil {
			return plugin.CheckResponse{}, err
		}
		inputs[name] = resource.NewProperty(given)
	}
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

// Diff compares the old inputs with the new ones.
func (p *awsProvider) Diff(_ context.Context, r plugin.DiffRequest) (plugin.DiffResponse, error) {
	typ := string(r.Type)
	olds, news := toAccount(r.OldInputs), toAccount(r.NewInputs)
	result := diff(r.OldInputs, requestedInputs(r), func(property string) bool { return cloud.Replaces(typ, property, olds, news) })
	if property, pending := p.account.PendingChange(typ); pending && result.Changes == plugin.DiffNone {
		result.Changes = plugin.DiffSome
		result.DetailedDiff = map[string]plugin.PropertyDiff{property: {Kind: plugin.DiffUpdate}}
	}
	// Two resources cannot have the same name at once.
	name := resource.PropertyKey(cloud.NameProperty(typ))
	result.DeleteBeforeReplace = len(result.ReplaceKeys) > 0 && name != "" && r.OldInputs[name].DeepEquals(r.NewInputs[name])
	return result, nil
}

// requestedInputs returns the new inputs, with ignored changes reset. The engine resets them itself before an update,
// and leaves it to the provider in a refresh, as the bridge to Terraform's providers does.
func requestedInputs(r plugin.DiffRequest) resource.PropertyMap {
	news := r.NewInputs.Copy()
	for _, ignored := range r.IgnoreChanges {
		if path, err := resource.ParsePropertyPath(ignored); err == nil {
			path.Reset(r.OldInputs, news)
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
	created, err := p.account.CreateResource(ctx, string(r.Type), toAccount(r.Properties))
	if err != nil {
		return plugin.CreateResponse{}, err
	}
	return plugin.CreateResponse{ID: resource.ID(created.ID), Properties: fromAccount(created.Outputs, r.Properties)}, nil
}

// Read finds a resource by its ID, for a refresh, or by its ID or name, for an import.
func (p *awsProvider) Read(ctx context.Context, r plugin.ReadRequest) (plugin.ReadResponse, error) {
	found, err := p.account.ReadResource(ctx, string(r.Type), string(r.ID))
	if err != nil || found == nil {
		return plugin.ReadResponse{}, err
	}
	return plugin.ReadResponse{ReadResult: plugin.ReadResult{
		ID:     resource.ID(found.ID),
		Inputs: fromAccount(found.Inputs, r.Inputs), Outputs: fromAccount(found.Outputs, r.State),
	}}, nil
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

func (p *awsProvider) Delete(_ context.Context, r plugin.DeleteRequest) (plugin.DeleteResponse, error) {
	return plugin.DeleteResponse{}, p.account.DeleteResource(string(r.Type), string(r.ID))
}

func (p *awsProvider) Invoke(_ context.Context, r plugin.InvokeRequest) (plugin.InvokeResponse, error) {
	answer, err := p.account.Invoke(string(r.Tok), toAccount(r.Args))
	if err != nil {
		return plugin.InvokeResponse{}, err
	}
	return plugin.InvokeResponse{Properties: fromAccount(answer, nil)}, nil
}

package infra

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// componentPrefix is the prefix of the types of this program's components.
const componentPrefix = "v3-backend:infra:"

// declare registers a component and returns the option that makes resources its children.
func declare(
	ctx *pulumi.Context, kind, name string, c pulumi.ComponentResource, opts []pulumi.ResourceOption,
) (pulumi.ResourceOption, error) {
	if err := ctx.RegisterComponentResource(componentPrefix+kind, name, c, opts...); err != nil {
		return nil, fmt.Errorf("declare the component %s: %w", name, err)
	}
	return pulumi.Parent(c), nil
}

// finish registers a component's outputs, which ends its construction.
func finish(ctx *pulumi.Context, name string, c pulumi.ComponentResource, outputs pulumi.Map) error {
	if err := ctx.RegisterResourceOutputs(c, outputs); err != nil {
		return fmt.Errorf("register the outputs of %s: %w", name, err)
	}
	return nil
}

// ignoreChanges returns an option for properties that replace a resource which is in use. The provider deletes a resource with an explicit
// name before it creates the replacement, and AWS refuses that while something uses it; the properties keep their first values.
// Source: nameRequiresDeleteBeforeReplace in
// https://github.com/pulumi/pulumi-terraform-bridge/blob/main/pkg/tfbridge/schema.go
func ignoreChanges(properties ...string) pulumi.ResourceOption {
	return pulumi.IgnoreChanges(properties)
}

// newLogGroup declares a log group with the environment's retention.
func newLogGroup(
	ctx *pulumi.Context, name, path string, env *environment.Environment, child pulumi.ResourceOption,
) (*cloudwatch.LogGroup, error) {
	return cloudwatch.NewLogGroup(ctx, name, &cloudwatch.LogGroupArgs{
		Name:            pulumi.String(path),
		RetentionInDays: pulumi.Int(env.Monitoring.LogRetentionDays),
		Tags:            withName(env.Tags(), path),
	}, child)
}

// textFrom returns a text about values that AWS generates.
func textFrom(render func(values []string) (string, error), values ...pulumi.StringInput) pulumi.StringOutput {
	return pulumi.StringArray(values).ToStringArrayOutput().ApplyT(render).(pulumi.StringOutput)
}

// marshal returns a value as JSON. what names the value in the error.
func marshal(what string, value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("marshal %s: %w", what, err)
	}
	return string(text), nil
}

// withName returns the tags of a resource: those of its stack and its Name. They are set on every resource instead of in
// the provider's defaults, so that the state has them with the resource.
func withName(tags map[string]string, name string) pulumi.StringMap {
	all := maps.Clone(tags)
	all["Name"] = name
	return pulumi.ToStringMap(all)
}

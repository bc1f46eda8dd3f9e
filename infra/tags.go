package infra

import (
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// withName returns the tags of a resource: those of its stack and its Name. They are set on every resource instead of in
// the provider's defaults, so that the state has them with the resource.
func withName(tags map[string]string, name string) pulumi.StringMap {
	all := maps.Clone(tags)
	all["Name"] = name
	return pulumi.ToStringMap(all)
}

package infra

import (
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// withName returns the tags of one resource: those of its stack and its Name. Tags stand on every resource that takes
// them, and not in the provider's defaults, so that the state shows them where they belong.
func withName(tags map[string]string, name string) pulumi.StringMap {
	all := maps.Clone(tags)
	all["Name"] = name
	return pulumi.ToStringMap(all)
}

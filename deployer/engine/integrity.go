package engine

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// verify returns why the engine would refuse to use a state: a resource that comes before one that it needs, that needs a
// missing one, or that exists twice. The engine checks this before it changes anything, and not when it exports a state. It
// reports whether only the order of the resources is wrong, so that the engine can sort them.
// Source: VerifyIntegrity in https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/snapshot.go
func (d *stateDocument) verify() (sortable bool, err error) {
	sortable = true
	report := func(order bool, format string, args ...any) {
		if err == nil {
			err = fmt.Errorf(format, args...)
		}
		sortable = sortable && order
	}
	var all []apitype.ResourceV3
	anywhere := map[string]bool{}
	d.each(func(r apitype.ResourceV3) {
		all = append(all, r)
		anywhere[string(r.URN)], anywhere[providerReference(r)] = true, true
	})
	if len(all) != len(d.Resources) {
		report(false, "%d of its resources cannot be read", len(d.Resources)-len(all))
	}
	before, live := map[string]bool{}, map[resource.URN]bool{}
	for i, r := range all {
		switch {
		case r.URN == "" || r.Type == "":
			report(false, "its resource %d has no URN or no type", i)
		case !r.Custom && r.ID != "":
			report(false, "the component %s has an ID", r.URN)
		case live[r.URN] && !r.Delete:
			report(false, "the resource %s exists twice", r.URN)
		case r.Provider != "" && !r.PendingReplacement && !before[r.Provider]:
			report(anywhere[r.Provider], "the resource %s needs the provider %s, which is not before it", r.URN, r.Provider)
		}
		r.Provider = ""
		for _, urn := range dependencies(r) {
			switch {
			case before[urn]:
			case anywhere[urn]:
				report(true, "the resource %s needs %s, which comes after it", r.URN, urn)
			default:
				report(false, "the resource %s needs %s, which is missing", r.URN, urn)
			}
		}
		before[string(r.URN)] = true
		if isProvider(r.Type) {
			before[providerReference(r)] = true
		}
		live[r.URN] = live[r.URN] || !r.Delete
	}
	return sortable && err != nil, err
}

// providerReference returns how resources refer to a provider.
func providerReference(r apitype.ResourceV3) string { return string(r.URN) + "::" + string(r.ID) }

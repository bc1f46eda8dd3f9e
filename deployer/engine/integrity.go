package engine

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// verify returns why the engine would refuse to use a state: a resource that comes before one that it needs, that needs a
// missing one, or that exists twice. The engine checks this before it changes anything, and not when it exports a state.
// Source: VerifyIntegrity in https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/snapshot.go
func (d *stateDocument) verify() error {
	var all []apitype.ResourceV3
	anywhere := map[string]bool{}
	d.each(func(r apitype.ResourceV3) {
		all = append(all, r)
		anywhere[string(r.URN)] = true
	})
	if len(all) != len(d.Resources) {
		return fmt.Errorf("%d of its resources cannot be read", len(d.Resources)-len(all))
	}
	before, live := map[string]bool{}, map[resource.URN]bool{}
	for i, r := range all {
		switch {
		case r.URN == "" || r.Type == "":
			return fmt.Errorf("its resource %d has no URN or no type", i)
		case !r.Custom && r.ID != "":
			return fmt.Errorf("the component %s has an ID", r.URN)
		case live[r.URN] && !r.Delete:
			return fmt.Errorf("the resource %s exists twice", r.URN)
		case r.Provider != "" && !r.PendingReplacement && !before[r.Provider]:
			return fmt.Errorf("the resource %s needs the provider %s, which is not before it", r.URN, r.Provider)
		}
		r.Provider = ""
		for _, urn := range dependencies(r) {
			switch {
			case before[urn]:
			case anywhere[urn]:
				return fmt.Errorf("the resource %s needs %s, which comes after it", r.URN, urn)
			default:
				return fmt.Errorf("the resource %s needs %s, which is missing", r.URN, urn)
			}
		}
		before[string(r.URN)] = true
		if isProvider(r.Type) {
			before[string(r.URN)+"::"+string(r.ID)] = true
		}
		live[r.URN] = live[r.URN] || !r.Delete
	}
	return nil
}

// isComplete reports whether the state has all that its resources need, once: then only its order can be wrong.

func (d *stateDocument) isComplete() bool {
	known, live, complete := map[string]bool{}, map[resource.URN]bool{}, true
	d.each(func(r apitype.ResourceV3) {
		known[string(r.URN)], known[string(r.URN)+"::"+string(r.ID)] = true, true
		complete = complete && (r.Delete || !live[r.URN])
		live[r.URN] = live[r.URN] || !r.Delete
	})
	d.each(func(r apitype.ResourceV3) {
		complete = complete && (r.Provider == "" || r.PendingReplacement || known[r.Provider])
		r.Provider = ""
		for _, urn := range dependencies(r) {
			complete = complete && known[urn]
		}
	})
	return complete
}

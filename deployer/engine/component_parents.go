package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// AddParents adds the components and providers that the state lacks, so that Reconcile can import their children. It adds
// the stack with its outputs, too, if the state does not have it. It calls no provider, and changes nothing in an account.
func (h *Handle) AddParents(ctx context.Context, parents []PlannedResource, outputs map[string]any) error {
	doc, err := h.exportState(ctx)
	if err != nil {
		return err
	}
	added, err := doc.addParents(parents, outputs)
	if err != nil || !added {
		return err
	}
	return h.importState(ctx, doc)
}

// addParents adds what is missing, and reports whether anything was.
func (d *stateDocument) addParents(frame []PlannedResource, outputs map[string]any) (added bool, err error) {
	for _, c := range frame {
		urn := resource.URN(c.URN)
		if d.find(c.URN) != nil || !isProgramType(c.Type) && isDefaultProvider(c.URN) {
			continue
		}
		r := apitype.ResourceV3{URN: urn, Type: urn.Type(), Parent: resource.URN(c.Parent)}
		switch {
		case urn.Type() == resource.RootStackType:
			r.Outputs = outputs
		case !isProgramType(c.Type):
			r.Custom, r.ID, r.Inputs, r.Outputs = true, resource.ID(rand.Text()), c.Inputs, c.Inputs
		}
		raw, err := json.Marshal(r)
		if err != nil {
			return added, fmt.Errorf("add %s to the state: %w", c.URN, err)
		}
		d.Resources, added = append(d.Resources, raw), true
	}
	return added, nil
}

package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// AddParents puts the frame of a plan into the state, where it is missing, so that a Settle can fill it. What the stack says about
// itself is noted with it, unless the state knows the stack. No provider is asked, and nothing changes in an account.
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

// addParents adds what is missing of a frame, and reports whether anything was.
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
			return added, fmt.Errorf("prepare %s: %w", c.URN, err)
		}
		d.Resources, added = append(d.Resources, raw), true
	}
	return added, nil
}

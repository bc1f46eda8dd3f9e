package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Problem describes what is wrong with an input.
type Problem struct{ Property, Reason string }

// UnsimulatedError reports a resource type or function that is not simulated.
type UnsimulatedError struct{ What string }

func (e *UnsimulatedError) Error() string { return e.What + " is not simulated by local mode" }

func resourceTypeOf(typ string) (resourceType, error) {
	t, ok := resourceTypes[typ]
	if !ok {
		return resourceType{}, &UnsimulatedError{What: "the resource type " + typ}
	}
	return t, nil
}

// NameProperty returns the input that holds the unique name of a resource of the type; "" if AWS assigns the name or
// names may repeat. The name of a DNS record is its domain, which no provider generates.
func NameProperty(typ string) string {
	if typ == typeRecord {
		return ""
	}
	if name := resourceTypes[typ].name; name == "name" || name == "bucket" || name == "identifier" {
		return name
	}
	return ""
}

// Replaces reports whether a change of the input, from olds to news, replaces the resource.
func Replaces(typ, property string, olds, news map[string]any) bool {
	t := resourceTypes[typ]
	return slices.Contains(t.replaceOnChange, property) || t.replaces != nil && t.replaces(property, olds, news)
}

// DeletesBeforeReplace reports whether the provider always deletes a resource of the type before it creates the replacement.
func DeletesBeforeReplace(typ string) bool { return resourceTypes[typ].deleteFirst }

// CheckResource checks inputs on their own; Unknown values are skipped. Its error is *UnsimulatedError.
func CheckResource(typ string, inputs map[string]any) ([]Problem, error) {
	t, err := resourceTypeOf(typ)
	if err != nil {
		return nil, err
	}
	var problems []Problem
	for _, property := range t.required {
		if inputs[property] == nil {
			problems = append(problems, Problem{property, "missing required property"})
		}
	}
	for _, check := range t.rules {
		if property, reason := check(inputs); reason != "" {
			problems = append(problems, Problem{property, reason})
		}
	}
	return problems, nil
}

// regionKey is the key of the region in a context.
type regionKey struct{}

// InRegion returns a context in which CreateResource creates in a region other than the account's own.
func InRegion(ctx context.Context, region string) context.Context {
	return context.WithValue(ctx, regionKey{}, region)
}

// regionOf returns the region that a resource is created in; "" means the account's own. Only what watches the metrics of global services is
// simulated elsewhere: alarms and the topics that they notify.
func (a *Account) regionOf(ctx context.Context, typ string) (string, error) {
	region, _ := ctx.Value(regionKey{}).(string)
	if region == "" || region == a.Region() {
		return "", nil
	}
	if !slices.Contains([]string{typeMetricAlarm, typeCompositeAlarm, typeTopic, typeTopicPolicy, typeTopicSubscription}, typ) {
		return "", &UnsimulatedError{What: "the resource type " + typ + " in " + region}
	}
	return region, nil
}

// CreateResource creates a resource and waits as long as AWS would. The resource exists from the beginning, pending: if
// the wait is interrupted, it is returned together with the context's error.
func (a *Account) CreateResource(ctx context.Context, typ string, inputs map[string]any) (*Resource, error) {
	t, err := resourceTypeOf(typ)
	if err != nil {
		return nil, err
	}
	region, err := a.regionOf(ctx, typ)
	if err != nil {
		return nil, err
	}
	var created *Resource
	err = a.Update(func(s *State) error {
		s.Serial++
		r := &Resource{Type: typ, Region: region, Serial: s.Serial, Inputs: inputs, Created: a.Clock().Now().UTC()}
		if err := errors.Join(a.provisionError(s, r), a.model(s).quotaError(r)); err != nil {
			return err
		}
		if err := t.build(s, r); err != nil {
			return err
		}
		if t.conflict.code != "" && s.Get(typ, r.ID) != nil {
			return t.conflict.errorFor(text(inputs[t.name]))
		}
		r.Pending = t.creationDelay > 0
		s.put(r)
		if t.onCreate != nil {
			t.onCreate(s, r)
		}
		created = r.clone()
		return nil
	})
	if err != nil {
		return nil, err
	}
	if typ == typeRoute && text(inputs["natGatewayId"]) != "" && a.Fault(faultConnectionLost) {
		return created, fmt.Errorf("waiting for Route in Route Table (%s) with destination (%s) create: operation error EC2: "+
			"DescribeRouteTables, https response error StatusCode: 0, RequestID: , request send failed: connection reset by peer",
			text(inputs["routeTableId"]), text(inputs["destinationCidrBlock"]))
	}
	return created, a.waitUntilCreated(ctx, t, created)
}

// waitUntilCreated waits until AWS has created the resource.
func (a *Account) waitUntilCreated(ctx context.Context, t resourceType, r *Resource) error {
	if !r.Pending {
		return nil
	}
	if err := a.Clock().Wait(ctx, t.creationDelay); err != nil {
		return fmt.Errorf("wait for %s: %w", r.ID, err)
	}
	r.Pending = false
	return a.Update(func(s *State) error {
		if kept := s.Get(r.Type, r.ID); kept != nil {
			kept.Pending = false
		}
		return nil
	})
}

// ReadResource returns the resource with that ID or name, or nil. It waits for a pending resource.
func (a *Account) ReadResource(ctx context.Context, typ, id string) (*Resource, error) {
	t, err := resourceTypeOf(typ)
	if err != nil {
		return nil, err
	}
	var found *Resource
	err = a.View(func(s *State) error {
		r := s.Get(typ, id)
		if r == nil {
			r = t.findImport(s, typ, id)
		}
		if r != nil {
			found = r.clone()
		}
		return nil
	})
	if err != nil || found == nil {
		return nil, err
	}
	return found, a.waitUntilCreated(ctx, t, found)
}

// findImport returns the resource that an import finds by an ID other than its own, or nil.
func (t resourceType) findImport(s *State, typ, id string) *Resource {
	switch {
	case t.importID != nil:
		for _, r := range s.ByType(typ) {
			if t.importID(r) == id {
				return r
			}
		}
		return nil
	case t.name != "":
		return s.Find(typ, t.name, id)
	}
	return nil
}

// UpdateResource changes a resource to the inputs, and waits if it is still pending, or as long as AWS needs for the change.
func (a *Account) UpdateResource(ctx context.Context, typ, id string, inputs map[string]any) (*Resource, error) {
	t, err := resourceTypeOf(typ)
	if err != nil {
		return nil, err
	}
	var updated *Resource
	var takes time.Duration
	err = a.Update(func(s *State) (err error) {
		r := s.Get(typ, id)
		if r == nil {
			return errorf("ResourceNotFoundException", "%s %s does not exist", typ, id)
		}
		if err := a.provisionError(s, r); err != nil {
			return err
		}
		before := r.clone()
		r.Inputs = inputs
		if err := t.build(s, r); err != nil {
			return err
		}
		if t.onUpdate != nil {
			if takes, err = t.onUpdate(a.model(s), before, r); err != nil {
				return err
			}
		}
		updated = r.clone()
		return nil
	})
	if err != nil {
		return nil, err
	}
	if takes > 0 {
		if err := a.Clock().Wait(ctx, takes); err != nil {
			return updated, fmt.Errorf("wait for %s: %w", updated.ID, err)
		}
	}
	return updated, a.waitUntilCreated(ctx, t, updated)
}

// DeleteResource deletes a resource. It is no error if the resource does not exist. While something uses the resource, it tries
// for as long as the provider does. Properties are those of the state, from which the provider takes the arguments that the account
// does not keep; nil leaves those of the last change.
func (a *Account) DeleteResource(ctx context.Context, typ, id string, properties map[string]any) error {
	t, err := resourceTypeOf(typ)
	if err != nil {
		return err
	}
	err = a.deleteNow(t, typ, id, properties)
	var refused *Error
	if t.deleteTimeout == 0 || !errors.As(err, &refused) || refused.Code != t.inUse.code {
		return err
	}
	if err := a.Clock().Wait(ctx, t.deleteTimeout); err != nil {
		return fmt.Errorf("wait until %s can be deleted: %w", id, err)
	}
	return a.deleteNow(t, typ, id, properties)
}

func (a *Account) deleteNow(t resourceType, typ, id string, properties map[string]any) error {
	return a.Update(func(s *State) error {
		r := s.Get(typ, id)
		if r == nil {
			return nil
		}
		if t.inUse.code != "" && s.isReferenced(r) {
			return t.inUse.errorFor(id)
		}
		if properties != nil {
			r.setDeletionArguments(properties)
		}
		if t.onDelete != nil {
			if err := t.onDelete(s, r); err != nil {
				return err
			}
		}
		if !r.Kept {
			s.remove(r)
		}
		return nil
	})
}

// deletionArguments are the properties of resources that no account keeps: the provider reads them from its state when it deletes.
// Source: https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/rds/instance.go
var deletionArguments = []string{"skipFinalSnapshot", "finalSnapshotIdentifier", "deleteAutomatedBackups", "forceDestroy", "skipDestroy"}

// DeletionArguments returns the properties of resources that only a state has, so that reading the account does not change them.
func DeletionArguments() []string { return slices.Clone(deletionArguments) }

// setDeletionArguments replaces the resource's deletion arguments by those of a state.
func (r *Resource) setDeletionArguments(properties map[string]any) {
	for _, name := range deletionArguments {
		delete(r.Outputs, name)
		if value := properties[name]; value != nil {
			r.Outputs[name] = value
		}
	}
}

// isReferenced reports whether another resource refers to r.
func (s *State) isReferenced(r *Resource) bool {
	for _, other := range s.Resources {
		if other.Kept || other == r {
			continue
		}
		for _, ref := range resourceTypes[other.Type].refs {
			if ref.typ == r.Type && slices.ContainsFunc(stringsAt(other.Inputs, ref.path), r.referenceMatcher(ref.by)) {
				return true
			}
		}
	}
	return false
}

// referenceMatcher returns a function that reports whether a string is one of the outputs by which r is referred to.
func (r *Resource) referenceMatcher(by []string) func(string) bool {
	return func(subject string) bool {
		return slices.ContainsFunc(by, func(property string) bool {
			return subject == r.ID && property == "id" || subject == r.Text(property)
		})
	}
}

// provisionError returns the error with which AWS does not create or change the resource under a fault: it has no
// capacity for the database, rejects the budget, or never validates a certificate.
func (a *Account) provisionError(s *State, r *Resource) error {
	switch {
	case r.Type == typeDatabase && a.Fault(faultProvisionFails):
		return errorf("InsufficientDBInstanceCapacity",
			"We currently do not have sufficient %s capacity in the Availability Zones of your DB subnet group in %s. "+
				"Please try again later or choose another instance class.", text(r.Inputs["instanceClass"]), s.Region)
	case r.Type == typeBudget && a.Fault(faultBudgetRefused):
		// Source: https://github.com/org-formation/org-formation-cli/pull/198
		return errorf("AccessDeniedException", "Account %s is a linked account. To enable budgets for your account, ask the payer account "+
			"to enable budgets first.", s.ID)
	case r.Type == typeCertificateValidation && a.Fault(faultCertificatePending):
		return errorf("RequestTimeout", "waiting for ACM Certificate (%s) to be issued: timeout while waiting for state to become "+
			"'ISSUED' (last state: 'PENDING_VALIDATION', timeout: 1h15m0s)", text(r.Inputs["certificateArn"]))
	}
	return nil
}

// PendingChange returns a property of the type that AWS wants to change although the program does not. Under the fault
// provision-fails this makes the update of an existing database fail, too.
func (a *Account) PendingChange(typ string) (property string, pending bool) {
	return "caCertIdentifier", typ == typeDatabase && a.Fault(faultProvisionFails)
}

// clone returns a deep copy that may leave the account.
func (r *Resource) clone() *Resource {
	c := *r
	c.Inputs, c.Outputs = deepCopy(r.Inputs).(map[string]any), deepCopy(r.Outputs).(map[string]any)
	return &c
}

func deepCopy(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			out[name] = deepCopy(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = deepCopy(item)
		}
		return out
	}
	return value
}

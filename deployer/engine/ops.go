package engine

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// isChange reports whether an operation changes something in the account, or removes something from the state.
func isChange(op string) bool {
	return !slices.Contains([]apitype.OpType{
		"", apitype.OpSame, apitype.OpRead, apitype.OpReadReplacement, apitype.OpReadDiscard, apitype.OpRefresh,
	}, apitype.OpType(op))
}

// isProgramType reports whether a type is neither the stack nor a provider.
func isProgramType(typ string) bool {
	return typ != string(resource.RootStackType) && !isProvider(typ)
}

// typeAndName returns the type and name in a URN, or nothing for the stack.
func typeAndName(urn string) (typ, name string) {
	u := resource.URN(urn)
	if !u.IsValid() || u.Type() == resource.RootStackType {
		return "", ""
	}
	return string(u.Type()), u.Name()
}

// ShortType returns the readable part of a type token: rds/instance for aws:rds/instance:Instance.
func ShortType(token string) string {
	parts := strings.Split(token, ":")
	if len(parts) == 3 && parts[0] == "aws" {
		return parts[1]
	}
	return token
}

// replaceStrings replaces each string in a value, in place.
func replaceStrings(value any, replace func(string) string) any {
	switch v := value.(type) {
	case string:
		return replace(v)
	case map[string]any:
		for key, inner := range v {
			v[key] = replaceStrings(inner, replace)
		}
	case []any:
		for i, inner := range v {
			v[i] = replaceStrings(inner, replace)
		}
	}
	return value
}

// The engine's messages about a run with targets.
var (
	missingDependency  = lazyregexp.New(`^Resource '[^']+' depends on '([^']+)' which was`)
	untargetedDeletion = lazyregexp.New(`^Resource '[^']+' will be destroyed but was not specified`)
)

// MissingTargets returns the URNs of resources that the targets need, that the stack does not have yet, and that are no
// targets. It changes nothing.
func (h *Handle) MissingTargets(ctx context.Context, u Update) ([]string, error) {
	_, err := h.Preview(ctx, u, nil)
	failed := (*FailedError)(nil)
	if !errors.As(err, &failed) {
		return nil, err
	}
	var missing []string
	for _, r := range failed.Resources {
		for message := range strings.SplitSeq(r.Message, "\n") {
			match := missingDependency.FindStringSubmatch(message)
			switch {
			case match != nil && !slices.Contains(missing, match[1]):
				missing = append(missing, match[1])
			case match == nil && !untargetedDeletion.MatchString(message) && !strings.HasPrefix(message, "Either include resource in --target list"):
				return nil, err
			}
		}
	}
	return missing, nil
}

// The Automation API has one type of options for each command. An Update sets the fields that they share.

type upOption struct {
	Update
	events eventStream
}

type destroyOption upOption
type refreshOption upOption
type previewOption upOption

func (u Update) up(f eventStream) optup.Option           { return upOption{u, f} }
func (u Update) destroy(f eventStream) optdestroy.Option { return destroyOption{u, f} }
func (u Update) refresh(f eventStream) optrefresh.Option { return refreshOption{u, f} }
func (u Update) preview(f eventStream) optpreview.Option { return previewOption{u, f} }

func (u upOption) ApplyOption(o *optup.Options) {
	o.Target, o.TargetDependents = u.Targets, u.TargetDependents
	o.Exclude, o.ExcludeDependents = u.Excludes, u.ExcludeDependents
	o.Message, o.Refresh = u.Message, u.Update.Refresh
	o.Color, o.SuppressOutputs, o.SuppressProgress = "never", true, true
	o.EventStreams = append(o.EventStreams, u.events)
}

func (u destroyOption) ApplyOption(o *optdestroy.Options) {
	o.Target, o.TargetDependents = u.Targets, u.TargetDependents
	o.Exclude, o.ExcludeDependents = u.Excludes, u.ExcludeDependents
	o.Message, o.Refresh = u.Message, u.Update.Refresh
	o.Color, o.SuppressOutputs, o.SuppressProgress = "never", true, true
	o.EventStreams = append(o.EventStreams, u.events)
}

func (u refreshOption) ApplyOption(o *optrefresh.Options) {
	o.Target, o.TargetDependents = u.Targets, u.TargetDependents
	o.Exclude, o.ExcludeDependents = u.Excludes, u.ExcludeDependents
	o.Message = u.Message
	o.Color, o.SuppressOutputs, o.SuppressProgress = "never", true, true
	o.EventStreams = append(o.EventStreams, u.events)
}

func (u previewOption) ApplyOption(o *optpreview.Options) {
	o.Target, o.TargetDependents = u.Targets, u.TargetDependents
	o.Exclude, o.ExcludeDependents = u.Excludes, u.ExcludeDependents
	o.Message, o.Refresh = u.Message, u.Update.Refresh
	o.Color, o.SuppressOutputs, o.SuppressProgress = "never", true, true
	o.EventStreams = append(o.EventStreams, u.events)
}

// Masked replaces a secret value.
const Masked = "[secret]"

// Unknown replaces a value that only the change determines.
const Unknown = "(known after the change)"

// Plan describes what a run would change, or for PreviewRefresh how the account differs from the state.
type Plan struct {
	// Steps are the changes, in the engine's order; resources that stay the same are only counted. What only the state forgets, and the
	// account keeps, is no change.
	Steps []Step
	// NewResources are the resources that would be created for the first time.
	NewResources []PlannedResource
	// NewParents are the stack, components and providers that the state lacks. They correspond to nothing in an account.
	NewParents []PlannedResource
	// Changes counts resources by operation, as in Summary.
	Changes map[string]int
	// Warnings are those of the engine and the providers.
	Warnings []string
	// Restarts are the services whose tasks the deployment replaces although none of their properties may change. They are no steps.
	Restarts []string
	// Waiting are changes that were requested before and that AWS applies later, a sentence each. They are no steps.
	Waiting []string
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Step describes the change of one resource.
type Step struct {
	// Op is create, update, delete, replace, read, import or another operation of the engine.
	Op              string
	URN, Type, Name string
	// ID is the provider's ID in the state; "" if the resource does not exist yet.
	ID string
	// Differences are the changed properties, sorted by path; empty for a create or delete.
	Differences []Difference
	// Before and After are the declared properties, nil for a resource that does not exist before or after. A secret in them is
	// Masked, and what only the change determines is Unknown.
	Before, After map[string]any
	// Replaces and Deletes mark the steps that delete something.
	Replaces, Deletes bool
	// Protected resources cannot be deleted.
	Protected bool
}

// Difference describes one property that changes.
type Difference struct {
	// Path is the property's, such as tags.Name or ingress[0].cidrBlocks.
	Path string
	// Kind is add, delete or update.
	Kind string
	// Replaces marks a property that requires the resource's replacement.
	Replaces bool
	// Old and New are the values before and after, nil if there is none; Masked if they are secret, Unknown if they are not
	// known yet.
	Old, New any
}

// Equal reports whether both values are known to be the same: the provider reports the property for another reason.
func (d Difference) Equal() bool { return d.Old != Masked && reflect.DeepEqual(d.Old, d.New) }

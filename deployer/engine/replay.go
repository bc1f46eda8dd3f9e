package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// A Replay is a program that declares the resources of a state: with the same inputs and dependencies, and the options that
// the infra program uses. A run of it adds and removes nothing, and changes only what its Edit changes, however much the
// infra program or the environment's file has changed since. A run of the infra program with targets could not replace it:
// the engine writes what is no target beside what the program declares, and where the two disagree on a dependency it writes
// a state that it cannot read, or refuses.
// Source: https://github.com/pulumi/pulumi/issues/15959, https://github.com/pulumi/pulumi/issues/17081
type Replay struct {
	resources []apitype.ResourceV3
	outputs   map[string]any
}

// Edit changes a resource before a Replay declares it.
type Edit func(*Declaration) error

// DeclareProvider declares the provider of a name, as the infra program does.
type DeclareProvider func(ctx *pulumi.Context, name string) (pulumi.ProviderResource, error)

// A Declaration is a resource that a Replay is about to declare.
type Declaration struct {
	URN, Type, Name string
	// Inputs are those of the state, to be changed in place: JSON values, or an ARNRef.
	Inputs map[string]any
}

// ARNRef is the URN of a resource whose ARN after the run is the value.
type ARNRef string

// Replay returns the program of the stack's current state. Its errors are those of State.
func (h *Handle) Replay(ctx context.Context) (*Replay, error) {
	doc := &stateDocument{}
	if h.verified != nil {
		doc.Resources = h.verified.Resources // decoded again, as the program changes them
	}
	if h.verified == nil || h.stateUnknown || doc.hasSecrets() {
		var err error
		// Secrets are declared in plain text, and encrypted by the engine again.
		if doc, err = h.exportState(ctx, "--show-secrets"); err != nil {
			return nil, err
		}
	}
	r := &Replay{}
	doc.each(func(one apitype.ResourceV3) {
		switch {
		case one.Type == resource.RootStackType:
			r.outputs = one.Outputs // the SDK declares the stack itself
		case one.Delete, one.External, isProvider(one.Type) && isDefaultProvider(string(one.URN)):
			// A replaced resource that waits for its deletion, one that was only read, and a default provider: no program
			// declares them, and the engine keeps them.
		default:
			r.resources = append(r.resources, one)
		}
	})
	return r, nil
}

// hasSecrets reports whether a resource has an encrypted value.
func (d *stateDocument) hasSecrets() bool {
	return slices.ContainsFunc(d.Resources, func(raw json.RawMessage) bool { return bytes.Contains(raw, []byte(resource.SecretSig)) })
}

// Has reports whether the program declares the resource with the URN.
func (r *Replay) Has(urn string) bool {
	return slices.ContainsFunc(r.resources, func(one apitype.ResourceV3) bool { return string(one.URN) == urn })
}

// PendingDeletions returns the URNs of replaced resources that wait for their deletion and match, or depend on one that
// matches. The engine deletes them in a run with these targets, and fails unless they are targets themselves.
func (s State) PendingDeletions(match func(urn string) bool) []string {
	reached := map[string]bool{}
	for _, r := range s.Resources { // a dependency comes before what depends on it
		if match(r.URN) || slices.ContainsFunc(r.Dependencies, func(urn string) bool { return reached[urn] }) {
			reached[r.URN] = true
		}
	}
	var pending []string
	for _, r := range s.Resources {
		if r.PendingDeletion && reached[r.URN] && !slices.Contains(pending, r.URN) {
			pending = append(pending, r.URN)
		}
	}
	return pending
}

// Program returns the program. Declare declares one of the stack's own providers, by its name, nil if it has none; edit changes resources. The
// stack keeps its outputs, except for those in outputs.
func (r *Replay) Program(declare DeclareProvider, edit Edit, outputs map[string]any) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		d := declarer{ctx: ctx, declareProvider: declare, providers: map[string]pulumi.ProviderResource{}, declared: map[string]*declaredResource{}}
		if err := d.declareAll(r.resources, edit); err != nil {
			return err
		}
		all := map[string]any{}
		maps.Copy(all, r.outputs)
		maps.Copy(all, outputs)
		for name, value := range all {
			output, err := inputOf(value)
			if err != nil {
				return fmt.Errorf("declare the output %s: %w", name, err)
			}
			ctx.Export(name, output)
		}
		return nil
	}
}

// A declarer declares the resources of one run of a Replay.
type declarer struct {
	ctx             *pulumi.Context
	declareProvider DeclareProvider
	// providers are the declared providers by URN.
	providers map[string]pulumi.ProviderResource
	// declared are the declared resources by URN; nil are those that wait.
	declared map[string]*declaredResource
}

type declaredResource struct {
	pulumi.Resource
	arn pulumi.StringOutput
}

// A declaration is an edited resource of the state.
type declaration struct {
	state apitype.ResourceV3
	*Declaration
}

// declareAll declares the resources in the state's order, but one with the ARN of another after that one.
func (d *declarer) declareAll(resources []apitype.ResourceV3, edit Edit) error {
	var waiting []declaration
	for _, r := range resources {
		one := declaration{r, &Declaration{URN: string(r.URN), Type: string(r.Type), Name: r.URN.Name(), Inputs: withoutDefaults(r.Inputs)}}
		if r.Custom && !isProvider(r.Type) {
			if err := edit(one.Declaration); err != nil {
				return fmt.Errorf("declare %s %s: %w", one.Type, one.Name, err)
			}
		}
		d.declared[one.URN] = nil
		waiting = append(waiting, one)
	}
	for len(waiting) > 0 {
		var later []declaration
		for _, one := range waiting {
			if !d.ready(one) {
				later = append(later, one)
				continue
			}
			if err := d.declare(one); err != nil {
				return fmt.Errorf("declare %s %s: %w", one.Type, one.Name, err)
			}
		}
		if len(later) == len(waiting) {
			return fmt.Errorf("declare %s %s: it refers to the ARN of a resource that the state does not have", later[0].Type, later[0].Name)
		}
		waiting = later
	}
	return nil
}

// ready reports whether all that a resource needs was declared. The engine knows what no program declares.
func (d *declarer) ready(one declaration) bool {
	for _, value := range one.Inputs {
		if arn, refers := value.(ARNRef); refers && d.declared[string(arn)] == nil {
			return false
		}
	}
	return !slices.ContainsFunc(dependencies(one.state), func(urn string) bool {
		target, declared := d.declared[urn]
		return declared && target == nil
	})
}

func (d *declarer) declare(one declaration) error {
	r := one.state
	if isProvider(r.Type) {
		provider, err := d.declareProvider(d.ctx, one.Name)
		d.providers[one.URN], d.declared[one.URN] = provider, &declaredResource{Resource: provider}
		return err
	}
	inputs := pulumi.Map{}
	for key, value := range one.Inputs {
		if arn, refers := value.(ARNRef); refers {
			inputs[key] = d.declared[string(arn)].arn
			continue
		}
		input, err := inputOf(value)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if deps := d.references(r.PropertyDependencies[resource.PropertyKey(key)]); len(deps) > 0 && input != nil {
			input = pulumi.OutputWithDependencies(d.ctx.Context(), pulumi.ToOutput(input), deps...)
		}
		inputs[key] = input
	}
	options := d.options(r)
	if !r.Custom {
		component := &pulumi.ResourceState{}
		d.declared[one.URN] = &declaredResource{Resource: component}
		return d.ctx.RegisterComponentResourceV2(one.Type, one.Name, inputs, component, options...)
	}
	custom := &struct {
		pulumi.CustomResourceState
		ARN pulumi.StringOutput `pulumi:"arn"`
	}{}
	err := d.ctx.RegisterResource(one.Type, one.Name, inputs, custom, options...)
	d.declared[one.URN] = &declaredResource{Resource: custom, arn: custom.ARN}
	return err
}

// options returns the resource's options in the state.
func (d *declarer) options(r apitype.ResourceV3) []pulumi.ResourceOption {
	options := []pulumi.ResourceOption{
		pulumi.Protect(r.Protect), pulumi.IgnoreChanges(r.IgnoreChanges), pulumi.DependsOn(d.references(r.Dependencies)),
	}
	if parent := d.declared[string(r.Parent)]; parent != nil {
		options = append(options, pulumi.Parent(parent))
	}
	if r.Custom && r.Provider != "" {
		if urn, _, _ := cutLast(r.Provider, "::"); !isDefaultProvider(urn) {
			options = append(options, pulumi.Provider(d.providers[urn]))
		}
	}
	if r.DeletedWith != "" {
		options = append(options, pulumi.DeletedWith(d.references([]resource.URN{r.DeletedWith})[0]))
	}
	if len(r.ReplaceOnChanges) > 0 {
		options = append(options, pulumi.ReplaceOnChanges(r.ReplaceOnChanges))
	}
	if r.RetainOnDelete {
		options = append(options, pulumi.RetainOnDelete(true))
	}
	if t := r.CustomTimeouts; t != nil && t.IsNotEmpty() {
		seconds := func(s float64) string {
			if s == 0 {
				return ""
			}
			return fmt.Sprintf("%gs", s)
		}
		options = append(options, pulumi.Timeouts(&pulumi.CustomTimeouts{
			Create: seconds(t.Create), Update: seconds(t.Update), Delete: seconds(t.Delete),
		}))
	}
	var secret []string
	for _, key := range r.AdditionalSecretOutputs {
		secret = append(secret, string(key))
	}
	if len(secret) > 0 {
		options = append(options, pulumi.AdditionalSecretOutputs(secret))
	}
	return options
}

// A reference is a dependency on exactly one resource: to the SDK a component means all of its children, but not in the state.
type reference struct {
	pulumi.CustomResourceState
	urn pulumi.URNOutput
}

// URN implements pulumi.Resource.
func (r *reference) URN() pulumi.URNOutput { return r.urn }

// references returns dependencies on resources that were declared, or that the engine knows from the state.
func (d *declarer) references(urns []resource.URN) []pulumi.Resource {
	var all []pulumi.Resource
	for _, urn := range urns {
		output := pulumi.URN(urn).ToURNOutput()
		if target := d.declared[string(urn)]; target != nil {
			output = target.URN()
		}
		all = append(all, &reference{urn: output})
	}
	return all
}

// inputOf converts a value of the state to an input.
func inputOf(value any) (pulumi.Input, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		return pulumi.String(v), nil
	case bool:
		return pulumi.Bool(v), nil
	case float64:
		return pulumi.Float64(v), nil
	case []any:
		list := pulumi.Array{}
		for _, inner := range v {
			input, err := inputOf(inner)
			if err != nil {
				return nil, err
			}
			list = append(list, input)
		}
		return list, nil
	case map[string]any:
		if sig, signed := v[resource.SigKey]; signed {
			return secretInput(sig, v)
		}
		object := pulumi.Map{}
		for key, inner := range v {
			input, err := inputOf(inner)
			if err != nil {
				return nil, err
			}
			object[key] = input
		}
		return object, nil
	}
	return nil, fmt.Errorf("a value of the type %T", value)
}

// secretInput converts a secret; other values that JSON does not have, such as archives, are in no state of this project.
func secretInput(sig any, value map[string]any) (pulumi.Input, error) {
	clear, ok := value["plaintext"].(string)
	if sig != resource.SecretSig || !ok {
		return nil, fmt.Errorf("a value of the kind %v", sig)
	}
	var inner any
	if err := json.Unmarshal([]byte(clear), &inner); err != nil {
		return nil, errors.New("a secret that is not JSON") // without the error, which repeats a part of it
	}
	input, err := inputOf(inner)
	return pulumi.ToSecret(input), err
}

// defaultsKey lists, in the inputs of bridged providers, those that the provider has added.
const defaultsKey = "__defaults"

// withoutDefaults returns a copy of the program's inputs, without those that the provider has added.
func withoutDefaults(inputs map[string]any) map[string]any {
	added, _ := inputs[defaultsKey].([]any)
	kept := map[string]any{}
	for key, value := range inputs {
		if key != defaultsKey && !slices.Contains(added, any(key)) {
			kept[key] = withoutDefaultsIn(value)
		}
	}
	return kept
}

// withoutDefaultsIn returns a value without what the provider has added.
func withoutDefaultsIn(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return withoutDefaults(v)
	case []any:
		list := make([]any, len(v))
		for i, inner := range v {
			list[i] = withoutDefaultsIn(inner)
		}
		return list
	}
	return value
}

func isProvider[T ~string](typ T) bool { return strings.HasPrefix(string(typ), "pulumi:providers:") }

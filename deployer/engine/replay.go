package engine

import (
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

// Replay is a program that declares what a state holds: the same resources, with the same inputs, options and
// dependencies. A run of it adds and removes nothing, and changes only what its Edit changes, however much the infra
// program or the environment's file has changed since. A run of the infra program with targets is no replacement: the
// engine writes what it leaves out beside what it declares, and where the two disagree on a dependency it writes a state
// that it cannot read, or refuses.
// Source: https://github.com/pulumi/pulumi/issues/15959, https://github.com/pulumi/pulumi/issues/17081
type Replay struct {
	resources []apitype.ResourceV3
	outputs   map[string]any
}

// Edit changes a resource before a Replay declares it.
type Edit func(*Declaration) error

// Declaration is a resource as a Replay is about to declare it.
type Declaration struct {
	URN, Type, Name string
	// Inputs are the state's, to be changed in place: JSON values, or an ARNOf.
	Inputs map[string]any
}

// ARNOf stands for the ARN that the resource with this URN has after the run.
type ARNOf string

// Replay returns the program of the stack's current state. Errors are those of State.
func (h *Handle) Replay(ctx context.Context) (*Replay, error) {
	// Inputs are declared in clear, and encrypted by the engine again.
	doc, err := h.exported(ctx, "--show-secrets")
	if err != nil {
		return nil, err
	}
	r := &Replay{}
	doc.each(func(one apitype.ResourceV3) {
		switch {
		case one.Type == resource.RootStackType:
			r.outputs = one.Outputs // the SDK declares the stack itself
		case one.Delete, one.External, isProvider(one.Type) && defaultProvider(string(one.URN)):
			// A replaced resource that waits for its deletion, one that was only read, and what the engine adds by itself:
			// no program declares them, and the engine keeps them.
		default:
			r.resources = append(r.resources, one)
		}
	})
	return r, nil
}

// Condemned returns the URNs of replaced resources that wait for their deletion and are or depend on one that matches.
// The engine deletes them in a run with these targets, and refuses to where they are not targets themselves.
func (s State) Condemned(match func(urn string) bool) []string {
	reached := map[string]bool{}
	for _, r := range s.Resources { // a dependency comes before what depends on it
		if match(r.URN) || slices.ContainsFunc(r.Dependencies, func(urn string) bool { return reached[urn] }) {
			reached[r.URN] = true
		}
	}
	var condemned []string
	for _, r := range s.Resources {
		if r.Condemned && reached[r.URN] && !slices.Contains(condemned, r.URN) {
			condemned = append(condemned, r.URN)
		}
	}
	return condemned
}

// Program returns the program, in which declare declares the stack's own provider, nil where it has none, and edit changes
// resources.
// The stack's outputs stay, except for those in outputs.
func (r *Replay) Program(declare func(*pulumi.Context) (pulumi.ProviderResource, error), edit Edit, outputs map[string]any) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		p := player{ctx: ctx, known: map[string]replayed{}}
		if declare != nil {
			var err error
			if p.provider, err = declare(ctx); err != nil {
				return err
			}
		}
		if err := p.play(r.resources, edit); err != nil {
			return err
		}
		all := map[string]any{}
		maps.Copy(all, r.outputs)
		maps.Copy(all, outputs)
		for name, value := range all {
			output, err := p.input(value)
			if err != nil {
				return fmt.Errorf("declare the output %s: %w", name, err)
			}
			ctx.Export(name, output)
		}
		return nil
	}
}

// player declares the resources of one run of a Replay.
type player struct {
	ctx      *pulumi.Context
	provider pulumi.ProviderResource
	// known are the resources that were declared, by URN.
	known map[string]replayed
}

// replayed is a resource that was declared.
type replayed struct {
	pulumi.Resource
	arn pulumi.StringOutput
}

// play declares the resources in the state's order, and what takes the ARN of a later one after that.
func (p *player) play(resources []apitype.ResourceV3, edit Edit) error {
	var waiting []func() (bool, error)
	for _, r := range resources {
		d := &Declaration{URN: string(r.URN), Type: string(r.Type), Name: r.URN.Name(), Inputs: r.Inputs}
		if r.Custom {
			if d.Inputs = withoutDefaults(r.Inputs); !isProvider(r.Type) {
				if err := edit(d); err != nil {
					return fmt.Errorf("declare %s %s: %w", d.Type, d.Name, err)
				}
			}
		}
		attempt := func() (bool, error) { return p.declare(r, d) }
		done, err := attempt()
		if err != nil {
			return err
		}
		if !done {
			waiting = append(waiting, attempt)
		}
	}
	for _, attempt := range waiting {
		done, err := attempt()
		if err == nil && !done {
			err = errors.New("a resource refers to the ARN of one that the state does not have")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// declare declares one resource, and reports whether all that its inputs refer to was declared before.
func (p *player) declare(r apitype.ResourceV3, d *Declaration) (bool, error) {
	if isProvider(r.Type) {
		p.known[d.URN] = replayed{Resource: p.provider}
		return true, nil
	}
	inputs := pulumi.Map{}
	for key, value := range d.Inputs {
		if arn, refers := value.(ARNOf); refers {
			target, ok := p.known[string(arn)]
			if !ok {
				return false, nil
			}
			inputs[key] = target.arn
			continue
		}
		input, err := p.input(value)
		if err != nil {
			return false, fmt.Errorf("declare %s of %s %s: %w", key, d.Type, d.Name, err)
		}
		if deps := p.references(r.PropertyDependencies[resource.PropertyKey(key)]); len(deps) > 0 && input != nil {
			input = pulumi.OutputWithDependencies(p.ctx.Context(), pulumi.ToOutput(input), deps...)
		}
		inputs[key] = input
	}
	options := p.options(r)
	if !r.Custom {
		component := &pulumi.ResourceState{}
		p.known[d.URN] = replayed{Resource: component}
		return true, p.ctx.RegisterComponentResourceV2(d.Type, d.Name, inputs, component, options...)
	}
	custom := &struct {
		pulumi.CustomResourceState
		ARN pulumi.StringOutput `pulumi:"arn"`
	}{}
	err := p.ctx.RegisterResource(d.Type, d.Name, inputs, custom, options...)
	p.known[d.URN] = replayed{Resource: custom, arn: custom.ARN}
	return true, err
}

// options returns the options that the state has of a resource.
func (p *player) options(r apitype.ResourceV3) []pulumi.ResourceOption {
	options := []pulumi.ResourceOption{
		pulumi.Protect(r.Protect), pulumi.IgnoreChanges(r.IgnoreChanges), pulumi.DependsOn(p.references(r.Dependencies)),
	}
	if parent, ok := p.known[string(r.Parent)]; ok {
		options = append(options, pulumi.Parent(parent))
	}
	if r.Custom && r.Provider != "" {
		if urn, _, _ := cutLast(r.Provider, "::"); !defaultProvider(urn) {
			options = append(options, pulumi.Provider(p.provider))
		}
	}
	if r.DeletedWith != "" {
		options = append(options, pulumi.DeletedWith(p.references([]resource.URN{r.DeletedWith})[0]))
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

// reference is a dependency on exactly one resource: the SDK takes a component for all of its children, and the state
// tells them apart.
type reference struct {
	pulumi.CustomResourceState
	urn pulumi.URNOutput
}

// URN implements pulumi.Resource.
func (r *reference) URN() pulumi.URNOutput { return r.urn }

// references returns dependencies on resources that were declared before. What the program does not declare the engine
// knows from the state.
func (p *player) references(urns []resource.URN) []pulumi.Resource {
	var all []pulumi.Resource
	for _, urn := range urns {
		if target, ok := p.known[string(urn)]; ok {
			all = append(all, &reference{urn: target.URN()})
		} else {
			all = append(all, &reference{urn: pulumi.URN(urn).ToURNOutput()})
		}
	}
	return all
}

// input returns a value of the state as an input.
func (p *player) input(value any) (pulumi.Input, error) {
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
			input, err := p.input(inner)
			if err != nil {
				return nil, err
			}
			list = append(list, input)
		}
		return list, nil
	case map[string]any:
		if sig, special := v[resource.SigKey]; special {
			return p.special(sig, v)
		}
		object := pulumi.Map{}
		for key, inner := range v {
			input, err := p.input(inner)
			if err != nil {
				return nil, err
			}
			object[key] = input
		}
		return object, nil
	}
	return nil, fmt.Errorf("a value of the type %T", value)
}

// special returns a secret; other values that JSON does not have, such as archives, are in no state of this project.
func (p *player) special(sig any, value map[string]any) (pulumi.Input, error) {
	clear, ok := value["plaintext"].(string)
	if sig != resource.SecretSig || !ok {
		return nil, fmt.Errorf("a value of the kind %v", sig)
	}
	var inner any
	if err := json.Unmarshal([]byte(clear), &inner); err != nil {
		return nil, errors.New("a secret that is not JSON") // without the error, which repeats a part of it
	}
	input, err := p.input(inner)
	return pulumi.ToSecret(input), err
}

// defaultsKey lists, in the inputs of the bridged providers, those that the provider added by itself.
const defaultsKey = "__defaults"

// withoutDefaults returns a copy of inputs as the program gave them, without what the provider added.
func withoutDefaults(inputs map[string]any) map[string]any {
	var added []any
	if list, ok := inputs[defaultsKey].([]any); ok {
		added = list
	}
	given := map[string]any{}
	for key, value := range inputs {
		if key != defaultsKey && !slices.Contains(added, any(key)) {
			given[key] = givenValue(value)
		}
	}
	return given
}

// givenValue is withoutDefaults for a value.
func givenValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return withoutDefaults(v)
	case []any:
		list := make([]any, len(v))
		for i, inner := range v {
			list[i] = givenValue(inner)
		}
		return list
	}
	return value
}

// isProvider reports whether a type is a provider's.
func isProvider[T ~string](typ T) bool { return strings.HasPrefix(string(typ), "pulumi:providers:") }

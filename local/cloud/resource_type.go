package cloud

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"os"
	"strconv"
	"strings"
	"time"
)

// values are a resource's properties in the form of JSON.
type values = map[string]any

// Unknown represents a value in a preview that only a deployment will know. Rules skip it.
type Unknown struct{}

// resourceType describes how AWS treats one type of resource. Most of it is data: templates in the form of os.Expand,
// such as "arn:aws:sqs:${region}:${account}:${name}", may name an input, a default, a computed output, account, region,
// id, or a random part: hex17 is seventeen hexadecimal digits, HEX17 the same in capitals, num10 ten decimal digits,
// uuid a UUID. A label after a dot distinguishes random parts of one resource (hex17.group).
type resourceType struct {
	// name is the input that holds the resource's name; it is generated if the program omits it, and an import finds
	// the resource by it. It is empty if AWS alone assigns the name.
	name string
	// id is the template of the resource's ID.
	id string
	// importID returns the ID for an import, if that is neither the resource's ID nor its name.
	importID func(*Resource) string
	// defaults are the values of properties that the inputs omit, computed the templates of those that AWS computes.
	defaults values
	computed map[string]string

	// required are the inputs that must be set, replaceOnChange those whose change replaces the resource: what the schema of Terraform's
	// provider 5.100 marks as ForceNew.
	// Source: https://github.com/hashicorp/terraform-provider-aws/tree/v5.100.0/internal/service
	required, replaceOnChange []string
	// deleteFirst marks a type that the provider deletes before it creates the replacement, whatever its name.
	// Source: https://github.com/pulumi/pulumi-aws/blob/v6.83.2/provider/resources.go
	deleteFirst bool
	// replaces reports whether a change of a property replaces the resource, where that depends on the inputs.
	replaces func(property string, olds, news values) bool
	// rules check the inputs alone, already in a preview.
	rules []rule
	// refs are the resources that the inputs refer to, which must exist. A referenced resource cannot be deleted if its
	// type has an inUse.
	refs []ref
	// conflict and inUse are AWS's errors for an ID that exists (without one, the resource is overwritten) and for a
	// resource that is referenced.
	conflict, inUse errorTemplate
	// compute sets the outputs that no template can express, before the templates are expanded.
	compute func(*State, *Resource)
	// validate checks the resource against the account when it is created and when it is updated.
	validate func(*State, *Resource) error
	// onCreate and onDelete apply side effects in the account. An error of onDelete keeps the resource.
	onCreate func(*State, *Resource)
	onDelete func(*State, *Resource) error
	// onUpdate checks and applies the change of an existing resource, of which before is what it was, and returns how long AWS needs.
	onUpdate func(m model, before, r *Resource) (time.Duration, error)
	// creationDelay is how long AWS needs to create it. deleteTimeout is how long the provider tries to delete it while it is in use.
	creationDelay, deleteTimeout time.Duration
}

// rule returns a property and what is wrong with it, or "" for both.
type rule func(in values) (property, reason string)

// ref states that the strings at path name resources of a type by one of their outputs ("id" for the ID).
type ref struct {
	path, typ string
	by        []string
	missing   errorTemplate
}

// errorTemplate is an error of AWS whose message may hold one %s.
type errorTemplate struct{ code, format string }

func (f errorTemplate) errorFor(subject string) error {
	if !strings.Contains(f.format, "%s") {
		return &Error{Code: f.code, Message: f.format}
	}
	return &Error{Code: f.code, Message: fmt.Sprintf(f.format, subject)}
}

// Error is an error as AWS words it.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func errorf(code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// build computes all properties of r from its inputs, or returns AWS's error.
func (t resourceType) build(s *State, r *Resource) error {
	for _, ref := range t.refs {
		for _, subject := range stringsAt(r.Inputs, ref.path) {
			if !ref.exists(s, subject) {
				return ref.missing.errorFor(subject)
			}
		}
	}
	r.Outputs = values{}
	maps.Copy(r.Outputs, t.defaults)
	maps.Copy(r.Outputs, r.Inputs)
	if tags, ok := r.Inputs["tags"]; ok {
		r.Outputs["tagsAll"] = tags
	}
	if t.compute != nil {
		t.compute(s, r)
	}
	for property := range t.computed {
		if _, given := r.Inputs[property]; !given {
			r.Outputs[property] = t.expand(s, r, t.computed[property])
		}
	}
	r.ID = t.expand(s, r, "${id}")
	if t.validate != nil {
		return t.validate(s, r)
	}
	return nil
}

func (f ref) exists(s *State, subject string) bool {
	for _, property := range f.by {
		if property == "id" && s.Get(f.typ, subject) != nil {
			return true
		}
		if property != "id" && s.Find(f.typ, property, subject) != nil {
			return true
		}
	}
	return false
}

// expand expands a template. Properties that the template names may be templates too.
func (t resourceType) expand(s *State, r *Resource, template string) string {
	return os.Expand(template, func(name string) string {
		switch name {
		case "account":
			return s.ID
		case "region":
			return cmp.Or(r.Region, s.Region)
		case "id":
			if r.ID == "" {
				r.ID = t.expand(s, r, t.id)
			}
			return r.ID
		}
		if value, ok := r.Outputs[name]; ok {
			return text(value)
		}
		if nested, ok := t.computed[name]; ok {
			return t.expand(s, r, nested)
		}
		return random(r, name)
	})
}

func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case nil:
		return ""
	}
	return fmt.Sprint(value)
}

// random returns the random part of an identifier, always the same for one resource and label.
func random(r *Resource, label string) string {
	shape, _, _ := strings.Cut(label, ".")
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", r.Type, r.Serial, label))
	digits := hex.EncodeToString(sum[:])
	if shape == "uuid" {
		return digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:32]
	}
	form, count := shape[:min(3, len(shape))], shape[min(3, len(shape)):]
	length, err := strconv.Atoi(count)
	if err != nil {
		return ""
	}
	switch form {
	case "num":
		digits = new(big.Int).SetBytes(sum[:]).String()
	case "HEX":
		digits = strings.ToUpper(digits)
	}
	return digits[:min(length, len(digits))]
}

// stringsAt returns the strings at a dotted path, through lists.
func stringsAt(value any, path string) []string {
	switch v := value.(type) {
	case string:
		if path == "" && v != "" {
			return []string{v}
		}
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, stringsAt(item, path)...)
		}
		return all
	case map[string]any:
		if path != "" {
			first, rest, _ := strings.Cut(path, ".")
			return stringsAt(v[first], rest)
		}
	}
	return nil
}

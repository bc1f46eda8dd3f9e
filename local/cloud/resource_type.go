package cloud

import (
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

// Unknown stands in a preview for a value that only a deployment will know. Judgements pass over it.
type Unknown struct{}

// resourceType is what AWS knows about one type of resource. Most of it is data: templates in the form of os.Expand, such as
// "arn:aws:sqs:${region}:${account}:${name}", may name an input, a default, a computed output, account, region, id, or
// a random part: hex17 is seventeen hexadecimal digits, HEX17 the same in capitals, num10 ten decimal ones, uuid a UUID;
// after a dot stands a label that tells two random parts of one resource apart (hex17.group).
type resourceType struct {
	// name is the input that people call it by; it is made up where the program leaves it out, and an import finds the
	// resource by it. Empty where AWS alone names it.
	name string
	// id is the template of the resource's ID.
	id string
	// importID is what an import finds it by, where that is neither its ID nor its name.
	importID func(*Resource) string
	// defaults are the properties that AWS fills in where the inputs say nothing, computed the templates of those that
	// it works out.
	defaults values
	computed map[string]string

	// required are the inputs without which it cannot be, fixed those whose change makes another resource.
	required, replaceOnChange []string
	// rules are judged on the inputs alone, at a preview already.
	rules []rule
	// refs are what the inputs name and must exist. While it exists, AWS keeps what it refers to from being deleted
	// where that kind has an inUse.
	refs []ref
	// conflict and inUse are AWS's refusals: the ID exists already (empty: it is written over), something refers to it.
	conflict, inUse errorTemplate
	// compute works out the outputs that no template can, before the templates are filled in.
	compute func(*State, *Resource)
	// validate is judged with the account, when it is created and when it is updated.
	validate func(*State, *Resource) error
	// onCreate and removed are what else happens in the account. An error of removed keeps the resource.
	onCreate func(*State, *Resource)
	onDelete func(*State, *Resource) error
	// creationDelay is how long AWS needs to make it.
	creationDelay time.Duration
}

// rule returns what is wrong with a property, or "" for both.
type rule func(in values) (property, reason string)

// ref says that the strings at path name resources of a type by one of their outputs ("id" for the ID).
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

// Error is a refusal in AWS's words.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func errorf(code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// build works out all the properties of r from its inputs, or returns AWS's refusal.
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

// expand fills in a template. A property of the template's own may be computed in turn.
func (t resourceType) expand(s *State, r *Resource, template string) string {
	return os.Expand(template, func(name string) string {
		switch name {
		case "account":
			return s.ID
		case "region":
			return s.Region
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

// random returns the part of a resource's identifiers that AWS would draw: always the same for one resource and label.
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

// stringsAt collects the strings at a dotted path; lists on the way are walked through.
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

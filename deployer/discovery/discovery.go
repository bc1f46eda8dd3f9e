// Package discovery knows what a killed deployment may have left in the account, and how it is found there.
//
// A create that was cut in two is in the account and not in the state: the next one would collide with its name, or make a second
// one. So everything that the program would create is looked up first. What exists is imported. Only what had all its inputs can
// have been created, which keeps the list short.
package discovery

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Query is a resource that the program would create.
type Query struct {
	// Type is Pulumi's token, such as aws:ec2/vpc:Vpc.
	Type string
	// Inputs are the provider's, by Pulumi's names; what is not known yet has no text of AWS's in it.
	Inputs map[string]any
	// Parent is the ID of the resource under which the program has it; "" where that is unknown or a component.
	Parent string
	// Known reports whether a text among the inputs is one that AWS knows.
	Known func(string) bool
}

// text is an input that is a known text, or a text in a block of one; "" otherwise.
func (w Query) text(property string) string {
	value, _ := w.Inputs[property].(string)
	if !w.Known(value) {
		return ""
	}
	return value
}

// tag is the value of one of its tags.
func (w Query) tag(name string) string {
	tags, _ := w.Inputs["tags"].(map[string]any)
	value, _ := tags[name].(string)
	return value
}

// finder says how a type is found after a create that was cut in two.
type finder struct {
	// needs are the inputs without which AWS would not have made one.
	needs []string
	// find returns what the resource is imported by: what the provider may then find under it, or what AWS was asked for. "" says
	// that there is none.
	find func(context.Context, account, Query) (string, error)
	// skipReason says why nothing has to be found: creating it again ends as if it had been made once.
	skipReason string
}

// account is where things are looked up.
type account struct {
	aws aws.Config
	// id is its twelve digits, region where it is looked at.
	id, region string
}

// Find returns what the resource is imported by if it is in the account; "" where it is not there, cannot be there, or need not
// be found. A name is returned without asking AWS: the provider reads it in any case, and knows best whether it is there.
func Find(ctx context.Context, cfg aws.Config, accountID string, w Query) (string, error) {
	r := finders[w.Type]
	if r.find == nil || !hasInputs(r, w) {
		return "", nil
	}
	id, err := r.find(ctx, account{cfg, accountID, cfg.Region}, w)
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", w.Type, err)
	}
	return id, nil
}

// hasInputs reports whether everything is known without which AWS would not have made one.
func hasInputs(r finder, w Query) bool {
	return !slices.ContainsFunc(r.needs, func(property string) bool { return w.text(property) == "" })
}

// IsManaged reports whether a resource that bears the name of one of the program's is the program's: it has the tags that the program
// gives. A bucket gets them only after it is made.
func IsManaged(w Query, outputs map[string]any) bool {
	given, tagged := w.Inputs["tags"].(map[string]any)
	if !tagged {
		return true
	}
	found, _ := outputs["tags"].(map[string]any)
	if len(found) == 0 && w.Type == typeBucket {
		return true
	}
	for _, owner := range []string{"Project", "Environment", "ManagedBy"} {
		if found[owner] != given[owner] {
			return false
		}
	}
	return true
}

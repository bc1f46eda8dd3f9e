// Package discovery finds resources of the program that are in an account and not in the state: those that a killed deployment
// created, and those that existed before the first import.
//
// What a killed deployment created would collide with the next create of that name, or be created twice. So everything that the
// program would create is looked up first, and what exists is imported. Only what had all its inputs can have been created, which
// keeps the search short.
package discovery

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Query describes a resource that the program would create.
type Query struct {
	// Type is Pulumi's token, such as aws:ec2/vpc:Vpc.
	Type string
	// Inputs are the provider's, by Pulumi's names. Known reports whether a text among them is final: an output of a resource
	// that does not exist yet is not.
	Inputs map[string]any
	Known  func(string) bool
	// Parent is the ID of the resource that is its parent in the program; "" where that is unknown or a component.
	Parent string
	// Namesake is the ID of what was found with the same name and parent, and another type: the NAT gateway of an Elastic IP.
	Namesake string
	// managed restricts the search to what this program created.
	managed bool
}

// text returns an input that is a known text, or "".
func (q Query) text(property string) string {
	value, _ := q.Inputs[property].(string)
	if !q.Known(value) {
		return ""
	}
	return value
}

func (q Query) tag(name string) string {
	tags, _ := q.Inputs["tags"].(map[string]any)
	value, _ := tags[name].(string)
	return value
}

// Match is what an account has for a resource of the program.
type Match struct {
	// IDs are what the resource may be imported by; several are ambiguous. A name is returned without a call to AWS: the
	// provider reads it in any case, and so finds out whether it exists.
	IDs []string
	// By is what makes it a match, such as the names of inputs.
	By string
}

// account is where resources are looked up; id has twelve digits.
type account struct {
	aws aws.Config
	id  string
}

// Find returns what a resource can be imported by that this program created: its tags are compared. It returns "" where there is
// none, where an input is missing without which AWS could not have created it, and where it does not have to be found.
func Find(ctx context.Context, cfg aws.Config, accountID string, q Query) (string, error) {
	if finders[q.Type].skipReason != "" {
		return "", nil
	}
	q.managed = true
	match, err := find(ctx, account{cfg, accountID}, q)
	if err != nil || len(match.IDs) == 0 {
		return "", err
	}
	return match.IDs[0], nil
}

// FindCandidates returns what the account has for a resource, also of other owners: tags are not compared, because other tools set
// others.
func FindCandidates(ctx context.Context, cfg aws.Config, accountID string, q Query) (Match, error) {
	return find(ctx, account{cfg, accountID}, q)
}

func find(ctx context.Context, a account, q Query) (Match, error) {
	f := finders[q.Type]
	missing := func(property string) bool { return q.text(property) == "" }
	if f.find == nil || slices.ContainsFunc(f.needs, missing) {
		return Match{}, nil
	}
	ids, err := f.find(ctx, a, q)
	if err != nil {
		return Match{}, fmt.Errorf("look for %s: %w", q.Type, err)
	}
	return Match{IDs: ids, By: cmp.Or(f.by, strings.Join(f.needs, ", "))}, nil
}

// SkipReason returns why resources of a type are never looked for; "" where they are.
func SkipReason(typ string) string {
	if finders[typ].find != nil {
		return ""
	}
	return finders[typ].skipReason
}

// Conflicts reports whether creating a resource of a type that exists already fails or duplicates it.
func Conflicts(typ string) bool { return finders[typ].find != nil && finders[typ].skipReason == "" }

// IsManaged reports whether a resource, read from the account, has the tags that the program sets. A bucket gets them only after
// its creation.
func IsManaged(q Query, outputs map[string]any) bool {
	expected := tagsOf(q.Inputs["tags"])
	if expected == nil {
		return true
	}
	actual := tagsOf(outputs["tags"])
	if len(actual) == 0 && q.Type == typeBucket {
		return true
	}
	return !slices.ContainsFunc([]string{"Project", "Environment", "ManagedBy"}, func(tag string) bool {
		return actual[tag] != expected[tag]
	})
}

// tagsOf returns tags by their names; nil for what has none. An Auto Scaling group has a list of them.
func tagsOf(property any) map[string]any {
	list, _ := property.([]any)
	if len(list) == 0 {
		tags, _ := property.(map[string]any)
		return tags
	}
	tags := map[string]any{}
	for _, item := range list {
		if tag, ok := item.(map[string]any); ok {
			name, _ := tag["key"].(string)
			tags[name] = tag["value"]
		}
	}
	return tags
}

// HoldsData reports whether deleting a resource of the type deletes data: rows, files, messages, images, or the name servers that a
// registrar knows.
func HoldsData(typ string) bool {
	switch typ {
	case "aws:rds/instance:Instance", typeBucket, "aws:sqs/queue:Queue", "aws:ecr/repository:Repository", "aws:route53/zone:Zone":
		return true
	}
	return false
}

// Lock describes the engine's own lock on a stack: the process that took it.
type Lock struct {
	Host string
	PID  int
}

// Stale reports whether the process that took the lock is gone. The caller holds the environment's lock. The processes of another
// host cannot be seen: their lock is stale if the environment's lock had expired.
func (l Lock) Stale(host string, alive func(pid int) bool, expired bool) bool {
	if l.Host == host {
		return !alive(l.PID)
	}
	return expired
}

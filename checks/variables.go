package checks

import (
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/configuration"
)

// Origin is where a container has a variable from.
type Origin string

// The origins, in the order in which they win: what is set in the task definition, as a value or as a reference to a
// secret, then a key of the configuration secret that entrypoint reads, then what it builds from the database's secret.
const (
	FromTaskDefinition Origin = "task definition"
	FromReference      Origin = "secret"
	FromSecretAtStart  Origin = "secret at start"
	BuiltAtStart       Origin = "built at start"
	FromNowhere        Origin = "nowhere"
)

// State is how well a variable is set.
type State string

// The states beside the kinds of problems of a value. Unread values come from a place that this program does not read.
const (
	Set    State = "set"
	Unread State = "not read"
	// Foreign is a variable that leads to another environment's database, or comes from its secret.
	Foreign State = "foreign"
	// WholeSecret is a reference that names no key of a secret, and so hands on all of it.
	WholeSecret State = "whole secret"
)

// Variable is one that a container gets.
type Variable struct {
	Name   string `json:"name"`
	Value  Value  `json:"value"`
	Masked bool   `json:"masked"`
	Origin Origin `json:"source"`
	// Secret and Key say which key of which secret it comes from.
	Secret   string `json:"secret,omitempty"`
	Key      string `json:"key,omitempty"`
	Required bool   `json:"required"`
	State    State  `json:"state"`
	// Message says more about a state that is not well.
	Message    string   `json:"message,omitempty"`
	Categories []string `json:"categories"`
	// Parts are the variables that a built one is built from.
	Parts map[string]Value `json:"-"`
}

// BuiltFrom reveals the variables that a built one is built from.
func (v Variable) BuiltFrom() map[string]string {
	parts := map[string]string{}
	for name, part := range v.Parts {
		parts[name] = part.Reveal()
	}
	return parts
}

// Broken reports whether the container cannot work with the variable. A reference to a key that is not there keeps its
// task from starting, whether or not the variable is required.
func (v Variable) Broken() bool {
	missing := v.State == State(configuration.Missing) || v.State == State(configuration.Empty)
	switch {
	case v.OK(), v.State == State(configuration.Padded):
		return false
	case v.State == Foreign, v.State == WholeSecret:
		return true
	}
	return v.Required || v.Origin == FromReference && missing
}

// OK reports whether there is nothing to say about the variable.
func (v Variable) OK() bool { return v.State == Set || v.State == Unread }

// known reports whether the variable's value is known here: what comes from elsewhere, another environment's secret too, is not
// fetched.
func (v Variable) known() bool {
	return v.State != Unread && v.State != WholeSecret && (v.State != Foreign || v.Value.Reveal() != "")
}

// UnusedKey is a key of the configuration secret that changes nothing for a container.
type UnusedKey struct {
	Key string `json:"key"`
	Why string `json:"why"`
}

// Difference is a variable that another task definition, or the program, has in another way.
type Difference struct {
	// Against is what was compared with: a revision, or the environment's file.
	Against string `json:"against"`
	Name    string `json:"name"`
	// Kind says how the running one differs: added, removed or changed.
	Kind string `json:"kind"`
}

// Container is what one container of a service gets.
type Container struct {
	Service   string `json:"service"`
	Role      string `json:"role"`
	Container string `json:"container"`
	// Running is the revision whose variables these are, Others are revisions that further tasks still run, Latest is the
	// family's newest one. Deployed is the one that the last deployment left, empty where its record does not say.
	Running  string   `json:"running_revision"`
	Others   []string `json:"other_revisions,omitempty"`
	Latest   string   `json:"latest_revision"`
	Deployed string   `json:"deployed_revision,omitempty"`
	// Tasks is how many tasks run, Stale how many of them began before the configuration or the database's password was
	// last changed, at Changed, and so have values from before.
	Tasks       int          `json:"tasks"`
	Stale       int          `json:"stale_tasks"`
	Changed     *time.Time   `json:"configuration_changed,omitempty"`
	Variables   []Variable   `json:"variables"`
	Unused      []UnusedKey  `json:"unused_keys"`
	Differences []Difference `json:"differences"`
}

// Inspection is what the containers of an environment get.
type Inspection struct {
	Environment string      `json:"environment"`
	Region      string      `json:"region,omitempty"`
	Timestamp   time.Time   `json:"timestamp,omitzero"`
	Status      Status      `json:"status"`
	Containers  []Container `json:"containers"`
	// Findings are what is not as it should be, with what to do about it.
	Findings []Finding `json:"findings"`
}

// Categories are the words by which variables can be chosen.
func Categories() []string { return []string{"database", "api", "aws", "secrets"} }

// categoriesOf sorts a variable by its name and by where it comes from. One can belong to several categories.
func categoriesOf(v Variable) []string {
	found := []string{}
	words := strings.Split(strings.ToUpper(v.Name), "_")
	has := func(any ...string) bool {
		return slices.ContainsFunc(any, func(word string) bool { return slices.Contains(words, word) })
	}
	for _, category := range []struct {
		name string
		in   bool
	}{
		{"database", has("DATABASE", "DB", "POSTGRES", "POSTGRESQL", "PG", "PRISMA", "REDIS")},
		{"api", has("API", "GRAPHQL", "SUBGRAPH", "RPC", "ENDPOINT", "PORT") && !has("DATABASE")},
		{"aws", has("AWS", "SQS", "S3", "SNS", "ARN", "ECS") || v.Name == "CONFIG_SECRET_ID"},
		{"secrets", v.Value.Sensitive() || v.Origin == FromReference || v.Origin == FromSecretAtStart || v.Origin == BuiltAtStart},
	} {
		if category.in {
			found = append(found, category.name)
		}
	}
	return found
}

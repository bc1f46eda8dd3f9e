package checks

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/configuration"
)

// Origin is where a container gets a variable from.
type Origin string

// The origins, in the order of their precedence: the task definition, as a value or as a reference to a secret, then a key of the
// configuration secret that entrypoint reads, then what it builds from the database's secret.
const (
	FromTaskDefinition Origin = "task definition"
	FromReference      Origin = "secret"
	FromSecretAtStart  Origin = "secret at start"
	BuiltAtStart       Origin = "built at start"
	FromNowhere        Origin = "nowhere"
)

// State describes whether a variable is set correctly.
type State string

// The states in addition to the kinds of problems of a value. Unread values come from a source that this program does not read.
const (
	Set    State = "set"
	Unread State = "not read"
	// Foreign is a variable that refers to another environment's database, or comes from its secret.
	Foreign State = "foreign"
	// WholeSecret is a reference that names no key of a secret, and so passes all of it.
	WholeSecret State = "whole secret"
)

// Variable is an environment variable of a container.
type Variable struct {
	Name   string `json:"name"`
	Value  Value  `json:"value"`
	Masked bool   `json:"masked"`
	Origin Origin `json:"source"`
	// Secret and Key name the secret and its key that the variable comes from.
	Secret   string `json:"secret,omitempty"`
	Key      string `json:"key,omitempty"`
	Required bool   `json:"required"`
	State    State  `json:"state"`
	// Message explains a state other than Set.
	Message string `json:"message,omitempty"`
	// Categories returns the names by which variables can be selected.
	Categories []string `json:"categories"`
	// Parts are the variables that DATABASE_URL is built from.
	Parts map[string]Value `json:"-"`
}

// BuiltFrom returns the revealed values of Parts.
func (v Variable) BuiltFrom() map[string]string {
	parts := map[string]string{}
	for name, part := range v.Parts {
		parts[name] = part.Reveal()
	}
	return parts
}

// Broken reports whether the container cannot work with the variable. A reference to a missing key prevents its task from
// starting, whether or not the variable is required.
func (v Variable) Broken() bool {
	missing := v.State == State(configuration.Missing) || v.State == State(configuration.Empty)
	switch {
	case v.OK(), slices.Contains([]State{State(configuration.Hidden), State(configuration.Padded), State(configuration.Converted)}, v.State):
		return false
	case v.State == Foreign, v.State == WholeSecret:
		return true
	}
	return v.Required || v.Origin == FromReference && missing
}

// OK reports whether there is no problem with the variable.
func (v Variable) OK() bool { return v.State == Set || v.State == Unread }

// known reports whether the value was read. Values from other sources, and from another environment's secret, are not fetched.
func (v Variable) known() bool {
	return v.State != Unread && v.State != WholeSecret && (v.State != Foreign || v.Value.Reveal() != "")
}

// UnusedKey is a key of the configuration secret that has no effect on a container.
type UnusedKey struct {
	Key string `json:"key"`
	Why string `json:"why"`
}

// Difference is a variable that another task definition, or the infra program, defines differently.
type Difference struct {
	// Against is what was compared with: a revision, or the environment's file.
	Against string `json:"against"`
	Name    string `json:"name"`
	// Kind is how the running definition differs: added, removed or changed.
	Kind string `json:"kind"`
}

// Container describes one container of a service.
type Container struct {
	Service   string `json:"service"`
	Role      string `json:"role"`
	Container string `json:"container"`
	// Running is the revision that the variables are from, Others are further revisions that tasks run, Latest is the family's
	// newest one. Deployed is the last deployment's, empty where its record does not have it.
	Running  string   `json:"running_revision"`
	Others   []string `json:"other_revisions,omitempty"`
	Latest   string   `json:"latest_revision"`
	Deployed string   `json:"deployed_revision,omitempty"`
	// Tasks is how many tasks run. Stale is how many of them started before Changed, when the configuration or the database's
	// password last changed, and so have earlier values.
	Tasks       int          `json:"tasks"`
	Stale       int          `json:"stale_tasks"`
	Changed     *time.Time   `json:"configuration_changed,omitempty"`
	Variables   []Variable   `json:"variables"`
	Unused      []UnusedKey  `json:"unused_keys"`
	Differences []Difference `json:"differences"`
}

// Inspection describes the containers of an environment.
type Inspection struct {
	Environment string      `json:"environment"`
	Region      string      `json:"region,omitempty"`
	Timestamp   time.Time   `json:"timestamp,omitzero"`
	Status      Status      `json:"status"`
	Containers  []Container `json:"containers"`
	// Findings are the problems and their solutions.
	Findings []Finding `json:"findings"`
}

// Categories returns the words by which variables can be chosen.
func Categories() []string { return []string{"database", "api", "aws", "secrets"} }

// categoriesOf returns the categories of a variable by its name and origin.
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

// Value is the value of a variable. A sensitive one is masked however it is printed or encoded; only Reveal returns it.
type Value struct {
	text      string
	sensitive bool
}

// Public returns a value that is not masked.
func Public(text string) Value { return Value{text: text} }

// Sensitive reports whether the value is masked.
func (v Value) Sensitive() bool { return v.sensitive }

// Reveal returns the value itself.
func (v Value) Reveal() string { return v.text }

// Unmasked returns a copy that is not masked.
func (v Value) Unmasked() Value { return Value{text: v.text} }

func (v Value) String() string {
	if v.sensitive && v.text != "" {
		return configuration.Mask
	}
	return v.text
}

// Format prints the same for every verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.String()) }

// MarshalJSON encodes the result of String.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.String()) }

// MarshalYAML encodes the result of String.
func (v Value) MarshalYAML() (any, error) { return v.String(), nil }

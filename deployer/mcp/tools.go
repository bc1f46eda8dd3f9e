package mcp

import (
	"slices"

	"github.com/google/jsonschema-go/jsonschema"
)

// tools has the titles and descriptions of the tools. Arguments are described by their types.
var tools = map[string]struct{ title, description string }{
	"status": {"Health of every component", `Reports the health of every component of an environment: what is not healthy, worst
first, with cause and solution. Begin here. With "only", the healthy findings of these components are included, with their
details.`},
	"health": {"Probes of the endpoint", `Requests /health and /health/ready, from the load balancer directly and from the domain
through DNS, which shows where a failure is: DNS, connection, TLS certificate, HTTP status.`},
	"drift": {"Changes outside the deployer", `Compares the account with what the last deployment left, by property ("account"),
and the program with what is deployed ("program"). Takes up to a minute, or longer in a large account.`},
	"preview": {"What a deployment would change", `Shows what a deployment would change, the greatest risk first: lost data and
access, wider permissions, weaker protection. Changes nothing. Takes up to a minute.`},
	"history": {"Deployments", `Lists deployments, newest first: when, by whom, image, outcome, and of failed ones the phase and
the error. With "id", one deployment in full.`},
	"tasks": {"Tasks and why they stopped", `Lists the tasks that run and those that stopped within the last hour, migrations
too: image, health, exit code, cause.`},
	"logs": {"Container logs", `Returns the newest log lines of containers, oldest first. Secret values are replaced by [hidden].`},
	"images": {"Images", `Lists the images that can be deployed, newest first: tags, findings of the scan, where each runs and
was verified healthy.`},
	"vars": {"Environment variables", `Lists the environment variables that containers get: source, whether required, and what is
missing, empty or a placeholder. Sensitive values are masked.`},
	"cost": {"Monthly cost", `Estimates the monthly cost of an environment from its file: lines, the most expensive first, the
budget, the settings in use that save, and those that would.`},
	"outputs": {"Outputs of the stack", `Returns the outputs of an environment's stack: addresses, names, the image. Secret ones
are masked.`},
	"lock": {"Who is deploying", `Reports whether a deployment or another change is running: who, since when, in which phase.`},
}

// Tools returns the names of the tools, sorted.
func Tools() []string {
	var names []string
	for name := range tools {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// simplify removes null from the types of lists and maps, which Go's nil would be: some clients accept only one type.
func simplify(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	if len(s.Types) == 2 && s.Types[0] == "null" {
		s.Type, s.Types = s.Types[1], nil
	}
	simplify(s.Items)
	simplify(s.AdditionalProperties)
	for _, property := range s.Properties {
		simplify(property)
	}
}

// withErrors adds the errors of a tool to the schema of its results. A server must return structured content that conforms to
// the schema, and clients validate that of an error as any other.
// Source: https://modelcontextprotocol.io/specification/2025-06-18/server/tools#output-schema
func withErrors(output *jsonschema.Schema) {
	add := func(name, description string) {
		if output.Properties[name] == nil {
			output.Properties[name] = &jsonschema.Schema{Type: "string", Description: description}
			output.PropertyOrder = append(output.PropertyOrder, name)
		}
	}
	add("error", "why the call failed, beside which there are only hint and next")
	add("hint", "what to do about the error")
	output.AnyOf = []*jsonschema.Schema{{Required: output.Required}, {Required: []string{"error"}}}
	output.Required = nil
}

// idPattern matches the ID of a record.
const idPattern = `^[0-9]{8}-[0-9]{6}-[0-9a-f]+$`

// restrict narrows the schema of a tool's arguments to the values that are known.
func (r *registry) restrict(tool string, input *jsonschema.Schema) {
	if r.fixed() {
		delete(input.Properties, "env")
		input.PropertyOrder = slices.DeleteFunc(input.PropertyOrder, func(name string) bool { return name == "env" })
	} else {
		input.Properties["env"].Enum = values(r.options.Environments)
		input.Required = append(input.Required, "env")
	}
	for _, name := range []string{"only", "service"} {
		if known := r.known(tool, name); known != nil && input.Properties[name] != nil {
			input.Properties[name].Items.Enum = values(known)
		}
	}
	if id := input.Properties["id"]; id != nil {
		id.Pattern = idPattern
	}
	if service := input.Properties["service"]; service != nil {
		service.UniqueItems = true
	}
	for name, limits := range map[string][2]float64{"limit": {1, 200}, "offset": {0, 10_000}} {
		if number := input.Properties[name]; number != nil {
			number.Minimum, number.Maximum = &limits[0], &limits[1]
		}
	}
}

func values(words []string) []any {
	all := []any{}
	for _, word := range words {
		all = append(all, word)
	}
	return all
}

package mcp

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/shlex"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// maxNext declares how many calls a document suggests.
const maxNext = 3

// printedCommand matches a command of the deployer in a text: in backticks, or the whole text.
var printedCommand = lazyregexp.New("`deployer ([a-z][^`\n]*)`|^deployer ([a-z][^\n]*)$")

// argumentOf maps flags of the commands to arguments of the tools.
var argumentOf = map[string]string{
	"--env": "env", "-e": "env", "--service": "service", "--only": "only", "--since": "since", "--until": "until",
	"--limit": "limit", "--image-tag": "image_tag",
}

// deploymentID matches the ID of a record.
var deploymentID = lazyregexp.New(idPattern)

// callsIn returns the calls that do what the commands in a text do. Commands that change something are no tools.
func callsIn(text string) []Call {
	var found []Call
	for _, m := range printedCommand.FindAllStringSubmatch(strings.TrimSpace(text), -1) {
		words, err := shlex.Split(m[1] + m[2])
		if err != nil || len(words) == 0 {
			continue
		}
		if words[0] == "lock" && len(words) > 1 && words[1] != "status" {
			continue
		}
		if _, known := tools[words[0]]; known {
			found = append(found, Call{words[0], argumentsIn(words[1:])})
		}
	}
	return found
}

// argumentsIn returns the arguments that the words of a command line stand for.
func argumentsIn(words []string) map[string]any {
	arguments := map[string]any{}
	for i := 0; i < len(words); i++ {
		flag, value, given := strings.Cut(words[i], "=")
		name := argumentOf[flag]
		if name == "" {
			if deploymentID.MatchString(words[i]) {
				arguments["id"] = words[i]
			}
			continue
		}
		if !given && i+1 < len(words) {
			i++
			value = words[i]
		}
		switch name {
		case "service", "only":
			arguments[name] = strings.Split(value, ",")
		case "limit":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				arguments[name] = n
			}
		default:
			arguments[name] = value
		}
	}
	return arguments
}

// with returns a call of a tool with one argument.
func with(tool, name string, value any) Call { return Call{tool, map[string]any{name: value}} }

// related has the tools that show more about a component that is not healthy, where its hint names none.
var related = map[string][]string{
	"stack":       {"history", "lock"},
	"ecs_cluster": {"tasks"}, "ecs_service": {"tasks"}, "ecs_tasks": {"tasks"}, "target_groups": {"tasks", "health"},
	"task_definition": {"vars"}, "secrets": {"vars"},
	"load_balancer": {"health"}, "listeners": {"health"}, "certificate": {"health"}, "hosted_zone": {"health"}, "dns": {"health"},
	"delegation": {"health"}, "endpoint": {"health"}, "readiness": {"health"}, "tls": {"health"},
	"image": {"images"}, "image_repository": {"images"}, "budget": {"cost"},
	"alarms": {"logs"}, "queue": {"logs"}, "dead_letter_queue": {"logs"},
	"vpc": {"drift"}, "subnets": {"drift"}, "nat": {"drift"}, "security_groups": {"drift"}, "roles": {"drift"}, "waf": {"drift"},
	"database": {"drift"}, "buckets": {"drift"}, "log_groups": {"drift"}, "autoscaling": {"drift"}, "compliance": {"drift"},
}

func (s *Status) suggest() []Call {
	var calls, more []Call
	for _, f := range s.Findings {
		if f.Status == "healthy" {
			continue
		}
		if f.Hint != nil {
			calls = append(calls, slices.Concat(callsIn(f.Hint.Command), callsIn(f.Hint.Solution))...)
		}
		for _, tool := range related[f.Component] {
			more = append(more, Call{tool, nil})
		}
	}
	return slices.Concat(calls, more, []Call{with("history", "limit", 3)})
}

func (h *Health) suggest() []Call {
	var calls []Call
	for _, p := range h.Probes {
		if p.Problem == nil {
			continue
		}
		calls = append(calls, callsIn(p.Problem.Hint)...)
		switch reason := p.Problem.Reason; {
		case strings.HasPrefix(reason, "DNS"):
			calls = append(calls, with("status", "only", []string{"dns", "delegation", "hosted_zone"}))
		case strings.HasPrefix(reason, "Certificate"):
			calls = append(calls, with("status", "only", []string{"certificate", "listeners"}))
		case strings.HasPrefix(reason, "Connection"):
			calls = append(calls, with("status", "only", []string{"load_balancer", "listeners", "security_groups"}))
		default:
			calls = append(calls, with("logs", "service", []string{"api"}), with("status", "only", []string{"target_groups", "database"}))
		}
	}
	return append(calls, Call{"status", nil})
}

func (d *Drift) suggest() []Call {
	if d.Running != "" {
		return []Call{{"lock", nil}}
	}
	if len(d.Changes) > 0 {
		return []Call{with("history", "limit", 3)}
	}
	return nil
}

func (*Preview) suggest() []Call { return nil }

func (h *History) suggest() []Call {
	for _, d := range h.Deployments {
		if d.Error == "" && d.FailedPhase == "" {
			continue
		}
		if !h.Detailed {
			return []Call{with("history", "id", d.ID)}
		}
		calls := slices.Concat(callsIn(d.Hint), callsIn(d.Error))
		switch d.FailedPhase {
		case "migrate":
			calls = append(calls, with("logs", "service", []string{"migration"}), with("tasks", "service", []string{"migration"}))
		case "rollout":
			calls = append(calls, Call{"tasks", nil}, Call{"logs", nil})
		case "health":
			calls = append(calls, Call{"health", nil})
		case "bake":
			calls = append(calls, with("status", "only", []string{"alarms", "ecs_tasks"}), Call{"tasks", nil}, Call{"logs", nil})
		}
		return append(calls, Call{"status", nil})
	}
	return nil
}

func (t *Tasks) suggest() []Call {
	var calls []Call
	for _, task := range t.Tasks {
		if task.ExitCode != nil && *task.ExitCode != 0 || task.Health == "unhealthy" {
			calls = append(calls, with("logs", "service", []string{task.Service}))
		}
	}
	return append(calls, with("history", "limit", 3))
}

func (*Logs) suggest() []Call { return nil }

func (*Images) suggest() []Call { return nil }

func (v *Vars) suggest() []Call {
	var calls []Call
	for _, f := range v.Findings {
		if f.Hint != nil && f.Status != "healthy" {
			calls = append(calls, slices.Concat(callsIn(f.Hint.Command), callsIn(f.Hint.Solution))...)
		}
	}
	return calls
}

func (*Cost) suggest() []Call { return nil }

func (*Outputs) suggest() []Call { return nil }

func (l *Lock) suggest() []Call {
	if l.State == "free" {
		return nil
	}
	return []Call{with("history", "limit", 1)}
}

// usable returns the first calls that a client can make as they are, each once: with arguments that the tools have, in the
// environment of the call that they follow, and different from it.
func (r *registry) usable(calls []Call, after Call) []Call {
	var found []Call
	for _, c := range calls {
		call := Call{Tool: c.Tool, Arguments: map[string]any{}}
		for name, value := range c.Arguments {
			if slices.Contains(r.arguments[c.Tool], name) && r.accepts(c.Tool, name, value) {
				call.Arguments[name] = plain(value)
			}
		}
		if env := after.Arguments["env"]; call.Arguments["env"] == nil && env != nil {
			call.Arguments["env"] = env
		}
		if r.fixed() {
			delete(call.Arguments, "env")
		}
		same := func(other Call) bool { return reflect.DeepEqual(call, other) }
		if !same(after) && !slices.ContainsFunc(found, same) {
			found = append(found, call)
		}
		if len(found) == maxNext {
			break
		}
	}
	return found
}

// accepts reports whether a tool accepts the values of an argument.
func (r *registry) accepts(tool, name string, value any) bool {
	words, isList := value.([]string)
	if !isList {
		id, isText := value.(string)
		return name != "id" || isText && deploymentID.MatchString(id)
	}
	known := r.known(tool, name)
	return known == nil || !slices.ContainsFunc(words, func(word string) bool { return !slices.Contains(known, word) })
}

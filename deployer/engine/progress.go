package engine

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"

	"github.com/balancer/v3-backend-infra/internal/running"
)

// progress collects the events of one run.
type progress struct {
	started, ended time.Time
	now            func() time.Time
	// receiving reports whether the engine has emitted an event.
	receiving bool
	// tally counts the resources, done those whose steps have ended.
	tally *tally
	done  int
	// refreshing runs count the differences that they find, others their changes.
	refreshing bool

	open    map[string]bool              // running steps, by key
	pending map[string]Pending           // running changes of resources, without components
	touched map[string]Pending           // all that were ever pending
	running map[string]running.Operation // what is pending, with its start
	// underWay are the operations that were running when the run was interrupted, at the time interrupted.
	underWay    []running.Operation
	interrupted time.Time
	counts      map[string]int
	steps       []Step
	created     []PlannedResource
	parents     []PlannedResource
	messages    map[string][]string // errors by URN, of steps that have not failed yet
	failed      []ResourceError
	warnings    []string
	downloads   map[string]bool // plugins that were reported
}

func newProgress(t *tally, refreshing bool, now func() time.Time) *progress {
	return &progress{
		started: now(), now: now, running: map[string]running.Operation{}, tally: t, refreshing: refreshing,
		open: map[string]bool{}, pending: map[string]Pending{}, touched: map[string]Pending{}, counts: map[string]int{}, messages: map[string][]string{}, downloads: map[string]bool{},
	}
}

// onEvent handles one of the engine's events, and returns what to report.
func (p *progress) onEvent(e apitype.EngineEvent) []Event {
	switch {
	case e.ResourcePreEvent != nil:
		return p.onStepStart(e.ResourcePreEvent.Metadata)
	case e.ResOutputsEvent != nil:
		return p.onStepDone(e.ResOutputsEvent.Metadata)
	case e.ResOpFailedEvent != nil:
		return p.onStepFailed(e.ResOpFailedEvent.Metadata)
	case e.DiagnosticEvent != nil:
		return p.onDiagnostic(*e.DiagnosticEvent)
	case e.ProgressEvent != nil:
		return p.onDownload(*e.ProgressEvent)
	}
	return nil
}

func (p *progress) onStepStart(m apitype.StepEventMetadata) []Event {
	p.open[stepKey(m.URN, m.Op)] = true
	if isProgramType(m.Type) {
		p.tally.add(m.URN)
	}
	if isCustom(m) && isChange(string(m.Op)) {
		typ, name := typeAndName(m.URN)
		pending := Pending{URN: m.URN, Type: typ, Name: name, Op: string(m.Op)}
		p.pending[stepKey(m.URN, m.Op)], p.touched[stepKey(m.URN, m.Op)] = pending, pending
		if isProgramType(m.Type) {
			p.running[stepKey(m.URN, m.Op)] = running.Operation{Name: ShortType(typ) + " " + name, Started: p.now()}
		}
	}
	return p.stepEvents(m, Started, "")
}

// onStepDone ends a step. Components end twice, once when they are registered and once with their outputs; a step of a
// refresh ends with the operation that was found.
func (p *progress) onStepDone(m apitype.StepEventMetadata) []Event {
	op := m.Op
	if !p.open[stepKey(m.URN, op)] {
		op = apitype.OpRefresh
	}
	if !p.open[stepKey(m.URN, op)] {
		return nil
	}
	delete(p.open, stepKey(m.URN, op))
	delete(p.pending, stepKey(m.URN, op))
	delete(p.running, stepKey(m.URN, op))
	if op == apitype.OpRefresh && !p.refreshing {
		return nil
	}
	// What a refresh finds deleted is gone whatever the stack would do with it.
	forgotten := op != apitype.OpRefresh && forgets(m)
	// Of the three steps of a replacement one counts.
	if isProgramType(m.Type) && m.Op != apitype.OpCreateReplacement && m.Op != apitype.OpDeleteReplaced {
		if !p.tally.ignored[m.URN] {
			p.done++
		}
		if !forgotten {
			p.counts[string(m.Op)]++
		}
	}
	if isProgramType(m.Type) && isChange(string(m.Op)) && !forgotten {
		p.steps = append(p.steps, newStep(m, op == apitype.OpRefresh))
	}
	if m.Op == apitype.OpCreate && isProgramType(m.Type) && m.New != nil && m.New.Custom && !strings.Contains(m.Provider, plugin.UnknownStringValue) {
		p.created = append(p.created, newPlannedResource(m))
	}
	if m.Op == apitype.OpCreate && m.New != nil && (!m.New.Custom || !isProgramType(m.Type)) {
		p.parents = append(p.parents, newPlannedResource(m))
	}
	return p.stepEvents(m, Done, "")
}

// forgets reports whether a step deletes a resource in the state only, so that it changes nothing in the account.
func forgets(m apitype.StepEventMetadata) bool {
	return deletes(m.Op) && m.Old != nil && keeps(m.Old.RetainOnDelete, m.Old.Inputs)
}

func (p *progress) onStepFailed(m apitype.StepEventMetadata) []Event {
	delete(p.open, stepKey(m.URN, m.Op))
	delete(p.pending, stepKey(m.URN, m.Op))
	delete(p.running, stepKey(m.URN, m.Op))
	message := strings.Join(p.messages[m.URN], "\n")
	if message == "" {
		message = "the provider gave no reason"
	}
	delete(p.messages, m.URN)
	typ, name := typeAndName(m.URN)
	p.failed = append(p.failed, ResourceError{URN: m.URN, Type: typ, Name: name, Message: message})
	return p.stepEvents(m, Failed, message)
}

// onDiagnostic handles a message of the engine, the program or a provider. It keeps errors for the step that fails.
func (p *progress) onDiagnostic(d apitype.DiagnosticEvent) []Event {
	message := cleanDiagnostic(d.Message)
	if message == "" {
		return nil
	}
	if d.Severity == "error" {
		urn := d.URN
		if typ, _ := typeAndName(urn); typ == "" {
			urn = ""
		}
		if !slices.Contains(p.messages[urn], message) {
			p.messages[urn] = append(p.messages[urn], message)
		}
		return nil
	}
	warning := d.Severity == "warning"
	if warning && !slices.Contains(p.warnings, message) {
		p.warnings = append(p.warnings, message)
	}
	e := p.newEvent(d.URN, Note, message)
	e.Warning = warning
	return []Event{e}
}

// onDownload reports each plugin once that is downloaded or installed, which can take minutes.
func (p *progress) onDownload(e apitype.ProgressEvent) []Event {
	id := string(e.Type) + " " + e.ID
	if p.downloads[id] {
		return nil
	}
	p.downloads[id] = true
	return []Event{p.newEvent("", Note, cleanDiagnostic(e.Message))}
}

// stepEvents returns the event of a step. The stack and its providers are no resources of the account, and a replacement is
// reported by its two parts.
func (p *progress) stepEvents(m apitype.StepEventMetadata, status Status, message string) []Event {
	if status != Failed && (!isProgramType(m.Type) || m.Op == apitype.OpReplace) {
		return nil
	}
	e := p.newEvent(m.URN, status, message)
	e.Op, e.Component = string(m.Op), !isCustom(m)
	return []Event{e}
}

func (p *progress) newEvent(urn string, status Status, message string) Event {
	typ, name := typeAndName(urn)
	return Event{URN: urn, Type: typ, Name: name, Status: status, Message: message, Done: p.done, Total: p.tally.total(), Running: p.operations()}
}

// operations returns what is running, the longest first.
func (p *progress) operations() []running.Operation {
	return running.Sorted(slices.Collect(maps.Values(p.running)))
}

// interrupt keeps what was running when the run was interrupted: the engine waits for it, and often it ends.
func (p *progress) interrupt() { p.underWay, p.interrupted = p.operations(), p.now() }

func sortedPending(all map[string]Pending) []Pending {
	return slices.SortedFunc(maps.Values(all), func(a, b Pending) int { return strings.Compare(a.URN+a.Op, b.URN+b.Op) })
}

// isCustom reports whether a provider manages the resource, and it is no component.
func isCustom(m apitype.StepEventMetadata) bool {
	return m.New != nil && m.New.Custom || m.Old != nil && m.Old.Custom
}

func (p *progress) summary() Summary {
	return Summary{Changes: p.counts, Duration: p.ended.Sub(p.started), Warnings: p.warnings}
}

// plan returns the changes, each replacement as one step.
func (p *progress) plan() Plan {
	replaced := map[string]bool{}
	for _, s := range p.steps {
		if s.Op == string(apitype.OpReplace) {
			replaced[s.URN] = true
		}
	}
	plan := Plan{NewResources: p.created, NewParents: p.parents, Changes: p.counts, Warnings: p.warnings}
	for _, s := range p.steps {
		if !replaced[s.URN] || s.Op == string(apitype.OpReplace) {
			plan.Steps = append(plan.Steps, s)
		}
	}
	return plan
}

// failure returns what went wrong: the steps that failed, then errors of other resources, then errors of the program and
// the engine, unless they only report that something failed.
func (p *progress) failure(run string) Failure {
	failed := slices.Clone(p.failed)
	for _, urn := range slices.Sorted(maps.Keys(p.messages)) {
		if urn == "" || len(failed) > 0 && closedConnection(p.messages[urn]) {
			continue
		}
		typ, name := typeAndName(urn)
		failed = append(failed, ResourceError{URN: urn, Type: typ, Name: name, Message: strings.Join(p.messages[urn], "\n")})
	}
	for _, message := range p.messages[""] {
		if !genericMessages.MatchString(message) {
			failed = append(failed, ResourceError{Message: message})
		}
	}
	return Failure{Run: run, Resources: failed, Summary: p.summary(), Done: p.done, Total: p.tally.total()}
}

// closedConnection reports whether messages report nothing but that the engine had ended the connection to a provider, after another error.
func closedConnection(messages []string) bool {
	return !slices.ContainsFunc(messages, func(m string) bool { return !strings.Contains(m, "grpc: the client connection is closing") })
}

// stepKey returns a unique key: a replacement has three steps with one URN.
func stepKey(urn string, op apitype.OpType) string { return string(op) + " " + urn }

// Status names the state of a step.
type Status string

// A step starts, and ends in one of two ways. A note is a diagnostic about a resource, or about the run if the event has no
// URN.
const (
	Started Status = "started"
	Done    Status = "done"
	Failed  Status = "failed"
	Note    Status = "note"
)

// Event reports the progress of a run.
type Event struct {
	// URN is the resource's; Type and Name are parts of it, such as aws:rds/instance:Instance and database.
	URN, Type, Name string
	// Component reports that no provider manages the resource: it stands for others.
	Component bool
	// Op is the engine's operation: create, update, delete, replace, same, read, refresh and so on.
	Op     string
	Status Status
	// Message is a diagnostic in plain text; of a failed step, its cause.
	Message string
	// Warning marks a note of the severity warning.
	Warning bool
	// Done counts the resources whose steps have ended, including those without changes, and Total those that are known by now: of the
	// state, of the program, and those that a provider has declared.
	Done, Total int
	// Running are the changes of resources that have begun and not ended, the longest first.
	Running []running.Operation
}

// Changes reports whether the step changes something in the account or the state.
func (e Event) Changes() bool { return isChange(e.Op) }

// Summary describes a run that succeeded.
type Summary struct {
	// Changes counts resources by operation: create, update, delete, replace, same.
	Changes map[string]int
	// Duration is the time of the engine's run.
	Duration time.Duration
	// Warnings are those of the engine and the providers, one line or more each.
	Warnings []string
}

// Plus returns the summary of two runs, one after the other.
func (s Summary) Plus(next Summary) Summary {
	changes := maps.Clone(s.Changes)
	if changes == nil {
		changes = map[string]int{}
	}
	for op, count := range next.Changes {
		changes[op] += count
	}
	return Summary{Changes: changes, Duration: s.Duration + next.Duration, Warnings: slices.Concat(s.Warnings, next.Warnings)}
}

// Changed returns the number of resources that were changed.
func (s Summary) Changed() int {
	n := 0
	for op, count := range s.Changes {
		if isChange(op) {
			n += count
		}
	}
	return n
}

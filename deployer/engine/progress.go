package engine

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
)

// progress is what the events of one run add up to.
type progress struct {
	started, ended time.Time
	// receiving is whether the engine said anything.
	receiving bool
	// total is how many steps are expected, done how many have ended.
	total, done int
	// refreshing runs count what they find, the others what they do.
	refreshing bool

	startTimes map[string]time.Time // when a step began, by its key
	pending    map[string]Pending   // those of them that change a resource, components apart
	touched    map[string]Pending   // what was ever pending
	counts     map[string]int
	steps      []Step
	created    []PlannedResource
	parents    []PlannedResource
	messages   map[string][]string // errors by URN, of steps that have not failed yet
	failed     []ResourceError
	warnings   []string
	downloads  map[string]bool // plugins that were spoken of
}

func newProgress(u Update, refreshing bool, now time.Time) *progress {
	return &progress{
		started: now, total: u.Total, refreshing: refreshing,
		startTimes: map[string]time.Time{}, pending: map[string]Pending{}, touched: map[string]Pending{}, counts: map[string]int{}, messages: map[string][]string{}, downloads: map[string]bool{},
	}
}

// onEvent takes in one of the engine's events, and returns what is to be told of it.
func (p *progress) onEvent(e apitype.EngineEvent, now time.Time) []Event {
	switch {
	case e.ResourcePreEvent != nil:
		return p.onStepStart(e.ResourcePreEvent.Metadata, now)
	case e.ResOutputsEvent != nil:
		return p.onStepDone(e.ResOutputsEvent.Metadata, now)
	case e.ResOpFailedEvent != nil:
		return p.onStepFailed(e.ResOpFailedEvent.Metadata, now)
	case e.DiagnosticEvent != nil:
		return p.onDiagnostic(*e.DiagnosticEvent)
	case e.ProgressEvent != nil:
		return p.onDownload(*e.ProgressEvent)
	}
	return nil
}

func (p *progress) onStepStart(m apitype.StepEventMetadata, now time.Time) []Event {
	p.startTimes[stepKey(m.URN, m.Op)] = now
	if isCustom(m) && isChange(string(m.Op)) {
		typ, name := typeAndName(m.URN)
		pending := Pending{URN: m.URN, Type: typ, Name: name, Op: string(m.Op)}
		p.pending[stepKey(m.URN, m.Op)], p.touched[stepKey(m.URN, m.Op)] = pending, pending
	}
	return p.stepEvents(m, Started, "", 0)
}

// onStepDone ends a step. Components end twice, once when they are registered and once with their outputs; a step of a
// refresh ends under the name of what was found.
func (p *progress) onStepDone(m apitype.StepEventMetadata, now time.Time) []Event {
	op := m.Op
	started, open := p.startTimes[stepKey(m.URN, op)]
	if !open {
		op = apitype.OpRefresh
		started, open = p.startTimes[stepKey(m.URN, op)]
	}
	if !open {
		return nil
	}
	delete(p.startTimes, stepKey(m.URN, op))
	delete(p.pending, stepKey(m.URN, op))
	if op == apitype.OpRefresh && !p.refreshing {
		return nil
	}
	if isCounted(m) {
		p.done++
		p.counts[string(m.Op)]++
	}
	if isProgramType(m.Type) && isChange(string(m.Op)) {
		p.steps = append(p.steps, newStep(m))
	}
	if m.Op == apitype.OpCreate && isProgramType(m.Type) && m.New != nil && m.New.Custom && !strings.Contains(m.Provider, plugin.UnknownStringValue) {
		p.created = append(p.created, newPlannedResource(m))
	}
	if m.Op == apitype.OpCreate && m.New != nil && (!m.New.Custom || !isProgramType(m.Type)) {
		p.parents = append(p.parents, newPlannedResource(m))
	}
	return p.stepEvents(m, Done, "", now.Sub(started))
}

func (p *progress) onStepFailed(m apitype.StepEventMetadata, now time.Time) []Event {
	started, open := p.startTimes[stepKey(m.URN, m.Op)]
	if !open {
		started = now
	}
	delete(p.startTimes, stepKey(m.URN, m.Op))
	delete(p.pending, stepKey(m.URN, m.Op))
	message := strings.Join(p.messages[m.URN], "\n")
	if message == "" {
		message = "the provider gave no reason"
	}
	delete(p.messages, m.URN)
	typ, name := typeAndName(m.URN)
	p.failed = append(p.failed, ResourceError{URN: m.URN, Type: typ, Name: name, Message: message})
	return p.stepEvents(m, Failed, message, now.Sub(started))
}

// onDiagnostic takes in what the engine, the program or a provider says. Errors are kept for the step that fails with them.
func (p *progress) onDiagnostic(d apitype.DiagnosticEvent) []Event {
	message := cleanDiagnostic(d.Message)
	if message == "" {
		return nil
	}
	if d.Severity == "error" {
		typ, _ := typeAndName(d.URN)
		urn := d.URN
		if typ == "" {
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
	typ, name := typeAndName(d.URN)
	return []Event{{URN: d.URN, Type: typ, Name: name, Status: Note, Message: message, Warning: warning,
		Done: p.done, Total: p.total}}
}

// onDownload tells once of each plugin that is downloaded or installed, which can take minutes.
func (p *progress) onDownload(e apitype.ProgressEvent) []Event {
	id := string(e.Type) + " " + e.ID
	if p.downloads[id] {
		return nil
	}
	p.downloads[id] = true
	return []Event{{Status: Note, Message: cleanDiagnostic(e.Message), Done: p.done, Total: p.total}}
}

// stepEvents makes the event of a step. The stack and its providers are no resources of the account, and a replacement is
// told of by its two parts.
func (p *progress) stepEvents(m apitype.StepEventMetadata, status Status, message string, elapsed time.Duration) []Event {
	if status != Failed && (!isProgramType(m.Type) || m.Op == apitype.OpReplace) {
		return nil
	}
	typ, name := typeAndName(m.URN)
	return []Event{{URN: m.URN, Type: typ, Name: name, Op: string(m.Op), Status: status, Message: message,
		Elapsed: elapsed, Done: p.done, Total: p.total}}
}

// running are the changes that have begun and not ended, by type and name.
func (p *progress) running() []Pending {
	return slices.SortedFunc(maps.Values(p.pending), func(a, b Pending) int { return strings.Compare(a.URN+a.Op, b.URN+b.Op) })
}

// isCustom reports whether a provider makes the resource; a component is made of others.
func isCustom(m apitype.StepEventMetadata) bool {
	return m.New != nil && m.New.Custom || m.Old != nil && m.Old.Custom
}

// summary is what was done.
func (p *progress) summary() Summary {
	return Summary{Changes: p.counts, Duration: p.ended.Sub(p.started), Warnings: p.warnings}
}

// plan is what would be done, each replacement as one step.
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

// failure is what went wrong: the steps that failed, then what was said of other resources, then what the program and
// the engine said, unless it only says that there were failures.
func (p *progress) failure(run string) Failure {
	failed := slices.Clone(p.failed)
	urns := make([]string, 0, len(p.messages))
	for urn := range p.messages {
		if urn != "" {
			urns = append(urns, urn)
		}
	}
	slices.Sort(urns)
	for _, urn := range urns {
		typ, name := typeAndName(urn)
		failed = append(failed, ResourceError{URN: urn, Type: typ, Name: name, Message: strings.Join(p.messages[urn], "\n")})
	}
	for _, message := range p.messages[""] {
		if !genericMessages.MatchString(message) {
			failed = append(failed, ResourceError{Message: message})
		}
	}
	return Failure{Run: run, Resources: failed, Summary: p.summary()}
}

// stepKey tells steps apart: a replacement has three with one URN.
func stepKey(urn string, op apitype.OpType) string { return string(op) + " " + urn }

// isCounted reports whether a step counts as one of a run's: of the three of a replacement one does.
func isCounted(m apitype.StepEventMetadata) bool {
	return isProgramType(m.Type) && m.Op != apitype.OpCreateReplacement && m.Op != apitype.OpDeleteReplaced
}

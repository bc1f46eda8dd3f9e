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
	began, ended time.Time
	// heard is whether the engine said anything.
	heard bool
	// total is how many steps are expected, done how many have ended.
	total, done int
	// refreshing runs count what they find, the others what they do.
	refreshing bool

	open     map[string]time.Time // when a step began, by its key
	pending  map[string]Pending   // those of them that change a resource, components apart
	touched  map[string]Pending   // what was ever pending
	counts   map[string]int
	steps    []Step
	created  []Creation
	frame    []Creation
	said     map[string][]string // errors by URN, of steps that have not failed yet
	failed   []ResourceError
	warnings []string
	loading  map[string]bool // plugins that were spoken of
}

func newProgress(u Update, refreshing bool, now time.Time) *progress {
	return &progress{
		began: now, total: u.Total, refreshing: refreshing,
		open: map[string]time.Time{}, pending: map[string]Pending{}, touched: map[string]Pending{}, counts: map[string]int{}, said: map[string][]string{}, loading: map[string]bool{},
	}
}

// observe takes in one of the engine's events, and returns what is to be told of it.
func (p *progress) observe(e apitype.EngineEvent, now time.Time) []Event {
	switch {
	case e.ResourcePreEvent != nil:
		return p.start(e.ResourcePreEvent.Metadata, now)
	case e.ResOutputsEvent != nil:
		return p.finish(e.ResOutputsEvent.Metadata, now)
	case e.ResOpFailedEvent != nil:
		return p.fail(e.ResOpFailedEvent.Metadata, now)
	case e.DiagnosticEvent != nil:
		return p.hear(*e.DiagnosticEvent)
	case e.ProgressEvent != nil:
		return p.load(*e.ProgressEvent)
	}
	return nil
}

func (p *progress) start(m apitype.StepEventMetadata, now time.Time) []Event {
	p.open[key(m.URN, m.Op)] = now
	if custom(m) && changes(string(m.Op)) {
		typ, name := identify(m.URN)
		begun := Pending{URN: m.URN, Type: typ, Name: name, Op: string(m.Op)}
		p.pending[key(m.URN, m.Op)], p.touched[key(m.URN, m.Op)] = begun, begun
	}
	return p.tell(m, Started, "", 0)
}

// finish ends a step. Components end twice, once when they are registered and once with their outputs; a step of a
// refresh ends under the name of what was found.
func (p *progress) finish(m apitype.StepEventMetadata, now time.Time) []Event {
	op := m.Op
	began, open := p.open[key(m.URN, op)]
	if !open {
		op = apitype.OpRefresh
		began, open = p.open[key(m.URN, op)]
	}
	if !open {
		return nil
	}
	delete(p.open, key(m.URN, op))
	delete(p.pending, key(m.URN, op))
	if op == apitype.OpRefresh && !p.refreshing {
		return nil
	}
	if counts(m) {
		p.done++
		p.counts[string(m.Op)]++
	}
	if own(m.Type) && changes(string(m.Op)) {
		p.steps = append(p.steps, step(m))
	}
	if m.Op == apitype.OpCreate && own(m.Type) && m.New != nil && m.New.Custom && !strings.Contains(m.Provider, plugin.UnknownStringValue) {
		p.created = append(p.created, creation(m))
	}
	if m.Op == apitype.OpCreate && m.New != nil && (!m.New.Custom || !own(m.Type)) {
		p.frame = append(p.frame, creation(m))
	}
	return p.tell(m, Done, "", now.Sub(began))
}

func (p *progress) fail(m apitype.StepEventMetadata, now time.Time) []Event {
	began, open := p.open[key(m.URN, m.Op)]
	if !open {
		began = now
	}
	delete(p.open, key(m.URN, m.Op))
	delete(p.pending, key(m.URN, m.Op))
	message := strings.Join(p.said[m.URN], "\n")
	if message == "" {
		message = "the provider gave no reason"
	}
	delete(p.said, m.URN)
	typ, name := identify(m.URN)
	p.failed = append(p.failed, ResourceError{URN: m.URN, Type: typ, Name: name, Message: message})
	return p.tell(m, Failed, message, now.Sub(began))
}

// hear takes in what the engine, the program or a provider says. Errors are kept for the step that fails with them.
func (p *progress) hear(d apitype.DiagnosticEvent) []Event {
	message := clean(d.Message)
	if message == "" {
		return nil
	}
	if d.Severity == "error" {
		typ, _ := identify(d.URN)
		urn := d.URN
		if typ == "" {
			urn = ""
		}
		if !slices.Contains(p.said[urn], message) {
			p.said[urn] = append(p.said[urn], message)
		}
		return nil
	}
	warning := d.Severity == "warning"
	if warning && !slices.Contains(p.warnings, message) {
		p.warnings = append(p.warnings, message)
	}
	typ, name := identify(d.URN)
	return []Event{{URN: d.URN, Type: typ, Name: name, Status: Note, Message: message, Warning: warning,
		Done: p.done, Total: p.total}}
}

// load tells once of each plugin that is downloaded or installed, which can take minutes.
func (p *progress) load(e apitype.ProgressEvent) []Event {
	id := string(e.Type) + " " + e.ID
	if p.loading[id] {
		return nil
	}
	p.loading[id] = true
	return []Event{{Status: Note, Message: clean(e.Message), Done: p.done, Total: p.total}}
}

// tell makes the event of a step. The stack and its providers are no resources of the account, and a replacement is
// told of by its two parts.
func (p *progress) tell(m apitype.StepEventMetadata, status Status, message string, elapsed time.Duration) []Event {
	if status != Failed && (!own(m.Type) || m.Op == apitype.OpReplace) {
		return nil
	}
	typ, name := identify(m.URN)
	return []Event{{URN: m.URN, Type: typ, Name: name, Op: string(m.Op), Status: status, Message: message,
		Elapsed: elapsed, Done: p.done, Total: p.total}}
}

// underWay are the changes that have begun and not ended, by type and name.
func (p *progress) underWay() []Pending {
	return slices.SortedFunc(maps.Values(p.pending), func(a, b Pending) int { return strings.Compare(a.URN+a.Op, b.URN+b.Op) })
}

// custom reports whether a provider makes the resource; a component is made of others.
func custom(m apitype.StepEventMetadata) bool {
	return m.New != nil && m.New.Custom || m.Old != nil && m.Old.Custom
}

// summary is what was done.
func (p *progress) summary() Summary {
	return Summary{Changes: p.counts, Duration: p.ended.Sub(p.began), Warnings: p.warnings}
}

// plan is what would be done, each replacement as one step.
func (p *progress) plan() Plan {
	replaced := map[string]bool{}
	for _, s := range p.steps {
		if s.Op == string(apitype.OpReplace) {
			replaced[s.URN] = true
		}
	}
	plan := Plan{Creations: p.created, Frame: p.frame, Changes: p.counts, Warnings: p.warnings}
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
	urns := make([]string, 0, len(p.said))
	for urn := range p.said {
		if urn != "" {
			urns = append(urns, urn)
		}
	}
	slices.Sort(urns)
	for _, urn := range urns {
		typ, name := identify(urn)
		failed = append(failed, ResourceError{URN: urn, Type: typ, Name: name, Message: strings.Join(p.said[urn], "\n")})
	}
	for _, message := range p.said[""] {
		if !hollow.MatchString(message) {
			failed = append(failed, ResourceError{Message: message})
		}
	}
	return Failure{Run: run, Resources: failed, Summary: p.summary()}
}

// key tells steps apart: a replacement has three with one URN.
func key(urn string, op apitype.OpType) string { return string(op) + " " + urn }

// counts reports whether a step counts as one of a run's: of the three of a replacement one does.
func counts(m apitype.StepEventMetadata) bool {
	return own(m.Type) && m.Op != apitype.OpCreateReplacement && m.Op != apitype.OpDeleteReplaced
}

package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/balancer/v3-backend-infra/checks"
)

// compactReport is a report for language models: the keys of the JSON format, healthy components counted by name, every
// other finding in full with its hint.
type compactReport struct {
	Environment   string            `yaml:"environment"`
	Region        string            `yaml:"region"`
	Timestamp     string            `yaml:"timestamp"`
	Summary       checks.Summary    `yaml:"summary,flow"`
	Error         *Failure          `yaml:"error,omitempty"`
	Services      []finding         `yaml:"services"`
	Healthy       yaml.MapSlice     `yaml:"healthy,flow,omitempty"`
	LoadBalancers []loadBalancer    `yaml:"load_balancers"`
	Certificates  []yaml.MapSlice   `yaml:"certificates,flow"`
	Debugging     stuck             `yaml:"debugging"`
	Omitted       []checks.Omission `yaml:"omitted,omitempty"`
}

// finding is one that is not healthy, with its details on one line.
type finding struct {
	Service   string         `yaml:"service"`
	Component string         `yaml:"component"`
	Status    checks.Status  `yaml:"status"`
	Reason    string         `yaml:"reason"`
	Message   string         `yaml:"message"`
	Details   map[string]any `yaml:"details,flow,omitempty"`
	Hint      *sharedHint    `yaml:"hint,omitempty"`
}

// sharedHint is a hint that is written once. Where several findings have it, it gets an anchor, and is an alias from then on.
type sharedHint struct {
	checks.Hint
	name     string
	repeated bool
}

// MarshalYAML implements yaml.BytesMarshaler.
func (h sharedHint) MarshalYAML() ([]byte, error) {
	if h.repeated {
		return []byte("*" + h.name), nil
	}
	flat := yaml.MapSlice{{Key: "cause", Value: flowText(h.Cause)}, {Key: "solution", Value: flowText(h.Solution)}}
	if h.Command != "" {
		flat = append(flat, yaml.MapItem{Key: "command", Value: flowText(h.Command)})
	}
	body, err := yaml.MarshalWithOptions(flat, yaml.Flow(true))
	if h.name != "" {
		body = append([]byte("&"+h.name+" "), body...)
	}
	return body, err
}

// sharedHints returns the hint of each finding, nil where it has none.
func sharedHints(findings []checks.Finding) []*sharedHint {
	uses := map[checks.Hint]int{}
	for _, f := range findings {
		if f.Hint != nil {
			uses[*f.Hint]++
		}
	}
	names := map[checks.Hint]string{}
	hints := make([]*sharedHint, len(findings))
	for i, f := range findings {
		if f.Hint == nil {
			continue
		}
		name, repeated := names[*f.Hint]
		if !repeated && uses[*f.Hint] > 1 {
			name = fmt.Sprintf("hint%d", len(names)+1)
			names[*f.Hint] = name
		}
		hints[i] = &sharedHint{Hint: *f.Hint, name: name, repeated: repeated}
	}
	return hints
}

type loadBalancer struct {
	Name         string               `yaml:"name"`
	State        string               `yaml:"state"`
	TargetGroups []checks.TargetGroup `yaml:"target_groups,flow"`
}

type stuck struct {
	StuckServices []checks.StuckService `yaml:"stuckServices"`
}

func newCompactReport(r EnvironmentReport, t truncation) compactReport {
	c := compactReport{
		Environment: r.Environment, Region: r.Region, Timestamp: r.Timestamp.Format(time.RFC3339), Summary: r.Summary, Error: r.Failure,
		Services: []finding{}, LoadBalancers: []loadBalancer{}, Certificates: []yaml.MapSlice{},
		Debugging: stuck{r.Debugging.StuckServices}, Omitted: r.Omitted,
	}
	hints := sharedHints(r.Services)
	for i, f := range r.Services {
		if f.Status != checks.Healthy || f.Reason == checks.ReasonAsleep {
			c.Services = append(c.Services, finding{f.Service, f.Component, f.Status, f.Reason, f.Message, t.details(f), hints[i]})
		}
	}
	for _, g := range healthyGroups(r.Services) {
		if r.Asleep() {
			break
		}
		c.Healthy = append(c.Healthy, yaml.MapItem{Key: g.Component, Value: len(g.Findings)})
	}
	for _, b := range r.LoadBalancers {
		c.LoadBalancers = append(c.LoadBalancers, loadBalancer{Name: b.Name, State: b.State, TargetGroups: b.TargetGroups})
	}
	for _, cert := range r.Certificates {
		item := yaml.MapSlice{{Key: "domain", Value: flowText(cert.Domain)}, {Key: "status", Value: flowText(cert.Status)}}
		if cert.DaysLeft != nil {
			item = append(item, yaml.MapItem{Key: "days_left", Value: *cert.DaysLeft})
		}
		c.Certificates = append(c.Certificates, item)
	}
	return c
}

func writeYAML(w io.Writer, r EnvironmentReport, _ Style) error {
	body, err := boundedYAML(r)
	if err == nil {
		_, err = w.Write(body)
	}
	return err
}

// writeYAMLAndSummary writes YAML and then the summary as a comment, so that the whole can be parsed.
func writeYAMLAndSummary(w io.Writer, r EnvironmentReport, style Style) error {
	if err := writeYAML(w, r, style); err != nil {
		return err
	}
	plain := Style{Width: max(0, style.Width-len("# ")), ASCII: style.ASCII}
	var b bytes.Buffer
	if err := writeSummary(&b, r, plain); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := io.WriteString(w, strings.TrimRight("# "+line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// truncation limits how much of a finding's details is shown. The zero value shows everything.
type truncation struct {
	// maxText is how many characters of a text are shown, maxItems how many items of a list: the last ones, as in a log.
	maxText, maxItems int
	omitDetails       bool
}

// truncations returns what is tried, in this order, until a report is short enough. Findings, messages and hints are never
// truncated.
func truncations() []truncation {
	return []truncation{{}, {maxText: 160, maxItems: 4}, {maxText: 80, maxItems: 2}, {omitDetails: true}}
}

// maxYAMLShare is how many bytes YAML may have for each of the JSON's, while no more than a tenth of the findings is not
// healthy. The promise is a fifth of the tokens; those of JSON, with its white space, are up to 1.2 times as long.
const maxYAMLShare = 0.16

// boundedYAML returns the report as YAML of the promised length. Where no truncation suffices, because the report has few
// findings, nothing is truncated.
func boundedYAML(r EnvironmentReport) ([]byte, error) {
	var full bytes.Buffer
	if err := JSON(&full, r); err != nil {
		return nil, err
	}
	var first []byte
	for _, t := range truncations() {
		var b bytes.Buffer
		if err := YAML(&b, newCompactReport(r, t)); err != nil {
			return nil, err
		}
		if first == nil {
			first = b.Bytes()
		}
		mostlyHealthy := 10*(r.Summary.Total-r.Summary.Healthy) <= r.Summary.Total
		if !mostlyHealthy || float64(b.Len()) <= maxYAMLShare*float64(full.Len()) {
			return b.Bytes(), nil
		}
	}
	return first, nil
}

// details returns a finding's details, truncated.
func (t truncation) details(f checks.Finding) map[string]any {
	if t.omitDetails {
		return nil
	}
	plain, err := plainJSON(f.Details)
	if err != nil {
		return f.Details
	}
	quoted, found := quoteLines(plain)
	switch {
	case t != (truncation{}):
		quoted = t.truncate(quoted)
	case !found:
		return f.Details
	}
	return quoted.(map[string]any)
}

// quotedLines is a text of several lines, or with brackets or braces, within brackets or braces. There the encoder quotes neither.
type quotedLines string

// MarshalYAML implements yaml.BytesMarshaler.
func (q quotedLines) MarshalYAML() ([]byte, error) { return json.Marshal(string(q)) }

// quoteLines returns a value with its texts of several lines as quotedLines, and whether there were any.
func quoteLines(v any) (quoted any, found bool) {
	switch v := v.(type) {
	case string:
		quoted = flowText(v)
		return quoted, quoted != any(v)
	case map[string]any:
		for key, inner := range v {
			changed, has := quoteLines(inner)
			v[key], found = changed, found || has
		}
	case []any:
		for i, inner := range v {
			changed, has := quoteLines(inner)
			v[i], found = changed, found || has
		}
	}
	return v, found
}

// flowText returns a text as quotedLines where it needs that, else the text.
func flowText(s string) any {
	if strings.ContainsAny(s, "\n[]{}") {
		return quotedLines(s)
	}
	return s
}

func (t truncation) truncate(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			v[key] = t.truncate(inner)
		}
		return v
	case []any:
		short := []any{}
		if left := len(v) - t.maxItems; left > 0 {
			short, v = append(short, fmt.Sprintf("… %d more", left)), v[left:]
		}
		for _, item := range v {
			short = append(short, t.truncate(item))
		}
		return short
	case string:
		if runes := []rune(v); len(runes) > t.maxText {
			return string(runes[:t.maxText]) + "…"
		}
	}
	return v
}

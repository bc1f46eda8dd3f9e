package ui

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/balancer/v3-backend-infra/checks"
)

// compactReport is a report for those who pay by the word: the keys of the JSON form, healthy components counted by name, every
// other finding whole with its hint.
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

// finding is one that is not healthy, its evidence on one line.
type finding struct {
	Service   string         `yaml:"service"`
	Component string         `yaml:"component"`
	Status    checks.Status  `yaml:"status"`
	Reason    string         `yaml:"reason"`
	Message   string         `yaml:"message"`
	Details   map[string]any `yaml:"details,flow,omitempty"`
	Hint      *sharedHint    `yaml:"hint,omitempty"`
}

// sharedHint is advice that is written once: with a name where it is needed again, and by that name from then on.
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
	body, err := yaml.MarshalWithOptions(h.Hint, yaml.Flow(true))
	if h.name != "" {
		body = append([]byte("&"+h.name+" "), body...)
	}
	return body, err
}

// sharedHints are the hints of the findings, in their order; nil for those that have none.
func sharedHints(findings []checks.Finding) []*sharedHint {
	needed := map[checks.Hint]int{}
	for _, f := range findings {
		if f.Hint != nil {
			needed[*f.Hint]++
		}
	}
	names := map[checks.Hint]string{}
	hints := make([]*sharedHint, len(findings))
	for i, f := range findings {
		if f.Hint == nil {
			continue
		}
		name, repeated := names[*f.Hint]
		if !repeated && needed[*f.Hint] > 1 {
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

func newCompactReport(j EnvironmentReport, t truncation) compactReport {
	c := compactReport{
		Environment: j.Environment, Region: j.Region, Timestamp: j.Timestamp.Format(time.RFC3339), Summary: j.Summary, Error: j.Failure,
		Services: []finding{}, LoadBalancers: []loadBalancer{}, Certificates: []yaml.MapSlice{},
		Debugging: stuck{j.Debugging.StuckServices}, Omitted: j.Omitted,
	}
	hints := sharedHints(j.Services)
	for i, f := range j.Services {
		if f.Status != checks.Healthy {
			c.Services = append(c.Services, finding{f.Service, f.Component, f.Status, f.Reason, f.Message, t.details(f), hints[i]})
		}
	}
	for _, g := range healthyGroups(j.Services) {
		c.Healthy = append(c.Healthy, yaml.MapItem{Key: g.component, Value: len(g.findings)})
	}
	for _, b := range j.LoadBalancers {
		c.LoadBalancers = append(c.LoadBalancers, loadBalancer{Name: b.Name, State: b.State, TargetGroups: b.TargetGroups})
	}
	for _, cert := range j.Certificates {
		item := yaml.MapSlice{{Key: "domain", Value: cert.Domain}, {Key: "status", Value: cert.Status}}
		if cert.DaysLeft != nil {
			item = append(item, yaml.MapItem{Key: "days_left", Value: *cert.DaysLeft})
		}
		c.Certificates = append(c.Certificates, item)
	}
	return c
}

func writeYAML(w io.Writer, j EnvironmentReport, _ Style) error {
	body, err := boundedYAML(j)
	if err != nil {
		return err
	}
	_, err = w.Write(body)
	return err
}

// writeYAMLAndSummary is the YAML and then the summary as a comment of it, so that the whole still parses.
func writeYAMLAndSummary(w io.Writer, j EnvironmentReport, style Style) error {
	if err := writeYAML(w, j, style); err != nil {
		return err
	}
	plain := Style{Width: max(0, style.Width-len("# ")), NoEmoji: style.NoEmoji}
	var b bytes.Buffer
	if err := writeSummary(&b, j, plain); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := io.WriteString(w, strings.TrimRight("# "+line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

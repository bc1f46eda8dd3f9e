package ui

import (
	"bytes"
	"fmt"

	"github.com/balancer/v3-backend-infra/checks"
)

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
	if t == (truncation{}) || err != nil {
		return f.Details
	}
	return t.truncate(plain).(map[string]any)
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

package ui

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/balancer/v3-backend-infra/checks"
)

// truncation is how much of a finding's evidence is shown. The zero value shows all of it.
type truncation struct {
	// maxText is how many characters of a text are shown, items how many of a list: the last ones, as in a log.
	maxText, maxItems int
	// omitDetails shows no evidence at all.
	omitDetails bool
}

// truncations are tried one after the other until a report is short enough. Findings, messages and hints are never cut.
func truncations() []truncation {
	return []truncation{{}, {maxText: 160, maxItems: 4}, {maxText: 80, maxItems: 2}, {omitDetails: true}}
}

// maxYAMLShare is how many bytes the YAML may have for each of the JSON's, while no more than a tenth of the findings is
// not healthy. The promise is a fifth of the tokens; the JSON's, with all its white space, are up to 1.2 times as long.
const maxYAMLShare = 0.16

// boundedYAML writes the report as YAML within what was promised of its length. Where no cut is enough, because the
// report is about little, nothing is cut.
func boundedYAML(j EnvironmentReport) ([]byte, error) {
	var whole bytes.Buffer
	if err := JSON(&whole, j); err != nil {
		return nil, err
	}
	var first []byte
	for _, t := range truncations() {
		var b bytes.Buffer
		if err := YAML(&b, newCompactReport(j, t)); err != nil {
			return nil, err
		}
		if first == nil {
			first = b.Bytes()
		}
		few := 10*(j.Summary.Total-j.Summary.Healthy) <= j.Summary.Total
		if !few || float64(b.Len()) <= maxYAMLShare*float64(whole.Len()) {
			return b.Bytes(), nil
		}
	}
	return first, nil
}

// details are the details of a finding after the cut.
func (c truncation) details(f checks.Finding) map[string]any {
	if c.omitDetails {
		return nil
	}
	if c == (truncation{}) {
		return f.Details
	}
	encoded, err := json.Marshal(f.Details)
	if err != nil {
		return f.Details
	}
	var plain map[string]any
	if err := json.Unmarshal(encoded, &plain); err != nil {
		return f.Details
	}
	return c.truncate(plain).(map[string]any)
}

func (c truncation) truncate(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			v[key] = c.truncate(inner)
		}
		return v
	case []any:
		short := []any{}
		if left := len(v) - c.maxItems; left > 0 {
			short, v = append(short, fmt.Sprintf("… %d more", left)), v[left:]
		}
		for _, item := range v {
			short = append(short, c.truncate(item))
		}
		return short
	case string:
		if runes := []rune(v); len(runes) > c.maxText {
			return string(runes[:c.maxText]) + "…"
		}
	}
	return v
}

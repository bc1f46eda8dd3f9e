package ui

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/balancer/v3-backend-infra/checks"
)

// cut is how much of a finding's evidence is shown. The zero value shows all of it.
type cut struct {
	// text is how many characters of a text are shown, items how many of a list: the last ones, as in a log.
	text, items int
	// none shows no evidence at all.
	none bool
}

// cuts are tried one after the other until a report is short enough. Findings, messages and hints are never cut.
func cuts() []cut {
	return []cut{{}, {text: 160, items: 4}, {text: 80, items: 2}, {none: true}}
}

// compactShare is how many bytes the YAML may have for each of the JSON's, while no more than a tenth of the findings is
// not healthy. The promise is a fifth of the tokens; the JSON's, with all its white space, are up to 1.2 times as long.
const compactShare = 0.16

// compactedWithin writes the report as YAML within what was promised of its length. Where no cut is enough, because the
// report is about little, nothing is cut.
func compactedWithin(j Judged) ([]byte, error) {
	var whole bytes.Buffer
	if err := JSON(&whole, j); err != nil {
		return nil, err
	}
	var first []byte
	for _, how := range cuts() {
		var b bytes.Buffer
		if err := YAML(&b, compacted(j, how)); err != nil {
			return nil, err
		}
		if first == nil {
			first = b.Bytes()
		}
		few := 10*(j.Summary.Total-j.Summary.Healthy) <= j.Summary.Total
		if !few || float64(b.Len()) <= compactShare*float64(whole.Len()) {
			return b.Bytes(), nil
		}
	}
	return first, nil
}

// of are the details of a finding after the cut.
func (c cut) of(f checks.Finding) map[string]any {
	if c.none {
		return nil
	}
	if c == (cut{}) {
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
	return c.value(plain).(map[string]any)
}

func (c cut) value(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			v[key] = c.value(inner)
		}
		return v
	case []any:
		short := []any{}
		if left := len(v) - c.items; left > 0 {
			short, v = append(short, fmt.Sprintf("… %d more", left)), v[left:]
		}
		for _, item := range v {
			short = append(short, c.value(item))
		}
		return short
	case string:
		if runes := []rune(v); len(runes) > c.text {
			return string(runes[:c.text]) + "…"
		}
	}
	return v
}

package checks

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAggregate(t *testing.T) {
	of := func(statuses ...Status) []Finding {
		var findings []Finding
		for _, s := range statuses {
			findings = append(findings, Finding{Status: s})
		}
		return findings
	}
	for name, test := range map[string]struct {
		findings []Finding
		want     Summary
	}{
		"nothing is unknown":          {nil, Summary{Status: Unknown}},
		"all healthy":                 {of(Healthy, Healthy), Summary{Status: Healthy, Healthy: 2, Total: 2}},
		"unknown outranks healthy":    {of(Healthy, Unknown), Summary{Status: Unknown, Healthy: 1, Unknown: 1, Total: 2}},
		"warning outranks unknown":    {of(Unknown, Warning), Summary{Status: Warning, Warning: 1, Unknown: 1, Total: 2}},
		"error outranks everything":   {of(Unknown, Warning, Error, Healthy), Summary{Status: Error, Healthy: 1, Warning: 1, Error: 1, Unknown: 1, Total: 4}},
		"an undefined status":         {of("fine"), Summary{Status: Unknown, Unknown: 1, Total: 1}},
		"an empty status is not well": {of(""), Summary{Status: Unknown, Unknown: 1, Total: 1}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, Aggregate(test.findings)) })
	}
}

package engine

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerify(t *testing.T) {
	const (
		stack    = `{"urn": "urn:stack", "type": "pulumi:pulumi:Stack"}`
		provider = `{"urn": "urn:provider", "type": "pulumi:providers:aws", "custom": true, "id": "1"}`
		a        = `{"urn": "urn:a", "type": "aws:t", "custom": true, "id": "a", "parent": "urn:stack", "provider": "urn:provider::1"}`
		b        = `{"urn": "urn:b", "type": "aws:t", "custom": true, "id": "b", "dependencies": ["urn:a"]}`
		c        = `{"urn": "urn:c", "type": "aws:t", "custom": true, "id": "c", "propertyDependencies": {"x": ["urn:a"]}}`
		d        = `{"urn": "urn:d", "type": "aws:t", "custom": true, "id": "d", "deletedWith": "urn:a"}`
		oldA     = `{"urn": "urn:a", "type": "aws:t", "custom": true, "id": "z", "delete": true}`
	)
	for name, test := range map[string]struct {
		resources []string
		want      string
	}{
		"consistent":                   {[]string{stack, provider, a, b, c, d}, ""},
		"empty":                        {nil, ""},
		"a replaced resource":          {[]string{stack, provider, a, oldA, oldA}, ""},
		"only a replaced resource":     {[]string{stack, provider, oldA, b}, ""},
		"a dependency that comes late": {[]string{stack, provider, b, a}, "the resource urn:b needs urn:a, which comes after it"},
		"a dependency that is missing": {[]string{stack, provider, b}, "the resource urn:b needs urn:a, which is missing"},
		"a property's dependency":      {[]string{stack, provider, c, a}, "the resource urn:c needs urn:a, which comes after it"},
		"what it is deleted with":      {[]string{stack, provider, d}, "the resource urn:d needs urn:a, which is missing"},
		"no parent":                    {[]string{provider, a}, "the resource urn:a needs urn:stack, which is missing"},
		"a provider that comes late":   {[]string{stack, a, provider}, "the resource urn:a needs the provider urn:provider::1, which is not before it"},
		"another provider": {[]string{stack, `{"urn": "urn:provider", "type": "pulumi:providers:aws", "custom": true, "id": "2"}`, a},
			"the resource urn:a needs the provider urn:provider::1, which is not before it"},
		"twice":       {[]string{stack, provider, a, a}, "the resource urn:a exists twice"},
		"no type":     {[]string{`{"urn": "urn:a"}`}, "its resource 0 has no URN or no type"},
		"not one":     {[]string{stack, `"text"`}, "1 of its resources cannot be read"},
		"an ID of it": {[]string{`{"urn": "urn:a", "type": "t", "id": "i"}`}, "the component urn:a has an ID"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := &stateDocument{}
			for _, r := range test.resources {
				doc.Resources = append(doc.Resources, json.RawMessage(r))
			}
			sortable, err := doc.verify()
			require.Equal(t, strings.HasSuffix(test.want, "after it") || name == "a provider that comes late", sortable)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
		})
	}
}

package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDiffJSON(t *testing.T) {
	for name, test := range map[string]struct {
		in   Difference
		want []Difference
	}{
		"one leaf of container definitions": {
			Difference{Path: "containerDefinitions", Kind: "update", Replaces: true,
				Old: `[{"name":"api","image":"repo@sha256:1","cpu":256}]`, New: `[{"image":"repo@sha256:2","cpu":256,"name":"api"}]`},
			[]Difference{{Path: "containerDefinitions[0].image", Kind: "update", Replaces: true, Old: "repo@sha256:1", New: "repo@sha256:2"}},
		},
		"something added and something gone": {
			Difference{Path: "policy", Old: `{"a":[1,2],"b":true}`, New: `{"a":[1],"c":{"d":null,"e":"x"}}`},
			[]Difference{
				{Path: "policy.a[1]", Kind: "delete", Old: 2.0},
				{Path: "policy.b", Kind: "delete", Old: true},
				{Path: "policy.c", Kind: "add", New: map[string]any{"d": nil, "e": "x"}},
			},
		},
		"only the text differs": {
			Difference{Path: "policy", Kind: "update", Old: `{"a":1}`, New: `{ "a": 1 }`},
			[]Difference{{Path: "policy", Kind: "update", Old: `{"a":1}`, New: `{ "a": 1 }`}},
		},
		"no document": {
			Difference{Path: "name", Kind: "update", Old: "a", New: "b"}, []Difference{{Path: "name", Kind: "update", Old: "a", New: "b"}},
		},
		"secret": {
			Difference{Path: "policy", Kind: "update", Old: Masked, New: Masked}, []Difference{{Path: "policy", Kind: "update", Old: Masked, New: Masked}},
		},
		"not known yet": {
			Difference{Path: "policy", Kind: "update", Old: `{"a":1}`, New: Unknown}, []Difference{{Path: "policy", Kind: "update", Old: `{"a":1}`, New: Unknown}},
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, diffJSON(test.in)) })
	}
}

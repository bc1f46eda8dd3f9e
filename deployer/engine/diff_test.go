package engine

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/stretchr/testify/require"
)

func TestDifferences(t *testing.T) {
	secret := map[string]any{resource.SigKey: resource.SecretSig, "ciphertext": "[secret]"}
	in := func(kind apitype.DiffKind) apitype.PropertyDiff {
		return apitype.PropertyDiff{Kind: kind, InputDiff: true}
	}
	type bags = apitype.StepEventStateMetadata
	for name, c := range map[string]struct {
		m    apitype.StepEventMetadata
		want []Difference
	}{
		"nested and listed": {apitype.StepEventMetadata{
			Op:           apitype.OpUpdate,
			Old:          &bags{Inputs: map[string]any{"ingress": []any{map[string]any{"port": 80.0}}, "gone": "x"}},
			New:          &bags{Inputs: map[string]any{"ingress": []any{map[string]any{"port": 443.0}}, "added": true}},
			DetailedDiff: map[string]apitype.PropertyDiff{"ingress[0].port": in("update"), "gone": in("delete"), "added": in("add")},
		}, []Difference{
			{Path: "added", Kind: "add", New: true},
			{Path: "gone", Kind: "delete", Old: "x"},
			{Path: "ingress[0].port", Kind: "update", Old: 80.0, New: 443.0},
		}},
		"quoted keys": {apitype.StepEventMetadata{
			Op:           apitype.OpUpdate,
			Old:          &bags{Inputs: map[string]any{"tags": map[string]any{"a.b": "1"}}},
			New:          &bags{Inputs: map[string]any{"tags": map[string]any{"a.b": "2"}}},
			DetailedDiff: map[string]apitype.PropertyDiff{`tags["a.b"]`: in("update-replace")},
		}, []Difference{{Path: `tags["a.b"]`, Kind: "update", Replaces: true, Old: "1", New: "2"}}},
		"state against inputs": {apitype.StepEventMetadata{
			Op:           apitype.OpUpdate,
			Old:          &bags{Inputs: map[string]any{"size": 1.0}, Outputs: map[string]any{"size": 2.0}},
			New:          &bags{Inputs: map[string]any{"size": 3.0}, Outputs: map[string]any{"size": 4.0}},
			DetailedDiff: map[string]apitype.PropertyDiff{"size": {Kind: "update"}},
		}, []Difference{{Path: "size", Kind: "update", Old: 2.0, New: 3.0}}},
		"secret before": {apitype.StepEventMetadata{
			Op:           apitype.OpUpdate,
			Old:          &bags{Inputs: map[string]any{"p": map[string]any{"inner": secret}}},
			New:          &bags{Inputs: map[string]any{"p": map[string]any{"inner": "found out"}}},
			DetailedDiff: map[string]apitype.PropertyDiff{"p.inner": in("update")},
		}, []Difference{{Path: "p.inner", Kind: "update", Old: Masked, New: Masked}}},
		"below a secret": {apitype.StepEventMetadata{
			Op:           apitype.OpUpdate,
			Old:          &bags{Inputs: map[string]any{"p": secret}},
			New:          &bags{Inputs: map[string]any{"p": map[string]any{"inner": "found out"}}},
			DetailedDiff: map[string]apitype.PropertyDiff{"p.inner": in("update")},
		}, []Difference{{Path: "p.inner", Kind: "update", Old: Masked, New: Masked}}},
		"secret removed": {apitype.StepEventMetadata{
			Op:           apitype.OpUpdate,
			Old:          &bags{Inputs: map[string]any{"p": secret}},
			New:          &bags{},
			DetailedDiff: map[string]apitype.PropertyDiff{"p": in("delete")},
		}, []Difference{{Path: "p", Kind: "delete", Old: Masked}}},
		"not known yet": {apitype.StepEventMetadata{
			Op:           apitype.OpReplace,
			Old:          &bags{Inputs: map[string]any{"arn": "a"}},
			New:          &bags{Inputs: map[string]any{"arn": plugin.UnknownStringValue}},
			Keys:         []string{"arn"},
			DetailedDiff: map[string]apitype.PropertyDiff{"arn": in("update")},
		}, []Difference{{Path: "arn", Kind: "update", Replaces: true, Old: "a", New: Unknown}}},
		"only names": {apitype.StepEventMetadata{
			Op:    apitype.OpUpdate,
			Old:   &bags{Inputs: map[string]any{"a": "1", "b": "1"}},
			New:   &bags{Inputs: map[string]any{"a": "2", "b": "1"}},
			Diffs: []string{"a"},
		}, []Difference{{Path: "a", Kind: "update", Old: "1", New: "2"}}},
		"no detailed diff": {apitype.StepEventMetadata{
			Op:  apitype.OpUpdate,
			Old: &bags{Outputs: map[string]any{"a": "1", "b": "1", "gone": "x"}},
			New: &bags{Outputs: map[string]any{"a": "2", "b": "1"}},
		}, []Difference{{Path: "a", Kind: "update", Old: "1", New: "2"}, {Path: "gone", Kind: "update", Old: "x"}}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, differences(c.m, false)) })
	}
}

// The bridge compares the state, or in a refresh what it read from the account, with the inputs: the sides are what it
// compared, and never twice the same value.
func TestDifferencesHaveTwoSides(t *testing.T) {
	state := apitype.PropertyDiff{Kind: apitype.DiffUpdate}
	tags := map[string]any{"Environment": "production"}
	type bags = apitype.StepEventStateMetadata
	for name, c := range map[string]struct {
		old, updated bags
		diff         map[string]apitype.PropertyDiff
		refreshed    bool
		want         []Difference
	}{
		"the account dropped a setting before": {
			old:       bags{Inputs: map[string]any{"enableEcsManagedTags": true}, Outputs: map[string]any{"enableEcsManagedTags": false}},
			updated:   bags{Inputs: map[string]any{"enableEcsManagedTags": false}, Outputs: map[string]any{"enableEcsManagedTags": false}},
			diff:      map[string]apitype.PropertyDiff{"enableEcsManagedTags": state},
			refreshed: true,
			want:      []Difference{{Path: "enableEcsManagedTags", Kind: "update", Old: true, New: false}},
		},
		"the account has no tags": {
			old:       bags{Inputs: map[string]any{"tags": tags}, Outputs: map[string]any{"tags": map[string]any{}}},
			updated:   bags{Inputs: map[string]any{"tags": map[string]any{}}, Outputs: map[string]any{"tags": map[string]any{}}},
			diff:      map[string]apitype.PropertyDiff{"tags": state, "tags.Environment": {Kind: apitype.DiffDelete}},
			refreshed: true,
			want:      []Difference{{Path: "tags.Environment", Kind: "delete", Old: "production"}},
		},
		"only the parent": {
			old:       bags{Inputs: map[string]any{"tags": tags}, Outputs: map[string]any{"tags": map[string]any{}}},
			updated:   bags{Outputs: map[string]any{"tags": map[string]any{}}},
			diff:      map[string]apitype.PropertyDiff{"tags": state},
			refreshed: true,
			want:      []Difference{{Path: "tags", Kind: "update", Old: tags, New: map[string]any{}}},
		},
		"not declared, and as it was": {
			old:       bags{Outputs: map[string]any{"size": 2.0}},
			updated:   bags{Outputs: map[string]any{"size": 2.0}},
			diff:      map[string]apitype.PropertyDiff{"size": state},
			refreshed: true,
			want:      []Difference{{Path: "size", Kind: "update", New: 2.0}},
		},
		"not declared, and changed": {
			old:       bags{Outputs: map[string]any{"size": 1.0}},
			updated:   bags{Outputs: map[string]any{"size": 2.0}},
			diff:      map[string]apitype.PropertyDiff{"size": state},
			refreshed: true,
			want:      []Difference{{Path: "size", Kind: "update", Old: 1.0, New: 2.0}},
		},
		"an update of what the account does not keep": {
			old:     bags{Inputs: map[string]any{"tags": tags}, Outputs: map[string]any{"tags": map[string]any{}}},
			updated: bags{Inputs: map[string]any{"tags": tags}},
			diff:    map[string]apitype.PropertyDiff{"tags": state, "tags.Environment": {Kind: apitype.DiffAdd}},
			want:    []Difference{{Path: "tags.Environment", Kind: "add", New: "production"}},
		},
		"an element of a set": {
			old:     bags{Outputs: map[string]any{"ids": []any{"a", "b"}}},
			updated: bags{Inputs: map[string]any{"ids": []any{"a", "c"}}},
			diff:    map[string]apitype.PropertyDiff{"ids": state, "ids[1]": {Kind: apitype.DiffAddReplace}},
			want:    []Difference{{Path: "ids[1]", Kind: "add", Replaces: true, New: "c"}},
		},
		"only the parent replaces": {
			old:     bags{Outputs: map[string]any{"volume": map[string]any{"size": 1.0}}},
			updated: bags{Inputs: map[string]any{"volume": map[string]any{"size": 2.0}}},
			diff:    map[string]apitype.PropertyDiff{"volume": {Kind: apitype.DiffUpdateReplace}, "volume.size": state},
			want:    []Difference{{Path: "volume.size", Kind: "update", Replaces: true, Old: 1.0, New: 2.0}},
		},
		"the names of inputs that are the same": {
			old:     bags{Inputs: map[string]any{"size": 2.0}, Outputs: map[string]any{"size": 1.0}},
			updated: bags{Inputs: map[string]any{"size": 2.0}},
			diff:    map[string]apitype.PropertyDiff{"size": {Kind: apitype.DiffUpdate, InputDiff: true}},
			want:    []Difference{{Path: "size", Kind: "update", Old: 1.0, New: 2.0}},
		},
		"an equal one beside a difference": {
			old:     bags{Outputs: map[string]any{"a": 1.0, "b": 1.0}},
			updated: bags{Inputs: map[string]any{"a": 1.0, "b": 2.0}},
			diff:    map[string]apitype.PropertyDiff{"a": state, "b": state},
			want:    []Difference{{Path: "b", Kind: "update", Old: 1.0, New: 2.0}},
		},
		"an equal one that replaces": {
			old:     bags{Outputs: map[string]any{"a": 1.0, "b": 1.0}},
			updated: bags{Inputs: map[string]any{"a": 1.0, "b": 2.0}},
			diff:    map[string]apitype.PropertyDiff{"a": {Kind: apitype.DiffUpdateReplace}, "b": state},
			want: []Difference{
				{Path: "a", Kind: "update", Replaces: true, Old: 1.0, New: 1.0}, {Path: "b", Kind: "update", Old: 1.0, New: 2.0},
			},
		},
		"an input that becomes null": {
			old:     bags{Inputs: map[string]any{"actions": []any{"a"}}, Outputs: map[string]any{"actions": []any{"a"}}},
			updated: bags{Outputs: map[string]any{"actions": []any{"a"}}},
			diff:    map[string]apitype.PropertyDiff{"actions": {Kind: apitype.DiffUpdate, InputDiff: true}},
			want:    []Difference{{Path: "actions", Kind: "update", Old: []any{"a"}}},
		},
		"an equal one that another explains": {
			old:     bags{Outputs: map[string]any{"cpu": "256", "image": "a"}},
			updated: bags{Inputs: map[string]any{"cpu": "256", "image": "b"}},
			diff:    map[string]apitype.PropertyDiff{"cpu": {Kind: apitype.DiffUpdateReplace}, "image": {Kind: apitype.DiffUpdateReplace}},
			want:    []Difference{{Path: "image", Kind: "update", Replaces: true, Old: "a", New: "b"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := apitype.StepEventMetadata{Op: apitype.OpUpdate, Old: &c.old, New: &c.updated, DetailedDiff: c.diff}
			require.Equal(t, c.want, differences(m, c.refreshed))
		})
	}
}

func TestStepOfAProtectedResource(t *testing.T) {
	s := newStep(apitype.StepEventMetadata{Op: apitype.OpDelete, URN: urnOne,
		Old: &apitype.StepEventStateMetadata{Protect: true}}, false)
	require.Equal(t, Step{Op: "delete", URN: urnOne, Type: "test:index:Thing", Name: "one", Deletes: true, Protected: true, Before: map[string]any{}}, s)
}

// The properties of a step have no secret, whichever of its states marks it.
func TestPropertiesOfAStep(t *testing.T) {
	type bags = apitype.StepEventStateMetadata
	secret := map[string]any{resource.SigKey: resource.SecretSig, "ciphertext": "[secret]"}
	m := apitype.StepEventMetadata{
		Op: apitype.OpUpdate, URN: urnOne,
		Old: &bags{
			Inputs:  map[string]any{"password": "found out", "login": map[string]any{"user": "u", "key": "found out"}, "size": 1.0},
			Outputs: map[string]any{"password": secret},
		},
		New: &bags{Inputs: map[string]any{
			"password": "found out", "login": map[string]any{"user": "u", "key": secret}, "size": 2.0, "arn": plugin.UnknownStringValue,
		}},
	}
	s := newStep(m, false)
	require.Equal(t, map[string]any{"password": Masked, "login": Masked, "size": 1.0}, s.Before)
	require.Equal(t, map[string]any{"password": Masked, "login": Masked, "size": 2.0, "arn": Unknown}, s.After)
	m.Op, m.Old = apitype.OpCreate, nil
	s = newStep(m, false)
	require.Nil(t, s.Before)
	require.NotNil(t, s.After)
	refreshed := newStep(m, true)
	require.Nil(t, refreshed.After, "what a refresh found is not declared")
}

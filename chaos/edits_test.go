package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

func TestEveryEditIsValid(t *testing.T) {
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	h := &harness{root: root}
	unchanged := t.TempDir()
	require.NoError(t, h.project(unchanged, nil))
	before, err := environment.Load(unchanged, "staging")
	require.NoError(t, err)
	for _, e := range edits() {
		dir := t.TempDir()
		require.NoError(t, h.project(dir, []edit{e}), "%s", e)
		after, err := environment.Load(dir, "staging")
		require.NoError(t, err)
		require.NotEqual(t, before, after, "%s changes nothing", e)
	}
}

// A key that is added to the model must be added to the edits or to uneditedKeys.
func TestEditsCoverEveryKey(t *testing.T) {
	var covered []string
	for _, e := range edits() {
		covered = append(covered, e.key)
		if inner, ok := e.value.(object); ok {
			for key := range inner {
				covered = append(covered, e.key+"."+key)
			}
		}
	}
	for key := range uneditedKeys() {
		covered = append(covered, key)
	}
	for _, key := range keys(reflect.TypeFor[environment.Environment](), "") {
		key = strings.NewReplacer("services.scheduler.", "services.api.", "services.worker.", "services.api.").Replace(key)
		require.True(t, slices.ContainsFunc(covered, func(c string) bool { return c == key || strings.HasPrefix(key, c+".") || strings.HasPrefix(c, key+".") }),
			"no edit changes %s", key)
	}
}

// uneditedKeys returns the keys that are not edited, with the reason.
func uneditedKeys() map[string]string {
	const identity = "names what is deployed: another value is another environment"
	return map[string]string{
		"name": identity, "prefix": identity, "account": identity, "region": identity, "domain.root": identity,
		"protected": "other keys have to follow it", "image.architecture": "every image of a trial is built for one architecture",
	}
}

// keys returns the dotted paths of a type's YAML keys that hold values.
func keys(typ reflect.Type, path string) []string {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Duration]() {
		return []string{strings.TrimPrefix(path, ".")}
	}
	var all []string
	for field := range typ.Fields() {
		if name := field.Tag.Get("yaml"); name != "-" {
			all = append(all, keys(field.Type, path+"."+name)...)
		}
	}
	return all
}

func TestEditTrialsFollowFromTheSeed(t *testing.T) {
	all := planEdits(options{edits: 200, seed: 7})
	require.Equal(t, all, planEdits(options{edits: 200, seed: 7}))
	require.NotEqual(t, all, planEdits(options{edits: 200, seed: 8}))
	require.Equal(t, all[11:12], planEdits(options{edits: 200, seed: 7, onlyEdits: 12}))
	seen := map[string]bool{}
	for _, trial := range all {
		seen[trial.action], seen[trial.partial] = true, true
	}
	for _, want := range append(append(actions(), partialEnds...), "") {
		require.True(t, seen[want], want)
	}
}

func TestInconsistentStateIsDetected(t *testing.T) {
	write := func(resources string) string {
		dir := t.TempDir()
		file := filepath.Join(dir, "local", "state", ".pulumi", "stacks", "v3-backend", "staging.json")
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(`{"checkpoint":{"latest":{"resources":[`+resources+`]}}}`), 0o600))
		return dir
	}
	const a, b = `{"urn":"a"}`, `{"urn":"b","propertyDependencies":{"x":["a"]}}`
	require.NoError(t, consistent(write(a+","+b)))
	require.Error(t, consistent(write(b+","+a)))
	require.Error(t, consistent(write(b)))
}

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

const (
	urnOne = "urn:pulumi:dev::proj::test:index:Thing::one"
	urnTwo = "urn:pulumi:dev::proj::test:index:Thing::two"
)

// A machine with neither the work copy nor a key in the project's settings uses the key of the state.
func TestTheStateHasTheKeyOfTheSecrets(t *testing.T) {
	for name, c := range map[string]struct {
		with func(harness) harness
		key  func(Encryption) string
	}{
		"a passphrase": {harness.withPassphrase, func(e Encryption) string { return e.EncryptionSalt }},
		"KMS":          {func(l harness) harness { return l }, func(e Encryption) string { return e.EncryptedKey }},
	} {
		t.Run(name, func(t *testing.T) {
			verifyTheStateHasTheKey(t, c.with(newHarness(t, pair(valueMap("a"), valueMap("b")))), c.key)
		})
	}
}

func verifyTheStateHasTheKey(t *testing.T, l harness, key func(Encryption) string) {
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	before, err := l.stack.UncommittedEncryption()
	require.NoError(t, err)
	require.NotEmpty(t, key(before))

	require.NoError(t, os.RemoveAll(l.stack.WorkDir))
	h = l.open(t)
	_, err = h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	after, err := l.stack.UncommittedEncryption()
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// A preview of what was never created leaves nothing in the backend, whatever key the settings name.
func TestEphemeral(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b"))).withPassphrase()
	write(t, filepath.Join(l.stack.Project, "Pulumi.dev.yaml"), "secretsprovider: awskms://alias/none?region=us-east-1\nencryptedkey: bm9uZQ==\n"+stackFile)
	l.stack.MustExist = true
	_, err := l.engine.Open(t.Context(), l.stack)
	require.ErrorAs(t, err, new(*NoStackError))

	dir := t.TempDir()
	h, err := l.engine.Open(t.Context(), l.stack.Ephemeral(dir))
	require.NoError(t, err)
	plan, err := h.Preview(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"create": 2}, plan.Changes)
	require.NoFileExists(t, l.stateFile())
	require.Equal(t, passphrase, l.stack.Env["PULUMI_CONFIG_PASSPHRASE"], "the stack itself is not changed")
}

// A stack whose key does not depend on a real account keeps its key.
func TestAnEphemeralStackUsesAKeyThatExists(t *testing.T) {
	s := Stack{SecretsProvider: "awskms://alias/test", MustExist: true, Env: map[string]string{"A": "b"}}
	dir := t.TempDir()
	account := s.Ephemeral(dir)
	require.Equal(t, "passphrase", account.SecretsProvider)
	require.True(t, account.OwnEncryption)
	require.Len(t, account.Env, 2)
	require.Len(t, s.Env, 1)

	s.OwnEncryption = true
	local := s.Ephemeral(dir)
	require.Equal(t, "awskms://alias/test", local.SecretsProvider)
	require.Equal(t, s.Env, local.Env)
	for _, ephemeral := range []Stack{account, local} {
		require.False(t, ephemeral.MustExist)
		require.Contains(t, ephemeral.BackendURL, dir)
	}
}

func TestStackLifecycle(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b")))
	h := l.open(t)

	plan, err := h.Preview(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"create": 2}, plan.Changes)
	require.Equal(t, []string{"create one", "create two"}, stepNames(plan))
	require.Empty(t, l.done(), "a preview changed something")

	var events []Event
	summary, err := h.Up(t.Context(), Update{}, func(e Event) { events = append(events, e) })
	require.NoError(t, err)
	require.Equal(t, map[string]int{"create": 2}, summary.Changes)
	require.Positive(t, summary.Duration)
	require.Equal(t, []string{"create one", "create two"}, l.done())
	require.Equal(t, 2, events[0].Total, "what waits for the first resource is counted from the beginning")
	last := events[len(events)-1]
	require.Equal(t, Event{URN: urnTwo, Type: "test:index:Thing", Name: "two", Op: "create", Status: Done,
		Done: 2, Total: 2}, last)

	outputs := map[string]Output{"value": {Value: "a"}, "password": {Value: Masked, Secret: true}}
	require.Equal(t, outputs, h.Outputs())

	again, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"same": 2}, again.Changes)
	require.Zero(t, again.Changed())
	require.Empty(t, l.done())
	plan, err = h.Preview(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.True(t, plan.Empty())

	reopened := l.open(t)
	require.Len(t, reopened.Current().Resources, 4, "the stack, its provider, two things")
	require.Empty(t, reopened.Current().Pending)
	require.NotZero(t, reopened.Current().Updated)
	require.Equal(t, outputs, reopened.Outputs())

	gone, err := reopened.Destroy(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"delete": 2}, gone.Changes)
	require.Equal(t, []string{"delete two", "delete one"}, l.done())
	require.Empty(t, l.locks(t))
}

func TestPlanOfChanges(t *testing.T) {
	first := with(with(valueMap("a"), "password", pulumi.ToSecret(pulumi.String("hush a"))),
		"tags", pulumi.Map{"Name": pulumi.String("a")})
	l := newHarness(t, pair(first, with(valueMap("b"), "fixed", pulumi.String("b"))))
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)

	first = with(with(valueMap("c"), "password", pulumi.ToSecret(pulumi.String("hush c"))),
		"tags", pulumi.Map{"Name": pulumi.String("c")})
	changed := pair(first, with(valueMap("b"), "fixed", pulumi.String("d")))
	plan, err := h.Preview(t.Context(), Update{Program: changed}, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"update": 1, "replace": 1}, plan.Changes)
	require.Equal(t, []Step{
		{Op: "update", URN: urnOne, Type: "test:index:Thing", Name: "one", ID: "one", Differences: []Difference{
			{Path: "password", Kind: "update", Old: Masked, New: Masked},
			{Path: "tags.Name", Kind: "update", Old: "a", New: "c"},
			{Path: "value", Kind: "update", Old: "a", New: "c"},
		}, Before: map[string]any{"password": Masked, "tags": map[string]any{"Name": "a"}, "value": "a"},
			After: map[string]any{"password": Masked, "tags": map[string]any{"Name": "c"}, "value": "c"}},
		{Op: "replace", URN: urnTwo, Type: "test:index:Thing", Name: "two", ID: "two", Replaces: true, Differences: []Difference{
			{Path: "fixed", Kind: "update", Replaces: true, Old: "b", New: "d"},
		}, Before: map[string]any{"fixed": "b", "value": "b"}, After: map[string]any{"fixed": "d", "value": "b"}},
	}, plan.Steps)

	summary, err := h.Up(t.Context(), Update{Program: changed}, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"update": 1, "replace": 1}, summary.Changes)
}

func TestPlanOfDrift(t *testing.T) {
	first := with(valueMap("a"), "password", pulumi.ToSecret(pulumi.String("hush")))
	first = with(first, "login", pulumi.Map{"user": pulumi.String("u"), "key": pulumi.ToSecret(pulumi.String("hush"))})
	first = with(first, "document", pulumi.ToSecret(pulumi.String(`{"key":"hush"}`)))
	l := newHarness(t, pair(first, valueMap("b")))
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	before := read(t, l.stateFile())

	clean, err := h.PreviewRefresh(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"same": 2}, clean.Changes)

	l.set("one", map[string]any{
		"value": "manual", "password": "found out", "document": `{"key":"found out"}`,
		"login": map[string]any{"user": "v", "key": "found out"},
	})
	l.set("two", nil)
	drift, err := h.PreviewRefresh(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.ElementsMatch(t, []Step{
		{Op: "update", URN: urnOne, Type: "test:index:Thing", Name: "one", ID: "one", Differences: []Difference{
			{Path: "document", Kind: "update", Old: Masked, New: Masked},
			{Path: "login.key", Kind: "update", Old: Masked, New: Masked},
			{Path: "login.user", Kind: "update", Old: "u", New: "v"},
			{Path: "password", Kind: "update", Old: Masked, New: Masked},
			{Path: "value", Kind: "update", Old: "a", New: "manual"},
		}},
		{Op: "delete", URN: urnTwo, Type: "test:index:Thing", Name: "two", ID: "two", Deletes: true},
	}, drift.Steps)
	require.Equal(t, before, read(t, l.stateFile()), "a preview changed the state")
	require.Empty(t, l.locks(t))

	summary, err := h.Refresh(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"update": 1, "delete": 1}, summary.Changes)
	clean, err = h.PreviewRefresh(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.True(t, clean.Empty())
}

// Provision excludes the services, which the rollout targets; at first, and later.
func TestExcludesAndTargets(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b")))
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{Excludes: []string{"**Thing::one"}, ExcludeDependents: true}, nil)
	require.NoError(t, err)
	require.Empty(t, l.done(), "two depends on one")
	_, err = h.Up(t.Context(), Update{Excludes: []string{"**Thing::two"}, ExcludeDependents: true}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"create one"}, l.done())
	_, err = h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"create two"}, l.done())

	changed := pair(valueMap("c"), valueMap("d"))
	_, err = h.Up(t.Context(), Update{Program: changed, Targets: []string{urnTwo}}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"update two"}, l.done())
	plan, err := h.Preview(t.Context(), Update{Program: changed}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"update one"}, stepNames(plan), "pending changes are still shown")
}

// https://github.com/pulumi/pulumi/issues/22694
func TestExcludeWhileADependencyIsReplaced(t *testing.T) {
	l := newHarness(t, pair(with(valueMap("a"), "fixed", pulumi.String("a")), valueMap("b")))
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	l.done()

	replaced := pair(with(valueMap("a"), "fixed", pulumi.String("c")), valueMap("d"))
	summary, err := h.Up(t.Context(), Update{Program: replaced, Excludes: []string{"**Thing::two"},
		ExcludeDependents: true}, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"replace": 1, "same": 1}, summary.Changes)
	_, err = h.Up(t.Context(), Update{Program: replaced}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"create one", "update two", "delete one"}, l.done(),
		"the old one stays until nothing uses it")
}

func TestFailureNamesTheResource(t *testing.T) {
	const message = "1 error occurred:\n\t* creating RDS DB Instance (v3-backend-staging-db): " +
		"InsufficientDBInstanceCapacity: db.t3.small is not available in us-east-1a\n\n"
	l := newHarness(t, pair(valueMap("a"), with(valueMap("b"), "fail", pulumi.String(message))))
	h := l.open(t)
	var failed []Event
	_, err := h.Up(t.Context(), Update{}, func(e Event) {
		if e.Status == Failed {
			failed = append(failed, e)
		}
	})
	var failure *FailedError
	require.ErrorAs(t, err, &failure)
	const clean = "creating RDS DB Instance (v3-backend-staging-db): " +
		"InsufficientDBInstanceCapacity: db.t3.small is not available in us-east-1a"
	require.Equal(t, []ResourceError{{URN: urnTwo, Type: "test:index:Thing", Name: "two", Message: clean}}, failure.Resources)
	require.Equal(t, "up: test:index:Thing two: "+clean, err.Error())
	require.Equal(t, map[string]int{"create": 1}, failure.Summary.Changes)
	require.Empty(t, failure.Pending)
	require.Len(t, failed, 1)
	require.Equal(t, clean, failed[0].Message)

	_, err = h.Up(t.Context(), Update{Program: pair(valueMap("a"), valueMap("b"))}, nil)
	require.NoError(t, err, "it continues after the cause is fixed")
	require.Equal(t, []string{"create one", "create two", "create two"}, l.done())
}

func TestFailureOfTheProgram(t *testing.T) {
	l := newHarness(t, nil)
	h := l.open(t)
	for name, program := range map[string]pulumi.RunFunc{
		"an image is needed": func(*pulumi.Context) error { return errors.New("an image is needed") },
		"a mistake of ours":  func(*pulumi.Context) error { panic(errors.New("a mistake of ours")) },
	} {
		_, err := h.Preview(t.Context(), Update{Program: program}, nil)
		var failure *FailedError
		require.ErrorAs(t, err, &failure)
		require.Equal(t, []ResourceError{{Message: name}}, failure.Resources)
	}
}

// The engine gets one signal and ends what is running, and the next run continues.
func TestInterruptionLeavesNothingPending(t *testing.T) {
	slow := pair(with(valueMap("a"), "slow", pulumi.Bool(true)), valueMap("b"))
	l := newHarness(t, slow)
	h := l.open(t)
	ctx, interrupt := context.WithCancelCause(t.Context())
	asked := errors.New("asked to stop")
	go func() {
		<-l.creating
		interrupt(asked)
		// The engine asks its providers to cancel when it has the signal; only then the thing exists.
		<-l.cancelled
		close(l.release)
	}()
	_, err := h.Up(ctx, Update{}, nil)
	var interrupted *InterruptedError
	require.ErrorAs(t, err, &interrupted)
	require.ErrorIs(t, err, asked)
	require.Empty(t, interrupted.Pending)
	require.Equal(t, map[string]int{"create": 1}, interrupted.Summary.Changes)
	require.Equal(t, []string{"create one"}, l.done())
	require.Empty(t, l.locks(t))

	state, err := h.State(t.Context())
	require.NoError(t, err)
	require.Empty(t, state.Pending)
	_, err = h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"create two"}, l.done())
}

func TestInterruptedBeforeTheStart(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b")))
	h := l.open(t)
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	_, err := h.Up(ctx, Update{}, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, isError[*InterruptedError](err))
	require.Empty(t, l.done())
}

func TestConcurrentUpdateIsRefused(t *testing.T) {
	l := newHarness(t, pair(with(valueMap("a"), "slow", pulumi.Bool(true)), valueMap("b")))
	h := l.open(t)
	first := make(chan error, 1)
	go func() {
		_, err := h.Up(context.WithoutCancel(t.Context()), Update{}, nil)
		first <- err
	}()
	<-l.creating
	_, err := l.open(t).Up(t.Context(), Update{Program: pair(valueMap("x"), valueMap("y"))}, nil)
	close(l.release)
	var concurrent *ConcurrentUpdateError
	require.ErrorAs(t, err, &concurrent)
	require.Len(t, concurrent.Holders, 1)
	require.Positive(t, concurrent.Holders[0].PID)
	require.NotZero(t, concurrent.Holders[0].Since)
	require.NoError(t, <-first)
}

func TestUnlock(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b")))
	h := l.open(t)
	dir := filepath.Join(l.stack.backendDir(), ".pulumi", "locks", "organization", "proj", "dev")
	require.NoError(t, os.MkdirAll(dir, 0o700))
	write(t, filepath.Join(dir, "dead.json"),
		`{"pid":4711,"username":"runner","hostname":"gone","timestamp":"2026-01-02T03:04:05Z"}`)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.EqualError(t, err,
		"stack dev is being changed by another update: runner@gone (pid 4711) since 2026-01-02T03:04:05Z")
	require.NoError(t, h.Unlock(t.Context()))
	require.Empty(t, l.locks(t))
	_, err = h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
}

func TestStateErrors(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b")))
	_, err := l.open(t).Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	whole := read(t, l.stateFile())
	// repaired opens the stack as the holder of its lock.
	repaired := func(t *testing.T) *Handle {
		stack := l.stack
		stack.Repair = true
		h, err := l.engine.Open(t.Context(), stack)
		require.NoError(t, err)
		require.Len(t, h.Current().Resources, 4)
		require.NotEmpty(t, h.Repaired())
		return h
	}
	for name, c := range map[string]struct{ content, reason string }{
		"truncated":      {whole[:len(whole)/2], "it is empty or truncated (unexpected end of JSON input)"},
		"of no length":   {"", "it is empty or truncated (unexpected end of JSON input)"},
		"emptied":        {"{}", "it was emptied"},
		"nothing":        {"null", "it was emptied"},
		"something else": {"<html>", "it is not a state (invalid character '<' looking for beginning of value)"},
		"a list":         {"[1]", "it is not a state (json: cannot unmarshal array into Go value of type apitype.VersionedCheckpoint)"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, l.stateFile(), c.content)
			_, err := l.engine.Open(t.Context(), l.stack)
			var damaged *StateError
			require.ErrorAs(t, err, &damaged)
			require.Equal(t, c.reason, damaged.Reason)
			require.Equal(t, l.stateFile(), damaged.File)
			require.Contains(t, damaged.Hint(), damaged.Backup)
			require.Equal(t, c.content, read(t, l.stateFile()), "no repair was requested")
			require.True(t, repaired(t).Current().Restored())
			require.Len(t, l.open(t).Current().Resources, 4)

			write(t, l.stateFile(), c.content)
			write(t, damaged.File, read(t, damaged.Backup))
			require.Len(t, l.open(t).Current().Resources, 4, "the hint restores the last state")
		})
	}
	t.Run("another version", func(t *testing.T) {
		write(t, l.stateFile(), strings.Replace(whole, `"version":3`, `"version":99`, 1))
		_, err := l.engine.Open(t.Context(), l.stack)
		var damaged *StateError
		require.ErrorAs(t, err, &damaged)
		require.Equal(t, "unsupported checkpoint version 99", damaged.Reason)
		require.True(t, damaged.OtherVersion)
	})
	t.Run("inconsistent", func(t *testing.T) {
		write(t, l.stateFile(), inconsistent(t, whole))
		_, err := l.engine.Open(t.Context(), l.stack)
		var damaged *StateError
		require.ErrorAs(t, err, &damaged)
		require.Regexp(t, `^the resource .*::two needs .*::one, which comes after it$`, damaged.Reason)
		require.Contains(t, damaged.Hint(), "`deployer up --env dev --code-only --restart`")
		h := repaired(t)
		require.False(t, h.Current().Restored(), "the engine itself repairs it, and loses nothing")
		plan, err := h.Preview(t.Context(), Update{}, nil)
		require.NoError(t, err)
		require.True(t, plan.Empty())
	})
	t.Run("incomplete", func(t *testing.T) {
		one := regexp.MustCompile(`,\{"urn":"urn:pulumi:dev::proj::test:index:Thing::one".*?(,\{"urn":"urn:pulumi:dev::proj::test:index:Thing::two")`)
		lacking := one.ReplaceAllString(whole, "$1")
		require.NotEqual(t, whole, lacking)
		write(t, l.stateFile(), lacking)
		h := repaired(t)
		require.True(t, h.Current().Restored(), "the engine would remove references to it; a backup has it")
		require.True(t, l.open(t).Current().Restored(), "until the account was read, by any process")
		_, err := h.Reconcile(t.Context(), nil, false, nil)
		require.NoError(t, err)
		require.False(t, l.open(t).Current().Restored())
		require.NotContains(t, read(t, l.stateFile()), restoredOutput)
	})
	t.Run("locked by an engine that is gone", func(t *testing.T) {
		write(t, l.stateFile(), inconsistent(t, whole))
		dir := filepath.Join(l.stack.backendDir(), ".pulumi", "locks", "organization", "proj", "dev")
		require.NoError(t, os.MkdirAll(dir, 0o700))
		write(t, filepath.Join(dir, "gone.json"), `{"pid":4711,"username":"runner","hostname":"gone","timestamp":"2026-01-02T03:04:05Z"}`)
		stack := l.stack
		stack.Repair = true
		_, err := l.engine.Open(t.Context(), stack)
		var locked *ConcurrentUpdateError
		require.ErrorAs(t, err, &locked)
		stack.Stale = func(holders []Holder) bool { return holders[0].Host == "gone" }
		h, err := l.engine.Open(t.Context(), stack)
		require.NoError(t, err)
		require.Contains(t, h.Repaired(), "nothing is lost")
	})
	t.Run("beyond repair", func(t *testing.T) {
		l.stack.Repair = true
		write(t, l.stateFile(), "<html>")
		require.NoError(t, os.RemoveAll(filepath.Join(l.stack.backendDir(), ".pulumi", "backups")))
		require.NoError(t, os.RemoveAll(filepath.Join(l.stack.backendDir(), ".pulumi", "history")))
		copies, err := filepath.Glob(filepath.Join(l.stack.WorkDir, "state-*.json"))
		require.NoError(t, err)
		for _, copied := range append(copies, l.stateFile()+".bak") {
			require.NoError(t, os.RemoveAll(copied))
		}
		_, err = l.engine.Open(t.Context(), l.stack)
		require.ErrorContains(t, err, "it is not a state")
		require.Equal(t, "<html>", read(t, l.stateFile()))

		// A bucket keeps earlier versions: the first that is consistent counts.
		l.stack.Versions = func(_ context.Context, o Object) iter.Seq2[[]byte, error] {
			return func(yield func([]byte, error) bool) {
				for _, content := range []string{"<html>", inconsistent(t, whole), whole, "never asked for"} {
					require.NotEqual(t, "never asked for", content)
					if !yield([]byte(content), nil) {
						return
					}
				}
			}
		}
		require.True(t, repaired(t).Current().Restored())
	})
}

// inconsistent returns a state in which a resource comes before one that it needs.
func inconsistent(t *testing.T, state string) string {
	t.Helper()
	var outer map[string]any
	require.NoError(t, json.Unmarshal([]byte(state), &outer))
	resources := outer["checkpoint"].(map[string]any)["latest"].(map[string]any)["resources"].([]any)
	last := len(resources) - 1
	resources[last], resources[last-1] = resources[last-1], resources[last]
	content, err := json.Marshal(outer)
	require.NoError(t, err)
	return string(content)
}

// A state that the engine corrupts is repaired in the same command.
func TestAStateThatARunCorruptsIsRepaired(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b")))
	_, err := l.open(t).Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	broken, script := filepath.Join(t.TempDir(), "broken.json"), filepath.Join(t.TempDir(), "pulumi")
	write(t, broken, inconsistent(t, read(t, l.stateFile())))
	breaking := func(code string) *Handle {
		require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"+l.engine.path+` "$@"; code=$?
case " $* " in *" up "*) cp `+broken+" "+l.stateFile()+"; exit "+code+";; esac; exit $code\n"), 0o755))
		e := *l.engine
		e.path = script
		h, err := e.Open(t.Context(), l.stack)
		require.NoError(t, err)
		return h
	}
	done, err := breaking("$code").Up(t.Context(), Update{Program: pair(valueMap("a"), valueMap("c"))}, nil)
	require.NoError(t, err)
	require.Len(t, done.Warnings, 1)
	require.Contains(t, done.Warnings[0], "the engine sorted its resources, and nothing is lost")
	require.Len(t, l.open(t).Current().Resources, 4)

	_, err = breaking("255").Up(t.Context(), Update{Program: pair(valueMap("a"), valueMap("d"))}, nil)
	require.ErrorContains(t, err, "and nothing is lost")
	require.Len(t, l.open(t).Current().Resources, 4)
	h := l.open(t)
	_, err = h.Up(t.Context(), Update{Program: pair(valueMap("a"), valueMap("e"))}, nil)
	require.NoError(t, err)

	// If the state is gone, the outcome of the run is unknown: it has failed, and the account must be read.
	write(t, broken, "<html>")
	_, err = breaking("$code").Up(t.Context(), Update{Program: pair(valueMap("a"), valueMap("f"))}, nil)
	var failed *FailedError
	require.ErrorAs(t, err, &failed)
	require.ErrorContains(t, err, "its outcome is unknown")
	require.ErrorContains(t, err, "the verified backup of")
	h = l.open(t)
	require.True(t, h.Current().Restored())
	require.Len(t, h.Current().Resources, 4)
}

func TestPassphrase(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b"))).withPassphrase()
	_, err := l.open(t).Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	require.NotContains(t, read(t, l.stateFile()), passphrase)

	l.stack.Env["PULUMI_CONFIG_PASSPHRASE"] = "another"
	_, err = l.open(t).Up(t.Context(), Update{}, nil)
	require.EqualError(t, err, "the passphrase of stack dev is wrong")
	delete(l.stack.Env, "PULUMI_CONFIG_PASSPHRASE")
	_, err = l.open(t).Up(t.Context(), Update{}, nil)
	require.EqualError(t, err, "the passphrase of stack dev is not set")
}

func TestUnreachableBackend(t *testing.T) {
	l := newHarness(t, nil)
	l.stack.BackendURL = "file://" + filepath.Join(l.stack.Project, "Pulumi.yaml", "state")
	_, err := l.engine.Open(t.Context(), l.stack)
	require.EqualError(t, err, "the state's backend "+l.stack.BackendURL+": not a directory")

	l.stack.BackendURL = "file://" + filepath.Join(l.stack.Project, "state")
	require.NoError(t, os.Mkdir(filepath.Join(l.stack.Project, "state"), 0o700))
	write(t, filepath.Join(l.stack.Project, "state", ".pulumi"), "in the way")
	_, err = l.engine.Open(t.Context(), l.stack)
	require.True(t, isError[*BackendError](err), "%v", err)
}

func TestStackThatMustExist(t *testing.T) {
	l := newHarness(t, nil)
	l.stack.MustExist = true
	_, err := l.engine.Open(t.Context(), l.stack)
	require.EqualError(t, err, "stack dev does not exist yet")
}

func TestProtectedResourcesStay(t *testing.T) {
	l := newHarness(t, func(ctx *pulumi.Context) error {
		_, err := newThing(ctx, "one", valueMap("a"), pulumi.Protect(true))
		return err
	})
	h := l.open(t)
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	_, err = h.Destroy(t.Context(), Update{}, nil)
	var failure *FailedError
	require.ErrorAs(t, err, &failure)
	require.Len(t, failure.Resources, 1)
	require.Equal(t, "one", failure.Resources[0].Name)
	require.Contains(t, failure.Resources[0].Message, "protected")
	require.Equal(t, []string{"create one"}, l.done())
}

// stepNames returns the steps as "create one".
func stepNames(p Plan) []string {
	var all []string
	for _, s := range p.Steps {
		all = append(all, s.Op+" "+s.Name)
	}
	return all
}

package release

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

func TestTextWithoutLogExcerpts(t *testing.T) {
	lines := []string{"DATABASE_URL=postgresql://user:hunter2@host/db", "", "  last log lines: of the application",
		"\tat main (index.js:1)\nsecond"}
	for text, want := range map[string]string{
		"":      "",
		"plain": "plain",
		"the migration failed" + logExcerpt(excerptTitle, lines): "the migration failed\n  last log lines: 5, not recorded",
		"api:" + logExcerpt(excerptTitle+" of a running task", lines) + "\nworker: late\n  ECS reports: no capacity": "api:\n" +
			"  last log lines of a running task: 5, not recorded\nworker: late\n  ECS reports: no capacity",
		"two" + logExcerpt(excerptTitle, lines) + logExcerpt(excerptTitle,
			[]string{"x"}) + "\nrolled back": "two\n  last log lines: 5, not recorded\n" +
			"  last log lines: 1, not recorded\nrolled back",
	} {
		require.Equal(t, want, withoutLogExcerpts(text))
	}
}

// TestRecordsHaveNoLogLines checks what a deployment stores, which the role for reading may read, as opposed to what it returns.
func TestRecordsHaveNoLogLines(t *testing.T) {
	d := (&fakeStack{}).deployment(t)
	const line = "password is hunter2"
	failed := errors.New("the migration failed" + logExcerpt(excerptTitle, []string{line}))
	d.record.ID, d.record.Stack = "20260201-000000-0001", d.deps.Env.Stack
	d.record.Error, d.record.Outcome = failed.Error(), history.Failed
	d.record.Warnings = []string{failed.Error()}
	d.record.Phases = []history.Phase{{Name: Migrate, Outcome: history.Failed, Message: failed.Error()}}
	d.saveRecord(t.Context())
	require.Contains(t, d.record.Error, line)
	require.Contains(t, d.record.Phases[0].Message, line)
	all, err := d.deps.Records.List(t.Context(), d.record.Stack, 1)
	require.NoError(t, err)
	require.Len(t, all, 1)
	saved := all[0]
	const want = "the migration failed\n  last log lines: 1, not recorded"
	require.Equal(t, want, saved.Error)
	require.Equal(t, []string{want}, saved.Warnings)
	require.Equal(t, want, saved.Phases[0].Message)
}

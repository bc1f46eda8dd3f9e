package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/release"
)

// tasksOfEveryKind returns tasks that run, start, stop and have stopped.
func tasksOfEveryKind() TaskList {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) *time.Time { return aws.Time(now.Add(-d)) }
	image := release.TaskImage{Tag: "1.41.8-abc123def-with-more", Digest: "sha256:0b0439f7caf6e1d2"}
	return TaskList{Environment: "staging", Timestamp: now, Tasks: []release.Task{
		{ID: "0123456789abcdef", Service: "api", Revision: "v3-backend-staging-api:12", Image: image, Status: "running", Health: "healthy", Created: *ago(3 * time.Minute)},
		{ID: "1123456789abcdef", Service: "worker", Revision: "x:3", Status: "running", Health: "unknown", Created: *ago(49 * time.Hour)},
		{ID: "2123456789abcdef", Service: "api", Revision: "x:3", Status: "pending", Health: "unknown", Created: *ago(time.Second)},
		{ID: "3123456789abcdef", Service: "migration", Revision: "x:3", Status: "stopped", Health: "unknown", Created: *ago(20 * time.Minute), Started: ago(19 * time.Minute),
			Stopped: ago(18 * time.Minute), ExitCode: aws.Int(137), Cause: "exit code 137 (killed)", Reason: "OutOfMemory\nmore"},
		{ID: "4123456789abcdef", Service: "api", Revision: "x:3", Status: "stopped", Health: "unknown", Created: *ago(30 * time.Minute), Stopped: ago(29 * time.Minute),
			Cause: "the image cannot be pulled, and the reason is so long that it continues", Reason: "CannotPullContainerError"},
		{ID: "5123456789abcdef", Service: "api", Revision: "x:3", Status: "deactivating", Health: "unknown", Created: *ago(31 * time.Minute), Cause: "stopped on purpose", Reason: "stopped on purpose"},
	}}
}

func TestTasks(t *testing.T) {
	list := tasksOfEveryKind()
	for name, test := range map[string]struct {
		width int
		want  string
	}{
		"a pipe": {0, `
task      service    rev  image                       digest        age         state
01234567  api        12   1.41.8-abc123def-with-more  0b0439f7caf6  3 min ago   healthy
11234567  worker     3                                              2 days ago  running
21234567  api        3                                              just now    pending
31234567  migration  3                                              20 min ago  exit 137
  stopped 18 min ago after 1m00s: exit code 137 (killed) (OutOfMemory)
41234567  api        3                                              30 min ago  stopped
  stopped 29 min ago, never ran: the image cannot be pulled, and the reason is so long that it continues (CannotPullContainerError)
51234567  api        3                                              31 min ago  stopping
  stopping: stopped on purpose
`},
		"80 columns": {80, `
task      service    rev  age         state
01234567  api        12   3 min ago   healthy
  1.41.8-abc123def-with-more, 0b0439f7caf6
11234567  worker     3    2 days ago  running
21234567  api        3    just now    pending
31234567  migration  3    20 min ago  exit 137
  stopped 18 min ago after 1m00s: exit code 137 (killed) (OutOfMemory)
41234567  api        3    30 min ago  stopped
  stopped 29 min ago, never ran: the image cannot be pulled, and the reason is
  so long that it continues (CannotPullContainerError)
51234567  api        3    31 min ago  stopping
  stopping: stopped on purpose
`},
		"40 columns, a block for each task": {40, `
task: 01234567
service: api
rev: 12
image: 1.41.8-abc123def-with-more
digest: 0b0439f7caf6
age: 3 min ago
state: healthy

task: 11234567
service: worker
rev: 3
age: 2 days ago
state: running

task: 21234567
service: api
rev: 3
age: just now
state: pending

task: 31234567
service: migration
rev: 3
age: 20 min ago
state: exit 137
  stopped 18 min ago after 1m00s: exit
  code 137 (killed) (OutOfMemory)

task: 41234567
service: api
rev: 3
age: 30 min ago
state: stopped
  stopped 29 min ago, never ran: the
  image cannot be pulled, and the reason
  is so long that it continues
  (CannotPullContainerError)

task: 51234567
service: api
rev: 3
age: 31 min ago
state: stopping
  stopping: stopped on purpose
`},
	} {
		var b strings.Builder
		require.NoError(t, Tasks(&b, list, "table", Style{Width: test.width}))
		require.Equal(t, test.want, "\n"+b.String(), name)
	}

	var b strings.Builder
	require.NoError(t, Tasks(&b, TaskList{Environment: "staging"}, "table", Style{}))
	require.Equal(t, "no task runs in staging, and none stopped within the last hour\n", b.String())
	b.Reset()
	require.NoError(t, Tasks(&b, TaskList{Environment: "staging"}, "json", Style{}))
	require.Contains(t, b.String(), `"tasks": []`)
	b.Reset()
	require.NoError(t, Tasks(&b, list, "json", Style{}))
	require.Contains(t, b.String(), `"age_seconds": 0`)
	require.Contains(t, b.String(), `"exit_code": 137`)
}

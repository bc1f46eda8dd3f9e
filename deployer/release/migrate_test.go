package release

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/balancer/v3-backend-infra/deployer/hint"
)

// oneOff returns a migration's task.
func oneOff(id, status string) types.Task {
	return types.Task{
		TaskArn: aws.String("task/" + id), Group: aws.String("family:v3-backend-staging-migration-task"), LastStatus: &status,
		DesiredStatus: aws.String("RUNNING"), CreatedAt: &deployedAt, StartedBy: aws.String("deployer/20261123-155900-aaaa"),
		Containers: []types.Container{{Name: aws.String("balancer-api")}},
	}
}

// ends stops the newest task with an exit code.
func (e *fakeECS) ends(code int32) {
	t := &e.tasks[len(e.tasks)-1]
	t.LastStatus, t.DesiredStatus, t.StartedAt = aws.String("STOPPED"), aws.String("STOPPED"), &deployedAt
	t.StopCode, t.StoppedReason = types.TaskStopCodeEssentialContainerExited, aws.String("Essential container in task exited")
	t.Containers[0].ExitCode = &code
}

// runs starts the newest task.
func (e *fakeECS) runs() {
	t := &e.tasks[len(e.tasks)-1]
	t.LastStatus, t.StartedAt = aws.String("RUNNING"), &deployedAt
}

// migrating returns a migration that is about to start.
func migrating(t *testing.T) (*fakeECS, *migrationTask) {
	e, r := newFakeECS(t)
	e.definitions = []string{"definition/other", "definition/image@new", "definition/image@new-too"}
	cfg := fakeAWS(e.handle)
	return e, &migrationTask{
		env: r.env, ecs: ecs.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg), clock: e, deployment: "20261123-160000-1f3a", image: "image@new",
		registered: "definition/image@new",
	}
}

// A task that has ended before the first poll is reported in full, with lines that arrive later.
func TestMigrationThatEndsBeforeTheFirstPoll(t *testing.T) {
	e, m := migrating(t)
	e.after(map[int]func(){
		1: func() { e.log = []string{"one"}; e.ends(0) },
		2: func() { e.log = append(e.log, "two") },
	})
	log, logged := newTestLog()
	result, err := m.run(t.Context(), log)
	require.NoError(t, err)
	require.Equal(t, "task new started: npx prisma migrate deploy\none\ntwo", logged())
	require.Equal(t, "new", result.Task)
	require.Zero(t, result.ExitCode)
	require.Len(t, e.ran, 1)
	require.Equal(t, "definition/image@new", *e.ran[0].TaskDefinition, "the revision that the stack registered")
	require.Equal(t, "deployer/20261123-160000-1f3a", *e.ran[0].StartedBy)
	require.Nil(t, e.ran[0].Overrides)
	require.Equal(t, types.LaunchTypeFargate, e.ran[0].LaunchType, "on demand, whatever the services run on")
	require.Empty(t, e.ran[0].CapacityProviderStrategy)
}

func TestMigrationFails(t *testing.T) {
	e, m := migrating(t)
	m.command = []string{"npx", "prisma", "db", "seed"}
	e.after(map[int]func(){1: func() { e.log = []string{"Error: P3018"}; e.ends(1) }})
	log, logged := newTestLog()
	result, err := m.run(t.Context(), log)
	require.EqualError(t, err, "the migration failed: exit code 1 (application error)\n  last log lines:\n    Error: P3018")
	require.Contains(t, hint.Of(err), "the schema may be partly changed")
	require.Equal(t, int32(1), result.ExitCode)
	require.Equal(t, m.command, result.Command)
	require.Contains(t, logged(), "task new started: npx prisma db seed")
	require.Equal(t, m.command, e.ran[0].Overrides.ContainerOverrides[0].Command)
}

// Without the log, the exit code is evaluated all the same.
func TestMigrationWithoutALog(t *testing.T) {
	for name, test := range map[string]struct {
		refused error
		want    string
	}{
		"the log group is missing":   {nil, "it wrote no log: the stream migration/balancer-api/new of /aws/ecs/v3-backend-staging has no lines"},
		"the log may not be read":    {&smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not you"}, "its log cannot be read: "},
		"the log cannot be read now": {errors.New("no route"), "no route"},
	} {
		t.Run(name, func(t *testing.T) {
			e, m := migrating(t)
			if test.refused != nil {
				e.errors["GetLogEvents"] = test.refused
			}
			e.after(map[int]func(){1: e.runs, 4: func() { e.ends(0) }})
			log, logged := newTestLog()
			_, err := m.run(t.Context(), log)
			require.NoError(t, err)
			require.Equal(t, 1, strings.Count(logged(), test.want))
		})
	}
}

func TestMigrationTimeout(t *testing.T) {
	for name, test := range map[string]struct {
		refused error
		ends    bool
		want    string
	}{
		"it is stopped":         {nil, true, "the migration was stopped at its time limit, 15m0s\n  last log lines:\n    waiting for a lock"},
		"it takes long to stop": {nil, false, "the migration was stopped at its time limit, 15m0s; it has not stopped yet\n  last log lines:\n    waiting for a lock"},
		"it may not be stopped": {
			&smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not you"}, false,
			"the migration has not finished within its time limit, 15m0s, and could not be stopped: operation error ECS: StopTask, api error AccessDeniedException: not you\n" +
				"  last log lines:\n    waiting for a lock\n  task new is still running",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, m := migrating(t)
			e.log = []string{"waiting for a lock"}
			e.errors["StopTask"] = test.refused
			e.onWait = func() {
				if e.calls = append(e.calls, nil); len(e.waits) == 1 {
					e.runs()
				}
				if test.ends && len(e.stopped) > 0 {
					e.ends(143)
				}
			}
			log, _ := newTestLog()
			result, err := m.run(t.Context(), log)
			require.EqualError(t, err, test.want)
			require.Contains(t, hint.Of(err), "deployment.migrations.timeout")
			if test.refused == nil {
				require.Equal(t, []string{"task/new"}, e.stopped)
			}
			if test.ends {
				require.Equal(t, int32(143), result.ExitCode)
			}
		})
	}
}

// While a migration runs no second one is started, whether a deployment started it or a person.
func TestMigrationWhileAnotherRuns(t *testing.T) {
	e, m := migrating(t)
	e.tasks = []types.Task{oneOff("first", "RUNNING")}
	log, _ := newTestLog()
	_, err := m.run(t.Context(), log)
	require.EqualError(t, err, "a migration is running: task first since 16:00:00 UTC, started by the deployment 20261123-155900-aaaa")
	require.Contains(t, hint.Of(err), "--wait")
	require.Empty(t, e.ran)

	m.wait = true
	e.log = []string{"a line of the first"}
	e.after(map[int]func(){2: func() { e.ends(1) }, 6: func() { e.ends(0) }})
	log, logged := newTestLog()
	_, err = m.run(t.Context(), log)
	require.NoError(t, err)
	require.Len(t, e.ran, 1)
	require.Contains(t, logged(), "waiting for it to finish\na line of the first\nthat migration ended: exit code 1 (application error)\ntask new started")
}

// One that is being stopped still runs, for as long as its container takes to exit.
func TestMigrationWhileAnotherStops(t *testing.T) {
	for status, want := range map[string]bool{"RUNNING": true, "STOPPING": true, "DEPROVISIONING": false, "STOPPED": false} {
		e, m := migrating(t)
		stopping := oneOff("first", status)
		stopping.DesiredStatus = aws.String("STOPPED")
		e.tasks = []types.Task{stopping}
		e.after(map[int]func(){2: func() { e.ends(0) }})
		log, _ := newTestLog()
		_, err := m.run(t.Context(), log)
		if want {
			require.ErrorContains(t, err, "a migration is running: task first", status)
			require.Empty(t, e.ran, status)
			continue
		}
		require.NoError(t, err, status)
		require.Len(t, e.ran, 1, status)
	}
}

func TestMigrationText(t *testing.T) {
	task := oneOff("x", "RUNNING")
	task.StartedBy = nil
	require.Equal(t, "a migration is running: task x since 16:00:00 UTC, started manually", migrationText(task))
	task.StartedBy = aws.String("anna")
	require.Equal(t, "a migration is running: task x since 16:00:00 UTC, started by anna", migrationText(task))
}

// An interruption leaves the migration running, except with stopOnInterrupt.
func TestInterruptedMigration(t *testing.T) {
	for stop, want := range map[bool]string{false: "the migration new continues in the background", true: "the migration new is being stopped"} {
		e, m := migrating(t)
		m.stopOnInterrupt = stop
		ctx, cancel := context.WithCancel(t.Context())
		e.after(map[int]func(){1: e.runs, 3: cancel})
		log, _ := newTestLog()
		_, err := m.run(ctx, log)
		require.EqualError(t, err, want)
		require.Equal(t, stop, len(e.stopped) == 1)
	}
}

// A migration that stopped between the last poll and the interruption is not reported as continuing.
func TestInterruptedMigrationThatHasStopped(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not you"}
	for name, test := range map[string]struct {
		end  func(*fakeECS)
		want string
		hint string
		code int32
	}{
		"it succeeded": {func(e *fakeECS) { e.ends(0) }, "the migration new has finished: exit code 0", "run the same command again", 0},
		"it failed": {
			func(e *fakeECS) { e.ends(1) },
			"the migration failed: exit code 1 (application error)\n  last log lines:\n    Error: P3018", "the schema may be partly changed", 1,
		},
		"its containers have exited": {func(e *fakeECS) {
			e.ends(0)
			e.tasks[0].LastStatus = aws.String("DEPROVISIONING")
		}, "the migration new has finished: exit code 0", "run the same command again", 0},
		"it cannot be read": {func(e *fakeECS) { e.errors["DescribeTasks"] = denied }, "the migration new may still be running", "--wait", -1},
	} {
		t.Run(name, func(t *testing.T) {
			e, m := migrating(t)
			e.log = []string{"Error: P3018"}
			ctx, cancel := context.WithCancel(t.Context())
			e.after(map[int]func(){1: e.runs, 3: func() { test.end(e); cancel() }})
			log, _ := newTestLog()
			result, err := m.run(ctx, log)
			require.EqualError(t, err, test.want)
			require.Contains(t, hint.Of(err), test.hint)
			require.Equal(t, test.code, result.ExitCode)
			require.Empty(t, e.stopped)
		})
	}
}

// The same holds for another migration that is waited for.
func TestInterruptedWaitForAnotherMigration(t *testing.T) {
	for want, end := range map[string]func(*fakeECS){
		"the migration first continues in the background; no other was started": func(*fakeECS) {},
		"the migration first has finished; no other was started":                func(e *fakeECS) { e.ends(0) },
	} {
		e, m := migrating(t)
		m.wait = true
		e.tasks = []types.Task{oneOff("first", "RUNNING")}
		ctx, cancel := context.WithCancel(t.Context())
		e.after(map[int]func(){2: func() { end(e); cancel() }})
		log, _ := newTestLog()
		_, err := m.run(ctx, log)
		require.EqualError(t, err, want)
		require.Empty(t, e.ran)
	}
}

// A migration never runs another image than the one that is deployed.
func TestMigrationOfUnprovisionedImage(t *testing.T) {
	e, m := migrating(t)
	m.image = "registry/image@sha256:2"
	log, _ := newTestLog()
	_, err := m.run(t.Context(), log)
	require.EqualError(t, err, "no revision of the task definition v3-backend-staging-migration-task has the image image@sha256:2")
	require.Empty(t, e.ran)
}

// TestMigrationRunsNoOthersRevision checks which revision runs where others exist: AWS lets anyone who may register
// task definitions add one to the family.
func TestMigrationRunsNoOthersRevision(t *testing.T) {
	for name, c := range map[string]struct {
		registered, image string
		definitions       []string
		want, err         string
	}{
		"a newer one with the image": {
			"definition/image@1", "image@1", []string{"definition/image@1 as attacker", "definition/image@1"},
			"definition/image@1", ""},
		"the same with another image": {
			"definition/image@1", "image@2", []string{"definition/image@2 as attacker", "definition/image@2"},
			"definition/image@2", ""},
		"only a different one": {
			"definition/image@1", "image@2", []string{"definition/image@2 as attacker"}, "",
			"the revision image@2 as attacker of the task definition has the image image@2, but differs in more than the image from the one that the " +
				"stack registered, and is not run"},
		"none with the image": {
			"definition/image@1", "image@3", []string{"definition/image@1"}, "",
			"no revision of the task definition v3-backend-staging-migration-task has the image image@3"},
		"a stack that registered none": {"", "image@1", []string{"definition/image@1"}, "",
			"the stack staging has no task definition for migrations"},
	} {
		t.Run(name, func(t *testing.T) {
			e, m := migrating(t)
			e.definitions, m.registered, m.image = c.definitions, c.registered, c.image
			e.after(map[int]func(){1: func() { e.log = []string{"one"}; e.ends(0) }})
			log, _ := newTestLog()
			_, err := m.run(t.Context(), log)
			if c.err != "" {
				require.EqualError(t, err, c.err)
				require.NotEmpty(t, hint.Of(err))
				require.Empty(t, e.ran)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, *e.ran[0].TaskDefinition)
		})
	}
}

// A migration that is running is stopped, no matter who started it; the result has the migrations that its log names.
func TestStopMigrations(t *testing.T) {
	e, m := migrating(t)
	deps := Deps{Env: m.env, AWS: fakeAWS(e.handle), Clock: e, Report: func(Event) {}}
	none, err := StopMigrations(t.Context(), deps, "jane")
	require.NoError(t, err)
	require.Empty(t, none)
	require.Empty(t, e.stopped)

	e.tasks = []types.Task{oneOff("old", "RUNNING")}
	e.runs()
	e.log = []string{"42 migrations found", "Applying migration `20250602_add`", "Applying migration `20250603_index`"}
	e.onWait = func() {
		if e.calls = append(e.calls, nil); len(e.stopped) > 0 {
			e.ends(143)
		}
	}
	stopped, err := StopMigrations(t.Context(), deps, "jane")
	require.NoError(t, err)
	require.Equal(t, []string{"task/old"}, e.stopped)
	require.Len(t, stopped, 1)
	require.Equal(t, "old", stopped[0].Task)
	require.Equal(t, int32(143), stopped[0].ExitCode)
	require.Equal(t, "by the deployment 20261123-155900-aaaa", stopped[0].StartedBy)
	require.Equal(t, []string{"20250602_add", "20250603_index"}, stopped[0].Begun)
}

// One that may not be stopped, or does not stop in time, is an error that names the command to repeat.
func TestStopMigrationsFails(t *testing.T) {
	e, m := migrating(t)
	deps := Deps{Env: m.env, AWS: fakeAWS(e.handle), Clock: e, Report: func(Event) {}}
	e.tasks = []types.Task{oneOff("old", "RUNNING")}
	e.onWait = func() { e.calls = append(e.calls, nil) }
	_, err := StopMigrations(t.Context(), deps, "jane")
	require.ErrorContains(t, err, "the migration old was asked to stop, and has not stopped yet")
	require.Contains(t, hint.Of(err), "`deployer migrate --env staging --stop` again")

	e.errors["StopTask"] = &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "not you"}
	_, err = StopMigrations(t.Context(), deps, "jane")
	require.ErrorContains(t, err, "stop the migration old: ")
}

// What changes without a deployer that waits for it is a migration or a rollout.
func TestBackground(t *testing.T) {
	e, m := migrating(t)
	running, err := Background(t.Context(), fakeAWS(e.handle), m.env)
	require.NoError(t, err)
	require.Empty(t, running)

	e.tasks = []types.Task{oneOff("old", "RUNNING")}
	service := e.services[m.env.ServiceName("api")]
	service.Deployments[0].RolloutState, service.Deployments[0].DesiredCount = types.DeploymentRolloutStateInProgress, 2
	running, err = Background(t.Context(), fakeAWS(e.handle), m.env)
	require.NoError(t, err)
	require.Len(t, running, 2)
	require.Contains(t, running[0], "a migration is running: task old since ")
	require.Contains(t, running[0], "`deployer migrate --env staging --stop`")
	require.Regexp(t, "^v3-backend-staging-api-service is being rolled out, . of 2 tasks are running; `deployer rollback --env staging`", running[1])
}

// A hint advises --wait only where it was not given.
func TestHintsDoNotAdviseAGivenWait(t *testing.T) {
	e, m := migrating(t)
	e.tasks = []types.Task{oneOff("old", "RUNNING")}
	service := e.services[m.env.ServiceName("api")]
	service.Deployments[0].RolloutState = types.DeploymentRolloutStateInProgress
	for _, waits := range []bool{false, true} {
		p := &preflight{env: m.env, aws: fakeAWS(e.handle), waits: waits}
		for _, problems := range [][]Problem{p.migrationRunning(t.Context()), p.rolloutInProgress(t.Context())} {
			require.Len(t, problems, 1)
			require.Equal(t, !waits, strings.Contains(problems[0].Hint, "--wait"), problems[0].Hint)
			require.Contains(t, problems[0].Hint, "`deployer ")
		}
	}
}

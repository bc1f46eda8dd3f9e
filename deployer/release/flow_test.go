package release

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/blob"
)

// fakeStack is a deployment on a stage: the phases are the real ones, the stack, the services and the registry are not. What
// is done is noted, and every deed can be made to fail.
type fakeStack struct {
	done  []string
	fails map[string]error
	env   *environment.Environment
	// code is what Code was last called with.
	code *environment.Code
	// outdated are services that ECS took back by itself.
	outdated []string
	// release, where it is set, holds back the look at what waits.
	release chan struct{}
	pending []history.Change
	// pendingOperations says that the state has operations of unknown outcome; repairs is what a repair does.
	pendingOperations bool
	repairs           []string
}

func (p *fakeStack) do(deed string) error {
	p.done = append(p.done, deed)
	return p.fails[deed]
}

func (p *fakeStack) update(deed, image string) (Update, error) {
	return Update{Changed: 1, Took: time.Second}, p.do(deed + " " + DigestIn(image)[len("sha256:")+63:])
}

func (p *fakeStack) Provision(_ context.Context, image string, _ func(string)) (Update, error) {
	return p.update("provision", image)
}

func (p *fakeStack) Release(_ context.Context, image string, _ func(string)) (Update, error) {
	return p.update("release", image)
}

func (p *fakeStack) DeployCode(_ context.Context, image string, code *environment.Code, _ func(string)) (Update, error) {
	p.code = code
	return p.update("code", image)
}

func (p *fakeStack) Deployed(code *environment.Code) *environment.Environment {
	if code == nil {
		return p.env
	}
	return p.env.WithCode(*code)
}

func (p *fakeStack) RefreshServices(_ context.Context, image string, _ func(string)) (Update, error) {
	return p.update("reconcile", image)
}

func (p *fakeStack) PendingChanges(ctx context.Context, _ string) ([]history.Change, error) {
	if p.release != nil {
		select {
		case <-p.release:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return p.pending, p.fails["waiting"]
}

func (p *fakeStack) HasPendingOperations() bool { return p.pendingOperations }

func (p *fakeStack) Repair(context.Context, string, func(string)) ([]string, error) {
	return p.repairs, p.do("repair")
}

func (p *fakeStack) TaskNetwork() (TaskNetwork, error) { return TaskNetwork{}, nil }

// services follow one image.
type services struct {
	*fakeStack
	image string
}

func (s services) watch(context.Context, phaseLog) (map[string]string, error) {
	return map[string]string{"api": "api:2"}, s.do("watch " + s.image)
}

func (s services) outdatedServices(context.Context) ([]string, error) {
	return s.outdated, s.fails["look"]
}
func (s services) restart(context.Context) error           { return s.do("restart") }
func (s services) waitUntilIdle(context.Context, phaseLog) { _ = s.do("settle") }

// deployment puts one of image 2 on a stage where image 1 was verified healthy.
func (p *fakeStack) deployment(t *testing.T) *deployment {
	d := newTestDeployment(t)
	env := *d.Env
	p.env = &env
	d.codeBefore = env.Code()
	d.Env, d.infra, d.images = &env, p, fakeRegistry{images: []ecrtypes.ImageDetail{image(1, "one"), image(2, "two")}}
	d.Records = history.Store{Files: blob.Dir(t.TempDir())}
	d.Kind, d.record.Image = history.Full, d.named(t, 2).Image
	d.image = d.named(t, 2)
	d.newWatcher = func(_ context.Context, _ *environment.Environment, i *Image) (rolloutWatcher, error) {
		return services{p, i.Digest[len(i.Digest)-1:]}, p.fails["follow"]
	}
	require.NoError(t, d.Records.Save(t.Context(), history.Deployment{
		ID: "20260101-000000-0001", Stack: d.Env.Stack, Verified: true, Image: d.named(t, 1).Image,
	}))
	return d
}

func (d *deployment) named(t *testing.T, n int) *Image {
	found, err := FindImage(t.Context(), d.images, d.Env, *image(n).ImageDigest)
	require.NoError(t, err)
	return found
}

// phases are the deployment's phases, of which those that ask AWS only succeed or fail.
func (p *fakeStack) phases(d *deployment) []phase {
	list := d.phases()
	for i := range list {
		name := list[i].name
		if slices.Contains([]string{Preflight, Backup, Migrate, Health, Validate}, name) {
			list[i].run = func(context.Context, phaseLog) (string, error) { return "", p.do(name) }
		}
	}
	return list
}

var errBroken = errors.New("broken")

// What is done after each failure, in which order, and what is said of it.
func TestWhatIsUndone(t *testing.T) {
	const untouched = "no service was touched: what ran before goes on serving"
	const back = "rolled back: one (sha256:000000000000) runs again, the last image that was verified healthy"
	started := []string{Preflight, "provision 2", Migrate}
	rolling := append(slices.Clone(started), "release 2", "watch 2")
	putBack := []string{"code 1", "watch 1"}
	for name, test := range map[string]struct {
		fails  []string
		change func(*deployment)
		play   fakeStack
		phase  string
		want   []string
		undone string
	}{
		"provision":               {fails: []string{"provision 2"}, phase: Provision, want: started[:2], undone: untouched},
		"the migration":           {fails: []string{Migrate}, phase: Migrate, want: started, undone: untouched},
		"looking at the services": {fails: []string{"follow"}, phase: Rollout, want: started, undone: untouched},
		"the program in the rollout": {
			fails: []string{"release 2"}, phase: Rollout, want: append(slices.Clone(rolling[:4]), putBack...), undone: back,
		},
		"the rollout": {fails: []string{"watch 2"}, phase: Rollout, want: append(slices.Clone(rolling), putBack...), undone: back},
		"the health": {
			fails: []string{Health}, phase: Health, want: append(append(slices.Clone(rolling), Health), putBack...), undone: back,
		},
		"the validation": {
			fails: []string{Validate}, phase: Validate, want: append(slices.Clone(rolling), Health, Validate),
			undone: "the new image runs and answers; it was left in place",
		},
		"the rollback": {
			fails: []string{"watch 2", "watch 1"}, phase: Rollout, want: append(slices.Clone(rolling), putBack...),
			undone: "the rollback to one failed too, so old and new may both be running: broken\n" +
				"look at what runs (`deployer status --env staging --only ecs_service,ecs_tasks`), then choose what is to run with `rollback --to` or `up --code-only`",
		},
		"the program in the rollback": {
			fails: []string{"watch 2", "code 1"}, phase: Rollout, want: append(slices.Clone(rolling), "code 1"),
			undone: "the rollback to one failed too, so old and new may both be running: broken\n" +
				"look at what runs (`deployer status --env staging --only ecs_service,ecs_tasks`), then choose what is to run with `rollback --to` or `up --code-only`",
		},
		"a rollout that nobody rolls back": {
			change: func(d *deployment) { d.Env.Deployment.Rollback = "manual" },
			fails:  []string{"watch 2"}, phase: Rollout, want: append(slices.Clone(rolling), "settle"),
			undone: "the deployer put nothing back, deployment.rollback is manual here; ECS itself goes back to the revision before, " +
				"where there was one, while the stack names the new image: run `up` with the image that is to run",
		},
		"the first rollout": {
			change: func(d *deployment) { d.Records = history.Store{Files: blob.Dir("/nowhere")} },
			fails:  []string{"watch 2"}, phase: Rollout, want: append(slices.Clone(rolling), "settle"),
			undone: "nothing was put back: this is the first deployment here, there is no image that was verified healthy",
		},
		"a rollout of the image that was good": {
			change: func(d *deployment) { d.image.Digest = *image(1).ImageDigest },
			fails:  []string{"watch 1"}, phase: Rollout, want: []string{Preflight, "provision 2", Migrate, "release 2", "watch 1", "settle"},
			undone: "nothing was put back: this very image is the last one that was verified healthy, with this code, so it is not the cause",
		},
		"a rollout whose predecessor is gone": {
			change: func(d *deployment) { d.images = fakeRegistry{images: []ecrtypes.ImageDetail{image(2, "two")}} },
			fails:  []string{"watch 2"}, phase: Rollout, want: append(slices.Clone(rolling), "settle"),
			undone: "nothing was put back: the last good image one (sha256:000000000000) cannot be used: the image balancer-api@" +
				*image(1).ImageDigest + " does not exist",
		},
		"code alone": {
			change: func(d *deployment) { d.Kind = history.CodeOnly },
			fails:  []string{"watch 2"}, phase: Rollout, want: append(slices.Clone(rolling), putBack...), undone: back,
		},
		"a restart": {
			change: func(d *deployment) {
				d.Kind, d.Restart = history.CodeOnly, true
				d.SkipPhases = map[string]string{Provision: "same", Migrate: "same"}
			},
			fails: []string{"watch 2"}, phase: Rollout, want: []string{Preflight, "release 2", "restart", "watch 2"},
			undone: "the image is the one that ran before, so there is nothing to put back: ECS keeps the tasks of before where new ones cannot start",
		},
		"after a snapshot": {
			change: func(d *deployment) { d.record.Snapshot = "before" },
			fails:  []string{Migrate}, phase: Migrate, want: started,
			undone: untouched + "; the database was not put back, its snapshot is before",
		},
		"after the snapshot of an earlier try": {
			change: func(d *deployment) {
				d.record.Snapshot = "half changed"
				tried := history.Deployment{ID: "20260101-000000-0002", Stack: d.Env.Stack, Snapshot: "before both", Outcome: history.Failed, Migration: &history.Migration{ExitCode: 1}}
				if err := d.Records.Save(context.Background(), tried); err != nil {
					panic(err)
				}
			},
			fails: []string{Migrate}, phase: Migrate, want: started,
			undone: untouched + "; the database was not put back, its snapshot is before both",
		},
		"a migration after the services that nobody rolls back": {
			change: func(d *deployment) {
				d.Env.Deployment.Rollback, d.Env.Deployment.Migrations.Order = "manual", environment.AfterServices
			},
			fails: []string{Migrate}, phase: Migrate, want: []string{Preflight, "provision 2", "release 2", "watch 2", Migrate},
			undone: "the services were rolled out before and run the new image: the deployer put nothing back, deployment.rollback is manual here; " +
				"`rollback` brings back the last image that was verified healthy",
		},
		"a service that ECS took back": {
			play:  fakeStack{outdated: []string{"api"}},
			fails: []string{"reconcile 2"}, phase: Rollout,
			want:   append(slices.Clone(rolling[:4]), "reconcile 2", "code 1", "reconcile 1", "watch 1"),
			undone: back,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &test.play
			p.fails = map[string]error{}
			for _, deed := range test.fails {
				p.fails[deed] = errBroken
			}
			d := p.deployment(t)
			if test.change != nil {
				test.change(d)
			}
			err := d.runPhases(t.Context(), p.phases(d))
			var failed *FailedError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, test.phase, failed.Phase)
			require.Equal(t, test.undone, failed.Rollback)
			done := slices.DeleteFunc(p.done, func(deed string) bool { return deed == "settle" && !slices.Contains(test.want, "settle") })
			require.Equal(t, test.want, done)
			require.Equal(t, test.undone == back, d.record.RolledBackTo != nil)
		})
	}
}

func TestWhatIsDone(t *testing.T) {
	p := &fakeStack{}
	d := p.deployment(t)
	require.NoError(t, d.runPhases(t.Context(), p.phases(d)))
	require.Equal(t, []string{Preflight, "provision 2", Migrate, "release 2", "watch 2", Health, Validate}, p.done)
	require.Equal(t, map[string]string{"api": "api:2"}, d.record.TaskDefinitions)

	p = &fakeStack{}
	d = p.deployment(t)
	d.Env.Deployment.Migrations.Order = environment.AfterServices
	d.Env.Deployment.Backup = environment.BackupSnapshot
	require.NoError(t, d.runPhases(t.Context(), p.phases(d)))
	require.Equal(t, []string{Preflight, Backup, "provision 2", "release 2", "watch 2", Migrate, Health, Validate}, p.done)
}

// What waits is looked for beside the rollout, told in the end, and given up when the deployment fails.
func TestWaiting(t *testing.T) {
	changes := make([]history.Change, 12)
	for i := range changes {
		changes[i] = history.Change{Op: "update", Type: "lb/listener", Name: "https"}
	}
	for name, test := range map[string]struct {
		play  fakeStack
		notes []string
	}{
		"nothing": {},
		"one":     {fakeStack{pending: changes[:1]}, []string{"1 change of the infrastructure waits for a full `up`:", "  update lb/listener https"}},
		"unknown": {fakeStack{fails: map[string]error{"waiting": errBroken}}, []string{"whether changes of the infrastructure wait is not known: broken"}},
		"many": {fakeStack{pending: changes}, slices.Concat([]string{"12 changes of the infrastructure wait for a full `up`:"},
			slices.Repeat([]string{"  update lb/listener https"}, 10), []string{"  and 2 more: `deployer preview --env staging` shows all"})},
	} {
		t.Run(name, func(t *testing.T) {
			p := &test.play
			d := p.deployment(t)
			d.Kind = history.CodeOnly
			var notes []string
			d.Report = func(e Event) {
				if e.Phase == "waiting" {
					notes = append(notes, e.Message)
				}
			}
			require.NoError(t, d.runPhases(t.Context(), p.phases(d)))
			d.reportPending()
			require.Equal(t, test.notes, notes)
			require.Len(t, d.record.PendingChanges, len(p.pending))
		})
	}

	p := &fakeStack{release: make(chan struct{}), fails: map[string]error{Health: errBroken}}
	d := p.deployment(t)
	d.Kind = history.CodeOnly
	require.Error(t, d.runPhases(t.Context(), p.phases(d)))
	require.ErrorIs(t, d.pending.err, context.Canceled, "the engine is free for the rollback")
}

package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/expiry"
	"github.com/balancer/v3-backend-infra/internal/blob"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/probe"
)

// fakeStack is a fake Infrastructure for a deployment with the real phases and a fake registry. It records what is done, and every
// action can fail.
type fakeStack struct {
	done  []string
	fails map[string]error
	// failsOnce are the actions that fail the first time.
	failsOnce map[string]error
	env       *environment.Environment
	// code is what Code was last called with.
	code *environment.Code
	// outdated are services that ECS rolled back.
	outdated []string
	// started are the services that the rollout deploys.
	started []string
	// release, where it is set, blocks the preview of pending changes.
	release chan struct{}
	pending []history.Change
	// pendingOperations reports that the state has operations of unknown outcome; repairs is what a repair does.
	pendingOperations bool
	repairs           []string
}

func (p *fakeStack) do(action string) error {
	p.done = append(p.done, action)
	if err, fails := p.failsOnce[action]; fails {
		delete(p.failsOnce, action)
		return err
	}
	return p.fails[action]
}

func (p *fakeStack) update(action, image string) (Update, error) {
	return Update{Changed: 1, Took: time.Second}, p.do(action + " " + awsx.DigestOf(image)[len("sha256:")+63:])
}

func (p *fakeStack) Provision(_ context.Context, image string, _ ProgressFunc) (Update, error) {
	return p.update("provision", image)
}

func (p *fakeStack) Release(_ context.Context, image string, _ ProgressFunc) (Update, error) {
	return p.update("release", image)
}

func (p *fakeStack) DeployCode(_ context.Context, image string, code *environment.Code, _ ProgressFunc) (Update, error) {
	p.code = code
	return p.update("code", image)
}

func (p *fakeStack) Deployed(code *environment.Code) *environment.Environment {
	if code == nil {
		return p.env
	}
	return p.env.WithCode(*code)
}

func (p *fakeStack) RefreshServices(_ context.Context, image string, _ ProgressFunc) (Update, error) {
	return p.update("refresh", image)
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

func (p *fakeStack) Repair(context.Context, string, ProgressFunc) ([]string, error) {
	return p.repairs, p.do("repair")
}

func (p *fakeStack) TaskNetwork() (TaskNetwork, error) { return TaskNetwork{}, nil }

func (p *fakeStack) MigrationDefinition() string { return "definition/image" }

// services is a fake rolloutWatcher of one image.
type services struct {
	*fakeStack
	image string
}

func (s services) watch(context.Context, phaseLog) (rolloutResult, error) {
	return rolloutResult{map[string]string{"api": "api:2"}, s.started}, s.do("watch " + s.image)
}

func (s services) outdatedServices(context.Context) ([]string, error) {
	return s.outdated, s.fails["observe"]
}
func (s services) restart(context.Context, environment.Role) error {
	return s.do("restart")
}
func (s services) applyCounts(context.Context) error       { return nil }
func (s services) waitUntilIdle(context.Context, phaseLog) { _ = s.do("wait until idle") }

// deployment returns one of image 2, after one of image 1 that was verified healthy.
func (p *fakeStack) deployment(t *testing.T) *deployment {
	d := newTestDeployment(t)
	env := *d.deps.Env
	p.env = &env
	d.codeBefore = env.Code()
	d.deps.Env, d.infra, d.images = &env, p, fakeRegistry{images: []ecrtypes.ImageDetail{image(1, "one"), image(2, "two")}}
	d.deps.Records = history.Store{Files: blob.Dir(t.TempDir())}
	d.request.Kind, d.record.Image = history.Full, d.named(t, 2).Image
	d.image = d.named(t, 2)
	d.newWatcher = func(_ context.Context, _ *environment.Environment, i *Image) (rolloutWatcher, error) {
		return services{p, i.Digest[len(i.Digest)-1:]}, p.fails["follow"]
	}
	require.NoError(t, d.deps.Records.Save(t.Context(), history.Deployment{
		ID: "20260101-000000-0001", Stack: d.deps.Env.Stack, Verified: true, Image: d.named(t, 1).Image,
	}))
	return d
}

func (d *deployment) named(t *testing.T, n int) *Image {
	found, err := FindImage(t.Context(), d.images, d.deps.Env, *image(n).ImageDigest)
	require.NoError(t, err)
	return found
}

// phases returns the deployment's phases, of which those that call AWS only succeed or fail.
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

// unhealthy returns the error of probes that have one problem on both sides.
func unhealthy(reason probe.Reason, ofApplication bool) error {
	all := []probe.Result{{Side: probe.SideLoadBalancer}, {Side: probe.SideDomain}}
	for i := range all {
		all[i].Problem, all[i].OfApplication = &probe.Problem{Reason: reason, Message: "it is " + string(reason)}, ofApplication
	}
	return &probesError{failed: all, all: all, tries: 6}
}

// Another image helps only where the application may be the cause.
func TestOutsideCauses(t *testing.T) {
	const balancer, other = "203.0.113.7", "198.51.100.9"
	result := func(side probe.Side, address string, reason probe.Reason, ofApplication bool) probe.Result {
		r := probe.Result{Side: side, Address: address, DNS: []string{address}, OfApplication: ofApplication}
		if reason != "" {
			r.Problem = &probe.Problem{Reason: reason}
		}
		return r
	}
	for name, test := range map[string]struct {
		balancer, domain probe.Result
		want             string
	}{
		"the application": {
			result(probe.SideLoadBalancer, balancer, probe.HTTPStatus, true), result(probe.SideDomain, balancer, probe.HTTPStatus, true), "",
		},
		"the application, now and then": {
			result(probe.SideLoadBalancer, balancer, "", false), result(probe.SideDomain, balancer, probe.HTTPStatus, true), "",
		},
		"the application behind an expired certificate": {
			result(probe.SideLoadBalancer, balancer, probe.CertificateExpired, true), result(probe.SideDomain, balancer, probe.CertificateExpired, true), "",
		},
		"the application, and no record": {
			result(probe.SideLoadBalancer, balancer, probe.BodyNotHealthy, true), result(probe.SideDomain, "", probe.DNSNotFound, false), "",
		},
		"the certificate": {
			result(probe.SideLoadBalancer, balancer, probe.CertificateExpired, false), result(probe.SideDomain, balancer, probe.CertificateExpired, false),
			"the certificate",
		},
		"no record": {result(probe.SideLoadBalancer, balancer, "", false), result(probe.SideDomain, "", probe.DNSNotFound, false), "DNS"},
		"another host": {
			result(probe.SideLoadBalancer, balancer, "", false), result(probe.SideDomain, other, probe.HTTPStatus, true), "DNS, which names another host",
		},
		"the listener": {
			result(probe.SideLoadBalancer, balancer, probe.PlainHTTP, false), result(probe.SideDomain, balancer, probe.ConnectionRefused, false),
			"TLS at the load balancer and the connection to the load balancer",
		},
		"the web ACL": {
			result(probe.SideLoadBalancer, balancer, probe.HTTPStatus, false), result(probe.SideDomain, balancer, probe.HTTPStatus, false),
			"a rule of the listener or the web ACL",
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := []probe.Result{test.balancer, test.domain}
			err := &probesError{all: all, failed: list.Filter(all, func(r probe.Result) bool { return !r.OK() })}
			require.Equal(t, test.want, err.outside())
		})
	}
}

var errBroken = errors.New("broken")

// failedRollout returns the error of a rollout of one service with the causes.
func failedRollout(causes ...checks.Stop) error {
	return &rolloutError{text: "broken", failures: []serviceFailure{{causes: causes}}}
}

// What a rollback does after each failure, in which order, and what it reports.
func TestRollbackAfterFailure(t *testing.T) {
	const untouched = "no service was changed: the previous version continues to serve"
	const again = "rolled back: one (sha256:000000000000) runs again"
	const back = again + " and answers: 4 probes of https://staging-api.hyperchonk.com succeeded; no migration changed the database"
	const gone = "nothing was rolled back: the image is not the cause, and a rollback needs credentials; what was begun continues in the account"
	expired := &smithy.GenericAPIError{Code: "ExpiredTokenException", Message: "The security token included in the request is expired"}
	started := []string{Preflight, "provision 2", Migrate}
	endedByAlarm := &rolloutError{text: "ECS ended it", failures: []serviceFailure{{byAlarm: true}}}
	rolling := append(slices.Clone(started), "release 2", "watch 2")
	putBack := []string{"code 1", "watch 1"}
	afterHealth := append(append(slices.Clone(rolling), Health), putBack...)
	for name, test := range map[string]struct {
		fails []string
		cause error
		// probes is the outcome of the probes after the rollback.
		probes error
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
		"the health":  {fails: []string{Health}, cause: unhealthy(probe.HTTPStatus, true), phase: Health, want: afterHealth, undone: back},
		"the health, and not after the rollback": {
			fails: []string{Health}, cause: unhealthy(probe.HTTPStatus, true), probes: unhealthy(probe.HTTPStatus, true), phase: Health, want: afterHealth,
			undone: again + " and does not answer either, so that the rollback does not cure this: it is HTTPStatus; no migration changed the database",
		},
		"the health, and unknown after the rollback": {
			fails: []string{Health}, cause: unhealthy(probe.BodyNotHealthy, true), probes: errBroken, phase: Health, want: afterHealth,
			undone: again + "; whether it answers is unknown: broken; no migration changed the database",
		},
		"the certificate": {
			fails: []string{Health}, cause: unhealthy(probe.CertificateExpired, false), phase: Health, want: append(slices.Clone(rolling), Health),
			undone: "nothing was rolled back, because another image would fail in the same way: the cause is the certificate, not the application; " +
				"two (sha256:000000000000) runs",
		},
		"a rollout that no image cures": {
			fails: []string{"watch 2"}, cause: failedRollout(checks.Stop{Kind: checks.StopCapacity, AnyImage: true, Message: "Fargate has no capacity"}),
			phase: Rollout, want: append(slices.Clone(rolling), "wait until idle"),
			undone: "nothing was rolled back, because another image would fail in the same way: Fargate has no capacity; " +
				"the rollout stopped halfway: api still has one, worker has two, while the stack names two\n" +
				"when that is corrected, run the same command again; " +
				"to deploy the earlier image instead: `deployer rollback --env staging --to 20260101-000000-0001` (one)",
		},
		"a rollout that no image cures, with a manual rollback": {
			change: func(d *deployment) { d.deps.Env.Deployment.Rollback = "manual" },
			fails:  []string{"watch 2"}, cause: failedRollout(checks.Stop{Kind: checks.StopQuota, AnyImage: true, Message: "a quota is exhausted"}),
			phase: Rollout, want: append(slices.Clone(rolling), "wait until idle"),
			undone: "nothing was rolled back, because another image would fail in the same way: a quota is exhausted; " +
				"the rollout stopped halfway: api still has one, worker has two, while the stack names two\n" +
				"when that is corrected, run the same command again; " +
				"to deploy the earlier image instead: `deployer rollback --env staging --to 20260101-000000-0001` (one)",
		},
		"a rollout with two causes": {
			fails: []string{"watch 2"}, cause: failedRollout(checks.Stop{AnyImage: true}, checks.Stop{Kind: checks.StopExitCode}),
			phase: Rollout, want: append(slices.Clone(rolling), putBack...), undone: back,
		},
		"a rollout of unknown cause": {
			fails: []string{"watch 2"}, cause: failedRollout(), phase: Rollout, want: append(slices.Clone(rolling), putBack...), undone: back,
		},
		"a key that only the new code requires": {
			change: func(d *deployment) {
				d.deps.Env.Configuration.Required = append(slices.Clone(d.deps.Env.Configuration.Required), "NEW_KEY")
			},
			fails: []string{"watch 2"}, cause: failedRollout(checks.Stop{Kind: checks.StopMissingSecret, AnyImage: true}),
			phase: Rollout, want: append(slices.Clone(rolling), putBack...), undone: back,
		},
		"health that is not known": {
			fails: []string{Health}, phase: Health, want: append(slices.Clone(rolling), Health),
			undone: "two (sha256:000000000000) runs, and whether it answers is unknown; it was not rolled back",
		},
		"the rollout after a migration": {
			change: func(d *deployment) { d.record.Migration = &history.Migration{} },
			fails:  []string{"watch 2"}, phase: Rollout, want: append(slices.Clone(rolling), putBack...),
			undone: again + " and answers: 4 probes of https://staging-api.hyperchonk.com succeeded; " +
				"the database v3-backend-staging-db keeps the migrations since then, and no deployment took a snapshot before them",
		},
		"the rollout after a snapshot and a migration": {
			change: func(d *deployment) { d.record.Migration, d.record.Snapshot = &history.Migration{}, "before" },
			fails:  []string{"watch 2"}, phase: Rollout, want: append(slices.Clone(rolling), putBack...),
			undone: again + " and answers: 4 probes of https://staging-api.hyperchonk.com succeeded; " +
				"the database v3-backend-staging-db keeps the migrations since then: its state before them is in the snapshot before",
		},
		"the credentials expire in the rollout": {
			fails: []string{"watch 2"}, cause: fmt.Errorf("describe the services: %w", expired), phase: Rollout, want: rolling, undone: gone,
		},
		"the credentials expire in the program": {
			fails: []string{"release 2"}, cause: &ExpiredError{expired}, phase: Rollout, want: rolling[:4], undone: gone,
		},
		"the credentials expire before the services": {
			fails: []string{Migrate}, cause: expired, phase: Migrate, want: started, undone: untouched,
		},
		"the validation": {
			fails: []string{Validate}, phase: Validate, want: append(slices.Clone(rolling), Health, Validate),
			undone: "the new image runs and answers; it was not rolled back",
		},
		"the validation, without a rollout": {
			change: func(d *deployment) { d.request.SkipPhases = map[string]string{Rollout: "skipped", Health: "skipped"} },
			fails:  []string{Validate}, phase: Validate, want: append(slices.Clone(started[:3]), Validate),
			undone: "nothing was rolled out, so there is nothing to roll back",
		},
		"the validation, without the health": {
			change: func(d *deployment) { d.request.SkipPhases = map[string]string{Health: "skipped"} },
			fails:  []string{Validate}, phase: Validate, want: append(slices.Clone(rolling), Validate),
			undone: "the new image runs, and whether it answers was not checked; it was not rolled back",
		},
		"the rollback": {
			fails: []string{"watch 2", "watch 1"}, phase: Rollout, want: append(slices.Clone(rolling), putBack...),
			undone: "the rollback to one failed too, so both versions may be running: broken\n" +
				"check what runs with `deployer status --env staging --only ecs_service,ecs_tasks`, then choose an image: " +
				"`deployer rollback --env staging --to TAG` or `deployer up --env staging --code-only --image-tag TAG`",
		},
		"the rollout, and an alarm of the failed version ends the rollback": {
			play:  fakeStack{failsOnce: map[string]error{"watch 1": endedByAlarm}},
			fails: []string{"watch 2"}, phase: Rollout, want: slices.Concat(rolling, putBack, putBack), undone: back,
		},
		"the rollout, and an alarm ends the rollback twice": {
			play:  fakeStack{failsOnce: map[string]error{"code 1": endedByAlarm}},
			fails: []string{"watch 2", "watch 1"}, cause: endedByAlarm, phase: Rollout,
			want: slices.Concat(rolling, []string{"code 1"}, putBack),
			undone: "the rollback to one failed too, so both versions may be running: ECS ended it\n" +
				"check what runs with `deployer status --env staging --only ecs_service,ecs_tasks`, then choose an image: " +
				"`deployer rollback --env staging --to TAG` or `deployer up --env staging --code-only --image-tag TAG`",
		},
		"the program in the rollback": {
			fails: []string{"watch 2", "code 1"}, phase: Rollout, want: append(slices.Clone(rolling), "code 1"),
			undone: "the rollback to one failed too, so both versions may be running: broken\n" +
				"check what runs with `deployer status --env staging --only ecs_service,ecs_tasks`, then choose an image: " +
				"`deployer rollback --env staging --to TAG` or `deployer up --env staging --code-only --image-tag TAG`",
		},
		"a rollout, with a manual rollback": {
			change: func(d *deployment) { d.deps.Env.Deployment.Rollback = "manual" },
			fails:  []string{"watch 2"}, phase: Rollout, want: append(slices.Clone(rolling), "wait until idle"),
			undone: "it was not rolled back: deployment.rollback is manual; ECS itself returns to the previous revision, " +
				"where there is one, while the stack names the new image: deploy the image that should run with `deployer up --env staging --image-tag TAG`",
		},
		"the first rollout": {
			change: func(d *deployment) { d.deps.Records = history.Store{Files: blob.Dir("/nowhere")} },
			fails:  []string{"watch 2"}, phase: Rollout, want: append(slices.Clone(rolling), "wait until idle"),
			undone: "nothing was rolled back: this is the first deployment, so no earlier image was verified healthy",
		},
		"a rollout of the image that was good": {
			change: func(d *deployment) { d.image.Digest = *image(1).ImageDigest },
			fails:  []string{"watch 1"}, phase: Rollout, want: []string{Preflight, "provision 2", Migrate, "release 2", "watch 1", "wait until idle"},
			undone: "nothing was rolled back: this image with this code is the last one that was verified healthy, so it is not the cause",
		},
		"a rollout whose predecessor is gone": {
			change: func(d *deployment) { d.images = fakeRegistry{images: []ecrtypes.ImageDetail{image(2, "two")}} },
			fails:  []string{"watch 2"}, phase: Rollout, want: append(slices.Clone(rolling), "wait until idle"),
			undone: "nothing was rolled back: the last verified image one (sha256:000000000000) cannot be used: the image balancer-api@" +
				*image(1).ImageDigest + " does not exist",
		},
		"code alone": {
			change: func(d *deployment) { d.request.Kind = history.CodeOnly },
			fails:  []string{"watch 2"}, phase: Rollout, want: append(slices.Clone(rolling), putBack...), undone: back,
		},
		"a restart": {
			change: func(d *deployment) {
				d.request.Kind, d.request.Restart = history.CodeOnly, true
				d.request.SkipPhases = map[string]string{Provision: "same", Migrate: "same"}
			},
			fails: []string{"watch 2"}, phase: Rollout, want: []string{Preflight, "release 2", "restart", "watch 2"},
			undone: "the image has not changed, so there is nothing to roll back: ECS keeps the old tasks where new ones cannot start",
		},
		"after a snapshot": {
			change: func(d *deployment) { d.record.Snapshot = "before" },
			fails:  []string{Migrate}, phase: Migrate, want: started,
			undone: untouched + "; the database was not restored, its snapshot is before",
		},
		"after the snapshot of an earlier try": {
			change: func(d *deployment) {
				d.record.Snapshot = "half changed"
				tried := history.Deployment{ID: "20260101-000000-0002", Stack: d.deps.Env.Stack, Snapshot: "before both", Outcome: history.Failed, Migration: &history.Migration{ExitCode: 1}}
				if err := d.deps.Records.Save(context.Background(), tried); err != nil {
					panic(err)
				}
			},
			fails: []string{Migrate}, phase: Migrate, want: started,
			undone: untouched + "; the database was not restored, its snapshot is before both",
		},
		"a migration after the services, with a manual rollback": {
			change: func(d *deployment) {
				d.deps.Env.Deployment.Rollback, d.deps.Env.Deployment.Migrations.Order = "manual", environment.AfterServices
			},
			fails: []string{Migrate}, phase: Migrate, want: []string{Preflight, "provision 2", "release 2", "watch 2", Migrate},
			undone: "the services were rolled out before the migration and run the new image, which was not rolled back: deployment.rollback is manual; " +
				"`deployer rollback --env staging` redeploys the last image that was verified healthy",
		},
		"a service that ECS rolled back": {
			play:  fakeStack{outdated: []string{"api"}},
			fails: []string{"refresh 2"}, phase: Rollout,
			want:   append(slices.Clone(rolling[:4]), "refresh 2", "code 1", "refresh 1", "watch 1"),
			undone: back,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &test.play
			p.fails = map[string]error{}
			for _, action := range test.fails {
				p.fails[action] = cmp.Or(test.cause, errBroken)
			}
			d := p.deployment(t)
			d.readServices = func(context.Context) ([]serviceState, error) {
				if !slices.Contains(p.done, "wait until idle") {
					return []serviceState{{role: "api", running: 1, desired: 1}}, nil
				}
				return []serviceState{
					{role: "api", digest: *image(1).ImageDigest, running: 1, desired: 1}, {role: "worker", digest: *image(2).ImageDigest},
				}, nil
			}
			if test.change != nil {
				test.change(d)
			}
			d.probeHealth = func(context.Context, phaseLog, *environment.Environment) ([]probe.Result, error) {
				return make([]probe.Result, 4), test.probes
			}
			err := d.runPhases(t.Context(), p.phases(d))
			var failed *FailedError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, test.phase, failed.Phase)
			require.Equal(t, test.undone, failed.Rollback)
			if expiry.IsError(test.cause) {
				require.Contains(t, failed.Error(), "the credentials have expired: ")
				require.Contains(t, hint.Of(failed), "run the same command again")
			}
			done := slices.DeleteFunc(p.done, func(action string) bool {
				return action == "wait until idle" && !slices.Contains(test.want, "wait until idle")
			})
			require.Equal(t, test.want, done)
			require.Equal(t, strings.HasPrefix(test.undone, again), d.record.RolledBackTo != nil)
		})
	}
}

func TestPhasesRun(t *testing.T) {
	p := &fakeStack{}
	d := p.deployment(t)
	require.NoError(t, d.runPhases(t.Context(), p.phases(d)))
	require.Equal(t, []string{Preflight, "provision 2", Migrate, "release 2", "watch 2", Health, Validate}, p.done)
	require.Equal(t, map[string]string{"api": "api:2"}, d.record.TaskDefinitions)

	p = &fakeStack{}
	d = p.deployment(t)
	d.deps.Env.Deployment.Migrations.Order = environment.AfterServices
	d.deps.Env.Deployment.Backup = environment.BackupSnapshot
	require.NoError(t, d.runPhases(t.Context(), p.phases(d)))
	require.Equal(t, []string{Preflight, Backup, "provision 2", "release 2", "watch 2", Migrate, Health, Validate}, p.done)
}

// Pending changes are previewed during the rollout, reported at the end, and given up when the deployment fails.
func TestPendingChanges(t *testing.T) {
	changes := make([]history.Change, 12)
	for i := range changes {
		changes[i] = history.Change{Op: "update", Type: "lb/listener", Name: "https"}
	}
	for name, test := range map[string]struct {
		play  fakeStack
		notes []string
	}{
		"nothing": {},
		"one":     {fakeStack{pending: changes[:1]}, []string{"1 change is pending for a full deployment:", "  update lb/listener https"}},
		"unknown": {fakeStack{fails: map[string]error{"waiting": errBroken}}, []string{"pending changes could not be determined: broken"}},
		"many": {fakeStack{pending: changes}, slices.Concat([]string{"12 changes are pending for a full deployment:"},
			slices.Repeat([]string{"  update lb/listener https"}, 10), []string{"  and 2 more: `deployer preview --env staging` lists all"})},
	} {
		t.Run(name, func(t *testing.T) {
			p := &test.play
			d := p.deployment(t)
			d.request.Kind = history.CodeOnly
			var notes []string
			d.deps.Report = func(e Event) {
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
	d.request.Kind = history.CodeOnly
	require.Error(t, d.runPhases(t.Context(), p.phases(d)))
	require.ErrorIs(t, d.pending.err, context.Canceled, "the engine is free for the rollback")
}

// A rollback is tried again only where an alarm ended its rollout.
func TestIsEndedByAlarm(t *testing.T) {
	require.False(t, isEndedByAlarm(nil))
	require.False(t, isEndedByAlarm(errBroken))
	require.False(t, isEndedByAlarm(&rolloutError{failures: []serviceFailure{{}}}))
	require.True(t, isEndedByAlarm(fmt.Errorf("api: %w", &rolloutError{failures: []serviceFailure{{}, {byAlarm: true}}})))
}

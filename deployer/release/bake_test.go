package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/bake"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/cwmetrics"
	"github.com/balancer/v3-backend-infra/internal/blob"
)

// fakeBaker returns what a test sets, and records what it was asked to watch.
type fakeBaker struct {
	stack   *fakeStack
	verdict bake.Verdict
	err     error
	// during is called while it watches.
	during func()
	target bake.BakeTarget
}

func (b *fakeBaker) Watch(ctx context.Context, target bake.BakeTarget, report func(string)) (bake.Verdict, error) {
	b.target = target
	report("2m of 5m watched")
	err := b.stack.do(Bake)
	if b.during != nil {
		b.during()
	}
	return b.verdict, errors.Join(err, b.err, ctx.Err())
}

const bakeAlarm = "alarm v3-backend-staging-api-5xx: in alarm since 16:03:00 UTC: Threshold Crossed"

// baking returns a deployment of image 2 whose rollout starts the API, and that is watched for five minutes. Its health probes are the real phase.
func (p *fakeStack) baking(t *testing.T, b *fakeBaker) (*deployment, []phase) {
	d := p.deployment(t)
	p.started = []string{d.deps.Env.ServiceName(environment.API)}
	d.deps.Env.Deployment.Rollout.Bake, d.deps.Env.Deployment.Rollout.Alarms = 5*time.Minute, []string{"api-5xx"}
	b.stack, d.baker = p, b
	phases := p.phases(d)
	health := slices.IndexFunc(phases, func(p phase) bool { return p.name == Health })
	phases[health].run = d.health
	return d, phases
}

func phaseOutcome(d history.Deployment, name string) (outcome history.Outcome, message string) {
	for _, p := range d.Phases {
		if p.Name == name {
			return p.Outcome, p.Message
		}
	}
	return "", ""
}

// A new version is verified only after its bake.
func TestBake(t *testing.T) {
	p, b := &fakeStack{}, &fakeBaker{verdict: bake.Verdict{Summary: "812 requests, no 5xx", Warnings: []string{"memory was not judged"}}}
	d, phases := p.baking(t, b)
	b.during = func() { require.False(t, d.record.Verified, "what is being watched is nothing to roll back to") }
	require.NoError(t, d.runPhases(t.Context(), phases))
	require.Equal(t, []string{Preflight, "provision 2", Migrate, "release 2", "watch 2", Bake, Validate}, p.done)
	require.True(t, d.record.Verified)
	outcome, message := phaseOutcome(d.record, Bake)
	require.Equal(t, history.Succeeded, outcome)
	require.Equal(t, "watched for 5m0s: 812 requests, no 5xx", message)
	require.Contains(t, d.record.Warnings, "memory was not judged")
	require.Equal(t, bake.BakeTarget{
		Cluster: "v3-backend-staging-cluster", Services: []string{"v3-backend-staging-api-service"}, TargetGroup: "v3-backend-staging-api-tg",
		LoadBalancer: "v3-backend-staging-alb", Alarms: []string{"v3-backend-staging-api-5xx"}, Since: d.started.since, For: 5 * time.Minute,
	}, b.target)

	p, b = &fakeStack{}, &fakeBaker{verdict: bake.Verdict{Unjudged: "the metrics"}}
	d, phases = p.baking(t, b)
	require.NoError(t, d.runPhases(t.Context(), phases))
	require.False(t, d.record.Verified, "nothing shows that it is good")
	outcome, message = phaseOutcome(d.record, Bake)
	require.Equal(t, history.Incomplete, outcome)
	require.Equal(t, "the bake could not judge: the metrics could not be read; the image is not verified, and the same command again watches it again", message)

	p, b = &fakeStack{}, &fakeBaker{}
	d, phases = p.baking(t, b)
	p.started = []string{d.deps.Env.ServiceName(environment.Worker)}
	require.NoError(t, d.runPhases(t.Context(), phases))
	require.Empty(t, b.target.TargetGroup+b.target.LoadBalancer, "the API was not rolled out: its responses are not those of the new version")

	p, b = &fakeStack{}, &fakeBaker{}
	d, _ = p.baking(t, b)
	d.request.SkipPhases = map[string]string{Health: "skipped with --skip"}
	require.NoError(t, d.runPhases(t.Context(), p.phases(d)))
	require.Contains(t, p.done, Bake)
	require.False(t, d.record.Verified, "whether it answers was not checked")
}

// What is rolled back after a bake, and what is reported.
func TestBakeFails(t *testing.T) {
	failed := bake.Verdict{Failed: true, Evidence: []bake.Evidence{
		{Kind: bake.KindAlarm, Subject: "v3-backend-staging-api-5xx", Text: bakeAlarm},
		{Kind: bake.KindMemory, Subject: "v3-backend-staging-worker-service", Text: "memory: a task used 97 %"},
	}}
	const again = "rolled back: one (sha256:000000000000) runs again and answers: 4 probes of https://staging-api.hyperchonk.com succeeded; no migration changed the database"
	before := []string{Preflight, "provision 2", Migrate, "release 2", "watch 2", Bake}
	for name, test := range map[string]struct {
		baker  fakeBaker
		change func(*deployment)
		// more is done after the bake.
		more   []string
		undone string
	}{
		"automatic rollback": {fakeBaker{verdict: failed}, nil, []string{"code 1", "watch 1"}, again},
		"manual rollback": {
			fakeBaker{verdict: failed}, func(d *deployment) { d.deps.Env.Deployment.Rollback = environment.RollbackManual }, nil,
			"two (sha256:000000000000) runs and was not rolled back: deployment.rollback is manual; " +
				"to go back: `deployer rollback --env staging --to 20260101-000000-0001` (one)",
		},
		"a restart of an image that was not verified": {
			fakeBaker{verdict: failed}, func(d *deployment) { d.request.Restart = true }, []string{"code 1", "watch 1"}, again,
		},
		"the first deployment": {
			fakeBaker{verdict: failed}, func(d *deployment) { d.deps.Records.Files = blob.Dir("/nowhere") }, nil,
			"nothing was rolled back: this is the first deployment, so no earlier image was verified healthy; two (sha256:000000000000) runs and serves",
		},
		"the first deployment, manual": {
			fakeBaker{verdict: failed}, func(d *deployment) {
				d.deps.Env.Deployment.Rollback, d.deps.Records.Files = environment.RollbackManual, blob.Dir("/nowhere")
			}, nil, "nothing was rolled back: this is the first deployment; two (sha256:000000000000) runs and serves",
		},
		"it cannot be watched": {
			fakeBaker{err: errBroken}, nil, nil, "two (sha256:000000000000) runs and answers, and whether it fails later is unknown; it was not rolled back",
		},
		"the credentials expire": {
			fakeBaker{err: &smithy.GenericAPIError{Code: "ExpiredTokenException", Message: "expired"}}, nil, nil,
			"two (sha256:000000000000) runs and answers, and whether it fails later is unknown; it was not rolled back",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &fakeStack{}
			d, phases := p.baking(t, &test.baker)
			if test.change != nil {
				test.change(d)
			}
			err := d.runPhases(t.Context(), phases)
			var failed *FailedError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, Bake, failed.Phase)
			require.Equal(t, test.undone, failed.Rollback)
			done := slices.DeleteFunc(p.done, func(what string) bool { return what == "restart" })
			require.Equal(t, slices.Concat(before, test.more), done, "a rollback is not watched")
			require.False(t, d.record.Verified)
			require.Equal(t, test.more != nil, d.record.RolledBackTo != nil)
			if test.baker.err == nil {
				require.ErrorContains(t, err, "bake: the new version fails after its health checks: "+bakeAlarm+"\n  memory: a task used 97 %\n")
				require.Contains(t, hint.Of(err), "`deployer logs --env staging --service worker --since 1h`")
			}
		})
	}
}

// Nothing is watched where nothing was rolled out, and what was not watched to its end is watched by the next deployment of the same image.
func TestNothingToBake(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	earlier := func(n int, change func(*history.Deployment)) func(*testing.T, *deployment) {
		return func(t *testing.T, d *deployment) {
			r := history.Deployment{
				ID: "20260101-120000-0001", Stack: "staging", Started: at, Outcome: history.Interrupted, Image: d.named(t, n).Image,
				Phases: []history.Phase{{Name: Rollout, Outcome: history.Succeeded}, {Name: Bake, Outcome: history.Interrupted}},
			}
			if change != nil {
				change(&r)
			}
			require.NoError(t, d.deps.Records.Save(t.Context(), r))
		}
	}
	for name, test := range map[string]struct {
		prepare func(*testing.T, *deployment)
		started bool
		want    string
	}{
		"a rollout":             {nil, true, ""},
		"nothing rolled out":    {nil, false, "nothing was rolled out"},
		"a rollback":            {func(t *testing.T, d *deployment) { d.request.Kind = history.Rollback; d.image = d.named(t, 1) }, true, "the image was verified before"},
		"a rollback to another": {func(_ *testing.T, d *deployment) { d.request.Kind = history.Rollback }, true, ""},
		"a restart":             {func(t *testing.T, d *deployment) { d.request.Restart, d.image = true, d.named(t, 1) }, true, "the image stays the same"},
		"a restart of an image that was not verified": {func(_ *testing.T, d *deployment) { d.request.Restart = true }, true, ""},
		"an interrupted bake":                         {earlier(2, nil), false, ""},
		"one of another image":                        {earlier(1, nil), false, "nothing was rolled out"},
		"a deployment that was killed":                {earlier(2, func(r *history.Deployment) { r.Outcome = history.Running }), false, ""},
		"a bake that failed": {earlier(2, func(r *history.Deployment) {
			r.Outcome, r.Phases[1].Outcome = history.Failed, history.Failed
		}), false, ""},
		"a bake that failed, and a rollback": {earlier(2, func(r *history.Deployment) {
			r.Outcome, r.Phases[1].Outcome, r.RolledBackTo = history.Failed, history.Failed, &history.Image{}
		}), false, "nothing was rolled out"},
		"a deployment that succeeded": {earlier(2, func(r *history.Deployment) { r.Outcome, r.Verified = history.Succeeded, true }), false, "nothing was rolled out"},
		"a bake that was skipped": {earlier(2, func(r *history.Deployment) {
			r.Outcome, r.Phases[1].Outcome = history.Failed, history.Skipped
		}), false, "nothing was rolled out"},
		"a bake that could not judge": {earlier(2, func(r *history.Deployment) {
			r.Outcome, r.Phases[1].Outcome = history.Incomplete, history.Incomplete
		}), false, ""},
		"a dry run": {func(_ *testing.T, d *deployment) { d.request.DryRun = true }, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := &fakeStack{}
			d, _ := p.baking(t, &fakeBaker{})
			if test.prepare != nil {
				test.prepare(t, d)
			}
			d.servicesChanged, d.started.since = true, at.Add(time.Hour)
			if test.started {
				d.started.services = p.started
			}
			require.Equal(t, test.want, d.nothingToBake(t.Context()))
			if test.want == "" && !test.started && !d.request.DryRun {
				target := d.bakeTarget(t.Context())
				require.Equal(t, at, target.Since)
				require.Len(t, target.Services, 3)
			}
		})
	}
	p := &fakeStack{}
	d, phases := p.baking(t, &fakeBaker{})
	p.started = nil
	require.NoError(t, d.runPhases(t.Context(), phases))
	outcome, message := phaseOutcome(d.record, Bake)
	require.Equal(t, history.Skipped, outcome)
	require.Equal(t, "nothing was rolled out", message)
	require.True(t, d.record.Verified, "the health probes verify what has run before")
	require.NotContains(t, p.done, Bake)

	d, phases = p.baking(t, &fakeBaker{})
	d.deps.Env.Deployment.Rollout.Bake = 0
	require.NoError(t, d.runPhases(t.Context(), phases))
	outcome, _ = phaseOutcome(d.record, Bake)
	require.Empty(t, outcome, "a phase that the environment's file does not ask for is not listed")
}

// The times in which a version failed are not what the next one is compared with.
func TestFailedBefore(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 1, 1, 12, minute, 0, 0, time.UTC) }
	rolledOut := []history.Phase{{Name: Rollout, Outcome: history.Succeeded}}
	d := (&fakeStack{}).deployment(t)
	since := at(50)
	for i, r := range []history.Deployment{
		{Started: at(0), Ended: at(2), Outcome: history.Failed, Phases: rolledOut, RolledBackTo: &history.Image{}},
		{Started: at(5), Ended: at(7), Outcome: history.Succeeded, Verified: true, Phases: rolledOut},
		{Started: at(10), Ended: at(12), Outcome: history.Failed, Phases: []history.Phase{{Name: Rollout, Outcome: history.Skipped}}},
		{Started: at(15), Ended: at(17), Outcome: history.Failed, Verified: true, Phases: rolledOut},
		{Started: at(20), Ended: at(22), Outcome: history.Incomplete, Phases: rolledOut},
		{Started: at(25), Ended: at(27), Outcome: history.Failed, Phases: rolledOut},
		{Started: at(30), Ended: at(31), Outcome: history.Failed},
		{Started: at(35), Outcome: history.Running, Phases: rolledOut},
		{Started: at(55), Outcome: history.Failed, Phases: rolledOut},
	} {
		r.ID, r.Stack = fmt.Sprintf("20260101-12%02d00-0001", i), d.deps.Env.Stack
		require.NoError(t, d.deps.Records.Save(t.Context(), r))
	}
	d.recordStarted, d.record.Started, d.record.Phases = true, at(48), rolledOut
	require.Equal(t, []bake.Period{{From: at(35), Until: since}, {From: at(25), Until: at(35)}, {From: at(0), Until: at(2)}}, d.failedBefore(t.Context(), since))
}

func TestBakeHint(t *testing.T) {
	d := (&fakeStack{}).deployment(t)
	of := func(role environment.Role) bake.Evidence { return bake.Evidence{Subject: d.deps.Env.ServiceName(role)} }
	for want, evidence := range map[string][]bake.Evidence{
		"`deployer logs --env staging --service api --since 1h`":       {{Kind: bake.KindErrors}},
		"`deployer logs --env staging --service scheduler --since 1h`": {of(environment.Scheduler), of(environment.Scheduler)},
		"`deployer logs --env staging --since 1h`":                     {of(environment.Scheduler), of(environment.API)},
	} {
		require.Contains(t, d.bakeHint(evidence), want)
	}
}

// A rollback that is interrupted or fails is part of the record, which has failed: the new version runs.
func TestRollbackOutcome(t *testing.T) {
	for _, want := range []history.Outcome{history.Succeeded, history.Failed, history.Interrupted} {
		t.Run(string(want), func(t *testing.T) {
			p, b := &fakeStack{}, &fakeBaker{verdict: bake.Verdict{Failed: true}}
			d, phases := p.baking(t, b)
			ctx, cancel := context.WithCancelCause(t.Context())
			newWatcher := d.newWatcher
			d.newWatcher = func(ctx context.Context, env *environment.Environment, image *Image) (rolloutWatcher, error) {
				if len(d.record.Phases) > 0 && d.record.Phases[len(d.record.Phases)-1].Name == Bake {
					saved, err := d.records(t.Context())
					require.NoError(t, err)
					at := slices.IndexFunc(saved, func(r history.Deployment) bool { return r.ID == d.record.ID })
					require.Equal(t, history.Running, saved[at].Rollback, "a deployment that is killed now leaves that")
					require.Equal(t, history.Crashed, history.MarkCrashed(saved[at:at+1], false)[0].Rollback)
					switch want {
					case history.Failed:
						return nil, errBroken
					case history.Interrupted:
						cancel(errors.New("interrupted"))
						return nil, ctx.Err()
					default:
					}
				}
				return newWatcher(ctx, env, image)
			}
			err := d.runPhases(ctx, phases)
			require.Error(t, err)
			require.Equal(t, want, d.record.Rollback)
			require.Equal(t, history.Failed, outcomeOf(err, d.request))
			require.Equal(t, want == history.Succeeded, d.record.RolledBackTo != nil)
		})
	}
}

// What a deployment watches that follows others of the same image, of which some were not watched to their end.
func TestBakedRollout(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	type earlier struct {
		image   int
		outcome history.Outcome
		change  func(*history.Deployment)
	}
	failed := earlier{2, history.Failed, nil}
	verified := earlier{2, history.Succeeded, func(r *history.Deployment) { r.Verified = true }}
	other := earlier{3, history.Failed, func(r *history.Deployment) { r.Phases = r.Phases[:1] }}
	for name, test := range map[string]struct {
		earlier []earlier // an hour after another
		// started is how many services the rollout started; restarts of all or of one.
		started    int
		restart    bool
		unreadable bool
		// hour is of which deployment the rollout began, services how many are watched.
		hour, services int
	}{
		"the first one":                          {nil, 1, false, false, 0, 1},
		"after one that was verified":            {[]earlier{verified}, 1, false, false, 1, 1},
		"the same after a bake that failed":      {[]earlier{failed}, 0, false, false, 0, 3},
		"a changed service after a failed bake":  {[]earlier{failed}, 1, false, false, 0, 3},
		"after two that failed":                  {[]earlier{failed, failed}, 1, false, false, 0, 3},
		"after one that was verified and failed": {[]earlier{verified, failed}, 1, false, false, 1, 3},
		"another image ran since then":           {[]earlier{failed, other}, 3, false, false, 2, 3},
		"another image's rollout failed":         {[]earlier{failed, other}, 0, false, false, 2, 3},
		"another image's failed, none unwatched": {[]earlier{verified, other}, 0, false, false, 2, 0},
		"a restart after a failed bake":          {[]earlier{failed}, 3, true, false, 0, 3},
		"a restart of one after a failed bake":   {[]earlier{failed}, 1, true, false, 0, 3},
		"a restart of one, no bake before":       {nil, 1, true, false, 0, 3},
		"the records cannot be read":             {[]earlier{failed}, 1, false, true, 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			p := &fakeStack{}
			d, _ := p.baking(t, &fakeBaker{})
			for i, e := range test.earlier {
				r := history.Deployment{
					ID: "20260101-120000-000" + strconv.Itoa(i), Stack: "staging", Started: at.Add(time.Duration(i) * time.Hour),
					Outcome: e.outcome, Image: history.Image{Digest: *image(e.image).ImageDigest},
					Phases: []history.Phase{{Name: Rollout, Outcome: history.Succeeded}, {Name: Bake, Outcome: e.outcome}},
				}
				if e.change != nil {
					e.change(&r)
				}
				require.NoError(t, d.deps.Records.Save(t.Context(), r))
			}
			if test.unreadable {
				d.deps.Records.Files = unreadableFiles{}
			}
			d.image = &Image{Image: history.Image{Digest: *image(2).ImageDigest}}
			d.request.Restart = test.restart
			d.servicesChanged, d.started.since = true, at.Add(time.Duration(len(test.earlier))*time.Hour)
			for _, s := range d.deps.Env.Services.List()[:test.started] {
				d.started.services = append(d.started.services, d.deps.Env.ServiceName(s.Role))
			}
			rollout := d.toBake(t.Context())
			require.Equal(t, at.Add(time.Duration(test.hour)*time.Hour), rollout.since)
			require.Len(t, rollout.services, test.services)
			require.Equal(t, test.services > 0, d.bakes(t.Context()))
		})
	}
}

// unreadableFiles holds records that cannot be read.
type unreadableFiles struct{ blob.Store }

func (unreadableFiles) List(context.Context, string) ([]string, error) { return nil, errBroken }

// An interrupted bake leaves the new version running and not verified.
func TestInterruptedBake(t *testing.T) {
	p, b := &fakeStack{}, &fakeBaker{}
	d, phases := p.baking(t, b)
	d.readServices = func(context.Context) ([]serviceState, error) {
		return []serviceState{{role: environment.API, running: 1, desired: 1, digest: *image(2).ImageDigest}}, nil
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	b.during = func() { cancel(errors.New("interrupted")) }
	err := d.runPhases(ctx, phases)
	var stopped *InterruptedError
	require.ErrorAs(t, err, &stopped)
	require.EqualError(t, err, "stopped during bake: interrupted; api has two; the new version was not watched to the end, so it is not verified")
	require.Equal(t, "to watch it again, run the same command again; to go back: `deployer rollback --env staging --to 20260101-000000-0001` (one)", hint.Of(err))
	require.False(t, d.record.Verified)
	_, message := phaseOutcome(d.record, Bake)
	require.Equal(t, "interrupted", message)
	require.NotContains(t, p.done, "code 1")
}

// The alarms that are in alarm before a rollout are a warning.
func TestAlarmsBeforeTheRollout(t *testing.T) {
	env := staging(t)
	since := time.Date(2026, 11, 23, 15, 40, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		alarms          []string
		rollsOut, bakes bool
		err             error
		want            string
	}{
		"none is configured":    {rollsOut: true},
		"nothing is rolled out": {alarms: []string{"api-5xx"}},
		"it rings": {[]string{"api-5xx", "worker-memory"}, true, true, nil,
			"v3-backend-staging-api-5xx has been in alarm since 2026-11-23 15:40 UTC (Threshold Crossed): ECS watches no alarms while it rolls out the services " +
				"that have this one; the bake still judges the new version"},
		"it rings, and there is no bake": {[]string{"api-5xx"}, true, false, nil,
			"v3-backend-staging-api-5xx has been in alarm since 2026-11-23 15:40 UTC (Threshold Crossed): ECS watches no alarms while it rolls out the services that have this one"},
		"it cannot be read": {[]string{"api-5xx"}, true, true, errBroken, "the state of the alarms that end a rollout is unknown: "},
	} {
		t.Run(name, func(t *testing.T) {
			env.Deployment.Rollout.Alarms = test.alarms
			p := &preflight{env: env, rollsOut: test.rollsOut, bakes: test.bakes, aws: fakeAWS(func(in any) (any, error) {
				asked := in.(*cloudwatch.DescribeAlarmsInput)
				require.Equal(t, cwtypes.StateValueAlarm, asked.StateValue)
				require.Len(t, asked.AlarmNames, len(test.alarms))
				return &cloudwatch.DescribeAlarmsOutput{MetricAlarms: []cwtypes.MetricAlarm{{
					AlarmName: &asked.AlarmNames[0], StateTransitionedTimestamp: &since, StateReason: aws.String("Threshold Crossed"),
				}}}, test.err
			})}
			problems := p.alarms(t.Context())
			if test.want == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.False(t, problems[0].Stops)
			require.NotEmpty(t, problems[0].Hint)
			if test.err != nil {
				require.Contains(t, problems[0].Message, test.want)
				return
			}
			require.Equal(t, test.want, problems[0].Message)
		})
	}
}

// The bake counts into the time for which the credentials must be valid.
func TestBakeNeedsCredentials(t *testing.T) {
	env := staging(t)
	env.Deployment.Rollout.Bake = 5 * time.Minute
	with, without := &preflight{env: env, rollsOut: true, bakes: true}, &preflight{env: env, rollsOut: true}
	require.Equal(t, 5*time.Minute+bakeDelay, with.longest()-without.longest())
}

// A rollout that an alarm ended names the alarm, and why it is in alarm; another image may help.
func TestRolloutEndedByAnAlarm(t *testing.T) {
	e, r := newFakeECS(t)
	const alarm = "v3-backend-staging-api-5xx"
	r.cloudwatch = cwmetrics.NewClient(fakeAWS(func(in any) (any, error) {
		return &cloudwatch.DescribeAlarmsOutput{MetricAlarms: []cwtypes.MetricAlarm{{
			AlarmName: &in.(*cloudwatch.DescribeAlarmsInput).AlarmNames[0], StateValue: cwtypes.StateValueAlarm, StateReason: aws.String("Threshold Crossed: 12 > 10"),
		}}}, nil
	}))
	require.NoError(t, r.captureBaseline(t.Context()))
	e.deploy("2", "2")
	api := e.deployments[*e.services["v3-backend-staging-api-service"].CurrentServiceDeployment]
	e.after(map[int]func(){2: func() {
		api.Status, api.StatusReason = types.ServiceDeploymentStatusRollbackInProgress, aws.String("Service deployment rolled back because an alarm was detected.")
		api.Alarms = &types.ServiceDeploymentAlarms{Status: types.ServiceDeploymentRollbackMonitorsStatusTriggered, TriggeredAlarmNames: []string{alarm}}
	}})
	log, _ := newTestLog()
	_, err := r.watch(t.Context(), log)
	require.EqualError(t, err, "v3-backend-staging-api-service was not rolled out: "+alarm+" went into alarm, and ECS ended the rollout: "+
		"ROLLBACK_IN_PROGRESS: Service deployment rolled back because an alarm was detected.\n  "+alarm+", which is ALARM: Threshold Crossed: 12 > 10")
	require.Contains(t, hint.Of(err), "`deployer status --env staging --only alarms`")
	var failed *rolloutError
	require.ErrorAs(t, err, &failed)
	require.Empty(t, failed.outside(false))
	require.Empty(t, e.stopped, "ECS rolls it back by itself")
}

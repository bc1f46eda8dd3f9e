package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/sleep"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/internal/awsx/asleep"
)

// The names of the commands that stop and start an environment, and of their locks and records.
const (
	sleepAction = string(history.Sleep)
	wakeAction  = string(history.Wake)
)

func sleepVerb() verb {
	return verb{
		name: sleepAction, usage: "stop an environment's tasks and database until it is woken",
		changes: true,
		long: `Suspends autoscaling, stops every task and the database, and mutes the alarms, so that neither costs anything. Nothing is deleted:
status reports the environment as asleep, and drift and preview stay clean. wake and up wake it. A protected environment never
sleeps. RDS starts a stopped database again after seven days; run the same command again to stop it. After an interruption, the
same command continues.`,
		examples: []string{"deployer sleep --env dev", "deployer sleep --env staging --dry-run"},
		formats:  []string{"text", "json"},
		flags:    powerFlags(),
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return runPower(ctx, s, c, history.Sleep)
		},
	}
}

func wakeVerb() verb {
	return verb{
		name: wakeAction, usage: "start an environment that sleeps, and wait until it is healthy",
		changes: true,
		long: `Starts the database and waits until it is available, which can take some minutes, scales the services to the counts of the
environment's file, resumes autoscaling, and waits until every task runs and the environment's URL answers. Then alarms
notify people again. Deploys nothing: the tasks run the image that they ran before. After an interruption, the same command continues.
An environment that has become protected meanwhile asks for its name first, or needs --yes.`,
		examples: []string{"deployer wake --env dev", "deployer wake --env staging --dry-run"},
		formats:  []string{"text", "json"},
		flags:    powerFlags(),
		run:      func(ctx context.Context, s *services, c *cli.Context) error { return runPower(ctx, s, c, history.Wake) },
	}
}

func powerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "dry-run", Usage: "list what would be done, and change nothing"},
		waitFlag(), strictFlag(),
	}
}

func runPower(ctx context.Context, s *services, c *cli.Context, kind history.Kind) error {
	o := powerOptions{
		targets: s.targets, terminal: s.terminal, locks: s.locks, format: s.flags.format, kind: kind, dryRun: c.Bool("dry-run"),
	}
	return s.withJSONResult(kind, "", func() error { return o.run(ctx) })
}

// powerOptions are those of sleep and of wake.
type powerOptions struct {
	targets  *targets
	terminal *terminal
	locks    *locker
	format   string
	// kind is history.Sleep or history.Wake.
	kind   history.Kind
	dryRun bool
}

func (o powerOptions) run(ctx context.Context) error {
	return o.targets.withOwn(ctx, o.targets.selected, func(t *target.Target) error {
		if o.kind == history.Sleep && !t.Env.MaySleep() {
			return hint.With(fmt.Errorf("%s is protected, and so it never sleeps", t.Name),
				"`deployer status --env "+t.Stack+"` shows its state")
		}
		if o.dryRun {
			return o.change(ctx, t)
		}
		if err := requireLifetime(ctx, t); err != nil {
			return err
		}
		return o.locks.withLock(ctx, t, string(o.kind), func(ctx context.Context) error { return o.change(ctx, t) })
	})
}

// change reads the state of the environment, and does what is left to do. In a dry run the lock is not held.
func (o powerOptions) change(ctx context.Context, t *target.Target) error {
	sleeper := sleep.New(t.AWS, t.Env, t.Clock, whoami())
	state, err := sleeper.Read(ctx)
	if err != nil {
		return err
	}
	if state.Services == 0 && state.Database == "" {
		return &notDeployedError{t.Env}
	}
	now := t.Clock.Now().UTC()
	record := history.Deployment{
		Environment: t.Name, Stack: t.Stack, Kind: o.kind, By: whoami(), Started: now, Ended: now, DryRun: o.dryRun,
		Outcome: history.Succeeded, Phases: []history.Phase{},
	}
	steps, line := o.plan(t, sleeper, state)
	if o.kind == history.Sleep && len(steps) > 0 {
		if err := sleeper.CheckMaySleep(state); err != nil {
			return err
		}
	}
	if o.dryRun || len(steps) == 0 {
		for _, step := range steps {
			record.Phases = append(record.Phases, history.Phase{Name: step.Name, Outcome: history.Skipped, Message: step.Description})
		}
		return o.print(record, line)
	}
	if t.Env.Protected { // since it was put to sleep
		if err := o.terminal.confirm(ctx, "wake", t.Name, t.Name+" is protected"); err != nil {
			return err
		}
	}
	record.ID = newID(now) // only this is recorded
	err = o.runSteps(ctx, t, steps, &record)
	line = fmt.Sprintf("%s, after %s", line, o.terminal.took(record))
	if o.kind == history.Sleep {
		line += "; `deployer wake --env " + t.Stack + "` wakes it"
	}
	return errors.Join(err, o.print(record, line))
}

// plan returns the steps that are left to do, and the last line of their success.
func (o powerOptions) plan(t *target.Target, sleeper sleep.Sleeper, state sleep.State) (steps []database.Step, line string) {
	switch {
	case o.kind == history.Sleep && state.Asleep():
		return nil, fmt.Sprintf("%s is asleep already, since %s", t.Name, state.Marker)
	case o.kind == history.Sleep:
		steps, line = sleeper.SleepSteps(), t.Name+" is asleep"
	case state.Awake():
		return nil, t.Name + " is awake already"
	default:
		steps, line = slices.Concat(sleeper.StartSteps(true), o.probeSteps(t, state), sleeper.EndSteps()), t.Name+" is awake"
		if state.Services > 0 {
			line += " and answers at " + t.Env.URL()
		}
	}
	if o.dryRun {
		verb := map[history.Kind]string{history.Sleep: "put to sleep", history.Wake: "woken"}[o.kind]
		line = fmt.Sprintf("%s can be %s; %s", t.Name, verb, dryRunNote)
	}
	return steps, line
}

// probeSteps returns the step that probes the environment's URL; none where there is no service that could answer.
func (o powerOptions) probeSteps(t *target.Target, state sleep.State) []database.Step {
	if state.Services == 0 {
		return nil
	}
	return []database.Step{{
		Name: release.Health, Description: "probe " + t.Env.URL() + " until it answers",
		Run: func(ctx context.Context, progress database.Progress) (string, error) {
			results, err := release.WaitHealthy(ctx, releaseDeps(t, t.Env), func(line string) { progress("%s", line) })
			return fmt.Sprintf("%d probes of %s succeeded", len(results), t.Env.URL()), err
		},
	}}
}

// runSteps runs the steps, one after the other, and records them.
func (o powerOptions) runSteps(ctx context.Context, t *target.Target, steps []database.Step, record *history.Deployment) error {
	running := *record
	running.Outcome, running.Ended = history.Running, time.Time{}
	o.terminal.warn(t.Records.Save(ctx, running))
	progress := o.terminal.progress()
	var err error
	for _, step := range steps {
		t.Held.Phase(step.Name)
		began, phase := t.Clock.Now(), history.Phase{Name: step.Name, Outcome: history.Succeeded}
		err = progress.Step(ctx, step.Name, func(report func(string)) (string, error) {
			summary, err := step.Run(ctx, progressFunc(report))
			phase.Message = summary
			return summary, err
		})
		phase.Seconds = t.Clock.Now().Sub(began).Seconds()
		if err != nil {
			phase.Outcome, phase.Message = history.Failed, err.Error()
			if ctx.Err() != nil {
				phase.Outcome, phase.Message = history.Interrupted, ""
			}
		}
		if record.Phases = append(record.Phases, phase); err != nil {
			break
		}
	}
	progress.Close()
	record.Ended = t.Clock.Now().UTC()
	if err != nil {
		record.Outcome, err = history.Failed, o.explain(ctx, t, record.Phases, err)
		if ctx.Err() != nil {
			record.Outcome = history.Interrupted
		}
		record.Error, record.Hint = err.Error(), hint.Of(err)
	}
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	o.terminal.warn(t.Records.Save(saving, *record))
	return err
}

// explain returns the error of the last step, with how to continue.
func (o powerOptions) explain(ctx context.Context, t *target.Target, phases []history.Phase, err error) error {
	resume := fmt.Sprintf("`deployer %s --env %s` continues", o.kind, t.Stack)
	if o.kind == history.Sleep {
		resume += fmt.Sprintf("; `deployer wake --env %s` starts again what was stopped", t.Stack)
	}
	if ctx.Err() != nil {
		return partialFailure{hint.With(fmt.Errorf("stopped during %s: %w", o.kind, stoppedStep(ctx, phases, err)), resume)}
	}
	if remedy := hint.Of(err); remedy != "" {
		resume = remedy + "; then " + resume
	}
	muted := ""
	if unmuted := func(p history.Phase) bool { return p.Name == "alarms" && p.Outcome == history.Succeeded }; o.kind == history.Wake &&
		!slices.ContainsFunc(phases, unmuted) {
		muted = "\nthe alarms of " + t.Name + " are still muted"
	}
	return partialFailure{hint.With(fmt.Errorf("%s: %w%s", phases[len(phases)-1].Name, err, muted), resume)}
}

// print prints the outcome: as JSON the record, else the steps of a dry run, and the last line of what did not fail.
func (o powerOptions) print(record history.Deployment, line string) error {
	if o.format == "json" {
		return ui.JSON(o.terminal.out, o.terminal.flags.addToRecord(record))
	}
	if record.DryRun {
		for _, p := range record.Phases {
			o.terminal.printf("%-10s %s\n", p.Name, p.Message)
		}
	}
	if record.Error == "" {
		o.terminal.printf("%s\n", line)
	}
	return nil
}

// explainAsleep returns an *sleep.AsleepError where the environment is asleep, and otherwise an error, or nil, as it is: it explains what failed
// for that reason.
func explainAsleep(ctx context.Context, t *target.Target, err error) error {
	if marker, unread := asleep.Read(ctx, t.AWS, t.Env); unread == nil && marker != nil {
		return sleep.NewAsleepError(ctx, t.AWS, t.Env, t.Clock, *marker)
	}
	return err
}

// rejectAsleep returns an *sleep.AsleepError where the environment is asleep.
func rejectAsleep(ctx context.Context, t *target.Target) error {
	marker, err := asleep.Read(ctx, t.AWS, t.Env)
	if err != nil || marker == nil {
		return err
	}
	return sleep.NewAsleepError(ctx, t.AWS, t.Env, t.Clock, *marker)
}

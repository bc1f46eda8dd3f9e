package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func rollbackVerb() verb {
	return verb{
		name: "rollback", usage: "go back to an image that was deployed well",
		about: `Without --to, to the last deployment that was verified healthy before the one that runs. Only code goes back:
task definitions and services get that image and what was deployed with it: command, CPU and memory, variables, health
check. Everything else stays as it is deployed, whatever the environment's file says by now. No migration runs and the database stays as it is; the snapshot that fits is named. A second rollback goes further back.`,
		examples: []string{
			"deployer rollback --env staging",
			"deployer rollback --env staging --dry-run",
			"deployer rollback --env production --to 1.41.7-9f8e7d6c5 --yes",
			"deployer rollback --env staging --to api:41",
			"deployer rollback --env staging --to 20261123-161530-1f3a",
		},
		formats: []string{"text", "json"},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "a tag, a sha256 digest, a task definition's revision such as api:41, or a deployment's ID: `IMAGE`"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say where it would lead, and change nothing"},
			waitFlag(),
			strictFlag(),
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return s.wholly(history.Rollback, c.String("to"), func(s settings) error {
				return rollback{settings: s, to: c.String("to"), dryRun: c.Bool("dry-run")}.run(ctx)
			})
		},
	}
}

// rollback brings back an image.
type rollback struct {
	settings
	to     string
	dryRun bool
}

func (r rollback) run(ctx context.Context) error {
	if err := r.checkRegion(); err != nil {
		return err
	}
	return r.visit(ctx, func(env *environment.Environment, p *place) error {
		if r.dryRun {
			return r.back(ctx, p, env, nil)
		}
		return r.exclusively(ctx, p, env, "rollback", func(ctx context.Context, held *lock.Held) error {
			return r.back(ctx, p, env, held)
		})
	})
}

// back finds where to go, and goes there. The question is asked under the lock, so that what is answered is what is done;
// nobody holds it in a dry run.
func (r rollback) back(ctx context.Context, p *place, env *environment.Environment, held *lock.Held) error {
	opened, err := r.openCode(ctx, p, env, false)
	if err != nil {
		return err
	}
	protected := env.Protected // what the file says, whatever is deployed
	env = opened.Deployed(nil)
	world := r.world(p, env, nil)
	to, err := world.ResolveRollback(ctx, opened.recorded, r.to)
	if err != nil {
		return err
	}
	for _, damaged := range to.UnreadableRecords {
		r.warn(errors.New(damaged.Error))
	}
	if to.SnapshotErr != nil {
		r.warn(to.SnapshotErr)
	}
	if r.dryRun {
		return r.foresee(env, opened, to)
	}
	if protected {
		if err := r.confirm(ctx, "roll back to "+to.Tag+evidence(to)+" in", env.Name, env.Name+" is protected"); err != nil {
			return err
		}
	}
	held.Image(to.Tag)
	return r.goBack(ctx, world, opened, to, held)
}

// foreseen is where a rollback would lead, with the keys of one that was made.
type foreseen struct {
	DryRun      bool          `json:"dryRun"`
	Environment string        `json:"environment"`
	Stack       string        `json:"stack"`
	Kind        history.Kind  `json:"kind"`
	Image       history.Image `json:"image"`
	// Deployment is the newest that saw the image healthy, VerifiedAt when that ended; neither is there where none did.
	Deployment     string                 `json:"deployment,omitempty"`
	VerifiedAt     time.Time              `json:"verifiedAt,omitzero"`
	RolledBackFrom *history.Image         `json:"rolledBackFrom"`
	Database       *history.PriorDatabase `json:"database,omitempty"`
}

// foresee says where a rollback would lead.
func (r rollback) foresee(env *environment.Environment, opened *codeOnly, to *release.RollbackTarget) error {
	if r.format == "json" {
		would := foreseen{
			DryRun: true, Environment: env.Name, Stack: env.Stack, Kind: history.Rollback, Image: to.Image.Image,
			RolledBackFrom: leftBy(opened), Database: to.Database,
		}
		if to.Verified != nil {
			would.Deployment, would.VerifiedAt = to.Verified.ID, to.Verified.Ended
		}
		return ui.JSON(r.out, would)
	}
	_, err := fmt.Fprintf(r.out, "%s can be rolled back to %s (%s)%s\n", env.Name, to.Tag, to.Digest, evidence(to))
	r.tellDatabase(env, to)
	return err
}

// leftBy is the image that a rollback leaves: the one that the stack names.
func leftBy(opened *codeOnly) *history.Image {
	return &history.Image{Digest: release.DigestIn(opened.recorded), Reference: opened.recorded}
}

// goBack is a deployment of code alone, from the image that the stack names to another.
func (r rollback) goBack(ctx context.Context, world release.Deps, opened *codeOnly, to *release.RollbackTarget, held *lock.Held) error {
	if to.Verified == nil {
		r.warn(fmt.Errorf("%s was never verified healthy in %s", to.Tag, world.Env.Name))
	}
	const why = "a rollback is of code alone"
	opened.code = opened.codeOr(to.Code)
	world.Env = opened.Deployed(&opened.code)
	opened.held = held
	world.OpenStack = func(context.Context) (release.Infrastructure, error) { return opened, nil }
	result, err := r.show(held, func(report release.Reporter) (history.Deployment, error) {
		world.Report = report
		return release.Deploy(ctx, world, release.Request{
			ID: newID(world.Clock.Now()), By: whoami(), Tag: to.Digest, Kind: history.Rollback, PreviousCrashed: held.TakenOver(), RollbackFrom: leftBy(opened), Database: to.Database,
			SkipPhases:     map[string]string{release.Backup: why, release.Provision: why, release.Migrate: why},
			WarnOnlyChecks: release.ChecksIgnoredByRollback(),
		})
	})
	if err != nil || r.format == "json" {
		return err
	}
	_, _ = fmt.Fprintf(r.out, "%s runs in %s again at %s, after %s\n", result.Image.Tag, world.Env.Name, world.Env.URL(),
		result.Ended.Sub(result.Started).Round(100*time.Millisecond))
	r.tellDatabase(world.Env, to)
	return nil
}

// evidence says when the image was deployed well.
func evidence(to *release.RollbackTarget) string {
	if to.Verified == nil {
		return ", which was never verified healthy here"
	}
	return ", which was deployed well on " + to.Verified.Ended.Format("2006-01-02 15:04 UTC")
}

// tellDatabase says that the database does not go back, and what would be restored.
func (r rollback) tellDatabase(env *environment.Environment, to *release.RollbackTarget) {
	_, _ = fmt.Fprintf(r.err, "the database %s stays as it is%s\n", env.DatabaseIdentifier(), databaseThen(env.Stack, to.Database))
}

// databaseThen is what is to be said of the database of an earlier deployment's time, behind what it is now.
func databaseThen(stack string, then *history.PriorDatabase) string {
	switch {
	case then == nil, then.Snapshot == "" && !then.MigratedSince:
		return ""
	case then.Snapshot == "":
		return ", with the migrations since then; no deployment took a snapshot before them"
	}
	what := "as it was before the migrations since then"
	if !then.MigratedSince {
		what = "as it was then"
	}
	switch then.SnapshotStatus {
	case database.Available:
		return "; " + what + " it is in the snapshot " + then.Snapshot
	case database.Gone:
		return "; " + what + " it was in the snapshot " + then.Snapshot + ", which was deleted: `deployer snapshot list --env " + stack +
			"` shows what is left"
	case release.SnapshotUnknown:
		return "; " + what + " it is in the snapshot " + then.Snapshot + ", if that is still there: nobody could look"
	}
	return "; " + what + " it is in the snapshot " + then.Snapshot + ", which is " + then.SnapshotStatus
}

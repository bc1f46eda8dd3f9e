package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/record"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/environment"
)

func rollbackVerb() verb {
	return verb{
		name: "rollback", usage: "go back to an image that was deployed well",
		about: `Without --to, to the last deployment that was verified healthy before the one that runs. Only code goes back:
task definitions and services get that image, with everything else as the environment's file says today. No migration
runs and the database stays as it is; the snapshot that fits is named. A second rollback goes further back.`,
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
			&cli.BoolFlag{Name: "strict", Usage: "exit with 2 when it is done with warnings"},
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return s.wholly(record.Rollback, c.String("to"), func(s settings) error {
				return rollback{settings: s, to: c.String("to"), dryRun: c.Bool("dry-run"), strict: c.Bool("strict")}.run(ctx)
			})
		},
	}
}

// rollback brings back an image.
type rollback struct {
	settings
	to             string
	dryRun, strict bool
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
	world := r.world(p, env, nil)
	to, err := world.Back(ctx, opened.recorded, r.to)
	if err != nil {
		return err
	}
	for _, damaged := range to.Damaged {
		r.warn(errors.New(damaged.Error))
	}
	if r.dryRun {
		_, _ = fmt.Fprintf(r.out, "%s can be rolled back to %s (%s)%s\n", env.Name, to.Tag, to.Digest, evidence(to))
		r.tellDatabase(env, to)
		return nil
	}
	if env.Protected {
		if err := r.confirm(ctx, "roll back to "+to.Tag+evidence(to)+" in", env.Name, env.Name+" is protected"); err != nil {
			return err
		}
	}
	held.Image(to.Tag)
	return r.goBack(ctx, world, opened, to, held)
}

// goBack is a deployment of code alone, from the image that the stack names to another.
func (r rollback) goBack(ctx context.Context, world release.World, opened *codeOnly, to *release.Destination, held *lock.Held) error {
	if to.Verified == nil {
		r.warn(fmt.Errorf("%s was never verified healthy in %s", to.Tag, world.Env.Name))
	}
	const why = "a rollback is of code alone"
	opened.held = held
	world.Infra = func(context.Context) (release.Infrastructure, error) { return opened, nil }
	result, err := r.show(held, func(report release.Reporter) (record.Deployment, error) {
		world.Report = report
		return release.Deploy(ctx, world, release.Request{
			ID: newID(world.Clock.Now()), By: whoami(), Tag: to.Digest, Kind: record.Rollback, Died: held.TookOver(),
			Leaves:    &record.Image{Digest: release.DigestIn(opened.recorded), Reference: opened.recorded},
			Without:   map[string]string{release.Backup: why, release.Provision: why, release.Migrate: why},
			Tolerated: release.TroubleOfRollback(),
		})
	})
	if r.format == "json" {
		return errors.Join(err, strictly(r.strict, result))
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(r.out, "%s runs in %s again at %s, after %s\n", result.Image.Tag, world.Env.Name, world.Env.URL(),
		result.Ended.Sub(result.Started).Round(100*time.Millisecond))
	r.tellDatabase(world.Env, to)
	return strictly(r.strict, result)
}

// evidence says when the image was deployed well.
func evidence(to *release.Destination) string {
	if to.Verified == nil {
		return ", which was never verified healthy here"
	}
	return ", which was deployed well on " + to.Verified.Ended.Format("2006-01-02 15:04 UTC")
}

// tellDatabase says that the database does not go back, and what would be restored.
func (r rollback) tellDatabase(env *environment.Environment, to *release.Destination) {
	text := "the database " + env.DatabaseIdentifier() + " stays as it is"
	switch {
	case to.Snapshot != "":
		text += "; as it was before the migrations since then it is in the snapshot " + to.Snapshot
	case to.Migrated:
		text += ", with the migrations since then; no deployment took a snapshot before them"
	}
	_, _ = fmt.Fprintln(r.err, text)
}

package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Destruction is what a destroy did.
type Destruction struct {
	// Deleted and Left count resources that a destroy deletes in the account. Left is 0 where the engine has not ended yet.
	Deleted, Left int
	Took          time.Duration
	// FinalSnapshot is the name of the database's final snapshot; "" where no database was to be deleted.
	FinalSnapshot string
	Warnings      []string
}

// Resources returns the resources of the account that a state has, without components.
func Resources(state engine.State) []engine.Resource {
	return list.Filter(state.Resources, func(r engine.Resource) bool { return !r.Component() && strings.HasPrefix(r.Type, "aws:") })
}

// Deletable returns those of the resources that a destroy deletes, and does not only remove from the state.
func Deletable(state engine.State) []engine.Resource {
	return list.Filter(Resources(state), engine.Resource.Deletable)
}

// Destroy deletes the stack's resources. The final snapshot of the database gets a name of its own each time: a name that an earlier
// destroy, which was interrupted, has taken would make every later one fail.
func (s *Stack) Destroy(ctx context.Context, progress Progress) (done Destruction, err error) {
	if err := s.RecoverIfNeeded(ctx, progress); err != nil {
		return done, err
	}
	before := len(Deletable(s.State()))
	err = progress.Step(ctx, "destroy", func(report func(string)) (string, error) {
		var summary engine.Summary
		err := s.recovery.run(ctx, report, func() (err error) {
			if done.FinalSnapshot, err = s.renewFinalSnapshot(ctx); err == nil {
				summary, err = s.handle.Destroy(ctx, engine.Update{Message: "destroy"}, reportTo(progress, "destroy"))
			}
			return err
		})
		for _, warning := range summary.Warnings {
			progress.Report(release.Event{Kind: release.Warning, Phase: "destroy", Message: warning})
		}
		done.Took, done.Warnings = summary.Duration, summary.Warnings
		done.Left = len(Deletable(s.State()))
		done.Deleted = before - done.Left
		if done.complete(err) {
			err = nil
		}
		return text.Plural(done.Deleted, "resource", "") + " deleted", err
	})
	return done, err
}

// complete reports whether a destroy with an error has deleted everything all the same: it was interrupted when only components
// and what the account keeps were left in the state. The next deployment or destroy handles those.
func (d Destruction) complete(err error) bool {
	var stopped *engine.InterruptedError
	return errors.As(err, &stopped) && stopped.Clean() && d.Left == 0
}

// renewFinalSnapshot gives the database's final snapshot a name that contains the time, and returns it; "" where the state has no
// database. The provider reads the name from the state when it deletes the instance.
// Source: https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/rds/instance.go
func (s *Stack) renewFinalSnapshot(ctx context.Context) (string, error) {
	instance := list.Find(s.State().Resources, func(r engine.Resource) bool { return r.Type == instanceType && !r.PendingDeletion })
	if instance == nil {
		return "", nil
	}
	name := environment.FinalSnapshotIdentifier(s.env.DatabaseIdentifier(), s.target.Clock.Now())
	return name, s.handle.SetProperty(ctx, instance.URN, finalSnapshotProperty, name)
}

// renewTakenFinalSnapshot gives the final snapshot another name where RDS has a snapshot of the present one: a deployment that replaces
// the database could not delete the instance.
func (s *Stack) renewTakenFinalSnapshot(ctx context.Context) error {
	name := finalSnapshot(s.State())
	if name == "" {
		return nil
	}
	status, err := database.New(s.target.AWS, s.env, s.target.Clock).SnapshotStatus(ctx, name)
	if err != nil {
		return fmt.Errorf("find out whether the name of the database's final snapshot is free: %w", err)
	}
	if status != database.Gone {
		_, err = s.renewFinalSnapshot(ctx)
	}
	return err
}

const finalSnapshotProperty = "finalSnapshotIdentifier"

// finalSnapshot returns the name of the database's final snapshot in a state; "" where it has none.
func finalSnapshot(state engine.State) string {
	for _, r := range state.Resources {
		if name, ok := r.Inputs[finalSnapshotProperty].(string); ok && r.Type == instanceType && !r.PendingDeletion {
			return name
		}
	}
	return ""
}

package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
)

// Stack is what a switch needs of the environment's stack, which knows the database by its resource ID.
type Stack interface {
	// SetDatabaseIdentity makes the stack's database the instance with the resource ID, whose password lies in a secret.
	SetDatabaseIdentity(ctx context.Context, resourceID, secretARN string, say Progress) error
	// UpdateDependents brings up the database and whatever depends on it, and nothing else.
	UpdateDependents(ctx context.Context, say Progress) error
}

// Switch puts one instance in the place and under the name of another.
type Switch struct {
	Instance
	Services Services
	Stack    Stack
	// Plan says which; it was kept before the first step, so that an interrupted switch can go on.
	Plan history.DatabaseSwap
}

// Step is one of a switch. It may have been made already.
type Step struct {
	Name string
	// Description says in a few words what it is for.
	Description string
	Run         func(ctx context.Context, say Progress) (string, error)
}

// renameLimit is how long RDS may take to rename an instance, which it restarts for that.
const renameLimit = time.Hour

// Steps are the switch, in their order.
func (w Switch) Steps() []Step {
	database := w.Env.DatabaseIdentifier()
	return []Step{
		{"stop", "scale the services to 0, pause autoscaling, wait until no task runs", w.stop},
		{"aside", "rename " + database + " to " + w.Plan.OldName + "; it stays as it is", w.renameOld},
		{"rename", "rename the other instance to " + database, w.renameNew},
		{"stack", "make it the stack's database, so that nothing is replaced", w.setIdentity},
		{"tasks", "give task definitions and roles the new password's secret", w.updateDependents},
		{"start", "scale the services back, resume autoscaling, wait until they are healthy", w.start},
	}
}

func (w Switch) stop(ctx context.Context, say Progress) (string, error) {
	return "no task runs", w.Services.Stop(ctx, say)
}

// renameOld makes room for the instance that comes in.
func (w Switch) renameOld(ctx context.Context, say Progress) (string, error) {
	all, err := w.instances(ctx)
	if err != nil {
		return "", err
	}
	if all.byResourceID(w.Plan.Incoming) == nil {
		return "", fmt.Errorf("the instance %s, which was to take the place, is gone", w.Plan.Incoming)
	}
	there := all.byName(w.Env.DatabaseIdentifier())
	if there == nil || aws.ToString(there.DbiResourceId) == w.Plan.Incoming {
		return "nothing in the way", nil
	}
	if aws.ToString(there.DbiResourceId) != w.Plan.Outgoing {
		return "", fmt.Errorf("%s is another instance (%s) than the one that was to be replaced (%s): somebody else changed it meanwhile",
			instanceName(*there), aws.ToString(there.DbiResourceId), w.Plan.Outgoing)
	}
	return "the database before is " + w.Plan.OldName + " now", w.renameTo(ctx, there, w.Plan.OldName, say)
}

// renameNew gives the instance that comes in the database's name, and so the address at which the tasks look for it.
func (w Switch) renameNew(ctx context.Context, say Progress) (string, error) {
	all, err := w.instances(ctx)
	if err != nil {
		return "", err
	}
	incoming, name := all.byResourceID(w.Plan.Incoming), w.Env.DatabaseIdentifier()
	if incoming == nil {
		return "", fmt.Errorf("the instance %s, which was to take the place, is gone", w.Plan.Incoming)
	}
	if instanceName(*incoming) == name {
		return "it has the name already", nil
	}
	was := instanceName(*incoming)
	return was + " is " + name + " now", w.renameTo(ctx, incoming, name, say)
}

// renameTo renames an instance as soon as that can be done, and waits until it answers under the name. A rename that is
// under way is not asked for again.
func (w Switch) renameTo(ctx context.Context, i *types.DBInstance, name string, say Progress) error {
	id := aws.ToString(i.DbiResourceId)
	ready, err := w.waitForInstance(ctx, id, renameLimit, say, func(*types.DBInstance) bool { return true })
	if err != nil {
		return err
	}
	if instanceName(*ready) == name {
		return nil
	}
	if _, err := w.rds.ModifyDBInstance(ctx, &rds.ModifyDBInstanceInput{
		DBInstanceIdentifier: ready.DBInstanceIdentifier, NewDBInstanceIdentifier: &name, ApplyImmediately: aws.Bool(true),
	}); err != nil {
		return fmt.Errorf("rename %s to %s: %w", instanceName(*ready), name, err)
	}
	_, err = w.waitForInstance(ctx, id, renameLimit, say, func(i *types.DBInstance) bool { return instanceName(*i) == name })
	return err
}

func (w Switch) setIdentity(ctx context.Context, say Progress) (string, error) {
	all, err := w.instances(ctx)
	if err != nil {
		return "", err
	}
	incoming := all.byResourceID(w.Plan.Incoming)
	if incoming == nil || masterSecretARN(incoming) == "" {
		return "", fmt.Errorf("the instance %s has no secret for its password", w.Plan.Incoming)
	}
	return "the stack's database is " + w.Plan.Incoming, w.Stack.SetDatabaseIdentity(ctx, w.Plan.Incoming, masterSecretARN(incoming), say)
}

func (w Switch) updateDependents(ctx context.Context, say Progress) (string, error) {
	return "the next tasks use the new secret", w.Stack.UpdateDependents(ctx, say)
}

func (w Switch) start(ctx context.Context, say Progress) (string, error) {
	return "every service has its tasks", w.Services.Start(ctx, w.Plan.Tasks, say)
}

// PlanSwitch puts a restored instance in the database's place.
func (s Instance) PlanSwitch(ctx context.Context, services Services, incoming, snapshot string) (history.DatabaseSwap, error) {
	all, err := s.instances(ctx)
	if err != nil {
		return history.DatabaseSwap{}, err
	}
	plan := history.DatabaseSwap{Snapshot: snapshot, Incoming: incoming, OldName: s.Env.ReplacedIdentifier(s.Clock.Now())}
	if there := all.byName(s.Env.DatabaseIdentifier()); there != nil {
		plan.Outgoing = aws.ToString(there.DbiResourceId)
	}
	if plan.Tasks, err = services.DesiredCounts(ctx); err != nil {
		return plan, err
	}
	return plan, s.checkIdle(ctx, services)
}

// PlanReverse turns an exchange round, however far it came: what went comes in again. The restored instance gets its
// first name back where that is free, and can be put in place once more.
func (s Instance) PlanReverse(ctx context.Context, services Services, last history.DatabaseSwap) (history.DatabaseSwap, error) {
	all, err := s.instances(ctx)
	if err != nil {
		return history.DatabaseSwap{}, err
	}
	if last.Outgoing == "" || all.byResourceID(last.Outgoing) == nil {
		return history.DatabaseSwap{}, hint.With(errors.New("the database that the last switch replaced is not there any more"),
			"`deployer snapshot list --env "+s.Env.Stack+"` shows what it can be restored from")
	}
	plan := history.DatabaseSwap{
		Snapshot: last.Snapshot, Revert: !last.Revert, Incoming: last.Outgoing, Outgoing: last.Incoming,
		Tasks: last.Tasks, OldName: s.Env.ReplacedIdentifier(s.Clock.Now()),
	}
	if there := all.byName(s.Env.RestoredIdentifier()); plan.Revert && (there == nil || aws.ToString(there.DbiResourceId) == plan.Outgoing) {
		plan.OldName = s.Env.RestoredIdentifier()
	}
	return plan, s.checkIdle(ctx, services)
}

// checkIdle refuses while a task runs that belongs to no service: stopping the services would not end it.
func (s Instance) checkIdle(ctx context.Context, services Services) error {
	running, err := services.RunningTasks(ctx)
	if err != nil {
		return err
	}
	alone := slices.DeleteFunc(running, func(task string) bool { return strings.Contains(task, " of service:") })
	if len(alone) > 0 {
		return hint.With(fmt.Errorf("%s in %s and may write to the database: %s", count(len(alone), "task runs", "tasks run"),
			s.Env.ClusterName(), strings.Join(alone, ", ")), "wait until it ends, or stop it: aws ecs stop-task --cluster "+
			s.Env.ClusterName()+" --region "+s.Env.Region+" --task ID")
	}
	return nil
}

// Locations tells which instance is where, and what the services want: what somebody has to know in the middle of a switch.
func (w Switch) Locations(ctx context.Context) string {
	all, err := w.instances(ctx)
	if err != nil {
		return "which instance is where cannot be told: " + err.Error()
	}
	lines := []string{"where things are:"}
	for _, i := range all {
		what := "an instance of an earlier restore"
		switch aws.ToString(i.DbiResourceId) {
		case w.Plan.Incoming:
			what = "the one that comes in"
		case w.Plan.Outgoing:
			what = "the one that goes"
		}
		lines = append(lines, fmt.Sprintf("  %s is %s, %s (%s)", instanceName(i), aws.ToString(i.DBInstanceStatus), what, aws.ToString(i.DbiResourceId)))
	}
	if all.byName(w.Env.DatabaseIdentifier()) == nil {
		lines = append(lines, "  there is no "+w.Env.DatabaseIdentifier()+" at the moment")
	}
	wanted, err := w.Services.DesiredCounts(ctx)
	if err != nil {
		return strings.Join(append(lines, "  what the services want cannot be told: "+err.Error()), "\n")
	}
	for _, service := range w.Env.Services.List() {
		name := w.Env.ServiceName(service.Role)
		lines = append(lines, fmt.Sprintf("  %s wants %d tasks, %d before", name, wanted[name], w.Plan.Tasks[name]))
	}
	return strings.Join(lines, "\n")
}

// RestoredExists reports whether the instance stands ready under the name of a restored one.
func (s Instance) RestoredExists(ctx context.Context, resourceID string) (bool, error) {
	all, err := s.instances(ctx)
	if err != nil {
		return false, err
	}
	there := all.byName(s.Env.RestoredIdentifier())
	return there != nil && aws.ToString(there.DbiResourceId) == resourceID, nil
}

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
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Stack is the part of the environment's stack that a switch changes. The stack knows the database by its resource ID.
type Stack interface {
	// SetDatabaseIdentity makes the instance with the resource ID, and the secret of its password, the stack's database.
	SetDatabaseIdentity(ctx context.Context, resourceID, secretARN string, progress Progress) error
	// UpdateDependents updates the database and what depends on it, and nothing else.
	UpdateDependents(ctx context.Context, progress Progress) error
}

// Switch replaces the environment's database with another instance, which gets its name.
type Switch struct {
	Instance
	Services Services
	Stack    Stack
	// Plan names both instances. It was saved before the first step, so that an interrupted switch can continue.
	Plan history.DatabaseSwap
}

// Step is one step of a switch. Run changes nothing where the step is done already, and returns a summary.
type Step struct {
	Name        string
	Description string
	Run         func(ctx context.Context, progress Progress) (string, error)
}

// renameLimit is how long RDS may take to rename an instance, which it restarts for that.
const renameLimit = time.Hour

// Steps returns the steps of the switch in their order.
func (w Switch) Steps() []Step {
	database := w.Env.DatabaseIdentifier()
	return []Step{
		{"stop", "scale the services to 0, suspend autoscaling, wait until no task runs", w.stop},
		{"aside", "rename " + database + " to " + w.Plan.OldName + "; its data is not changed", w.renameOld},
		{"rename", "rename the other instance to " + database, w.renameNew},
		{"stack", "make it the stack's database, so that nothing is replaced", w.setIdentity},
		{"tasks", "give task definitions and roles the secret of the new password", w.updateDependents},
		{"start", "scale the services back, resume autoscaling, wait until they are healthy", w.start},
	}
}

func (w Switch) stop(ctx context.Context, progress Progress) (string, error) {
	return "no task runs", w.Services.Stop(ctx, progress)
}

// renameOld frees the database's name for the incoming instance.
func (w Switch) renameOld(ctx context.Context, progress Progress) (string, error) {
	all, _, err := w.incoming(ctx)
	if err != nil {
		return "", err
	}
	current := all.byName(w.Env.DatabaseIdentifier())
	if current == nil || resourceID(current) == w.Plan.Incoming {
		return "the name is free", nil
	}
	if resourceID(current) != w.Plan.Outgoing {
		return "", fmt.Errorf("%s is now the instance %s, not %s, which was to be replaced: another user changed it",
			instanceName(*current), resourceID(current), w.Plan.Outgoing)
	}
	return "the previous database is now " + w.Plan.OldName, w.renameTo(ctx, current, w.Plan.OldName, progress)
}

// incoming returns all instances and the incoming one.
func (w Switch) incoming(ctx context.Context) (instances, *types.DBInstance, error) {
	all, err := w.instances(ctx)
	found := all.byResourceID(w.Plan.Incoming)
	if err == nil && found == nil {
		err = fmt.Errorf("the instance %s, which was to replace the database, is gone", w.Plan.Incoming)
	}
	return all, found, err
}

// renameNew gives the incoming instance the database's name, and so the address that the tasks connect to.
func (w Switch) renameNew(ctx context.Context, progress Progress) (string, error) {
	_, incoming, err := w.incoming(ctx)
	if err != nil {
		return "", err
	}
	previous, name := instanceName(*incoming), w.Env.DatabaseIdentifier()
	if previous == name {
		return "it has the name already", nil
	}
	return previous + " is now " + name, w.renameTo(ctx, incoming, name, progress)
}

// renameTo renames an instance once it is available, and waits until it is available under the new name. A rename that is in
// progress is not requested again.
func (w Switch) renameTo(ctx context.Context, i *types.DBInstance, name string, progress Progress) error {
	ready, err := w.waitForInstance(ctx, resourceID(i), renameLimit, progress, func(*types.DBInstance) bool { return true })
	if err != nil || instanceName(*ready) == name {
		return err
	}
	if _, err := w.rds.ModifyDBInstance(ctx, &rds.ModifyDBInstanceInput{
		DBInstanceIdentifier: ready.DBInstanceIdentifier, NewDBInstanceIdentifier: &name, ApplyImmediately: aws.Bool(true),
	}); err != nil {
		return fmt.Errorf("rename %s to %s: %w", instanceName(*ready), name, err)
	}
	_, err = w.waitForInstance(ctx, resourceID(i), renameLimit, progress, func(i *types.DBInstance) bool { return instanceName(*i) == name })
	return err
}

func (w Switch) setIdentity(ctx context.Context, progress Progress) (string, error) {
	all, err := w.instances(ctx)
	if err != nil {
		return "", err
	}
	incoming := all.byResourceID(w.Plan.Incoming)
	if incoming == nil || masterSecretARN(incoming) == "" {
		return "", fmt.Errorf("the instance %s has no secret for its password", w.Plan.Incoming)
	}
	return "the stack's database is " + w.Plan.Incoming, w.Stack.SetDatabaseIdentity(ctx, w.Plan.Incoming, masterSecretARN(incoming), progress)
}

func (w Switch) updateDependents(ctx context.Context, progress Progress) (string, error) {
	return "the next tasks use the new secret", w.Stack.UpdateDependents(ctx, progress)
}

func (w Switch) start(ctx context.Context, progress Progress) (string, error) {
	return "every service has its tasks", w.Services.Start(ctx, w.Plan.Tasks, progress)
}

// PlanSwitch returns the swap that replaces the database with a restored instance.
func (s Instance) PlanSwitch(ctx context.Context, services Services, incoming, snapshot string) (history.DatabaseSwap, error) {
	all, err := s.instances(ctx)
	if err != nil {
		return history.DatabaseSwap{}, err
	}
	plan := history.DatabaseSwap{
		Snapshot: snapshot, Incoming: incoming, Outgoing: resourceID(all.byName(s.Env.DatabaseIdentifier())),
		OldName: s.Env.ReplacedIdentifier(s.Clock.Now()),
	}
	if plan.Tasks, err = services.DesiredCounts(ctx); err != nil {
		return plan, err
	}
	return plan, s.checkIdle(ctx, services)
}

// PlanReverse returns the swap that reverses another, however far that got. The restored instance gets its first name back if that
// is free, so that it can be switched to once more.
func (s Instance) PlanReverse(ctx context.Context, services Services, last history.DatabaseSwap) (history.DatabaseSwap, error) {
	all, err := s.instances(ctx)
	if err != nil {
		return history.DatabaseSwap{}, err
	}
	if last.Outgoing == "" || all.byResourceID(last.Outgoing) == nil {
		return history.DatabaseSwap{}, hint.With(errors.New("the database that the last switch replaced does not exist any more"),
			"see what it can be restored from: `deployer snapshot list --env "+s.Env.Stack+"`")
	}
	from, to := runningVersion(all.byResourceID(last.Incoming)), runningVersion(all.byResourceID(last.Outgoing))
	if from != "" && environment.MajorVersion(from) != environment.MajorVersion(to) {
		return history.DatabaseSwap{}, hint.With(fmt.Errorf("the database that the last switch replaced is of PostgreSQL %s, and the one that serves of %s",
			to, from), "RDS cannot go back to an older version in place: copy the data instead, as docs/changes.md describes")
	}
	plan := history.DatabaseSwap{
		Snapshot: last.Snapshot, Revert: !last.Revert, Incoming: last.Outgoing, Outgoing: last.Incoming,
		Tasks: last.Tasks, OldName: s.Env.ReplacedIdentifier(s.Clock.Now()),
	}
	if holder := resourceID(all.byName(s.Env.RestoredIdentifier())); plan.Revert && (holder == "" || holder == plan.Outgoing) {
		plan.OldName = s.Env.RestoredIdentifier()
	}
	return plan, s.checkIdle(ctx, services)
}

// checkIdle returns an error while a task runs that belongs to no service: stopping the services would not stop it.
func (s Instance) checkIdle(ctx context.Context, services Services) error {
	running, err := services.RunningTasks(ctx)
	if err != nil {
		return err
	}
	standalone := slices.DeleteFunc(running, func(task string) bool { return strings.Contains(task, " of service:") })
	if len(standalone) > 0 {
		return hint.With(fmt.Errorf("%s in %s and may write to the database: %s", text.Plural(len(standalone), "task runs", "tasks run"),
			s.Env.ClusterName(), strings.Join(standalone, ", ")), "wait until it ends, or stop it: aws ecs stop-task --cluster "+
			s.Env.ClusterName()+" --region "+s.Env.Region+" --task ID")
	}
	return nil
}

// Locations describes which instance has which name and how many tasks the services should run: what a user needs to know in the
// middle of a switch.
func (w Switch) Locations(ctx context.Context) string {
	all, err := w.instances(ctx)
	if err != nil {
		return "the current state is unknown: " + err.Error()
	}
	lines := []string{"current state:"}
	for _, i := range all {
		role := "an instance of an earlier restore"
		switch resourceID(&i) {
		case w.Plan.Incoming:
			role = "the incoming instance"
		case w.Plan.Outgoing:
			role = "the outgoing instance"
		}
		lines = append(lines, fmt.Sprintf("  %s is %s, %s (%s)", instanceName(i), aws.ToString(i.DBInstanceStatus), role, resourceID(&i)))
	}
	if all.byName(w.Env.DatabaseIdentifier()) == nil {
		lines = append(lines, "  "+w.Env.DatabaseIdentifier()+" does not exist at the moment")
	}
	counts, err := w.Services.DesiredCounts(ctx)
	if err != nil {
		return strings.Join(append(lines, "  the services' task counts are unknown: "+err.Error()), "\n")
	}
	for _, service := range w.Env.Services.List() {
		name := w.Env.ServiceName(service.Role)
		lines = append(lines, fmt.Sprintf("  %s should run %s (%d before the switch)", name, text.Plural(int(counts[name]), "task", ""), w.Plan.Tasks[name]))
	}
	return strings.Join(lines, "\n")
}

// RestoredExists reports whether the instance has the name of a restored instance.
func (s Instance) RestoredExists(ctx context.Context, id string) (bool, error) {
	all, err := s.instances(ctx)
	return id != "" && resourceID(all.byName(s.Env.RestoredIdentifier())) == id, err
}

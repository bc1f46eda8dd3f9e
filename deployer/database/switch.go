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

	"github.com/balancer/v3-backend-infra/deployer/advice"
	"github.com/balancer/v3-backend-infra/deployer/record"
)

// Stack is what a switch needs of the environment's stack, which knows the database by its resource ID.
type Stack interface {
	// Adopt makes the stack's database the instance with the resource ID, whose password lies in a secret.
	Adopt(ctx context.Context, resourceID, secretARN string, say Say) error
	// Bind brings up the database and whatever depends on it, and nothing else.
	Bind(ctx context.Context, say Say) error
}

// Switch puts one instance in the place and under the name of another.
type Switch struct {
	Server
	Services Services
	Stack    Stack
	// Plan says which; it was kept before the first step, so that an interrupted switch can go on.
	Plan record.Exchange
}

// Step is one of a switch. It may have been made already.
type Step struct {
	Name string
	// Doing says in a few words what it is for.
	Doing string
	Run   func(ctx context.Context, say Say) (string, error)
}

// renameLimit is how long RDS may take to rename an instance, which it restarts for that.
const renameLimit = time.Hour

// Steps are the switch, in their order.
func (w Switch) Steps() []Step {
	database := w.Env.DatabaseIdentifier()
	return []Step{
		{"stop", "scale the services to 0, pause autoscaling, wait until no task runs", w.stop},
		{"aside", "rename " + database + " to " + w.Plan.Aside + "; it stays as it is", w.aside},
		{"rename", "rename the other instance to " + database, w.rename},
		{"stack", "make it the stack's database, so that nothing is replaced", w.adopt},
		{"tasks", "give task definitions and roles the new password's secret", w.bind},
		{"start", "scale the services back, resume autoscaling, wait until they are healthy", w.start},
	}
}

func (w Switch) stop(ctx context.Context, say Say) (string, error) {
	return "no task runs", w.Services.Stop(ctx, say)
}

// aside makes room for the instance that comes in.
func (w Switch) aside(ctx context.Context, say Say) (string, error) {
	all, err := w.instances(ctx)
	if err != nil {
		return "", err
	}
	if all.identified(w.Plan.Incoming) == nil {
		return "", fmt.Errorf("the instance %s, which was to take the place, is gone", w.Plan.Incoming)
	}
	there := all.named(w.Env.DatabaseIdentifier())
	if there == nil || aws.ToString(there.DbiResourceId) == w.Plan.Incoming {
		return "nothing in the way", nil
	}
	if aws.ToString(there.DbiResourceId) != w.Plan.Outgoing {
		return "", fmt.Errorf("%s is another instance (%s) than the one that was to be replaced (%s): somebody else changed it meanwhile",
			nameOf(*there), aws.ToString(there.DbiResourceId), w.Plan.Outgoing)
	}
	return "the database before is " + w.Plan.Aside + " now", w.call(ctx, there, w.Plan.Aside, say)
}

// rename gives the instance that comes in the database's name, and so the address at which the tasks look for it.
func (w Switch) rename(ctx context.Context, say Say) (string, error) {
	all, err := w.instances(ctx)
	if err != nil {
		return "", err
	}
	incoming, name := all.identified(w.Plan.Incoming), w.Env.DatabaseIdentifier()
	if incoming == nil {
		return "", fmt.Errorf("the instance %s, which was to take the place, is gone", w.Plan.Incoming)
	}
	if nameOf(*incoming) == name {
		return "it has the name already", nil
	}
	was := nameOf(*incoming)
	return was + " is " + name + " now", w.call(ctx, incoming, name, say)
}

// call renames an instance as soon as that can be done, and waits until it answers under the name. A rename that is
// under way is not asked for again.
func (w Switch) call(ctx context.Context, i *types.DBInstance, name string, say Say) error {
	id := aws.ToString(i.DbiResourceId)
	ready, err := w.awaitInstance(ctx, id, renameLimit, say, func(*types.DBInstance) bool { return true })
	if err != nil {
		return err
	}
	if nameOf(*ready) == name {
		return nil
	}
	if _, err := w.rds.ModifyDBInstance(ctx, &rds.ModifyDBInstanceInput{
		DBInstanceIdentifier: ready.DBInstanceIdentifier, NewDBInstanceIdentifier: &name, ApplyImmediately: aws.Bool(true),
	}); err != nil {
		return fmt.Errorf("rename %s to %s: %w", nameOf(*ready), name, err)
	}
	_, err = w.awaitInstance(ctx, id, renameLimit, say, func(i *types.DBInstance) bool { return nameOf(*i) == name })
	return err
}

func (w Switch) adopt(ctx context.Context, say Say) (string, error) {
	all, err := w.instances(ctx)
	if err != nil {
		return "", err
	}
	incoming := all.identified(w.Plan.Incoming)
	if incoming == nil || secretOf(incoming) == "" {
		return "", fmt.Errorf("the instance %s has no secret for its password", w.Plan.Incoming)
	}
	return "the stack's database is " + w.Plan.Incoming, w.Stack.Adopt(ctx, w.Plan.Incoming, secretOf(incoming), say)
}

func (w Switch) bind(ctx context.Context, say Say) (string, error) {
	return "the next tasks use the new secret", w.Stack.Bind(ctx, say)
}

func (w Switch) start(ctx context.Context, say Say) (string, error) {
	return "every service has its tasks", w.Services.Start(ctx, w.Plan.Tasks, say)
}

// PlanSwitch puts a restored instance in the database's place.
func (s Server) PlanSwitch(ctx context.Context, services Services, incoming, snapshot string) (record.Exchange, error) {
	all, err := s.instances(ctx)
	if err != nil {
		return record.Exchange{}, err
	}
	plan := record.Exchange{Snapshot: snapshot, Incoming: incoming, Aside: s.Env.ReplacedIdentifier(s.Clock.Now())}
	if there := all.named(s.Env.DatabaseIdentifier()); there != nil {
		plan.Outgoing = aws.ToString(there.DbiResourceId)
	}
	if plan.Tasks, err = services.Wanted(ctx); err != nil {
		return plan, err
	}
	return plan, s.undisturbed(ctx, services)
}

// PlanReverse turns an exchange round, however far it came: what went comes in again. The restored instance gets its
// first name back where that is free, and can be put in place once more.
func (s Server) PlanReverse(ctx context.Context, services Services, last record.Exchange) (record.Exchange, error) {
	all, err := s.instances(ctx)
	if err != nil {
		return record.Exchange{}, err
	}
	if last.Outgoing == "" || all.identified(last.Outgoing) == nil {
		return record.Exchange{}, advice.With(errors.New("the database that the last switch replaced is not there any more"),
			"`deployer snapshot list --env "+s.Env.Stack+"` shows what it can be restored from")
	}
	plan := record.Exchange{
		Snapshot: last.Snapshot, Back: !last.Back, Incoming: last.Outgoing, Outgoing: last.Incoming,
		Tasks: last.Tasks, Aside: s.Env.ReplacedIdentifier(s.Clock.Now()),
	}
	if there := all.named(s.Env.RestoredIdentifier()); plan.Back && (there == nil || aws.ToString(there.DbiResourceId) == plan.Outgoing) {
		plan.Aside = s.Env.RestoredIdentifier()
	}
	return plan, s.undisturbed(ctx, services)
}

// undisturbed refuses while a task runs that belongs to no service: stopping the services would not end it.
func (s Server) undisturbed(ctx context.Context, services Services) error {
	running, err := services.Running(ctx)
	if err != nil {
		return err
	}
	alone := slices.DeleteFunc(running, func(task string) bool { return strings.Contains(task, " of service:") })
	if len(alone) > 0 {
		return advice.With(fmt.Errorf("%s in %s and may write to the database: %s", count(len(alone), "task runs", "tasks run"),
			s.Env.ClusterName(), strings.Join(alone, ", ")), "wait until it ends, or stop it: aws ecs stop-task --cluster "+
			s.Env.ClusterName()+" --region "+s.Env.Region+" --task ID")
	}
	return nil
}

// Where tells which instance is where, and what the services want: what somebody has to know in the middle of a switch.
func (w Switch) Where(ctx context.Context) string {
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
		lines = append(lines, fmt.Sprintf("  %s is %s, %s (%s)", nameOf(i), aws.ToString(i.DBInstanceStatus), what, aws.ToString(i.DbiResourceId)))
	}
	if all.named(w.Env.DatabaseIdentifier()) == nil {
		lines = append(lines, "  there is no "+w.Env.DatabaseIdentifier()+" at the moment")
	}
	wanted, err := w.Services.Wanted(ctx)
	if err != nil {
		return strings.Join(append(lines, "  what the services want cannot be told: "+err.Error()), "\n")
	}
	for _, service := range w.Env.Services.List() {
		name := w.Env.ServiceName(service.Role)
		lines = append(lines, fmt.Sprintf("  %s wants %d tasks, %d before", name, wanted[name], w.Plan.Tasks[name]))
	}
	return strings.Join(lines, "\n")
}

// Waits reports whether the instance stands ready under the name of a restored one.
func (s Server) Waits(ctx context.Context, resourceID string) (bool, error) {
	all, err := s.instances(ctx)
	if err != nil {
		return false, err
	}
	there := all.named(s.Env.RestoredIdentifier())
	return there != nil && aws.ToString(there.DbiResourceId) == resourceID, nil
}

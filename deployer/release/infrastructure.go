package release

import (
	"context"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

// Update is what a run of the engine did.
type Update struct {
	// Changed counts the resources that are not as they were.
	Changed int
	// InfrastructureChanges counts those of them that a deployment of code alone would have left as they are.
	InfrastructureChanges int
	// Took is the engine's own time.
	Took time.Duration
	// Warnings are what the engine and the providers warned of.
	Warnings []string
}

// Infrastructure is the stack, as far as a deployment needs it. Each method runs the one program; they differ in what
// of it they touch. progress is told how far the engine is.
type Infrastructure interface {
	// Provision brings up everything but the services and their task definitions. The migration's task definition gets
	// the image; the output image stays as it is.
	Provision(ctx context.Context, image string, progress func(string)) (Update, error)
	// Release brings up everything, the services with the image, and records the image as the stack's output.
	Release(ctx context.Context, image string, progress func(string)) (Update, error)
	// DeployCode deploys the image, and a code or nil for the deployed one, to the task definitions and services that the stack
	// has, and records both. Nothing else changes, whatever waits, and whatever an earlier deployment left half-way.
	DeployCode(ctx context.Context, image string, code *environment.Code, progress func(string)) (Update, error)
	// Deployed returns the environment as Code with the same code leaves it: the infrastructure that is deployed, and
	// not the one that the file describes.
	Deployed(code *environment.Code) *environment.Environment
	// RefreshServices brings up the services alone, after looking at what they really are: ECS goes back to an earlier
	// revision by itself, of which the state knows nothing.
	RefreshServices(ctx context.Context, image string, progress func(string)) (Update, error)
	// PendingChanges is what a Release of everything would change. It changes nothing, and may run while the services change.
	PendingChanges(ctx context.Context, image string) ([]history.Change, error)
	// HasPendingOperations reports whether the state has operations of unknown outcome.
	HasPendingOperations() bool
	// Repair brings state and account in step after a deployment that died, as a preparation for a Release with the image, and
	// says what it did. It may be repeated.
	Repair(ctx context.Context, image string, progress func(string)) ([]string, error)
	// TaskNetwork is where the program put the tasks.
	TaskNetwork() (TaskNetwork, error)
}

// TaskNetwork is where tasks run.
type TaskNetwork struct {
	Subnets        []string
	SecurityGroups []string
}

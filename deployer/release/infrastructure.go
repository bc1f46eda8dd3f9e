package release

import (
	"context"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

// Update is the outcome of an engine run.
type Update struct {
	// Changed counts the resources that were changed.
	Changed int
	// InfrastructureChanges counts those of them that a deployment of code alone would not change.
	InfrastructureChanges int
	// Took is the engine's own time.
	Took time.Duration
	// Warnings are those of the engine and the providers.
	Warnings []string
}

// Infrastructure is the stack, as far as a deployment needs it. Each method runs the same program and changes another part of
// it. progress receives the engine's progress.
type Infrastructure interface {
	// Provision deploys everything but the services and their task definitions. The migration's task definition gets
	// the image; the output image stays.
	Provision(ctx context.Context, image string, progress ProgressFunc) (Update, error)
	// Release deploys everything, the services with the image, and records the image as the stack's output.
	Release(ctx context.Context, image string, progress ProgressFunc) (Update, error)
	// DeployCode deploys the image, and code or where it is nil the deployed code, to the task definitions and services of
	// the stack, and records both. It changes nothing else, whatever is pending or incomplete.
	DeployCode(ctx context.Context, image string, code *environment.Code, progress ProgressFunc) (Update, error)
	// Deployed returns the environment as DeployCode with the same code leaves it: with the infrastructure that is
	// deployed, not the one that the file describes.
	Deployed(code *environment.Code) *environment.Environment
	// RefreshServices deploys the services alone, after reading what they really are: ECS returns to an earlier revision
	// without changing the state.
	RefreshServices(ctx context.Context, image string, progress ProgressFunc) (Update, error)
	// PendingChanges returns what a Release of everything would change. It changes nothing, and may run while the services
	// change.
	PendingChanges(ctx context.Context, image string) ([]history.Change, error)
	// HasPendingOperations reports whether the state has operations of unknown outcome.
	HasPendingOperations() bool
	// Repair brings the state and the account in sync after a deployment that crashed, so that a Release with the image can
	// follow, and returns what it did. It may be repeated.
	Repair(ctx context.Context, image string, progress ProgressFunc) ([]string, error)
	// TaskNetwork returns where the program put the tasks.
	TaskNetwork() (TaskNetwork, error)
	// MigrationDefinition returns the ARN of the revision of the migration's task definition that the stack
	// registered last, "" where it has none.
	MigrationDefinition() string
}

// TaskNetwork is the network in which tasks run.
type TaskNetwork struct {
	Subnets        []string
	SecurityGroups []string
}

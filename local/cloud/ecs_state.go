package cloud

import (
	"cmp"
	"maps"
	"slices"
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ECSState is what moves by itself in ECS. What is wanted is in the resources; this is how far it has come.
type ECSState struct {
	// Until is the time up to which everything has happened.
	Until time.Time `json:"until"`
	// Services and Tasks by ARN. Stopped tasks stay for a while, as in ECS, and so do their log lines.
	Services map[string]*service `json:"services"`
	Tasks    map[string]*task    `json:"tasks"`
}

// service is the moving side of one aws:ecs/service:Service.
type service struct {
	ARN     string    `json:"arn"`
	Name    string    `json:"name"`
	Cluster string    `json:"cluster"`
	Created time.Time `json:"created"`
	// Definition and Shape are what the resource asked for when it was last looked at: the task definition, and the
	// rest of what starts a deployment when it changes.
	Definition  string `json:"definition"`
	Fingerprint string `json:"shape"`
	// Primary is the revision that is wanted, Good the last one that ran well; both are ARNs.
	Primary  string `json:"primary"`
	LastGood string `json:"good"`
	// KnownGood is the digest of the image that ran well in this service last.
	KnownGood string `json:"proven"`
	// Revisions and Deployments, oldest first; Events, newest first.
	Revisions   []*revision   `json:"revisions"`
	Deployments []*deployment `json:"deployments"`
	Events      []event       `json:"events"`
	// Started counts the tasks that were ever started; Resume is when the next may be, after a failure.
	Started int       `json:"started"`
	RetryAt time.Time `json:"resume,omitzero"`
}

// revision is one version of a service: a task definition, and how its tasks fare.
type revision struct {
	ARN string `json:"arn"`
	// DeploymentID is what ECS calls the revision among a service's deployments, and what its tasks are started by:
	// ecs-svc/NUMBER.
	DeploymentID string                     `json:"rollout"`
	Definition   string                     `json:"definition"`
	Created      time.Time                  `json:"created"`
	Updated      time.Time                  `json:"updated"`
	State        ecs.DeploymentRolloutState `json:"state"`
	Reason       string                     `json:"reason"`
	Failed       int                        `json:"failed"`
	// Faults were in force when the revision was made; they stay with its tasks, whoever looks later.
	Faults faultSet `json:"faults,omitempty"`
}

// deployment is a service deployment: the way from the revisions that run to a target.
type deployment struct {
	ARN      string                      `json:"arn"`
	Target   string                      `json:"target"`
	Sources  []string                    `json:"sources"`
	Status   ecs.ServiceDeploymentStatus `json:"status"`
	Reason   string                      `json:"reason"`
	Created  time.Time                   `json:"created"`
	Started  time.Time                   `json:"started"`
	Updated  time.Time                   `json:"updated"`
	Finished time.Time                   `json:"finished,omitzero"`
	// Tripped is set when the circuit breaker ended it.
	Tripped bool `json:"tripped,omitempty"`
	// RollbackTo is the revision that a rollback returns to.
	RollbackTo     string    `json:"back,omitempty"`
	RollbackSince  time.Time `json:"backSince,omitzero"`
	RollbackReason string    `json:"backReason,omitempty"`
}

type event struct {
	At      time.Time `json:"at"`
	Message string    `json:"message"`
}

// inProgress reports whether the deployment is still under way.
func (d *deployment) inProgress() bool {
	return d.Status == ecs.ServiceDeploymentStatusInProgress || d.Status == ecs.ServiceDeploymentStatusRollbackInProgress
}

func (s *service) revision(arn string) *revision {
	for _, r := range s.Revisions {
		if r.ARN == arn {
			return r
		}
	}
	return nil
}

// latestDeployment is the deployment that was started last, or nil.
func (s *service) latestDeployment() *deployment {
	if len(s.Deployments) == 0 {
		return nil
	}
	return s.Deployments[len(s.Deployments)-1]
}

// tasksOf returns the tasks of a service, oldest first.
func (e *ECSState) tasksOf(s *service) []*task {
	return e.tasks(func(t *task) bool { return t.Service == s.ARN })
}

// tasks returns the tasks that are wanted, oldest first.
func (e *ECSState) tasks(match func(*task) bool) []*task {
	var found []*task
	for _, t := range e.Tasks {
		if match(t) {
			found = append(found, t)
		}
	}
	slices.SortFunc(found, func(x, y *task) int {
		return cmp.Or(x.Created.Compare(y.Created), cmp.Compare(x.ARN, y.ARN))
	})
	return found
}

// services returns the services in the order of their ARNs.
func (e *ECSState) services() []*service {
	var all []*service
	for _, arn := range slices.Sorted(maps.Keys(e.Services)) {
		all = append(all, e.Services[arn])
	}
	return all
}

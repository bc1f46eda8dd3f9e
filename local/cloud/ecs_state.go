package cloud

import (
	"cmp"
	"maps"
	"slices"
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ECSState is what changes on its own in ECS. The resources hold the desired state; this is the actual one.
type ECSState struct {
	// Until is the time up to which events have been simulated.
	Until time.Time `json:"until"`
	// Services and Tasks are by ARN. Stopped tasks and their logs are kept for a while, as in ECS.
	Services map[string]*service `json:"services"`
	Tasks    map[string]*task    `json:"tasks"`
}

// service is the actual state of an aws:ecs/service:Service.
type service struct {
	ARN     string    `json:"arn"`
	Name    string    `json:"name"`
	Cluster string    `json:"cluster"`
	Created time.Time `json:"created"`
	// Definition and Fingerprint are what the resource requested at the last reconciliation: the task definition, and
	// the other properties whose change starts a deployment.
	Definition  string `json:"definition"`
	Fingerprint string `json:"shape"`
	// Primary is the ARN of the desired revision, LastGood that of the last completed one.
	Primary  string `json:"primary"`
	LastGood string `json:"good"`
	// KnownGood is the digest of the last image that ran well in this service.
	KnownGood string `json:"proven"`
	// Revisions and Deployments are oldest first, Events newest first.
	Revisions   []*revision   `json:"revisions"`
	Deployments []*deployment `json:"deployments"`
	Events      []event       `json:"events"`
	// Started counts the tasks ever started; RetryAt is when the next one may start after a failure.
	Started int       `json:"started"`
	RetryAt time.Time `json:"resume,omitzero"`
}

// revision is a version of a service: a task definition and the state of its tasks.
type revision struct {
	ARN string `json:"arn"`
	// DeploymentID is the revision's ID among the service's deployments, ecs-svc/NUMBER, and the startedBy of its
	// tasks.
	DeploymentID string                     `json:"rollout"`
	Definition   string                     `json:"definition"`
	Created      time.Time                  `json:"created"`
	Updated      time.Time                  `json:"updated"`
	State        ecs.DeploymentRolloutState `json:"state"`
	Reason       string                     `json:"reason"`
	Failed       int                        `json:"failed"`
	// Faults were active when the revision was created; they keep affecting its tasks in later commands.
	Faults faultSet `json:"faults,omitempty"`
}

// deployment is a service deployment from the running revisions to a target.
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
	// Alarms are those that end it.
	Alarms alarmWatch `json:"alarms,omitzero"`
	// RollbackTo is the revision that a rollback returns to.
	RollbackTo     string    `json:"back,omitempty"`
	RollbackSince  time.Time `json:"backSince,omitzero"`
	RollbackReason string    `json:"backReason,omitempty"`
}

type event struct {
	At      time.Time `json:"at"`
	Message string    `json:"message"`
}

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

// latestDeployment returns the deployment that was started last, or nil.
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

// tasks returns the tasks that match, oldest first.
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

// services returns the services sorted by ARN.
func (e *ECSState) services() []*service {
	var all []*service
	for _, arn := range slices.Sorted(maps.Keys(e.Services)) {
		all = append(all, e.Services[arn])
	}
	return all
}

// Package ecsexec opens a shell, or runs a command, in a container through ECS Exec: it finds the container, asks ECS for a
// session, and hands it to AWS's Session Manager plugin.
package ecsexec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Target is a container that a session can be opened in.
type Target struct {
	Cluster, Task, TaskARN, Container, RuntimeID string
}

// Name is how Systems Manager calls the target.
func (t Target) Name() string { return "ecs:" + t.Cluster + "_" + t.Task + "_" + t.RuntimeID }

// Selector says which container is wanted.
type Selector struct {
	Cluster string
	// Task is a task's ID or its begin; "" is the newest that can be used.
	Task string
	// Containers are names, the first that a task has counts.
	Containers []string
}

// UnavailableError is why no session can be opened, and what to do about it. Its causes are apart because their remedies are.
type UnavailableError struct {
	Cause  Cause
	Reason string
}

func (u *UnavailableError) Error() string { return u.Reason }

// Cause is what a task lacks.
type Cause string

// The causes.
const (
	NoTask      Cause = "no task runs"
	NoContainer Cause = "the task has no such container"
	NotEnabled  Cause = "the task was started without execute command"
	NoAgent     Cause = "the agent of Systems Manager does not run"
)

// Choose picks the container among the tasks: of the newest task that is fit, and where none is, the error says what the
// newest one lacks. Its errors are *Unfit.
func Choose(tasks []types.Task, selector Selector) (Target, error) {
	tasks = slices.DeleteFunc(slices.Clone(tasks), func(t types.Task) bool {
		return aws.ToString(t.LastStatus) != "RUNNING" || !strings.HasPrefix(taskID(t), selector.Task)
	})
	slices.SortStableFunc(tasks, func(x, y types.Task) int {
		return cmp.Or(aws.ToTime(y.StartedAt).Compare(aws.ToTime(x.StartedAt)), strings.Compare(taskID(x), taskID(y)))
	})
	if len(tasks) == 0 && selector.Task != "" {
		return Target{}, &UnavailableError{NoTask, fmt.Sprintf("no task whose ID begins with %s runs", selector.Task)}
	}
	if len(tasks) == 0 {
		return Target{}, &UnavailableError{NoTask, "no task runs"}
	}
	if selector.Task != "" && len(tasks) > 1 {
		return Target{}, &UnavailableError{NoTask, fmt.Sprintf("the IDs of %d tasks begin with %s", len(tasks), selector.Task)}
	}
	var first error
	for _, task := range tasks {
		target, err := newTarget(task, selector)
		if err == nil {
			return target, nil
		}
		first = cmp.Or(first, err)
	}
	return Target{}, first
}

func newTarget(task types.Task, selector Selector) (Target, error) {
	if !task.EnableExecuteCommand {
		return Target{}, &UnavailableError{NotEnabled, fmt.Sprintf("task %s was started without execute command", taskID(task))}
	}
	c := containerOf(task, selector.Containers)
	if c == nil {
		return Target{}, &UnavailableError{NoContainer, fmt.Sprintf("task %s has no container %s, but %s", taskID(task),
			strings.Join(selector.Containers, " or "), strings.Join(containerNames(task), ", "))}
	}
	status, reason := agentStatus(c)
	if status != "RUNNING" {
		return Target{}, &UnavailableError{NoAgent, fmt.Sprintf("the ExecuteCommandAgent of %s in task %s is %s%s",
			aws.ToString(c.Name), taskID(task), status, reason)}
	}
	return Target{
		Cluster: arnName(aws.ToString(task.ClusterArn)), Task: taskID(task), TaskARN: aws.ToString(task.TaskArn),
		Container: aws.ToString(c.Name), RuntimeID: aws.ToString(c.RuntimeId),
	}, nil
}

func containerOf(task types.Task, names []string) *types.Container {
	for _, name := range names {
		for i := range task.Containers {
			if aws.ToString(task.Containers[i].Name) == name {
				return &task.Containers[i]
			}
		}
	}
	return nil
}

func containerNames(task types.Task) []string {
	var names []string
	for _, c := range task.Containers {
		names = append(names, aws.ToString(c.Name))
	}
	return names
}

// agentStatus is the state of the agent that ECS puts into a container for sessions.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedAgent.html
func agentStatus(c *types.Container) (status, reason string) {
	for _, a := range c.ManagedAgents {
		if a.Name != types.ManagedAgentNameExecuteCommandAgent {
			continue
		}
		if a.Reason != nil {
			reason = ": " + *a.Reason
		}
		return cmp.Or(aws.ToString(a.LastStatus), "PENDING"), reason
	}
	return "missing", ""
}

func taskID(t types.Task) string { return arnName(aws.ToString(t.TaskArn)) }

func arnName(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// Package ecsexec opens a shell, or runs a command, in a container through ECS Exec: it chooses the container, requests a session from
// ECS, and runs it in AWS's Session Manager plugin.
package ecsexec

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
)

// Target is a container that a session can be opened in.
type Target struct {
	Cluster, Task, TaskARN, Container, RuntimeID string
}

// Name returns the target as Systems Manager names it.
func (t Target) Name() string { return "ecs:" + t.Cluster + "_" + t.Task + "_" + t.RuntimeID }

// Selector selects a container.
type Selector struct {
	Cluster string
	// Task is the ID of a task, or its first characters; "" selects the newest task that can be used.
	Task string
	// Containers are names, of which the first that a task has is used.
	Containers []string
}

// UnavailableError reports why no session can be opened. Each cause has a remedy of its own.
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
	NoAgent     Cause = "the Systems Manager agent does not run"
)

// Choose returns the container in the newest task that can be used. If there is none, the error reports what the newest task lacks. Its
// errors are *UnavailableError.
func Choose(tasks []types.Task, selector Selector) (Target, error) {
	tasks = slices.DeleteFunc(slices.Clone(tasks), func(t types.Task) bool {
		return aws.ToString(t.LastStatus) != "RUNNING" || !strings.HasPrefix(ecstasks.ID(t), selector.Task)
	})
	slices.SortStableFunc(tasks, func(x, y types.Task) int {
		return cmp.Or(aws.ToTime(y.StartedAt).Compare(aws.ToTime(x.StartedAt)), strings.Compare(ecstasks.ID(x), ecstasks.ID(y)))
	})
	switch {
	case len(tasks) == 0 && selector.Task != "":
		return Target{}, &UnavailableError{NoTask, fmt.Sprintf("no task whose ID begins with %s runs", selector.Task)}
	case len(tasks) == 0:
		return Target{}, &UnavailableError{NoTask, "no task runs"}
	case selector.Task != "" && len(tasks) > 1:
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
		return Target{}, &UnavailableError{NotEnabled, fmt.Sprintf("task %s was started without execute command", ecstasks.ID(task))}
	}
	c := containerOf(task, selector.Containers)
	if c == nil {
		return Target{}, &UnavailableError{NoContainer, fmt.Sprintf("task %s has no container %s; it has %s", ecstasks.ID(task),
			strings.Join(selector.Containers, " or "), strings.Join(containerNames(task), ", "))}
	}
	status, reason := agentStatus(c)
	if status != "RUNNING" {
		return Target{}, &UnavailableError{NoAgent, fmt.Sprintf("the ExecuteCommandAgent of %s in task %s is %s%s",
			aws.ToString(c.Name), ecstasks.ID(task), status, reason)}
	}
	return Target{
		Cluster: awsx.NameFromARN(aws.ToString(task.ClusterArn)), Task: ecstasks.ID(task), TaskARN: aws.ToString(task.TaskArn),
		Container: aws.ToString(c.Name), RuntimeID: aws.ToString(c.RuntimeId),
	}, nil
}

func containerOf(task types.Task, names []string) *types.Container {
	for _, name := range names {
		if at := slices.IndexFunc(task.Containers, func(c types.Container) bool { return aws.ToString(c.Name) == name }); at >= 0 {
			return &task.Containers[at]
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

// agentStatus returns the status of the agent that ECS adds to a container for sessions.
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

// Tasks returns the tasks of a service that should run; where service is "", those of the cluster.
func Tasks(ctx context.Context, client *ecs.Client, cluster, service string) ([]types.Task, error) {
	query := &ecs.ListTasksInput{Cluster: &cluster}
	if service != "" {
		query.ServiceName = &service
	}
	tasks, err := ecstasks.Find(ctx, client, query)
	if err != nil {
		return nil, fmt.Errorf("find the tasks of %s: %w", cluster, err)
	}
	return tasks, nil
}

// StartSession requests a session that runs a command. Its errors are the SDK's. The agent runs no shell, but splits the command as a
// shell does.
func StartSession(ctx context.Context, client *ecs.Client, t Target, command []string) (Session, error) {
	out, err := client.ExecuteCommand(ctx, &ecs.ExecuteCommandInput{
		Cluster: &t.Cluster, Task: &t.TaskARN, Container: &t.Container, Interactive: true,
		Command: aws.String(shellescape.QuoteCommand(command)),
	})
	if err != nil || out.Session == nil {
		return Session{}, err
	}
	return Session{aws.ToString(out.Session.SessionId), aws.ToString(out.Session.StreamUrl), aws.ToString(out.Session.TokenValue)}, nil
}

package cloud

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// executeCommand rejects what ECS rejects, and otherwise reports that sessions are not simulated.
func executeCommand(m model, in *ecs.ExecuteCommandInput) (*ecs.ExecuteCommandOutput, error) {
	cluster, err := m.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	t := m.task(cluster, deref(in.Task))
	switch {
	case t == nil || !m.running(t):
		return nil, &types.InvalidParameterException{Message: aws.String("The specified task is not running or does not exist.")}
	case !t.Exec:
		return nil, &types.InvalidParameterException{Message: aws.String("The execute command failed because execute command was not enabled when the task " +
			"was run or the execute command agent isn't running. Wait and try again or run a new task with execute command enabled and try again.")}
	}
	d, _ := m.definition(t.Definition)
	if in.Container != nil && !slices.ContainsFunc(d.containers, func(c types.ContainerDefinition) bool { return deref(c.Name) == *in.Container }) {
		return nil, &types.InvalidParameterException{Message: aws.String("The specified container does not exist in the task.")}
	}
	return nil, apiError("NotSimulated", "simulated containers run no process, so a session cannot be opened")
}

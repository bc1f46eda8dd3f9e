package cloud

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/stretchr/testify/require"
)

// Session Manager knows a running task's container, and only where the task was started with execute command.
func TestStartSession(t *testing.T) {
	for name, test := range map[string]struct {
		enabled          bool
		target, document string
		code             string
	}{
		"forwarded":         {true, "", "AWS-StartPortForwardingSessionToRemoteHost", "NotSimulated"},
		"another document":  {true, "", "Another", "InvalidDocument"},
		"not enabled":       {false, "", "AWS-StartPortForwardingSessionToRemoteHost", "TargetNotConnected"},
		"another container": {true, "ecs:v3-backend-staging-cluster_1_2", "AWS-StartPortForwardingSessionToRemoteHost", "TargetNotConnected"},
	} {
		t.Run(name, func(t *testing.T) {
			sim := newSimulation(t)
			sim.startService(sim.define(1, imageOne), 1, values{"enableExecuteCommand": test.enabled})
			sim.after(10 * time.Minute)
			listed, err := listTasks(sim.m, &ecs.ListTasksInput{Cluster: aws.String("v3-backend-staging-cluster")})
			require.NoError(t, err)
			described, err := describeTasks(sim.m, &ecs.DescribeTasksInput{Cluster: aws.String("v3-backend-staging-cluster"), Tasks: listed.TaskArns})
			require.NoError(t, err)
			require.Len(t, described.Tasks, 1)
			if test.target == "" {
				id := *described.Tasks[0].Containers[0].RuntimeId
				test.target = "ecs:v3-backend-staging-cluster_" + id[:len("0123456789abcdef0123456789abcdef")] + "_" + id
			}
			_, err = startSession(sim.m, &ssm.StartSessionInput{Target: &test.target, DocumentName: &test.document})
			require.Equal(t, test.code, apiCode(t, err), err)
		})
	}
}

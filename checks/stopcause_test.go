package checks

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"
)

// stopped returns a task that ECS stopped for a reason, its container ending as given; a code below 0 is none.
func stopped(code ecstypes.TaskStopCode, reason string, exit int, containerReason string) ecstypes.Task {
	container := ecstypes.Container{Name: aws.String("balancer-api")}
	if exit >= 0 {
		container.ExitCode = aws.Int32(int32(exit))
	}
	if containerReason != "" {
		container.Reason = aws.String(containerReason)
	}
	return ecstypes.Task{
		StopCode: code, StoppedReason: aws.String(reason), LastStatus: aws.String("STOPPED"),
		Containers: []ecstypes.Container{container},
	}
}

func TestStopCause(t *testing.T) {
	const (
		start     = ecstypes.TaskStopCodeTaskFailedToStart
		essential = ecstypes.TaskStopCodeEssentialContainerExited
		scheduler = ecstypes.TaskStopCodeServiceSchedulerInitiated
		exited    = "Essential container in task exited"
	)
	for name, test := range map[string]struct {
		task      ecstypes.Task
		kind      StopKind
		message   string
		permanent bool
	}{
		"missing key": {stopped(start, "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key SENTRY_DSN", -1, ""),
			StopMissingSecret, "the secret has no key SENTRY_DSN", true},
		"missing secret": {stopped(start, "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:us-east-1:1:secret:x from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret.", -1, ""),
			StopMissingSecret, "the secret does not exist", true},
		"secret forbidden": {stopped(start, "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: AccessDeniedException: User is not authorized to perform: secretsmanager:GetSecretValue", -1, ""),
			StopAccessDenied, "the execution role may not fetch what the task needs", true},
		"image forbidden": {stopped(start, "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 1.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:1: pulling from host 1.dkr.ecr.us-east-1.amazonaws.com failed with status code [manifests sha256:1]: 403 Forbidden", -1, ""),
			StopImagePull, "the image cannot be pulled, the registry refuses it", true},
		"no network interface left": {stopped(start, "ResourceInitializationError: Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': NetworkInterfaceLimitExceeded", -1, ""),
			StopNoAddress, "the subnet has no free address", false},
		"no route": {stopped(start, "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: RequestError: send request failed caused by: Post \"https://api.ecr\": dial tcp 52.1.1.1:443: i/o timeout", -1, ""),
			StopNoRoute, "the task cannot reach AWS from its subnet", false},
		"image not found": {stopped(start, "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 1.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:1: not found", -1, ""),
			StopImagePull, "the image cannot be pulled", true},
		"pull rate": {stopped(start, "CannotPullContainerError: inspect image has been retried 5 time(s): toomanyrequests: You have reached your pull rate limit", -1, ""),
			StopImagePull, "the registry limits the pulls of the image", false},
		"pull timeout": {stopped(start, "CannotPullContainerError: context deadline exceeded", -1, ""),
			StopNoRoute, "the task cannot reach AWS from its subnet", false},
		"log group": {stopped(start, "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.", -1, ""),
			StopLogGroup, "the log group does not exist", true},
		"out of memory": {stopped(essential, exited, 137, "OutOfMemoryError: Container killed due to memory usage"),
			StopOutOfMemory, "the container ran out of memory", false},
		"capacity": {stopped(start, "Capacity is unavailable at this time. Please try again later or in a different availability zone", -1, ""),
			StopCapacity, "Fargate has no capacity", false},
		"no address": {stopped(start, "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': InsufficientFreeAddressesInSubnet", -1, ""),
			StopNoAddress, "the subnet has no free address", false},
		"interface": {stopped(start, "Timeout waiting for network interface provisioning to complete.", -1, ""),
			StopNetwork, "the task's network interface was not ready in time", false},
		"balancer's check": {stopped(scheduler, "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/x/1)", 143, ""),
			StopHealthCheck, "the task failed the load balancer's health check", false},
		"container's check": {stopped(scheduler, "Task failed container health checks", 137, ""),
			StopHealthCheck, "the task failed its container's health check", false},
		"no command": {stopped(start, "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: exec: \"bun\": executable file not found in $PATH: unknown", 127, ""),
			StopCommand, "the container's command cannot be started", true},
		"spot":        {stopped(ecstypes.TaskStopCodeSpotInterruption, "Your Spot Task was interrupted.", 143, ""), StopInterrupted, "AWS took back the Spot capacity of the task", false},
		"scaled in":   {stopped(scheduler, "Scaling activity initiated by (deployment ecs-svc/123)", 143, ""), StopExpected, "stopped on purpose", false},
		"by a person": {stopped(ecstypes.TaskStopCodeUserInitiated, "CannotPull is what a user wrote", 0, ""), StopExpected, "stopped on purpose", false},
		"exit 1":      {stopped(essential, exited, 1, ""), StopExitCode, "exit code 1 (application error)", false},
		"exit 42":     {stopped(essential, exited, 42, ""), StopExitCode, "exit code 42 (application error)", false},
		"unfetched":   {stopped(essential, exited, 75, ""), StopExitCode, "exit code 75 (the secrets could not be fetched)", false},
		"incomplete":  {stopped(essential, exited, 78, ""), StopExitCode, "exit code 78 (the configuration is not complete)", false},
		"no AVX2":     {stopped(essential, exited, 132, ""), StopExitCode, "exit code 132 (illegal instruction)", false},
		"bus error":   {stopped(essential, exited, 135, ""), StopExitCode, "exit code 135 (bus error)", false},
		"a signal":    {stopped(essential, exited, 136, ""), StopExitCode, "exit code 136 (ended by signal 8)", false},
		"exit -1":     {stopped(essential, exited, 255, ""), StopExitCode, "exit code 255 (the container's command failed)", false},
		"exit 200":    {stopped(essential, exited, 200, ""), StopExitCode, "exit code 200 (application error)", false},
		"killed":      {stopped(essential, exited, 137, ""), StopExitCode, "exit code 137 (killed)", false},
		"done":        {stopped(essential, exited, 0, ""), StopCompleted, "the container exited with code 0", false},
		"new words":   {stopped(start, "SomethingNewError: whatever", -1, ""), StopOther, "SomethingNewError: whatever", false},
		"no words":    {ecstypes.Task{}, StopOther, "ECS gives no reason", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := StopCause(test.task)
			require.Equal(t, test.kind, got.Kind)
			require.Equal(t, test.message, got.Message)
			require.Equal(t, test.permanent, got.Permanent)
			require.Equal(t, test.kind != StopExpected, got.Failed())
			if got.Failed() {
				require.NotEmpty(t, got.Hint.Cause)
				require.NotEmpty(t, got.Hint.Solution)
			}
		})
	}
}

func TestStopCauseNamesTheContainerThatFailed(t *testing.T) {
	task := stopped(ecstypes.TaskStopCodeEssentialContainerExited, "Essential container in task exited", 3, "")
	sidecar := ecstypes.Container{Name: aws.String("xray-daemon"), ExitCode: aws.Int32(0)}
	task.Containers = append([]ecstypes.Container{sidecar}, task.Containers...)
	got := StopCause(task)
	require.Equal(t, "balancer-api", got.Container)
	require.Equal(t, 3, *got.ExitCode)
	require.Equal(t, "logs", got.Hint.Command)

	key := StopCause(stopped("", "retrieved secret from Secrets Manager did not contain json key SENTRY_DSN", -1, ""))
	require.Equal(t, "SENTRY_DSN", key.Key)
	require.Equal(t, "secrets set", key.Hint.Command)
}

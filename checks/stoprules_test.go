package checks

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

const (
	pullRetried = "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref "
	ourImage    = "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:0000000000000000000000000000000000000000000000000000000000000001"
	noSecrets   = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
	fromASM     = noSecrets + "unable to retrieve secret from asm: service call has been retried 1 time(s): "
	secretARN   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:balancer-dev-config-AbCdEf"
	fromLogger  = "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: "
	startTask   = "CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create shim task: "
	createENI   = "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment disabled in subnet 'subnet-1': "
	badKey      = "invalid character 'ï' looking for beginning of value"
)

// documentedReasons lists the reasons that AWS documents for stopped tasks on Fargate, with those that users reported of the same kinds.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/resource-initialization-error.html
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
var documentedReasons = []struct {
	reason    string
	kind      StopKind
	permanent bool
}{
	// Pulling the image. Sources of the users' reports: awslabs/aws-lambda-web-adapter#429, PrefectHQ/prefect#12003, aws/amazon-ecs-agent#498.
	{pullRetried + ourImage + ": not found", StopImagePull, true},
	{pullRetried + "public.ecr.aws/x/y:1: unexpected status from HEAD request to https://public.ecr.aws/v2/x/y/manifests/1: 429 Too Many Requests", StopImagePull, false},
	{"CannotPullContainerError: ThrottlingException: Rate exceeded", StopImagePull, false},
	{"CannotPullECRContainerError: ThrottlingException: Rate exceeded status code: 400, request id: 1", StopImagePull, false},
	{"CannotPullContainerError: inspect image has been retried 5 time(s): httpReaderSeeker: failed open: unexpected status code " +
		"https://registry-1.docker.io/v2/x/manifests/1: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.", StopImagePull, false},
	{pullRetried + "docker.io/library/nginx:1: unexpected status from HEAD request to https://registry-1.docker.io/v2/library/nginx/manifests/1: 503 Service Unavailable",
		StopImagePull, false},
	{"CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReaderSeeker: failed open: unexpected status code: 500 Internal Server Error",
		StopImagePull, false},
	{"CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: unexpected EOF", StopImagePull, false},
	{"CannotPullContainerError: ref pull has been retried 1 time(s): failed to extract layer sha256:1: write /var/lib/containerd/x: no space left on device: unknown",
		StopDisk, true},
	{"CannotPullContainerError: write /var/lib/docker/tmp/GetImageBlob111111111: no space left on device", StopDisk, true},
	{"CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not contain descriptor matching platform 'linux/amd64'", StopPlatform, true},
	{"CannotPullContainerError: pull access denied for 111122223333.dkr.ecr.us-east-1.amazonaws.com/x, repository does not exist or may require 'docker login': denied",
		StopImagePull, true},
	{"CannotPullContainerError: The task can't pull the image. Check that the role has the permissions to pull images from the registry. Error response from daemon: x",
		StopImagePull, true},
	{"CannotPullContainerError: AccessDeniedException: User: arn:aws:sts::1:assumed-role/x is not authorized to perform: ecr:GetAuthorizationToken on resource: *",
		StopImagePull, true},
	{pullRetried + ourImage + ": pulling from host 123456789012.dkr.ecr.us-east-1.amazonaws.com failed with status code [manifests sha256:1]: 403 Forbidden", StopImagePull, true},
	{"CannotPullContainerError: The task cannot pull 'balancer-api' from the Amazon ECR repository '123456789012.dkr.ecr.us-east-1.amazonaws.com'. " +
		"There is a connection issue between the task and Amazon ECR. Check your task network configuration.", StopNoRoute, false},
	{"CannotPullContainerError: API error (500): Get https://111122223333.dkr.ecr.us-east-1.amazonaws.com/v2/: net/http: request canceled while waiting for connection",
		StopNoRoute, false},
	{pullRetried + ourImage + ": failed to do request: Head \"https://123456789012.dkr.ecr.us-east-1.amazonaws.com/v2/x\": dial tcp 10.0.1.5:443: i/o timeout", StopNoRoute, false},
	{"CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed open: failed to do request: Get x: context canceled",
		StopNoRoute, false},
	{"CannotPullContainerError: context deadline exceeded", StopNoRoute, false},
	{"CannotPullContainerError: pull command failed: : signal: killed", StopNoRoute, false},
	{"CannotPullContainerError: pull command failed: panic: runtime error: invalid memory address or nil pointer dereference", StopImagePull, false},
	{"CannotPullContainerError: error pulling image configuration: error parsing HTTP 404 response body", StopImagePull, false},
	{"CannotPullContainerError: manifest unknown: Requested image not found", StopImagePull, true},
	// What answers in place of the registry is no secret. Sources: docker/hub-feedback#2082, moby/moby#32814,
	// aws/amazon-ecs-agent#385, #719, #932, aws-samples/dify-self-hosted-on-aws#29, docker-archive-public/docker.kitematic#2057.
	{"CannotPullContainerError: Error response from daemon: error parsing HTTP 403 response body: invalid character '<' looking for beginning of value: \"<?xml",
		StopImagePull, false},
	{"CannotPullContainerError: Error response from daemon: error parsing HTTP 429 response body: invalid character 'T' looking for beginning of value: \"Too Many Requests",
		StopImagePull, false},
	{pullRetried + "docker.io/x/y:1: failed to authorize: failed to fetch oauth token: unexpected end of JSON input", StopImagePull, false},
	{"failed to fetch oauth token: unexpected end of JSON input", StopImagePull, false},
	{"failed to fetch anonymous token: Get \"https://auth.docker.io/token\": dial tcp: lookup auth.docker.io on 10.0.0.2:53: server misbehaving", StopNoRoute, false},
	{pullRetried + "docker.io/x/y:1: failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://auth.docker.io/token: 401 Unauthorized",
		StopImagePull, true},
	{"CannotPullContainerError: Error response from daemon: denied: requested access to the resource is denied", StopImagePull, true},
	{"CannotPullContainerError: Error response from daemon: Head \"https://ghcr.io/v2/x/y/manifests/1\": unauthorized: authentication required", StopImagePull, true},
	{"CannotPullContainerError: Error response from daemon: Get https://registry-1.docker.io/v2/: EOF", StopNoRoute, false},
	{pullRetried + ourImage + ": failed to do request: Head \"https://x/v2/y\": EOF", StopNoRoute, false},
	{pullRetried + ourImage + ": dial tcp 10.0.1.5:443: connect: no route to host", StopNoRoute, false},
	{pullRetried + ourImage + ": dial tcp: lookup 123456789012.dkr.ecr.us-east-1.amazonaws.com on 10.0.0.2:53: server misbehaving", StopNoRoute, false},
	{"CannotPullContainerError: dial tcp: lookup registry-1.docker.io: Temporary failure in name resolution", StopNoRoute, false},
	{"CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: write tcp 10.0.1.5:1->10.0.1.6:443: write: broken pipe", StopNoRoute, false},
	{"CannotPullContainerError: Could not reach any registry endpoint", StopNoRoute, false},
	{pullRetried + ourImage + ": failed to do request: Head \"https://x/v2/y\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
		StopCertificate, true},
	{"CannotPullContainerError: Error response from daemon: Get https://registry-1.docker.io/v2/: x509: certificate is valid for x, not registry-1.docker.io", StopCertificate, true},
	{"CannotPullContainerError: Get https://x/v2/: x509: certificate has expired or is not yet valid", StopCertificate, true},
	{"CannotPullContainerError: ref pull has been retried 1 time(s): failed to extract layer sha256:1: open /x: no such file or directory: unknown", StopImagePull, false},
	{"CannotPullContainerError: failed to register layer: Error processing tar file(exit status 1): open /etc/x: permission denied", StopImagePull, false},
	{"CannotPullContainerError: failed to register layer: ApplyLayer exit status 1 stdout: stderr: unexpected EOF", StopImagePull, false},
	{"CannotPullContainerError: failed to register layer: ApplyLayer exit status 1 stdout: stderr: write /x: no space left on device", StopDisk, true},
	{"CannotPullContainerError: ref pull has been retried 1 time(s): failed to extract layer sha256:1: failed to get reader from content store: content digest sha256:2: not found",
		StopImagePull, false},
	{"CannotPullContainerError: ref pull has been retried 1 time(s): failed to unpack image on snapshotter overlayfs: mismatched image rootfs and manifest layers",
		StopImagePull, false},
	{"CannotPullContainerError: filesystem layer verification failed for digest sha256:1", StopImagePull, false},
	{"CannotPullContainerError: failed to register layer: re-exec error: exit status 1: hcsshim::ImportLayer failed in Win32: The system cannot find the file specified.",
		StopImagePull, false},
	// aws/aws-cdk#30680, containerd/nerdctl#3264, docker/for-mac#7658.
	{"CannotPullContainerError: unsupported media type application/vnd.in-toto+json", StopImagePull, true},
	{"CannotPullContainerError: failed to unpack image on snapshotter overlayfs: unexpected media type text/html for sha256:1: not found", StopImagePull, false},
	{"CannotPullContainerError: Error response from daemon: no matching manifest for linux/amd64 in the manifest list entries", StopPlatform, true},
	{"CannotPullContainerError: image operating system \"windows\" cannot be used on this platform", StopPlatform, true},
	{pullRetried + "docker.io/x/y:1: no match for platform in manifest sha256:1: not found", StopPlatform, true},
	{"CannotPullContainerError: The task can't pull the image. Check whether the image exists.", StopImagePull, true},
	{"CannotPullContainerError: The task can't pull the image. Check your network configuration.", StopNoRoute, false},
	// Secrets and logs. Sources of the users' reports: umotif-public/terraform-aws-ecs-fargate#50, aws/containers-roadmap#1133.
	{noSecrets + "unable to retrieve secrets from ssm: service call has been retried 5 time(s): RequestCanceled: request context canceled caused by: context deadline exceeded",
		StopNoRoute, false},
	{noSecrets + "unable to retrieve ecr registry auth: service call has been retried 3 time(s): RequestError: send request failed caused by: Post " +
		"\"https://api.ecr.us-east-1.amazonaws.com/\": dial tcp 52.46.150.1:443: i/o timeout. Please check your task network configuration.", StopNoRoute, false},
	{noSecrets + "unable to retrieve ecr registry auth: service call has been retried 1 time(s): RequestError: send request failed caused by: Post https://api.ecr.", StopNoRoute, false},
	{"ResourceInitializationError: unable to pull secrets or registry auth: pull command failed: : signal: killed", StopNoRoute, false},
	{"ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: There is a connection issue between " +
		"the task and Amazon ECR. Check your task network configuration.", StopNoRoute, false},
	{"ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: There is a connection issue between the task and AWS " +
		"Secrets Manager. Check your task network configuration. failed to fetch secret " + secretARN + ": canceled, context deadline exceeded", StopNoRoute, false},
	{"ResourceInitializationError: failed to validate logger args: : signal: killed", StopNoRoute, false},
	{"ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon CloudWatch log group defined in the task definition. " +
		"There is a connection issue between the task and Amazon CloudWatch. Check your network configuration.", StopNoRoute, false},
	{fromASM + "ThrottlingException: Rate exceeded", StopThrottled, false},
	{fromASM + "retrieved secret from Secrets Manager did not contain json key SENTRY_DSN", StopMissingSecret, true},
	{fromASM + badKey, StopInvalidSecret, true},
	{fromASM + "unexpected end of JSON input", StopInvalidSecret, true},
	{fromASM + "json: cannot unmarshal array into Go value of type map[string]interface {}", StopInvalidSecret, true},
	{fromASM + "failed to fetch secret " + secretARN + " from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret.", StopMissingSecret, true},
	{fromASM + "failed to fetch secret " + secretARN + " from secrets manager: InvalidRequestException: You can't perform this operation on the secret because it was " +
		"marked for deletion.", StopMissingSecret, true},
	{"ResourceInitializationError: unable to pull secrets or registry auth: asm fetching secret from the service for x: AccessDeniedException: User: arn:aws:sts::1:assumed-role/x " +
		"is not authorized to perform: secretsmanager:GetSecretValue on resource: x", StopAccessDenied, true},
	{"ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: " +
		"ResourceNotFoundException: The specified log group does not exist. : exit status 1", StopLogGroup, true},
	{"ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: " +
		"AccessDeniedException: User is not authorized to perform: logs:CreateLogStream", StopAccessDenied, true},
	{"ResourceInitializationError: The task can't retrieve the secret with ARN '" + secretARN + "' from AWS Secrets Manager. Check that the secret ARN is correct",
		StopMissingSecret, true},
	{noSecrets + "unable to get registry auth from asm: asm fetching authorization data: unable to unmarshal secret value, invalid schema", StopInvalidSecret, true},
	// GiamPy5/terraform-aws-directus#10, external-secrets/kubernetes-external-secrets#627.
	{fromASM + "failed to fetch secret " + secretARN + " from secrets manager: AccessDeniedException: Access to KMS is not allowed status code: 400", StopAccessDenied, true},
	{fromASM + "DecryptionFailure: Secrets Manager can't decrypt the protected secret text using the provided KMS key.", StopAccessDenied, true},
	{noSecrets + "unable to retrieve secrets from ssm: AccessDeniedException: The ciphertext refers to a customer master key that does not exist", StopAccessDenied, true},
	{fromASM + "InternalServiceError: An error occurred on the server side.", StopInitialization, false},
	{noSecrets + "unable to retrieve ecr registry auth: ServerException: , status code: 500, request id: 1", StopInitialization, false},
	{fromASM + "SerializationError: failed decoding JSON RPC response: invalid character '<' looking for beginning of value", StopInitialization, false},
	{noSecrets + "unable to retrieve ecr registry auth: invalid character '<' looking for beginning of value", StopInitialization, false},
	{"ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: mount.nfs4: mounting fs-1:/x failed, reason given by server: " +
		"No such file or directory", StopInitialization, false},
	{"CannotCreateVolumeError: unable to copy contents to volume on host: containerd: failed to get image reference: context deadline exceeded", StopInitialization, false},
	{"ResourceInitializationError: failed to initialize logging driver: an unknown failure", StopInitialization, false},
	{"ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: Connection reset by peer'", StopNoRoute, false},
	{"ResourceInitializationError: failed to download env files: file download command: non empty error stream", StopInitialization, false},
	// Starting the task.
	{"ResourceInitializationError: failed to configure ENI: failed to setup regular eni: netplugin failed with no error message", StopNetwork, false},
	{"Timeout waiting for network interface provisioning to complete.", StopNetwork, false},
	{"Timeout waiting for EphemeralStorage provisioning to complete.", StopInitialization, false},
	{"Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in subnet 'subnet-1'", StopNetwork, false},
	{"Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': InsufficientFreeAddressesInSubnet", StopNoAddress, false},
	{"ResourceInitializationError: Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': NetworkInterfaceLimitExceeded", StopNoAddress, false},
	{createENI + "InvalidSubnetID.NotFound", StopNetwork, true},
	{createENI + "InvalidSecurityGroupID.NotFound", StopNetwork, true},
	{"ResourceInitializationError: " + createENI + "InvalidSubnetID.NotFound", StopNetwork, true},
	{createENI + "UnauthorizedOperation", StopAccessDenied, true},
	{createENI + "UnauthorizedOperation: You are not authorized to perform this operation.", StopAccessDenied, true},
	{createENI + "RequestLimitExceeded", StopThrottled, false},
	{"RESOURCE:ENI", StopNoAddress, false},
	{"TaskFailedToStart: RESOURCE:MEMORY", StopCapacity, false},
	{"TaskFailedToStart: EMPTY CAPACITY PROVIDER", StopCapacity, false},
	{"Capacity is unavailable at this time. Please try again later or in a different availability zone", StopCapacity, false},
	{"You've reached the limit on the number of vCPUs you can run concurrently", StopQuota, false},
	// clowdhaus/eks-reference-architecture#12.
	{"Your AWS account is currently blocked and thus cannot launch any Fargate tasks", StopQuota, false},
	{"CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create shim: OCI runtime create failed: " +
		"container_linux.go:380: starting container process caused: exec: \"bun\": executable file not found in $PATH: unknown", StopCommand, true},
	// aws/amazon-ecs-agent#2442, #2954, #3021, #3526, aws-samples/net-modernization#13, moby/moby#41164, #41167.
	{startTask + "context deadline exceeded: unknown", StopCommand, false},
	{startTask + "OCI runtime create failed: runc did not terminate successfully: signal: killed: unknown", StopCommand, false},
	{"ResourceInitializationError: failed to create new container runtime task: failed to create shim task: context canceled", StopCommand, false},
	{startTask + "OCI runtime create failed: runc create failed: unable to start container process: error during container init: error creating device nodes: mknod " +
		"/run/containerd/rootfs/dev/null: errno 524: unknown", StopCommand, false},
	{"CannotStartContainerError: Error response from daemon: OCI runtime create failed: container_linux.go:380: starting container process caused: container init was " +
		"OOM-killed (memory limit too low?): unknown", StopOutOfMemory, false},
	{startTask + "fork/exec /usr/bin/runc: cannot allocate memory: unknown", StopOutOfMemory, false},
	{"CannotStartContainerError: ResourceInitializationError: unable to create new container: mount callback failed on /tmp/containerd-mount916692511: " +
		"open /tmp/containerd-mount916692511/etc/passwd: no such file or directory", StopCommand, true},
	// aws/amazon-ecs-agent#712, #951, splunk/splunk-connect-for-kubernetes#423.
	{startTask + "OCI runtime create failed: runc create failed: unable to start container process: error during container init: error mounting \"/var/x\" to rootfs at " +
		"\"/x\": no such file or directory: unknown", StopCommand, false},
	{"CannotStartContainerError: ResourceInitializationError: failed to initialize logging driver: failed to get fluentd log driver arguments: logging driver specified of " +
		"container x, but no log configuration specified", StopInitialization, false},
	{"CannotStartContainerError: Error response from daemon: unable to find user bun: no matching entries in passwd file", StopCommand, true},
	{"CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: OCI runtime create failed: container_linux.go:370: starting " +
		"container process caused: exec: \"/opt/bin/run.sh\": stat /opt/bin/run.sh: no such file or directory", StopCommand, true},
	{startTask + "OCI runtime create failed: runc create failed: unable to start container process: exec: \"./start.sh\": permission denied: unknown", StopCommand, true},
	{"CannotStartContainerError: failed to get container status: an unknown failure", StopCommand, false},
	{"CannotCreateContainerError: API error (500): an unknown failure", StopCommand, false},
	{"CannotInspectContainerError: an unknown failure", StopInfrastructure, false},
	{"CannotStopContainerError: failed sending SIGTERM to container: an unknown failure", StopInfrastructure, false},
	{"CannotCreateVolumeError: an unknown failure", StopInitialization, false},
	{"ContainerRuntimeError: failed to create container task: an unknown failure", StopCommand, false},
	{"ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m: an unknown failure", StopCommand, false},
	{"InternalError: an unknown failure", StopInfrastructure, false},
	// Ending the task.
	{"OutOfMemoryError: Container killed due to memory usage", StopOutOfMemory, false},
	{"SpotInterruptionError: your Spot task was interrupted", StopInterrupted, false},
	{"Your Spot Task was interrupted.", StopInterrupted, false},
	{"ECS is performing maintenance on the underlying infrastructure hosting the task.", StopInfrastructure, false},
	{"Host EC2 (instance i-1) terminated.", StopInfrastructure, false},
	{"Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/x/1)", StopHealthCheck, false},
	{"Task failed container health checks", StopHealthCheck, false},
	{"Scaling activity initiated by (deployment ecs-svc/1234567890123456789)", StopExpected, false},
	{"Task stopped by user", StopExpected, false},
}

// uncertain lists the kinds that a truncated reason may have in place of its own: nothing follows from them.
var uncertain = []StopKind{StopOther, StopInitialization, StopImagePull, StopNetwork, StopCommand}

// uncertainFor returns the kinds that a truncated reason of a kind may have. Before the text names the certificate, only a request failed.
func uncertainFor(kind StopKind) []StopKind {
	if kind == StopCertificate {
		return append(slices.Clone(uncertain), StopNoRoute)
	}
	return uncertain
}

func TestStopRulesClassifyWhatAWSDocuments(t *testing.T) {
	for _, test := range documentedReasons {
		t.Run(test.reason, func(t *testing.T) {
			whole := StopCause(stopped(ecstypes.TaskStopCodeTaskFailedToStart, test.reason, -1, ""))
			require.Equal(t, test.kind, whole.Kind)
			require.Equal(t, test.permanent, whole.Permanent)
			require.Equal(t, test.reason, whole.Reason)
			inContainer := StopCause(stopped(ecstypes.TaskStopCodeTaskFailedToStart, "Task failed to start", -1, test.reason))
			require.Equal(t, test.kind, inContainer.Kind)
			// ECS truncates wherever its limit is, also in the middle of a word, and may append dots.
			for n := 12; n < len(test.reason); n++ {
				for _, end := range []string{"", "..."} {
					text := test.reason[:n] + end
					cut := StopCause(stopped(ecstypes.TaskStopCodeTaskFailedToStart, text, -1, ""))
					if cut.Kind != test.kind {
						require.Contains(t, uncertainFor(test.kind), cut.Kind, text)
						require.False(t, cut.Permanent, text)
					}
					require.False(t, cut.Permanent && !test.permanent, text)
				}
			}
		})
	}
}

// Truncated after 120 characters, and in the middle of a word, what is left must still be recognised.
func TestStopRulesClassifyTruncatedReasons(t *testing.T) {
	for text, want := range map[string]StopKind{
		noSecrets + "unable to retrieve secrets from ssm: service call has been retried 5 time(s): RequestCanceled: request context canceled caused by: context deadli...": StopNoRoute,
		noSecrets + "unable to retrieve ecr registry auth: service call has been retried 1 time(s): RequestError: send request failed caused by: Post https://api.e":       StopNoRoute,
		pullRetried + "public.ecr.aws/x/y:1: 429 Too Many Re":                      StopImagePull,
		"CannotPullContainerError: failed to extract layer: no space left on d...": StopDisk,
		fromASM + "retrieved secret from Secrets Manager did not contain json k":   StopMissingSecret,
		fromASM + "invalid charac":     StopInvalidSecret,
		fromASM[:120]:                  StopInitialization,
		(pullRetried + ourImage)[:120]: StopImagePull,
		"ECS is performing maintenance on the underlying infrastructure hosting the task."[:30]: StopInfrastructure,
	} {
		got := StopCause(stopped(ecstypes.TaskStopCodeTaskFailedToStart, text, -1, ""))
		require.Equal(t, want, got.Kind, text)
		require.NotEmpty(t, got.Message)
	}
	unnamed := StopCause(stopped("", fromASM+"retrieved secret from Secrets Manager did not contain json key", -1, ""))
	require.Equal(t, "the secret lacks a key, which ECS's truncated reason does not name", unnamed.Message)
	require.Equal(t, "secrets check", unnamed.Hint.Command)
}

func TestEveryStopRuleIsComplete(t *testing.T) {
	for _, rule := range slices.Concat(stopRules, generalStopRules) {
		require.NotEmpty(t, rule.phrases)
		require.NotEmpty(t, rule.message)
		require.Regexp(t, "^https://", rule.source)
		if rule.kind != StopExpected {
			require.NotEmpty(t, rule.hint.Cause, rule.message)
			require.NotEmpty(t, rule.hint.Solution, rule.message)
		}
	}
}

func TestStopCodes(t *testing.T) {
	spot := StopCause(stopped(ecstypes.TaskStopCodeSpotInterruption, "", 143, ""))
	require.Equal(t, StopInterrupted, spot.Kind)
	require.False(t, spot.Permanent)
	notice := StopCause(stopped(ecstypes.TaskStopCodeTerminationNotice, "", 143, ""))
	require.Equal(t, StopInfrastructure, notice.Kind)
	require.Equal(t, StopInterrupted, StopCause(stopped(ecstypes.TaskStopCodeTerminationNotice, "Your Spot Task was interrupted.", 143, "")).Kind)
}

// Events of a service that cannot start tasks are found among all events of a deployment, until tasks are started.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
// Source: https://github.com/pulumi/pulumi-awsx/issues/927
func TestLaunchFailure(t *testing.T) {
	const (
		role = "(service api) failed to launch a task with (error ECS was unable to assume the role 'arn:aws:iam::123456789012:role/x' that was provided for this task. " +
			"Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.)."
		place     = "(service api) was unable to place a task. Reason: "
		impaired  = "(service api) is unable to consistently start tasks successfully."
		draining  = "(service api) has begun draining connections on 1 tasks."
		completed = "(service api) has reached a steady state."
		begun     = "(service api) has started 2 tasks: (task 1) (task 2)."
	)
	for name, test := range map[string]struct {
		// events are from the oldest, a minute apart; the deployment began at the second.
		events []string
		want   StopKind
	}{
		"none":                        {nil, ""},
		"nothing of that":             {[]string{draining, completed}, ""},
		"the role":                    {[]string{draining, role}, StopRole},
		"the role, and later events":  {[]string{draining, role, impaired, draining}, StopRole},
		"the role, before":            {[]string{role, draining}, ""},
		"the role, then tasks":        {[]string{draining, role, begun, draining}, ""},
		"no capacity":                 {[]string{draining, place + "Capacity is unavailable at this time. Please try again later or in a different availability zone."}, StopCapacity},
		"vCPUs":                       {[]string{draining, place + "You've reached the limit on the number of vCPUs you can run concurrently."}, StopQuota},
		"tasks":                       {[]string{draining, place + "You've reached the limit on the number of tasks you can run concurrently."}, StopQuota},
		"the size":                    {[]string{draining, place + "The requested CPU configuration is above your limit."}, StopQuota},
		"internal":                    {[]string{draining, place + "Internal error."}, StopInfrastructure},
		"addresses":                   {[]string{draining, place + "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment disabled in subnet 'subnet-1': InsufficientFreeAddressesInSubnet."}, StopNoAddress},
		"throttled":                   {[]string{draining, "(service api) operations are being throttled. Will try again later."}, StopThrottled},
		"targets":                     {[]string{draining, "(service api) failed to register targets in (target-group x) with (error The target group does not exist)"}, StopTargets},
		"impaired":                    {[]string{draining, impaired}, ""},
		"new words":                   {[]string{draining, place + "Something new."}, StopOther},
		"the cause before the latest": {[]string{draining, place + "Internal error.", place + "Something new."}, StopInfrastructure},
	} {
		t.Run(name, func(t *testing.T) {
			at := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
			var events []ecstypes.ServiceEvent
			for i, message := range test.events {
				// ECS lists the newest first.
				events = append([]ecstypes.ServiceEvent{{Message: aws.String(message), CreatedAt: aws.Time(at.Add(time.Duration(i) * time.Minute))}}, events...)
			}
			cause, failing := LaunchFailure(events, at.Add(time.Minute))
			require.Equal(t, test.want != "", failing)
			require.Equal(t, test.want, cause.Kind)
			require.False(t, cause.Permanent)
			if failing {
				require.Contains(t, test.events, cause.Reason)
				require.NotEmpty(t, cause.Hint.Solution)
			}
		})
	}
}

// What is wrong with the network interface is known from the event, too.
func TestLaunchFailureNamesWhatIsWrongWithTheNetworkInterface(t *testing.T) {
	for reason, want := range map[string]string{
		"InvalidSubnetID.NotFound":        "the service's subnet or security group does not exist",
		"InvalidSecurityGroupID.NotFound": "the service's subnet or security group does not exist",
		"UnauthorizedOperation":           "ECS may not create the task's network interface",
		"SomethingNew":                    "ECS cannot create the task's network interface",
	} {
		cause, failing := LaunchFailure([]ecstypes.ServiceEvent{{Message: aws.String("(service api) was unable to place a task. Reason: " + createENI + reason + ".")}}, time.Time{})
		require.True(t, failing)
		require.Equal(t, want, cause.Message)
		require.Equal(t, reason != "SomethingNew", cause.Permanent)
	}
}

// A message must name what failed: of one kind, several things can.
func TestStopRulesNameWhatFailed(t *testing.T) {
	for reason, want := range map[string]string{
		fromLogger + "AccessDeniedException: User is not authorized to perform: logs:CreateLogStream on resource: x": "the execution role may not write logs",
		fromASM + "DecryptionFailure: Secrets Manager can't decrypt the secret":                                      "the KMS key of the secret cannot be used",
		fromASM + "AccessDeniedException: User is not authorized to perform: secretsmanager:GetSecretValue":          "the execution role may not fetch what the task needs",
		fromASM + "InternalServiceError: An error occurred on the server side.":                                      "an AWS service that prepares the task reports an error of its own",
		"CannotPullContainerError: failed to register layer: open /x: permission denied":                             "a layer of the image cannot be unpacked",
		"CannotPullContainerError: error parsing HTTP 403 response body: invalid character '<'":                      "the registry does not answer as it should",
		"CannotPullContainerError: unsupported media type application/vnd.in-toto+json":                              "the image has a format that ECS does not run",
		"CannotPullContainerError: failed to unpack image on snapshotter overlayfs: unexpected media type text/html for sha256:1: not found": "the registry " +
			"does not answer as it should",
		"ResourceInitializationError: failed to validate logger args: an unknown failure": "the logs of the container cannot be set up",
		"Timeout waiting for EphemeralStorage provisioning to complete.":                  "the task's ephemeral storage was not ready in time",
		"Timeout waiting for network interface provisioning to complete.":                 "the task's network interface was not ready in time",
		createENI + "SomethingNew": "ECS cannot create the task's network interface",
		"CannotStartContainerError: unable to find user bun: no matching entries in passwd file": "the image has no such user",
		startTask + "context deadline exceeded: unknown":                                         "the container cannot be started",
	} {
		require.Equal(t, want, StopCause(stopped(ecstypes.TaskStopCodeTaskFailedToStart, reason, -1, "")).Message, reason)
	}
}

// The essential container decides, whatever the order in the answer.
// Source: https://github.com/kayac/ecspresso/pull/105
func TestTheContainerThatEndedTheTaskDecides(t *testing.T) {
	container := func(name string, code int32, reason string) ecstypes.Container {
		c := ecstypes.Container{Name: &name, ExitCode: &code}
		if reason != "" {
			c.Reason = &reason
		}
		return c
	}
	for name, test := range map[string]struct {
		containers []ecstypes.Container
		container  string
		message    string
	}{
		"a sidecar that was killed":       {[]ecstypes.Container{container("xray-daemon", 137, ""), container("balancer-api", 1, "")}, "balancer-api", "exit code 1 (application error)"},
		"a sidecar that ended before":     {[]ecstypes.Container{container("aws-otel-collector", 1, ""), container("balancer-worker", 78, "")}, "balancer-worker", "exit code 78 (the configuration is not complete)"},
		"a sidecar out of memory":         {[]ecstypes.Container{container("aws-otel-collector", 137, "OutOfMemoryError: Container killed due to memory usage"), container("balancer-api", 1, "")}, "balancer-api", "exit code 1 (application error)"},
		"the application completed":       {[]ecstypes.Container{container("aws-otel-collector", 137, ""), container("balancer-api", 0, "")}, "balancer-api", "the container exited with code 0"},
		"the application out of memory":   {[]ecstypes.Container{container("balancer-api", 137, "OutOfMemoryError: Container killed due to memory usage"), container("aws-otel-collector", 0, "")}, "balancer-api", "the container ran out of memory"},
		"containers of others":            {[]ecstypes.Container{container("proxy", 143, ""), container("side", 0, ""), container("app", 3, "")}, "app", "exit code 3 (application error)"},
		"containers of others, killed":    {[]ecstypes.Container{container("side", 0, ""), container("app", 137, "")}, "app", "exit code 137 (killed)"},
		"containers of others, completed": {[]ecstypes.Container{container("app", 0, "")}, "app", "the container exited with code 0"},
	} {
		t.Run(name, func(t *testing.T) {
			task := ecstypes.Task{
				StopCode: ecstypes.TaskStopCodeEssentialContainerExited, StoppedReason: aws.String("Essential container in task exited"), Containers: test.containers,
			}
			for range 2 {
				got := StopCause(task)
				require.Equal(t, test.container, got.Container)
				require.Equal(t, test.message, got.Message)
				last := len(task.Containers) - 1
				task.Containers[0], task.Containers[last] = task.Containers[last], task.Containers[0]
			}
		})
	}
}

// A cause outside the image stays with any image; one that the image, its code or its task's size may have does not.
func TestCausesOutsideTheImage(t *testing.T) {
	outside := []StopKind{
		StopMissingSecret, StopInvalidSecret, StopThrottled, StopNoRoute, StopAccessDenied, StopRole, StopLogGroup, StopQuota, StopNoAddress, StopCapacity,
		StopTargets, StopInterrupted, StopInfrastructure, StopNetwork, StopInitialization, StopCertificate,
	}
	pulls := []string{"the registry limits the pulls of the image", unexpectedAnswer}
	for _, rule := range slices.Concat(stopRules, generalStopRules) {
		want := slices.Contains(outside, rule.kind) || slices.Contains(pulls, rule.message)
		require.Equal(t, want, rule.anyImage, rule.message)
		require.Equal(t, want, rule.apply(Stop{}, nil).AnyImage, rule.message)
	}
	for code, want := range map[int32]bool{1: false, 75: true, 78: false, 137: false} {
		stop := StopCause(ecstypes.Task{Containers: []ecstypes.Container{{Name: aws.String("balancer-api"), ExitCode: aws.Int32(code)}}})
		require.Equal(t, want, stop.AnyImage, code)
	}
}

// The hint about an image for another platform names that of the environment's tasks.
func TestHintsNameThePlatform(t *testing.T) {
	env := loaded(t, "dev")
	for architecture, platform := range map[environment.Architecture]string{environment.X86: "linux/amd64", environment.ARM64: "linux/arm64"} {
		env.Image.Architecture = architecture
		for _, reason := range []string{
			"CannotPullContainerError: image Manifest does not contain descriptor matching platform '" + platform + "'",
			"CannotPullContainerError: failed to unpack image: unsupported media type application/vnd.in-toto+json",
		} {
			hint := StopHint(env, StopCause(stopped(ecstypes.TaskStopCodeTaskFailedToStart, reason, -1, "")))
			require.Contains(t, hint.Solution, "--platform "+platform+"`")
		}
	}
	for _, rule := range slices.Concat(stopRules, generalStopRules) {
		require.NotContains(t, StopHint(env, Stop{Hint: rule.hint}).Solution, platformPlaceholder)
	}
}

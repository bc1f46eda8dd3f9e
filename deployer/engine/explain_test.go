package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Recorded output of engines on standard error.
const (
	stderrLocked = "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`.\n" +
		"  s3://v3-backend-pulumi-state-123456789012/.pulumi/locks/organization/v3-backend/dev/6899e97b.json?no_tmp_dir=true: created by ci runner@host-1 (pid 3545) at 2026-11-23T16:45:26Z\n"
	stderrService   = "error: [409] Conflict: Another update is currently in progress.\n"
	stderrNoStack   = "error: no stack named 'dev' found\n"
	stderrNoPhrase  = "error: getting stack configuration: get stack secrets manager: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables\n"
	stderrWrong     = "error: getting stack configuration: get stack secrets manager: incorrect passphrase\n"
	stderrTruncated = "error: failed to load checkpoint: place 1: unexpected end of JSON input\n"
	stderrForeign   = "error: failed to load checkpoint: unsupported checkpoint version 99\n"
	stderrIntegrity = "error: The Pulumi CLI encountered a snapshot integrity error. This is a bug!\n================\n" +
		"Env Vars:          PULUMI_SKIP_UPDATE_CHECK=true\n" +
		"Error:             snapshot integrity failure; refusing to use it: child resource urn:a refers to missing parent urn:b\n" +
		"Stack Trace:\n\ngoroutine 1 [running]:\nruntime/debug.Stack()\n"
	stderrRefused = `error: read ".pulumi/meta.yaml": blob (key ".pulumi/meta.yaml") (code=Unknown): operation error S3: GetObject, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , HostID: , request send failed, Get "http://127.0.0.1:9/": dial tcp 127.0.0.1:9: connect: connection refused` + "\n"
	stderrLogin   = "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions\n"
)

func TestExplain(t *testing.T) {
	h := &Handle{stack: Stack{Name: "dev", BackendURL: "s3://user:hush@bucket"}}
	since := time.Date(2026, 11, 23, 16, 45, 26, 0, time.UTC)
	for name, c := range map[string]struct {
		stderr string
		code   int
		want   error
	}{
		"locked": {stderrLocked, 1, &ConcurrentUpdateError{Stack: "dev", Holders: []Holder{{
			User: "ci runner", Host: "host-1", PID: 3545, Since: since,
			Lock: "s3://v3-backend-pulumi-state-123456789012/.pulumi/locks/organization/v3-backend/dev/6899e97b.json",
		}}}},
		"locked by a service": {stderrService, 1, &ConcurrentUpdateError{Stack: "dev"}},
		"no stack":            {stderrNoStack, 1, &NoStackError{Stack: "dev"}},
		"no stack, by code":   {"", 6, &NoStackError{Stack: "dev"}},
		"no passphrase":       {stderrNoPhrase, 1, &PassphraseError{Stack: "dev", Missing: true}},
		"another passphrase":  {stderrWrong, 1, &PassphraseError{Stack: "dev"}},
		"truncated state":     {stderrTruncated, 1, &StateError{Stack: "dev", Reason: "it is empty or truncated (unexpected end of JSON input)"}},
		"foreign state": {stderrForeign, 1, &StateError{Stack: "dev", Reason: "unsupported checkpoint version 99",
			OtherVersion: true}},
		"inconsistent state": {stderrIntegrity, 1, &StateError{Stack: "dev",
			Reason: "child resource urn:a refers to missing parent urn:b"}},
		"backend away": {stderrRefused, 1, &BackendError{URL: "s3://user:xxxxx@bucket",
			Reason: `operation error S3: GetObject, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , HostID: , request send failed, Get "http://127.0.0.1:9/": dial tcp 127.0.0.1:9: connect: connection refused`}},
		"not logged in": {stderrLogin, 3, &BackendError{URL: "s3://user:xxxxx@bucket",
			Reason: "PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions"}},
		"something else": {"error: unknown flag: --nonsense\n", 1, &FailedError{Failure{Run: "up",
			Resources: []ResourceError{{Message: "unknown flag: --nonsense"}}}}},
		"killed": {"", -1, &FailedError{Failure{Run: "up",
			Resources: []ResourceError{{Message: "the engine ended early: signal: killed"}}, Killed: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			run := &process{stderr: c.stderr, code: c.code, failure: "signal: killed"}
			err := h.explain(t.Context(), errors.New("exit status 1"), run, Failure{Run: "up"})
			require.Equal(t, c.want, err)
			hint, hinted := err.(interface{ Hint() string })
			require.True(t, hinted)
			require.NotEmpty(t, hint.Hint())
			require.NotContains(t, err.Error(), "hush")
		})
	}
}

func TestInterruptionPrecedesOtherErrors(t *testing.T) {
	ctx, interrupt := context.WithCancelCause(t.Context())
	interrupt(errors.New("SIGTERM"))
	left := []Pending{{Type: "aws:rds/instance:Instance", Name: "database", Op: "creating"}}
	err := (&Handle{}).explain(ctx, errors.New("exit status 1"), &process{}, Failure{Run: "up",
		Summary: Summary{Changes: map[string]int{"create": 3, "same": 2}}, Pending: left})
	require.EqualError(t, err, "up: SIGTERM, after 3 changes")
	require.Equal(t, "the outcome of aws:rds/instance:Instance database (creating) is unknown: run the same command again; it checks the account and continues from there",
		err.(*InterruptedError).Hint())
}

// TestFailureOfExistingResources reads what AWS and the provider report about a resource that exists already.
// Source: the errors of the operations in AWS's API references, and the provider's own, which it reports before it creates a load balancer,
// a target group or, in us-east-1, a bucket.
func TestFailureOfExistingResources(t *testing.T) {
	const call = ", https response error StatusCode: 400, RequestID: 9e5c, "
	for typ, message := range map[string]string{
		"aws:iam/role:Role": "creating IAM Role (r): operation error IAM: CreateRole" + call + "EntityAlreadyExists: Role with name r already exists.",
		"aws:iam/openIdConnectProvider:OpenIdConnectProvider": "creating IAM OIDC Provider: operation error IAM: CreateOpenIDConnectProvider" + call +
			"EntityAlreadyExists: Provider with url https://token.actions.githubusercontent.com already exists.",
		"aws:cloudwatch/logGroup:LogGroup": "creating CloudWatch Logs Log Group (/aws/ecs/x): operation error CloudWatch Logs: CreateLogGroup" + call +
			"ResourceAlreadyExistsException: The specified log group already exists",
		"aws:secretsmanager/secret:Secret": "creating Secrets Manager Secret (s): operation error Secrets Manager: CreateSecret" + call +
			"ResourceExistsException: The operation failed because the secret s already exists.",
		"aws:s3/bucketV2:BucketV2": "creating S3 Bucket (b): operation error S3: CreateBucket" + call +
			"BucketAlreadyOwnedByYou: Your previous request to create the named bucket succeeded and you already own it.",
		"aws:s3/bucketV2:BucketV2 in us-east-1": "creating S3 Bucket (b): BucketAlreadyExists",
		"aws:sqs/queue:Queue": "creating SQS Queue (q): operation error SQS: CreateQueue" + call +
			"QueueAlreadyExists: A queue already exists with the same name and a different value for attribute VisibilityTimeout",
		"aws:ecr/repository:Repository": "creating ECR Repository (x): operation error ECR: CreateRepository" + call +
			"RepositoryAlreadyExistsException: The repository with name 'x' already exists in the registry with id '1'",
		"aws:route53/record:Record": "creating Route53 Record: operation error Route 53: ChangeResourceRecordSets" + call + "InvalidChangeBatch: " +
			"[Tried to create resource record set [name='api.example.com.', type='A'] but it already exists]",
		"aws:rds/instance:Instance":             "creating RDS DB Instance (d): operation error RDS: CreateDBInstance" + call + "DBInstanceAlreadyExists: DB instance already exists",
		"aws:rds/subnetGroup:SubnetGroup":       "operation error RDS: CreateDBSubnetGroup" + call + "DBSubnetGroupAlreadyExists: The DB subnet group 'd' already exists.",
		"aws:rds/parameterGroup:ParameterGroup": "operation error RDS: CreateDBParameterGroup" + call + "DBParameterGroupAlreadyExists: Parameter group d already exists",
		"aws:lb/loadBalancer:LoadBalancer":      "ELBv2 Load Balancer (v3-backend-staging-alb) already exists",
		"aws:lb/targetGroup:TargetGroup":        "operation error Elastic Load Balancing v2: CreateTargetGroup" + call + "DuplicateTargetGroupName: A target group with the same name exists",
		"aws:lb/listener:Listener":              "operation error Elastic Load Balancing v2: CreateListener" + call + "DuplicateListener: A listener already exists on this port for this load balancer",
		"aws:ec2/securityGroup:SecurityGroup":   "operation error EC2: CreateSecurityGroup" + call + "api error InvalidGroup.Duplicate: The security group 'g' already exists for VPC 'v'",
		"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "operation error EC2: AuthorizeSecurityGroupEgress" + call +
			"api error InvalidPermission.Duplicate: the specified rule \"peer: 0.0.0.0/0, ALL, ALLOW\" already exists",
		"aws:ec2/route:Route":     "operation error EC2: CreateRoute" + call + "api error RouteAlreadyExists: The route identified by 0.0.0.0/0 already exists.",
		"aws:ecs/service:Service": "operation error ECS: CreateService" + call + "InvalidParameterException: Creation of service was not idempotent.",
		"aws:budgets/budget:Budget": "operation error Budgets: CreateBudget" + call +
			"DuplicateRecordException: Error creating budget: b - the budget already exists.",
		"aws:wafv2/webAcl:WebAcl": "operation error WAFV2: CreateWebACL" + call + "WAFDuplicateItemException: AWS WAF couldn't perform the operation " +
			"because some resource in your request is a duplicate of an existing one.",
		"aws:xray/samplingRule:SamplingRule": "operation error XRay: CreateSamplingRule" + call + "InvalidRequestException: Sampling rule already exists",
		"aws:sfn/stateMachine:StateMachine":  "operation error SFN: CreateStateMachine" + call + "StateMachineAlreadyExists: State Machine Already Exists: 'x'",
	} {
		typ, _, _ = strings.Cut(typ, " ")
		err := &FailedError{Failure{Run: "up", Resources: []ResourceError{{URN: urnOne, Type: typ, Name: "one", Message: message}}}}
		require.Equal(t, ShortType(typ)+" one exists in the account and not in the state: `deployer import --env dev --take` imports it; "+
			"then run the same command again", err.Hint(), message)
	}
	for _, message := range []string{
		"BucketNotEmpty: The bucket you tried to delete is not empty",
		"creating S3 Bucket (b): operation error S3: CreateBucket" + call + "BucketAlreadyExists: The requested bucket name is not available. " +
			"The bucket namespace is shared by all users of the system.", // another account's, which nothing can import
		"deleting RDS DB Instance (d): operation error RDS: DeleteDBInstance" + call + "DBSnapshotAlreadyExists: Cannot create the snapshot " +
			"because a snapshot with the identifier d-final already exists.",
		"InvalidParameterException: Duplicate tag keys found", "LimitExceeded: Cannot exceed quota for RolesPerAccount: 1000",
	} {
		err := &FailedError{Failure{Run: "up", Resources: []ResourceError{{URN: urnOne, Type: "aws:s3/bucketV2:BucketV2", Name: "one", Message: message}}}}
		require.NotContains(t, err.Hint(), "import", message)
	}
	several := &FailedError{Failure{Run: "up", Resources: []ResourceError{
		{URN: urnOne, Type: "aws:iam/role:Role", Name: "one", Message: "EntityAlreadyExists"}, {Message: "no credentials already exists"},
		{URN: urnOne, Type: "aws:cloudwatch/logGroup:LogGroup", Name: "two", Message: "ResourceAlreadyExistsException"},
	}}}
	require.Equal(t, "iam/role one and cloudwatch/logGroup two exist in the account and not in the state: `deployer import --env dev --take` imports them; "+
		"then run the same command again", several.Hint())
}

func TestFailureListsItsResources(t *testing.T) {
	err := &FailedError{Failure{Run: "destroy", Resources: []ResourceError{
		{URN: urnOne, Type: "aws:s3/bucketV2:BucketV2", Name: "logs", Message: "BucketNotEmpty"}, {Message: "no credentials"},
	}}}
	require.EqualError(t, err, "destroy: aws:s3/bucketV2:BucketV2 logs: BucketNotEmpty; no credentials")
}

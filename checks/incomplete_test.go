package checks

import (
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	budgettypes "github.com/aws/aws-sdk-go-v2/service/budgets/types"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// incomplete requires the finding about a complete answer to be healthy, and each about one that lacks a field to be unknown.
func incomplete[T any](t *testing.T, name string, answer T, evaluate func(*T) Finding, fields ...string) {
	t.Helper()
	require.Equal(t, Healthy, evaluate(&answer).Status, "%s: %s", name, evaluate(&answer).Message)
	for _, field := range fields {
		t.Run(name+" without "+field, func(t *testing.T) {
			lacking := answer
			reflect.ValueOf(&lacking).Elem().FieldByName(field).SetZero()
			found := evaluate(&lacking)
			require.Equal(t, Unknown, found.Status, found.Message)
			require.NotEmpty(t, found.Reason)
			require.Contains(t, found.Hint.Cause, "the answer of ")
		})
	}
}

// What AWS's answer lacks is unknown: neither wrong, nor healthy.
func TestIncompleteAnswers(t *testing.T) {
	env := loaded(t, "dev")
	now := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	full := loaded(t, "production")

	incomplete(t, "load balancer", *balancerIn(elbtypes.LoadBalancerStateEnumActive, 2), func(b *elbtypes.LoadBalancer) Finding {
		return evaluateBalancer(b, nil, env)
	}, "State", "Scheme")
	incomplete(t, "redirect", listener(80, elbtypes.ProtocolEnumHttp, "", redirectTo("HTTPS")), func(l *elbtypes.Listener) Finding {
		return evaluateHTTP([]elbtypes.Listener{*l}, env)
	}, "DefaultActions")
	incomplete(t, "listener", listener(443, elbtypes.ProtocolEnumHttps, "ELBSecurityPolicy-TLS13-1-2-2021-06", forward), func(l *elbtypes.Listener) Finding {
		return evaluateHTTPS([]elbtypes.Listener{*l}, env)
	}, "Protocol", "SslPolicy", "DefaultActions")
	incomplete(t, "database", *instance(nil), func(d *rdstypes.DBInstance) Finding { return evaluateDatabase(d, nil, nil, env) },
		"DBInstanceStatus", "StorageEncrypted", "PubliclyAccessible")
	incomplete(t, "backups", *instance(func(d *rdstypes.DBInstance) { d.LatestRestorableTime, d.InstanceCreateTime = nil, nil }),
		func(d *rdstypes.DBInstance) Finding { return evaluateBackups(d, nil, env, now) }, "BackupRetentionPeriod")
	incomplete(t, "VPC", ec2types.Vpc{State: ec2types.VpcStateAvailable, CidrBlock: &env.Network.CIDR}, func(v *ec2types.Vpc) Finding {
		return evaluateVPC(v, env)
	}, "State", "CidrBlock")
	subnet := ec2types.Subnet{State: ec2types.SubnetStateAvailable, AvailabilityZone: aws.String("us-east-1a"), AvailableIpAddressCount: aws.Int32(99)}
	other := subnet
	other.AvailabilityZone = aws.String("us-east-1b")
	incomplete(t, "subnet", subnet, func(s *ec2types.Subnet) Finding { return evaluateSubnets("private", []ec2types.Subnet{*s, other}, env) },
		"State", "AvailabilityZone", "AvailableIpAddressCount")
	gateway := *env
	gateway.Network.NAT = environment.NATSingle
	incomplete(t, "NAT gateway", ec2types.NatGateway{State: ec2types.NatGatewayStateAvailable}, func(g *ec2types.NatGateway) Finding {
		return evaluateNAT([]ec2types.NatGateway{*g}, &gateway)
	}, "State")
	incomplete(t, "bucket", bucket{encryption: aws.String("AES256"), blocked: aws.Bool(true)}, func(b *bucket) Finding {
		return evaluateBucket(&bucket{b.encryption, b.blocked}, env)
	})
	incomplete(t, "role", iamtypes.Role{AssumeRolePolicyDocument: aws.String(`{"Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"}}]}`)},
		func(r *iamtypes.Role) Finding { return evaluateRole("r", r, env) }, "AssumeRolePolicyDocument")
	incomplete(t, "certificate", acmtypes.CertificateDetail{
		Status: acmtypes.CertificateStatusIssued, NotAfter: aws.Time(now.Add(90 * day)), DomainName: &env.Domain.Name, SubjectAlternativeNames: []string{env.Domain.Name},
	}, func(c *acmtypes.CertificateDetail) Finding { return evaluateCertificate(c, validation{}, env, now) }, "Status", "NotAfter")
	incomplete(t, "repository", ecrtypes.Repository{ImageScanningConfiguration: &ecrtypes.ImageScanningConfiguration{ScanOnPush: true}},
		func(r *ecrtypes.Repository) Finding { return evaluateRepository(r, env) }, "ImageScanningConfiguration")
	incomplete(t, "budget", budgettypes.Budget{BudgetLimit: &budgettypes.Spend{Amount: aws.String("50")}}, func(b *budgettypes.Budget) Finding {
		return evaluateBudget(b, env)
	}, "BudgetLimit")
	incomplete(t, "cluster", ecstypes.Cluster{Status: aws.String("ACTIVE")}, func(c *ecstypes.Cluster) Finding { return evaluateCluster(c, env) }, "Status")
	incomplete(t, "service", ecstypes.Service{Status: aws.String("ACTIVE"), DesiredCount: 1, RunningCount: 1}, func(s *ecstypes.Service) Finding {
		return evaluateService(*s, stops{}, env, now)
	}, "Status")
	api := full.Services.API
	id := scalableID(full, environment.API)
	incomplete(t, "scalable target", scalingtypes.ScalableTarget{
		ResourceId: &id, MinCapacity: aws.Int32(int32(api.Tasks.Min)), MaxCapacity: aws.Int32(int32(api.Tasks.Max)),
	}, func(s *scalingtypes.ScalableTarget) Finding {
		return evaluateScaling(api, scalingState{targets: []scalingtypes.ScalableTarget{*s}, policies: []scalingtypes.ScalingPolicy{{ResourceId: &id}}}, api.Tasks.Min, full)
	}, "MinCapacity", "MaxCapacity")

	protected := *env
	protected.Protected = true
	first := env.AlarmsIn(env.Region)[0]
	incomplete(t, "alarm", cwtypes.MetricAlarm{StateValue: cwtypes.StateValueOk, ActionsEnabled: aws.Bool(true)}, func(a *cwtypes.MetricAlarm) Finding {
		var alarms []cwtypes.MetricAlarm
		for _, region := range env.AlarmRegions() {
			for _, what := range env.AlarmsIn(region) {
				alarm := cwtypes.MetricAlarm{StateValue: cwtypes.StateValueOk, ActionsEnabled: aws.Bool(true)}
				if what == first {
					alarm = *a
				}
				alarm.AlarmName = aws.String(env.AlarmName(what))
				alarms = append(alarms, alarm)
			}
		}
		return evaluateAlarms(foundAlarms{metric: alarms}, &protected, now)
	}, "StateValue", "ActionsEnabled")
}

func TestIncompleteQueue(t *testing.T) {
	env := loaded(t, "dev")
	attributes := func() queue {
		return queue{"ApproximateNumberOfMessages": "0", "SqsManagedSseEnabled": "true",
			"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:` + env.DeadLetterQueueName() + `","maxReceiveCount":3}`}
	}
	require.Equal(t, Healthy, evaluateQueue(attributes(), nil, env).Status)
	require.Equal(t, Healthy, evaluateDeadLetters(attributes(), env).Status)
	for _, attribute := range []string{"ApproximateNumberOfMessages", "SqsManagedSseEnabled"} {
		lacking := attributes()
		delete(lacking, attribute)
		require.Equal(t, Unknown, evaluateQueue(lacking, nil, env).Status, attribute)
		require.Equal(t, Unknown, evaluateDeadLetters(lacking, env).Status, attribute)
	}
	withKey := attributes()
	delete(withKey, "SqsManagedSseEnabled")
	withKey["KmsMasterKeyId"] = "alias/k"
	require.Equal(t, Healthy, evaluateQueue(withKey, nil, env).Status)
}

func TestIncompleteBucket(t *testing.T) {
	on, off := aws.Bool(true), aws.Bool(false)
	for name, test := range map[string]struct {
		access *s3types.PublicAccessBlockConfiguration
		want   *bool
	}{
		"all on":               {&s3types.PublicAccessBlockConfiguration{BlockPublicAcls: on, BlockPublicPolicy: on, IgnorePublicAcls: on, RestrictPublicBuckets: on}, on},
		"one off":              {&s3types.PublicAccessBlockConfiguration{BlockPublicAcls: on, BlockPublicPolicy: off, IgnorePublicAcls: on, RestrictPublicBuckets: on}, off},
		"one off, one missing": {&s3types.PublicAccessBlockConfiguration{BlockPublicPolicy: off, IgnorePublicAcls: on, RestrictPublicBuckets: on}, off},
		"one missing":          {&s3types.PublicAccessBlockConfiguration{BlockPublicAcls: on, IgnorePublicAcls: on, RestrictPublicBuckets: on}, nil},
		"no configuration":     {nil, nil},
	} {
		require.Equal(t, test.want, allBlocked(test.access), name)
	}
	require.Nil(t, algorithmOf(nil))
	env := loaded(t, "dev")
	for _, found := range []bucket{{blocked: on}, {encryption: aws.String("AES256")}} {
		require.Equal(t, Unknown, evaluateBucket(&found, env).Status)
	}
	require.Equal(t, "PublicAccessPossible", evaluateBucket(&bucket{blocked: off}, env).Reason, "what is known is wrong")
	require.Equal(t, "NotEncrypted", evaluateBucket(&bucket{encryption: aws.String("")}, env).Reason)
}

// A value that is missing does not hide one that differs, and one that differs does not hide the missing one.
func TestIncompleteCompliance(t *testing.T) {
	env := loaded(t, "dev")
	complete := func() *rdstypes.DBInstance {
		return instance(func(d *rdstypes.DBInstance) {
			d.MultiAZ, d.DeletionProtection, d.PerformanceInsightsEnabled = aws.Bool(false), aws.Bool(false), aws.Bool(env.Database.PerformanceInsights)
		})
	}
	require.Equal(t, Healthy, evaluateCompliance("database", databaseRules(complete(), env), env).Status)
	for field, what := range map[string]string{
		"DBInstanceClass": "database.instanceClass", "EngineVersion": "database.engineVersion", "MultiAZ": "database.multiZone",
		"BackupRetentionPeriod": "database.backupDays", "DeletionProtection": "database.deletionProtection",
		"PerformanceInsightsEnabled": "database.performanceInsights", "StorageEncrypted": "encryption of the database",
		"PubliclyAccessible": "public address of the database",
	} {
		lacking := complete()
		reflect.ValueOf(lacking).Elem().FieldByName(field).SetZero()
		found := evaluateCompliance("database", databaseRules(lacking, env), env)
		requireVerdict(t, verdict{Unknown, "ValuesUnknown", what}, found)
		require.Equal(t, []string{what}, found.Details["unknown"], field)
	}
	both := complete()
	both.StorageEncrypted, both.PubliclyAccessible = nil, aws.Bool(true)
	found := evaluateCompliance("database", databaseRules(both, env), env)
	requireVerdict(t, verdict{Error, "DiffersFromFile", "public address of the database is true and should be false"}, found)
	require.Equal(t, []string{"encryption of the database"}, found.Details["unknown"])

	unknown := evaluateCompliance("https", httpsRules([]elbtypes.Listener{{Port: aws.Int32(80)}, {Port: aws.Int32(443)}}, env), env)
	requireVerdict(t, verdict{Unknown, "ValuesUnknown", "redirect from HTTP to HTTPS"}, unknown)
	definition := &ecstypes.TaskDefinition{}
	service := ecstypes.Service{DesiredCount: 1, EnableExecuteCommand: env.Services.ExecuteCommand}
	requireVerdict(t, verdict{Unknown, "ValuesUnknown", "services.api.cpu"},
		evaluateCompliance("services", serviceRulesOf(env.Services.API, service, definition, env), env))
}

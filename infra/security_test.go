package infra

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// untaggable reports whether AWS supports no tags for a type.
func untaggable(typ string) bool {
	return slices.Contains([]string{
		"pulumi:providers:aws",
		"aws:acm/certificateValidation:CertificateValidation",
		"aws:appautoscaling/policy:Policy",
		"aws:cloudwatch/dashboard:Dashboard",
		"aws:ec2/route:Route",
		"aws:ecr/lifecyclePolicy:LifecyclePolicy",
		"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
		"aws:cloudwatch/eventTarget:EventTarget",
		"aws:iam/rolePolicy:RolePolicy",
		"aws:iam/rolePolicyAttachment:RolePolicyAttachment",
		"aws:route53/record:Record",
		"aws:scheduler/schedule:Schedule", // only groups have tags
		"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
		"aws:s3/bucketOwnershipControls:BucketOwnershipControls",
		"aws:s3/bucketPolicy:BucketPolicy",
		"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
		"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
		"aws:secretsmanager/secretRotation:SecretRotation",
		"aws:sns/topicPolicy:TopicPolicy",
		"aws:sns/topicSubscription:TopicSubscription",
		"aws:sqs/queuePolicy:QueuePolicy",
		"aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
		"aws:wafv2/webAclAssociation:WebAclAssociation",
		"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
	}, typ) || strings.HasPrefix(typ, componentPrefix)
}

func TestEveryResourceIsTagged(t *testing.T) {
	requireTags := func(all []registration, want map[string]string) {
		for _, r := range all {
			if untaggable(r.typ) {
				continue
			}
			if r.typ == "aws:autoscaling/group:Group" {
				continue // its tags are a list: TestNATInstance
			}
			for key, value := range want {
				require.Equalf(t, value, r.get("tags", key), "%s of %s", key, r.urn)
			}
			require.NotEmptyf(t, r.get("tags", "Name"), "Name of %s", r.urn)
		}
	}
	for _, name := range []string{"dev", "staging", "production"} {
		env, all := deployed(t, name)
		requireTags(all, map[string]string{"Project": "v3-backend", "Environment": env.Name, "ManagedBy": "pulumi"})
	}
	_, all := sharedStack(t)
	requireTags(all, map[string]string{"Project": "v3-backend", "Environment": "shared", "ManagedBy": "pulumi"})
}

func TestNoInputHoldsASecret(t *testing.T) {
	suspicious := regexp.MustCompile(`(?i)password|secretString|postgres(ql)?://`)
	allowed := []string{"manageMasterUserPassword", "rotate"}
	for _, name := range []string{"dev", "staging", "production"} {
		_, all := deployed(t, name)
		for _, r := range all {
			inputs := maps.Clone(r.inputs)
			for _, key := range allowed {
				delete(inputs, key)
			}
			text, err := json.Marshal(inputs)
			require.NoError(t, err)
			require.NotRegexpf(t, suspicious, string(text), "inputs of %s", r.urn)
		}
	}
}

// property is one requirement: a property of a resource, in each environment.
type property struct {
	typ, name        string
	path             []any
	dev, stage, prod any
}

// everywhere returns a requirement of every environment.
func everywhere(typ, name string, want any, path ...any) property {
	return property{typ, name, path, want, want, want}
}

func TestSecurityRequirements(t *testing.T) {
	const (
		balancer = "aws:lb/loadBalancer:LoadBalancer"
		listener = "aws:lb/listener:Listener"
		target   = "aws:lb/targetGroup:TargetGroup"
		database = "aws:rds/instance:Instance"
		queue    = "aws:sqs/queue:Queue"
		access   = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
		service  = "aws:ecs/service:Service"
		task     = "aws:ecs/taskDefinition:TaskDefinition"
	)
	promises := []property{
		everywhere(balancer, "balancer", true, "dropInvalidHeaderFields"),
		everywhere(balancer, "balancer", false, "internal"),
		everywhere(balancer, "balancer", true, "accessLogs", "enabled"),
		{balancer, "balancer", []any{"enableDeletionProtection"}, false, false, true},
		everywhere(listener, "balancer-http", "HTTP_301", "defaultActions", 0, "redirect", "statusCode"),
		everywhere(listener, "balancer-http", "HTTPS", "defaultActions", 0, "redirect", "protocol"),
		everywhere(listener, "balancer-https", "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", "sslPolicy"),
		everywhere(target, "balancer-api", "/health", "healthCheck", "path"),
		everywhere(target, "balancer-api", 30.0, "deregistrationDelay"),
		everywhere(access, "access-logs", true, "blockPublicAcls"),
		everywhere(access, "access-logs", true, "blockPublicPolicy"),
		everywhere(access, "access-logs", true, "ignorePublicAcls"),
		everywhere(access, "access-logs", true, "restrictPublicBuckets"),
		{"aws:s3/bucketV2:BucketV2", "access-logs", []any{"forceDestroy"}, true, true, false},
		everywhere("aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2", "access-logs",
			"AES256", "rules", 0, "applyServerSideEncryptionByDefault", "sseAlgorithm"),
		everywhere(database, "database", true, "storageEncrypted"),
		everywhere(database, "database", true, "manageMasterUserPassword"),
		everywhere(database, "database", false, "publiclyAccessible"),
		everywhere(database, "database", "gp3", "storageType"),
		everywhere(database, "database", false, "skipFinalSnapshot"),
		everywhere(database, "database", true, "copyTagsToSnapshot"),
		everywhere(database, "database", true, "autoMinorVersionUpgrade"),
		everywhere(database, "database", "open-source-rds-extended-support-disabled", "engineLifecycleSupport"),
		everywhere(database, "database", "groups-database-id", "vpcSecurityGroupIds", 0),
		{database, "database", []any{"multiAz"}, false, false, true},
		{database, "database", []any{"deletionProtection"}, false, false, true},
		{database, "database", []any{"performanceInsightsEnabled"}, false, false, true},
		{database, "database", []any{"backupRetentionPeriod"}, 1.0, 7.0, 30.0},
		{database, "database", []any{"instanceClass"}, "db.t3.micro", "db.t3.small", "db.t3.medium"},
		{database, "database", []any{"applyImmediately"}, true, true, false},
		everywhere("aws:rds/parameterGroup:ParameterGroup", "database", "rds.force_ssl", "parameters", 0, "name"),
		everywhere("aws:rds/parameterGroup:ParameterGroup", "database", "1", "parameters", 0, "value"),
		everywhere("aws:secretsmanager/secretRotation:SecretRotation", "database", databaseSecret, "secretId"),
		everywhere("aws:secretsmanager/secretRotation:SecretRotation", "database", 30.0, "rotationRules", "automaticallyAfterDays"),
		everywhere(queue, "queue", true, "sqsManagedSseEnabled"),
		everywhere(queue, "queue-dlq", true, "sqsManagedSseEnabled"),
		everywhere(service, "api", false, "networkConfiguration", "assignPublicIp"),
		everywhere(service, "api", "Private-1-subnet-id", "networkConfiguration", "subnets", 0),
		everywhere(service, "api", "groups-tasks-id", "networkConfiguration", "securityGroups", 0),
		everywhere(service, "api", true, "deploymentCircuitBreaker", "enable"),
		everywhere(service, "api", true, "deploymentCircuitBreaker", "rollback"),
		everywhere(service, "api", false, "waitForSteadyState"),
		{service, "api", []any{"enableExecuteCommand"}, true, true, false},
		{service, "api", []any{"desiredCount"}, 1.0, 1.0, 2.0},
		everywhere(task, "api", true, "skipDestroy"),
		everywhere(task, "migration", true, "skipDestroy"),
		{"aws:ecs/cluster:Cluster", "cluster", []any{"settings", 0, "value"}, "disabled", "enabled", "enabled"},
		{"aws:ec2/vpcEndpoint:VpcEndpoint", "network-s3", []any{"routeTableIds"},
			[]any{"Private-1-id", "Private-2-id"}, []any{"Private-1-id", "Private-2-id"}, []any{"Private-1-id", "Private-2-id", "Private-3-id"}},
		everywhere(service, "api", nil, "launchType"),
		{service, "api", []any{"capacityProviderStrategies", 0, "capacityProvider"}, "FARGATE_SPOT", "FARGATE", "FARGATE"},
		{service, "worker", []any{"capacityProviderStrategies", 0, "capacityProvider"}, "FARGATE_SPOT", "FARGATE", "FARGATE"},
		everywhere("aws:ecs/clusterCapacityProviders:ClusterCapacityProviders", "cluster", []any{"FARGATE", "FARGATE_SPOT"}, "capacityProviders"),
		everywhere("aws:ecs/clusterCapacityProviders:ClusterCapacityProviders", "cluster", "FARGATE", "defaultCapacityProviderStrategies", 0, "capacityProvider"),
		everywhere(task, "api", "X86_64", "runtimePlatform", "cpuArchitecture"),
		everywhere(task, "migration", "X86_64", "runtimePlatform", "cpuArchitecture"),
		everywhere(service, "api", true, "forceNewDeployment"),
	}
	for i, name := range []string{"dev", "staging", "production"} {
		_, all := deployed(t, name)
		for _, p := range promises {
			want := []any{p.dev, p.stage, p.prod}[i]
			require.Equalf(t, want, find(t, all, p.typ, p.name).get(p.path...), "%s: %v of %s in %s", p.typ, p.path, p.name, name)
		}
	}
}

// TestFirewallIsSwitchedOff checks that an environment without a web ACL has nothing of it, and that of the others blocks and limits.
func TestFirewallIsSwitchedOff(t *testing.T) {
	for _, name := range []string{"dev", "staging", "production"} {
		env, all := deployed(t, name)
		require.Equal(t, name != "dev", env.Firewall.Enabled)
		if !env.Firewall.Enabled {
			for _, r := range all {
				require.NotContains(t, strings.ToLower(r.urn), "firewall", name)
				require.NotContains(t, r.urn, "waf", name)
			}
			env.Monitoring.Level = environment.Full
			require.NotContains(t, fmt.Sprint(graphs(env, "", "")), "WAFV2")
			continue
		}
		require.Contains(t, fmt.Sprint(graphs(env, "", "")), "WAFV2")
		acl := find(t, all, "aws:wafv2/webAcl:WebAcl", "firewall")
		require.Equal(t, "RateLimit", acl.get("rules", 0, "name"))
		require.InDelta(t, 2000, acl.get("rules", 0, "statement", "rateBasedStatement", "limit"), 0)
		find(t, all, "aws:wafv2/webAclAssociation:WebAclAssociation", "firewall")
		find(t, all, alarmType, "monitoring-waf-blocked")
	}
}

// TestAcceptedControls checks that the program of production is as docs/security.md describes it where it does not meet a control.
// Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-controls-reference.html
func TestAcceptedControls(t *testing.T) {
	page, err := os.ReadFile("../docs/security.md")
	require.NoError(t, err)
	_, production := deployed(t, "production")
	_, shared := sharedStack(t)
	all := slices.Concat(production, shared)
	for _, c := range []struct {
		control, typ, name string
		want               any
		path               []any
	}{
		{"ECR.2", "aws:ecr/repository:Repository", "registry", "MUTABLE", []any{"imageTagMutability"}},
		{"ECR.5", "aws:ecr/repository:Repository", "registry", "AES256", []any{"encryptionConfigurations", 0, "encryptionType"}},
		{"RDS.6", "aws:rds/instance:Instance", "database", nil, []any{"monitoringInterval"}},
		{"RDS.10", "aws:rds/instance:Instance", "database", nil, []any{"iamDatabaseAuthenticationEnabled"}},
		{"RDS.23", "aws:rds/instance:Instance", "database", 5432.0, []any{"port"}},
		{"SNS.1", "aws:sns/topic:Topic", "notifications", nil, []any{"kmsMasterKeyId"}},
		{"SEC08-BP02", "aws:cloudwatch/logGroup:LogGroup", "cluster", nil, []any{"kmsKeyId"}},
	} {
		require.Regexp(t, `(?m)^\| `+regexp.QuoteMeta(c.control)+`\b[^|]*\| accepted \|`, string(page))
		require.Equal(t, c.want, find(t, all, c.typ, c.name).get(c.path...), c.control)
	}
	require.Regexp(t, `(?m)^\| REL09-BP01\b[^|]*\| accepted \|`, string(page))
	require.Empty(t, ofType(all, "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"))
	require.Regexp(t, `(?m)^\| ECS\.5\b[^|]*\| accepted \|`, string(page))
	require.NotContains(t, find(t, production, "aws:ecs/taskDefinition:TaskDefinition", "api").get("containerDefinitions"), "readonlyRootFilesystem")
}

func TestFinalSnapshotNameIsUniquePerInstance(t *testing.T) {
	name := func(vpcID, user string) string {
		env, err := environment.Load("..", "staging")
		require.NoError(t, err)
		env.Database.User = user
		named := make(chan string, 1)
		finalSnapshot(&DatabaseArgs{Env: env, VPCID: pulumi.String(vpcID)}).ApplyT(func(name string) string {
			named <- name
			return name
		})
		return <-named
	}
	first := name("vpc-1", "balancer")
	require.Regexp(t, "^v3-backend-staging-db-final-[0-9a-f]{10}$", first)
	require.Equal(t, first, name("vpc-1", "balancer"))
	require.NotEqual(t, first, name("vpc-2", "balancer"), "the environment was destroyed and made again")
	require.NotEqual(t, first, name("vpc-1", "other"), "the instance was replaced")

	env, err := environment.Load("..", "staging")
	require.NoError(t, err)
	renewed := "v3-backend-staging-db-final-20261130-120000"
	all := record(t, env.Stack, Deploy(env, Release{Image: testImage, FinalSnapshot: renewed}))
	require.Equal(t, renewed, find(t, all, instanceType, "database").get("finalSnapshotIdentifier"), "the stack's name stays")
}

func TestSchedulerNeverRunsTwice(t *testing.T) {
	_, all := deployed(t, "production")
	for name, want := range map[string][3]any{
		"api":       {100.0, 200.0, "ENABLED"},
		"worker":    {100.0, 200.0, "ENABLED"},
		"scheduler": {0.0, 100.0, "DISABLED"},
	} {
		s := find(t, all, "aws:ecs/service:Service", name)
		require.Equal(t, want, [3]any{
			s.get("deploymentMinimumHealthyPercent"), s.get("deploymentMaximumPercent"), s.get("availabilityZoneRebalancing"),
		}, name)
	}
}

func TestTaskCountsAreIgnored(t *testing.T) {
	_, all := deployed(t, "production")
	for _, s := range ofType(all, "aws:ecs/service:Service") {
		require.Equal(t, []string{"desiredCount"}, s.ignored, s.name)
	}
	require.Equal(t, []string{"suspendedState"}, find(t, all, "aws:appautoscaling/target:Target", "api").ignored)
	require.Equal(t, "app/alb/1/targetgroup/api/2", find(t, all, "aws:appautoscaling/policy:Policy", "api-requests").
		get("targetTrackingScalingPolicyConfiguration", "predefinedMetricSpecification", "resourceLabel"))

	_, all = deployed(t, "dev")
	require.Empty(t, ofType(all, "aws:appautoscaling/target:Target"))
}

func TestOnlyTheLoadBalancerIsPublic(t *testing.T) {
	_, all := deployed(t, "production")
	group := map[any]string{"groups-balancer-id": "balancer", "groups-tasks-id": "tasks", "groups-database-id": "database"}
	var opened []string
	for _, r := range ofType(all, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule") {
		require.Equal(t, "tcp", r.get("ipProtocol"))
		require.Equal(t, r.get("fromPort"), r.get("toPort"))
		peer, _ := r.get("cidrIpv4").(string)
		if peer == "" {
			peer = group[r.get("referencedSecurityGroupId")]
		}
		opened = append(opened, group[r.get("securityGroupId")]+" "+peer+" "+jsonNumber(r.get("fromPort")))
	}
	require.ElementsMatch(t, []string{
		"balancer 0.0.0.0/0 80", "balancer 0.0.0.0/0 443", "tasks balancer 3000", "database tasks 5432",
	}, opened)
	for _, r := range ofType(all, "aws:ec2/securityGroup:SecurityGroup") {
		require.Nil(t, r.get("ingress"), "rules are resources of their own")
	}
	closed := find(t, all, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "network-default")
	require.Nil(t, closed.get("ingress"))
	require.Nil(t, closed.get("egress"))
}

func jsonNumber(value any) string {
	text, _ := json.Marshal(value)
	return string(text)
}

func TestSharedStackIsProtected(t *testing.T) {
	_, all := sharedStack(t)
	for _, r := range all {
		if r.custom && r.typ != "pulumi:providers:aws" {
			require.Truef(t, r.protect, "%s is not protected", r.urn)
		}
	}
	require.Equal(t, true, find(t, all, "aws:ecr/repository:Repository", "registry").get("imageScanningConfiguration", "scanOnPush"))
}

func TestProviderKnowsItsAccount(t *testing.T) {
	env, all := deployed(t, "dev")
	provider := find(t, all, "pulumi:providers:aws", "aws")
	require.Equal(t, "us-east-1", provider.get("region"))
	require.Equal(t, []any{"123456789012"}, provider.get("allowedAccountIds"))
	require.Nil(t, provider.get("endpoints"))

	all = record(t, env.Stack, Deploy(env, Release{Image: testImage, EndpointURL: "http://127.0.0.1:5000"}))
	emulated := find(t, all, "pulumi:providers:aws", "aws")
	require.Equal(t, true, emulated.get("skipCredentialsValidation"))
	require.Equal(t, true, emulated.get("s3UsePathStyle"))
	require.Equal(t, "http://127.0.0.1:5000", emulated.get("endpoints", 0, "ecs"))
}

// TestNotifications checks that alarms and budget reach the recipients in the file: through the topic, or, where there is none, the budget
// alone by mail.
func TestNotifications(t *testing.T) {
	const budgetType, subscriptionType = "aws:budgets/budget:Budget", "aws:sns/topicSubscription:TopicSubscription"
	env, err := environment.Load("..", "dev")
	require.NoError(t, err)
	env.Monitoring.Emails = nil
	all := record(t, env.Stack, Deploy(env, Release{Image: testImage}))
	require.Nil(t, find(t, all, budgetType, "budget").get("notifications"))

	env.Monitoring.Emails = []string{"ops@example.com"}
	all = record(t, env.Stack, Deploy(env, Release{Image: testImage}))
	require.Equal(t, []any{"ops@example.com"}, find(t, all, budgetType, "budget").get("notifications", 0, "subscriberEmailAddresses"))
	require.Empty(t, ofType(all, subscriptionType))

	env.Monitoring.Level, env.Monitoring.Webhooks = environment.Enhanced, []string{"https://alerts.example.com/sns"}
	all = record(t, env.Stack, Deploy(env, Release{Image: testImage}))
	budget := find(t, all, budgetType, "budget")
	require.Equal(t, 80.0, budget.get("notifications", 0, "threshold"))
	require.Equal(t, "FORECASTED", budget.get("notifications", 1, "notificationType"))
	topic := "arn:aws:aws:sns/topicPolicy:TopicPolicy:notifications"
	for i := range 2 {
		require.Equal(t, []any{topic}, budget.get("notifications", i, "subscriberSnsTopicArns"), "the policy is in place first")
		require.Nil(t, budget.get("notifications", i, "subscriberEmailAddresses"), "the topic mails them")
	}
	subscribed := map[any]any{}
	for _, r := range ofType(all, subscriptionType) {
		require.Nil(t, r.get("endpointAutoConfirms"), "an endpoint that is down must not stop a deployment")
		subscribed[r.get("endpoint")] = r.get("protocol")
	}
	require.Equal(t, map[any]any{"ops@example.com": "email", "https://alerts.example.com/sns": "https"}, subscribed)
}

// TestFirewallKeepsNoRequests checks that WAF samples no requests, whose headers no setting redacts.
func TestFirewallKeepsNoRequests(t *testing.T) {
	for _, name := range []string{"dev", "staging", "production"} {
		env, err := environment.Load("..", name)
		require.NoError(t, err)
		env.Firewall.Enabled = true
		all := record(t, env.Stack, Deploy(env, Release{Image: testImage}))
		acl := find(t, all, "aws:wafv2/webAcl:WebAcl", "firewall")
		require.Equal(t, false, acl.get("visibilityConfig", "sampledRequestsEnabled"))
		rules := acl.get("rules").([]any)
		require.NotEmpty(t, rules)
		for _, rule := range rules {
			require.Equal(t, false, rule.(map[string]any)["visibilityConfig"].(map[string]any)["sampledRequestsEnabled"])
		}
	}
}

// TestOnlyACMIssuesCertificates checks the CAA record of the root domain.
func TestOnlyACMIssuesCertificates(t *testing.T) {
	_, all := sharedStack(t)
	record := find(t, all, "aws:route53/record:Record", "zone-caa")
	require.Equal(t, "CAA", record.get("type"))
	require.Equal(t, "hyperchonk.com", record.get("name"))
	require.Equal(t, []any{`0 issue "amazon.com"`}, record.get("records"))
}

package infra

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/pricing"
)

// coverage is how the estimate treats a type of resource that the program declares. Without lines and reason it is free.
type coverage struct {
	// lines are the resources of the estimate that contain its cost.
	lines []string
	// leftOut is why the estimate does not contain its cost.
	leftOut string
}

func priced(lines ...string) coverage { return coverage{lines: lines} }

func leftOut(reason string) coverage { return coverage{leftOut: reason} }

// coverageByType returns how the estimate treats each type that the program declares.
func coverageByType() map[string]coverage {
	free := coverage{}
	return map[string]coverage{
		"awsx:ec2:Vpc":                                              free,
		"aws:ec2/eip:Eip":                                           priced("addresses of NAT"),
		"aws:ec2/natGateway:NatGateway":                             priced("NAT gateways", "data through NAT"),
		"aws:ec2/route:Route":                                       free,
		"aws:ec2/networkInterface:NetworkInterface":                 free,
		"aws:ec2/launchTemplate:LaunchTemplate":                     free,
		"aws:autoscaling/group:Group":                               priced("NAT instance", "volume of NAT instance"),
		"aws:ec2/defaultSecurityGroup:DefaultSecurityGroup":         free,
		"aws:ec2/flowLog:FlowLog":                                   priced("flow logs"),
		"aws:ec2/securityGroup:SecurityGroup":                       free,
		"aws:ec2/vpcEndpoint:VpcEndpoint":                           free, // a gateway's, unlike an interface's
		"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule":   free,
		"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": free,

		"aws:lb/listener:Listener":                                                                   free,
		"aws:lb/loadBalancer:LoadBalancer":                                                           priced("load balancer", "load balancer capacity", "addresses of balancer", "data to clients"),
		"aws:lb/targetGroup:TargetGroup":                                                             free,
		"aws:wafv2/webAcl:WebAcl":                                                                    priced("web ACL", "web ACL rules", "web ACL requests"),
		"aws:wafv2/webAclAssociation:WebAclAssociation":                                              free,
		"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration":                            priced("logs of the web ACL"),
		"aws:acm/certificate:Certificate":                                                            free,
		"aws:acm/certificateValidation:CertificateValidation":                                        free,
		"aws:route53/record:Record":                                                                  free,
		"aws:s3/bucketV2:BucketV2":                                                                   priced("access logs kept"),
		"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2":                       free,
		"aws:s3/bucketOwnershipControls:BucketOwnershipControls":                                     free,
		"aws:s3/bucketPolicy:BucketPolicy":                                                           free,
		"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":                                     free,
		"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": free,

		"aws:appautoscaling/policy:Policy":                          priced("alarms"),
		"aws:appautoscaling/target:Target":                          free,
		"aws:ecs/cluster:Cluster":                                   priced("Container Insights"),
		"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": free,
		"aws:ecs/service:Service":                                   priced("api CPU", "api memory", "worker CPU", "worker memory", "scheduler CPU", "scheduler memory"),
		"aws:ecs/taskDefinition:TaskDefinition":                     leftOut("the migration's task runs for minutes; the others are billed as services"),

		"aws:rds/instance:Instance":                        priced("database instance", "database storage", "secrets"),
		"aws:rds/parameterGroup:ParameterGroup":            free,
		"aws:rds/subnetGroup:SubnetGroup":                  free,
		"aws:secretsmanager/secretRotation:SecretRotation": free,
		"aws:sqs/queue:Queue":                              priced("queue requests"),
		"aws:sqs/queuePolicy:QueuePolicy":                  free,
		"aws:sqs/redriveAllowPolicy:RedriveAllowPolicy":    free,

		"aws:cloudwatch/eventRule:EventRule":     free,
		"aws:cloudwatch/eventTarget:EventTarget": free,
		"aws:scheduler/schedule:Schedule":        leftOut("14 million invocations a month are free"),
		"aws:sfn/stateMachine:StateMachine":      leftOut("five state transitions an hour and service cost less than a tenth of a dollar a month"),

		"aws:budgets/budget:Budget":                    free,
		"aws:cloudwatch/compositeAlarm:CompositeAlarm": priced("composite alarms"),
		"aws:cloudwatch/dashboard:Dashboard":           priced("dashboard"),
		"aws:cloudwatch/logGroup:LogGroup":             priced("logs of services", "logs kept"),
		"aws:cloudwatch/metricAlarm:MetricAlarm":       priced("alarms"),
		"aws:route53/healthCheck:HealthCheck":          priced("health check", "health check over HTTPS"),
		"aws:sns/topic:Topic":                          leftOut("an alarm's message costs a fraction of a cent"),
		"aws:sns/topicPolicy:TopicPolicy":              free,
		"aws:sns/topicSubscription:TopicSubscription":  leftOut("an e-mail costs a fraction of a cent"),
		"aws:xray/samplingRule:SamplingRule":           priced("traces"),

		"aws:ecr/lifecyclePolicy:LifecyclePolicy":             free,
		"aws:ecr/repository:Repository":                       priced("images"),
		"aws:route53/zone:Zone":                               priced("hosted zone"),
		"aws:iam/openIdConnectProvider:OpenIdConnectProvider": free,
		"aws:iam/policy:Policy":                               free,
		"aws:iam/role:Role":                                   free,
		"aws:iam/rolePolicy:RolePolicy":                       free,
		"aws:iam/rolePolicyAttachment:RolePolicyAttachment":   free,
	}
}

// TestEstimateCoversEveryType fails when the program declares a type of resource that coverageByType does not list, and
// when it lists a type that the program does not declare.
func TestEstimateCoversEveryType(t *testing.T) {
	_, shared := sharedStack(t)
	require.Equal(t, typesOf(append(everyEnvironment(t), shared...)), slices.Sorted(maps.Keys(coverageByType())),
		"enter in infra/coverage_test.go what a type costs, and add its lines to the estimate")
}

// TestCoveredLinesExist checks that the estimate has every line that coverageByType names.
func TestCoveredLinesExist(t *testing.T) {
	shared, err := environment.LoadShared("..")
	require.NoError(t, err)
	production, err := environment.Load("..", "production")
	require.NoError(t, err)
	staging, err := environment.Load("..", "staging") // unlike production, it has a NAT instance and sleeps
	require.NoError(t, err)
	billed := map[string]bool{}
	for _, e := range []pricing.Estimate{
		pricing.EstimateEnvironment(production, pricing.DefaultAssumptions()),
		pricing.EstimateEnvironment(staging, pricing.DefaultAssumptions()), pricing.EstimateShared(shared),
	} {
		for _, line := range e.Lines {
			billed[line.Resource] = true
		}
	}
	for typ, covered := range coverageByType() {
		for _, line := range covered.lines {
			require.True(t, billed[line], "%s: %s", typ, line)
		}
	}
}

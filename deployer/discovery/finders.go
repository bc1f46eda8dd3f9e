package discovery

import (
	"context"
	"fmt"
)

const typeBucket = "aws:s3/bucketV2:BucketV2"

// The reasons why a resource that a killed deployment created does not have to be found.
const (
	putOverwrites         = "putting it again overwrites what is there"
	createReturnsExisting = "creating it again returns the existing one"
	adoptsDefault         = "it adopts the default that AWS creates"
	isWaiter              = "it is a wait, and nothing in the account"
	newRevision           = "another revision does no harm: nothing runs the spare one, and old ones are kept"
)

// finder finds resources of one type.
type finder struct {
	// needs are the inputs without which AWS would not have created one.
	needs []string
	// by describes when a resource matches; "" stands for needs.
	by string
	// find returns what the resource may be imported by; nil where the type is never looked for.
	find func(context.Context, account, Query) ([]string, error)
	// skipReason is why a killed deployment's resource does not have to be found; "" where it has to be.
	skipReason string
}

// finders has every type that the program registers. What a resource is imported by is at the end of its page in the provider's
// reference: https://www.pulumi.com/registry/packages/aws/api-docs/
var finders = map[string]finder{
	"aws:ec2/vpc:Vpc":                                     {by: "tag Name", find: findVPC},
	"aws:ec2/internetGateway:InternetGateway":             {needs: []string{"vpcId"}, by: "attached to the VPC", find: findInternetGateway},
	"aws:ec2/subnet:Subnet":                               {needs: []string{"vpcId", "cidrBlock"}, find: findSubnet},
	"aws:ec2/routeTable:RouteTable":                       {needs: []string{"vpcId"}, by: "its subnet", find: findRouteTable},
	"aws:ec2/route:Route":                                 {needs: []string{"routeTableId", "destinationCidrBlock"}, find: findRoute},
	"aws:ec2/routeTableAssociation:RouteTableAssociation": {needs: []string{"routeTableId", "subnetId"}, find: findAssociation},
	"aws:ec2/eip:Eip":                                     {by: "its NAT gateway or network interface", find: findAddress},
	"aws:ec2/natGateway:NatGateway":                       {needs: []string{"subnetId"}, by: "its subnet", find: findNATGateway},
	"aws:ec2/networkInterface:NetworkInterface":           {needs: []string{"subnetId"}, by: "its subnet and tag Name", find: findNetworkInterface},
	"aws:ec2/launchTemplate:LaunchTemplate":               {needs: []string{"name"}, find: findLaunchTemplate},
	"aws:autoscaling/group:Group":                         byInputs("%s", "name"),
	"aws:ec2/vpcEndpoint:VpcEndpoint":                     {needs: []string{"vpcId", "serviceName"}, by: "VPC and service", find: findEndpoint},
	"aws:ec2/flowLog:FlowLog":                             {needs: []string{"vpcId"}, by: "its VPC", find: findFlowLog},
	"aws:ec2/securityGroup:SecurityGroup":                 {needs: []string{"vpcId", "name"}, find: findSecurityGroup},
	"aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": {
		needs: []string{"vpcId"}, by: "default of the VPC", find: findSecurityGroup, skipReason: adoptsDefault},
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {needs: []string{"securityGroupId"}, find: findRule(false)},
	"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule":   {needs: []string{"securityGroupId"}, find: findRule(true)},

	"aws:lb/loadBalancer:LoadBalancer": {needs: []string{"name"}, find: findLoadBalancer},
	"aws:lb/targetGroup:TargetGroup":   {needs: []string{"name"}, find: findTargetGroup},
	"aws:lb/listener:Listener":         {needs: []string{"loadBalancerArn"}, find: findListener},

	"aws:acm/certificate:Certificate":                     {needs: []string{"domainName"}, find: findCertificate},
	"aws:acm/certificateValidation:CertificateValidation": {skipReason: isWaiter},
	"aws:route53/record:Record":                           {needs: []string{"zoneId", "name", "type"}, find: findRecord},
	"aws:route53/healthCheck:HealthCheck":                 {needs: []string{"fqdn"}, find: findHealthCheck},
	"aws:route53/zone:Zone":                               {needs: []string{"name"}, find: findZone},

	typeBucket: byInputs("%s", "bucket"),
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":                                     byInputs("%s", "bucket").skip(putOverwrites),
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": byInputs("%s", "bucket").skip(putOverwrites),
	"aws:s3/bucketOwnershipControls:BucketOwnershipControls":                                     byInputs("%s", "bucket").skip(putOverwrites),
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2":                       byInputs("%s", "bucket").skip(putOverwrites),
	"aws:s3/bucketPolicy:BucketPolicy":                                                           byInputs("%s", "bucket").skip(putOverwrites),

	"aws:rds/instance:Instance":                                 byInputs("%s", "identifier"),
	"aws:rds/subnetGroup:SubnetGroup":                           byInputs("%s", "name"),
	"aws:rds/parameterGroup:ParameterGroup":                     byInputs("%s", "name"),
	"aws:secretsmanager/secretRotation:SecretRotation":          byInputs("%s", "secretId").skip(putOverwrites),
	"aws:sqs/queue:Queue":                                       {needs: []string{"name"}, find: findQueue},
	"aws:sqs/queuePolicy:QueuePolicy":                           byInputs("%s", "queueUrl").skip(putOverwrites),
	"aws:sqs/redriveAllowPolicy:RedriveAllowPolicy":             byInputs("%s", "queueUrl").skip(putOverwrites),
	"aws:sns/topic:Topic":                                       {needs: []string{"name"}, find: findTopic, skipReason: createReturnsExisting},
	"aws:sns/topicPolicy:TopicPolicy":                           byInputs("%s", "arn").skip(putOverwrites),
	"aws:sns/topicSubscription:TopicSubscription":               {skipReason: createReturnsExisting},
	"aws:ecs/cluster:Cluster":                                   byInputs("%s", "name").skip(createReturnsExisting),
	"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": byInputs("%s", "clusterName").skip(putOverwrites),
	"aws:ecs/taskDefinition:TaskDefinition":                     {skipReason: newRevision},
	"aws:ecs/service:Service":                                   {needs: []string{"name"}, find: findService},
	"aws:appautoscaling/target:Target": byInputs("%s/%s/%s",
		"serviceNamespace", "resourceId", "scalableDimension").skip(putOverwrites),
	"aws:appautoscaling/policy:Policy": byInputs("%s/%s/%s/%s",
		"serviceNamespace", "resourceId", "scalableDimension", "name").skip(putOverwrites),

	"aws:ecr/repository:Repository":                       byInputs("%s", "name"),
	"aws:ecr/lifecyclePolicy:LifecyclePolicy":             byInputs("%s", "repository").skip(putOverwrites),
	"aws:iam/role:Role":                                   byInputs("%s", "name"),
	"aws:iam/rolePolicy:RolePolicy":                       byInputs("%s:%s", "role", "name").skip(putOverwrites),
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment":   byInputs("%s/%s", "role", "policyArn").skip(putOverwrites),
	"aws:iam/policy:Policy":                               {needs: []string{"name"}, find: findPolicy},
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider": {needs: []string{"url"}, find: findIdentityProvider},

	"aws:cloudwatch/logGroup:LogGroup":             byInputs("%s", "name"),
	"aws:cloudwatch/eventRule:EventRule":           byInputs("%s", "name").skip(putOverwrites),
	"aws:cloudwatch/eventTarget:EventTarget":       byInputs("%s/%s", "rule", "targetId").skip(putOverwrites),
	"aws:scheduler/schedule:Schedule":              byInputs("default/%s", "name"),
	"aws:sfn/stateMachine:StateMachine":            {needs: []string{"name"}, find: findStateMachine, skipReason: createReturnsExisting},
	"aws:cloudwatch/metricAlarm:MetricAlarm":       byInputs("%s", "name").skip(putOverwrites),
	"aws:cloudwatch/compositeAlarm:CompositeAlarm": byInputs("%s", "alarmName").skip(putOverwrites),
	"aws:cloudwatch/dashboard:Dashboard":           byInputs("%s", "dashboardName").skip(putOverwrites),
	"aws:xray/samplingRule:SamplingRule":           byInputs("%s", "ruleName"),
	"aws:budgets/budget:Budget":                    {needs: []string{"name"}, find: findBudget},

	"aws:wafv2/webAcl:WebAcl":                                         {needs: []string{"name"}, find: findWebACL},
	"aws:wafv2/webAclAssociation:WebAclAssociation":                   byInputs("%s,%s", "webAclArn", "resourceArn").skip(putOverwrites),
	"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": byInputs("%s", "resourceArn").skip(putOverwrites),
}

// byInputs finds a resource that is imported by nothing but inputs.
func byInputs(format string, properties ...string) finder {
	return finder{needs: properties, find: func(_ context.Context, _ account, q Query) ([]string, error) {
		texts := make([]any, len(properties))
		for i, property := range properties {
			texts[i] = q.text(property)
		}
		return []string{fmt.Sprintf(format, texts...)}, nil
	}}
}

func (f finder) skip(reason string) finder {
	f.skipReason = reason
	return f
}

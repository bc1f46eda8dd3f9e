package discovery

import (
	"context"
	"fmt"
)

const typeBucket = "aws:s3/bucketV2:BucketV2"

// The reasons for which nothing has to be looked up.
const (
	putOverwrites         = "putting it again writes over what is there"
	createReturnsExisting = "creating it again returns the one that is there"
	adoptsDefault         = "it takes over what AWS has made by itself"
	isWaiter              = "it is a wait, and nothing in the account"
	newRevision           = "another revision does no harm: nothing runs the spare one, and old ones are kept"
)

// finders has one for every type that the program registers. What a resource is imported by stands at the end of its page in the
// provider's reference: https://www.pulumi.com/registry/packages/aws/api-docs/
var finders = map[string]finder{
	"aws:ec2/vpc:Vpc":                                     {find: findVPC},
	"aws:ec2/internetGateway:InternetGateway":             {needs: []string{"vpcId"}, find: findInternetGateway},
	"aws:ec2/subnet:Subnet":                               {needs: []string{"vpcId", "cidrBlock"}, find: findSubnet},
	"aws:ec2/routeTable:RouteTable":                       {needs: []string{"vpcId"}, find: findRouteTable},
	"aws:ec2/route:Route":                                 {needs: []string{"routeTableId", "destinationCidrBlock"}, find: findRoute},
	"aws:ec2/routeTableAssociation:RouteTableAssociation": {needs: []string{"routeTableId", "subnetId"}, find: findAssociation},
	"aws:ec2/eip:Eip":                                     {find: findAddress},
	"aws:ec2/natGateway:NatGateway":                       {needs: []string{"subnetId"}, find: findNATGateway},
	"aws:ec2/vpcEndpoint:VpcEndpoint":                     {needs: []string{"vpcId", "serviceName"}, find: findEndpoint},
	"aws:ec2/flowLog:FlowLog":                             {needs: []string{"vpcId"}, find: findFlowLog},
	"aws:ec2/securityGroup:SecurityGroup":                 {needs: []string{"vpcId", "name"}, find: findSecurityGroup},
	"aws:ec2/defaultSecurityGroup:DefaultSecurityGroup":   {skipReason: adoptsDefault},
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
		needs: []string{"securityGroupId"}, find: findRule(false)},
	"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {
		needs: []string{"securityGroupId"}, find: findRule(true)},

	"aws:lb/loadBalancer:LoadBalancer": {needs: []string{"name"}, find: findLoadBalancer},
	"aws:lb/targetGroup:TargetGroup":   {needs: []string{"name"}, find: findTargetGroup},
	"aws:lb/listener:Listener":         {needs: []string{"loadBalancerArn"}, find: findListener},

	"aws:acm/certificate:Certificate":                     {needs: []string{"domainName"}, find: findCertificate},
	"aws:acm/certificateValidation:CertificateValidation": {skipReason: isWaiter},
	"aws:route53/record:Record":                           {needs: []string{"zoneId", "name", "type"}, find: findRecord},
	"aws:route53/healthCheck:HealthCheck":                 {needs: []string{"fqdn"}, find: findHealthCheck},
	"aws:route53/zone:Zone":                               {needs: []string{"name"}, find: findZone},

	typeBucket: {needs: []string{"bucket"}, find: byInputs("%s", "bucket")},
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":                                     {skipReason: putOverwrites},
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": {skipReason: putOverwrites},
	"aws:s3/bucketOwnershipControls:BucketOwnershipControls":                                     {skipReason: putOverwrites},
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2":                       {skipReason: putOverwrites},
	"aws:s3/bucketPolicy:BucketPolicy":                                                           {skipReason: putOverwrites},

	"aws:rds/instance:Instance":                                 {needs: []string{"identifier"}, find: byInputs("%s", "identifier")},
	"aws:rds/subnetGroup:SubnetGroup":                           {needs: []string{"name"}, find: byInputs("%s", "name")},
	"aws:rds/parameterGroup:ParameterGroup":                     {needs: []string{"name"}, find: byInputs("%s", "name")},
	"aws:secretsmanager/secretRotation:SecretRotation":          {skipReason: putOverwrites},
	"aws:sqs/queue:Queue":                                       {needs: []string{"name"}, find: findQueue},
	"aws:sqs/queuePolicy:QueuePolicy":                           {skipReason: putOverwrites},
	"aws:sqs/redriveAllowPolicy:RedriveAllowPolicy":             {skipReason: putOverwrites},
	"aws:sns/topic:Topic":                                       {skipReason: createReturnsExisting},
	"aws:sns/topicPolicy:TopicPolicy":                           {skipReason: putOverwrites},
	"aws:sns/topicSubscription:TopicSubscription":               {skipReason: createReturnsExisting},
	"aws:ecs/cluster:Cluster":                                   {skipReason: createReturnsExisting},
	"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": {skipReason: putOverwrites},
	"aws:ecs/taskDefinition:TaskDefinition":                     {skipReason: newRevision},
	"aws:ecs/service:Service":                                   {needs: []string{"name"}, find: findService},
	"aws:appautoscaling/target:Target":                          {skipReason: putOverwrites},
	"aws:appautoscaling/policy:Policy":                          {skipReason: putOverwrites},

	"aws:ecr/repository:Repository":                       {needs: []string{"name"}, find: byInputs("%s", "name")},
	"aws:ecr/lifecyclePolicy:LifecyclePolicy":             {skipReason: putOverwrites},
	"aws:iam/role:Role":                                   {needs: []string{"name"}, find: byInputs("%s", "name")},
	"aws:iam/rolePolicy:RolePolicy":                       {skipReason: putOverwrites},
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment":   {skipReason: putOverwrites},
	"aws:iam/policy:Policy":                               {needs: []string{"name"}, find: findPolicy},
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider": {needs: []string{"url"}, find: findIdentityProvider},

	"aws:cloudwatch/logGroup:LogGroup":       {needs: []string{"name"}, find: byInputs("%s", "name")},
	"aws:cloudwatch/metricAlarm:MetricAlarm": {skipReason: putOverwrites},
	"aws:cloudwatch/dashboard:Dashboard":     {skipReason: putOverwrites},
	"aws:xray/samplingRule:SamplingRule":     {needs: []string{"ruleName"}, find: byInputs("%s", "ruleName")},
	"aws:budgets/budget:Budget":              {needs: []string{"name"}, find: findBudget},

	"aws:wafv2/webAcl:WebAcl":                                         {needs: []string{"name"}, find: findWebACL},
	"aws:wafv2/webAclAssociation:WebAclAssociation":                   {skipReason: putOverwrites},
	"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": {skipReason: putOverwrites},
}

// byInputs is how a resource is found whose import needs nothing but inputs.
func byInputs(format string, properties ...string) func(context.Context, account, Query) (string, error) {
	return func(_ context.Context, _ account, w Query) (string, error) {
		texts := make([]any, len(properties))
		for i, property := range properties {
			texts[i] = w.text(property)
		}
		return fmt.Sprintf(format, texts...), nil
	}
}

func findQueue(_ context.Context, a account, w Query) (string, error) {
	return fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", a.region, a.id, w.text("name")), nil
}

func findPolicy(_ context.Context, a account, w Query) (string, error) {
	return fmt.Sprintf("arn:aws:iam::%s:policy/%s", a.id, w.text("name")), nil
}

func findBudget(_ context.Context, a account, w Query) (string, error) {
	return a.id + ":" + w.text("name"), nil
}

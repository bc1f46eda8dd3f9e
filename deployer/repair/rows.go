package repair

import (
	"context"
	"fmt"
)

const typeBucket = "aws:s3/bucketV2:BucketV2"

// The reasons for which nothing has to be looked up.
const (
	overwritten = "putting it again writes over what is there"
	returned    = "creating it again returns the one that is there"
	taken       = "it takes over what AWS has made by itself"
	waiting     = "it is a wait, and nothing in the account"
	revision    = "another revision does no harm: nothing runs the spare one, and old ones are kept"
)

// rows has one for every type that the program registers. What a resource is imported by stands at the end of its page in the
// provider's reference: https://www.pulumi.com/registry/packages/aws/api-docs/
var rows = map[string]row{
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
	"aws:ec2/defaultSecurityGroup:DefaultSecurityGroup":   {harmless: taken},
	"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
		needs: []string{"securityGroupId"}, find: findRule(false)},
	"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {
		needs: []string{"securityGroupId"}, find: findRule(true)},

	"aws:lb/loadBalancer:LoadBalancer": {needs: []string{"name"}, find: findLoadBalancer},
	"aws:lb/targetGroup:TargetGroup":   {needs: []string{"name"}, find: findTargetGroup},
	"aws:lb/listener:Listener":         {needs: []string{"loadBalancerArn"}, find: findListener},

	"aws:acm/certificate:Certificate":                     {needs: []string{"domainName"}, find: findCertificate},
	"aws:acm/certificateValidation:CertificateValidation": {harmless: waiting},
	"aws:route53/record:Record":                           {needs: []string{"zoneId", "name", "type"}, find: findRecord},
	"aws:route53/healthCheck:HealthCheck":                 {needs: []string{"fqdn"}, find: findHealthCheck},
	"aws:route53/zone:Zone":                               {needs: []string{"name"}, find: findZone},

	typeBucket: {needs: []string{"bucket"}, find: named("%s", "bucket")},
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":                                     {harmless: overwritten},
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": {harmless: overwritten},
	"aws:s3/bucketOwnershipControls:BucketOwnershipControls":                                     {harmless: overwritten},
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2":                       {harmless: overwritten},
	"aws:s3/bucketPolicy:BucketPolicy":                                                           {harmless: overwritten},

	"aws:rds/instance:Instance":                                 {needs: []string{"identifier"}, find: named("%s", "identifier")},
	"aws:rds/subnetGroup:SubnetGroup":                           {needs: []string{"name"}, find: named("%s", "name")},
	"aws:rds/parameterGroup:ParameterGroup":                     {needs: []string{"name"}, find: named("%s", "name")},
	"aws:secretsmanager/secretRotation:SecretRotation":          {harmless: overwritten},
	"aws:sqs/queue:Queue":                                       {needs: []string{"name"}, find: findQueue},
	"aws:sqs/queuePolicy:QueuePolicy":                           {harmless: overwritten},
	"aws:sqs/redriveAllowPolicy:RedriveAllowPolicy":             {harmless: overwritten},
	"aws:sns/topic:Topic":                                       {harmless: returned},
	"aws:sns/topicPolicy:TopicPolicy":                           {harmless: overwritten},
	"aws:sns/topicSubscription:TopicSubscription":               {harmless: returned},
	"aws:ecs/cluster:Cluster":                                   {harmless: returned},
	"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": {harmless: overwritten},
	"aws:ecs/taskDefinition:TaskDefinition":                     {harmless: revision},
	"aws:ecs/service:Service":                                   {needs: []string{"name"}, find: findService},
	"aws:appautoscaling/target:Target":                          {harmless: overwritten},
	"aws:appautoscaling/policy:Policy":                          {harmless: overwritten},

	"aws:ecr/repository:Repository":                       {needs: []string{"name"}, find: named("%s", "name")},
	"aws:ecr/lifecyclePolicy:LifecyclePolicy":             {harmless: overwritten},
	"aws:iam/role:Role":                                   {needs: []string{"name"}, find: named("%s", "name")},
	"aws:iam/rolePolicy:RolePolicy":                       {harmless: overwritten},
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment":   {harmless: overwritten},
	"aws:iam/policy:Policy":                               {needs: []string{"name"}, find: findPolicy},
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider": {needs: []string{"url"}, find: findIdentityProvider},

	"aws:cloudwatch/logGroup:LogGroup":       {needs: []string{"name"}, find: named("%s", "name")},
	"aws:cloudwatch/metricAlarm:MetricAlarm": {harmless: overwritten},
	"aws:cloudwatch/dashboard:Dashboard":     {harmless: overwritten},
	"aws:xray/samplingRule:SamplingRule":     {needs: []string{"ruleName"}, find: named("%s", "ruleName")},
	"aws:budgets/budget:Budget":              {needs: []string{"name"}, find: findBudget},

	"aws:wafv2/webAcl:WebAcl":                                         {needs: []string{"name"}, find: findWebACL},
	"aws:wafv2/webAclAssociation:WebAclAssociation":                   {harmless: overwritten},
	"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": {harmless: overwritten},
}

// named is how a resource is found whose import needs nothing but inputs.
func named(format string, properties ...string) func(context.Context, account, Wanted) (string, error) {
	return func(_ context.Context, _ account, w Wanted) (string, error) {
		texts := make([]any, len(properties))
		for i, property := range properties {
			texts[i] = w.text(property)
		}
		return fmt.Sprintf(format, texts...), nil
	}
}

func findQueue(_ context.Context, a account, w Wanted) (string, error) {
	return fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", a.region, a.id, w.text("name")), nil
}

func findPolicy(_ context.Context, a account, w Wanted) (string, error) {
	return fmt.Sprintf("arn:aws:iam::%s:policy/%s", a.id, w.text("name")), nil
}

func findBudget(_ context.Context, a account, w Wanted) (string, error) {
	return a.id + ":" + w.text("name"), nil
}

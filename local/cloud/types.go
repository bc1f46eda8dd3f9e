package cloud

// The types of resources that the account can hold, by Pulumi's tokens.
const (
	typeVPC                   = "aws:ec2/vpc:Vpc"
	typeSubnet                = "aws:ec2/subnet:Subnet"
	typeInternetGateway       = "aws:ec2/internetGateway:InternetGateway"
	typeRouteTable            = "aws:ec2/routeTable:RouteTable"
	typeRoute                 = "aws:ec2/route:Route"
	typeRouteTableAssociation = "aws:ec2/routeTableAssociation:RouteTableAssociation"
	typeEIP                   = "aws:ec2/eip:Eip"
	typeNATGateway            = "aws:ec2/natGateway:NatGateway"
	typeVPCEndpoint           = "aws:ec2/vpcEndpoint:VpcEndpoint"
	typeFlowLog               = "aws:ec2/flowLog:FlowLog"
	typeSecurityGroup         = "aws:ec2/securityGroup:SecurityGroup"
	typeDefaultSecurityGroup  = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
	typeIngressRule           = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	typeEgressRule            = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"

	typeCertificate           = "aws:acm/certificate:Certificate"
	typeCertificateValidation = "aws:acm/certificateValidation:CertificateValidation"
	typeZone                  = "aws:route53/zone:Zone"
	typeRecord                = "aws:route53/record:Record"
	typeHealthCheck           = "aws:route53/healthCheck:HealthCheck"

	typeBucket                  = "aws:s3/bucketV2:BucketV2"
	typeBucketPublicAccessBlock = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
	typeBucketEncryption        = "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"
	typeBucketOwnership         = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
	typeBucketLifecycle         = "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2"
	typeBucketPolicy            = "aws:s3/bucketPolicy:BucketPolicy"

	typeLoadBalancer = "aws:lb/loadBalancer:LoadBalancer"
	typeTargetGroup  = "aws:lb/targetGroup:TargetGroup"
	typeListener     = "aws:lb/listener:Listener"

	typeDatabase         = "aws:rds/instance:Instance"
	typeDBSubnetGroup    = "aws:rds/subnetGroup:SubnetGroup"
	typeDBParameterGroup = "aws:rds/parameterGroup:ParameterGroup"
	typeSecretRotation   = "aws:secretsmanager/secretRotation:SecretRotation"

	typeQueue              = "aws:sqs/queue:Queue"
	typeQueuePolicy        = "aws:sqs/queuePolicy:QueuePolicy"
	typeRedriveAllowPolicy = "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy"
	typeTopic              = "aws:sns/topic:Topic"
	typeTopicPolicy        = "aws:sns/topicPolicy:TopicPolicy"
	typeTopicSubscription  = "aws:sns/topicSubscription:TopicSubscription"

	typeCluster                  = "aws:ecs/cluster:Cluster"
	typeClusterCapacityProviders = "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders"
	typeTaskDefinition           = "aws:ecs/taskDefinition:TaskDefinition"
	typeService                  = "aws:ecs/service:Service"
	typeScalingTarget            = "aws:appautoscaling/target:Target"
	typeScalingPolicy            = "aws:appautoscaling/policy:Policy"

	typeRepository      = "aws:ecr/repository:Repository"
	typeLifecyclePolicy = "aws:ecr/lifecyclePolicy:LifecyclePolicy"

	typeRole                 = "aws:iam/role:Role"
	typeRolePolicy           = "aws:iam/rolePolicy:RolePolicy"
	typePolicy               = "aws:iam/policy:Policy"
	typeRolePolicyAttachment = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
	typeOIDCProvider         = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"

	typeLogGroup          = "aws:cloudwatch/logGroup:LogGroup"
	typeMetricAlarm       = "aws:cloudwatch/metricAlarm:MetricAlarm"
	typeDashboard         = "aws:cloudwatch/dashboard:Dashboard"
	typeSamplingRule      = "aws:xray/samplingRule:SamplingRule"
	typeBudget            = "aws:budgets/budget:Budget"
	typeWebACL            = "aws:wafv2/webAcl:WebAcl"
	typeWebACLAssociation = "aws:wafv2/webAclAssociation:WebAclAssociation"
	typeWebACLLogging     = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
)

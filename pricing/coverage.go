package pricing

// Coverage says how the estimate treats a type of resource that the program declares.
type Coverage struct {
	// Lines are the resources of the estimate that it stands behind; none where it costs nothing or is left out.
	Lines []string
	// LeftOut is why the estimate does not have it, though it costs something; "" where it costs nothing.
	LeftOut string
}

func priced(lines ...string) Coverage { return Coverage{Lines: lines} }

func leftOut(why string) Coverage { return Coverage{LeftOut: why} }

// CoverageByType are the types of resources that the estimate knows of.
func CoverageByType() map[string]Coverage {
	free := Coverage{}
	return map[string]Coverage{
		"awsx:ec2:Vpc": priced("NAT gateways", "addresses of NAT", "data through NAT"),
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

		"aws:budgets/budget:Budget":                   free,
		"aws:cloudwatch/dashboard:Dashboard":          priced("dashboard"),
		"aws:cloudwatch/logGroup:LogGroup":            priced("logs of services", "logs kept"),
		"aws:cloudwatch/metricAlarm:MetricAlarm":      priced("alarms"),
		"aws:route53/healthCheck:HealthCheck":         priced("health check", "health check over HTTPS"),
		"aws:sns/topic:Topic":                         leftOut("an alarm's message costs a fraction of a cent"),
		"aws:sns/topicPolicy:TopicPolicy":             free,
		"aws:sns/topicSubscription:TopicSubscription": leftOut("an e-mail costs a fraction of a cent"),
		"aws:xray/samplingRule:SamplingRule":          priced("traces"),

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

// LeftOut is what a bill can have beyond the estimate.
func LeftOut() []string {
	return []string{
		"tax, support plans, free tier, credits, savings plans and reserved instances",
		"data between zones ($0.01 a GB, each way), DNS queries, calls to the APIs of AWS",
		"CPU credits of db.t classes above their baseline, storage that the database grows by itself",
		"snapshots that people make and those of deleted databases, the migration's task",
		"log queries, Container Insights' performance logs, e-mails of alarms",
		"whatever the program did not make",
	}
}

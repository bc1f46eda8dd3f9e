package infra

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// everyEnvironment records the program of all environments of the repository, and of one with other e-mail notifications.
func everyEnvironment(t *testing.T) []registration {
	t.Helper()
	var all []registration
	for _, name := range []string{"dev", "staging", "production"} {
		_, more := deployed(t, name)
		all = append(all, more...)
	}
	notified, err := environment.Load("..", "staging")
	require.NoError(t, err)
	notified.Monitoring.Emails = []string{"ops@example.com"}
	return append(all, record(t, notified.Stack, Deploy(notified, Release{Image: testImage, RecordedImage: testImage}))...)
}

// withOneGateway records the program of dev with a NAT gateway.
func withOneGateway(t *testing.T) []registration {
	t.Helper()
	env := dev(t, environment.NATSingle)
	return record(t, env.Stack, Deploy(env, Release{Image: testImage, RecordedImage: testImage}))
}

// dev returns the development environment with a kind of NAT.
func dev(t *testing.T, nat environment.NAT) *environment.Environment {
	t.Helper()
	env, err := environment.Load("..", "dev")
	require.NoError(t, err)
	env.Network.NAT = nat
	return env
}

// typesOf returns the types of the resources, without components.
func typesOf(all []registration) []string {
	declared := map[string]bool{}
	for _, r := range all {
		if !strings.HasPrefix(r.typ, componentPrefix) && !strings.HasPrefix(r.typ, "pulumi:") {
			declared[r.typ] = true
		}
	}
	return slices.Sorted(maps.Keys(declared))
}

// What the provider does with an environment: it creates, changes and deletes resources. Reading is omitted, since the
// read policy allows all of it. ENV is the environment; what is limited by tags is requested with its tag.
const (
	inRegion = "us-east-1:123456789012:"
	anyEC2   = "arn:aws:ec2:" + inRegion
	ofECS    = "arn:aws:ecs:" + inRegion
	ofELB    = "arn:aws:elasticloadbalancing:" + inRegion
	ofRDS    = "arn:aws:rds:" + inRegion
	ofIAM    = "arn:aws:iam::123456789012:"
	webACL   = "arn:aws:wafv2:" + inRegion + "regional/webacl/v3-backend-ENV-waf/1"
	balancer = ofELB + "loadbalancer/app/v3-backend-ENV-alb/50dc6c495c0c9188"
	logGroup = "arn:aws:logs:" + inRegion + "log-group:/aws/ecs/v3-backend-ENV"
	bucket   = "arn:aws:s3:::v3-backend-ENV-logs-123456789012"
	dbSecret = "arn:aws:secretsmanager:" + inRegion + "secret:rds!db-1"
)

// actionsOn is a list of actions on one resource.
type actionsOn struct {
	resource string
	actions  []string
}

func on(resource string, actions ...string) actionsOn { return actionsOn{resource, actions} }

// providerActions returns what the provider calls, by the type of resource.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
func providerActions() map[string][]actionsOn {
	role := ofIAM + "role/v3-backend-ENV-task-role"
	return map[string][]actionsOn{
		"awsx:ec2:Vpc": {
			on(anyEC2+"vpc/vpc-1", "ec2:CreateVpc", "ec2:CreateTags", "ec2:ModifyVpcAttribute", "ec2:DeleteVpc"),
			on(anyEC2+"subnet/subnet-1", "ec2:CreateSubnet", "ec2:CreateTags", "ec2:ModifySubnetAttribute", "ec2:DeleteSubnet"),
			on(anyEC2+"internet-gateway/igw-1", "ec2:CreateInternetGateway", "ec2:CreateTags", "ec2:AttachInternetGateway",
				"ec2:DetachInternetGateway", "ec2:DeleteInternetGateway"),
			on(anyEC2+"route-table/rtb-1", "ec2:CreateRouteTable", "ec2:CreateTags", "ec2:AssociateRouteTable", "ec2:CreateRoute",
				"ec2:ReplaceRoute", "ec2:ReplaceRouteTableAssociation", "ec2:DeleteRoute", "ec2:DisassociateRouteTable", "ec2:DeleteRouteTable"),
		},
		"aws:ec2/eip:Eip": {
			on(anyEC2+"elastic-ip/eipalloc-1", "ec2:AllocateAddress", "ec2:CreateTags", "ec2:AssociateAddress", "ec2:DisassociateAddress", "ec2:ReleaseAddress"),
		},
		"aws:ec2/networkInterface:NetworkInterface": {
			on(anyEC2+"network-interface/eni-1", "ec2:AssociateAddress", "ec2:DisassociateAddress"),
			on(anyEC2+"network-interface/eni-1", "ec2:CreateNetworkInterface", "ec2:CreateTags", "ec2:ModifyNetworkInterfaceAttribute",
				"ec2:DetachNetworkInterface", "ec2:DeleteNetworkInterface"),
			on(anyEC2+"subnet/subnet-1", "ec2:CreateNetworkInterface"),
			on(anyEC2+"security-group/sg-1", "ec2:CreateNetworkInterface"),
		},
		"aws:ec2/launchTemplate:LaunchTemplate": {
			on(anyEC2+"launch-template/lt-1", "ec2:CreateLaunchTemplate", "ec2:CreateTags", "ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate",
				"ec2:DeleteLaunchTemplate"),
		},
		// Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html
		"aws:autoscaling/group:Group": {
			on("arn:aws:autoscaling:"+inRegion+"autoScalingGroup:1:autoScalingGroupName/v3-backend-ENV-nat", "autoscaling:CreateAutoScalingGroup",
				"autoscaling:CreateOrUpdateTags", "autoscaling:DeleteTags", "autoscaling:PutLifecycleHook", "autoscaling:UpdateAutoScalingGroup",
				"autoscaling:StartInstanceRefresh", "autoscaling:CancelInstanceRefresh", "autoscaling:DeleteAutoScalingGroup"),
			on(anyEC2+"launch-template/lt-1", "ec2:RunInstances"), on(anyEC2+"network-interface/eni-1", "ec2:RunInstances"),
			on(anyEC2+"security-group/sg-1", "ec2:RunInstances"), on(anyEC2+"subnet/subnet-1", "ec2:RunInstances"),
			on(anyEC2+"instance/i-1", "ec2:RunInstances"), on(anyEC2+"volume/vol-1", "ec2:RunInstances", "ec2:CreateTags"),
			on("arn:aws:ec2:us-east-1::image/ami-1", "ec2:RunInstances"),
			on("arn:aws:ssm:us-east-1::parameter/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-arm64", "ssm:GetParameters"),
			on("arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
				"iam:CreateServiceLinkedRole for autoscaling.amazonaws.com"),
		},
		"aws:ec2/natGateway:NatGateway": {
			on(anyEC2+"natgateway/nat-1", "ec2:CreateNatGateway", "ec2:CreateTags", "ec2:DeleteNatGateway"),
			on(anyEC2+"subnet/subnet-1", "ec2:CreateNatGateway"),
			on(anyEC2+"elastic-ip/eipalloc-1", "ec2:CreateNatGateway"),
		},
		"aws:ec2/route:Route": {
			on(anyEC2+"route-table/rtb-1", "ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute"),
		},
		"aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": {
			on(anyEC2+"security-group/sg-1", "ec2:CreateTags", "ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"),
		},
		"aws:ec2/flowLog:FlowLog": {
			on(anyEC2+"vpc-flow-log/fl-1", "ec2:CreateFlowLogs", "ec2:CreateTags", "ec2:DeleteFlowLogs"),
			on(anyEC2+"vpc/vpc-1", "ec2:CreateFlowLogs"),
			on(ofIAM+"role/v3-backend-ENV-flow-logs-role", "iam:PassRole to vpc-flow-logs.amazonaws.com"),
		},
		"aws:ec2/securityGroup:SecurityGroup": {
			on(anyEC2+"security-group/sg-1", "ec2:CreateSecurityGroup", "ec2:CreateTags", "ec2:RevokeSecurityGroupEgress", "ec2:DeleteSecurityGroup"),
			on(anyEC2+"vpc/vpc-1", "ec2:CreateSecurityGroup"),
		},
		"aws:ec2/vpcEndpoint:VpcEndpoint": {
			on(anyEC2+"vpc-endpoint/vpce-1", "ec2:CreateVpcEndpoint", "ec2:CreateTags", "ec2:ModifyVpcEndpoint", "ec2:DeleteVpcEndpoints"),
			on(anyEC2+"route-table/rtb-1", "ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"),
		},
		"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {
			on(anyEC2+"security-group/sg-1", "ec2:AuthorizeSecurityGroupEgress", "ec2:ModifySecurityGroupRules", "ec2:RevokeSecurityGroupEgress"),
			on(anyEC2+"security-group-rule/sgr-1", "ec2:AuthorizeSecurityGroupEgress", "ec2:CreateTags"),
		},
		"aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {
			on(anyEC2+"security-group/sg-1", "ec2:AuthorizeSecurityGroupIngress", "ec2:ModifySecurityGroupRules", "ec2:RevokeSecurityGroupIngress"),
			on(anyEC2+"security-group-rule/sgr-1", "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateTags"),
		},

		"aws:lb/loadBalancer:LoadBalancer": {
			on(balancer, "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags",
				"elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets",
				"elasticloadbalancing:SetIpAddressType", "elasticloadbalancing:DeleteLoadBalancer"),
			on("arn:aws:iam::123456789012:role/aws-service-role/elasticloadbalancing.amazonaws.com/AWSServiceRoleForElasticLoadBalancing",
				"iam:CreateServiceLinkedRole for elasticloadbalancing.amazonaws.com"),
		},
		"aws:lb/listener:Listener": {
			on(balancer, "elasticloadbalancing:CreateListener"),
			on(ofELB+"listener/app/v3-backend-ENV-alb/50dc6c495c0c9188/f2f7dc8efc522ab2", "elasticloadbalancing:AddTags",
				"elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyListenerAttributes", "elasticloadbalancing:DeleteListener"),
		},
		"aws:lb/targetGroup:TargetGroup": {
			on(ofELB+"targetgroup/v3-backend-ENV-api-tg/73e2d6bc24d8a067", "elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:AddTags",
				"elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:DeleteTargetGroup"),
		},
		"aws:wafv2/webAcl:WebAcl": {
			on(webACL, "wafv2:CreateWebACL", "wafv2:TagResource", "wafv2:UntagResource", "wafv2:UpdateWebACL", "wafv2:DeleteWebACL"),
			on("arn:aws:wafv2:"+inRegion+"regional/managedruleset/AWSManagedRulesCommonRuleSet/1", "wafv2:CreateWebACL", "wafv2:UpdateWebACL"),
		},
		"aws:wafv2/webAclAssociation:WebAclAssociation": {
			on(webACL, "wafv2:AssociateWebACL"),
			on(balancer, "wafv2:AssociateWebACL", "elasticloadbalancing:SetWebAcl", "wafv2:DisassociateWebACL"),
		},
		"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": {
			on(webACL, "wafv2:PutLoggingConfiguration", "wafv2:DeleteLoggingConfiguration"),
			on("*", "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
		},
		"aws:acm/certificate:Certificate": {
			on("arn:aws:acm:"+inRegion+"certificate/1", "acm:RequestCertificate", "acm:AddTagsToCertificate", "acm:RemoveTagsFromCertificate",
				"acm:DeleteCertificate"),
		},
		"aws:acm/certificateValidation:CertificateValidation": {on("arn:aws:acm:"+inRegion+"certificate/1", "acm:DescribeCertificate")},
		"aws:route53/record:Record": {
			on("arn:aws:aws:route53/zone:Zone:zone", "route53:ChangeResourceRecordSets"),
			on("arn:aws:route53:::change/C1", "route53:GetChange"),
		},
		"aws:s3/bucketV2:BucketV2": {
			on(bucket, "s3:CreateBucket", "s3:PutBucketTagging", "s3:ListBucketVersions", "s3:DeleteBucket"),
			on(bucket+"/AWSLogs/1", "s3:DeleteObject", "s3:DeleteObjectVersion"),
		},
		"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2":                       {on(bucket, "s3:PutLifecycleConfiguration")},
		"aws:s3/bucketOwnershipControls:BucketOwnershipControls":                                     {on(bucket, "s3:PutBucketOwnershipControls")},
		"aws:s3/bucketPolicy:BucketPolicy":                                                           {on(bucket, "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")},
		"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":                                     {on(bucket, "s3:PutBucketPublicAccessBlock")},
		"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": {on(bucket, "s3:PutEncryptionConfiguration")},

		"aws:appautoscaling/target:Target": {
			on("arn:aws:application-autoscaling:"+inRegion+"scalable-target/0ec5", "application-autoscaling:RegisterScalableTarget",
				"application-autoscaling:TagResource", "application-autoscaling:DeregisterScalableTarget"),
			on("arn:aws:iam::123456789012:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService",
				"iam:CreateServiceLinkedRole for ecs.application-autoscaling.amazonaws.com"),
		},
		// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/auto-scaling-IAM.html
		"aws:appautoscaling/policy:Policy": {
			on("arn:aws:application-autoscaling:"+inRegion+"scalable-target/0ec5", "application-autoscaling:PutScalingPolicy",
				"application-autoscaling:DeleteScalingPolicy"),
			on("arn:aws:cloudwatch:"+inRegion+"alarm:TargetTracking-service/v3-backend-ENV-cluster/v3-backend-ENV-api-service-AlarmHigh-1",
				"cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
			on(ofECS+"service/v3-backend-ENV-cluster/v3-backend-ENV-api-service", "ecs:UpdateService"),
		},
		"aws:ecs/cluster:Cluster": {
			on(ofECS+"cluster/v3-backend-ENV-cluster", "ecs:CreateCluster", "ecs:TagResource", "ecs:UpdateCluster", "ecs:UpdateClusterSettings",
				"ecs:DeleteCluster"),
			on("arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", "iam:CreateServiceLinkedRole for ecs.amazonaws.com"),
		},
		"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders": {on(ofECS+"cluster/v3-backend-ENV-cluster", "ecs:PutClusterCapacityProviders")},
		"aws:ecs/service:Service": {
			on(ofECS+"service/v3-backend-ENV-cluster/v3-backend-ENV-api-service", "ecs:CreateService", "ecs:TagResource", "ecs:UpdateService", "ecs:DeleteService"),
		},
		"aws:ecs/taskDefinition:TaskDefinition": {
			on("*", "ecs:RegisterTaskDefinition"),
			on(ofECS+"task-definition/v3-backend-ENV-api:7", "ecs:TagResource", "ecs:DeregisterTaskDefinition"),
			on(role, "iam:PassRole to ecs-tasks.amazonaws.com"),
			on(ofIAM+"role/v3-backend-ENV-execution-role", "iam:PassRole to ecs-tasks.amazonaws.com"),
		},

		"aws:rds/instance:Instance": {
			on(ofRDS+"db:v3-backend-ENV-db", "rds:CreateDBInstance", "rds:AddTagsToResource", "rds:ModifyDBInstance", "rds:RebootDBInstance"),
			on(ofRDS+"subgrp:v3-backend-ENV-db", "rds:CreateDBInstance"), on(ofRDS+"pg:v3-backend-ENV-db-postgres16", "rds:CreateDBInstance"),
			on("arn:aws:kms:"+inRegion+"key/1", "kms:DescribeKey"),
			on(dbSecret, "secretsmanager:CreateSecret", "secretsmanager:TagResource"),
			on("arn:aws:iam::123456789012:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS", "iam:CreateServiceLinkedRole for rds.amazonaws.com"),
		},
		"aws:rds/parameterGroup:ParameterGroup": {
			on(ofRDS+"pg:v3-backend-ENV-db-postgres16", "rds:CreateDBParameterGroup", "rds:AddTagsToResource", "rds:ModifyDBParameterGroup", "rds:DeleteDBParameterGroup"),
		},
		"aws:rds/subnetGroup:SubnetGroup": {
			on(ofRDS+"subgrp:v3-backend-ENV-db", "rds:CreateDBSubnetGroup", "rds:AddTagsToResource", "rds:ModifyDBSubnetGroup", "rds:DeleteDBSubnetGroup"),
		},
		"aws:secretsmanager/secretRotation:SecretRotation": {on(dbSecret, "secretsmanager:RotateSecret", "secretsmanager:CancelRotateSecret")},
		"aws:sqs/queue:Queue": {
			on("arn:aws:sqs:"+inRegion+"v3-backend-ENV-background-jobs", "sqs:CreateQueue", "sqs:TagQueue", "sqs:UntagQueue", "sqs:SetQueueAttributes"),
		},
		"aws:sqs/queuePolicy:QueuePolicy":               {on("arn:aws:sqs:"+inRegion+"v3-backend-ENV-background-jobs", "sqs:SetQueueAttributes")},
		"aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": {on("arn:aws:sqs:"+inRegion+"v3-backend-ENV-background-jobs-dlq", "sqs:SetQueueAttributes")},

		"aws:budgets/budget:Budget": {on("arn:aws:budgets::123456789012:budget/v3-backend-ENV-monthly", "budgets:ModifyBudget", "budgets:TagResource")},
		"aws:cloudwatch/dashboard:Dashboard": {
			on("arn:aws:cloudwatch::123456789012:dashboard/v3-backend-ENV", "cloudwatch:PutDashboard", "cloudwatch:DeleteDashboards"),
		},
		"aws:cloudwatch/logGroup:LogGroup": {
			on(logGroup, "logs:CreateLogGroup", "logs:TagResource", "logs:UntagResource", "logs:PutRetentionPolicy", "logs:DeleteLogGroup"),
		},
		"aws:cloudwatch/eventRule:EventRule": {
			on("arn:aws:events:"+inRegion+"rule/v3-backend-ENV-rotation", "events:PutRule", "events:TagResource", "events:UntagResource",
				"events:DeleteRule"),
		},
		"aws:cloudwatch/eventTarget:EventTarget": {
			on("arn:aws:events:"+inRegion+"rule/v3-backend-ENV-rotation", "events:PutTargets", "events:RemoveTargets"),
			on(ofIAM+"role/v3-backend-ENV-rotation-rule-role", "iam:PassRole to events.amazonaws.com"),
		},
		"aws:scheduler/schedule:Schedule": {
			on("arn:aws:scheduler:"+inRegion+"schedule/default/v3-backend-ENV-sleep", "scheduler:CreateSchedule", "scheduler:UpdateSchedule",
				"scheduler:DeleteSchedule"),
			on(ofIAM+"role/v3-backend-ENV-schedule-start-role", "iam:PassRole to scheduler.amazonaws.com"),
		},
		"aws:sfn/stateMachine:StateMachine": {
			on("*", "states:ValidateStateMachineDefinition"), // of a definition, not of a machine
			on("arn:aws:states:"+inRegion+"stateMachine:v3-backend-ENV-rotation", "states:CreateStateMachine", "states:TagResource",
				"states:UntagResource", "states:UpdateStateMachine", "states:DeleteStateMachine"),
			on(ofIAM+"role/v3-backend-ENV-rotation-role", "iam:PassRole to states.amazonaws.com"),
		},
		"aws:cloudwatch/metricAlarm:MetricAlarm": {
			on("arn:aws:cloudwatch:"+inRegion+"alarm:v3-backend-ENV-api-5xx", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:DeleteAlarms"),
		},
		"aws:cloudwatch/compositeAlarm:CompositeAlarm": {
			on("arn:aws:cloudwatch:"+inRegion+"alarm:v3-backend-ENV-alarms", "cloudwatch:PutCompositeAlarm", "cloudwatch:TagResource", "cloudwatch:DeleteAlarms"),
		},
		"aws:route53/healthCheck:HealthCheck": {
			on("*", "route53:CreateHealthCheck"), // what has no ID yet has no ARN
			on("arn:aws:route53:::healthcheck/1", "route53:ChangeTagsForResource", "route53:UpdateHealthCheck", "route53:DeleteHealthCheck"),
		},
		"aws:sns/topic:Topic": {
			on("arn:aws:sns:"+inRegion+"v3-backend-ENV-alarms", "sns:CreateTopic", "sns:TagResource", "sns:SetTopicAttributes", "sns:DeleteTopic"),
		},
		"aws:sns/topicPolicy:TopicPolicy": {on("arn:aws:sns:"+inRegion+"v3-backend-ENV-alarms", "sns:SetTopicAttributes")},
		"aws:sns/topicSubscription:TopicSubscription": {
			on("arn:aws:sns:"+inRegion+"v3-backend-ENV-alarms", "sns:Subscribe"),
			// SNS has no resource type for subscriptions.
			// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
			on("arn:aws:sns:"+inRegion+"*", "sns:Unsubscribe", "sns:GetSubscriptionAttributes"),
		},
		"aws:xray/samplingRule:SamplingRule": {
			on("arn:aws:xray:"+inRegion+"sampling-rule/v3-backend-ENV", "xray:CreateSamplingRule", "xray:TagResource", "xray:UpdateSamplingRule",
				"xray:DeleteSamplingRule"),
		},
		"aws:iam/role:Role": {
			on(role, "iam:CreateRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateRole", "iam:UpdateAssumeRolePolicy",
				"iam:PutRolePermissionsBoundary", "iam:DeleteRole"),
		},
		"aws:iam/rolePolicy:RolePolicy": {on(role, "iam:PutRolePolicy", "iam:DeleteRolePolicy")},
	}
}

// natInstanceTypes returns the types that only an environment with a NAT instance has.
func natInstanceTypes() map[string]bool {
	return map[string]bool{
		"aws:autoscaling/group:Group": true, "aws:ec2/launchTemplate:LaunchTemplate": true, "aws:ec2/networkInterface:NetworkInterface": true,
	}
}

// creates returns the kind of resource that an action makes, as its ARN has it. What does not exist yet has no tags that a policy
// could test; the resources that the action needs beside it have them.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
func creates() map[string]string {
	return map[string]string{
		"ec2:AllocateAddress": ":elastic-ip/", "ec2:CreateFlowLogs": ":vpc-flow-log/", "ec2:CreateInternetGateway": ":internet-gateway/",
		"ec2:CreateNatGateway": ":natgateway/", "ec2:CreateRouteTable": ":route-table/", "ec2:CreateSecurityGroup": ":security-group/",
		"ec2:CreateLaunchTemplate": ":launch-template/", "ec2:CreateNetworkInterface": ":network-interface/",
		"ec2:CreateSubnet": ":subnet/", "ec2:CreateVpc": ":vpc/", "ec2:CreateVpcEndpoint": ":vpc-endpoint/",
		"ec2:AuthorizeSecurityGroupEgress": ":security-group-rule/", "ec2:AuthorizeSecurityGroupIngress": ":security-group-rule/",
		"acm:RequestCertificate": ":certificate/",
	}
}

// asProvider returns a request of the program's provider: with the environment's tag, if the resource exists, and boundary, in its
// region.
func asProvider(action, resource, env, host string) request {
	action, to, _ := strings.Cut(action, " ")
	_, service, _ := strings.Cut(to, " ")
	r := of(action, strings.ReplaceAll(resource, "ENV", env))
	if kind, makes := creates()[action]; !makes || !strings.Contains(resource, kind) {
		r = r.with("aws:ResourceTag/Environment", env)
	}
	return r.with("aws:RequestedRegion", "us-east-1").with("aws:RequestTag/Environment", env).
		with("ec2:CreateAction", "Create").with("iam:PermissionsBoundary", boundaryARN).
		with("iam:PassedToService", service).with("iam:AWSServiceName", service).
		with(recordTypes, "A").with(recordNames, host).with("acm:DomainNames", host).
		with("ecs:cluster", ofECS+"cluster/v3-backend-"+env+"-cluster").
		with("ecs:task-definition", ofECS+"task-definition/v3-backend-"+env+"-api:7")
}

// TestGitHubRolesMayDeployTheProgram checks that GitHub's roles may create, change and delete what the program declares,
// except for what no role may delete: the database and the queue of production.
func TestGitHubRolesMayDeployTheProgram(t *testing.T) {
	rows := providerActions()
	require.Equal(t, typesOf(everyEnvironment(t)), slices.Sorted(maps.Keys(rows)), "add to providerActs what the provider calls to create a type")
	_, all := sharedStack(t)
	for env, want := range map[string]struct{ role, host string }{
		"development": {deployRole, "dev-api.hyperchonk.com"}, "staging": {deployRole, "staging-api.hyperchonk.com"},
		"production": {productionRole, "api.hyperchonk.com"},
	} {
		may := githubPermissions(t, all, want.role)
		for typ, row := range rows {
			for _, a := range row {
				for _, action := range a.actions {
					if env == "production" && natInstanceTypes()[typ] {
						continue
					}
					require.Truef(t, may.allows(t, asProvider(action, a.resource, env, want.host)), "%s: %s on %s, for %s", want.role, action, a.resource, typ)
				}
			}
		}
	}
	// A protected environment has no NAT instance, so that production's role launches none.
	for action, resource := range map[string]string{
		"autoscaling:CreateAutoScalingGroup": "arn:aws:autoscaling:" + inRegion + "autoScalingGroup:1:autoScalingGroupName/v3-backend-ENV-nat",
		"ec2:CreateLaunchTemplate":           anyEC2 + "launch-template/lt-1",
		"ec2:RunInstances":                   anyEC2 + "instance/i-1",
	} {
		require.False(t, githubPermissions(t, all, productionRole).allows(t, asProvider(action, resource, "production", "api.hyperchonk.com")), action)
	}
	deploy := githubPermissions(t, all, deployRole)
	for action, resource := range map[string]string{
		"rds:DeleteDBInstance": ofRDS + "db:v3-backend-ENV-db", "sqs:DeleteQueue": "arn:aws:sqs:" + inRegion + "v3-backend-ENV-background-jobs",
	} {
		require.True(t, deploy.allows(t, asProvider(action, resource, "staging", "staging-api.hyperchonk.com")))
		require.False(t, githubPermissions(t, all, productionRole).allows(t, asProvider(action, resource, "production", "api.hyperchonk.com")))
	}
}

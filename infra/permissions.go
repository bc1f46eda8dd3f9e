package infra

import (
	"fmt"

	"github.com/balancer/v3-backend-infra/environment"
)

// scope is what a role of GitHub's may be about: the environments by their names, and what they share.
type scope struct {
	shared                 *environment.Shared
	environments           []string
	repositoryARN, zoneARN string
}

// each returns one value an environment.
func (s scope) each(value func(name string) string) []string {
	var all []string
	for _, name := range s.environments {
		all = append(all, value(name))
	}
	return all
}

// arns returns, for each environment, the ARN of what in the service belongs to it; %s is the prefix of its names.
func (s scope) arns(service string, resources ...string) []string {
	var all []string
	for _, resource := range resources {
		all = append(all, s.each(func(name string) string {
			return fmt.Sprintf("arn:aws:%s:%s:%s:%s",
				service, s.shared.Region, s.shared.Account, fmt.Sprintf(resource, s.shared.Prefix+"-"+name))
		})...)
	}
	return all
}

// global is arns for services without regions.
func (s scope) global(service, resource string) []string {
	return s.each(func(name string) string {
		return fmt.Sprintf("arn:aws:%s::%s:%s", service, s.shared.Account, fmt.Sprintf(resource, s.shared.Prefix+"-"+name))
	})
}

// readStatements let a workflow compare the account with the program: previews, drift, status. It can see what there
// is, and neither what a secret holds nor what the containers log.
func readStatements(s scope) []statement {
	return []statement{
		allow("Describe", []string{
			"acm:Describe*", "acm:List*",
			"application-autoscaling:Describe*", "application-autoscaling:ListTagsForResource",
			"budgets:ListTagsForResource", "budgets:ViewBudget",
			"cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*",
			"ec2:Describe*",
			"ecr:BatchGetImage", "ecr:Describe*", "ecr:GetLifecyclePolicy", "ecr:List*",
			"ecs:Describe*", "ecs:List*",
			"elasticloadbalancing:Describe*",
			"iam:GetOpenIDConnectProvider", "iam:GetRole", "iam:GetRolePolicy", "iam:List*",
			"logs:Describe*", "logs:ListTagsForResource",
			"rds:Describe*", "rds:ListTagsForResource",
			"route53:Get*", "route53:List*",
			"s3:GetBucket*", "s3:Get*Configuration", "s3:ListBucket",
			"secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:ListSecrets",
			"sns:Get*", "sns:List*",
			"sqs:GetQueue*", "sqs:List*",
			"wafv2:Get*", "wafv2:List*",
			"xray:GetSamplingRules", "xray:ListTagsForResource",
		}, anyResource),
		allow("ReadState", []string{"s3:GetObject"}, s.stateARN()+"/*"),
		allow("ReadStateKey", []string{"kms:Decrypt", "kms:DescribeKey"}, anyResource).
			when("ForAnyValue:StringEquals", "kms:ResourceAliases", environment.StateKeyAlias(s.shared.Prefix)),
	}
}

func (s scope) stateARN() string {
	return "arn:aws:s3:::" + environment.StateBucket(s.shared.Prefix, s.shared.Account)
}

// deployStatements let a workflow deploy the environments: what the program declares, what the deployer does around
// it, and the application's images. Whatever has a name is limited to the environments' names; where AWS makes up the
// name, to their tag; where AWS knows no limit at all, to the region.
func deployStatements(s scope) []statement {
	all := readStatements(s)
	all = append(all, stateStatements(s)...)
	all = append(all, releaseStatements(s)...)
	all = append(all, networkStatements(s)...)
	all = append(all, namedStatements(s)...)
	all = append(all, roleStatements(s)...)
	return append(all, unnamedStatements(s)...)
}

// productionStatements are deployStatements without the means to lose what cannot be made again.
func productionStatements(s scope) []statement {
	return append(deployStatements(s), statement{
		Sid: "KeepData", Effect: "Deny",
		Action:   []string{"rds:DeleteDBInstance", "rds:DeleteDBInstanceAutomatedBackup", "sqs:DeleteQueue", "sqs:PurgeQueue"},
		Resource: []string{anyResource},
	})
}

// stateStatements let the engine and the deployer write the environments' own state, records and locks, which bear
// the stack's name: STACK.json, or STACK/…, below some folder.
func stateStatements(s scope) []statement {
	var objects []string
	for _, name := range s.environments {
		stack := environment.StackOf(name)
		objects = append(objects, s.stateARN()+"/*/"+stack+"/*", s.stateARN()+"/*/"+stack+".*")
	}
	return []statement{
		allow("WriteState", []string{"s3:PutObject", "s3:DeleteObject"}, objects...),
		allow("UseStateKey", []string{"kms:Encrypt", "kms:GenerateDataKey"}, anyResource).
			when("ForAnyValue:StringEquals", "kms:ResourceAliases", environment.StateKeyAlias(s.shared.Prefix)),
	}
}

// releaseStatements let a workflow push and tag images, look at the configuration before it deploys, run the
// migration, and read why a task failed.
func releaseStatements(s scope) []statement {
	return []statement{
		allow("LogIn", []string{"ecr:GetAuthorizationToken"}, anyResource),
		allow("Push", []string{
			"ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
			"ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
		}, s.repositoryARN),
		allow("ReadConfiguration", []string{"secretsmanager:GetSecretValue"}, s.each(func(name string) string {
			return fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:balancer-%s-config-*",
				s.shared.Region, s.shared.Account, environment.StackOf(name))
		})...),
		allow("ReadLogs", []string{"logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartLiveTail"},
			s.arns("logs", "log-group:/aws/ecs/%s:*")...),
		allow("DeployTasks", []string{
			"ecs:CreateCluster", "ecs:CreateService", "ecs:DeleteCluster", "ecs:DeleteService", "ecs:ExecuteCommand",
			"ecs:PutClusterCapacityProviders", "ecs:RunTask", "ecs:StopTask", "ecs:TagResource", "ecs:UntagResource",
			"ecs:UpdateCluster*", "ecs:UpdateService",
		}, s.arns("ecs", "*/%s-*")...),
		// Revisions have no owner in IAM; what one may do is limited by the roles that can be passed to it.
		allow("RegisterTasks", []string{"ecs:DeregisterTaskDefinition", "ecs:RegisterTaskDefinition"}, anyResource),
	}
}

// networkStatements let the program make a network, and change or delete what bears the environment's tag.
// Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-policies-for-amazon-ec2.html
func networkStatements(s scope) []statement {
	return []statement{
		allow("MakeNetwork", []string{
			"ec2:AllocateAddress", "ec2:CreateFlowLogs", "ec2:CreateInternetGateway", "ec2:CreateNatGateway",
			"ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpc", "ec2:CreateVpcEndpoint",
			// The default security group is closed before it bears a tag.
			"ec2:RevokeSecurityGroup*",
		}, anyResource).when("StringEquals", "aws:RequestedRegion", s.shared.Region),
		allow("TagNetwork", []string{"ec2:CreateTags"}, anyResource).
			when("StringEqualsIfExists", "aws:ResourceTag/Environment", s.environments...).
			when("StringEquals", "aws:RequestTag/Environment", s.environments...),
		allow("ChangeNetwork", []string{
			"ec2:Associate*", "ec2:AttachInternetGateway", "ec2:AuthorizeSecurityGroup*", "ec2:CreateRoute", "ec2:Delete*",
			"ec2:Detach*", "ec2:Disassociate*", "ec2:Modify*", "ec2:ReleaseAddress", "ec2:ReplaceRoute*",
			"ec2:UpdateSecurityGroupRule*",
		}, anyResource).when("StringEquals", "aws:ResourceTag/Environment", s.environments...),
	}
}

// namedStatements let the program make, change and delete what bears the environment's name.
func namedStatements(s scope) []statement {
	tagging := func(service string, actions ...string) []string {
		return append(actions, service+":TagResource", service+":UntagResource")
	}
	return []statement{
		allow("Balancer", []string{
			"elasticloadbalancing:AddTags", "elasticloadbalancing:Create*", "elasticloadbalancing:Delete*",
			"elasticloadbalancing:Modify*", "elasticloadbalancing:RemoveTags", "elasticloadbalancing:Set*",
		}, s.arns("elasticloadbalancing", "*/%s-*", "*/app/%s-*")...),
		allow("Database", []string{
			"rds:AddTagsToResource", "rds:Create*", "rds:Delete*", "rds:Modify*", "rds:RebootDBInstance",
			"rds:RemoveTagsFromResource", "rds:RestoreDBInstanceFromDBSnapshot",
		}, s.arns("rds", "*:%s-*")...),
		allow("Queue", []string{
			"sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue",
		}, s.arns("sqs", "%s-*")...),
		allow("Topic", tagging("sns",
			"sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:Unsubscribe",
		), s.arns("sns", "%s-*")...),
		allow("LogGroups", tagging("logs",
			"logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy",
		), s.arns("logs", "log-group:*%s*")...),
		allow("Watch", append(tagging("cloudwatch", "cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"),
			tagging("xray", "xray:CreateSamplingRule", "xray:DeleteSamplingRule", "xray:UpdateSamplingRule")...,
		), append(s.arns("cloudwatch", "alarm:%s-*"), s.arns("xray", "sampling-rule/%s")...)...),
		allow("Dashboard", []string{"cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"},
			s.global("cloudwatch", "dashboard/%s")...),
		allow("Firewall", tagging("wafv2",
			"wafv2:AssociateWebACL", "wafv2:CreateWebACL", "wafv2:DeleteLoggingConfiguration", "wafv2:DeleteWebACL",
			"wafv2:DisassociateWebACL", "wafv2:PutLoggingConfiguration", "wafv2:UpdateWebACL",
		), append(append(s.arns("wafv2", "regional/webacl/%s-*"), s.arns("elasticloadbalancing", "loadbalancer/app/%s-*")...),
			fmt.Sprintf("arn:aws:wafv2:%s:%s:regional/managedruleset/*", s.shared.Region, s.shared.Account))...),
		allow("Budget", tagging("budgets", "budgets:ModifyBudget"), s.global("budgets", "budget/%s-*")...),
		allow("LogBucket", []string{
			"s3:CreateBucket", "s3:DeleteBucket*", "s3:DeleteObject*", "s3:ListBucketVersions", "s3:PutBucket*",
			"s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
		}, s.each(func(name string) string {
			bucket := "arn:aws:s3:::" + s.shared.Prefix + "-" + name + "-logs-" + s.shared.Account
			return bucket + "*"
		})...),
	}
}

// roleStatements let the program make the environments' three roles, and pass each to the one service that it is for.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
func roleStatements(s scope) []statement {
	tasks := append(s.global("iam", "role/%s-task-role"), s.global("iam", "role/%s-execution-role")...)
	flowLogs := s.global("iam", "role/%s-flow-logs-role")
	return []statement{
		allow("Roles", []string{
			"iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:PutRolePolicy", "iam:TagRole",
			"iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
		}, append(flowLogs, tasks...)...),
		allow("PassToTasks", []string{"iam:PassRole"}, tasks...).
			when("StringEquals", "iam:PassedToService", "ecs-tasks.amazonaws.com"),
		allow("PassToFlowLogs", []string{"iam:PassRole"}, flowLogs...).
			when("StringEquals", "iam:PassedToService", "vpc-flow-logs.amazonaws.com"),
		allow("ServiceRoles", []string{"iam:CreateServiceLinkedRole"}, "arn:aws:iam::*:role/aws-service-role/*").
			when("StringEquals", "iam:AWSServiceName",
				"ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com",
				"rds.amazonaws.com", "wafv2.amazonaws.com"),
	}
}

// unnamedStatements are about what AWS gives names of its own.
func unnamedStatements(s scope) []statement {
	region, account := s.shared.Region, s.shared.Account
	return []statement{
		allow("RequestCertificate", []string{"acm:AddTagsToCertificate", "acm:RequestCertificate"}, anyResource).
			when("StringEquals", "aws:RequestTag/Environment", s.environments...),
		allow("DeleteCertificate", []string{"acm:DeleteCertificate", "acm:RemoveTagsFromCertificate"}, anyResource).
			when("StringEquals", "aws:ResourceTag/Environment", s.environments...),
		allow("Records", []string{"route53:ChangeResourceRecordSets"}, s.zoneARN).
			when("ForAllValues:StringEquals", "route53:ChangeResourceRecordSetsRecordTypes", "A", "AAAA", "CNAME"),
		allow("HealthChecks", []string{
			"route53:ChangeTagsForResource", "route53:CreateHealthCheck", "route53:DeleteHealthCheck", "route53:UpdateHealthCheck",
		}, anyResource),
		allow("Scaling", []string{
			"application-autoscaling:Delete*", "application-autoscaling:Deregister*", "application-autoscaling:Put*",
			"application-autoscaling:Register*", "application-autoscaling:TagResource",
			"application-autoscaling:UntagResource",
		}, fmt.Sprintf("arn:aws:application-autoscaling:%s:%s:scalable-target/*", region, account)),
		// RDS makes the database's secret in the name of whoever makes the database.
		// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
		allow("DatabaseSecret", []string{
			"secretsmanager:CancelRotateSecret", "secretsmanager:CreateSecret", "secretsmanager:RotateSecret",
			"secretsmanager:TagResource",
		}, fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:rds!db-*", region, account)),
		// WAF and flow logs set up their delivery in the name of whoever asks for it.
		allow("LogDelivery", []string{
			"logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:GetLogDelivery", "logs:ListLogDeliveries",
			"logs:PutResourcePolicy",
		}, anyResource),
	}
}

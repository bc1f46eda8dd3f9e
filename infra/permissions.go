package infra

import (
	"fmt"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// shared adds what policies need to the description of the shared stack.
type shared struct {
	*environment.Shared
	repositoryARN, zoneARN string
}

// readPermissions returns statements that allow previews, drift and status: reading all resources, but neither values of secrets nor logs of
// containers. They also allow status to publish its metrics and to store what it has notified about.
func readPermissions(s shared) []statement {
	return []statement{
		allow("Describe", []string{
			"acm:Describe*", "acm:List*",
			"application-autoscaling:Describe*", "application-autoscaling:List*",
			"autoscaling:Describe*",
			"budgets:List*", "budgets:View*",
			"cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*",
			"ec2:Describe*",
			"ecr:BatchGetImage", "ecr:Describe*", "ecr:GetLifecyclePolicy", "ecr:List*",
			"ecs:Describe*", "ecs:List*",
			"elasticloadbalancing:Describe*",
			"events:Describe*", "events:List*",
			"iam:GetOpenIDConnectProvider", "iam:GetRole*", "iam:List*",
			"logs:Describe*", "logs:List*",
			"rds:Describe*", "rds:List*",
			"route53:Get*", "route53:List*",
			"s3:GetBucket*", "s3:Get*Configuration", "s3:ListBucket", "s3:ListBucketVersions",
			"secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:ListSecrets",
			"servicequotas:GetServiceQuota",
			"sns:Get*", "sns:List*",
			"sqs:GetQueue*", "sqs:List*",
			"scheduler:GetSchedule",
			// A preview validates a changed definition of a state machine.
			"states:Describe*", "states:List*", "states:Validate*",
			// Not wafv2:GetSampledRequests, which returns requests of users with their headers.
			"wafv2:GetLoggingConfiguration", "wafv2:GetWebACL*", "wafv2:List*",
			"xray:GetSamplingRules", "xray:List*",
		}, anyResource),
		allow("ReadState", []string{"s3:GetObject"}, s.stateObjects("*")),
		// The parameter that marks an environment asleep is no secret; others may be.
		allow("ReadAsleep", []string{"ssm:GetParameter"}, s.forAllEnvironments().asleepARN()),
		// The bucket encrypts every object with the key.
		allow("RememberStatus", []string{"s3:PutObject"}, s.stateObjects("status/*")),
		s.withStateKey("UseStateKey", "kms:Decrypt", "kms:GenerateDataKey"),
		// RDS uses the key of the secret that it creates, AWS's own, with the caller's permissions.
		// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
		allow("DescribeKeys", []string{"kms:DescribeKey"}, s.kmsKeys()),
		allow("Publish", []string{"cloudwatch:PutMetricData"}, anyResource).
			when("StringEquals", "cloudwatch:namespace", environment.MetricsNamespace),
	}
}

func (s shared) stateObjects(objects string) string {
	return "arn:aws:s3:::" + environment.StateBucket(s.Prefix, s.Account) + "/" + objects
}

// stackState returns the ARNs of a stack's state, records and locks: objects or folders with its name.
func (s shared) stackState(stack string) []string {
	return []string{s.stateObjects("*/" + stack + "/*"), s.stateObjects("*/" + stack + ".*")}
}

// withStateKey allows actions on the key of Pulumi's state, which is identified by its alias.
func (s shared) withStateKey(sid string, actions ...string) statement {
	return allow(sid, actions, s.kmsKeys()).
		when("ForAnyValue:StringEquals", "kms:ResourceAliases", environment.StateKeyAlias(s.Prefix))
}

func (s shared) kmsKeys() string { return fmt.Sprintf("arn:aws:kms:%s:%s:key/*", s.Region, s.Account) }

// productionPermissions returns statements that allow a workflow to deploy production, but not to delete data that cannot be recreated.
func productionPermissions(s shared) []statement {
	productionOnly := s.forEnvironment(production)
	return slices.Concat(deployStatements(productionOnly), []statement{
		deny("KeepData", []string{
			"rds:DeleteDBInstance", "rds:DeleteDBInstanceAutomatedBackup", "sqs:DeleteQueue", "sqs:PurgeQueue",
		}, anyResource),
	})
}

// deployPermissions returns statements that allow a workflow to deploy any environment but production. They deny whatever production's own role
// may change by its name or tag, and writing what all stacks share. A list of the allowed environments would
// exceed IAM's limit of a policy's size with the fourth environment.
func deployPermissions(s shared) []statement {
	productionOnly := s.forEnvironment(production)
	var productionARNs []string
	for _, allowed := range deployStatements(productionOnly) {
		for _, arn := range allowed.Resource {
			if strings.Contains(arn, production) && !slices.Contains(productionARNs, arn) {
				productionARNs = append(productionARNs, arn)
			}
		}
	}
	return slices.Concat(deployStatements(s.forAllEnvironments()), []statement{
		deny("NotProduction", []string{"*"}, productionARNs...),
		deny("NotProductionTag", []string{"*"}, anyResource).when("StringEquals", "aws:ResourceTag/Environment", production),
		deny("NotProductionDatabase", []string{"secretsmanager:*"}, s.databaseSecretARNs()).
			when("StringLike", databaseOfSecret, productionOnly.arns("rds", "db:%s-*")...),
		deny("NotProductionCluster", []string{"ecs:RunTask"}, anyResource).when("StringLike", "ecs:cluster",
			productionOnly.expand("*%s-*")),
		denyProductionTasks(productionOnly, "ecs:CreateService", "ecs:UpdateService"),
		deny("NotSharedState", []string{"s3:DeleteObject", "s3:PutObject"},
			// Every stack reads the version of the state's format there.
			append(s.stackState(environment.SharedStack), s.stateObjects(".pulumi/meta.yaml"))...),
	})
}

// denyProductionTasks denies services that run production's task definitions, whose roles ECS does not ask to be passed again.
// A caller may give a family without an ARN.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
func denyProductionTasks(productionOnly scope, actions ...string) statement {
	return deny("NotProductionTasks", actions, anyResource).
		when("StringLike", "ecs:task-definition", productionOnly.expand("*%s-*"))
}

// databaseOfSecret is the tag by which RDS marks the secret that it creates for an instance.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
const databaseOfSecret = "aws:ResourceTag/aws:rds:primaryDBInstanceArn"

// scope is the set of environments that a role may deploy: one, or all.
type scope struct {
	shared
	// name and stack are an environment's, or *.
	name, stack string
	// tagged has the values of the tag Environment.
	tagged []string
	// domains are the environments', under which their records are.
	domains []string
}

func (s shared) forEnvironment(name string) scope {
	domain := s.ProductionDomain()
	if d, ok := s.GitHub.Delivered(name); ok {
		domain = d.Domain
	}
	return scope{shared: s, name: name, stack: environment.StackOf(name), tagged: []string{name}, domains: []string{domain}}
}

func (s shared) forAllEnvironments() scope {
	var domains []string
	for _, name := range s.GitHub.Environments {
		if d, ok := s.GitHub.Delivered(name); ok {
			domains = append(domains, d.Domain)
		}
	}
	return scope{shared: s, name: "*", stack: "*", tagged: s.GitHub.Environments, domains: domains}
}

// arns returns the ARNs of the environments' resources in a service of the region. In a resource, %s is the prefix of
// the environments' names.
func (s scope) arns(service string, resources ...string) []string {
	return s.regionalARNs(s.Region, service, resources)
}

// alarmARNs returns the ARNs of resources in the regions that have alarms: the environment's, and that of the metrics of Route 53.
func (s scope) alarmARNs(service, resource string) []string {
	all := s.arns(service, resource)
	if s.Region != environment.GlobalMetricsRegion {
		all = append(all, s.regionalARNs(environment.GlobalMetricsRegion, service, []string{resource})...)
	}
	return all
}

func (s scope) globalARNs(service string, resources ...string) []string {
	return s.regionalARNs("", service, resources)
}

func (s scope) regionalARNs(region, service string, resources []string) []string {
	var all []string
	for _, resource := range resources {
		all = append(all, fmt.Sprintf("arn:aws:%s:%s:%s:", service, region, s.Account)+s.expand(resource))
	}
	return all
}

// asleepARN returns the ARN of the parameters that mark the environments asleep.
func (s scope) asleepARN() string {
	return fmt.Sprintf("arn:aws:ssm:%s:%s:parameter", s.Region, s.Account) + environment.AsleepParameterOf(s.Prefix, s.stack)
}

func (s scope) expand(resource string) string { return fmt.Sprintf(resource, s.Prefix+"-"+s.name) }

// The records of all environments are in one zone. A policy distinguishes them by type and by name, in lower case and
// without the final dot.
// Source: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-rrset-conditions.html
const (
	changeRecords = "route53:ChangeResourceRecordSets"
	recordTypes   = "route53:ChangeResourceRecordSetsRecordTypes"
	recordNames   = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
)

// ownRecordTypes returns the types of an environment's records: its addresses, and the validation of its certificate.
func ownRecordTypes() []string { return []string{"A", "AAAA", "CNAME"} }

// deployStatements returns statements that allow what the program and the deployer do besides readPermissions and networkStatements, and
// pushing images. Permissions are limited to the environments' names, or to their tag where AWS generates names, or else to the region. Some
// cannot be limited at all.
func deployStatements(s scope) []statement {
	return slices.Concat(releaseStatements(s), namedStatements(s), roleStatements(s), domainStatements(s), unnamedStatements(s))
}

// releaseStatements returns statements that allow writing the environments' state, pushing and tagging images, and reading the configuration
// secret for preflight.
func releaseStatements(s scope) []statement {
	return []statement{
		allow("WriteState", []string{"s3:DeleteObject", "s3:GetObjectVersion", "s3:PutObject"}, s.stackState(s.stack)...),
		s.withStateKey("WriteStateKey", "kms:Encrypt"),
		allow("Push", []string{"ecr:*Layer*", "ecr:PutImage"}, s.repositoryARN),
		allow("ReadConfiguration", []string{"secretsmanager:GetSecretValue"}, s.configSecretARN(s.stack)),
	}
}

// networkStatements returns statements that allow creating a network, and changing or deleting what has the environments' tag. They also allow
// the roles that AWS's services create for themselves, for which the other policy has no room.
// Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-policies-for-amazon-ec2.html
func networkStatements(s scope) []statement {
	return []statement{
		allow("MakeNetwork", []string{
			"ec2:AllocateAddress", "ec2:CreateFlowLogs", "ec2:CreateInternetGateway", "ec2:CreateNatGateway",
			"ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpc", "ec2:CreateVpcEndpoint",
		}, anyResource).when("StringEquals", "aws:RequestedRegion", s.Region),
		// New resources get their first tags; a resource with the tag must keep it.
		allow("TagNew", []string{"ec2:CreateTags"}, anyResource).
			when("Null", "ec2:CreateAction", "false").
			when("StringEquals", "aws:RequestTag/Environment", s.tagged...),
		allow("TagNetwork", []string{"ec2:CreateTags"}, anyResource).
			when("StringEquals", "aws:ResourceTag/Environment", s.tagged...).
			when("StringEqualsIfExists", "aws:RequestTag/Environment", s.tagged...),
		// A rule gets its tags in the call that adds it to a group, and AWS authorizes that call for the rule, too.
		// Source: https://github.com/hashicorp/terraform-provider-aws/issues/38552
		allow("NewRules", []string{"ec2:AuthorizeSecurityGroup*"}, fmt.Sprintf("arn:aws:ec2:%s:%s:security-group-rule/*", s.Region, s.Account)).
			when("StringEquals", "aws:RequestTag/Environment", s.tagged...),
		// AWS creates a VPC's default security group without tags. The provider tags it before it removes its rules.
		allow("TagDefaultGroup", []string{"ec2:CreateTags"}, fmt.Sprintf("arn:aws:ec2:%s:%s:security-group/*", s.Region, s.Account)).
			when("Null", "aws:ResourceTag/Environment", "true").
			when("StringEquals", "aws:RequestTag/Environment", s.tagged...),
		allow("ChangeNetwork", []string{
			"ec2:Associate*", "ec2:AttachInternetGateway", "ec2:AuthorizeSecurityGroup*", "ec2:CreateRoute", "ec2:Delete*",
			"ec2:Detach*", "ec2:Disassociate*", "ec2:Modify*", "ec2:ReleaseAddress", "ec2:ReplaceRoute*",
			"ec2:RevokeSecurityGroup*", "ec2:UpdateSecurityGroupRule*",
		}, anyResource).when("StringEquals", "aws:ResourceTag/Environment", s.tagged...),
		allow("ServiceRoles", []string{"iam:CreateServiceLinkedRole"}, "arn:aws:iam::*:role/aws-service-role/*").
			when("StringEquals", "iam:AWSServiceName",
				"ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com",
				"rds.amazonaws.com", "wafv2.amazonaws.com"),
	}
}

// natInstanceStatements returns statements that allow a NAT instance, which production does not have. Auto Scaling checks with the caller's
// permissions that the launch template can be launched. Interfaces are only created in subnets and groups that have the environments' tag, and
// nothing allows passing a role to EC2.
// Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
func natInstanceStatements(s scope) []statement {
	ofEC2 := func(kinds ...string) []string {
		return list.Map(kinds, func(kind string) string { return "arn:aws:ec2:" + s.Region + ":*:" + kind + "/*" })
	}
	const groups = "autoScalingGroup:*:autoScalingGroupName/%s-*"
	return []statement{
		allow("MakeNATInstance", []string{"ec2:CreateLaunchTemplate", "ec2:CreateNetworkInterface"},
			ofEC2("launch-template", "network-interface")...),
		// A new interface requires the subnet and its groups as well.
		allow("LaunchFrom", []string{"ec2:CreateLaunchTemplateVersion", "ec2:CreateNetworkInterface", "ec2:RunInstances"},
			ofEC2("launch-template", "network-interface", "security-group", "subnet")...).
			when("StringEquals", "aws:ResourceTag/Environment", s.tagged...),
		allow("Launch", []string{"ec2:RunInstances"}, append(ofEC2("instance", "volume"), "arn:aws:ec2:"+s.Region+"::image/*")...).
			when("StringEqualsIfExists", "ec2:InstanceType", environment.NATInstanceType),
		allow("FindImage", []string{"ssm:GetParameters"}, "arn:aws:ssm:"+s.Region+"::parameter/aws/service/ami-amazon-linux-latest/*"),
		allow("ScaleNATInstance", []string{
			"autoscaling:*AutoScalingGroup", "autoscaling:*InstanceRefresh", "autoscaling:*Tags", "autoscaling:PutLifecycleHook",
		}, s.arns("autoscaling", groups)...),
		deny("NotProductionGroup", []string{"autoscaling:*"}, s.forEnvironment(production).arns("autoscaling", groups)...),
		allow("ScalingRole", []string{"iam:CreateServiceLinkedRole"},
			"arn:aws:iam::*:role/aws-service-role/autoscaling.amazonaws.com/*"),
	}
}

// namedStatements returns statements that allow creating, changing and deleting what has the environments' names, running tasks, and reading
// their logs. One statement for many services saves characters of IAM's limit; an action only applies to the ARNs of its
// own service.
func namedStatements(s scope) []statement {
	all := allow("Named", nil)
	for _, part := range []struct{ actions, arns []string }{
		{[]string{
			"ecs:*Cluster", "ecs:*Service", "ecs:*agResource", "ecs:PutClusterCapacityProviders",
			"ecs:RunTask", "ecs:StopServiceDeployment", "ecs:StopTask", "ecs:UpdateClusterSettings",
			"elasticloadbalancing:*Tags", "elasticloadbalancing:Create*", "elasticloadbalancing:Delete*",
			"elasticloadbalancing:Modify*", "elasticloadbalancing:Set*",
			"events:*Rule", "events:*Targets", "events:*agResource", "scheduler:*Schedule",
		}, slices.Concat(s.arns("ecs", "*/%s-*"), s.arns("elasticloadbalancing", "*/%s-*"), s.arns("events", "*/%s-*"),
			s.arns("scheduler", "*/%s-*"))},
		{[]string{
			"rds:*Tags*", "rds:Create*", "rds:Delete*Group", "rds:DeleteDBInstance*", "rds:Modify*", "rds:Reboot*",
			"rds:RestoreDB*Snapshot", "rds:StartDBInstance", "rds:StopDBInstance",
			// The default option group of an instance is AWS's own.
			// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/security_iam_id-based-policy-examples-create-and-modify-examples.html
		}, append(s.arns("rds", "*:%s-*"), fmt.Sprintf("arn:aws:rds:%s:%s:og:default*", s.Region, s.Account))},
		{[]string{"sqs:*agQueue", "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes"}, s.arns("sqs", "%s-*")},
		{[]string{
			"logs:*LogGroup", "logs:*agResource", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:PutRetentionPolicy",
			"logs:StartLiveTail",
		}, s.arns("logs", "log-group:*%s*")},
		{[]string{
			"cloudwatch:*agResource", "cloudwatch:*Dashboard*", "cloudwatch:DeleteAlarms", "cloudwatch:Put*Alarm",
			"cloudwatch:SetAlarmState",
			// A scaling policy creates alarms with the caller's permissions.
			// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/auto-scaling-IAM.html
		}, slices.Concat(s.alarmARNs("cloudwatch", "alarm:*%s-*"), s.globalARNs("cloudwatch", "dashboard/%s"))},
		{[]string{
			"sns:*agResource", "sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe",
		}, s.alarmARNs("sns", "%s-*")},
		{[]string{"ssm:DeleteParameter", "ssm:PutParameter"}, []string{s.asleepARN()}},
		{[]string{"states:*StateMachine", "states:*agResource"}, s.arns("states", "stateMachine:%s-*")},
		{[]string{"xray:*agResource", "xray:*SamplingRule"}, s.arns("xray", "sampling-rule/%s")},
		{[]string{"wafv2:*WebACL", "wafv2:*agResource", "wafv2:*LoggingConfiguration"},
			append(s.arns("wafv2", "regional/webacl/%s-*"), fmt.Sprintf("arn:aws:wafv2:%s:%s:regional/managedruleset/*", s.Region, s.Account))},
		{[]string{"budgets:*agResource", "budgets:ModifyBudget"}, s.globalARNs("budgets", "budget/%s-*")},
	} {
		all.Action = append(all.Action, part.actions...)
		all.Resource = append(all.Resource, part.arns...)
	}
	return []statement{all,
		allow("LogBucket", []string{
			"s3:CreateBucket", "s3:DeleteBucket*", "s3:DeleteObject*", "s3:ListBucketVersions", "s3:PutBucket*",
			"s3:Put*Configuration",
		}, "arn:aws:s3:::"+s.expand("%s-logs-")+s.Account+"*")}
}

// roleStatements returns statements that allow creating an environment's roles, and passing them to AWS services.
// They deny creating a role, adding a policy or changing the trust without the boundary, and replacing it. Nothing allows
// changing the boundary, removing it, or managed policies. IAM has no such condition for passing a role; deleting one leads to nothing of
// production's.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_iam.html
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
func roleStatements(s scope) []statement {
	roles := s.globalARNs("iam", "role/%s-*")
	return []statement{
		allow("Roles", []string{
			"iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
			"iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
		}, roles...),
		deny("Bounded", []string{
			"iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy",
		}, anyResource).
			when("StringNotEquals", "iam:PermissionsBoundary", environment.BoundaryARN(s.Prefix, s.Account)),
		// The program gives each role to one of these services. IAM limits what passes to the five of them, not each role to its own: a
		// statement for each would exceed the size of the policy, and the boundary limits what any of them can do.
		allow("PassRoles", []string{"iam:PassRole"}, roles...).
			when("StringEquals", "iam:PassedToService",
				"ecs-tasks.amazonaws.com", "events.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com",
				"vpc-flow-logs.amazonaws.com"),
	}
}

// domainStatements returns statements that allow the records at and below the environments' domains, and certificates
// for the domains. The record that proves the control of a domain to ACM is the same for all certificates of the
// account, so any of them would be issued.
// Source: https://docs.aws.amazon.com/acm/latest/userguide/acm-conditions.html
func domainStatements(s scope) []statement {
	if len(s.domains) == 0 {
		return nil
	}
	var hosts []string
	for _, domain := range s.domains {
		hosts = append(hosts, domain, "*."+domain)
	}
	return []statement{
		allow("Records", []string{changeRecords}, s.zoneARN).
			when("ForAllValues:StringEquals", recordTypes, ownRecordTypes()...).
			when("ForAllValues:StringLike", recordNames, hosts...),
		allow("RequestCertificate", []string{"acm:RequestCertificate"}, anyResource).
			when("StringEquals", "aws:RequestTag/Environment", s.tagged...).
			when("ForAllValues:StringEquals", "acm:DomainNames", s.domains...),
	}
}

// unnamedStatements returns those about resources whose names AWS generates.
func unnamedStatements(s scope) []statement {
	return []statement{
		allow("TagCertificate", []string{"acm:AddTagsToCertificate"}, anyResource).
			when("StringEquals", "aws:RequestTag/Environment", s.tagged...),
		allow("DeleteCertificate", []string{"acm:DeleteCertificate", "acm:RemoveTagsFromCertificate"}, anyResource).
			when("StringEquals", "aws:ResourceTag/Environment", s.tagged...),
		allow("TagHealthChecks", []string{"route53:ChangeTagsForResource"}, "arn:aws:route53:::healthcheck/*"),
		allow("Scaling", []string{
			"application-autoscaling:*ScalableTarget", "application-autoscaling:*ScalingPolicy",
			"application-autoscaling:*agResource",
		}, fmt.Sprintf("arn:aws:application-autoscaling:%s:%s:scalable-target/*", s.Region, s.Account)),
		// RDS creates the database's secret with the caller's permissions. Only snapshots of deployments can be
		// deleted; a final snapshot is all that remains of a database.
		// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
		allow("Database", []string{
			"rds:DeleteDBSnapshot", "secretsmanager:*RotateSecret", "secretsmanager:CreateSecret", "secretsmanager:TagResource",
		}, append(s.arns("rds", "snapshot:%s-pre-deploy-*"), s.databaseSecretARNs())...),
		allow("Unlimited", []string{
			// A registry token has no resource.
			"ecr:GetAuthorizationToken",
			// A revision cannot be limited; its permissions are limited by the roles that can be passed to it.
			"ecs:DeregisterTaskDefinition", "ecs:RegisterTaskDefinition",
			// A policy cannot identify a health check by name or tag: this allows all of the account, production's
			// included. A new one has no ID, and so no ARN.
			// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonroute53.html
			"route53:*HealthCheck",
			// SNS has no resource type for subscriptions: this allows removing every recipient of the account, production's included.
			// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
			"sns:Unsubscribe",
			// WAF and flow logs set up their delivery with the caller's permissions.
			"logs:*LogDelivery", "logs:PutResourcePolicy",
		}, anyResource),
	}
}

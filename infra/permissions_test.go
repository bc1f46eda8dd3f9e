package infra

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// githubPermissions returns the statements of one of GitHub's roles: of its own policy and of attached ones.
func githubPermissions(t *testing.T, all []registration, role string) policy {
	t.Helper()
	var may policy
	for _, r := range ofType(all, "aws:iam/rolePolicy:RolePolicy") {
		if r.name == role {
			may = parsed(t, r.get("policy"))
		}
	}
	attached := 0
	for _, r := range ofType(all, "aws:iam/rolePolicyAttachment:RolePolicyAttachment") {
		if r.get("role") != find(t, all, "aws:iam/role:Role", role).get("name") {
			continue
		}
		for _, managed := range ofType(all, "aws:iam/policy:Policy") {
			if arn, _ := r.get("policyArn").(string); strings.HasSuffix(arn, ":"+managed.name) {
				attached++
				may.Statement = append(may.Statement, parsed(t, managed.get("policy")).Statement...)
			}
		}
	}
	require.Equal(t, map[string]int{deployRole: 2, productionRole: 2, readRole: 1}[role], attached)
	return may
}

const (
	deployRole     = "delivery-deploy"
	productionRole = "delivery-production"
	readRole       = "delivery-read"
	boundaryARN    = "arn:aws:iam::123456789012:policy/v3-backend-boundary"
)

// decision is a request and the roles of GitHub that may make it.
type decision struct {
	request
	allowed []string
}

// decide checks every decision.
func decide(t *testing.T, decisions map[string]decision) {
	t.Helper()
	_, all := sharedStack(t)
	for _, role := range []string{deployRole, productionRole, readRole} {
		may := githubPermissions(t, all, role)
		for name, d := range decisions {
			require.Equalf(t, slices.Contains(d.allowed, role), may.allows(t, d.request), "%s: %s", role, name)
		}
	}
}

// TestWorkflowsCannotEscapeTheBoundary checks that roles are created, and get policies or another trust, only with the boundary. Otherwise
// a workflow could allow a task role everything, and run a task with it.
func TestWorkflowsCannotEscapeTheBoundary(t *testing.T) {
	const task = "arn:aws:iam::123456789012:role/v3-backend-staging-task-role"
	const theirs = "arn:aws:iam::123456789012:role/v3-backend-production-task-role"
	decisions := map[string]decision{
		"trust of a role of the deployer": {of("iam:UpdateAssumeRolePolicy", "arn:aws:iam::123456789012:role/GitHubActions-Read-Role").
			with("iam:PermissionsBoundary", boundaryARN), nil},
		"trust of any role": {of("iam:UpdateAssumeRolePolicy", "arn:aws:iam::123456789012:role/admin").
			with("iam:PermissionsBoundary", boundaryARN), nil},
		"delete a role's boundary": {of("iam:DeleteRolePermissionsBoundary", task).with("iam:PermissionsBoundary", boundaryARN), nil},
		"attach a managed policy":  {of("iam:AttachRolePolicy", task), nil},
		"pass a role to a task":    {of("iam:PassRole", task).with("iam:PassedToService", "ecs-tasks.amazonaws.com"), []string{deployRole}},
		"pass a role to a machine": {of("iam:PassRole", task).with("iam:PassedToService", "ec2.amazonaws.com"), nil},
	}
	for _, action := range []string{"iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary", "iam:UpdateAssumeRolePolicy"} {
		decisions[action+" without a boundary"] = decision{of(action, task), nil}
		decisions[action+" with another boundary"] = decision{
			of(action, task).with("iam:PermissionsBoundary", "arn:aws:iam::aws:policy/AdministratorAccess"), nil}
		decisions[action+" with the boundary"] = decision{
			of(action, task).with("iam:PermissionsBoundary", boundaryARN), []string{deployRole}}
		decisions[action+" of production"] = decision{
			of(action, theirs).with("iam:PermissionsBoundary", boundaryARN), []string{productionRole}}
	}
	for _, action := range []string{
		"iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion",
	} {
		decisions[action] = decision{of(action, boundaryARN), nil}
	}
	decide(t, decisions)
}

func TestOnlyItsRoleChangesRecordsOfProduction(t *testing.T) {
	change := func(kind string, names ...string) request {
		return of("route53:ChangeResourceRecordSets", "arn:aws:aws:route53/zone:Zone:zone").
			with("route53:ChangeResourceRecordSetsRecordTypes", kind).
			with("route53:ChangeResourceRecordSetsNormalizedRecordNames", names...)
	}
	decide(t, map[string]decision{
		"staging's address":       {change("A", "staging-api.hyperchonk.com"), []string{deployRole}},
		"staging's proof":         {change("CNAME", "_a1.staging-api.hyperchonk.com"), []string{deployRole}},
		"production's address":    {change("AAAA", "api.hyperchonk.com"), []string{productionRole}},
		"production's proof":      {change("CNAME", "_a1.api.hyperchonk.com"), []string{productionRole}},
		"one of each":             {change("A", "staging-api.hyperchonk.com", "api.hyperchonk.com"), nil},
		"the root":                {change("A", "hyperchonk.com"), nil},
		"a delegation of staging": {change("NS", "staging-api.hyperchonk.com"), nil},
		"a proof for the root":    {change("CNAME", "_acme-challenge.hyperchonk.com"), nil},
		"a wildcard":              {change("CNAME", "*.hyperchonk.com"), nil},
		"another host":            {change("A", "www.hyperchonk.com"), nil},
		"a name that ends alike":  {change("A", "x-staging-api.hyperchonk.com"), nil},
		"who issues certificates": {change("CAA", "staging-api.hyperchonk.com"), nil},
	})
	certificate := func(names ...string) request {
		return of("acm:RequestCertificate", "*").with("aws:RequestTag/Environment", "staging").with("acm:DomainNames", names...)
	}
	decide(t, map[string]decision{
		"staging's certificate":    {certificate("staging-api.hyperchonk.com"), []string{deployRole}},
		"a certificate of all":     {certificate("*.hyperchonk.com"), nil},
		"production's certificate": {certificate("api.hyperchonk.com"), nil},
		"a certificate of both":    {certificate("staging-api.hyperchonk.com", "api.hyperchonk.com"), nil},
		"production's own, tagged": {certificate("api.hyperchonk.com").with("aws:RequestTag/Environment", "production"),
			[]string{productionRole}},
		"its domain with a wildcard": {certificate("*.staging-api.hyperchonk.com"), nil},
	})
	env, _ := deployed(t, "production")
	shared, err := environment.LoadShared("..")
	require.NoError(t, err)
	require.Equal(t, env.Domain.Name, shared.ProductionDomain(), "the roles know production's domain")
}

// TestNetworkPermissionsRequireTheTag checks that a workflow changes only resources with its environments' tag, and
// cannot tag others.
func TestNetworkPermissionsRequireTheTag(t *testing.T) {
	const group, vpc = "arn:aws:ec2:us-east-1:123456789012:security-group/sg-1", "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1"
	const has, gets = "aws:ResourceTag/Environment", "aws:RequestTag/Environment"
	region := func(r request) request { return r.with("aws:RequestedRegion", "us-east-1") }
	decide(t, map[string]decision{
		"close an untagged group":        {region(of("ec2:RevokeSecurityGroupIngress", group)), nil},
		"close a group of its own":       {region(of("ec2:RevokeSecurityGroupEgress", group)).with(has, "staging"), []string{deployRole}},
		"close production's":             {region(of("ec2:RevokeSecurityGroupEgress", group)).with(has, "production"), []string{productionRole}},
		"tag what it makes":              {of("ec2:CreateTags", vpc).with("ec2:CreateAction", "CreateVpc").with(gets, "staging"), []string{deployRole}},
		"tag what it makes wrongly":      {of("ec2:CreateTags", vpc).with("ec2:CreateAction", "CreateVpc").with(gets, "other"), nil},
		"rename what is its own":         {of("ec2:CreateTags", vpc).with(has, "development"), []string{deployRole}},
		"give away what is its own":      {of("ec2:CreateTags", vpc).with(has, "staging").with(gets, "production"), nil},
		"take a VPC that has no tag":     {of("ec2:CreateTags", vpc).with(gets, "staging"), nil},
		"take a VPC of production":       {of("ec2:CreateTags", vpc).with(has, "production").with(gets, "staging"), nil},
		"tag a VPC's own security group": {of("ec2:CreateTags", group).with(gets, "staging"), []string{deployRole}},
		"take another's security group":  {of("ec2:CreateTags", group).with(has, "other").with(gets, "staging"), nil},
	})
}

func TestDatabasePermissionsKeepSnapshots(t *testing.T) {
	own := func(resource string) string {
		return "arn:aws:rds:us-east-1:123456789012:" + fmt.Sprintf(resource, "v3-backend-production")
	}
	only := []string{productionRole}
	all := []string{deployRole, productionRole, readRole}
	decide(t, map[string]decision{
		"the instance":            {of("rds:CreateDBInstance", own("db:%s-db")), only},
		"its subnets":             {of("rds:CreateDBInstance", own("subgrp:%s-db")), only},
		"its default options":     {of("rds:CreateDBInstance", "arn:aws:rds:us-east-1:123456789012:og:default:postgres-16"), []string{deployRole, productionRole}},
		"the key of its password": {of("kms:DescribeKey", "arn:aws:kms:us-east-1:123456789012:key/1"), all},
		"its password":            {of("secretsmanager:CreateSecret", "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1"), []string{deployRole, productionRole}},
		"an old snapshot":         {of("rds:DeleteDBSnapshot", own("snapshot:%s-pre-deploy-20261123-181140")), only},
		"another user's snapshot": {of("rds:DeleteDBSnapshot", own("snapshot:%s-before-the-merger")), nil},
		"a group of its own":      {of("rds:DeleteDBSubnetGroup", own("subgrp:%s-db")), only},
		"the last snapshot":       {of("rds:DeleteDBSnapshot", own("snapshot:%s-db-final-0123456789")), nil},
		"the instance's end":      {of("rds:DeleteDBInstance", own("db:%s-db")), nil},
	})
}

func TestOnlyStatusPublishes(t *testing.T) {
	publish := of("cloudwatch:PutMetricData", "*")
	decide(t, map[string]decision{
		"its own namespace": {publish.with("cloudwatch:namespace", environment.MetricsNamespace), []string{deployRole, productionRole, readRole}},
		"another namespace": {publish.with("cloudwatch:namespace", "AWS/ECS"), nil},
	})
}

// TestRolesMayDeployTheAlarmOfAnotherRegion checks what an environment outside us-east-1 has there: the alarm of its health check and a topic.
func TestRolesMayDeployTheAlarmOfAnotherRegion(t *testing.T) {
	shared, err := environment.LoadShared("..")
	require.NoError(t, err)
	shared.Region = "eu-central-1"
	may := githubPermissions(t, record(t, environment.SharedStack, DeployShared(shared, "")), productionRole)
	for _, region := range []string{"eu-central-1", "us-east-1"} {
		of := region + ":123456789012:"
		for resource, actions := range map[string][]string{
			"arn:aws:cloudwatch:" + of + "alarm:v3-backend-production-outside": {"cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:DeleteAlarms"},
			"arn:aws:sns:" + of + "v3-backend-production-alarms":               {"sns:CreateTopic", "sns:TagResource", "sns:SetTopicAttributes", "sns:Subscribe", "sns:DeleteTopic"},
		} {
			for _, action := range actions {
				require.True(t, may.allows(t, request{action: action, resource: resource}), "%s on %s", action, resource)
			}
		}
	}
	require.False(t, may.allows(t, request{action: "sqs:CreateQueue", resource: "arn:aws:sqs:us-east-1:123456789012:v3-backend-production-background-jobs"}))
}

// TestDeployRoleCannotTouchProductionsSecrets checks the passwords of databases, which have no name of their own: RDS tags them.
func TestDeployRoleCannotTouchProductionsSecrets(t *testing.T) {
	on := func(action, environment string) request {
		return of(action, dbSecret).with(databaseOfSecret, ofRDS+"db:v3-backend-"+environment+"-db")
	}
	for _, action := range []string{"secretsmanager:RotateSecret", "secretsmanager:CancelRotateSecret",
		"secretsmanager:TagResource"} {
		decide(t, map[string]decision{
			action + " of staging":    {on(action, "staging"), []string{deployRole, productionRole}},
			action + " of production": {on(action, "production"), []string{productionRole}},
		})
	}
}

// TestTasksStayInTheirEnvironment checks that no task runs in production's cluster, or from production's task
// definition, on behalf of another environment: IAM decides a task by its definition, and a service by its own name.
func TestTasksStayInTheirEnvironment(t *testing.T) {
	run := func(cluster, definition string) request {
		return of("ecs:RunTask", ofECS+"task-definition/v3-backend-"+definition+"-migration-task:7").with("ecs:cluster", cluster)
	}
	serve := func(action, service, definition string) request {
		return of(action,
			ofECS+"service/v3-backend-"+service+"-cluster/v3-backend-"+service+"-api-service").with("ecs:task-definition",
			definition)
	}
	decisions := map[string]decision{
		"its own":               {run(ofECS+"cluster/v3-backend-staging-cluster", "staging"), []string{deployRole}},
		"production's":          {run(ofECS+"cluster/v3-backend-production-cluster", "production"), []string{productionRole}},
		"in production":         {run(ofECS+"cluster/v3-backend-production-cluster", "staging"), nil},
		"in production by name": {run("v3-backend-production-cluster", "staging"), nil},
	}
	for _, action := range []string{"ecs:CreateService", "ecs:UpdateService"} {
		for definition, allowed := range map[string][]string{
			ofECS + "task-definition/v3-backend-staging-api:7":    {deployRole},
			ofECS + "task-definition/v3-backend-production-api:7": nil,
			"v3-backend-production-api:7":                         nil, "v3-backend-production-api": nil,
		} {
			decisions[action+" with "+definition] = decision{serve(action, "staging", definition), allowed}
		}
	}
	decide(t, decisions)
}

// TestDeployRoleKeepsWhatAllStacksRead checks the file in which the state's backend keeps its version.
func TestDeployRoleKeepsWhatAllStacksRead(t *testing.T) {
	const bucket = "arn:aws:s3:::v3-backend-pulumi-state-123456789012/"
	for _, action := range []string{"s3:PutObject", "s3:DeleteObject"} {
		decide(t, map[string]decision{
			action + " the version": {of(action, bucket+".pulumi/meta.yaml"), nil},
			action + " a state":     {of(action, bucket+".pulumi/stacks/v3-backend/staging.json"), []string{deployRole}},
		})
	}
}

// TestReadRoleReadsNoRequests checks that the samples of the firewall, which contain headers and query strings of
// users, are read by no role.
func TestReadRoleReadsNoRequests(t *testing.T) {
	readers := []string{productionRole, readRole} // the other role is denied all of production
	decide(t, map[string]decision{
		"samples":     {of("wafv2:GetSampledRequests", strings.ReplaceAll(webACL, "ENV", "production")), nil},
		"the rules":   {of("wafv2:GetWebACL", strings.ReplaceAll(webACL, "ENV", "production")), readers},
		"of a target": {of("wafv2:GetWebACLForResource", strings.ReplaceAll(balancer, "ENV", "production")), readers},
		"the logging": {of("wafv2:GetLoggingConfiguration", strings.ReplaceAll(webACL, "ENV", "production")), readers},
	})
}

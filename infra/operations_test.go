package infra

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const sdkServices = "github.com/aws/aws-sdk-go-v2/service/"

// operations returns the SDK operations, such as ecs.RunTask, whose input the sources of a pattern create. Every call has
// one. It ignores tests.
func operations(t *testing.T, patterns ...string) []string {
	t.Helper()
	found := map[string]bool{}
	for _, pattern := range patterns {
		names, err := filepath.Glob(filepath.Join("..", pattern))
		require.NoError(t, err)
		require.NotEmpty(t, names, pattern)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			services := importedServices(t, file)
			ast.Inspect(file, func(node ast.Node) bool {
				if selector, ok := node.(*ast.SelectorExpr); ok {
					from, _ := selector.X.(*ast.Ident)
					operation, isInput := strings.CutSuffix(selector.Sel.Name, "Input")
					if from != nil && isInput && services[from.Name] != "" {
						found[services[from.Name]+"."+operation] = true
					}
				}
				return true
			})
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// importedServices maps the names under which a file imports the SDK's services to those of the services.
func importedServices(t *testing.T, file *ast.File) map[string]string {
	t.Helper()
	services := map[string]string{}
	for _, imported := range file.Imports {
		from, err := strconv.Unquote(imported.Path.Value)
		require.NoError(t, err)
		service, ok := strings.CutPrefix(from, sdkServices)
		if !ok || strings.Contains(service, "/") {
			continue
		}
		name := path.Base(from)
		if imported.Name != nil {
			name = imported.Name.Name
		}
		services[name] = service
	}
	return services
}

// actionOf returns the IAM action of an SDK operation. Most have the operation's name.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
func actionOf(operation string) string {
	service, name, _ := strings.Cut(operation, ".")
	if prefix, ok := map[string]string{
		"applicationautoscaling": "application-autoscaling", "cloudwatchlogs": "logs",
		"elasticloadbalancingv2": "elasticloadbalancing",
	}[service]; ok {
		service = prefix
	}
	if action, ok := map[string]string{
		"budgets:DescribeBudget":             "budgets:ViewBudget",
		"s3:GetBucketEncryption":             "s3:GetEncryptionConfiguration",
		"s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
		"s3:GetPublicAccessBlock":            "s3:GetBucketPublicAccessBlock",
		"s3:HeadBucket":                      "s3:ListBucket",
		"s3:ListObjectsV2":                   "s3:ListBucket",
		"s3:ListObjectVersions":              "s3:ListBucketVersions",
	}[service+":"+name]; ok {
		return action
	}
	return service + ":" + name
}

// resourcesOf returns the resources of an action, all of which must be allowed. ENV is an environment, STACK its stack.
// Other actions are requested on a resource that no policy names.
func resourcesOf(action, env, stack string) []string {
	const region = "us-east-1:123456789012:"
	limited := map[string][]string{
		"ecs:RunTask":        {"arn:aws:ecs:" + region + "task-definition/v3-backend-ENV-migration-task:7"},
		"ecs:ExecuteCommand": {"arn:aws:ecs:" + region + "task/v3-backend-ENV-cluster/0123456789abcdef"},
		"ssm:StartSession": {
			"arn:aws:ecs:" + region + "task/v3-backend-ENV-cluster/0123456789abcdef",
			"arn:aws:ssm:us-east-1::document/AWS-StartPortForwardingSessionToRemoteHost",
		},
		"ecs:StopTask":               {"arn:aws:ecs:" + region + "task/v3-backend-ENV-cluster/0123456789abcdef"},
		"ecs:StopServiceDeployment":  {"arn:aws:ecs:" + region + "service-deployment/v3-backend-ENV-cluster/v3-backend-ENV-api-service/x"},
		"ecs:UpdateService":          {"arn:aws:ecs:" + region + "service/v3-backend-ENV-cluster/v3-backend-ENV-api-service"},
		"ecr:PutImage":               {"arn:aws:aws:ecr/repository:Repository:registry"},
		"ecr:GetDownloadUrlForLayer": {"arn:aws:aws:ecr/repository:Repository:registry"},
		"rds:DeleteDBInstance":       {"arn:aws:rds:" + region + "db:v3-backend-ENV-db-before-restore-20261123-181140"},
		"kms:DescribeKey":            {"arn:aws:kms:" + region + "key/0123"},
		"logs:GetLogEvents":          {"arn:aws:logs:" + region + "log-group:/aws/ecs/v3-backend-ENV:log-stream:api/balancer-api/x"},
		"logs:FilterLogEvents":       {"arn:aws:logs:" + region + "log-group:/aws/ecs/v3-backend-ENV:*"},
		"rds:CreateDBSnapshot": {
			"arn:aws:rds:" + region + "db:v3-backend-ENV-db",
			"arn:aws:rds:" + region + "snapshot:v3-backend-ENV-pre-deploy-20261123-181140",
		},
		"rds:ModifyDBInstance": {"arn:aws:rds:" + region + "db:v3-backend-ENV-db-restored"},
		"rds:RestoreDBInstanceFromDBSnapshot": {
			"arn:aws:rds:" + region + "db:v3-backend-ENV-db-restored", "arn:aws:rds:" + region + "subgrp:v3-backend-ENV-db",
			"arn:aws:rds:" + region + "pg:v3-backend-ENV-db-postgres16", "arn:aws:rds:" + region + "og:default:postgres-16",
			"arn:aws:rds:" + region + "snapshot:v3-backend-ENV-pre-deploy-20261123-181140",
		},
		"rds:StartDBInstance":                            {"arn:aws:rds:" + region + "db:v3-backend-ENV-db"},
		"rds:StopDBInstance":                             {"arn:aws:rds:" + region + "db:v3-backend-ENV-db"},
		"cloudwatch:SetAlarmState":                       {"arn:aws:cloudwatch:" + region + "alarm:v3-backend-ENV-asleep"},
		"ssm:DeleteParameter":                            {"arn:aws:ssm:" + region + "parameter/v3-backend/STACK/asleep"},
		"ssm:GetParameter":                               {"arn:aws:ssm:" + region + "parameter/v3-backend/STACK/asleep"},
		"ssm:PutParameter":                               {"arn:aws:ssm:" + region + "parameter/v3-backend/STACK/asleep"},
		"application-autoscaling:RegisterScalableTarget": {"arn:aws:application-autoscaling:" + region + "scalable-target/0ec5"},
		"rds:DeleteDBSnapshot":                           {"arn:aws:rds:" + region + "snapshot:v3-backend-ENV-pre-deploy-20261123-181140"},
		"s3:DeleteObject":                                {"arn:aws:s3:::v3-backend-pulumi-state-123456789012/locks/STACK.json"},
		"s3:GetObject":                                   {"arn:aws:s3:::v3-backend-pulumi-state-123456789012/deployments/STACK/1.json"},
		"s3:PutObject":                                   {"arn:aws:s3:::v3-backend-pulumi-state-123456789012/deployments/STACK/1.json"},
		"secretsmanager:GetSecretValue":                  {"arn:aws:secretsmanager:" + region + "secret:balancer-STACK-config-AbCdEf"},
	}[action]
	if limited == nil {
		limited = []string{"arn:aws:any:" + region + "thing"}
	}
	var named []string
	for _, subject := range limited {
		named = append(named, strings.NewReplacer("ENV", env, "STACK", stack).Replace(subject))
	}
	return named
}

// Every principal may call GetCallerIdentity.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
const unrestricted = "sts:GetCallerIdentity"

// deniedActions returns the actions of the operations, on an environment, that a role is not allowed.
func deniedActions(t *testing.T, may policy, operations []string, env, stack string) []string {
	t.Helper()
	var refused []string
	for _, operation := range operations {
		action := actionOf(operation)
		for _, subject := range resourcesOf(action, env, stack) {
			asked := of(action, subject).with("cloudwatch:namespace", "Balancer/Infrastructure")
			if action != unrestricted && !may.allows(t, asked) && !slices.Contains(refused, action) {
				refused = append(refused, action)
			}
		}
	}
	return refused
}

// TestGitHubRolesMayCallWhatTheDeployerCalls compares the SDK operations in the sources with the roles' permissions.
func TestGitHubRolesMayCallWhatTheDeployerCalls(t *testing.T) {
	_, all := sharedStack(t)
	deploying := operations(t, "internal/awsx/*/*.go", "deployer/bake/*.go", "deployer/release/*.go", "deployer/discovery/*.go", "deployer/history/*.go",
		"deployer/database/*.go", "deployer/sleep/*.go", "deployer/logs/*.go", "deployer/lock/*.go", "deployer/notify/*.go", "deployer/target/*.go",
		"deployer/stack/*.go", "deployer/statebackend/inspect.go", "deployer/command/up.go", "deployer/command/preview.go",
		"deployer/command/drift.go", "deployer/command/migrate.go", "deployer/command/rollback.go")
	reading := operations(t, "internal/awsx/*/*.go", "checks/*.go", "deployer/command/status*.go")
	for _, operation := range []string{
		"ecs.RunTask", "ecs.StopTask", "ecs.StopServiceDeployment", "ecs.ListServiceDeployments", "ecs.DescribeServiceDeployments",
		"rds.CreateDBSnapshot", "ecr.BatchGetImage", "s3.PutObject", "cloudwatchlogs.GetLogEvents",
		"cloudwatchlogs.FilterLogEvents", "cloudwatch.GetMetricData", "cloudwatch.DescribeAlarms", "elasticloadbalancingv2.DescribeTargetHealth",
	} {
		require.Contains(t, deploying, operation, "the sources were read")
	}
	require.Contains(t, reading, "cloudwatch.PutMetricData", "the sources were read")
	everything := append(slices.Concat(deploying, reading),
		// Actions that the deployer needs under some conditions only.
		"ecs.DescribeServiceRevisions", "rds.DescribeDBSnapshots", "rds.DeleteDBSnapshot",
		"ecr.PutImage", "ecr.DescribeImages", "ecr.DescribeImageScanFindings")

	deploy, production, read := githubPermissions(t, all, deployRole), githubPermissions(t, all, productionRole), githubPermissions(t, all, readRole)
	require.Empty(t, deniedActions(t, deploy, everything, "staging", "staging"))
	require.Empty(t, deniedActions(t, deploy, everything, "development", "dev"))
	require.Equal(t, []string{"rds:DeleteDBInstance"}, deniedActions(t, production, everything, "production", "production"),
		"a protected environment is not destroyed")
	for _, stack := range []string{"dev", "staging"} {
		require.Empty(t, deniedActions(t, production, []string{"s3.GetObject", "s3.ListObjectsV2"}, stack, stack), "deployment.verifiedIn reads the records of %s", stack)
	}

	const secret, lines = "secretsmanager:GetSecretValue", "logs:GetLogEvents"
	require.ElementsMatch(t, []string{secret, lines}, deniedActions(t, read, reading, "staging", "staging"))
	require.Equal(t, []string{"logs:FilterLogEvents"}, deniedActions(t, read, operations(t, "deployer/logs/*.go"), "staging", "staging"))
	listing := operations(t, "deployer/release/tasks.go", "internal/awsx/ecstasks/*.go", "internal/awsx/ecrimage/ecrimage.go")
	require.Subset(t, listing, []string{"ecs.ListTasks", "ecs.DescribeTasks", "ecr.DescribeImages"})
	require.Empty(t, deniedActions(t, read, listing, "production", "production"), "the command tasks")
	// A shell in a container and a tunnel are for people; workflows do not need them.
	sessions := operations(t, "deployer/ecsexec/*.go")
	for stack, name := range map[string]string{"dev": "development", "staging": "staging", "production": "production"} {
		for _, role := range []policy{deploy, production, read} {
			require.ElementsMatch(t, []string{"ecs:ExecuteCommand", "ssm:StartSession"}, deniedActions(t, role, sessions, name, stack))
		}
	}
	for _, action := range []string{
		"ecs:RunTask", "ecs:StopTask", "ecs:StopServiceDeployment", "ecs:UpdateService", "rds:CreateDBSnapshot",
		"rds:DeleteDBSnapshot", "s3:PutObject", secret, lines,
	} {
		for _, subject := range resourcesOf(action, "production", "production") {
			require.Falsef(t, deploy.allows(t, of(action, subject)), "deploy: %s", subject)
		}
		for _, subject := range resourcesOf(action, "staging", "staging") {
			require.Falsef(t, production.allows(t, of(action, subject)), "production: %s", subject)
		}
	}
}

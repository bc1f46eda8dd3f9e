package command

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/environment"
)

// A policy is the part of an IAM policy that the test reads.
type policy struct {
	Statement []struct {
		Effect           string
		Action, Resource words
	}
}

// words are one string or several.
type words []string

func (w *words) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(w))
}

// allows reports whether a statement allows the action on the resource.
func (p policy) allows(action, resource string) bool {
	for _, s := range p.Statement {
		covers := func(pattern string) bool {
			// IAM's asterisk goes beyond a slash, that of path.Match does not.
			flat := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
			matched, err := path.Match(flat(pattern), flat(resource))
			return err == nil && matched
		}
		if s.Effect == "Allow" && slices.Contains(s.Action, action) && slices.ContainsFunc(s.Resource, covers) {
			return true
		}
	}
	return false
}

// testPolicy compares the policy that docs/ recommends with the calls of reports on every environment: each call is allowed on its
// resource, and nothing is allowed that no report uses.
func (d deployed) testPolicy(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(d.root, "docs", "iam", "status-read-only.json"))
	require.NoError(t, err)
	var p policy
	require.NoError(t, json.Unmarshal(text, &p))
	require.LessOrEqual(t, len(strings.Join(strings.Fields(string(text)), "")), 6144, "the maximum size of a managed policy")

	used := map[string]bool{}
	for _, name := range []string{"dev", "staging", "production"} {
		account, env := d.open(t, name)
		network, err := account.Network()
		require.NoError(t, err)
		arns := resourcesOf(env)
		report := checks.Run(t.Context(), env, checks.Sources{AWS: asIndexes(account.AWS()), Network: network}, checks.Options{
			Trace: func(c checks.Call) { used[c.Permission()] = true },
		}, account.Clock())
		require.Zero(t, report.Summary.Unknown)
		for action := range used {
			arn, named := arns[action]
			if !named {
				arn = "*"
			}
			require.True(t, p.allows(action, arn), "%s on %s is not allowed", action, arn)
			require.Equal(t, named, !p.allows(action, "arn:aws:any:us-east-1:123456789012:thing"), "%s is not for named resources alone", action)
		}
	}
	// GetWebACLForResource checks whether its caller may read the web ACL that it finds.
	// Source: https://docs.aws.amazon.com/waf/latest/APIReference/API_GetWebACLForResource.html
	require.True(t, used["wafv2:GetWebACLForResource"])
	used["wafv2:GetWebACL"] = true

	var allowed []string
	for _, s := range p.Statement {
		require.Equal(t, "Allow", s.Effect)
		allowed = append(allowed, s.Action...)
	}
	slices.Sort(allowed)
	require.Equal(t, slices.Sorted(maps.Keys(used)), allowed)
}

// resourcesOf returns the resource of each action that IAM can restrict to a resource.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
func resourcesOf(env *environment.Environment) map[string]string {
	arns := map[string]string{}
	about := func(arn string, actions ...string) {
		for _, action := range actions {
			arns[action] = arn
		}
	}
	// at is an ARN in the environment's account and region, in no region where the service has none.
	at := func(service, resource string) string {
		region := env.Region
		if service == "iam" || service == "budgets" {
			region = ""
		}
		return strings.Join([]string{"arn:aws", service, region, env.Account, resource}, ":")
	}
	about(at("acm", "certificate/f6a1c8e8-8c49-04d2-ab11-c33aa94943a0"), "acm:DescribeCertificate")
	about(at("budgets", "budget/"+env.BudgetName()), "budgets:ViewBudget")
	about(at("ecr", "repository/"+env.Image.Repository), "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeRepositories")
	about(at("ecs", "cluster/"+env.ClusterName()), "ecs:DescribeClusters")
	about(at("ecs", "service/"+env.ClusterName()+"/"+env.ServiceName("api")), "ecs:DescribeServices")
	about(at("ecs", "task/"+env.ClusterName()+"/0123456789abcdef0123456789abcdef"), "ecs:DescribeTasks")
	about(at("elasticloadbalancing", "loadbalancer/app/"+env.LoadBalancerName()+"/0123456789abcdef"), "wafv2:GetWebACLForResource")
	about(at("iam", "role/"+env.TaskRoleName()), "iam:GetRole")
	about(at("logs", "log-group:"+env.LogGroupName()+":log-stream:api/balancer-api/0123456789abcdef"), "logs:GetLogEvents")
	about(at("rds", "db:"+env.DatabaseIdentifier()),
		"rds:DescribeDBInstances", "rds:DescribeDBSnapshots", "rds:DescribePendingMaintenanceActions")
	about("arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ", "route53:GetHostedZone", "route53:ListResourceRecordSets")
	about("arn:aws:s3:::"+env.LogBucketName(), "s3:ListBucket", "s3:GetBucketPublicAccessBlock", "s3:GetEncryptionConfiguration")
	about(at("secretsmanager", "secret:"+env.SecretName()+"-AbCdEf"), "secretsmanager:GetSecretValue")
	about(at("secretsmanager", "secret:rds!db-f6a1c8e8-8c49-04d2-ab11-c33aa94943a0-AbCdEf"), "secretsmanager:DescribeSecret")
	about(at("sqs", env.QueueName()), "sqs:GetQueueAttributes", "sqs:GetQueueUrl")
	about(at("ssm", "parameter"+env.AsleepParameter()), "ssm:GetParameter")
	about(env.TopicARN(env.Region), "sns:ListSubscriptionsByTopic")
	return arns
}

// asIndexes lets the registry return images that were built with provenance: each is an index, whose findings are its children's.
func asIndexes(cfg aws.Config) aws.Config {
	index := middleware.InitializeMiddlewareFunc("AsIndexes", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		if images, ok := out.Result.(*ecr.DescribeImagesOutput); ok && err == nil {
			for i := range images.ImageDetails {
				images.ImageDetails[i].ImageManifestMediaType = aws.String("application/vnd.oci.image.index.v1+json")
			}
		}
		return out, metadata, err
	})
	cfg = cfg.Copy()
	cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error { return stack.Initialize.Add(index, middleware.Before) })
	return cfg
}

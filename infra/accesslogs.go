package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// AccessLogs is the private, encrypted bucket of the load balancer's access logs.
type AccessLogs struct {
	pulumi.ResourceState

	// BucketName resolves once the load balancer may write to the bucket.
	BucketName pulumi.StringOutput
}

// accessLogDays is the retention of access logs: long enough to investigate an incident that was noticed late.
const accessLogDays = 90

// NewAccessLogs declares AccessLogs.
func NewAccessLogs(
	ctx *pulumi.Context, name string, env *environment.Environment, opts ...pulumi.ResourceOption,
) (*AccessLogs, error) {
	c := &AccessLogs{}
	child, err := declare(ctx, "AccessLogs", name, c, opts)
	if err != nil {
		return nil, err
	}
	bucket, err := s3.NewBucketV2(ctx, name, &s3.BucketV2Args{
		Bucket:       pulumi.String(env.LogBucketName()),
		ForceDestroy: pulumi.Bool(!env.Protected),
		Tags:         withName(env.Tags(), env.LogBucketName()),
	}, child)
	if err != nil {
		return nil, err
	}
	if err := configureBucket(ctx, name, bucket, child); err != nil {
		return nil, err
	}
	policy, err := s3.NewBucketPolicy(ctx, name, &s3.BucketPolicyArgs{
		Bucket: bucket.Bucket,
		Policy: documentOf(func(arn []string) []statement { return accessLogStatements(env, arn[0]) }, bucket.Arn),
	}, child)
	if err != nil {
		return nil, err
	}
	c.BucketName = policy.Bucket
	return c, finish(ctx, name, c, pulumi.Map{"bucketName": c.BucketName})
}

// accessLogStatements returns statements that allow load balancers to write this account's logs, and deny requests without TLS. The account in
// the path keeps other accounts' logs out: AWS always writes the load balancer's own there.
// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
func accessLogStatements(env *environment.Environment, bucketARN string) []statement {
	return []statement{
		allow("LoadBalancerWrites", []string{"s3:PutObject"}, fmt.Sprintf("%s/AWSLogs/%s/*", bucketARN, env.Account)).
			principal("Service", "logdelivery.elasticloadbalancing.amazonaws.com"),
		tlsOnly("s3:*", bucketARN, bucketARN+"/*"),
	}
}

// configureBucket makes the bucket private and encrypted, and expires its objects. Encryption uses S3's own keys, since
// the load balancer cannot write with any other.
func configureBucket(ctx *pulumi.Context, name string, bucket *s3.BucketV2, child pulumi.ResourceOption) error {
	if _, err := s3.NewBucketPublicAccessBlock(ctx, name, &s3.BucketPublicAccessBlockArgs{
		Bucket:                bucket.Bucket,
		BlockPublicAcls:       pulumi.Bool(true),
		BlockPublicPolicy:     pulumi.Bool(true),
		IgnorePublicAcls:      pulumi.Bool(true),
		RestrictPublicBuckets: pulumi.Bool(true),
	}, child); err != nil {
		return err
	}
	if _, err := s3.NewBucketOwnershipControls(ctx, name, &s3.BucketOwnershipControlsArgs{
		Bucket: bucket.Bucket,
		Rule:   s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, child); err != nil {
		return err
	}
	if _, err := s3.NewBucketServerSideEncryptionConfigurationV2(ctx, name,
		&s3.BucketServerSideEncryptionConfigurationV2Args{
			Bucket: bucket.Bucket,
			Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
				ApplyServerSideEncryptionByDefault: s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
					SseAlgorithm: pulumi.String("AES256"),
				},
			}},
		}, child); err != nil {
		return err
	}
	_, err := s3.NewBucketLifecycleConfigurationV2(ctx, name, &s3.BucketLifecycleConfigurationV2Args{
		Bucket: bucket.Bucket,
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{s3.BucketLifecycleConfigurationV2RuleArgs{
			Id:         pulumi.String("expire"),
			Status:     pulumi.String("Enabled"),
			Filter:     s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")},
			Expiration: s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(accessLogDays)},
			AbortIncompleteMultipartUpload: s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{
				DaysAfterInitiation: pulumi.Int(7),
			},
		}},
	}, child)
	return err
}

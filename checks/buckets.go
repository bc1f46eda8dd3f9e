package checks

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/balancer/v3-backend-infra/environment"
)

type bucket struct {
	// encryption is the algorithm, or "" without one; blocked reports whether all four blocks of public access are on.
	encryption string
	blocked    bool
}

// readBucket returns the bucket of the load balancer's access logs, or nil where there is none.
func readBucket(ctx context.Context, rc *runContext) (*bucket, error) {
	client := s3.NewFromConfig(rc.aws(), func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
	name := aws.String(rc.env.LogBucketName())
	_, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: name})
	if err != nil {
		return nil, ignoreCodes(err, "NotFound", "NoSuchBucket")
	}
	var found bucket
	encryption := func(ctx context.Context) error {
		out, err := client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: name})
		if err != nil {
			return ignoreCodes(err, "ServerSideEncryptionConfigurationNotFoundError")
		}
		found.encryption = algorithmOf(out.ServerSideEncryptionConfiguration)
		return nil
	}
	access := func(ctx context.Context) error {
		out, err := client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: name})
		if err != nil {
			return ignoreCodes(err, "NoSuchPublicAccessBlockConfiguration")
		}
		found.blocked = allBlocked(out.PublicAccessBlockConfiguration)
		return nil
	}
	return &found, parallel(ctx, encryption, access)
}

func algorithmOf(c *s3types.ServerSideEncryptionConfiguration) string {
	if c == nil || len(c.Rules) == 0 || c.Rules[0].ApplyServerSideEncryptionByDefault == nil {
		return ""
	}
	return string(c.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm)
}

func allBlocked(c *s3types.PublicAccessBlockConfiguration) bool {
	return c != nil && aws.ToBool(c.BlockPublicAcls) && aws.ToBool(c.BlockPublicPolicy) &&
		aws.ToBool(c.IgnorePublicAcls) && aws.ToBool(c.RestrictPublicBuckets)
}

func evaluateBucket(found *bucket, env *environment.Environment) Finding {
	f := newFinding("buckets", "S3-Bucket-"+env.LogBucketName())
	if found == nil {
		return f.error("BucketMissing", missingHint(env, "the bucket"), "the bucket %s does not exist", env.LogBucketName())
	}
	f = f.with("public_access_blocked", found.blocked).with("encryption", found.encryption)
	switch {
	case !found.blocked:
		return f.error("PublicAccessPossible", driftHint(env, "the block was removed outside the deployer"), "the bucket does not block public access")
	case found.encryption == "":
		return f.warning("NotEncrypted", driftHint(env, "the encryption was removed outside the deployer"), "the bucket is not encrypted")
	}
	return f.healthy("Private", "private, encrypted with %s", found.encryption)
}

package checks

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/balancer/v3-backend-infra/environment"
)

type bucket struct {
	// encryption is the algorithm, or "" without one; blocked reports whether all four blocks of public access are on. A nil one is missing
	// from AWS's answer.
	encryption *string
	blocked    *bool
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
			found.encryption = new(string)
			return ignoreCodes(err, "ServerSideEncryptionConfigurationNotFoundError")
		}
		found.encryption = algorithmOf(out.ServerSideEncryptionConfiguration)
		return nil
	}
	access := func(ctx context.Context) error {
		out, err := client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: name})
		if err != nil {
			found.blocked = new(bool)
			return ignoreCodes(err, "NoSuchPublicAccessBlockConfiguration")
		}
		found.blocked = allBlocked(out.PublicAccessBlockConfiguration)
		return nil
	}
	return &found, parallel(ctx, encryption, access)
}

// algorithmOf returns nil where the answer has no algorithm: S3 returns an error for a bucket without encryption.
func algorithmOf(c *s3types.ServerSideEncryptionConfiguration) *string {
	if c == nil || len(c.Rules) == 0 || c.Rules[0].ApplyServerSideEncryptionByDefault == nil {
		return nil
	}
	return aws.String(string(c.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm))
}

// allBlocked returns nil where the answer lacks a block and no other one is off.
func allBlocked(c *s3types.PublicAccessBlockConfiguration) *bool {
	if c == nil {
		return nil
	}
	all := aws.Bool(true)
	for _, block := range []*bool{c.BlockPublicAcls, c.BlockPublicPolicy, c.IgnorePublicAcls, c.RestrictPublicBuckets} {
		switch {
		case block == nil:
			all = nil
		case !*block:
			return block
		}
	}
	return all
}

func evaluateBucket(found *bucket, env *environment.Environment) Finding {
	f := newFinding("buckets", "S3-Bucket-"+env.LogBucketName())
	if found == nil {
		return f.error("BucketMissing", missingHint(env, "the bucket"), "the bucket %s does not exist", env.LogBucketName())
	}
	if found.blocked != nil {
		f = f.with("public_access_blocked", *found.blocked)
	}
	if found.encryption != nil {
		f = f.with("encryption", *found.encryption)
	}
	switch {
	case found.blocked != nil && !*found.blocked:
		return f.error("PublicAccessPossible", driftHint(env, "the block was removed outside the deployer"), "the bucket does not block public access")
	case found.encryption != nil && *found.encryption == "":
		return f.warning("NotEncrypted", driftHint(env, "the encryption was removed outside the deployer"), "the bucket is not encrypted")
	case found.blocked == nil || found.encryption == nil:
		return f.unknown("SettingsUnknown", incompleteAnswer("GetPublicAccessBlock or GetBucketEncryption", "a setting"),
			"it is unknown whether the bucket is private and encrypted")
	}
	return f.healthy("Private", "private, encrypted with %s", *found.encryption)
}

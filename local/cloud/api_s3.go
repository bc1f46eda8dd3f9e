package cloud

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func s3Operations() []operation {
	return []operation{readOp(listLocks), readOp(headBucket), readOp(getPublicAccessBlock), readOp(getBucketEncryption), readOp(getBucketPolicy)}
}

func headBucket(m model, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	if m.Get(typeBucket, deref(in.Bucket)) == nil {
		return nil, &types.NotFound{Message: aws.String("Not Found")}
	}
	return &s3.HeadBucketOutput{BucketRegion: aws.String(m.Region), BucketArn: aws.String("arn:aws:s3:::" + *in.Bucket)}, nil
}

// listLocks lists the lock of a stack in the bucket of the state, which is a directory of this machine. Its holder renews it all the time.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func listLocks(m model, in *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	key := deref(in.Prefix)
	file, isLock := strings.CutPrefix(key, "locks/")
	stack, isFile := strings.CutSuffix(file, ".json")
	if !isLock || !isFile || !strings.HasSuffix(deref(in.Bucket), "-pulumi-state-"+m.ID) {
		return nil, apiError("NotSimulated", "local mode lists only the locks in the bucket of the state, not %s in %s", key, deref(in.Bucket))
	}
	out := &s3.ListObjectsV2Output{Name: in.Bucket, Prefix: in.Prefix, MaxKeys: in.MaxKeys, KeyCount: aws.Int32(0), IsTruncated: aws.Bool(false)}
	if m.locked != nil && m.locked(stack) {
		etag := fmt.Sprintf("%q", m.uuid("etag", key, m.now))
		out.KeyCount, out.Contents = aws.Int32(1), []types.Object{{Key: &key, ETag: &etag, LastModified: &m.now}}
	}
	return out, nil
}

// bucketPart returns the resource that holds one of a bucket's settings.
func (m model) bucketPart(bucket *string, typ, code, message string) (*Resource, error) {
	if m.Get(typeBucket, deref(bucket)) == nil {
		return nil, &types.NoSuchBucket{Message: aws.String("The specified bucket does not exist")}
	}
	if r := m.Get(typ, deref(bucket)); r != nil {
		return r, nil
	}
	return nil, apiError(code, "%s", message)
}

func getPublicAccessBlock(m model, in *s3.GetPublicAccessBlockInput) (*s3.GetPublicAccessBlockOutput, error) {
	r, err := m.bucketPart(in.Bucket, typeBucketPublicAccessBlock, "NoSuchPublicAccessBlockConfiguration",
		"The public access block configuration was not found")
	if err != nil {
		return nil, err
	}
	return &s3.GetPublicAccessBlockOutput{PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
		BlockPublicAcls: aws.Bool(r.Bool("blockPublicAcls")), BlockPublicPolicy: aws.Bool(r.Bool("blockPublicPolicy")),
		IgnorePublicAcls: aws.Bool(r.Bool("ignorePublicAcls")), RestrictPublicBuckets: aws.Bool(r.Bool("restrictPublicBuckets")),
	}}, nil
}

// getBucketEncryption returns SSE-S3 if no encryption was set, as S3 has done since 2023.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html
func getBucketEncryption(m model, in *s3.GetBucketEncryptionInput) (*s3.GetBucketEncryptionOutput, error) {
	if m.Get(typeBucket, deref(in.Bucket)) == nil {
		return nil, &types.NoSuchBucket{Message: aws.String("The specified bucket does not exist")}
	}
	algorithm := types.ServerSideEncryptionAes256
	if r := m.Get(typeBucketEncryption, *in.Bucket); r != nil {
		for _, name := range stringsAt(r.Outputs, "rules.applyServerSideEncryptionByDefault.sseAlgorithm") {
			algorithm = types.ServerSideEncryption(name)
		}
	}
	return &s3.GetBucketEncryptionOutput{ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
		Rules: []types.ServerSideEncryptionRule{{
			ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: algorithm},
		}},
	}}, nil
}

func getBucketPolicy(m model, in *s3.GetBucketPolicyInput) (*s3.GetBucketPolicyOutput, error) {
	r, err := m.bucketPart(in.Bucket, typeBucketPolicy, "NoSuchBucketPolicy", "The bucket policy does not exist")
	if err != nil {
		return nil, err
	}
	return &s3.GetBucketPolicyOutput{Policy: aws.String(r.Text("policy"))}, nil
}

package cloud

var refBucket = refTo("bucket", typeBucket, "NoSuchBucket", "The specified bucket does not exist: %s")

// bucketTypes are the types of S3: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var bucketTypes = map[string]resourceType{
	typeBucket: {
		name:            "bucket",
		id:              "${bucket}",
		replaceOnChange: []string{"bucket", "bucketPrefix", "objectLockEnabled"},
		defaults: values{"forceDestroy": false, "objectLockEnabled": false, "hostedZoneId": "Z3AQBSTGFJSTF",
			"requestPayer": "BucketOwner"},
		computed: map[string]string{
			"arn": "arn:aws:s3:::${bucket}", "bucketDomainName": "${bucket}.s3.amazonaws.com",
			"bucketRegionalDomainName": "${bucket}.s3.${region}.amazonaws.com",
		},
		compute: func(s *State, r *Resource) { r.Outputs["region"] = s.Region },
		rules: []rule{matchesPattern("bucket", `^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`,
			"only lowercase alphanumeric characters, dots and hyphens allowed, from 3 to 63 of them")},
		conflict: errorTemplate{"BucketAlreadyOwnedByYou",
			"Your previous request to create the named bucket succeeded and you already own it: %s"},
		onDelete: func(s *State, r *Resource) error {
			if len(s.Objects[r.ID]) > 0 && !r.Bool("forceDestroy") {
				return errorf("BucketNotEmpty", "The bucket you tried to delete is not empty: %s", r.ID)
			}
			delete(s.Objects, r.ID)
			return nil
		},
	},
	typeBucketPublicAccessBlock: bucketSetting(values{
		"blockPublicAcls": false, "blockPublicPolicy": false, "ignorePublicAcls": false, "restrictPublicBuckets": false}),
	typeBucketEncryption: bucketSetting(nil),
	typeBucketOwnership:  bucketSetting(nil),
	typeBucketLifecycle:  bucketSetting(values{"transitionDefaultMinimumObjectSize": "all_storage_classes_128K"}),
	typeBucketPolicy:     bucketSetting(nil, isJSON("policy")),
}

// bucketSetting returns the type of a setting that a bucket has at most once.
func bucketSetting(defaults values, rules ...rule) resourceType {
	return resourceType{
		id:       "${bucket}",
		required: []string{"bucket"}, replaceOnChange: []string{"bucket"},
		defaults: defaults, rules: rules, refs: []ref{refBucket},
	}
}

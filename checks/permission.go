package checks

// actionPrefixes maps the SDK's service IDs to the prefixes of IAM's actions.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var actionPrefixes = map[string]string{
	"ACM":                       "acm",
	"Application Auto Scaling":  "application-autoscaling",
	"Budgets":                   "budgets",
	"CloudWatch":                "cloudwatch",
	"CloudWatch Logs":           "logs",
	"EC2":                       "ec2",
	"ECR":                       "ecr",
	"ECS":                       "ecs",
	"Elastic Load Balancing v2": "elasticloadbalancing",
	"IAM":                       "iam",
	"RDS":                       "rds",
	"Route 53":                  "route53",
	"S3":                        "s3",
	"Secrets Manager":           "secretsmanager",
	"SQS":                       "sqs",
	"STS":                       "sts",
	"WAFV2":                     "wafv2",
}

// actionNames maps operations to IAM's actions where their names differ.
var actionNames = map[string]string{
	"Budgets/DescribeBudget":  "ViewBudget",
	"S3/HeadBucket":           "ListBucket",
	"S3/GetBucketEncryption":  "GetEncryptionConfiguration",
	"S3/GetPublicAccessBlock": "GetBucketPublicAccessBlock",
}

// Permission returns the IAM action that a call needs, by the SDK's names of service and operation: for ECS and
// DescribeServices, ecs:DescribeServices.
func Permission(service, operation string) string {
	prefix, ok := actionPrefixes[service]
	if !ok {
		prefix = service
	}
	if name, ok := actionNames[service+"/"+operation]; ok {
		operation = name
	}
	return prefix + ":" + operation
}

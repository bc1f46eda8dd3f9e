package checks

import (
	"cmp"
	"strings"
)

// actionPrefixes maps the SDK's service IDs to the prefixes of IAM's actions, where those are not the ID in lower case.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var actionPrefixes = map[string]string{
	"Application Auto Scaling":  "application-autoscaling",
	"CloudWatch Logs":           "logs",
	"Elastic Load Balancing v2": "elasticloadbalancing",
	"Route 53":                  "route53",
	"Secrets Manager":           "secretsmanager",
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
	prefix := cmp.Or(actionPrefixes[service], strings.ToLower(service))
	return prefix + ":" + cmp.Or(actionNames[service+"/"+operation], operation)
}

package ui

import (
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// stateful describes what is lost with a resource, by type.
var stateful = map[string]string{
	"aws:rds/instance:Instance":                           "the database and its data",
	"aws:sqs/queue:Queue":                                 "the queue and its messages",
	"aws:s3/bucketV2:BucketV2":                            "the bucket and its objects",
	"aws:s3/bucket:Bucket":                                "the bucket and its objects",
	"aws:ecr/repository:Repository":                       "the repository and its images",
	"aws:cloudwatch/logGroup:LogGroup":                    "the log group and its logs",
	"aws:route53/zone:Zone":                               "the hosted zone, and with it the name servers that the registrar has",
	"aws:kms/key:Key":                                     "the key, and with it everything that it encrypted",
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider": "GitHub's access to the account",
}

// permissionTypes are prefixes of the types that grant access.
var permissionTypes = []string{
	"aws:iam/", "aws:sqs/queuePolicy:", "aws:s3/bucketPolicy:", "aws:sns/topicPolicy:", "aws:kms/keyPolicy:", "aws:ecr/repositoryPolicy:",
	"aws:vpc/securityGroupIngressRule:", "aws:vpc/securityGroupEgressRule:", "aws:ec2/securityGroup:", "aws:ec2/securityGroupRule:",
}

// highlights returns the changes to review first, each with the reason. In a new stack there are none: everything is new.
func (p Preview) highlights() []string {
	if p.NewStack {
		return nil
	}
	var lines []string
	for _, c := range planChanges(p.Plan) {
		if reason := highlight(c.Step); reason != "" {
			lines = append(lines, label(c.Type, c.Name)+": "+reason)
		}
	}
	return lines
}

// highlight returns why a step should be reviewed before others, or "". Lost data comes before an outage, and that before
// broader permissions.
func highlight(s engine.Step) string {
	lost := stateful[s.Type]
	switch {
	case (s.Deletes || s.Replaces) && lost != "":
		return "deletes " + lost
	case s.Deletes && !s.Replaces:
		return "deletes it"
	case s.Replaces && !keepsReplaced(s):
		return "replaces it, and deletes the old one"
	case mayBroadenPermissions(s):
		return "may broaden permissions"
	}
	return ""
}

// keepsReplaced reports whether the replaced resource stays usable, as revisions of a task definition do.
func keepsReplaced(s engine.Step) bool { return s.Type == "aws:ecs/taskDefinition:TaskDefinition" }

// mayBroadenPermissions reports whether a permission is new, or changes other than by removing from what it allows.
func mayBroadenPermissions(s engine.Step) bool {
	grants := slices.ContainsFunc(permissionTypes, func(prefix string) bool { return strings.HasPrefix(s.Type, prefix) })
	switch {
	case !grants || s.Deletes:
		return false
	case s.Op == "create":
		return true
	}
	return slices.ContainsFunc(s.Differences, func(d engine.Difference) bool {
		switch {
		case strings.HasPrefix(d.Path, "tags"), d.Path == "description":
			return false
		case d.Kind == "delete":
			// Without its condition a statement applies more often.
			return strings.Contains(d.Path, "Condition")
		}
		return true
	})
}

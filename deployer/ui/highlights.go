package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// stateful are the types of resources whose content is lost with them.
var stateful = map[string]string{
	"aws:rds/instance:Instance":                           "the database and what is in it",
	"aws:sqs/queue:Queue":                                 "the queue and its messages",
	"aws:s3/bucketV2:BucketV2":                            "the bucket and its objects",
	"aws:s3/bucket:Bucket":                                "the bucket and its objects",
	"aws:ecr/repository:Repository":                       "the repository and its images",
	"aws:cloudwatch/logGroup:LogGroup":                    "the log group and its logs",
	"aws:route53/zone:Zone":                               "the hosted zone, and with it the name servers that the registrar knows",
	"aws:kms/key:Key":                                     "the key, and with it all that it encrypted",
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider": "GitHub's way into the account",
}

// permissionTypes are the types by which somebody may do or reach more.
var permissionTypes = []string{
	"aws:iam/", "aws:sqs/queuePolicy:", "aws:s3/bucketPolicy:", "aws:sns/topicPolicy:", "aws:kms/keyPolicy:", "aws:ecr/repositoryPolicy:",
	"aws:vpc/securityGroupIngressRule:", "aws:vpc/securityGroupEgressRule:", "aws:ec2/securityGroup:", "aws:ec2/securityGroupRule:",
}

// highlight says why a person should look at a step before any other; "" where there is no such reason. What is lost
// comes before what is away for a while, and that before what may be allowed more than today.
func highlight(s engine.Step) string {
	lost := stateful[s.Type]
	switch {
	case (s.Deletes || s.Replaces) && lost != "":
		return "deletes " + lost
	case s.Deletes && !s.Replaces:
		return "deletes it"
	case s.Replaces && !replacedWithoutLoss(s):
		return "replaces it: the old one goes"
	case mayBroadenPermissions(s):
		return "may allow more than today"
	}
	return ""
}

// replacedWithoutLoss reports whether the old one goes on being there: a task definition's revisions do.
func replacedWithoutLoss(s engine.Step) bool {
	return s.Type == "aws:ecs/taskDefinition:TaskDefinition"
}

// mayBroadenPermissions reports whether a permission is new, or changed other than by taking away from what it allows.
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
			// Without its condition a statement holds more often.
			return strings.Contains(d.Path, "Condition")
		}
		return true
	})
}

// highlights are the steps that a person should look at first, each with the reason. In a stack that is only being made
// there are none: everything is new.
func highlights(p engine.Plan, newStack bool) []string {
	if newStack {
		return nil
	}
	var all []string
	for _, s := range sortBySeverity(p.Steps) {
		if reason := highlight(s); reason != "" {
			all = append(all, fmt.Sprintf("%s %s: %s", engine.ShortType(s.Type), s.Name, reason))
		}
	}
	return all
}

package command

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// untaggable has the types of the program that AWS cannot tag.
var untaggable = []string{
	"acm/certificateValidation", "appautoscaling/policy", "cloudwatch/eventTarget", "ec2/route", "ec2/routeTableAssociation", "ecs/clusterCapacityProviders",
	"iam/rolePolicy", "route53/record", "s3/bucketLifecycleConfigurationV2", "s3/bucketOwnershipControls", "s3/bucketPolicy",
	"s3/bucketPublicAccessBlock", "s3/bucketServerSideEncryptionConfigurationV2", "scheduler/schedule", "secretsmanager/secretRotation",
	"sns/topicPolicy", "sns/topicSubscription", "sqs/queuePolicy", "sqs/redriveAllowPolicy", "wafv2/webAclAssociation",
	"wafv2/webAclLoggingConfiguration",
}

// resourceTags decodes tags by key. An Auto Scaling group has a list of them.
type resourceTags map[string]string

func (t *resourceTags) UnmarshalJSON(content []byte) error {
	var list []struct{ Key, Value string }
	if json.Unmarshal(content, &list) != nil {
		return json.Unmarshal(content, (*map[string]string)(t))
	}
	*t = resourceTags{}
	for _, tag := range list {
		(*t)[tag.Key] = tag.Value
	}
	return nil
}

// owned requires every resource in the engine's state of a stack to belong to a component and to have the three tags: owned STACK ENVIRONMENT.
func owned(ts *testscript.TestScript, _ bool, args []string) {
	var state struct {
		Checkpoint struct {
			Latest struct {
				Resources []struct {
					URN, Type, Parent string
					Inputs            struct{ Tags resourceTags }
				}
			}
		}
	}
	file := ts.MkAbs("state/local/state/.pulumi/stacks/v3-backend/" + args[0] + ".json")
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &state))
	seen := 0
	for _, r := range state.Checkpoint.Latest.Resources {
		parts := strings.Split(r.Type, ":")
		if parts[0] != "aws" {
			continue
		}
		seen++
		if !strings.Contains(r.Parent, "::v3-backend:infra:") {
			ts.Fatalf("%s belongs to %q, not to a component", r.URN, r.Parent)
		}
		if slices.Contains(untaggable, parts[1]) {
			continue
		}
		for key, want := range map[string]string{"Project": "v3-backend", "Environment": args[1], "ManagedBy": "pulumi"} {
			if r.Inputs.Tags[key] != want {
				ts.Fatalf("%s has %s=%q, want %q", r.URN, key, r.Inputs.Tags[key], want)
			}
		}
	}
	if seen < 90 {
		ts.Fatalf("the state has only %d resources of AWS", seen)
	}
}

package infra

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// safety is why a change of a property that replaces a resource does no harm. The provider deletes a resource with an explicit name
// first, so that what uses it would block the deployment, or lose it.
type safety string

const (
	// identity names the resource: another name belongs to another environment, or to another stack.
	identity safety = "the environment's name, its domain or the account's prefix"
	// ignored keeps its first value.
	ignored safety = "ignoreChanges"
	// fixed is the same in all environments: no file changes it.
	fixed safety = "a constant of the program"
	// createdFirst has a name that contains the value, and the replacement is created first.
	createdFirst safety = "DeleteBeforeReplace(false), and another name"
	// follows is a reference, which changes only with the replacement of what it refers to; that has a row of its own.
	follows safety = "a reference to a resource that is not replaced"
	// refused is the database's: preflight refuses another value.
	refused safety = "preflight refuses another value"
	// dataLoss is the database's: preview highlights the replacement, a protected environment refuses it.
	dataLoss safety = "highlighted by preview, refused where the environment is protected"
)

// replacements returns, for each type whose name the program gives where the provider would generate one, the properties that the
// program sets and that replace the resource, according to the provider's schema.
// Source: https://github.com/hashicorp/terraform-provider-aws/tree/v5.100.0/internal/service (ForceNew)
func replacements() map[string]map[string]safety {
	name := func(others map[string]safety) map[string]safety {
		all := map[string]safety{"name": identity}
		maps.Copy(all, others)
		return all
	}
	return map[string]map[string]safety{
		"aws:appautoscaling/policy:Policy": name(map[string]safety{
			"resourceId": follows, "scalableDimension": fixed, "serviceNamespace": fixed,
		}),
		"aws:autoscaling/group:Group":            name(nil),
		"aws:budgets/budget:Budget":              name(nil),
		"aws:cloudwatch/eventRule:EventRule":     name(map[string]safety{"eventBusName": fixed}),
		"aws:cloudwatch/logGroup:LogGroup":       name(nil),
		"aws:cloudwatch/metricAlarm:MetricAlarm": name(nil),
		"aws:ec2/launchTemplate:LaunchTemplate":  name(nil),
		"aws:ec2/securityGroup:SecurityGroup":    name(map[string]safety{"description": ignored, "vpcId": follows}),
		"aws:ecr/repository:Repository":          name(map[string]safety{"encryptionConfigurations": fixed}),
		"aws:ecs/cluster:Cluster":                name(nil),
		"aws:ecs/service:Service":                name(map[string]safety{"cluster": follows, "schedulingStrategy": fixed}),
		"aws:iam/policy:Policy":                  name(map[string]safety{"description": ignored, "path": fixed}),
		"aws:iam/role:Role":                      name(map[string]safety{"path": fixed}),
		"aws:iam/rolePolicy:RolePolicy":          name(map[string]safety{"role": follows}),
		"aws:lb/loadBalancer:LoadBalancer":       name(map[string]safety{"internal": fixed, "loadBalancerType": fixed}),
		"aws:lb/targetGroup:TargetGroup": name(map[string]safety{
			"port": ignored, "protocol": fixed, "protocolVersion": fixed, "targetType": fixed, "ipAddressType": fixed, "vpcId": follows,
		}),
		"aws:rds/instance:Instance": {
			"dbName": refused, "engine": fixed, "kmsKeyId": dataLoss, "snapshotIdentifier": dataLoss, "storageEncrypted": fixed, "username": refused,
		},
		"aws:rds/parameterGroup:ParameterGroup": name(map[string]safety{"description": createdFirst, "family": createdFirst}),
		"aws:rds/subnetGroup:SubnetGroup":       name(nil),
		"aws:route53/zone:Zone":                 name(map[string]safety{"delegationSetId": fixed}),
		"aws:s3/bucketV2:BucketV2":              {"bucket": identity, "objectLockEnabled": fixed},
		"aws:scheduler/schedule:Schedule":       name(map[string]safety{"groupName": fixed}),
		"aws:sfn/stateMachine:StateMachine":     name(map[string]safety{"type": fixed}),
		"aws:sns/topic:Topic":                   name(map[string]safety{"fifoTopic": fixed}),
		"aws:sqs/queue:Queue":                   name(map[string]safety{"fifoQueue": fixed}),
		"aws:wafv2/webAcl:WebAcl":               name(map[string]safety{"scope": fixed}),
	}
}

// hasExplicitName reports whether the program gives a name that the provider would generate otherwise. A DNS record's name is its domain.
func hasExplicitName(r registration) bool {
	property := "name"
	switch r.typ {
	case "aws:route53/record:Record":
		return false
	case "aws:s3/bucketV2:BucketV2":
		property = "bucket"
	case "aws:rds/instance:Instance":
		property = "identifier"
	}
	return r.custom && r.inputs[property] != nil
}

func TestReplacementsAreSafe(t *testing.T) {
	all := everyEnvironment(t)
	_, shared := sharedStack(t)
	table, seen := replacements(), map[string]bool{}
	values := map[string]any{}
	for _, r := range append(all, shared...) {
		if !hasExplicitName(r) {
			continue
		}
		rows, found := table[r.typ]
		require.Truef(t, found, "%s has an explicit name: what replaces it? Add its type to replacements()", r.urn)
		seen[r.typ] = true
		for property, how := range rows {
			value, set := r.inputs[property]
			if !set {
				continue
			}
			switch how {
			case ignored:
				require.Containsf(t, r.ignored, property, "%s: a change of %s deletes it while it is in use", r.urn, property)
			case fixed:
				key := r.typ + " " + property
				if first, known := values[key]; known {
					require.Truef(t, reflect.DeepEqual(first, value), "%s: %s depends on the environment: %v, %v", r.urn, property, first, value)
				}
				values[key] = value
			case createdFirst:
				require.Truef(t, r.createFirst, "%s: a change of %s deletes it while it is in use", r.urn, property)
			case identity:
				require.NotContains(t, r.ignored, property)
			}
		}
	}
	for typ := range table {
		require.True(t, seen[typ], "the program declares no %s with an explicit name", typ)
	}
}

// A group of another family has another name, so that it can be created beside the one in use.
func TestParameterGroupIsNamedAfterItsFamily(t *testing.T) {
	_, all := deployed(t, "staging")
	for _, group := range ofType(all, "aws:rds/parameterGroup:ParameterGroup") {
		require.True(t, strings.HasSuffix(group.get("name").(string), group.get("family").(string)))
	}
}

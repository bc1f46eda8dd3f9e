package risk

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// documents has the property with the policy document of each type that has one.
var documents = map[string]string{
	role:                                           "assumeRolePolicy",
	encryptionKey:                                  "policy",
	"aws:iam/rolePolicy:RolePolicy":                "policy",
	"aws:iam/policy:Policy":                        "policy",
	"aws:iam/userPolicy:UserPolicy":                "policy",
	"aws:iam/groupPolicy:GroupPolicy":              "policy",
	"aws:sqs/queuePolicy:QueuePolicy":              "policy",
	"aws:s3/bucketPolicy:BucketPolicy":             "policy",
	"aws:sns/topicPolicy:TopicPolicy":              "policy",
	"aws:kms/keyPolicy:KeyPolicy":                  "policy",
	"aws:ecr/repositoryPolicy:RepositoryPolicy":    "policy",
	"aws:secretsmanager/secretPolicy:SecretPolicy": "policy",
}

// grants are prefixes of other types that grant access by existing.
var grants = []string{"aws:iam/", "aws:kms/grant:", "aws:lambda/permission:", "aws:ec2/securityGroupRule:", "aws:ram/"}

// permissions returns what a step allows that was not allowed before.
func permissions(s engine.Step) []reason {
	var widened []string
	if property := documents[s.Type]; property != "" && s.Deletes && !s.Replaces {
		// With the policy, what it denied may be allowed by another one.
		old, _ := parsePolicy(s.Before[property])
		if denied := uncovered(old.denies, nil); len(denied) > 0 {
			return []reason{{Weakened, "deletes the policy, which denied " + someOf(denied)}}
		}
	} else if property != "" {
		widened = append(widened, widenedDocument(s.Before[property], s.After[property])...)
	} else if slices.ContainsFunc(grants, func(prefix string) bool { return strings.HasPrefix(s.Type, prefix) }) && changesGrant(s) {
		widened = append(widened, "may broaden permissions")
	}
	switch s.Type {
	case role:
		if boundary := s.Before["permissionsBoundary"]; boundary != nil && s.After != nil && !reflect.DeepEqual(boundary, s.After["permissionsBoundary"]) {
			widened = append(widened, "loses its permissions boundary, or gets another one")
		}
		if slices.ContainsFunc(elements(s.After["managedPolicyArns"]), func(arn any) bool { return !contains(s.Before["managedPolicyArns"], arn) }) {
			widened = append(widened, "attaches more managed policies")
		}
	case "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
		widened = append(widened, openedPorts(s, "opens %s to %s")...)
	case "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule":
		widened = append(widened, openedPorts(s, "allows connections to %s of %s")...)
	case securityGroup, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup":
		for _, direction := range []string{"ingress", "egress"} {
			if slices.ContainsFunc(elements(s.After[direction]), func(rule any) bool { return !contains(s.Before[direction], rule) }) {
				widened = append(widened, "adds or changes a rule of "+direction)
			}
		}
	case loadBalancer:
		if isTrue(s.Before["internal"]) && s.After != nil && !isTrue(s.After["internal"]) {
			widened = append(widened, "opens the load balancer to the internet")
		}
	case taskDefinition:
		if s.Before != nil && s.After != nil {
			widened = append(widened, widerContainer(s.Before, s.After)...)
			widened = append(widened, otherRoles(s.Before, s.After)...)
		}
	case ecsService:
		if publicIP := "networkConfiguration.assignPublicIp"; isTrue(at(s.After, publicIP)) && s.Before != nil && !isTrue(at(s.Before, publicIP)) {
			widened = append(widened, "gives the tasks public addresses")
		}
	}
	var all []reason
	for _, w := range widened {
		all = append(all, reason{Widened, w})
	}
	return all
}

// otherRoles reports the roles that a task runs with instead of those that it had.
func otherRoles(before, after map[string]any) []string {
	var other []string
	for _, property := range []string{"taskRoleArn", "executionRoleArn"} {
		old, now := before[property], after[property]
		if now != nil && isKnown(old, now) && old != now {
			other = append(other, "runs with the role "+show(now)+" instead of "+show(old))
		}
	}
	return other
}

// changesGrant reports whether a resource that grants access by existing is new, or changes in more than its description.
func changesGrant(s engine.Step) bool {
	return s.Op == "create" || s.Replaces || !s.Deletes && slices.ContainsFunc(s.Differences, func(d engine.Difference) bool {
		return !strings.HasPrefix(d.Path, "tags") && d.Path != "description"
	})
}

// openedPorts returns what a rule of a security group opens that it did not before.
func openedPorts(s engine.Step, format string) []string {
	if s.After == nil || s.Before != nil && coversPorts(s.Before, s.After) && coversPeer(s.Before, s.After) {
		return nil
	}
	from, to := s.After["fromPort"], s.After["toPort"]
	ports := fmt.Sprintf("ports %s to %s", show(from), show(to))
	switch {
	case from == nil || fmt.Sprint(s.After["ipProtocol"]) == "-1":
		ports = "every port"
	case reflect.DeepEqual(from, to):
		ports = "port " + show(from)
	}
	peer := "a prefix list"
	for _, key := range []string{"cidrIpv4", "cidrIpv6"} {
		if s.After[key] != nil {
			peer = show(s.After[key])
		}
	}
	if s.After["referencedSecurityGroupId"] != nil {
		peer = "a security group"
	}
	return []string{fmt.Sprintf(format, ports, peer)}
}

func coversPorts(before, after map[string]any) bool {
	if fmt.Sprint(before["ipProtocol"]) == "-1" {
		return true
	}
	fromBefore, toBefore := number(before["fromPort"]), number(before["toPort"])
	fromAfter, toAfter := number(after["fromPort"]), number(after["toPort"])
	return reflect.DeepEqual(before["ipProtocol"], after["ipProtocol"]) && fromBefore <= fromAfter && toAfter <= toBefore
}

func coversPeer(before, after map[string]any) bool {
	for _, key := range []string{"referencedSecurityGroupId", "prefixListId"} {
		if !reflect.DeepEqual(before[key], after[key]) || after[key] == engine.Unknown {
			return false
		}
	}
	for _, key := range []string{"cidrIpv4", "cidrIpv6"} {
		if reflect.DeepEqual(before[key], after[key]) {
			continue
		}
		outer, errOuter := netip.ParsePrefix(fmt.Sprint(before[key]))
		inner, errInner := netip.ParsePrefix(fmt.Sprint(after[key]))
		if errOuter != nil || errInner != nil || outer.Bits() > inner.Bits() || !outer.Contains(inner.Addr()) {
			return false
		}
	}
	return true
}

// widenedDocument compares two policy documents, nil for none.
func widenedDocument(before, after any) []string {
	old, oldKnown := parsePolicy(before)
	updated, known := parsePolicy(after)
	if !oldKnown || !known {
		if reflect.DeepEqual(before, after) {
			return nil
		}
		return []string{"may broaden permissions: the policy is known only when it is deployed"}
	}
	var widened []string
	if more := uncovered(updated.allows, old.allows); len(more) > 0 {
		widened = append(widened, "allows more: "+someOf(more))
	}
	if less := uncovered(old.denies, updated.denies); len(less) > 0 {
		widened = append(widened, "denies less: "+someOf(less))
	}
	return widened
}

// someOf names up to three.
func someOf(names []string) string {
	if n := len(names) - 3; n > 0 {
		return strings.Join(names[:3], ", ") + " and " + text.Plural(n, "more", "more")
	}
	return strings.Join(names, ", ")
}

package discovery

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
)

// registered returns Pulumi's types that the sources of the program register: the package and the constructor name them, and the
// SDK's file of that name has the token. What awsx registers is listed here.
func registered(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{
		"aws:ec2/vpc:Vpc": true, "aws:ec2/subnet:Subnet": true, "aws:ec2/internetGateway:InternetGateway": true,
		"aws:ec2/routeTable:RouteTable": true, "aws:ec2/route:Route": true, "aws:ec2/eip:Eip": true,
		"aws:ec2/routeTableAssociation:RouteTableAssociation": true, "aws:ec2/natGateway:NatGateway": true,
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "infra", "*.go"))
	require.NoError(t, err)
	constructed := regexp.MustCompile(`\b(\w+)\.New(\w+)\(ctx, `)
	imported := regexp.MustCompile(`(?m)^\s*"github\.com/pulumi/pulumi-aws/sdk/v6/go/aws/(\w+)"`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		var packages []string
		for _, match := range imported.FindAllSubmatch(source, -1) {
			packages = append(packages, string(match[1]))
		}
		for _, match := range constructed.FindAllSubmatch(source, -1) {
			if module, name := string(match[1]), string(match[2]); slices.Contains(packages, module) {
				found["aws:"+module+"/"+strings.ToLower(name[:1])+name[1:]+":"+name] = true
			}
		}
	}
	require.Greater(t, len(found), 45, "the search finds too little to prove anything")
	return slices.Sorted(maps.Keys(found))
}

func TestEveryTypeHasAFinder(t *testing.T) {
	types := registered(t)
	for _, typ := range types {
		f, listed := finders[typ]
		require.True(t, listed, "%s has no finder: how is one found after an interrupted create, or why need it not be?", typ)
		require.True(t, f.find != nil || f.skipReason != "", "%s needs either a way to find it or a reason", typ)
		require.Equal(t, f.find == nil, SkipReason(typ) != "", typ)
	}
	for typ := range finders {
		require.Contains(t, types, typ, "the program registers it no more")
	}
}

func query(typ string, inputs map[string]any) Query {
	return Query{Type: typ, Inputs: inputs, Known: func(text string) bool { return text != "" && text != "unknown" }}
}

func TestFindByInputs(t *testing.T) {
	for name, c := range map[string]struct {
		query Query
		id    string
	}{
		"a name":       {query("aws:iam/role:Role", map[string]any{"name": "r"}), "r"},
		"a queue":      {query("aws:sqs/queue:Queue", map[string]any{"name": "jobs"}), "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs"},
		"a policy":     {query("aws:iam/policy:Policy", map[string]any{"name": "p"}), "arn:aws:iam::123456789012:policy/p"},
		"a budget":     {query("aws:budgets/budget:Budget", map[string]any{"name": "b"}), "123456789012:b"},
		"a service":    {query("aws:ecs/service:Service", map[string]any{"name": "api", "cluster": "arn:aws:ecs:eu-west-1:1:cluster/c"}), "c/api"},
		"a record":     {query("aws:route53/record:Record", map[string]any{"zoneId": "Z1", "name": "_x.example.com.", "type": "CNAME"}), "Z1__x.example.com_CNAME"},
		"not known":    {query("aws:iam/role:Role", map[string]any{"name": "unknown"}), ""},
		"overwritten":  {query("aws:s3/bucketPolicy:BucketPolicy", map[string]any{"bucket": "b"}), ""},
		"half known":   {query("aws:ec2/subnet:Subnet", map[string]any{"vpcId": "unknown", "cidrBlock": "10.0.0.0/24"}), ""},
		"not attached": {query("aws:ec2/internetGateway:InternetGateway", map[string]any{"vpcId": "unknown"}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := Find(t.Context(), aws.Config{Region: "eu-west-1"}, "123456789012", c.query)
			require.NoError(t, err)
			require.Equal(t, c.id, id)
		})
	}
}

// The import formats are those of the provider's reference.
func TestFindCandidatesByInputs(t *testing.T) {
	for name, c := range map[string]struct {
		query Query
		match Match
	}{
		"a role": {query("aws:iam/role:Role", map[string]any{"name": "r"}), Match{[]string{"r"}, "name"}},
		"a role's policy": {query("aws:iam/rolePolicy:RolePolicy", map[string]any{"role": "r", "name": "p"}),
			Match{[]string{"r:p"}, "role, name"}},
		"an attachment": {query("aws:iam/rolePolicyAttachment:RolePolicyAttachment", map[string]any{"role": "r", "policyArn": "arn:p"}),
			Match{[]string{"r/arn:p"}, "role, policyArn"}},
		"a scalable target": {query("aws:appautoscaling/target:Target", map[string]any{
			"serviceNamespace": "ecs", "resourceId": "service/c/s", "scalableDimension": "ecs:service:DesiredCount"}),
			Match{[]string{"ecs/service/c/s/ecs:service:DesiredCount"}, "serviceNamespace, resourceId, scalableDimension"}},
		"a topic": {query("aws:sns/topic:Topic", map[string]any{"name": "alarms"}),
			Match{[]string{"arn:aws:sns:eu-west-1:123456789012:alarms"}, "name"}},
		"not known yet":    {query("aws:s3/bucketPolicy:BucketPolicy", map[string]any{"bucket": "unknown"}), Match{}},
		"never looked for": {query("aws:ecs/taskDefinition:TaskDefinition", map[string]any{"family": "api"}), Match{}},
	} {
		t.Run(name, func(t *testing.T) {
			match, err := FindCandidates(t.Context(), aws.Config{Region: "eu-west-1"}, "123456789012", c.query)
			require.NoError(t, err)
			require.Equal(t, c.match, match)
		})
	}
}

// TestIsManagedByAList checks the tags of an Auto Scaling group, which are a list.
func TestIsManagedByAList(t *testing.T) {
	group := func(environment string) []any {
		var tags []any
		for name, value := range map[string]string{"Project": "v3-backend", "Environment": environment, "ManagedBy": "pulumi"} {
			tags = append(tags, map[string]any{"key": name, "value": value, "propagateAtLaunch": true})
		}
		return tags
	}
	q := query("aws:autoscaling/group:Group", map[string]any{"name": "nat", "tags": group("development")})
	require.True(t, IsManaged(q, map[string]any{"tags": group("development")}))
	require.False(t, IsManaged(q, map[string]any{"tags": group("staging")}))
	require.False(t, IsManaged(q, map[string]any{}))
}

func TestIsManaged(t *testing.T) {
	expected := map[string]any{"Project": "v3-backend", "Environment": "development", "ManagedBy": "pulumi", "Name": "x"}
	const role = "aws:iam/role:Role"
	for name, c := range map[string]struct {
		typ      string
		expected map[string]any
		actual   map[string]any
		managed  bool
	}{
		"the program's":            {role, expected, expected, true},
		"another environment's":    {role, expected, map[string]any{"Project": "v3-backend", "Environment": "staging", "ManagedBy": "pulumi"}, false},
		"created manually":         {role, expected, nil, false},
		"a bucket before its tags": {typeBucket, expected, nil, true},
		"another owner's bucket":   {typeBucket, expected, map[string]any{"Project": "other"}, false},
		"a type without tags":      {"aws:ec2/route:Route", nil, nil, true},
		"only the name differs":    {role, expected, map[string]any{"Project": "v3-backend", "Environment": "development", "ManagedBy": "pulumi"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			q := query(c.typ, map[string]any{})
			if c.expected != nil {
				q.Inputs["tags"] = c.expected
			}
			require.Equal(t, c.managed, IsManaged(q, map[string]any{"tags": c.actual}))
		})
	}
}

func TestStaleLock(t *testing.T) {
	alive := func(pid int) bool { return pid == 1 }
	require.False(t, Lock{"here", 1}.Stale("here", alive, true), "its process is alive")
	require.True(t, Lock{"here", 2}.Stale("here", alive, false), "its process is gone, and the caller holds the environment's lock")
	require.False(t, Lock{"there", 2}.Stale("here", alive, false), "processes of another host cannot be seen")
	require.True(t, Lock{"there", 1}.Stale("here", alive, true), "the environment's lock had expired")
}

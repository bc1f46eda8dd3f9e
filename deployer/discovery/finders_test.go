package discovery

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// registered are Pulumi's types that the sources of the program make: the package and the constructor say which, and the SDK's file
// of that name has the token. What awsx makes is listed by hand.
func registered(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{
		"aws:ec2/vpc:Vpc": true, "aws:ec2/subnet:Subnet": true, "aws:ec2/internetGateway:InternetGateway": true,
		"aws:ec2/routeTable:RouteTable": true, "aws:ec2/route:Route": true, "aws:ec2/eip:Eip": true,
		"aws:ec2/routeTableAssociation:RouteTableAssociation": true, "aws:ec2/natGateway:NatGateway": true,
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "infra", "*.go"))
	require.NoError(t, err)
	made := regexp.MustCompile(`\b(\w+)\.New(\w+)\(ctx, `)
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
		for _, match := range made.FindAllSubmatch(source, -1) {
			if module, name := string(match[1]), string(match[2]); slices.Contains(packages, module) {
				found["aws:"+module+"/"+strings.ToLower(name[:1])+name[1:]+":"+name] = true
			}
		}
	}
	require.Greater(t, len(found), 45, "the search finds too little to prove anything")
	return slices.Sorted(maps.Keys(found))
}

func TestEveryTypeHasARow(t *testing.T) {
	known := registered(t)
	for _, typ := range known {
		r, there := finders[typ]
		require.True(t, there, "%s has no row: how is one found after a create that was cut in two, or why need it not be?", typ)
		require.NotEqual(t, r.find == nil, r.skipReason == "", "%s needs either a way to find it or a reason", typ)
	}
	for typ := range finders {
		require.Contains(t, known, typ, "the program makes no such thing any more")
	}
}

func wantedWith(typ string, inputs map[string]any) Query {
	return Query{Type: typ, Inputs: inputs, Known: func(text string) bool { return text != "" && text != "unknown" }}
}

func TestFindByName(t *testing.T) {
	for name, c := range map[string]struct {
		wanted Query
		id     string
	}{
		"a name":       {wantedWith("aws:iam/role:Role", map[string]any{"name": "r"}), "r"},
		"a queue":      {wantedWith("aws:sqs/queue:Queue", map[string]any{"name": "jobs"}), "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs"},
		"a policy":     {wantedWith("aws:iam/policy:Policy", map[string]any{"name": "p"}), "arn:aws:iam::123456789012:policy/p"},
		"a budget":     {wantedWith("aws:budgets/budget:Budget", map[string]any{"name": "b"}), "123456789012:b"},
		"a service":    {wantedWith("aws:ecs/service:Service", map[string]any{"name": "api", "cluster": "arn:aws:ecs:eu-west-1:1:cluster/c"}), "c/api"},
		"a record":     {wantedWith("aws:route53/record:Record", map[string]any{"zoneId": "Z1", "name": "_x.example.com.", "type": "CNAME"}), "Z1__x.example.com_CNAME"},
		"not known":    {wantedWith("aws:iam/role:Role", map[string]any{"name": "unknown"}), ""},
		"never a loss": {wantedWith("aws:s3/bucketPolicy:BucketPolicy", map[string]any{"bucket": "b"}), ""},
		"half known":   {wantedWith("aws:ec2/subnet:Subnet", map[string]any{"vpcId": "unknown", "cidrBlock": "10.0.0.0/24"}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := finders[c.wanted.Type]
			id := ""
			if r.find != nil && hasInputs(r, c.wanted) {
				var err error
				id, err = r.find(t.Context(), account{id: "123456789012", region: "eu-west-1"}, c.wanted)
				require.NoError(t, err)
			}
			require.Equal(t, c.id, id)
		})
	}
}

func TestOurs(t *testing.T) {
	given := map[string]any{"Project": "v3-backend", "Environment": "development", "ManagedBy": "pulumi", "Name": "x"}
	const role = "aws:iam/role:Role"
	for name, c := range map[string]struct {
		typ         string
		given       map[string]any
		found       map[string]any
		acceptedFor bool
	}{
		"the program's":                {role, given, given, true},
		"another environment's":        {role, given, map[string]any{"Project": "v3-backend", "Environment": "staging", "ManagedBy": "pulumi"}, false},
		"made by hand":                 {role, given, nil, false},
		"a bucket before its tags":     {typeBucket, given, nil, true},
		"somebody else's bucket":       {typeBucket, given, map[string]any{"Project": "other"}, false},
		"something that has no tags":   {"aws:ec2/route:Route", nil, nil, true},
		"only its name is another one": {role, given, map[string]any{"Project": "v3-backend", "Environment": "development", "ManagedBy": "pulumi"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := wantedWith(c.typ, map[string]any{})
			if c.given != nil {
				w.Inputs["tags"] = c.given
			}
			require.Equal(t, c.acceptedFor, IsManaged(w, map[string]any{"tags": c.found}))
		})
	}
}

func TestStaleLock(t *testing.T) {
	alive := func(pid int) bool { return pid == 1 }
	require.False(t, Lock{"here", 1}.Stale("here", alive, true), "its process lives")
	require.True(t, Lock{"here", 2}.Stale("here", alive, false), "its process is gone, and the environment is ours")
	require.False(t, Lock{"there", 2}.Stale("here", alive, false), "nobody knows")
	require.True(t, Lock{"there", 1}.Stale("here", alive, true), "the environment's lock had expired")
}

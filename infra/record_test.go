package infra

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

const (
	project   = "v3-backend"
	testImage = "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:" +
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// registration is one resource that the program registered.
type registration struct {
	urn, typ, name, parent string
	// provider is the reference of the provider: its URN and ID.
	provider        string
	custom, protect bool
	inputs          map[string]any
	ignored         []string
	// createFirst reports that the program has a replacement created before the old resource is deleted, whatever the provider does.
	createFirst bool
	// dependencies are the URNs that it depends on.
	dependencies []string
}

// within reports whether the resource is a descendant of a component of the kind.
func (r registration) within(kind string) bool {
	return strings.Contains(r.urn, componentPrefix+kind+"$")
}

// get follows keys and, for lists, indices through the inputs.
func (r registration) get(path ...any) any {
	var value any = r.inputs
	for _, step := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[step.(string)]
		case []any:
			value = v[step.(int)]
		default:
			return nil
		}
	}
	return value
}

// recorder replaces the engine: it records what is registered, and returns what AWS would generate.
type recorder struct {
	mu    sync.Mutex
	stack string
	all   []registration
}

func (r *recorder) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	rpc := args.RegisterRPC
	noted := registration{
		urn: r.urn(rpc.GetParent(), args.TypeToken, args.Name), typ: args.TypeToken, name: args.Name, parent: rpc.GetParent(), provider: args.Provider,
		custom: args.Custom, protect: rpc.GetProtect(), inputs: args.Inputs.Mappable(), ignored: rpc.GetIgnoreChanges(),
		dependencies: slices.Clone(rpc.GetDependencies()),
		createFirst:  rpc.GetDeleteBeforeReplaceDefined() && !rpc.GetDeleteBeforeReplace(),
	}
	for _, property := range rpc.GetPropertyDependencies() {
		noted.dependencies = append(noted.dependencies, property.GetUrns()...)
	}
	r.mu.Lock()
	r.all = append(r.all, noted)
	r.mu.Unlock()

	state := args.Inputs.Copy()
	for key, value := range r.generated(args) {
		state[resource.PropertyKey(key)] = resource.NewPropertyValue(value)
	}
	return args.Name + "-id", state, nil
}

func (r *recorder) urn(parent, typ, name string) string {
	var parentType string
	if parts := strings.Split(parent, "::"); len(parts) == 4 && parts[2] != string(resource.RootStackType) {
		parentType = parts[2] + "$"
	}
	return fmt.Sprintf("urn:pulumi:%s::%s::%s%s::%s", r.stack, project, parentType, typ, name)
}

// generated returns what AWS generates for a resource.
func (r *recorder) generated(args pulumi.MockResourceArgs) map[string]any {
	made := map[string]any{"arn": "arn:aws:" + args.TypeToken + ":" + args.Name}
	switch args.TypeToken {
	case "awsx:ec2:Vpc":
		made = map[string]any{
			"vpcId":            "vpc-1",
			"publicSubnetIds":  []any{"subnet-public"},
			"privateSubnetIds": []any{"subnet-private"},
			"routeTables": []any{
				resource.MakeCustomResourceReference(resource.URN(r.urn("", routeTable, "Private")), "Private-id", "6.83.2"),
				resource.MakeCustomResourceReference(resource.URN(r.urn("", routeTable, "Public")), "Public-id", "6.83.2"),
			},
		}
	case "aws:acm/certificate:Certificate":
		made["domainValidationOptions"] = []any{map[string]any{
			"resourceRecordName": "_x.example.com", "resourceRecordType": "CNAME", "resourceRecordValue": "_y.acm-validations.aws",
		}}
	case "aws:rds/instance:Instance":
		made["address"] = "db.example.com"
		made["masterUserSecrets"] = []any{map[string]any{"secretArn": databaseSecret}}
	case "aws:sqs/queue:Queue":
		made["url"] = "https://sqs.example.com/" + args.Name
	case "aws:lb/loadBalancer:LoadBalancer":
		made["dnsName"], made["zoneId"], made["arnSuffix"] = "alb.example.com", "Z2", "app/alb/1"
	case "aws:lb/targetGroup:TargetGroup":
		made["arnSuffix"] = "targetgroup/api/2"
	case "aws:route53/zone:Zone":
		made["zoneId"], made["nameServers"] = "Z1", []any{"ns-1.example.com"}
	case "aws:ecr/repository:Repository":
		made["repositoryUrl"] = "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api"
	}
	return made
}

const (
	routeTable     = "aws:ec2/routeTable:RouteTable"
	repositoryARN  = "arn:aws:ecr:us-east-1:123456789012:repository/balancer-api"
	configSecret   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:balancer-config-AbCdEf"
	databaseSecret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
)

func (r *recorder) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	answers := map[string]map[string]any{
		"aws:route53/getZone:getZone":            {"zoneId": "Z1"},
		"aws:ecr/getRepository:getRepository":    {"arn": repositoryARN},
		"aws:secretsmanager/getSecret:getSecret": {"arn": configSecret},
	}
	answer, ok := answers[args.Token]
	if !ok {
		return nil, fmt.Errorf("the program asked for %s", args.Token)
	}
	return resource.NewPropertyMapFromMap(answer), nil
}

// record runs a program and returns what it registered.
func record(t *testing.T, stack string, program pulumi.RunFunc) []registration {
	t.Helper()
	r := &recorder{stack: stack}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		// The route tables that awsx makes have to be there before the mocked VPC refers to them.
		var made []any
		for _, kind := range []string{"Private", "Public"} {
			table, err := ec2.NewRouteTable(ctx, kind, &ec2.RouteTableArgs{
				VpcId: pulumi.String("vpc-1"), Tags: pulumi.ToStringMap(map[string]string{"SubnetType": kind}),
			})
			if err != nil {
				return err
			}
			made = append(made, table.ID())
		}
		ready := make(chan struct{})
		pulumi.All(made...).ApplyT(func([]any) string { close(ready); return "" })
		<-ready
		return program(ctx)
	}, pulumi.WithMocks(project, stack, r)))
	return slices.DeleteFunc(r.all, func(r registration) bool { return r.typ == routeTable })
}

// deployed records the program of one of the repository's own environments.
func deployed(t *testing.T, name string) (*environment.Environment, []registration) {
	t.Helper()
	env, err := environment.Load("..", name)
	require.NoError(t, err)
	return env, record(t, env.Stack, Deploy(env, Release{Image: testImage, RecordedImage: testImage}))
}

// sharedStack records the program of the repository's shared stack.
func sharedStack(t *testing.T) (*environment.Shared, []registration) {
	t.Helper()
	shared, err := environment.LoadShared("..")
	require.NoError(t, err)
	return shared, record(t, environment.SharedStack, DeployShared(shared, ""))
}

// find returns the one resource of the type and logical name.
func find(t *testing.T, all []registration, typ, name string) registration {
	t.Helper()
	for _, r := range all {
		if r.typ == typ && r.name == name {
			return r
		}
	}
	require.Failf(t, "no such resource", "%s %s", typ, name)
	return registration{}
}

// ofType returns the resources of a type.
func ofType(all []registration, typ string) []registration {
	var found []registration
	for _, r := range all {
		if r.typ == typ {
			found = append(found, r)
		}
	}
	return found
}

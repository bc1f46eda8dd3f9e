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

// generatedVPC returns the outputs of the VPC: a private and a public subnet in each zone, in the order of the zones.
func (r *recorder) generatedVPC(zones int) map[string]any {
	var public, private, subnets, tables []any
	for i := 1; i <= zones; i++ {
		public, private = append(public, fmt.Sprintf("Public-%d-subnet-id", i)), append(private, fmt.Sprintf("Private-%d-subnet-id", i))
		for _, kind := range []string{"Private", "Public"} {
			name := fmt.Sprintf("%s-%d", kind, i)
			subnets = append(subnets, resource.MakeCustomResourceReference(
				resource.URN(r.urn("", subnet, name+"-subnet")), resource.ID(name+"-subnet-id"), "6.83.2"))
			tables = append(tables, resource.MakeCustomResourceReference(
				resource.URN(r.urn("", routeTable, name)), resource.ID(name+"-id"), "6.83.2"))
		}
	}
	return map[string]any{"vpcId": "vpc-1", "publicSubnetIds": public, "privateSubnetIds": private, "subnets": subnets, "routeTables": tables}
}

// generated returns what AWS generates for a resource.
func (r *recorder) generated(args pulumi.MockResourceArgs) map[string]any {
	made := map[string]any{"arn": "arn:aws:" + args.TypeToken + ":" + args.Name}
	switch args.TypeToken {
	case "awsx:ec2:Vpc":
		made = r.generatedVPC(int(args.Inputs["numberOfAvailabilityZones"].NumberValue()))
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
	subnet         = "aws:ec2/subnet:Subnet"
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

// maxZones is the largest number of zones of an environment.
const maxZones = 3

// record runs a program and returns what it registered.
func record(t *testing.T, stack string, program pulumi.RunFunc) []registration {
	t.Helper()
	r := &recorder{stack: stack}
	require.NoError(t, pulumi.RunErr(func(ctx *pulumi.Context) error {
		// The subnets and route tables that awsx makes have to be there before the mocked VPC refers to them.
		var made []any
		for i := range 2 * maxZones {
			kind := []string{"Private", "Public"}[i%2]
			table, err := ec2.NewRouteTable(ctx, fmt.Sprintf("%s-%d", kind, i/2+1), &ec2.RouteTableArgs{
				VpcId: pulumi.String("vpc-1"), Tags: pulumi.ToStringMap(map[string]string{"SubnetType": kind}),
			})
			if err != nil {
				return err
			}
			ofZone, err := ec2.NewSubnet(ctx, fmt.Sprintf("%s-%d-subnet", kind, i/2+1), &ec2.SubnetArgs{
				VpcId: pulumi.String("vpc-1"), Tags: pulumi.ToStringMap(map[string]string{"SubnetType": kind}),
				AvailabilityZone: pulumi.String("us-east-1" + string("abc"[i/2])),
			})
			if err != nil {
				return err
			}
			made = append(made, table.ID(), ofZone.ID())
		}
		ready := make(chan struct{})
		pulumi.All(made...).ApplyT(func([]any) string { close(ready); return "" })
		<-ready
		return program(ctx)
	}, pulumi.WithMocks(project, stack, r)))
	return slices.DeleteFunc(r.all, func(r registration) bool { return r.typ == routeTable || r.typ == subnet })
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

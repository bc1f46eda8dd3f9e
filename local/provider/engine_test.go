package provider

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	awsx "github.com/pulumi/pulumi-awsx/sdk/v2/go/awsx/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/local/cloud"
	"github.com/balancer/v3-backend-infra/local/kms"
)

// harness is a stack of the real engine in a simulated account. Its program can be changed between runs.
type harness struct {
	auto.Stack
	*testing.T
	account *cloud.Account
	program pulumi.RunFunc
}

func newHarness(t *testing.T, program pulumi.RunFunc) *harness {
	t.Helper()
	t.Parallel()
	if testing.Short() {
		t.Skip("runs the engine: left out by -short")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(root, "bin", "pulumi")); err != nil {
		t.Skip("bin/pulumi is missing: run `make bin/pulumi` first")
	}
	// The SDK expects the engine in bin below the given root.
	engine, err := auto.NewPulumiCommand(&auto.PulumiCommandOptions{Root: root})
	require.NoError(t, err)

	dir := t.TempDir()
	account := openAccount(t, filepath.Join(dir, "account.json"))
	servers, err := Serve(t.Context(), account)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, servers.Close()) })

	keys, err := kms.Serve(t.Context(), "secret")
	require.NoError(t, err)
	env := keys.Env()
	maps.Copy(env, map[string]string{
		"PULUMI_DEBUG_PROVIDERS": servers.DebugProviders(), "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		"PULUMI_SKIP_UPDATE_CHECK": "true",
	})

	l := &harness{T: t, account: account, program: program}
	l.Stack, err = auto.UpsertStackInlineSource(t.Context(), "test", "lab",
		func(ctx *pulumi.Context) error { return l.program(ctx) },
		auto.Pulumi(engine), auto.WorkDir(t.TempDir()), auto.PulumiHome(t.TempDir()),
		auto.Project(workspace.Project{
			Name: tokens.PackageName("lab"), Runtime: workspace.NewProjectRuntimeInfo("go", nil),
			Backend: &workspace.ProjectBackend{URL: "file://" + t.TempDir()},
		}),
		auto.SecretsProvider("awskms://alias/lab?region=us-east-1"), auto.EnvVars(env))
	require.NoError(t, err)
	return l
}

// up runs the program and returns what changed.
func (h *harness) up(program pulumi.RunFunc) (map[string]int, auto.OutputMap) {
	h.Helper()
	h.program = program
	result, err := h.Up(h.Context(), optup.SuppressProgress())
	require.NoError(h, err)
	return *result.Summary.ResourceChanges, result.Outputs
}

// resources returns the resources in the stack's state.
func (h *harness) resources() []apitype.ResourceV3 {
	h.Helper()
	exported, err := h.Export(h.Context())
	require.NoError(h, err)
	var deployment apitype.DeploymentV3
	require.NoError(h, json.Unmarshal(exported.Deployment, &deployment))
	return deployment.Resources
}

// smallProgram returns a program with a VPC, a cluster and a database, with an explicit provider like the real one.
func smallProgram(tag string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		tags := pulumi.StringMap{"Project": pulumi.String("lab")}
		provider, err := aws.NewProvider(ctx, "aws", &aws.ProviderArgs{
			Region: pulumi.String("us-east-1"), AllowedAccountIds: pulumi.ToStringArray([]string{"123456789012"}),
		})
		if err != nil {
			return err
		}
		with := pulumi.Providers(provider)
		cidr, zones, strategy := "10.10.0.0/16", 2, awsx.SubnetAllocationStrategyAuto
		vpc, err := awsx.NewVpc(ctx, "lab-vpc", &awsx.VpcArgs{
			CidrBlock: &cidr, NumberOfAvailabilityZones: &zones, SubnetStrategy: &strategy, Tags: tags, EnableDnsHostnames: pulumi.Bool(true),
			SubnetSpecs: []awsx.SubnetSpecArgs{{Type: awsx.SubnetTypePrivate}, {Type: awsx.SubnetTypePublic}},
			NatGateways: &awsx.NatGatewayConfigurationArgs{Strategy: awsx.NatGatewayStrategySingle},
		}, with)
		if err != nil {
			return err
		}
		cluster, err := ecs.NewCluster(ctx, "cluster", &ecs.ClusterArgs{
			Name: pulumi.String("lab-cluster"), Tags: pulumi.StringMap{"Version": pulumi.String(tag)},
		}, pulumi.Provider(provider))
		if err != nil {
			return err
		}
		subnets, err := rds.NewSubnetGroup(ctx, "subnets",
			&rds.SubnetGroupArgs{SubnetIds: vpc.PrivateSubnetIds, Tags: tags}, pulumi.Provider(provider))
		if err != nil {
			return err
		}
		db, err := rds.NewInstance(ctx, "db", &rds.InstanceArgs{
			Identifier: pulumi.String("lab-db"), Engine: pulumi.String("postgres"), EngineVersion: pulumi.String("16"),
			InstanceClass: pulumi.String("db.t3.micro"), AllocatedStorage: pulumi.Int(20), Username: pulumi.String("lab"),
			ManageMasterUserPassword: pulumi.Bool(true), DbSubnetGroupName: subnets.Name, SkipFinalSnapshot: pulumi.Bool(true), Tags: tags,
		}, pulumi.Provider(provider))
		if err != nil {
			return err
		}
		ctx.Export("cluster", cluster.Arn)
		ctx.Export("endpoint", db.Endpoint)
		ctx.Export("secret", db.MasterUserSecrets.Index(pulumi.Int(0)).SecretArn())
		ctx.Export("table", vpc.RouteTables.Index(pulumi.Int(0)).VpcId())
		ctx.Export("vpc", vpc.VpcId)
		return nil
	}
}

func TestEngine(t *testing.T) {
	l := newHarness(t, smallProgram("1"))
	preview, err := l.Preview(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[apitype.OpType]int{apitype.OpCreate: 26}, preview.ChangeSummary)

	changes, outputs := l.up(smallProgram("1"))
	require.Equal(t, map[string]int{"create": 26}, changes)
	require.Equal(t, "arn:aws:ecs:us-east-1:123456789012:cluster/lab-cluster", outputs["cluster"].Value)
	require.Regexp(t, `^lab-db\.c[0-9a-f]{11}\.us-east-1\.rds\.amazonaws\.com:5432$`, outputs["endpoint"].Value)
	require.Contains(t, outputs["secret"].Value, ":secret:rds!db-")
	require.Equal(t, outputs["vpc"].Value, outputs["table"].Value, "the component's resources can be read")
	checkVPC(t, l.resources())

	changes, _ = l.up(smallProgram("1"))
	require.Equal(t, map[string]int{"same": 26}, changes)
	changes, _ = l.up(smallProgram("2"))
	require.Equal(t, map[string]int{"same": 25, "update": 1}, changes, "a tag changes one resource")

	refreshed, err := l.Refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int{"same": 26}, *refreshed.Summary.ResourceChanges)

	destroyed, err := l.Destroy(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int{"delete": 26}, *destroyed.Summary.ResourceChanges)
	require.NoError(t, l.account.View(func(s *cloud.State) error {
		require.Empty(t, s.Resources)
		return nil
	}))
}

// checkVPC checks the names, parents, tags and provider of the component's resources.
func checkVPC(t *testing.T, resources []apitype.ResourceV3) {
	t.Helper()
	const component = "urn:pulumi:test::lab::awsx:ec2:Vpc$"
	found := map[string]apitype.ResourceV3{}
	for _, r := range resources {
		found[string(r.URN)] = r
		if r.Custom && strings.HasPrefix(string(r.URN), component) {
			require.Contains(t, r.Provider, "pulumi:providers:aws::aws::", "children use the explicit provider")
		}
	}
	subnet := found[component+"aws:ec2/vpc:Vpc$aws:ec2/subnet:Subnet::lab-vpc-public-2"]
	require.Equal(t, map[string]any{"Project": "lab", "Name": "lab-vpc-public-2", "SubnetType": "Public"},
		subnet.Inputs["tags"])
	require.Equal(t, "10.10.192.0/18", subnet.Inputs["cidrBlock"])
	require.Equal(t, "us-east-1b", subnet.Inputs["availabilityZone"])
	route := found[component+"aws:ec2/vpc:Vpc$aws:ec2/subnet:Subnet$aws:ec2/routeTable:RouteTable$aws:ec2/route:Route::lab-vpc-private-2"]
	nat := found[component+"aws:ec2/vpc:Vpc$aws:ec2/subnet:Subnet$aws:ec2/natGateway:NatGateway::lab-vpc-1"]
	require.NotEmpty(t, nat.ID)
	require.Equal(t, string(nat.ID), route.Inputs["natGatewayId"])
}

func TestEngineErrors(t *testing.T) {
	tests := map[string]struct {
		program pulumi.RunFunc
		want    string
	}{
		"a type that is not simulated": {
			func(ctx *pulumi.Context) error {
				_, err := ec2.NewKeyPair(ctx, "key", &ec2.KeyPairArgs{PublicKey: pulumi.String("ssh-ed25519 A")})
				return err
			},
			"the resource type aws:ec2/keyPair:KeyPair is not simulated by local mode",
		},
		"a subnet outside its VPC": {
			func(ctx *pulumi.Context) error {
				vpc, err := ec2.NewVpc(ctx, "vpc", &ec2.VpcArgs{CidrBlock: pulumi.String("10.10.0.0/16")})
				if err != nil {
					return err
				}
				_, err = ec2.NewSubnet(ctx, "lost",
					&ec2.SubnetArgs{VpcId: vpc.ID(), CidrBlock: pulumi.String("10.99.0.0/24")})
				return err
			},
			"InvalidSubnet.Range: The CIDR '10.99.0.0/24' is invalid.",
		},
		"a layout that is not simulated": {
			func(ctx *pulumi.Context) error {
				_, err := awsx.NewVpc(ctx, "legacy", nil)
				return err
			},
			"a subnetStrategy of awsx:ec2:Vpc other than Auto is not simulated by local mode",
		},
	}
	l := newHarness(t, nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l.program = test.program
			_, err := l.Up(t.Context())
			require.ErrorContains(t, err, test.want)
		})
	}
}

// TestEngineReplacesAGroupInUse checks that a security group with an explicit name is deleted first, which AWS refuses while
// something uses it, unless its description is ignored or the program has the replacement created first under another name.
func TestEngineReplacesAGroupInUse(t *testing.T) {
	program := func(name, description string, options ...pulumi.ResourceOption) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			network, err := ec2.NewVpc(ctx, "vpc", &ec2.VpcArgs{CidrBlock: pulumi.String("10.10.0.0/16")})
			if err != nil {
				return err
			}
			group, err := ec2.NewSecurityGroup(ctx, "group", &ec2.SecurityGroupArgs{
				Name: pulumi.String(name), Description: pulumi.String(description), VpcId: network.ID(),
			}, options...)
			if err != nil {
				return err
			}
			_, err = ec2.NewVpcEndpoint(ctx, "user", &ec2.VpcEndpointArgs{
				VpcId: network.ID(), ServiceName: pulumi.String("com.amazonaws.us-east-1.logs"), VpcEndpointType: pulumi.String("Interface"),
				SecurityGroupIds: pulumi.StringArray{group.ID()},
			})
			return err
		}
	}
	l := newHarness(t, nil)
	changes, _ := l.up(program("tasks", "Containers"))
	require.Equal(t, 4, changes["create"])

	l.program = program("tasks", "Reworded")
	_, err := l.Up(t.Context(), optup.SuppressProgress())
	require.ErrorContains(t, err, "DependencyViolation")
	changes, _ = l.up(program("tasks", "Reworded", pulumi.IgnoreChanges([]string{"description"})))
	require.Equal(t, map[string]int{"same": 4}, changes)
	changes, _ = l.up(program("tasks-2", "Reworded", pulumi.DeleteBeforeReplace(false)))
	require.Equal(t, 1, changes["replace"])
}

// TestEngineImports imports a resource that the account has and the state does not.
func TestEngineImports(t *testing.T) {
	l := newHarness(t, nil)
	made, err := l.account.CreateResource(context.Background(), "aws:ecs/cluster:Cluster",
		map[string]any{"name": "lab-cluster"})
	require.NoError(t, err)
	changes, outputs := l.up(func(ctx *pulumi.Context) error {
		cluster, err := ecs.NewCluster(ctx, "cluster", &ecs.ClusterArgs{Name: pulumi.String("lab-cluster")},
			pulumi.Import(pulumi.ID("lab-cluster")))
		if err != nil {
			return err
		}
		ctx.Export("id", cluster.ID())
		return nil
	})
	require.Equal(t, 1, changes["import"])
	require.Equal(t, made.ID, outputs["id"].Value)
}

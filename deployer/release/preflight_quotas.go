package release

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
	"github.com/balancer/v3-backend-infra/internal/awsx/quota"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsinstance"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// Quotas is the check of the account's quotas.
const Quotas = "quotas"

// CheckQuotas returns what a first deployment of an environment, or a full one of an existing environment, would exceed of the account's
// quotas, or why that could not be counted.
func CheckQuotas(ctx context.Context, cfg aws.Config, env *environment.Environment) []Problem {
	p := &preflight{env: env, aws: cfg, changesNetwork: true, databasePhase: Provision, migrates: true, rollsOut: true}
	return p.quotas(ctx)
}

// quotas compares the account's quotas with what the deployment adds to what the environment has already.
func (p *preflight) quotas(ctx context.Context) []Problem {
	var problems []Problem
	for _, part := range []struct {
		enabled bool
		count   func(context.Context) ([]quota.Use, error)
	}{
		{p.changesNetwork, p.countNetwork},
		{p.databasePhase != "", p.countDatabases},
		{p.migrates || p.rollsOut, p.countTasks},
	} {
		if !part.enabled {
			continue
		}
		uses, err := part.count(ctx)
		if err != nil {
			problems = append(problems, Problem{Check: Quotas, Message: err.Error(),
				Hint: "allow the call; without it, a quota that is used up fails the deployment halfway"})
		}
		for _, use := range uses {
			if excess := use.Evaluate(ctx, p.aws, p.env.Region, "this deployment"); excess != nil {
				problems = append(problems, Problem{Check: Quotas, Message: excess.Message, Stops: excess.Certain, Hint: excess.Hint})
			}
		}
	}
	return problems
}

// countNetwork returns the use of the quotas of VPCs, Elastic IPs, and NAT gateways or instances that the deployment adds to.
func (p *preflight) countNetwork(ctx context.Context) ([]quota.Use, error) {
	client := ec2.NewFromConfig(p.aws)
	var uses []quota.Use
	vpcs, err := awsx.Pages(ctx, ec2.NewDescribeVpcsPaginator(client, &ec2.DescribeVpcsInput{}),
		func(page *ec2.DescribeVpcsOutput) []types.Vpc { return page.Vpcs })
	if err != nil {
		return nil, fmt.Errorf("count the VPCs: %w", err)
	}
	name := p.env.VPCName()
	if !slices.ContainsFunc(vpcs, func(v types.Vpc) bool { return tagValue(v.Tags, "Name") == name }) {
		uses = append(uses, quota.Use{Quota: quota.VPCs(), Place: p.env.Region, Used: float64(len(vpcs)), Added: 1})
	}
	addresses, err := client.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
	if err != nil {
		return uses, fmt.Errorf("count the Elastic IPs: %w", err)
	}
	// The address of a gateway stays until the instance has its own, and the other way round.
	byInstance := p.env.Network.NAT == environment.NATInstance
	own := list.Filter(addresses.Addresses, func(a types.Address) bool {
		return p.owns(a.Tags) && byInstance == (tagValue(a.Tags, "Name") == p.env.NATInstanceName())
	})
	if added := p.env.NATAddresses() - len(own); added > 0 {
		uses = append(uses, quota.Use{Quota: quota.ElasticIPs(), Place: p.env.Region, Used: float64(len(addresses.Addresses)), Added: float64(added)})
	}
	count := p.countGateways
	if byInstance {
		count = p.countInstances
	}
	more, err := count(ctx, client)
	return append(uses, more...), err
}

// countInstances returns the use of the quota of vCPUs of instances, where the environment has no NAT instance yet. The quota is of the standard
// families, whose names begin with one of these letters.
// Source: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
func (p *preflight) countInstances(ctx context.Context, client *ec2.Client) ([]quota.Use, error) {
	reservations, err := awsx.Pages(ctx, ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{
		Filters: []types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"pending", "running"}}},
	}), func(page *ec2.DescribeInstancesOutput) []types.Reservation { return page.Reservations })
	if err != nil {
		return nil, fmt.Errorf("count the instances: %w", err)
	}
	used := 0
	for _, r := range reservations {
		for _, i := range r.Instances {
			if p.owns(i.Tags) && tagValue(i.Tags, "Name") == p.env.NATInstanceName() {
				return nil, nil
			}
			// Spot instances have a quota of their own.
			if i.CpuOptions != nil && i.InstanceLifecycle == "" && strings.ContainsAny(string(i.InstanceType)[:min(1, len(i.InstanceType))], "acdhimrtz") {
				used += int(aws.ToInt32(i.CpuOptions.CoreCount) * aws.ToInt32(i.CpuOptions.ThreadsPerCore))
			}
		}
	}
	return []quota.Use{{Quota: quota.InstanceVCPUs(), Place: p.env.Region, Used: float64(used), Added: environment.NATInstanceVCPUs}}, nil
}

// countGateways returns the use of the quota of NAT gateways in each zone that gets another one.
func (p *preflight) countGateways(ctx context.Context, client *ec2.Client) ([]quota.Use, error) {
	gateways, err := awsx.Pages(ctx, ec2.NewDescribeNatGatewaysPaginator(client, &ec2.DescribeNatGatewaysInput{}),
		func(page *ec2.DescribeNatGatewaysOutput) []types.NatGateway { return page.NatGateways })
	if err != nil {
		return nil, fmt.Errorf("count the NAT gateways: %w", err)
	}
	// A gateway that failed or was deleted remains visible for an hour, and does not count.
	gateways = list.Filter(gateways, func(g types.NatGateway) bool {
		return g.State != types.NatGatewayStateFailed && g.State != types.NatGatewayStateDeleted
	})
	owned := list.Filter(gateways, func(g types.NatGateway) bool { return p.owns(g.Tags) })
	if len(owned) >= p.env.NATGateways() {
		return nil, nil
	}
	subnets, err := awsx.Pages(ctx, ec2.NewDescribeSubnetsPaginator(client, &ec2.DescribeSubnetsInput{}),
		func(page *ec2.DescribeSubnetsOutput) []types.Subnet { return page.Subnets })
	if err != nil {
		return nil, fmt.Errorf("find the zones of the NAT gateways: %w", err)
	}
	zones, err := client.DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{})
	if err != nil {
		return nil, fmt.Errorf("list the availability zones: %w", err)
	}
	zoneOf := map[string]string{}
	for _, s := range subnets {
		zoneOf[aws.ToString(s.SubnetId)] = aws.ToString(s.AvailabilityZone)
	}
	countByZone := func(of []types.NatGateway) map[string]int {
		count := map[string]int{}
		for _, g := range of {
			count[zoneOf[aws.ToString(g.SubnetId)]]++
		}
		return count
	}
	used, own := countByZone(gateways), countByZone(owned)
	// The network takes the first zones of the region, by name.
	names := slices.Sorted(slices.Values(list.Map(zones.AvailabilityZones, func(z types.AvailabilityZone) string { return aws.ToString(z.ZoneName) })))
	var uses []quota.Use
	for _, zone := range names[:min(p.env.NATGateways(), len(names))] {
		if own[zone] == 0 {
			uses = append(uses, quota.Use{Quota: quota.NATGateways(), Place: zone, Used: float64(used[zone]), Added: 1})
		}
	}
	return uses, nil
}

// countDatabases returns the use of the quota of database instances, where the environment has none yet.
func (p *preflight) countDatabases(ctx context.Context) ([]quota.Use, error) {
	all, err := rdsinstance.All(ctx, p.aws)
	if err != nil {
		return nil, fmt.Errorf("count the database instances: %w", err)
	}
	id := p.env.DatabaseIdentifier()
	if slices.ContainsFunc(all, func(d rdstypes.DBInstance) bool { return aws.ToString(d.DBInstanceIdentifier) == id }) {
		return nil, nil
	}
	return []quota.Use{{Quota: quota.DatabaseInstances(), Place: p.env.Region, Used: float64(len(all)), Added: 1}}, nil
}

// The capacity providers of tasks. Each has a quota of its own.
const (
	onDemand = "FARGATE"
	onSpot   = environment.FargateSpot
)

// countTasks returns the use of the quotas of vCPUs. Tasks in all clusters count; the pods of EKS on Fargate count too, and cannot be seen
// here.
func (p *preflight) countTasks(ctx context.Context) ([]quota.Use, error) {
	client := ecs.NewFromConfig(p.aws)
	services, err := describeServices(ctx, client, p.env)
	if err != nil {
		return nil, err
	}
	used, err := usedVCPUs(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("count the vCPUs of Fargate tasks: %w", err)
	}
	var uses []quota.Use
	for provider, of := range map[string]quota.Quota{onDemand: quota.FargateVCPUs(), onSpot: quota.FargateSpotVCPUs()} {
		use := quota.Use{Quota: of, Place: p.env.Region, Used: used[provider]}
		if p.rollsOut {
			use.Added, use.Peak = addedVCPUs(p.env, services, provider)
		}
		if p.migrates && provider == onDemand {
			// The migration runs beside the services, before or after their rollout.
			migration := vCPUs(p.env.Deployment.Migrations.CPU)
			use.Added, use.Peak = max(use.Added, migration), max(use.Peak, migration)
		}
		if use.Peak > 0 {
			uses = append(uses, use)
		}
	}
	slices.SortFunc(uses, func(a, b quota.Use) int { return strings.Compare(a.What, b.What) })
	return uses, nil
}

// usedVCPUs returns the vCPUs of the tasks that run on Fargate, by capacity provider.
func usedVCPUs(ctx context.Context, client *ecs.Client) (map[string]float64, error) {
	clusters, err := awsx.Pages(ctx, ecs.NewListClustersPaginator(client, &ecs.ListClustersInput{}),
		func(page *ecs.ListClustersOutput) []string { return page.ClusterArns })
	if err != nil {
		return nil, err
	}
	used := map[string]float64{}
	for _, cluster := range clusters {
		tasks, err := ecstasks.Find(ctx, client, &ecs.ListTasksInput{Cluster: &cluster})
		if err != nil && !ecstasks.IsNoCluster(err) {
			return nil, err
		}
		for _, task := range tasks {
			provider := aws.ToString(task.CapacityProviderName)
			if provider == "" && task.LaunchType == ecstypes.LaunchTypeFargate {
				provider = onDemand
			}
			if provider != onDemand && provider != onSpot {
				continue
			}
			cpu, err := strconv.Atoi(aws.ToString(task.Cpu))
			if err != nil {
				return nil, fmt.Errorf("the size of the task %s: %w", aws.ToString(task.TaskArn), err)
			}
			used[provider] += vCPUs(cpu)
		}
	}
	return used, nil
}

// addedVCPUs returns what a rollout adds to the tasks that run on a capacity provider: what it cannot do without, and the most that it uses.
// A new service needs all of its tasks, and so does one that moves to the provider. An existing one is replaced task by task where there is
// no room for all at once; a scheduler's task stops before the next one starts.
func addedVCPUs(env *environment.Environment, services []ecstypes.Service, provider string) (added, peak float64) {
	desired, moves := map[string]int{}, map[string]bool{}
	for _, s := range services {
		if name := aws.ToString(s.ServiceName); aws.ToString(s.Status) == "ACTIVE" {
			desired[name] = max(int(s.DesiredCount), int(s.RunningCount))
			moves[name] = slices.ContainsFunc(s.CapacityProviderStrategy, func(item ecstypes.CapacityProviderStrategyItem) bool {
				return aws.ToString(item.CapacityProvider) != provider
			})
		}
	}
	var created, replaced, one int
	for _, s := range env.Services.List() {
		if s.Spot != (provider == onSpot) {
			continue
		}
		name := env.ServiceName(s.Role)
		running, exists := desired[name]
		switch {
		case !exists:
			created += s.CPU * s.Tasks.Min
		case moves[name]:
			created += s.CPU * running
		case s.Role != environment.Scheduler:
			replaced += s.CPU * running
			one = max(one, s.CPU*min(running, 1))
		}
	}
	return vCPUs(created + one), vCPUs(created + replaced)
}

// vCPUs converts CPU units.
func vCPUs(units int) float64 { return float64(units) / 1024 }

// owns reports whether tags are the environment's.
func (p *preflight) owns(tags []types.Tag) bool {
	for _, key := range slices.Sorted(maps.Keys(p.env.Tags())) {
		if tagValue(tags, key) != p.env.Tags()[key] {
			return false
		}
	}
	return true
}

func tagValue(tags []types.Tag, key string) string {
	return awsx.TagValue(tags, key, func(t types.Tag) (k, v *string) { return t.Key, t.Value })
}

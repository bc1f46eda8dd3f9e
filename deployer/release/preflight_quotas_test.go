package release

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/quota"
	"github.com/balancer/v3-backend-infra/internal/moto"
)

func TestAddedVCPUs(t *testing.T) {
	env := staging(t)
	worker, scheduler := *env.Services.Worker, *env.Services.Scheduler
	env.Services.API.CPU, env.Services.API.Tasks.Min, env.Services.Worker, env.Services.Scheduler = 1024, 2, nil, nil
	service := func(role environment.Role, desired, running int32) types.Service {
		return types.Service{ServiceName: aws.String(env.ServiceName(role)), Status: aws.String("ACTIVE"), DesiredCount: desired, RunningCount: running}
	}
	gone := service(environment.API, 2, 0)
	gone.Status = aws.String("INACTIVE")
	worker.CPU, scheduler.CPU = 512, 2048
	for name, test := range map[string]struct {
		services    []types.Service
		others      bool
		added, peak float64
	}{
		"a first deployment needs all tasks":         {nil, false, 2, 2},
		"a service that was deleted is new":          {[]types.Service{gone}, false, 2, 2},
		"tasks are replaced one by one, or all":      {[]types.Service{service(environment.API, 2, 2)}, false, 1, 2},
		"autoscaling runs more than the least":       {[]types.Service{service(environment.API, 8, 6)}, false, 1, 8},
		"more run than are wanted":                   {[]types.Service{service(environment.API, 2, 3)}, false, 1, 3},
		"none run":                                   {[]types.Service{service(environment.API, 0, 0)}, false, 0, 0},
		"new services beside one that exists":        {[]types.Service{service(environment.API, 2, 2)}, true, 3.5, 4.5},
		"a scheduler is stopped before the next one": {[]types.Service{service(environment.API, 2, 2), service(environment.Worker, 1, 1), service(environment.Scheduler, 1, 1)}, true, 1, 2.5},
	} {
		t.Run(name, func(t *testing.T) {
			all := env.Clone()
			if test.others {
				all.Services.Worker, all.Services.Scheduler = &worker, &scheduler
			}
			added, peak := addedVCPUs(all, test.services, onDemand)
			require.Equal(t, []float64{test.added, test.peak}, []float64{added, peak})
			added, peak = addedVCPUs(all, test.services, onSpot)
			require.Equal(t, []float64{0, 0}, []float64{added, peak})
		})
	}
	on := func(provider string) []types.Service {
		s := service(environment.API, 2, 2)
		s.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: &provider}}
		return []types.Service{s}
	}
	for _, spot := range []bool{false, true} {
		env.Services.API.Spot = spot
		for _, running := range []string{onDemand, onSpot} {
			want := map[string][]float64{onDemand: {0, 0}, onSpot: {0, 0}}
			switch wanted := map[bool]string{false: onDemand, true: onSpot}[spot]; running {
			case wanted:
				want[wanted] = []float64{1, 2}
			default:
				want[wanted] = []float64{2, 2} // all of its tasks move
			}
			for provider := range want {
				added, peak := addedVCPUs(env, on(running), provider)
				require.Equal(t, want[provider], []float64{added, peak}, "from %s, Spot %t: %s", running, spot, provider)
			}
		}
	}
}

// A task on Fargate Spot has a quota of its own, and one on an instance none. What cannot be counted is no reason to stop.
func TestUsedVCPUs(t *testing.T) {
	task := func(cpu string, launch types.LaunchType, provider string) types.Task {
		return types.Task{Cpu: &cpu, LaunchType: launch, CapacityProviderName: &provider}
	}
	cfg := fakeAWS(func(in any) (any, error) {
		switch in := in.(type) {
		case *ecs.ListClustersInput:
			return &ecs.ListClustersOutput{ClusterArns: []string{"a", "b"}}, nil
		case *ecs.ListTasksInput:
			return &ecs.ListTasksOutput{TaskArns: []string{*in.Cluster + "/1"}}, nil
		case *ecs.DescribeTasksInput:
			return &ecs.DescribeTasksOutput{Tasks: []types.Task{
				task("256", types.LaunchTypeFargate, "FARGATE"), task("512", types.LaunchTypeFargate, "FARGATE_SPOT"),
				task("4096", types.LaunchTypeEc2, ""), task("1024", types.LaunchTypeFargate, ""), task("4096", types.LaunchTypeEc2, "own-instances"),
			}}, nil
		}
		return nil, errors.New("unexpected call")
	})
	used, err := usedVCPUs(t.Context(), ecs.NewFromConfig(cfg))
	require.NoError(t, err)
	require.Equal(t, map[string]float64{onDemand: 2.5, onSpot: 1}, used)

	p := &preflight{env: staging(t), aws: fakeAWS(func(any) (any, error) { return nil, errors.New("AccessDenied") }), changesNetwork: true, databasePhase: Provision}
	problems := p.quotas(t.Context())
	require.Len(t, problems, 2)
	for _, problem := range problems {
		require.False(t, problem.Stops)
		require.Contains(t, problem.Message, "count the ")
		require.NotEmpty(t, problem.Hint)
	}
	require.Empty(t, (&preflight{env: staging(t), aws: p.aws}).quotas(t.Context()), "nothing is added, so nothing is counted")
}

// TestCountInstances checks which instances count against the quota that the NAT instance needs, and that its own launch is counted once.
func TestCountInstances(t *testing.T) {
	env := staging(t)
	env.Network.NAT = environment.NATInstance
	instance := func(kind ec2types.InstanceType, cores, threads int32, lifecycle ec2types.InstanceLifecycleType, tags ...ec2types.Tag) ec2types.Instance {
		return ec2types.Instance{InstanceType: kind, InstanceLifecycle: lifecycle, Tags: tags,
			CpuOptions: &ec2types.CpuOptions{CoreCount: &cores, ThreadsPerCore: &threads}}
	}
	count := func(instances ...ec2types.Instance) []quota.Use {
		cfg := fakeAWS(func(any) (any, error) {
			return &ec2.DescribeInstancesOutput{Reservations: []ec2types.Reservation{{Instances: instances}}}, nil
		})
		uses, err := (&preflight{env: env}).countInstances(t.Context(), ec2.NewFromConfig(cfg))
		require.NoError(t, err)
		return uses
	}
	others := []ec2types.Instance{
		instance("m5.large", 1, 2, ""), instance("t4g.nano", 2, 1, ""), instance("t3.micro", 1, 2, "spot"), instance("p5.48xlarge", 96, 2, ""),
	}
	require.Equal(t, []quota.Use{{Quota: quota.InstanceVCPUs(), Place: "us-east-1", Used: 4, Added: 2}}, count(others...))
	tags := []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String(env.NATInstanceName())}}
	for key, value := range env.Tags() {
		tags = append(tags, ec2types.Tag{Key: &key, Value: &value})
	}
	require.Empty(t, count(append(others, instance("t4g.nano", 2, 1, "", tags...))...))
}

// moto has the quotas of VPCs alone: for others, AWS's default applies, which cannot stop a deployment.
func TestQuotasOverTheWire(t *testing.T) {
	endpoint := moto.Start(t)
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	client, env := ec2.NewFromConfig(cfg), staging(t)
	env.Network.NAT = environment.NATSingle
	limit, err := quota.VPCs().Read(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, 5.0, limit)
	require.Empty(t, CheckQuotas(t.Context(), cfg, env))

	for range 5 {
		_, err := client.CreateVpc(t.Context(), &ec2.CreateVpcInput{CidrBlock: aws.String("10.99.0.0/16")})
		require.NoError(t, err)
		_, err = client.AllocateAddress(t.Context(), &ec2.AllocateAddressInput{Domain: ec2types.DomainTypeVpc})
		require.NoError(t, err)
	}
	problems := CheckQuotas(t.Context(), cfg, env)
	require.Len(t, problems, 2)
	require.Contains(t, problems[0].Message, "VPCs in us-east-1: 6 used, 1 added by this deployment, 5 allowed by the quota L-F678F1CE") // and the default VPC
	require.True(t, problems[0].Stops)
	require.Contains(t, problems[1].Message, "Elastic IPs in us-east-1: 5 used, 1 added by this deployment, 5 allowed by the quota L-0263D0A3, which is AWS's default")
	require.False(t, problems[1].Stops)

	// The environment's own VPC and address add nothing.
	tags := []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String(env.VPCName())}}
	for key, value := range env.Tags() {
		tags = append(tags, ec2types.Tag{Key: &key, Value: &value})
	}
	vpcs, err := client.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	require.NoError(t, err)
	addresses, err := client.DescribeAddresses(t.Context(), &ec2.DescribeAddressesInput{})
	require.NoError(t, err)
	_, err = client.CreateTags(t.Context(), &ec2.CreateTagsInput{
		Resources: []string{*vpcs.Vpcs[0].VpcId, *addresses.Addresses[0].AllocationId}, Tags: tags,
	})
	require.NoError(t, err)
	require.Empty(t, CheckQuotas(t.Context(), cfg, env))

	// An instance needs another address than the gateway's, which stays until the routes lead to the instance.
	instance := env.Clone()
	instance.Network.NAT = environment.NATInstance
	problems = CheckQuotas(t.Context(), cfg, instance)
	require.Len(t, problems, 1)
	require.Contains(t, problems[0].Message, "Elastic IPs in us-east-1: 5 used, 1 added by this deployment")

	platformOverTheWire(t, cfg, env)
}

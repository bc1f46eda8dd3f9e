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

func TestEvaluateQuota(t *testing.T) {
	const request = "release what is not needed, or request a higher quota: `aws service-quotas request-service-quota-increase --region eu-west-1 "
	denied := errors.New("AccessDenied")
	for name, test := range map[string]struct {
		use        quotaUse
		stops      bool
		want, hint string
	}{
		"room":                                {use: quotaUse{Quota: quota.ElasticIPs(), used: 4, added: 1, limit: 5}},
		"used up":                             {quotaUse{Quota: quota.ElasticIPs(), place: "eu-west-1", used: 5, added: 1, limit: 5}, true, "Elastic IPs in eu-west-1: 5 used, 1 added by this deployment, 5 allowed by the quota L-0263D0A3", request + "--service-code ec2 --quota-code L-0263D0A3 --desired-value 6`"},
		"one a zone":                          {quotaUse{Quota: quota.NATGateways(), place: "eu-west-1b", used: 5, added: 1, limit: 5}, true, "NAT gateways in eu-west-1b: 5 used, 1 added by this deployment, 5 allowed by the quota L-FE5A380F", request + "--service-code vpc --quota-code L-FE5A380F --desired-value 6`"},
		"nothing is added to what is over it": {use: quotaUse{Quota: quota.VPCs(), used: 5, limit: 5}},
		"the default may not be the account's": {quotaUse{Quota: quota.VPCs(), place: "eu-west-1", used: 5, added: 1, limit: 5, unread: denied}, false, "VPCs in eu-west-1: 5 used, 1 added by this deployment, 5 allowed by the quota L-F678F1CE, " +
			"which is AWS's default, since the account's value could not be read: AccessDenied", request + "--service-code vpc --quota-code L-F678F1CE --desired-value 6`"},
		"room in the default":    {use: quotaUse{Quota: quota.VPCs(), used: 4, added: 1, limit: 5, unread: denied}},
		"parts of a vCPU":        {quotaUse{Quota: quota.FargateVCPUs(), place: "eu-west-1", used: 5.75, added: 0.5, limit: 6}, true, "vCPUs of Fargate tasks on demand in eu-west-1: 5.75 used, 0.5 added by this deployment, 6 allowed by the quota L-3032A538", request + "--service-code fargate --quota-code L-3032A538 --desired-value 7`"},
		"room for a slower pace": {quotaUse{Quota: quota.FargateVCPUs(), place: "eu-west-1", used: 5, added: 1, peak: 4.5, limit: 6}, false, "vCPUs of Fargate tasks on demand in eu-west-1: 5 used, up to 4.5 added while tasks are replaced, 6 allowed by the quota L-3032A538: the rollout takes longer", request + "--service-code fargate --quota-code L-3032A538 --desired-value 10`"},
		"room for all at once":   {use: quotaUse{Quota: quota.FargateVCPUs(), used: 1, added: 1, peak: 4.5, limit: 6}},
	} {
		t.Run(name, func(t *testing.T) {
			problems := test.use.evaluate("eu-west-1")
			if test.want == "" {
				require.Empty(t, problems)
				return
			}
			require.Equal(t, []Problem{{Check: Quotas, Message: test.want, Stops: test.stops, Hint: test.hint}}, problems)
		})
	}
}

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
			added, peak := addedVCPUs(all, test.services)
			require.Equal(t, []float64{test.added, test.peak}, []float64{added, peak})
		})
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
	require.Equal(t, 2.5, used)

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

// moto has the quotas of VPCs alone: for others, AWS's default applies, which cannot stop a deployment.
func TestQuotasOverTheWire(t *testing.T) {
	endpoint := moto.Start(t)
	cfg := aws.Config{Region: "us-east-1", BaseEndpoint: &endpoint, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	client, env := ec2.NewFromConfig(cfg), staging(t)
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
}

package checks

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/moto"
	"github.com/balancer/v3-backend-infra/probe"
)

// overTheWire are the components that are judged at moto: those whose calls it knows, without the endpoint, which it
// has not.
var overTheWire = []string{
	"vpc", "subnets", "nat", "security_groups", "ecs_cluster", "ecs_service", "task_definition", "load_balancer", "listeners",
	"target_groups", "certificate", "hosted_zone", "dns", "database", "queue", "dead_letter_queue", "secrets", "log_groups", "alarms",
	"image_repository", "buckets", "roles", "budget", "waf", "autoscaling", "database_backups",
}

// TestOverTheWire judges an environment in an account that speaks AWS's wire formats: when there is nothing, when it
// was created as it should be, and when it was broken.
func TestOverTheWire(t *testing.T) {
	cfg := moto.Config(t, "us-east-1")
	env := loaded(t, "dev")
	sources := Sources{AWS: cfg, Network: probe.Network{Resolver: nowhere{}}}
	judge := func(only ...string) map[string]Finding {
		report := Run(t.Context(), env, sources, Options{Only: only}, clock.Real())
		found := map[string]Finding{}
		for _, f := range report.Services {
			require.NotEqual(t, Unknown, f.Status, "%s: %s", f.Component, f.Message)
			found[f.Service] = f
		}
		return found
	}
	absent := judge(overTheWire...)
	require.Len(t, absent, 1)
	require.Equal(t, ReasonNotDeployed, absent[stackService(env)].Reason)

	// remedies are the commands for what a deployment does not create, or would create empty.
	remedies := map[string]string{
		"hosted_zone": "bootstrap", "delegation": "bootstrap", "image_repository": "bootstrap", "secrets": "secrets init --env dev",
		"database": "snapshot restore --env dev --switch", "database_backups": "snapshot restore --env dev --switch",
	}

	// A stack with resources was deployed, whatever is left of them.
	sources.Stack = func(context.Context) (StackInfo, error) { return StackInfo{Resources: 1}, nil }
	for id, f := range judge(overTheWire...) {
		switch f.Reason {
		case "NotNeeded", "NotScaled":
			require.Equal(t, Healthy, f.Status, id)
		default:
			require.Contains(t, f.Reason, "Missing", "%s: %s", id, f.Message)
			require.NotEqual(t, Healthy, f.Status, id)
			if want := remedies[f.Component]; want != "" {
				require.Equal(t, "deployer "+want, f.Hint.Command, id)
			} else {
				require.Equal(t, "deployer up --env dev --image-tag TAG --refresh", f.Hint.Command, id)
			}
		}
	}

	w := wire{t, cfg, env}
	w.network()
	w.data()
	group := w.balancer()
	w.services(group)
	well := judge("vpc", "ecs_cluster", "ecs_service", "task_definition", "load_balancer", "listeners", "hosted_zone",
		"dns", "database", "queue", "dead_letter_queue", "secrets", "log_groups")
	require.NotEmpty(t, well)
	for id, f := range well {
		require.Equal(t, Healthy, f.Status, "%s: %s: %s", id, f.Reason, f.Message)
	}

	w.natInstance(sources)
	w.breakThings()
	broken := judge("ecs_service", "security_groups", "secrets", "task_definition", "dead_letter_queue", "certificate")
	for id, want := range map[string]verdict{
		"ECS-Service-" + env.ServiceName("api"):       {Warning, "NoTasksDesired", ""},
		"VPC-SecurityGroup-" + env.Prefix + "-tasks":  {Error, "OpenToTheWorld", "tcp/5432"},
		"SecretsManager-Secret-balancer-dev-config":   {Error, "SecretKeysMissing", "SENTRY_DSN"},
		"ECS-TaskDefinition-" + env.TaskFamily("api"): {Error, "SecretKeysMissing", "SENTRY_DSN"},
		"SQS-Queue-" + env.DeadLetterQueueName():      {Warning, "DeadLetters", "1 message"},
		"ACM-Certificate-" + env.Domain.Name:          {Error, "NotDelegated", "waiting for validation"},
	} {
		require.Contains(t, broken, id)
		requireVerdict(t, want, broken[id])
	}
}

// wire creates an environment with the SDK, outside the deployer.
type wire struct {
	t   *testing.T
	cfg aws.Config
	env *environment.Environment
}

func (w wire) network() {
	client := ec2.NewFromConfig(w.cfg)
	vpc, err := client.CreateVpc(w.t.Context(), &ec2.CreateVpcInput{
		CidrBlock: aws.String(w.env.Network.CIDR),
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeVpc, Tags: []ec2types.Tag{
			{Key: aws.String("Name"), Value: aws.String(w.env.VPCName())},
		}}},
	})
	require.NoError(w.t, err)
	_, err = client.CreateSecurityGroup(w.t.Context(), &ec2.CreateSecurityGroupInput{
		GroupName: aws.String(w.env.Prefix + "-tasks"), Description: aws.String("tasks"), VpcId: vpc.Vpc.VpcId,
	})
	require.NoError(w.t, err)
}

// natInstance starts an instance with an existing interface, and judges it: with its route, and without.
func (w wire) natInstance(sources Sources) {
	ctx, client := w.t.Context(), ec2.NewFromConfig(w.cfg)
	env := w.env.Clone()
	env.Network.NAT = environment.NATInstance
	named := []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String(env.NATInstanceName())}}
	vpcs, err := client.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: []ec2types.Filter{filter("tag:Name", env.VPCName())}})
	require.NoError(w.t, err)
	vpc := vpcs.Vpcs[0].VpcId
	subnet, err := client.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc, CidrBlock: aws.String("10.10.250.0/24")})
	require.NoError(w.t, err)
	created, err := client.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: subnet.Subnet.SubnetId,
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeNetworkInterface, Tags: named}}})
	require.NoError(w.t, err)
	id := created.NetworkInterface.NetworkInterfaceId
	_, err = client.ModifyNetworkInterfaceAttribute(ctx, &ec2.ModifyNetworkInterfaceAttributeInput{
		NetworkInterfaceId: id, SourceDestCheck: &ec2types.AttributeBooleanValue{Value: aws.Bool(false)}})
	require.NoError(w.t, err)
	address, err := client.AllocateAddress(ctx, &ec2.AllocateAddressInput{Domain: ec2types.DomainTypeVpc})
	require.NoError(w.t, err)
	_, err = client.AssociateAddress(ctx, &ec2.AssociateAddressInput{AllocationId: address.AllocationId, NetworkInterfaceId: id})
	require.NoError(w.t, err)
	_, err = client.RunInstances(ctx, &ec2.RunInstancesInput{
		MinCount: aws.Int32(1), MaxCount: aws.Int32(1), ImageId: aws.String("ami-12c6146b"), InstanceType: "t4g.nano",
		NetworkInterfaces: []ec2types.InstanceNetworkInterfaceSpecification{{DeviceIndex: aws.Int32(0), NetworkInterfaceId: id}},
		TagSpecifications: []ec2types.TagSpecification{{ResourceType: ec2types.ResourceTypeInstance, Tags: named}},
	})
	require.NoError(w.t, err)
	table, err := client.CreateRouteTable(ctx, &ec2.CreateRouteTableInput{VpcId: vpc, TagSpecifications: []ec2types.TagSpecification{{
		ResourceType: ec2types.ResourceTypeRouteTable, Tags: []ec2types.Tag{{Key: aws.String("SubnetType"), Value: aws.String("Private")}}}}})
	require.NoError(w.t, err)
	judge := func() Finding {
		report := Run(ctx, env, sources, Options{Only: []string{"nat"}}, clock.Real())
		require.Len(w.t, report.Services, 1)
		return report.Services[0]
	}
	requireVerdict(w.t, verdict{Error, "RoutesMissing", "0 of 1 private route tables"}, judge())
	_, err = client.CreateRoute(ctx, &ec2.CreateRouteInput{
		RouteTableId: table.RouteTable.RouteTableId, DestinationCidrBlock: aws.String("0.0.0.0/0"), NetworkInterfaceId: id})
	require.NoError(w.t, err)
	requireVerdict(w.t, verdict{Healthy, "Available", "1 route leads to it"}, judge())
}

func (w wire) data() {
	ctx, env := w.t.Context(), w.env
	_, err := rds.NewFromConfig(w.cfg).CreateDBInstance(ctx, &rds.CreateDBInstanceInput{
		DBInstanceIdentifier: aws.String(env.DatabaseIdentifier()), DBInstanceClass: aws.String("db.t3.micro"), Engine: aws.String("postgres"),
		AllocatedStorage: aws.Int32(20), StorageEncrypted: aws.Bool(true), MasterUsername: aws.String("balancer"), MasterUserPassword: aws.String("only-a-test"),
		PubliclyAccessible: aws.Bool(false),
	})
	require.NoError(w.t, err)

	client := sqs.NewFromConfig(w.cfg)
	encrypted := map[string]string{"SqsManagedSseEnabled": "true"}
	_, err = client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(env.DeadLetterQueueName()), Attributes: encrypted})
	require.NoError(w.t, err)
	_, err = client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(env.QueueName()), Attributes: map[string]string{
		"SqsManagedSseEnabled": "true",
		"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":"arn:aws:sqs:%s:%s:%s","maxReceiveCount":3}`,
			env.Region, env.Account, env.DeadLetterQueueName()),
	}})
	require.NoError(w.t, err)

	_, err = secretsmanager.NewFromConfig(w.cfg).CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String(env.SecretName()), SecretString: aws.String(`{"SUBGRAPH_API_URL":"https://a","SENTRY_DSN":"https://k@b/1","NODE_ENV":"c"}`),
	})
	require.NoError(w.t, err)

	logs := cloudwatchlogs.NewFromConfig(w.cfg)
	_, err = logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(env.LogGroupName())})
	require.NoError(w.t, err)
	_, err = logs.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{
		LogGroupName: aws.String(env.LogGroupName()), RetentionInDays: aws.Int32(int32(env.Monitoring.LogRetentionDays)),
	})
	require.NoError(w.t, err)
}

// balancer makes certificate, zone, load balancer, listeners and records, and returns the target group's ARN.
func (w wire) balancer() *string {
	ctx, env := w.t.Context(), w.env
	certificate, err := acm.NewFromConfig(w.cfg).RequestCertificate(ctx, &acm.RequestCertificateInput{
		DomainName: aws.String(env.Domain.Name), ValidationMethod: acmtypes.ValidationMethodDns,
	})
	require.NoError(w.t, err)

	network := ec2.NewFromConfig(w.cfg)
	vpcs, err := network.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: []ec2types.Filter{filter("tag:Name", env.VPCName())}})
	require.NoError(w.t, err)
	var subnets []string
	for i, zone := range []string{"us-east-1a", "us-east-1b"} {
		subnet, err := network.CreateSubnet(ctx, &ec2.CreateSubnetInput{
			VpcId: vpcs.Vpcs[0].VpcId, AvailabilityZone: aws.String(zone), CidrBlock: aws.String(fmt.Sprintf("10.10.%d.0/24", i)),
		})
		require.NoError(w.t, err)
		subnets = append(subnets, aws.ToString(subnet.Subnet.SubnetId))
	}

	client := elb.NewFromConfig(w.cfg)
	made, err := client.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{
		Name: aws.String(env.LoadBalancerName()), Subnets: subnets, Scheme: elbtypes.LoadBalancerSchemeEnumInternetFacing,
	})
	require.NoError(w.t, err)
	balancer := made.LoadBalancers[0]
	_, err = client.ModifyLoadBalancerAttributes(ctx, &elb.ModifyLoadBalancerAttributesInput{
		LoadBalancerArn: balancer.LoadBalancerArn,
		Attributes:      []elbtypes.LoadBalancerAttribute{{Key: aws.String("access_logs.s3.enabled"), Value: aws.String("true")}},
	})
	require.NoError(w.t, err)
	group, err := client.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{
		Name: aws.String(env.TargetGroupName()), Port: aws.Int32(3000), Protocol: elbtypes.ProtocolEnumHttp,
		VpcId: vpcs.Vpcs[0].VpcId, TargetType: elbtypes.TargetTypeEnumIp, HealthCheckPath: aws.String("/health"),
	})
	require.NoError(w.t, err)
	redirect := elbtypes.Action{Type: elbtypes.ActionTypeEnumRedirect, RedirectConfig: &elbtypes.RedirectActionConfig{
		Protocol: aws.String("HTTPS"), Port: aws.String("443"), StatusCode: elbtypes.RedirectActionStatusCodeEnumHttp301,
	}}
	_, err = client.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: balancer.LoadBalancerArn, Port: aws.Int32(80), Protocol: elbtypes.ProtocolEnumHttp, DefaultActions: []elbtypes.Action{redirect},
	})
	require.NoError(w.t, err)
	_, err = client.CreateListener(ctx, &elb.CreateListenerInput{
		LoadBalancerArn: balancer.LoadBalancerArn, Port: aws.Int32(443), Protocol: elbtypes.ProtocolEnumHttps,
		SslPolicy: aws.String("ELBSecurityPolicy-TLS13-1-2-2021-06"), Certificates: []elbtypes.Certificate{{CertificateArn: certificate.CertificateArn}},
		DefaultActions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: group.TargetGroups[0].TargetGroupArn}},
	})
	require.NoError(w.t, err)
	w.names(balancer)
	return group.TargetGroups[0].TargetGroupArn
}

func (w wire) names(balancer elbtypes.LoadBalancer) {
	client := route53.NewFromConfig(w.cfg)
	zone, err := client.CreateHostedZone(w.t.Context(), &route53.CreateHostedZoneInput{
		Name: aws.String(w.env.Domain.Root), CallerReference: aws.String("test"),
	})
	require.NoError(w.t, err)
	_, err = client.ChangeResourceRecordSets(w.t.Context(), &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: zone.HostedZone.Id,
		ChangeBatch: &r53types.ChangeBatch{Changes: []r53types.Change{{Action: r53types.ChangeActionCreate, ResourceRecordSet: &r53types.ResourceRecordSet{
			Name: aws.String(w.env.Domain.Name), Type: r53types.RRTypeA,
			AliasTarget: &r53types.AliasTarget{DNSName: balancer.DNSName, HostedZoneId: balancer.CanonicalHostedZoneId, EvaluateTargetHealth: true},
		}}}},
	})
	require.NoError(w.t, err)
}

func (w wire) services(group *string) {
	ctx, env := w.t.Context(), w.env
	client := ecs.NewFromConfig(w.cfg)
	_, err := client.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String(env.ClusterName())})
	require.NoError(w.t, err)
	secret, err := secretsmanager.NewFromConfig(w.cfg).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(env.SecretName())})
	require.NoError(w.t, err)
	for _, role := range []environment.Role{environment.API, environment.Worker, environment.Migration} {
		container := ecstypes.ContainerDefinition{
			Name: aws.String(env.ContainerName(role)), Image: aws.String(env.ImageReference("sha256:1")), Memory: aws.Int32(512),
		}
		for _, key := range env.SecretKeys() {
			container.Secrets = append(container.Secrets, ecstypes.Secret{Name: aws.String(key), ValueFrom: aws.String(aws.ToString(secret.ARN) + ":" + key + "::")})
		}
		for _, name := range environment.ProgramVariables() {
			container.Environment = append(container.Environment, ecstypes.KeyValuePair{Name: aws.String(name), Value: aws.String("x")})
		}
		_, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: aws.String(env.TaskFamily(role)), ContainerDefinitions: []ecstypes.ContainerDefinition{container},
		})
		require.NoError(w.t, err)
		if role == environment.Migration {
			continue
		}
		name := aws.String(env.ServiceName(role))
		in := &ecs.CreateServiceInput{
			Cluster: aws.String(env.ClusterName()), ServiceName: name, TaskDefinition: aws.String(env.TaskFamily(role)), DesiredCount: aws.Int32(0),
		}
		if role == environment.API {
			in.LoadBalancers = []ecstypes.LoadBalancer{{TargetGroupArn: group, ContainerName: container.Name, ContainerPort: aws.Int32(3000)}}
		}
		_, err = client.CreateService(ctx, in)
		require.NoError(w.t, err)
		// moto runs the tasks of a service only after an update of it.
		_, err = client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: in.Cluster, Service: name, DesiredCount: aws.Int32(1)})
		require.NoError(w.t, err)
	}
}

// breakThings stops the API, opens a port, takes a key from the secret and leaves a dead letter.
func (w wire) breakThings() {
	ctx, env := w.t.Context(), w.env
	_, err := ecs.NewFromConfig(w.cfg).UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: aws.String(env.ClusterName()), Service: aws.String(env.ServiceName(environment.API)), DesiredCount: aws.Int32(0),
	})
	require.NoError(w.t, err)

	network := ec2.NewFromConfig(w.cfg)
	groups, err := network.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{filter("group-name", env.Prefix+"-tasks")}})
	require.NoError(w.t, err)
	_, err = network.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{
		GroupId: groups.SecurityGroups[0].GroupId, IpPermissions: []ec2types.IpPermission{{
			IpProtocol: aws.String("tcp"), FromPort: aws.Int32(5432), ToPort: aws.Int32(5432), IpRanges: []ec2types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}},
		}},
	})
	require.NoError(w.t, err)

	_, err = secretsmanager.NewFromConfig(w.cfg).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(env.SecretName()), SecretString: aws.String(`{"SUBGRAPH_API_URL":"https://a","NODE_ENV":"c"}`),
	})
	require.NoError(w.t, err)

	client := sqs.NewFromConfig(w.cfg)
	url, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(env.DeadLetterQueueName())})
	require.NoError(w.t, err)
	_, err = client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url.QueueUrl, MessageBody: aws.String("{}")})
	require.NoError(w.t, err)
}

package infra

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/autoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	awsx "github.com/pulumi/pulumi-awsx/sdk/v2/go/awsx/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

const (
	// natImage is the newest minimal image of Amazon Linux 2023 for Graviton. EC2 reads the parameter at each launch, so that a new image
	// changes neither the template nor the state. The minimal image has no agent of Systems Manager, which needs a third of the memory.
	// Source: https://docs.aws.amazon.com/linux/al2023/ug/ec2.html
	// Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/using-systems-manager-parameters.html
	natImage = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-arm64"
	// natRootDevice is the image's volume. It has 2 GiB, too few for the swap file as well.
	natRootDevice = "/dev/xvda"
	// natLifetimeSeconds is the age at which the group replaces the instance: a new one has the image with the latest security updates.
	natLifetimeSeconds = 30 * 24 * 60 * 60
	// natBootSeconds is how long the first instance takes until it forwards traffic, with some in reserve. The routes wait for it.
	natBootSeconds = 120
)

// newNATInstance declares the NAT instance: an Auto Scaling group of one, in the first zone, whose launch template names an existing network
// interface. The interface has the Elastic IP, forwards packets that are not its own, and is what the routes lead to, so that neither
// changes when the group replaces the instance. EC2 attaches it at launch as the instance's only interface: the instance needs no role, no
// second address and no call of AWS's API to get it.
// Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/examples-launch-templates-aws-cli.html#example-existing-eni-launch-template
// Source: https://docs.aws.amazon.com/vpc/latest/userguide/work-with-nat-instances.html
func newNATInstance(
	ctx *pulumi.Context, name string, env *environment.Environment, network *awsx.Vpc, child pulumi.ResourceOption,
) ([]natTarget, error) {
	name += "-nat"
	group, rules, err := newNATSecurityGroup(ctx, name, env, network, child)
	if err != nil {
		return nil, err
	}
	tags := withName(env.Tags(), env.NATInstanceName())
	networkInterface, err := ec2.NewNetworkInterface(ctx, name, &ec2.NetworkInterfaceArgs{
		Description:     pulumi.String("NAT instance of " + env.VPCName()),
		SubnetId:        publicSubnet(network, 0),
		SecurityGroups:  pulumi.StringArray{group.ID()},
		SourceDestCheck: pulumi.Bool(false),
		Tags:            tags,
	}, child)
	if err != nil {
		return nil, err
	}
	// An address needs the internet gateway, which the component includes.
	address, err := ec2.NewEip(ctx, name, &ec2.EipArgs{
		Domain: pulumi.String("vpc"), NetworkInterface: networkInterface.ID(), Tags: tags,
	}, child, pulumi.DependsOn([]pulumi.Resource{network}))
	if err != nil {
		return nil, err
	}
	template, err := newNATTemplate(ctx, name, env, networkInterface.ID(), child)
	if err != nil {
		return nil, err
	}
	zone := ofPublicSubnet(network, 0, func(s *ec2.Subnet) pulumi.StringOutput { return s.AvailabilityZone })
	instance, err := newNATGroup(ctx, name, env, template, zone, child,
		// At its start the instance downloads a package through its address.
		pulumi.DependsOn(append([]pulumi.Resource{address}, rules...)))
	if err != nil {
		return nil, err
	}
	return []natTarget{{interfaceID: networkInterface.ID(), after: []pulumi.Resource{instance}}}, nil
}

// newNATSecurityGroup declares the group of the NAT instance, which accepts from the VPC what tasks may send to the internet, and sends nothing
// else. Traffic that is routed through an instance matches the addresses of its senders, not their groups.
// Source: https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html#security-group-referencing
func newNATSecurityGroup(
	ctx *pulumi.Context, name string, env *environment.Environment, network *awsx.Vpc, child pulumi.ResourceOption,
) (*ec2.SecurityGroup, []pulumi.Resource, error) {
	group, err := ec2.NewSecurityGroup(ctx, name, &ec2.SecurityGroupArgs{
		Name:        pulumi.String(env.NATInstanceName()),
		Description: pulumi.String("NAT instance: reached from the VPC only"),
		VpcId:       network.VpcId,
		Tags:        withName(env.Tags(), env.NATInstanceName()),
	}, child, ignoreChanges("description"))
	if err != nil {
		return nil, nil, err
	}
	rule := func(direction direction, cidr, description string) vpc.SecurityGroupIngressRuleArgs {
		return vpc.SecurityGroupIngressRuleArgs{
			SecurityGroupId: group.ID(), IpProtocol: pulumi.String("tcp"), FromPort: pulumi.Int(443), ToPort: pulumi.Int(443),
			CidrIpv4: pulumi.String(cidr), Description: pulumi.String(description),
			Tags: withName(env.Tags(), env.NATInstanceName()+"-"+string(direction)+"-https"),
		}
	}
	in := rule(ingress, env.Network.CIDR, "HTTPS of the tasks")
	received, err := vpc.NewSecurityGroupIngressRule(ctx, name+"-in-https", &in, child)
	if err != nil {
		return nil, nil, err
	}
	out := vpc.SecurityGroupEgressRuleArgs(rule(egress, anywhere, "HTTPS of the tasks, and its own package"))
	sent, err := vpc.NewSecurityGroupEgressRule(ctx, name+"-out-https", &out, child)
	return group, []pulumi.Resource{received, sent}, err
}

// newNATTemplate declares the launch template of the NAT instance.
func newNATTemplate(
	ctx *pulumi.Context, name string, env *environment.Environment, interfaceID pulumi.StringPtrInput, child pulumi.ResourceOption,
) (*ec2.LaunchTemplate, error) {
	return ec2.NewLaunchTemplate(ctx, name, &ec2.LaunchTemplateArgs{
		Name:                 pulumi.String(env.NATInstanceName()),
		ImageId:              pulumi.String(natImage),
		InstanceType:         pulumi.String(environment.NATInstanceType),
		UpdateDefaultVersion: pulumi.Bool(true),
		UserData:             pulumi.String(base64.StdEncoding.EncodeToString([]byte(natUserData(env.Network.CIDR)))),
		// With standard credits an instance starts at a twentieth of a CPU, and takes minutes to start.
		// Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances-standard-mode-concepts.html
		CreditSpecification: &ec2.LaunchTemplateCreditSpecificationArgs{CpuCredits: pulumi.String("unlimited")},
		MetadataOptions: &ec2.LaunchTemplateMetadataOptionsArgs{
			HttpEndpoint: pulumi.String("enabled"), HttpTokens: pulumi.String("required"), HttpPutResponseHopLimit: pulumi.Int(1),
		},
		NetworkInterfaces: ec2.LaunchTemplateNetworkInterfaceArray{&ec2.LaunchTemplateNetworkInterfaceArgs{
			DeviceIndex: pulumi.Int(0), NetworkInterfaceId: interfaceID, DeleteOnTermination: pulumi.String("false"),
		}},
		BlockDeviceMappings: ec2.LaunchTemplateBlockDeviceMappingArray{&ec2.LaunchTemplateBlockDeviceMappingArgs{
			DeviceName: pulumi.String(natRootDevice),
			Ebs: &ec2.LaunchTemplateBlockDeviceMappingEbsArgs{
				VolumeType: pulumi.String("gp3"), VolumeSize: pulumi.Int(environment.NATVolumeGiB),
				Encrypted: pulumi.String("true"), DeleteOnTermination: pulumi.String("true"),
			},
		}},
		TagSpecifications: ec2.LaunchTemplateTagSpecificationArray{&ec2.LaunchTemplateTagSpecificationArgs{
			ResourceType: pulumi.String("volume"), Tags: withName(env.Tags(), env.NATInstanceName()),
		}},
		Tags: withName(env.Tags(), env.NATInstanceName()),
	}, child)
}

// newNATGroup declares the Auto Scaling group of the NAT instance. An instance is terminated before the next one is launched, since both need
// the interface. The provider waits until the first one is in service, which the hook delays until it forwards traffic.
// Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-maintenance-policy.html
// Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
func newNATGroup(
	ctx *pulumi.Context, name string, env *environment.Environment, template *ec2.LaunchTemplate, zone pulumi.StringOutput,
	opts ...pulumi.ResourceOption,
) (*autoscaling.Group, error) {
	var tags autoscaling.GroupTagArray
	named := withName(env.Tags(), env.NATInstanceName())
	for _, key := range slices.Sorted(maps.Keys(named)) {
		tags = append(tags, &autoscaling.GroupTagArgs{Key: pulumi.String(key), Value: named[key], PropagateAtLaunch: pulumi.Bool(true)})
	}
	return autoscaling.NewGroup(ctx, name, &autoscaling.GroupArgs{
		Name:    pulumi.String(env.NATInstanceName()),
		MinSize: pulumi.Int(1), MaxSize: pulumi.Int(1), DesiredCapacity: pulumi.Int(1),
		// The interface, not a list of subnets, determines the subnet.
		AvailabilityZones: pulumi.StringArray{zone},
		LaunchTemplate: &autoscaling.GroupLaunchTemplateArgs{
			Id:      template.ID(),
			Version: template.LatestVersion.ApplyT(strconv.Itoa).(pulumi.StringOutput),
		},
		HealthCheckType:        pulumi.String("EC2"),
		HealthCheckGracePeriod: pulumi.Int(natBootSeconds),
		MaxInstanceLifetime:    pulumi.Int(natLifetimeSeconds),
		InstanceMaintenancePolicy: &autoscaling.GroupInstanceMaintenancePolicyArgs{
			MinHealthyPercentage: pulumi.Int(0), MaxHealthyPercentage: pulumi.Int(100),
		},
		// A changed template replaces the instance.
		InstanceRefresh: &autoscaling.GroupInstanceRefreshArgs{Strategy: pulumi.String("Rolling")},
		InitialLifecycleHooks: autoscaling.GroupInitialLifecycleHookArray{&autoscaling.GroupInitialLifecycleHookArgs{
			Name: pulumi.String("boot"), LifecycleTransition: pulumi.String("autoscaling:EC2_INSTANCE_LAUNCHING"),
			HeartbeatTimeout: pulumi.Int(natBootSeconds), DefaultResult: pulumi.String("CONTINUE"),
		}},
		Tags: tags,
	}, opts...)
}

// natUserData returns the script with which an instance begins to forward the traffic of a VPC, as AWS documents it for Amazon Linux 2023. cloud-init
// runs it as root at the first start; what it leaves applies after a restart as well. An instance that cannot be set up shuts itself down, and
// the group replaces it.
//
// The image has no iptables. The package manager needs more than the 512 MiB of the smallest instances, hence the swap file.
// Source: https://docs.aws.amazon.com/vpc/latest/userguide/work-with-nat-instances.html
// Source: https://github.com/amazonlinux/amazon-linux-2023/issues/404
func natUserData(cidr string) string {
	return strings.ReplaceAll(natScript, "CIDR", cidr)
}

const natScript = `#!/bin/bash
set -euo pipefail
trap 'shutdown -h now' ERR

dd if=/dev/zero of=/swapfile bs=1M count=512
chmod 600 /swapfile
mkswap /swapfile
swapon /swapfile

for attempt in 1 2 3 4 5 6 7 8 9 10; do
  if dnf install --assumeyes iptables-services; then break; fi
  if [ "$attempt" = 10 ]; then false; fi
  sleep 10
done

echo 'net.ipv4.ip_forward = 1' >/etc/sysctl.d/90-nat.conf
systemctl restart systemd-sysctl

cat >/etc/sysconfig/iptables <<'RULES'
*nat
-A POSTROUTING -s CIDR ! -d CIDR -j MASQUERADE
COMMIT
RULES
systemctl enable iptables
systemctl restart iptables
`

// natAlarm returns the alarm about the NAT instance. Without data there is no instance.
// Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html#ec2-cloudwatch-dimensions
func natAlarm(env *environment.Environment) alarm {
	return alarm{environment.NATAlarm, "The NAT instance does not run or fails its status checks: tasks cannot reach the internet",
		"AWS/EC2", "StatusCheckFailed", "Maximum", above, 0, 5, breaching,
		pulumi.StringMap{"AutoScalingGroupName": pulumi.String(env.NATInstanceName())}}
}

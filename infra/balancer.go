package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Balancer is the application load balancer: HTTPS to the API's tasks, HTTP redirected.
type Balancer struct {
	pulumi.ResourceState

	// ARN is the load balancer's; DNSName and ZoneID are the target of alias records.
	ARN, DNSName, ZoneID pulumi.StringOutput
	// TargetGroupARN is where the API's tasks register.
	TargetGroupARN pulumi.StringOutput
	// Suffix and TargetGroupSuffix are CloudWatch's names of the load balancer and its target group.
	Suffix, TargetGroupSuffix pulumi.StringOutput
	// HTTPS connects the load balancer with the target group; ECS rejects a service before that.
	HTTPS pulumi.Resource
}

// BalancerArgs are the arguments of a Balancer.
type BalancerArgs struct {
	Env             *environment.Environment
	VPCID           pulumi.StringInput
	SubnetIDs       pulumi.StringArrayInput
	SecurityGroupID pulumi.StringInput
	// LogBucket is the bucket for access logs, to which the load balancer may already write.
	LogBucket      pulumi.StringInput
	CertificateARN pulumi.StringInput
}

const (
	// tlsPolicy supports TLS 1.3, with post-quantum key exchange, and TLS 1.2 with forward secrecy and GCM suites only. AWS
	// recommends it, and the console proposes it.
	// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
	tlsPolicy = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
	// idleTimeout is in seconds. The application must keep idle connections open for longer. Otherwise a request can
	// reach a connection that it is closing, and the load balancer returns 502.
	// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
	idleTimeout = 60
	// drainSeconds is how long an old task has to finish its requests in a rollout; GraphQL queries are short.
	drainSeconds = 30
)

// NewBalancer declares a Balancer.
func NewBalancer(ctx *pulumi.Context, name string, args *BalancerArgs, opts ...pulumi.ResourceOption) (*Balancer, error) {
	c := &Balancer{}
	child, err := declare(ctx, "Balancer", name, c, opts)
	if err != nil {
		return nil, err
	}
	env := args.Env
	balancer, err := lb.NewLoadBalancer(ctx, name, &lb.LoadBalancerArgs{
		Name:                     pulumi.String(env.LoadBalancerName()),
		LoadBalancerType:         pulumi.String("application"),
		Internal:                 pulumi.Bool(false),
		Subnets:                  args.SubnetIDs,
		SecurityGroups:           pulumi.StringArray{args.SecurityGroupID},
		DropInvalidHeaderFields:  pulumi.Bool(true),
		EnableDeletionProtection: pulumi.Bool(env.Protected),
		IdleTimeout:              pulumi.Int(idleTimeout),
		AccessLogs:               lb.LoadBalancerAccessLogsArgs{Bucket: args.LogBucket, Enabled: pulumi.Bool(true)},
		Tags:                     withName(env.Tags(), env.LoadBalancerName()),
	}, child)
	if err != nil {
		return nil, err
	}
	// ECS registers each task with the port of its container; the group's own port is only a default, which can stay as it is.
	// A task is healthy after two successful checks, 10 s apart, so that checks do not slow a rollout down.
	targets, err := lb.NewTargetGroup(ctx, name+"-api", &lb.TargetGroupArgs{
		Name:                pulumi.String(env.TargetGroupName()),
		TargetType:          pulumi.String("ip"),
		Port:                pulumi.Int(environment.ContainerPort),
		Protocol:            pulumi.String("HTTP"),
		VpcId:               args.VPCID,
		DeregistrationDelay: pulumi.Int(drainSeconds),
		HealthCheck: lb.TargetGroupHealthCheckArgs{
			Enabled:            pulumi.Bool(true),
			Path:               pulumi.String(environment.HealthPath),
			Protocol:           pulumi.String("HTTP"),
			Port:               pulumi.String("traffic-port"),
			Matcher:            pulumi.String("200"),
			Interval:           pulumi.Int(10),
			Timeout:            pulumi.Int(5),
			HealthyThreshold:   pulumi.Int(2),
			UnhealthyThreshold: pulumi.Int(3),
		},
		Tags: withName(env.Tags(), env.TargetGroupName()),
	}, child, ignoreChanges("port"))
	if err != nil {
		return nil, err
	}
	https, err := newListeners(ctx, name, args, balancer, targets, child)
	if err != nil {
		return nil, err
	}

	c.ARN, c.DNSName, c.ZoneID, c.Suffix = balancer.Arn, balancer.DnsName, balancer.ZoneId, balancer.ArnSuffix
	c.TargetGroupARN, c.TargetGroupSuffix, c.HTTPS = targets.Arn, targets.ArnSuffix, https
	return c, finish(ctx, name, c, pulumi.Map{"arn": c.ARN, "dnsName": c.DNSName, "targetGroupArn": c.TargetGroupARN})
}

// newListeners declares both listeners and returns the one of HTTPS.
func newListeners(
	ctx *pulumi.Context, name string, args *BalancerArgs, balancer *lb.LoadBalancer, targets *lb.TargetGroup,
	child pulumi.ResourceOption,
) (*lb.Listener, error) {
	tags := func(what string) pulumi.StringMap { return withName(args.Env.Tags(), args.Env.ResourceName(what)) }
	if _, err := lb.NewListener(ctx, name+"-http", &lb.ListenerArgs{
		LoadBalancerArn: balancer.Arn,
		Port:            pulumi.Int(80),
		Protocol:        pulumi.String("HTTP"),
		DefaultActions: lb.ListenerDefaultActionArray{lb.ListenerDefaultActionArgs{
			Type: pulumi.String("redirect"),
			Redirect: lb.ListenerDefaultActionRedirectArgs{
				Protocol:   pulumi.String("HTTPS"),
				Port:       pulumi.String("443"),
				StatusCode: pulumi.String("HTTP_301"),
			},
		}},
		Tags: tags("http"),
	}, child); err != nil {
		return nil, err
	}
	return lb.NewListener(ctx, name+"-https", &lb.ListenerArgs{
		LoadBalancerArn: balancer.Arn,
		Port:            pulumi.Int(443),
		Protocol:        pulumi.String("HTTPS"),
		SslPolicy:       pulumi.String(tlsPolicy),
		CertificateArn:  args.CertificateARN,
		DefaultActions: lb.ListenerDefaultActionArray{lb.ListenerDefaultActionArgs{
			Type:           pulumi.String("forward"),
			TargetGroupArn: targets.Arn,
		}},
		Tags: tags("https"),
	}, child)
}

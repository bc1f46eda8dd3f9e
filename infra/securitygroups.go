package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// SecurityGroups allow connections from anywhere to the load balancer, from there to the tasks, and from the tasks to
// the database and to HTTPS anywhere. The groups are separate from what they protect, so that a database does not wait
// for a load balancer only because tasks use both.
type SecurityGroups struct {
	pulumi.ResourceState

	// LoadBalancerID, TasksID and DatabaseID are the groups' IDs.
	LoadBalancerID, TasksID, DatabaseID pulumi.StringOutput
}

// SecurityGroupsArgs are the arguments of SecurityGroups.
type SecurityGroupsArgs struct {
	Env   *environment.Environment
	VPCID pulumi.StringInput
}

// anywhere matches every IPv4 address. The VPC has no IPv6.
const anywhere = "0.0.0.0/0"

// securityGroupRule allows TCP to a port between a group and a peer, which is another group, or anywhere if it is empty.
type securityGroupRule struct {
	name        string
	group       string
	peer        string
	port        int
	description string
}

func ingress() []securityGroupRule {
	return []securityGroupRule{
		{"http", "balancer", "", 80, "HTTP from anywhere, answered with a redirect to HTTPS"},
		{"https", "balancer", "", 443, "HTTPS from anywhere"},
		{"api", "tasks", "balancer", environment.ContainerPort, "Requests from the load balancer"},
		{"postgres", "database", "tasks", environment.DatabasePort, "PostgreSQL from the tasks"},
	}
}

// egress returns the outbound rules. DNS needs none: they do not apply to the VPC's resolver.
// Source: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
func egress() []securityGroupRule {
	return []securityGroupRule{
		{"api", "balancer", "tasks", environment.ContainerPort, "Requests and health checks to the tasks"},
		{"https", "tasks", "", 443, "AWS, the subgraph API and Sentry"},
		{"postgres", "tasks", "database", environment.DatabasePort, "PostgreSQL"},
	}
}

// NewSecurityGroups declares SecurityGroups.
func NewSecurityGroups(
	ctx *pulumi.Context, name string, args *SecurityGroupsArgs, opts ...pulumi.ResourceOption,
) (*SecurityGroups, error) {
	c := &SecurityGroups{}
	child, err := declare(ctx, "SecurityGroups", name, c, opts)
	if err != nil {
		return nil, err
	}
	groups := map[string]pulumi.StringOutput{}
	for _, g := range []struct{ name, purpose string }{
		{"balancer", "Load balancer: the only way in from the internet"},
		{"tasks", "Containers: reached by the load balancer only"},
		{"database", "Database: reached by the containers only"},
	} {
		group, err := ec2.NewSecurityGroup(ctx, name+"-"+g.name, &ec2.SecurityGroupArgs{
			Name:        pulumi.String(args.Env.ResourceName(g.name)),
			Description: pulumi.String(g.purpose),
			VpcId:       args.VPCID,
			Tags:        withName(args.Env.Tags(), args.Env.ResourceName(g.name)),
		}, child)
		if err != nil {
			return nil, err
		}
		groups[g.name] = group.ID().ToStringOutput()
	}
	if err := newSecurityGroupRules(ctx, name, args.Env, groups, child); err != nil {
		return nil, err
	}
	c.LoadBalancerID, c.TasksID, c.DatabaseID = groups["balancer"], groups["tasks"], groups["database"]
	return c, finish(ctx, name, c, pulumi.Map{
		"loadBalancerId": c.LoadBalancerID,
		"tasksId":        c.TasksID,
		"databaseId":     c.DatabaseID,
	})
}

// newSecurityGroupRules declares each rule as a resource of its own: rules inside groups that refer to each other would
// be a cycle.
func newSecurityGroupRules(
	ctx *pulumi.Context, name string, env *environment.Environment, groups map[string]pulumi.StringOutput,
	child pulumi.ResourceOption,
) error {
	peer := func(r securityGroupRule) (cidr, group pulumi.StringPtrInput) {
		if r.peer == "" {
			return pulumi.String(anywhere), nil
		}
		return nil, groups[r.peer].ToStringPtrOutput()
	}
	for _, r := range ingress() {
		cidr, from := peer(r)
		if _, err := vpc.NewSecurityGroupIngressRule(ctx, name+"-"+r.group+"-in-"+r.name, &vpc.SecurityGroupIngressRuleArgs{
			SecurityGroupId:           groups[r.group],
			IpProtocol:                pulumi.String("tcp"),
			FromPort:                  pulumi.Int(r.port),
			ToPort:                    pulumi.Int(r.port),
			CidrIpv4:                  cidr,
			ReferencedSecurityGroupId: from,
			Description:               pulumi.String(r.description),
			Tags:                      withName(env.Tags(), env.ResourceName(r.group+"-in-"+r.name)),
		}, child); err != nil {
			return err
		}
	}
	for _, r := range egress() {
		cidr, to := peer(r)
		if _, err := vpc.NewSecurityGroupEgressRule(ctx, name+"-"+r.group+"-out-"+r.name, &vpc.SecurityGroupEgressRuleArgs{
			SecurityGroupId:           groups[r.group],
			IpProtocol:                pulumi.String("tcp"),
			FromPort:                  pulumi.Int(r.port),
			ToPort:                    pulumi.Int(r.port),
			CidrIpv4:                  cidr,
			ReferencedSecurityGroupId: to,
			Description:               pulumi.String(r.description),
			Tags:                      withName(env.Tags(), env.ResourceName(r.group+"-out-"+r.name)),
		}, child); err != nil {
			return err
		}
	}
	return nil
}

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
	// Rules are the rules of all groups. Tasks need them from their start to their end, but refer only to the groups.
	Rules []pulumi.Resource
}

// anywhere matches every IPv4 address. The VPC has no IPv6.
const anywhere = "0.0.0.0/0"

type direction string

const (
	ingress direction = "in"
	egress  direction = "out"
)

// securityGroupRule allows TCP to a port between a group and a peer, which is another group, or anywhere if it is empty.
type securityGroupRule struct {
	direction         direction
	name, group, peer string
	port              int
	description       string
}

// securityGroupRules returns the rules. DNS needs no outbound one: they do not apply to the VPC's resolver.
// Source: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
func securityGroupRules() []securityGroupRule {
	return []securityGroupRule{
		{ingress, "http", "balancer", "", 80, "HTTP from anywhere, answered with a redirect to HTTPS"},
		{ingress, "https", "balancer", "", 443, "HTTPS from anywhere"},
		{ingress, "api", "tasks", "balancer", environment.ContainerPort, "Requests from the load balancer"},
		{ingress, "postgres", "database", "tasks", environment.DatabasePort, "PostgreSQL from the tasks"},
		{egress, "api", "balancer", "tasks", environment.ContainerPort, "Requests and health checks to the tasks"},
		{egress, "https", "tasks", "", 443, "AWS, the subgraph API and Sentry"},
		{egress, "postgres", "tasks", "database", environment.DatabasePort, "PostgreSQL"},
	}
}

// NewSecurityGroups declares SecurityGroups.
func NewSecurityGroups(
	ctx *pulumi.Context, name string, env *environment.Environment, vpcID pulumi.StringInput, opts ...pulumi.ResourceOption,
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
			Name:        pulumi.String(env.ResourceName(g.name)),
			Description: pulumi.String(g.purpose),
			VpcId:       vpcID,
			Tags:        withName(env.Tags(), env.ResourceName(g.name)),
		}, child, ignoreChanges("description"))
		if err != nil {
			return nil, err
		}
		groups[g.name] = group.ID().ToStringOutput()
	}
	if c.Rules, err = newSecurityGroupRules(ctx, name, env, groups, child); err != nil {
		return nil, err
	}
	c.LoadBalancerID, c.TasksID, c.DatabaseID = groups["balancer"], groups["tasks"], groups["database"]
	return c, finish(ctx, name, c, pulumi.Map{"loadBalancerId": c.LoadBalancerID, "tasksId": c.TasksID, "databaseId": c.DatabaseID})
}

// newSecurityGroupRules declares each rule as a resource of its own: rules inside groups that refer to each other would
// be a cycle.
func newSecurityGroupRules(
	ctx *pulumi.Context, name string, env *environment.Environment, groups map[string]pulumi.StringOutput,
	child pulumi.ResourceOption,
) ([]pulumi.Resource, error) {
	var rules []pulumi.Resource
	for _, r := range securityGroupRules() {
		ruleName := r.group + "-" + string(r.direction) + "-" + r.name
		args := vpc.SecurityGroupIngressRuleArgs{
			SecurityGroupId: groups[r.group],
			IpProtocol:      pulumi.String("tcp"),
			FromPort:        pulumi.Int(r.port),
			ToPort:          pulumi.Int(r.port),
			Description:     pulumi.String(r.description),
			Tags:            withName(env.Tags(), env.ResourceName(ruleName)),
		}
		if r.peer == "" {
			args.CidrIpv4 = pulumi.String(anywhere)
		} else {
			args.ReferencedSecurityGroupId = groups[r.peer].ToStringPtrOutput()
		}
		var rule pulumi.Resource
		var err error
		if r.direction == ingress {
			rule, err = vpc.NewSecurityGroupIngressRule(ctx, name+"-"+ruleName, &args, child)
		} else {
			outbound := vpc.SecurityGroupEgressRuleArgs(args)
			rule, err = vpc.NewSecurityGroupEgressRule(ctx, name+"-"+ruleName, &outbound, child)
		}
		if err != nil {
			return nil, err
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

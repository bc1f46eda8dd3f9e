package discovery

import (
	"context"
	"maps"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/local/cloud"
)

// testAccount is a simulated account in which resources are created as the program would.
type testAccount struct {
	*testing.T
	*cloud.Account
}

func newTestAccount(t *testing.T) testAccount {
	const speed = 10_000_000 // an hour is under a millisecond
	account, err := cloud.Open(filepath.Join(t.TempDir(), "account.json"), cloud.Options{
		AccountID: "123456789012", Region: "us-east-1", Clock: clock.Fast(speed), Speed: speed,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, account.Close()) })
	return testAccount{t, account}
}

// tagged returns the inputs of a resource with the tags that the program sets.
func tagged(name string, inputs map[string]any) map[string]any {
	tags := map[string]any{"Name": name, "Project": "v3-backend", "Environment": "development", "ManagedBy": "pulumi"}
	all := map[string]any{"tags": tags, "tagsAll": tags}
	maps.Copy(all, inputs)
	return all
}

// create creates a resource, which must not be found before, and must be found and readable afterwards.
func (e testAccount) create(typ string, inputs map[string]any) *cloud.Resource {
	e.Helper()
	q := query(typ, inputs)
	e.requireFound(q, nil)
	created, err := e.CreateResource(context.Background(), typ, inputs)
	require.NoError(e, err, typ)
	e.requireFound(q, created)
	return created
}

// requireFound requires that the provider reads a resource by what Find returns; nil stands for none.
func (e testAccount) requireFound(q Query, expected *cloud.Resource) {
	e.Helper()
	id, err := Find(e.Context(), e.Config(e.Region()), "123456789012", q)
	require.NoError(e, err, q.Type)
	if expected == nil && id == "" {
		return
	}
	require.NotEmpty(e, id, "%s was not found", q.Type)
	read, err := e.ReadResource(e.Context(), q.Type, id)
	require.NoError(e, err, q.Type)
	if expected == nil {
		require.Nil(e, read, "%s: %s is another resource", q.Type, id)
		return
	}
	require.NotNil(e, read, "%s cannot be read by %s", q.Type, id)
	require.Equal(e, expected.ID, read.ID, q.Type)
}

func TestFindInTheAccount(t *testing.T) {
	e := newTestAccount(t)
	vpc := e.create("aws:ec2/vpc:Vpc", tagged("main", map[string]any{"cidrBlock": "10.0.0.0/16"}))
	gateway := e.create("aws:ec2/internetGateway:InternetGateway", tagged("main", map[string]any{"vpcId": vpc.ID}))
	one := e.create("aws:ec2/subnet:Subnet", tagged("one", map[string]any{"vpcId": vpc.ID, "cidrBlock": "10.0.0.0/24", "availabilityZone": "us-east-1a"}))
	other := e.create("aws:ec2/subnet:Subnet", tagged("other", map[string]any{"vpcId": vpc.ID, "cidrBlock": "10.0.1.0/24", "availabilityZone": "us-east-1b"}))
	table := e.create("aws:ec2/routeTable:RouteTable", tagged("public", map[string]any{"vpcId": vpc.ID}))
	e.create("aws:ec2/routeTable:RouteTable", tagged("private", map[string]any{"vpcId": vpc.ID}))
	e.create("aws:ec2/route:Route", map[string]any{"routeTableId": table.ID, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": gateway.ID})
	e.create("aws:ec2/routeTableAssociation:RouteTableAssociation", map[string]any{"routeTableId": table.ID, "subnetId": one.ID})
	e.create("aws:ec2/routeTableAssociation:RouteTableAssociation", map[string]any{"routeTableId": table.ID, "subnetId": other.ID})
	address := e.create("aws:ec2/eip:Eip", tagged("nat", map[string]any{"domain": "vpc"}))
	e.create("aws:ec2/natGateway:NatGateway", tagged("nat", map[string]any{"subnetId": one.ID, "allocationId": address.ID}))

	attached := e.create("aws:ec2/networkInterface:NetworkInterface", tagged("instance", map[string]any{"subnetId": one.ID}))
	natAddress := e.create("aws:ec2/eip:Eip", tagged("instance", map[string]any{"domain": "vpc", "networkInterface": attached.ID}))
	candidates, err := FindCandidates(t.Context(), e.Config(e.Region()), "123456789012",
		Query{Type: "aws:ec2/eip:Eip", Known: func(string) bool { return true }, Namesake: attached.ID})
	require.NoError(t, err)
	require.Equal(t, []string{natAddress.ID}, candidates.IDs)
	template := e.create("aws:ec2/launchTemplate:LaunchTemplate", tagged("instance", map[string]any{"name": "nat",
		"networkInterfaces": []any{map[string]any{"networkInterfaceId": attached.ID}}}))
	e.create("aws:autoscaling/group:Group", map[string]any{"name": "nat", "minSize": 1.0, "maxSize": 1.0,
		"availabilityZones": []any{"us-east-1a"}, "launchTemplate": map[string]any{"id": template.ID}})

	group := e.create("aws:ec2/securityGroup:SecurityGroup", tagged("tasks", map[string]any{"vpcId": vpc.ID, "name": "tasks"}))
	balancers := e.create("aws:ec2/securityGroup:SecurityGroup", tagged("alb", map[string]any{"vpcId": vpc.ID, "name": "alb"}))
	const ingress, egress = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
	rule := func(port float64, more map[string]any) map[string]any {
		inputs := map[string]any{"securityGroupId": group.ID, "ipProtocol": "tcp", "fromPort": port, "toPort": port}
		maps.Copy(inputs, more)
		return tagged("rule", inputs)
	}
	e.create(ingress, rule(443, map[string]any{"cidrIpv4": "0.0.0.0/0"}))
	e.create(ingress, rule(443, map[string]any{"cidrIpv6": "::/0"}))
	e.create(ingress, rule(80, map[string]any{"cidrIpv4": "0.0.0.0/0"}))
	e.create(ingress, rule(443, map[string]any{"referencedSecurityGroupId": balancers.ID}))
	e.create(egress, rule(443, map[string]any{"cidrIpv4": "0.0.0.0/0"}))
	e.create(egress, tagged("all", map[string]any{"securityGroupId": group.ID, "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"}))

	e.create("aws:rds/subnetGroup:SubnetGroup", tagged("db", map[string]any{"name": "db", "subnetIds": []any{one.ID, other.ID}}))
	e.create("aws:sqs/queue:Queue", tagged("jobs", map[string]any{"name": "jobs"}))
	e.create("aws:cloudwatch/logGroup:LogGroup", tagged("logs", map[string]any{"name": "/aws/ecs/api"}))
	e.create("aws:route53/zone:Zone", tagged("zone", map[string]any{"name": "example.com"}))
	e.create("aws:acm/certificate:Certificate", tagged("certificate", map[string]any{"domainName": "api.example.com", "validationMethod": "DNS"}))
}

func TestFindIgnoresOtherEnvironments(t *testing.T) {
	e := newTestAccount(t)
	e.create("aws:ec2/vpc:Vpc", tagged("main", map[string]any{"cidrBlock": "10.0.0.0/16"}))
	theirs := tagged("main", map[string]any{"cidrBlock": "10.1.0.0/16"})
	theirs["tags"] = map[string]any{"Name": "main", "Environment": "staging", "ManagedBy": "pulumi"}
	theirs["tagsAll"] = theirs["tags"]
	e.requireFound(query("aws:ec2/vpc:Vpc", theirs), nil)
	e.create("aws:ec2/vpc:Vpc", theirs)
}

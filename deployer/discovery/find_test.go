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

// estate is a simulated account in which resources are made as the program would.
type estate struct {
	*testing.T
	*cloud.Account
}

func newEstate(t *testing.T) estate {
	const speed = 10_000_000 // an hour is under a millisecond
	account, err := cloud.Open(filepath.Join(t.TempDir(), "account.json"), cloud.Options{
		AccountID: "123456789012", Region: "us-east-1", Clock: clock.Fast(speed), Speed: speed,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, account.Close()) })
	return estate{t, account}
}

// given are the inputs of a resource with the tags that the program gives.
func given(name string, inputs map[string]any) map[string]any {
	tags := map[string]any{"Name": name, "Project": "v3-backend", "Environment": "development", "ManagedBy": "pulumi"}
	with := map[string]any{"tags": tags, "tagsAll": tags}
	maps.Copy(with, inputs)
	return with
}

// found makes the resource and wants it to be looked for in vain before, and to be read afterwards by what was found.
func (e estate) found(typ string, inputs map[string]any) *cloud.Resource {
	e.Helper()
	wanted := wantedWith(typ, inputs)
	e.leads(wanted, nil)
	made, err := e.CreateResource(context.Background(), typ, inputs)
	require.NoError(e, err, typ)
	e.leads(wanted, made)
	return made
}

// leads wants what Find returns to lead the provider to that resource; nil is none.
func (e estate) leads(wanted Query, to *cloud.Resource) {
	e.Helper()
	id, err := Find(e.Context(), e.Config(e.Region()), "123456789012", wanted)
	require.NoError(e, err, wanted.Type)
	if to == nil && id == "" {
		return
	}
	require.NotEmpty(e, id, "%s is not found", wanted.Type)
	read, err := e.ReadResource(e.Context(), wanted.Type, id)
	require.NoError(e, err, wanted.Type)
	if to == nil {
		require.Nil(e, read, "%s: %s is another one", wanted.Type, id)
		return
	}
	require.NotNil(e, read, "%s cannot be read by %s", wanted.Type, id)
	require.Equal(e, to.ID, read.ID, wanted.Type)
}

func TestFindInTheAccount(t *testing.T) {
	e := newEstate(t)
	vpc := e.found("aws:ec2/vpc:Vpc", given("main", map[string]any{"cidrBlock": "10.0.0.0/16"}))
	gateway := e.found("aws:ec2/internetGateway:InternetGateway", given("main", map[string]any{"vpcId": vpc.ID}))
	one := e.found("aws:ec2/subnet:Subnet", given("one", map[string]any{"vpcId": vpc.ID, "cidrBlock": "10.0.0.0/24", "availabilityZone": "us-east-1a"}))
	other := e.found("aws:ec2/subnet:Subnet", given("other", map[string]any{"vpcId": vpc.ID, "cidrBlock": "10.0.1.0/24", "availabilityZone": "us-east-1b"}))
	table := e.found("aws:ec2/routeTable:RouteTable", given("public", map[string]any{"vpcId": vpc.ID}))
	e.found("aws:ec2/routeTable:RouteTable", given("private", map[string]any{"vpcId": vpc.ID}))
	e.found("aws:ec2/route:Route", map[string]any{"routeTableId": table.ID, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": gateway.ID})
	e.found("aws:ec2/routeTableAssociation:RouteTableAssociation", map[string]any{"routeTableId": table.ID, "subnetId": one.ID})
	e.found("aws:ec2/routeTableAssociation:RouteTableAssociation", map[string]any{"routeTableId": table.ID, "subnetId": other.ID})
	address := e.found("aws:ec2/eip:Eip", given("nat", map[string]any{"domain": "vpc"}))
	e.found("aws:ec2/natGateway:NatGateway", given("nat", map[string]any{"subnetId": one.ID, "allocationId": address.ID}))

	group := e.found("aws:ec2/securityGroup:SecurityGroup", given("tasks", map[string]any{"vpcId": vpc.ID, "name": "tasks"}))
	balancers := e.found("aws:ec2/securityGroup:SecurityGroup", given("alb", map[string]any{"vpcId": vpc.ID, "name": "alb"}))
	const ingress, egress = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
	rule := func(port float64, more map[string]any) map[string]any {
		inputs := map[string]any{"securityGroupId": group.ID, "ipProtocol": "tcp", "fromPort": port, "toPort": port}
		maps.Copy(inputs, more)
		return given("rule", inputs)
	}
	e.found(ingress, rule(443, map[string]any{"cidrIpv4": "0.0.0.0/0"}))
	e.found(ingress, rule(443, map[string]any{"cidrIpv6": "::/0"}))
	e.found(ingress, rule(80, map[string]any{"cidrIpv4": "0.0.0.0/0"}))
	e.found(ingress, rule(443, map[string]any{"referencedSecurityGroupId": balancers.ID}))
	e.found(egress, rule(443, map[string]any{"cidrIpv4": "0.0.0.0/0"}))
	e.found(egress, given("all", map[string]any{"securityGroupId": group.ID, "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"}))

	e.found("aws:rds/subnetGroup:SubnetGroup", given("db", map[string]any{"name": "db", "subnetIds": []any{one.ID, other.ID}}))
	e.found("aws:sqs/queue:Queue", given("jobs", map[string]any{"name": "jobs"}))
	e.found("aws:cloudwatch/logGroup:LogGroup", given("logs", map[string]any{"name": "/aws/ecs/api"}))
	e.found("aws:route53/zone:Zone", given("zone", map[string]any{"name": "example.com"}))
	e.found("aws:acm/certificate:Certificate", given("certificate", map[string]any{"domainName": "api.example.com", "validationMethod": "DNS"}))
}

// What another environment has made is not taken, and a gateway that is being deleted is none.
func TestFindNothingOfAnother(t *testing.T) {
	e := newEstate(t)
	e.found("aws:ec2/vpc:Vpc", given("main", map[string]any{"cidrBlock": "10.0.0.0/16"}))
	theirs := given("main", map[string]any{"cidrBlock": "10.1.0.0/16"})
	theirs["tags"] = map[string]any{"Name": "main", "Environment": "staging", "ManagedBy": "pulumi"}
	theirs["tagsAll"] = theirs["tags"]
	e.leads(wantedWith("aws:ec2/vpc:Vpc", theirs), nil)
	e.found("aws:ec2/vpc:Vpc", theirs)
}

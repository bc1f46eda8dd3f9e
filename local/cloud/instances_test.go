package cloud

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/require"
)

const testImageParameter = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-arm64"

// A natFixture is an account whose private subnets reach the internet through an instance.
type natFixture struct {
	fixture
	clk                                          *manualClock
	attached, template, group, route, routeTable *Resource
}

func newNATFixture(t *testing.T) natFixture {
	t.Helper()
	clk := &manualClock{now: time.Date(2026, 11, 30, 4, 0, 0, 0, time.UTC)}
	a, err := Open(filepath.Join(t.TempDir(), "account.json"), Options{AccountID: "123456789012", Region: "us-east-1", Clock: clk})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	f := natFixture{fixture: fixture{t, a}, clk: clk}
	vpc, one, _, group := f.network()
	f.attached = f.create(typeNetworkInterface, values{"subnetId": one.ID, "sourceDestCheck": false, "securityGroups": array(group.ID)})
	f.create(typeEIP, values{"domain": "vpc", "networkInterface": f.attached.ID})
	f.template = f.create(typeLaunchTemplate, f.templateInputs())
	f.group = f.create(typeScalingGroup, f.groupInputs())
	f.routeTable = f.create(typeRouteTable, values{"vpcId": vpc.ID})
	f.route = f.create(typeRoute, values{"routeTableId": f.routeTable.ID, "destinationCidrBlock": "0.0.0.0/0", "networkInterfaceId": f.attached.ID})
	return f
}

func (f natFixture) templateInputs() values {
	return values{"name": "nat", "imageId": testImageParameter, "instanceType": "t4g.nano",
		"networkInterfaces": array(values{"deviceIndex": 0.0, "networkInterfaceId": f.attached.ID})}
}

func (f natFixture) groupInputs() values {
	return values{"name": "nat", "minSize": 1.0, "maxSize": 1.0, "availabilityZones": array("us-east-1a"),
		"launchTemplate":  values{"id": f.template.ID, "version": "1"},
		"instanceRefresh": values{"strategy": "Rolling"},
		"tags":            array(values{"key": "Name", "value": "nat", "propagateAtLaunch": true})}
}

// running returns the IDs of the running instances by their tag.
func (f natFixture) running() []string {
	f.Helper()
	out, err := ec2.NewFromConfig(f.Config("us-east-1")).DescribeInstances(f.Context(), &ec2.DescribeInstancesInput{Filters: []types.Filter{
		{Name: aws.String("tag:Name"), Values: []string{"nat"}}, {Name: aws.String("instance-state-name"), Values: []string{"running"}},
	}})
	require.NoError(f, err)
	var ids []string
	for _, r := range out.Reservations {
		for _, i := range r.Instances {
			ids = append(ids, *i.InstanceId)
		}
	}
	return ids
}

// path returns the instance of the default route, its state, and the status of the interface.
func (f natFixture) path() (string, types.RouteState, types.NetworkInterfaceStatus) {
	f.Helper()
	client := ec2.NewFromConfig(f.Config("us-east-1"))
	tables, err := client.DescribeRouteTables(f.Context(), &ec2.DescribeRouteTablesInput{RouteTableIds: []string{f.routeTable.ID}})
	require.NoError(f, err)
	interfaces, err := client.DescribeNetworkInterfaces(f.Context(), &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{f.attached.ID}})
	require.NoError(f, err)
	route := tables.RouteTables[0].Routes[0]
	return aws.ToString(route.InstanceId), route.State, interfaces.NetworkInterfaces[0].Status
}

// TestGroupReplacesItsInstance terminates the instance outside the stack: the interface stays, with the address and the route, and is attached
// to the next instance.
func TestGroupReplacesItsInstance(t *testing.T) {
	f := newNATFixture(t)
	first := f.running()
	require.Len(t, first, 1)
	instance, state, status := f.path()
	require.Equal(t, first[0], instance)
	require.Equal(t, types.RouteStateActive, state)
	require.Equal(t, types.NetworkInterfaceStatusInUse, status)

	_, err := ec2.NewFromConfig(f.Config("us-east-1")).TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: first})
	require.NoError(t, err)
	require.Empty(t, f.running())
	f.clk.now = f.clk.now.Add(instanceStop)
	require.Empty(t, f.running(), "the next one is pending")
	f.clk.now = f.clk.now.Add(instanceStart)
	second := f.running()
	require.Len(t, second, 1)
	require.NotEqual(t, first, second)
	instance, state, _ = f.path()
	require.Equal(t, second[0], instance)
	require.Equal(t, types.RouteStateActive, state)
}

func TestTemplateVersionReplacesTheInstance(t *testing.T) {
	f := newNATFixture(t)
	first := f.running()
	inputs := f.templateInputs()
	inputs["instanceType"] = "t4g.micro"
	updated, err := f.UpdateResource(t.Context(), typeLaunchTemplate, f.template.ID, inputs)
	require.NoError(t, err)
	require.InDelta(t, 2.0, updated.Number("latestVersion"), 0)
	require.Equal(t, first, f.running(), "another version alone replaces nothing")
	group := f.groupInputs()
	group["launchTemplate"] = values{"id": f.template.ID, "version": "2"}
	_, err = f.UpdateResource(t.Context(), typeScalingGroup, f.group.ID, group)
	require.NoError(t, err)
	f.clk.now = f.clk.now.Add(instanceStop + instanceStart)
	require.NotEqual(t, first, f.running())
}

// TestInterfaceIsInUseUntilItsGroupIsDeleted checks the order of deletion, and what a route to a detached interface does.
func TestInterfaceIsInUseUntilItsGroupIsDeleted(t *testing.T) {
	f := newNATFixture(t)
	require.ErrorContains(t, f.DeleteResource(t.Context(), typeNetworkInterface, f.attached.ID, nil), "is currently in use")
	require.NoError(t, f.DeleteResource(t.Context(), typeScalingGroup, f.group.ID, nil))
	_, state, status := f.path()
	require.Equal(t, types.RouteStateBlackhole, state)
	require.Equal(t, types.NetworkInterfaceStatusAvailable, status)
	require.Empty(t, f.running())
	require.NoError(t, f.DeleteResource(t.Context(), typeNetworkInterface, f.attached.ID, nil))
}

func TestGroupsThatStartNoInstance(t *testing.T) {
	f := newNATFixture(t)
	const invalid = "ValidationError: You must use a valid fully-formed launch template. "
	with := func(template values, change func(values)) values {
		created := f.template
		if template != nil {
			template["name"] = "other"
			created = f.create(typeLaunchTemplate, template)
		}
		inputs := f.groupInputs()
		inputs["name"], inputs["launchTemplate"] = "other", values{"id": created.ID, "version": "1"}
		change(inputs)
		return inputs
	}
	same := func(values) {}
	f.rejects(invalid+"The network interface '"+f.attached.ID+"' is in us-east-1a, which is not a zone of the group.", typeScalingGroup,
		with(nil, func(in values) { in["availabilityZones"] = array("us-east-1b") }))
	f.rejects("ValidationError: At least one Availability Zone or VPC Subnet is required.", typeScalingGroup,
		with(nil, func(in values) { delete(in, "availabilityZones") }))
	f.rejects("ValidationError: Max bound, 0, must be greater than or equal to min bound, 1", typeScalingGroup,
		with(nil, func(in values) { in["maxSize"] = 0.0 }))
	f.rejects(invalid+"The specified launch template, with template ID lt-x, does not exist.", typeScalingGroup,
		with(nil, func(in values) { in["launchTemplate"] = values{"id": "lt-x"} }))
	f.rejects(invalid+"The parameter /aws/service/ami-amazon-linux-latest/al2022-arm64 could not be found.", typeScalingGroup,
		with(values{"imageId": "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2022-arm64"}, same))
	f.rejects("InvalidLaunchTemplateName.AlreadyExistsException: Launch template name already in use: nat", typeLaunchTemplate, f.templateInputs())
}

// TestAlarmOfTheInstance checks that an alarm about a group's instances is in alarm while none runs.
func TestAlarmOfTheInstance(t *testing.T) {
	f := newNATFixture(t)
	f.create(typeMetricAlarm, values{"name": "nat", "namespace": "AWS/EC2", "metricName": "StatusCheckFailed", "statistic": "Maximum",
		"comparisonOperator": "GreaterThanThreshold", "threshold": 0.0, "evaluationPeriods": 5.0, "treatMissingData": "breaching",
		"dimensions": values{"AutoScalingGroupName": "nat"}})
	state := func() string {
		out, err := cloudwatch.NewFromConfig(f.Config("us-east-1")).DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
		require.NoError(t, err)
		return string(out.MetricAlarms[0].StateValue)
	}
	f.clk.now = f.clk.now.Add(10 * time.Minute)
	require.Equal(t, "OK", state())
	require.NoError(t, f.DeleteResource(t.Context(), typeScalingGroup, "nat", nil))
	require.Equal(t, "ALARM", state())
}

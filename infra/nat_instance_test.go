package infra

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// TestNATInstance checks what keeps the instance reachable from the VPC only, without a role, and replaceable.
func TestNATInstance(t *testing.T) {
	_, all := deployed(t, "dev")
	require.Empty(t, ofType(all, "aws:ec2/natGateway:NatGateway"))
	require.Len(t, ofType(all, "aws:ec2/vpcEndpoint:VpcEndpoint"), 1, "the endpoint of S3 stays")
	require.Len(t, ofType(all, "aws:iam/role:Role"), 7, "the instance has no role")

	attached := find(t, all, "aws:ec2/networkInterface:NetworkInterface", "network-nat")
	template := find(t, all, "aws:ec2/launchTemplate:LaunchTemplate", "network-nat")
	group := find(t, all, "aws:autoscaling/group:Group", "network-nat")
	for _, test := range []struct {
		what      string
		got, want any
	}{
		{"forwards packets of others", attached.get("sourceDestCheck"), false},
		{"public subnet of the first zone", attached.get("subnetId"), "Public-1-subnet-id"},
		{"its own security group", attached.get("securityGroups"), []any{"network-nat-id"}},
		{"address", find(t, all, "aws:ec2/eip:Eip", "network-nat").get("networkInterface"), "network-nat-id"},
		{"interface of the instance", template.get("networkInterfaces", 0), map[string]any{
			"deleteOnTermination": "false", "deviceIndex": 0.0, "networkInterfaceId": "network-nat-id"}},
		{"image", template.get("imageId"), "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-arm64"},
		{"IMDSv2", template.get("metadataOptions", "httpTokens"), "required"},
		{"encryption", template.get("blockDeviceMappings", 0, "ebs", "encrypted"), "true"},
		{"no role", template.get("iamInstanceProfile"), nil},
		{"no key", template.get("keyName"), nil},
		{"one instance", []any{group.get("minSize"), group.get("maxSize"), group.get("desiredCapacity")}, []any{1.0, 1.0, 1.0}},
		{"its zone", group.get("availabilityZones"), []any{"us-east-1a"}},
		{"no subnets, which would need another interface", group.get("vpcZoneIdentifiers"), nil},
		{"terminates before it launches", group.get("instanceMaintenancePolicy"), map[string]any{
			"maxHealthyPercentage": 100.0, "minHealthyPercentage": 0.0}},
	} {
		require.Equal(t, test.want, test.got, test.what)
	}
	tags := map[string]any{}
	for i := range group.get("tags").([]any) {
		require.Equal(t, true, group.get("tags", i, "propagateAtLaunch"))
		tags[group.get("tags", i, "key").(string)] = group.get("tags", i, "value")
	}
	require.Equal(t, map[string]any{"Project": "v3-backend", "Environment": "development", "ManagedBy": "pulumi",
		"Name": "v3-backend-development-nat"}, tags)

	in := find(t, all, "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "network-nat-in-https")
	require.Equal(t, []any{"10.10.0.0/16", 443.0, 443.0, "tcp"}, []any{in.get("cidrIpv4"), in.get("fromPort"), in.get("toPort"), in.get("ipProtocol")})
}

// TestRoutesWaitForTheNATInstance checks the order of a change from a gateway: the engine updates the routes after the instance forwards
// traffic, and deletes the gateway last; the instance starts with its address, through which it downloads a package.
func TestRoutesWaitForTheNATInstance(t *testing.T) {
	_, all := deployed(t, "dev")
	waits := func(typ, name string) map[string]bool { return dependencies(all, find(t, all, typ, name).urn) }
	urn := func(typ, name string) string { return find(t, all, typ, name).urn }
	group := urn("aws:autoscaling/group:Group", "network-nat")
	for i := range 2 {
		route := find(t, all, "aws:ec2/route:Route", fmt.Sprintf("network-default-%d", i+1))
		require.Equal(t, []any{nil, "network-nat-id", fmt.Sprintf("Private-%d-id", i+1)},
			[]any{route.get("natGatewayId"), route.get("networkInterfaceId"), route.get("routeTableId")})
		require.True(t, dependencies(all, route.urn)[group])
	}
	for typ, name := range map[string]string{
		"aws:ec2/eip:Eip": "network-nat", "aws:ec2/networkInterface:NetworkInterface": "network-nat",
		"aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "network-nat-out-https",
	} {
		require.True(t, waits("aws:autoscaling/group:Group", "network-nat")[urn(typ, name)], "the instance needs %s", typ)
	}
	require.True(t, waits("aws:ecs/service:Service", "api")[group], "tasks pull their image through the instance")
	require.False(t, waits("aws:rds/instance:Instance", "database")[group], "the database needs no way out")
}

// runUserData runs the instance's script with the commands of the image replaced, and returns what it called and where it wrote. Each fake
// command appends its arguments to a log, and fails as often as its entry in failures.
func runUserData(t *testing.T, failures map[string]int) (calls []string, root string, err error) {
	t.Helper()
	root = t.TempDir()
	bin := filepath.Join(root, "bin")
	for _, dir := range []string{bin, filepath.Join(root, "etc/sysctl.d"), filepath.Join(root, "etc/sysconfig")} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	for _, name := range []string{"dd", "chmod", "mkswap", "swapon", "dnf", "systemctl", "shutdown", "sleep"} {
		fake := fmt.Sprintf("#!/bin/bash\necho \"%[1]s $*\" >>%[2]s/calls\n[ \"$(grep -c '^%[1]s ' %[2]s/calls)\" -gt %[3]d ]\n", name, root, failures[name])
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte(fake), 0o755)) //nolint:gosec // it is run
	}
	script := filepath.Join(root, "user-data")
	text := strings.NewReplacer(" /etc/", " "+root+"/etc/", ">/etc/", ">"+root+"/etc/", "=/etc/", "="+root+"/etc/").Replace(natUserData("10.10.0.0/16"))
	require.NoError(t, os.WriteFile(script, []byte(text), 0o600))
	run := exec.CommandContext(t.Context(), "bash", script)
	run.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
	output, err := run.CombinedOutput()
	t.Logf("%s", output)
	log, readErr := os.ReadFile(filepath.Join(root, "calls"))
	require.NoError(t, readErr)
	return strings.Split(strings.ReplaceAll(strings.TrimSpace(string(log)), root, ""), "\n"), root, err
}

func TestNATUserData(t *testing.T) {
	calls, root, err := runUserData(t, nil)
	require.NoError(t, err)
	require.Equal(t, []string{
		"dd if=/dev/zero of=/swapfile bs=1M count=512", "chmod 600 /swapfile", "mkswap /swapfile", "swapon /swapfile",
		"dnf install --assumeyes iptables-services",
		"systemctl restart systemd-sysctl", "systemctl enable iptables", "systemctl restart iptables",
	}, calls)
	for name, want := range map[string]string{
		"etc/sysctl.d/90-nat.conf": "net.ipv4.ip_forward = 1\n",
		"etc/sysconfig/iptables":   "*nat\n-A POSTROUTING -s 10.10.0.0/16 ! -d 10.10.0.0/16 -j MASQUERADE\nCOMMIT\n",
	} {
		got, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}

// TestNATUserDataFails checks that the package is tried again, and that an instance that cannot be set up shuts itself down.
func TestNATUserDataFails(t *testing.T) {
	calls, _, err := runUserData(t, map[string]int{"dnf": 2})
	require.NoError(t, err)
	require.Equal(t, "systemctl restart iptables", calls[len(calls)-1])
	require.NotContains(t, calls, "shutdown -h now")

	for _, failing := range []string{"dnf", "mkswap", "systemctl"} {
		calls, _, err := runUserData(t, map[string]int{failing: 99})
		require.Error(t, err, failing)
		require.Equal(t, "shutdown -h now", calls[len(calls)-1], failing)
	}
}

func TestNATUserDataIsEncoded(t *testing.T) {
	_, all := deployed(t, "dev")
	template := find(t, all, "aws:ec2/launchTemplate:LaunchTemplate", "network-nat")
	script, err := base64.StdEncoding.DecodeString(template.get("userData").(string))
	require.NoError(t, err)
	require.Equal(t, natUserData("10.10.0.0/16"), string(script))
}

func TestNATAlarm(t *testing.T) {
	env, all := deployed(t, "dev")
	require.Contains(t, env.Alarms(), environment.NATAlarm)
	alarm := find(t, all, "aws:cloudwatch/metricAlarm:MetricAlarm", "monitoring-nat-instance")
	require.Equal(t, []any{"v3-backend-development-nat-instance", "v3-backend-development-nat", "breaching"},
		[]any{alarm.get("name"), alarm.get("dimensions", "AutoScalingGroupName"), alarm.get("treatMissingData")})
	env.Network.NAT = environment.NATSingle
	require.NotContains(t, env.Alarms(), environment.NATAlarm)
}

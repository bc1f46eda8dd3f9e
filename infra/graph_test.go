package infra

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryResourceBelongsToAComponent(t *testing.T) {
	for _, name := range []string{"dev", "staging", "production"} {
		_, all := deployed(t, name)
		requireComponents(t, all)
	}
	_, all := sharedStack(t)
	requireComponents(t, all)
}

func requireComponents(t *testing.T, all []registration) {
	t.Helper()
	components := map[string]registration{}
	for _, r := range all {
		if strings.HasPrefix(r.typ, componentPrefix) {
			components[r.urn] = r
		}
	}
	for _, r := range all {
		if _, isComponent := components[r.urn]; isComponent || r.typ == "pulumi:providers:aws" {
			continue
		}
		parent, ok := components[r.parent]
		require.Truef(t, ok, "%s has the parent %q", r.urn, r.parent)
		if r.typ != "awsx:ec2:Vpc" {
			require.Truef(t, strings.HasPrefix(r.name, parent.name), "%s is not named after %s", r.urn, parent.name)
		}
	}
}

func TestNamesAreUnique(t *testing.T) {
	_, all := deployed(t, "production")
	seen := map[string]bool{}
	for _, r := range all {
		require.False(t, seen[r.urn], r.urn)
		seen[r.urn] = true
	}
}

// dependencies returns the URNs that a resource depends on, directly or not. A component includes its children, as in
// the engine.
func dependencies(all []registration, from string) map[string]bool {
	direct := map[string][]string{}
	for _, r := range all {
		direct[r.urn] = r.dependencies
	}
	seen := map[string]bool{}
	var visit func(string)
	visit = func(urn string) {
		for _, next := range direct[urn] {
			if !seen[next] {
				seen[next] = true
				visit(next)
			}
		}
	}
	visit(from)
	return seen
}

func TestNothingDependsOnServices(t *testing.T) {
	for _, name := range []string{"dev", "staging", "production"} {
		_, all := deployed(t, name)
		for _, r := range all {
			if r.within("Service") {
				continue
			}
			for urn := range dependencies(all, r.urn) {
				require.NotContainsf(t, urn, componentPrefix+"Service", "%s waits for it", r.urn)
			}
		}
	}
}

func TestComponentsHaveNoUnneededDependencies(t *testing.T) {
	_, all := deployed(t, "production")
	for _, test := range []struct {
		typ, name string
		// not are the components that it must not wait for.
		not []string
	}{
		{"aws:rds/instance:Instance", "database", []string{"Balancer", "Certificate", "Roles", "Cluster", "Queue", "AccessLogs"}},
		{"aws:lb/loadBalancer:LoadBalancer", "balancer", []string{"Certificate", "Database", "Cluster", "Roles"}},
		{"aws:acm/certificateValidation:CertificateValidation", "certificate-validation", []string{"Balancer", "Network", "DNS"}},
		{"aws:route53/record:Record", "dns-a", []string{"Certificate", "Firewall", "Database"}},
		{"aws:iam/role:Role", "roles-task", []string{"Database", "Queue", "Network"}},
		{"aws:ecs/cluster:Cluster", "cluster", []string{"Network", "Roles"}},
		{"aws:ecs/taskDefinition:TaskDefinition", "migration", []string{"Balancer", "Certificate", "Cluster"}},
		{"aws:cloudwatch/metricAlarm:MetricAlarm", "monitoring-db-cpu", []string{"Database", "Balancer", "Network"}},
		{"aws:cloudwatch/metricAlarm:MetricAlarm", "monitoring-api-cpu", []string{"Cluster", "Balancer"}},
		{"aws:wafv2/webAcl:WebAcl", "firewall", []string{"Balancer", "Network"}},
		{"aws:budgets/budget:Budget", "budget", []string{"Network", "Monitoring"}},
	} {
		from := find(t, all, test.typ, test.name)
		for urn := range dependencies(all, from.urn) {
			for _, kind := range test.not {
				require.NotContainsf(t, urn, componentPrefix+kind, "%s waits for it", from.urn)
			}
		}
	}
}

func TestServicesDependOnWhatTheirTasksNeed(t *testing.T) {
	_, all := deployed(t, "staging")
	for service, needs := range map[string][]string{
		"api": {
			"lb/listener:Listener::balancer-https", "ec2/route:Route::network-default-1", "ec2/route:Route::network-default-2",
			"vpc/securityGroupIngressRule:SecurityGroupIngressRule::groups-tasks-in-api",
			"vpc/securityGroupEgressRule:SecurityGroupEgressRule::groups-tasks-out-https",
			"vpc/securityGroupIngressRule:SecurityGroupIngressRule::groups-database-in-postgres",
			"ecs/clusterCapacityProviders:ClusterCapacityProviders::cluster", "iam/rolePolicy:RolePolicy::roles-task",
			"iam/rolePolicy:RolePolicy::roles-execution", "rds/instance:Instance::database",
			"acm/certificateValidation:CertificateValidation::",
		},
		"worker": {"ec2/route:Route::network-default-1", "vpc/securityGroupEgressRule:SecurityGroupEgressRule::groups-tasks-out-postgres",
			"ecs/clusterCapacityProviders:ClusterCapacityProviders::cluster", "iam/rolePolicy:RolePolicy::roles-task", "sqs/queue:Queue::queue"},
	} {
		var waited strings.Builder
		for urn := range dependencies(all, find(t, all, "aws:ecs/service:Service", service).urn) {
			waited.WriteString(urn + "\n")
		}
		for _, need := range needs {
			require.Contains(t, waited.String(), need)
		}
	}
	for urn := range dependencies(all, find(t, all, "aws:ecs/service:Service", "worker").urn) {
		require.NotContains(t, urn, componentPrefix+"Balancer", "a worker has no load balancer")
	}
}

// TestOnlyTasksWaitForNAT checks that what does not need the internet is created beside the NAT gateways.
func TestOnlyTasksWaitForNAT(t *testing.T) {
	_, all := deployed(t, "production")
	for typ, name := range map[string]string{
		"aws:rds/instance:Instance": "database", "aws:lb/loadBalancer:LoadBalancer": "balancer",
		"aws:ec2/vpcEndpoint:VpcEndpoint": "network-s3", "aws:ec2/securityGroup:SecurityGroup": "groups-tasks",
	} {
		for urn := range dependencies(all, find(t, all, typ, name).urn) {
			require.NotContains(t, urn, "natGateway", name)
			require.NotContains(t, urn, "ec2/route:Route", name)
		}
	}
}

func TestFlowLogDependsOnItsPolicy(t *testing.T) {
	_, all := deployed(t, "production")
	waits := dependencies(all, find(t, all, "aws:ec2/flowLog:FlowLog", "network-flow-logs").urn)
	require.True(t, waits[find(t, all, "aws:iam/rolePolicy:RolePolicy", "network-flow-logs").urn])
}

// TestDefaultRoutes checks that every private subnet has one route, through the NAT gateway of its zone if it has one.
func TestDefaultRoutes(t *testing.T) {
	_, production := deployed(t, "production")
	for name, test := range map[string]struct {
		all      []registration
		gateways []string
	}{
		"single":   {withOneGateway(t), []string{"network-nat-1-id", "network-nat-1-id"}},
		"per-zone": {production, []string{"network-nat-1-id", "network-nat-2-id", "network-nat-3-id"}},
	} {
		all, gateways := test.all, test.gateways
		routes := ofType(all, "aws:ec2/route:Route")
		require.Len(t, routes, len(gateways), name)
		for i, gateway := range gateways {
			route := find(t, all, "aws:ec2/route:Route", fmt.Sprintf("network-default-%d", i+1))
			require.Equal(t, []any{gateway, fmt.Sprintf("Private-%d-id", i+1), "0.0.0.0/0"},
				[]any{route.get("natGatewayId"), route.get("routeTableId"), route.get("destinationCidrBlock")}, name)
		}
		require.Equal(t, "Public-1-subnet-id", find(t, all, "aws:ec2/natGateway:NatGateway", "network-nat-1").get("subnetId"))
		vpc := ofType(all, "awsx:ec2:Vpc")[0]
		require.Equal(t, []any{"None", 18.0}, []any{vpc.get("natGateways", "strategy"), vpc.get("availabilityZoneCidrMask")}, name)
	}
}

func TestMonitoringFollowsItsLevel(t *testing.T) {
	levels := map[string]int{"dev": 0, "staging": 1, "production": 2}
	types := map[string]int{
		"aws:ec2/flowLog:FlowLog": 1,
		"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": 1,
		"aws:sns/topic:Topic":                 1,
		"aws:cloudwatch/dashboard:Dashboard":  2,
		"aws:xray/samplingRule:SamplingRule":  2,
		"aws:route53/healthCheck:HealthCheck": 2,
	}
	for name, level := range levels {
		_, all := deployed(t, name)
		for typ, from := range types {
			require.Equalf(t, level >= from, len(ofType(all, typ)) == 1, "%s in %s", typ, name)
		}
	}
}

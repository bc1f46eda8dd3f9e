package infra

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/pricing"
)

// TestEstimateMatchesTheProgram compares quantities of the estimate with what the program registers.
func TestEstimateMatchesTheProgram(t *testing.T) {
	for _, name := range []string{"dev", "staging", "production"} {
		env, all := deployed(t, name)
		quantity := map[string]float64{}
		for _, line := range pricing.EstimateEnvironment(env, pricing.DefaultAssumptions()).Lines {
			quantity[line.Resource] = line.Quantity
		}
		count := func(typ string) float64 { return float64(len(ofType(all, typ))) }
		const alarmsOfATarget, hours = 2, pricing.HoursPerMonth

		require.InDelta(t, count("aws:cloudwatch/metricAlarm:MetricAlarm")+alarmsOfATarget*count("aws:appautoscaling/policy:Policy"),
			quantity["alarms"], 0.01, name)
		require.InDelta(t, count(compositeType), quantity["composite alarms"], 0.01, name)
		require.InDelta(t, hours*count("aws:lb/loadBalancer:LoadBalancer"), quantity["load balancer"], 0.01, name)
		require.InDelta(t, count("aws:wafv2/webAcl:WebAcl"), quantity["web ACL"], 0.01, name)
		rules := find(t, all, "aws:wafv2/webAcl:WebAcl", "firewall").get("rules").([]any)
		require.InDelta(t, len(rules), quantity["web ACL rules"], 0.01, name)
		require.InDelta(t, count("aws:cloudwatch/dashboard:Dashboard"), quantity["dashboard"], 0.01, name)
		require.InDelta(t, count("aws:route53/healthCheck:HealthCheck"), quantity["health check"], 0.01, name)

		requireTasks(t, env, all, quantity)
		requireDatabase(t, all, quantity)
		requireNetwork(t, env, all, quantity)
	}
}

func requireTasks(t *testing.T, env *environment.Environment, all []registration, quantity map[string]float64) {
	t.Helper()
	insights := find(t, all, "aws:ecs/cluster:Cluster", "cluster").get("settings", 0, "value")
	_, billed := quantity["Container Insights"]
	require.Equal(t, insights == "enabled", billed, env.Name)
	for _, service := range ofType(all, ServiceType) {
		task := find(t, all, TaskDefinitionType, service.name)
		wanted := service.get("desiredCount").(float64)
		cpu, memory := map[string]float64{"256": 0.25, "512": 0.5, "1024": 1}, map[string]float64{"512": 0.5, "1024": 1, "2048": 2}
		require.InDelta(t, wanted*cpu[task.get("cpu").(string)]*pricing.HoursPerMonth, quantity[service.name+" CPU"], 0.01)
		require.InDelta(t, wanted*memory[task.get("memory").(string)]*pricing.HoursPerMonth, quantity[service.name+" memory"], 0.01)
		require.Equal(t, "X86_64", task.get("runtimePlatform", "cpuArchitecture"), "the prices are of this architecture")
	}
}

func requireDatabase(t *testing.T, all []registration, quantity map[string]float64) {
	t.Helper()
	instance := find(t, all, "aws:rds/instance:Instance", "database")
	zones := 1.0
	if instance.get("multiAz").(bool) {
		zones = 2
	}
	require.InDelta(t, zones*pricing.HoursPerMonth, quantity["database instance"], 0.01)
	require.InDelta(t, zones*instance.get("allocatedStorage").(float64), quantity["database storage"], 0.01)
	require.Equal(t, "gp3", instance.get("storageType"), "the price is of this storage")
	if instance.get("performanceInsightsEnabled").(bool) {
		require.InDelta(t, 7, instance.get("performanceInsightsRetentionPeriod"), 0.01, "longer is not free")
	}
}

func requireNetwork(t *testing.T, env *environment.Environment, all []registration, quantity map[string]float64) {
	t.Helper()
	vpc := find(t, all, "awsx:ec2:Vpc", env.VPCName())
	zones := vpc.get("numberOfAvailabilityZones").(float64)
	gateways, addresses := ofType(all, "aws:ec2/natGateway:NatGateway"), ofType(all, "aws:ec2/eip:Eip")
	require.InDelta(t, float64(len(gateways))*pricing.HoursPerMonth, quantity["NAT gateways"], 0.01)
	require.InDelta(t, float64(len(addresses))*pricing.HoursPerMonth, quantity["addresses of NAT"], 0.01)
	require.InDelta(t, zones*pricing.HoursPerMonth, quantity["addresses of balancer"], 0.01)
	for _, endpoint := range ofType(all, "aws:ec2/vpcEndpoint:VpcEndpoint") {
		require.Equal(t, "Gateway", endpoint.get("vpcEndpointType"), "an interface is not free")
	}
}

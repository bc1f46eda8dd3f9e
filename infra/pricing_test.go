package infra

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/pricing"
)

// TestEstimateMatchesTheProgram compares quantities of the estimate with what the program registers.
func TestEstimateMatchesTheProgram(t *testing.T) {
	for _, name := range []string{"dev", "staging", "production", "one NAT gateway"} {
		var env *environment.Environment
		var all []registration
		if name == "one NAT gateway" {
			env, all = dev(t, environment.NATSingle), withOneGateway(t)
		} else {
			env, all = deployed(t, name)
		}
		quantity, assumed := map[string]float64{}, map[string]bool{}
		for _, line := range pricing.EstimateEnvironment(env, pricing.DefaultAssumptions()).Lines {
			quantity[line.Resource], assumed[line.Resource] = line.Quantity, line.Assumed
		}
		count := func(typ string) float64 { return float64(len(ofType(all, typ))) }
		const alarmsOfATarget, hours = 2, pricing.HoursPerMonth

		require.InDelta(t, count("aws:cloudwatch/metricAlarm:MetricAlarm")+alarmsOfATarget*count("aws:appautoscaling/policy:Policy"),
			quantity["alarms"], 0.01, name)
		require.InDelta(t, count(compositeType), quantity["composite alarms"], 0.01, name)
		require.InDelta(t, hours*count("aws:lb/loadBalancer:LoadBalancer"), quantity["load balancer"], 0.01, name)
		require.InDelta(t, count("aws:wafv2/webAcl:WebAcl"), quantity["web ACL"], 0.01, name)
		rules := 0
		for _, acl := range ofType(all, "aws:wafv2/webAcl:WebAcl") {
			rules += len(acl.get("rules").([]any))
		}
		require.InDelta(t, rules, quantity["web ACL rules"], 0.01, name)
		require.InDelta(t, count("aws:cloudwatch/dashboard:Dashboard"), quantity["dashboard"], 0.01, name)
		require.InDelta(t, count("aws:route53/healthCheck:HealthCheck"), quantity["health check"], 0.01, name)

		requireTasks(t, env, all, quantity, assumed)
		requireDatabase(t, env, all, quantity)
		requireNetwork(t, env, all, quantity)
	}
}

func requireTasks(t *testing.T, env *environment.Environment, all []registration, quantity map[string]float64, assumed map[string]bool) {
	t.Helper()
	insights := find(t, all, "aws:ecs/cluster:Cluster", "cluster").get("settings", 0, "value")
	_, billed := quantity["Container Insights"]
	require.Equal(t, insights == "enabled", billed, env.Name)
	for _, service := range ofType(all, ServiceType) {
		task := find(t, all, TaskDefinitionType, service.name)
		wanted := service.get("desiredCount").(float64)
		cpu, memory := map[string]float64{"256": 0.25, "512": 0.5, "1024": 1}, map[string]float64{"512": 0.5, "1024": 1, "2048": 2}
		require.InDelta(t, wanted*cpu[task.get("cpu").(string)]*env.HoursAwake(), quantity[service.name+" CPU"], 0.01)
		require.InDelta(t, wanted*memory[task.get("memory").(string)]*env.HoursAwake(), quantity[service.name+" memory"], 0.01)
		require.Equal(t, env.CPUArchitecture(), task.get("runtimePlatform", "cpuArchitecture"), "the prices are of this architecture")
		spot := service.get("capacityProviderStrategies", 0, "capacityProvider") == "FARGATE_SPOT"
		require.Equal(t, spot, assumed[service.name+" CPU"], "the price of Spot is assumed")
	}
}

func requireDatabase(t *testing.T, env *environment.Environment, all []registration, quantity map[string]float64) {
	t.Helper()
	instance := find(t, all, "aws:rds/instance:Instance", "database")
	zones := 1.0
	if instance.get("multiAz").(bool) {
		zones = 2
	}
	require.InDelta(t, zones*env.HoursAwake(), quantity["database instance"], 0.01)
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
	for _, group := range ofType(all, "aws:autoscaling/group:Group") {
		template := find(t, all, "aws:ec2/launchTemplate:LaunchTemplate", group.name)
		require.InDelta(t, group.get("maxSize").(float64)*pricing.HoursPerMonth, quantity["NAT instance"], 0.01)
		require.Equal(t, environment.NATInstanceType, template.get("instanceType"), "the price is of this type")
		require.Equal(t, "gp3", template.get("blockDeviceMappings", 0, "ebs", "volumeType"), "the price is of this volume")
		require.InDelta(t, template.get("blockDeviceMappings", 0, "ebs", "volumeSize"), quantity["volume of NAT instance"], 0.01)
	}
	require.InDelta(t, float64(len(gateways))*pricing.HoursPerMonth, quantity["NAT gateways"], 0.01)
	require.InDelta(t, float64(len(addresses))*pricing.HoursPerMonth, quantity["addresses of NAT"], 0.01)
	require.InDelta(t, zones*pricing.HoursPerMonth, quantity["addresses of balancer"], 0.01)
	for _, endpoint := range ofType(all, "aws:ec2/vpcEndpoint:VpcEndpoint") {
		require.Equal(t, "Gateway", endpoint.get("vpcEndpointType"), "an interface is not free")
	}
}

package pricing

import "github.com/balancer/v3-backend-infra/environment"

// The parts of the bill.
const (
	AreaNetwork    = "network"
	AreaIngress    = "ingress"
	AreaTasks      = "tasks"
	AreaDatabase   = "database"
	AreaMonitoring = "monitoring"
	AreaOther      = "other"
	AreaShared     = "shared"
)

// network adds the NAT gateways, or the NAT instance, with their public addresses. The endpoint of S3 is free. An instance processes data for
// nothing; what leaves AWS costs the same either way, and so does what crosses a zone.
func (b *bill) network(env *environment.Environment, a Assumptions) {
	b.area = AreaNetwork
	if env.Network.NAT == environment.NATInstance {
		b.addDeclared("NAT instance", environment.NATInstanceType, HoursPerMonth)
		b.addDeclared("volume of NAT instance", volume, environment.NATVolumeGiB)
	} else {
		b.addDeclared("NAT gateways", natHour, float64(env.NATGateways())*HoursPerMonth)
		b.addAssumed("data through NAT", natData, a.DataGB)
	}
	b.addDeclared("addresses of NAT", addressHour, float64(env.NATAddresses())*HoursPerMonth)
}

// firewallRules counts the rate limit and the managed rule groups of every environment.
const firewallRules = 5

// ingress adds the load balancer, with a public address in each zone, and the web ACL.
func (b *bill) ingress(env *environment.Environment, a Assumptions) {
	b.area = AreaIngress
	b.addDeclared("load balancer", balancerHour, HoursPerMonth)
	b.addAssumed("load balancer capacity", balancerUnit, a.capacityUnits()*HoursPerMonth)
	b.addDeclared("addresses of balancer", addressHour, float64(env.Network.Zones)*HoursPerMonth)
	if env.Firewall.Enabled {
		b.addDeclared("web ACL", firewallACL, 1)
		b.addDeclared("web ACL rules", firewallRule, firewallRules)
		b.addAssumed("web ACL requests", firewallRequests, a.RequestsMillion)
	}
	b.addAssumed("data to clients", dataOut, a.DataGB)
	b.addAssumed("access logs kept", objectStorage, a.RequestsMillion*accessLogKBPerRequest*accessLogDays/daysPerMonth)
}

// taskPrices returns the keys of the prices of a service's CPU and memory.
func taskPrices(architecture environment.Architecture, spot bool) (cpu, memory string) {
	switch {
	case architecture == environment.ARM64 && spot:
		return armSpotCPU, armSpotMemory
	case architecture == environment.ARM64:
		return armCPU, armMemory
	case spot:
		return spotCPU, spotMemory
	}
	return taskCPU, taskMemory
}

// tasks adds the tasks of the services, for the hours that they run. A sidecar, such as X-Ray's daemon, is part of the task's size.
func (b *bill) tasks(env *environment.Environment, hours float64) {
	b.area = AreaTasks
	for _, s := range env.Services.List() {
		fewest, most := float64(s.Tasks.Min), float64(s.Tasks.Min)
		if s.Autoscaling != nil {
			most = float64(s.Tasks.Max)
		}
		const unitsPerWhole = 1024
		cpu, memory := float64(s.CPU)/unitsPerWhole*hours, float64(s.Memory)/unitsPerWhole*hours
		cpuPrice, memoryPrice := taskPrices(env.Image.Architecture, s.Spot)
		b.add(string(s.Role)+" CPU", cpuPrice, fewest*cpu, most*cpu, s.Spot)
		b.add(string(s.Role)+" memory", memoryPrice, fewest*memory, most*memory, s.Spot)
	}
}

// database adds the instance, its storage, and the backups, which are free up to the size of the storage. Seven days of
// Performance Insights are free. A stopped instance costs nothing, unlike its storage.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
func (b *bill) database(env *environment.Environment, hours float64) {
	b.area = AreaDatabase
	d := env.Database
	zones := 1.0
	if d.MultiZone {
		zones = 2
	}
	b.addDeclared("database instance", d.InstanceClass, zones*hours)
	b.addDeclared("database storage", storage, zones*float64(d.StorageGiB))
	copies := float64(d.BackupDays)
	if env.Deployment.Backup == environment.BackupSnapshot {
		copies += float64(env.Deployment.SnapshotsKept)
	}
	kept := float64(d.StorageGiB) * databaseUsed * (1 + dailyChange*copies)
	b.addAssumed("database backups", backup, max(0, kept-float64(d.StorageGiB)))
}

// monitoring adds CloudWatch, X-Ray and Route 53's health check.
func (b *bill) monitoring(env *environment.Environment, a Assumptions) {
	b.area = AreaMonitoring
	services := float64(len(env.Services.List()))
	ingested := a.RequestsMillion*logKBPerRequest + services*logGBPerService
	b.addAssumed("logs of services", logIngestion, ingested)
	if env.Monitoring.AtLeast(environment.Enhanced) {
		if env.Firewall.Enabled {
			b.addAssumed("logs of the web ACL", logIngestion, a.RequestsMillion*firewallLogKBPerRequest)
			ingested += a.RequestsMillion * firewallLogKBPerRequest
		}
		b.addAssumed("flow logs", logIngestion, flowLogGB)
		ingested += flowLogGB
	}
	b.addAssumed("logs kept", logStorage, ingested*logCompression*float64(env.Monitoring.LogRetentionDays)/daysPerMonth)
	b.addDeclared("alarms", alarmMetric, float64(alarms(env)))
	if env.MaySleep() {
		b.addDeclared("composite alarms", compositeAlarm, float64(len(env.AlarmRegions())))
	}
	if env.Monitoring.AtLeast(environment.Enhanced) {
		b.addDeclared("Container Insights", customMetric, float64(insights(env)))
	}
	if env.Monitoring.AtLeast(environment.Full) {
		b.addDeclared("dashboard", dashboardMonth, 1)
		b.addAssumed("traces", trace, a.tracesMillion())
		b.addDeclared("health check", healthCheck, 1)
		b.addDeclared("health check over HTTPS", healthHTTPS, 1)
	}
}

// alarms counts the alarms that the program declares, and the two that each autoscaling target creates.
// Source: https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html
func alarms(env *environment.Environment) int {
	const perTarget = 2
	count := len(env.Alarms())
	if env.MaySleep() {
		count += len(env.AlarmRegions()) // those that mute the others
	}
	for _, s := range env.Services.List() {
		if s.Autoscaling == nil {
			continue
		}
		for _, target := range []int{s.Autoscaling.CPUPercent, s.Autoscaling.MemoryPercent, s.Autoscaling.RequestsPerMin} {
			if target > 0 {
				count += perTarget
			}
		}
	}
	return count
}

// insights counts the metrics of Container Insights for the cluster, each service and each task family.
// Source: https://aws.amazon.com/cloudwatch/pricing/ (example of Container Insights for ECS)
func insights(env *environment.Environment) int {
	const cluster, service, family = 8, 11, 6
	return cluster + (service+family)*len(env.Services.List())
}

// other adds the secrets of the configuration and the database, and the queues.
func (b *bill) other() {
	b.area = AreaOther
	b.addDeclared("secrets", secretMonth, 2)
	b.addAssumed("queue requests", queueRequests, queueMillion)
}

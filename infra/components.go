package infra

import (
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/environment"
)

// Component is a part of an environment's stack that can be deployed alone.
type Component struct {
	// Name is an argument of up --component: network, database.
	Name string
	// Summary lists its resources in one line.
	Summary string
	// URNs are globs of its resources.
	URNs []string
}

// Components returns the components of an environment's stack, in the order in which AWS needs them.
func Components() []Component {
	part := func(name, summary string, kinds ...string) Component {
		c := Component{Name: name, Summary: summary}
		for _, kind := range kinds {
			c.URNs = append(c.URNs, componentGlobs(kind)...)
		}
		return c
	}
	return []Component{
		part("network", "VPC, subnets, NAT, S3 endpoint, security groups", "Network", "SecurityGroups"),
		part("certificate", "TLS certificate and its validation record", "Certificate"),
		part("database", "PostgreSQL instance, its parameters and password rotation", "Database"),
		part("queue", "background jobs and their dead letters", "Queue"),
		part("roles", "what tasks, and ECS on their behalf, may do", "Roles"),
		part("balancer", "load balancer, listeners, access logs, DNS records", "AccessLogs", "Balancer", "DNS"),
		part("firewall", "web ACL in front of the load balancer", "Firewall"),
		part("cluster", "ECS cluster and the containers' log group", "Cluster"),
		part("migration", "task definition of the database migration", "Migration"),
		part("services", "task definitions, services, their autoscaling and their restart after a password rotation", "Service", "Rotation"),
		part("schedule", "when the environment sleeps, and the state machine that puts it to sleep and wakes it", "Schedule"),
		part("monitoring", "alarms, notifications, dashboard, tracing", "Notifications", "Monitoring"),
		part("budget", "monthly budget", "Budget"),
	}
}

// SectionCopiers returns functions that copy the sections of a description whose components have all been deployed. A
// section of several components is copied only once all of them have been.
func SectionCopiers(deployed func(component string) bool) []func(to, from *environment.Environment) {
	type env = *environment.Environment
	var copies []func(to, from env)
	for _, section := range []struct {
		components []string
		copies     func(to, from env)
	}{
		{[]string{"network"}, func(to, from env) { to.Network = from.Network }},
		{[]string{"certificate", "balancer"}, func(to, from env) { to.Domain = from.Domain }},
		{[]string{"database"}, func(to, from env) { to.Database = from.Database }},
		{[]string{"queue"}, func(to, from env) { to.Queue = from.Queue }},
		{[]string{"roles"}, func(to, from env) { to.Image = from.Image }},
		{[]string{"firewall"}, func(to, from env) { to.Firewall = from.Firewall }},
		{[]string{"services"}, func(to, from env) {
			to.Services, to.Deployment.Rollout.Alarms = from.Services, from.Deployment.Rollout.Alarms
		}},
		{[]string{"schedule", "monitoring"}, func(to, from env) { to.Schedule = from.Schedule }},
		{[]string{"network", "database", "firewall", "cluster", "roles", "monitoring"}, func(to, from env) { to.Monitoring = from.Monitoring }},
		{[]string{"database", "balancer"}, func(to, from env) { to.Protected = from.Protected }},
		{[]string{"budget"}, func(to, from env) { to.Budget = from.Budget }},
	} {
		if !slices.ContainsFunc(section.components, func(name string) bool { return !deployed(name) }) {
			copies = append(copies, section.copies)
		}
	}
	return copies
}

// ServiceURNs returns globs of what provisioning leaves to the rollout: the services, their task definitions and their
// autoscaling. No other resource depends on them.
func ServiceURNs() []string { return componentGlobs("Service") }

// BudgetURNs returns globs of the budget. No other resource depends on it.
func BudgetURNs() []string { return componentGlobs("Budget") }

// ServiceType is the type of an ECS service; its name in the program is its role.
const ServiceType = "aws:ecs/service:Service"

// migrationDefinition is a part of the URN of the migration's task definition only.
const migrationDefinition = "::" + componentPrefix + "Migration$" + TaskDefinitionType + "::"

// IsMigrationTaskDefinition reports whether a URN is that of the migration's task definition, the only resource that a
// code-only deployment changes before the rollout.
func IsMigrationTaskDefinition(urn string) bool { return strings.Contains(urn, migrationDefinition) }

// componentGlobs returns globs of the components of a kind and everything in them. In a glob of URNs ** matches
// anything, and a URN contains the types of all parents: urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME.
// Source: https://www.pulumi.com/docs/iac/concepts/resources/names/#urns
func componentGlobs(kind string) []string {
	return []string{"**::" + componentPrefix + kind + "::**", "**::" + componentPrefix + kind + "$**"}
}

// ComponentOf returns the name of the component that a resource belongs to, or "".
func ComponentOf(urn string) string {
	for _, c := range Components() {
		for _, glob := range c.URNs {
			if strings.Contains(urn, strings.ReplaceAll(glob, "**", "")) {
				return c.Name
			}
		}
	}
	return ""
}

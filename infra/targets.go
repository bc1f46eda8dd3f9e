package infra

import (
	"strings"

	"github.com/balancer/v3-backend-infra/environment"
)

// Component is a part of an environment's stack that can be deployed alone.
type Component struct {
	// Name is what a person calls it: network, database.
	Name string
	// Summary says in one line what it consists of.
	Summary string
	// URNs are globs of its resources.
	URNs []string
	// Describe copies the sections of a description that it is made from.
	Describe func(to, from *environment.Environment)
}

// Components returns the parts of an environment's stack, in the order in which AWS needs them.
func Components() []Component {
	type env = *environment.Environment
	none := func(_, _ env) {}
	part := func(name, summary string, describe func(to, from env), kinds ...string) Component {
		c := Component{Name: name, Summary: summary, Describe: describe}
		for _, kind := range kinds {
			c.URNs = append(c.URNs, within(kind)...)
		}
		return c
	}
	return []Component{
		part("network", "VPC, subnets, NAT, S3 endpoint, security groups",
			func(to, from env) { to.Network = from.Network }, "Network", "SecurityGroups"),
		part("certificate", "TLS certificate and its validation record",
			none, "Certificate"),
		part("database", "PostgreSQL instance, its parameters and password rotation",
			func(to, from env) { to.Database = from.Database }, "Database"),
		part("queue", "background jobs and their dead letters",
			func(to, from env) { to.Queue = from.Queue }, "Queue"),
		part("roles", "what tasks, and ECS on their behalf, may do",
			func(to, from env) { to.Image = from.Image }, "Roles"),
		part("balancer", "load balancer, listeners, access logs, DNS records",
			func(to, from env) { to.Domain = from.Domain }, "AccessLogs", "Balancer", "DNS"),
		part("firewall", "web ACL in front of the load balancer",
			func(to, from env) { to.Firewall = from.Firewall }, "Firewall"),
		part("cluster", "ECS cluster and the containers' log group",
			none, "Cluster"),
		part("migration", "task definition of the database migration",
			none, "Migration"),
		part("services", "task definitions, services and their autoscaling",
			func(to, from env) { to.Services = from.Services }, "Service"),
		part("monitoring", "alarms, notifications, dashboard, tracing",
			func(to, from env) { to.Monitoring = from.Monitoring }, "Monitoring"),
		part("budget", "monthly budget",
			func(to, from env) { to.Budget = from.Budget }, "Budget"),
	}
}

// ServiceURNs returns globs of what provisioning leaves for the rollout: the services, their task definitions and
// their autoscaling. Nothing outside of them depends on them.
func ServiceURNs() []string { return within("Service") }

// ServiceType is the type of an ECS service; its name in the program is its role.
const ServiceType = "aws:ecs/service:Service"

// migrationDefinition is in the URN of the migration's task definition, and in no other.
const migrationDefinition = "::" + componentPrefix + "Migration$" + TaskDefinitionType + "::"

// OfMigration reports whether a URN is the migration's task definition's, which is all that code alone changes before the
// rollout.
func OfMigration(urn string) bool { return strings.Contains(urn, migrationDefinition) }

// within matches the components of a kind and everything in them. In a glob of URNs ** matches anything, and a URN
// holds the types of all parents: urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME.
// Source: https://www.pulumi.com/docs/iac/concepts/resources/names/#urns
func within(kind string) []string {
	return []string{
		"**::" + componentPrefix + kind + "::**",
		"**::" + componentPrefix + kind + "$**",
	}
}

// ComponentOf returns the name of the component that a resource belongs to; "" where it belongs to none.
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

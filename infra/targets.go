package infra

import "strings"

// Component is a part of an environment's stack that can be deployed alone.
type Component struct {
	// Name is what a person calls it: network, database.
	Name string
	// Summary says in one line what it consists of.
	Summary string
	// URNs are globs of its resources.
	URNs []string
}

// Components returns the parts of an environment's stack, in the order in which AWS needs them.
func Components() []Component {
	part := func(name, summary string, kinds ...string) Component {
		c := Component{Name: name, Summary: summary}
		for _, kind := range kinds {
			c.URNs = append(c.URNs, within(kind)...)
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
		part("services", "task definitions, services and their autoscaling", "Service"),
		part("monitoring", "alarms, notifications, dashboard, tracing", "Monitoring"),
		part("budget", "monthly budget", "Budget"),
	}
}

// ServiceURNs returns globs of what provisioning leaves for the rollout: the services, their task definitions and
// their autoscaling. Nothing outside of them depends on them.
func ServiceURNs() []string { return within("Service") }

// ServiceType is the type of an ECS service; its name in the program is its role.
const ServiceType = "aws:ecs/service:Service"

const taskDefinitionType = "aws:ecs/taskDefinition:TaskDefinition"

// CodeURNs returns globs of what an image decides: all task definitions, the migration's too, and the services.
func CodeURNs() []string {
	return []string{
		"**::" + componentPrefix + "**$" + taskDefinitionType + "::**",
		"**::" + componentPrefix + "**$" + ServiceType + "::**",
	}
}

// MigrationURNs returns globs of the migration's task definition.
func MigrationURNs() []string {
	return []string{"**" + migrationDefinition + "**"}
}

// migrationDefinition is in the URN of the migration's task definition, and in no other.
const migrationDefinition = "::" + componentPrefix + "Migration$" + taskDefinitionType + "::"

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

package checks

import (
	"time"
)

// Status is the condition of a resource or of the whole environment.
type Status string

// The statuses, from best to worst, and Unknown.
const (
	// Healthy works as it should.
	Healthy Status = "healthy"
	// Warning has issues but is operational.
	Warning Status = "warning"
	// Error has failed or is missing.
	Error Status = "error"
	// Unknown could not be determined: access denied, throttled, timed out.
	Unknown Status = "unknown"
)

// Report is the result of a run for one environment; docs/schema/status.v1.json describes its JSON.
type Report struct {
	// Environment is the environment's full name.
	Environment string `json:"environment" yaml:"environment"`
	Region      string `json:"region" yaml:"region"`
	// Timestamp is when the run started, in UTC and whole seconds.
	Timestamp time.Time `json:"timestamp" yaml:"timestamp"`
	Summary   Summary   `json:"summary" yaml:"summary"`
	// Services are all findings, in the order of the table of checks. The name is older than the components that are not
	// services.
	Services      []Finding      `json:"services" yaml:"services"`
	LoadBalancers []LoadBalancer `json:"load_balancers" yaml:"load_balancers"`
	Certificates  []Certificate  `json:"certificates" yaml:"certificates"`
	Debugging     Debugging      `json:"debugging" yaml:"debugging"`
	// Omitted are the components that could not be checked, although they were not skipped, and why.
	Omitted []Omission `json:"omitted,omitempty" yaml:"omitted,omitempty"`
}

// Summary counts the findings of a report.
type Summary struct {
	// Status is that of the whole; see Aggregate.
	Status  Status `json:"status" yaml:"status"`
	Healthy int    `json:"healthy" yaml:"healthy"`
	Warning int    `json:"warning" yaml:"warning"`
	Error   int    `json:"error" yaml:"error"`
	Unknown int    `json:"unknown" yaml:"unknown"`
	Total   int    `json:"total" yaml:"total"`
}

// Finding is the evaluation of one resource.
type Finding struct {
	// Service identifies the resource: ECS-Service-v3-backend-development-api-service.
	Service string `json:"service" yaml:"service"`
	// Component is the name that --only takes.
	Component string `json:"component" yaml:"component"`
	Status    Status `json:"status" yaml:"status"`
	// Reason is one CamelCase word for the message.
	Reason  string `json:"reason" yaml:"reason"`
	Message string `json:"message" yaml:"message"`
	// Details are the evidence: numbers, strings, lists and maps of them; never a secret's value.
	Details map[string]any `json:"details,omitempty" yaml:"details,omitempty"`
	// Hint is set unless the status is healthy.
	Hint *Hint `json:"hint,omitempty" yaml:"hint,omitempty"`
}

// Hint is the likely cause of a problem and its solution.
type Hint struct {
	Cause    string `json:"cause" yaml:"cause"`
	Solution string `json:"solution" yaml:"solution"`
	// Command is the next one to run, if any.
	Command string `json:"command,omitempty" yaml:"command,omitempty"`
}

// LoadBalancer is a load balancer with its listeners and target groups.
type LoadBalancer struct {
	Name         string        `json:"name" yaml:"name"`
	DNSName      string        `json:"dns_name" yaml:"dns_name"`
	State        string        `json:"state" yaml:"state"`
	Listeners    []Listener    `json:"listeners" yaml:"listeners"`
	TargetGroups []TargetGroup `json:"target_groups" yaml:"target_groups"`
}

// Listener is a port of a load balancer.
type Listener struct {
	Port     int    `json:"port" yaml:"port"`
	Protocol string `json:"protocol" yaml:"protocol"`
	// Action is what it does with a request: forward, redirect, fixed-response.
	Action string `json:"action" yaml:"action"`
	// TLSPolicy is the security policy of an HTTPS listener.
	TLSPolicy string `json:"tls_policy,omitempty" yaml:"tls_policy,omitempty"`
}

// TargetGroup counts the targets behind a load balancer, without those that are draining.
type TargetGroup struct {
	Name    string `json:"name" yaml:"name"`
	Healthy int    `json:"healthy" yaml:"healthy"`
	Total   int    `json:"total" yaml:"total"`
}

// Certificate is a certificate of the environment's domain in ACM.
type Certificate struct {
	Domain string `json:"domain" yaml:"domain"`
	Status string `json:"status" yaml:"status"`
	// NotAfter and DaysLeft are missing until the certificate is issued.
	NotAfter *time.Time `json:"not_after,omitempty" yaml:"not_after,omitempty"`
	DaysLeft *int       `json:"days_left,omitempty" yaml:"days_left,omitempty"`
}

// Debugging explains why a rollout does not finish.
type Debugging struct {
	StuckServices []StuckService `json:"stuckServices" yaml:"stuckServices"`
}

// StuckService is an ECS service that does not reach its desired state.
type StuckService struct {
	Service string `json:"service" yaml:"service"`
	// Issue sums up the causes, such as "Missing secret keys".
	Issue string `json:"issue" yaml:"issue"`
	// Issues are ECS's reasons, without duplicates.
	Issues []string `json:"issues" yaml:"issues"`
}

// Omission is a component that was not checked.
type Omission struct {
	Component string `json:"component" yaml:"component"`
	Why       string `json:"why" yaml:"why"`
}

// Aggregate counts findings and derives the status of the whole. The precedence is error, warning, unknown, healthy: a known
// problem outranks one that could not be determined. Without findings the status is unknown.
func Aggregate(findings []Finding) Summary {
	var s Summary
	for _, f := range findings {
		switch f.Status {
		case Healthy:
			s.Healthy++
		case Warning:
			s.Warning++
		case Error:
			s.Error++
		default:
			s.Unknown++
		}
	}
	s.Total = len(findings)
	switch {
	case s.Error > 0:
		s.Status = Error
	case s.Warning > 0:
		s.Status = Warning
	case s.Unknown > 0 || s.Total == 0:
		s.Status = Unknown
	default:
		s.Status = Healthy
	}
	return s
}

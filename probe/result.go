package probe

import (
	"slices"
	"time"
)

// Side is the route of a probe to the endpoint.
type Side string

// The sides. If only the load balancer's is healthy, DNS is wrong. If neither is, the load balancer or a target is.
const (
	// SideLoadBalancer connects to the load balancer's own name, with the domain as SNI and Host.
	SideLoadBalancer Side = "load balancer"
	// SideDomain connects to the address of the domain in DNS.
	SideDomain Side = "domain"
)

// Result is the outcome of one probe. The fields of steps that it did not reach are empty.
type Result struct {
	Side Side   `json:"side" yaml:"side"`
	URL  string `json:"url" yaml:"url"`
	// Host is the name that was resolved: the domain's or the load balancer's.
	Host string `json:"host" yaml:"host"`
	// DNS has the addresses of Host, Address is the one that was connected to.
	DNS     []string `json:"dns,omitempty" yaml:"dns,omitempty"`
	Address string   `json:"address,omitempty" yaml:"address,omitempty"`
	TLS     *TLS     `json:"tls,omitempty" yaml:"tls,omitempty"`
	// StatusCode is the HTTP status, or zero without a response.
	StatusCode int   `json:"status_code,omitempty" yaml:"status_code,omitempty"`
	Body       *Body `json:"body,omitempty" yaml:"body,omitempty"`
	Steps      Steps `json:"steps" yaml:"steps"`
	// Problem is nil if the endpoint is healthy.
	Problem *Problem `json:"problem,omitempty" yaml:"problem,omitempty"`
	// Warnings are about addresses of Host that do not accept connections, while Address does.
	Warnings []Problem `json:"warnings,omitempty" yaml:"warnings,omitempty"`
	// OfApplication reports that the application may be the cause of an unhealthy response, or of none: the request has reached the load
	// balancer, which did not answer it itself.
	OfApplication bool `json:"-" yaml:"-"`
}

// OK reports whether the endpoint is healthy.
func (r Result) OK() bool { return r.Problem == nil }

// AllOK reports whether there are results and all of them are healthy.
func AllOK(results []Result) bool {
	return len(results) > 0 && !slices.ContainsFunc(results, func(r Result) bool { return !r.OK() })
}

// HasWarnings reports whether any of the results has a warning.
func HasWarnings(results []Result) bool {
	return slices.ContainsFunc(results, func(r Result) bool { return len(r.Warnings) > 0 })
}

// TLS is the connection's version and the endpoint's certificate, trusted or not.
type TLS struct {
	// Version is such as "TLS 1.3".
	Version string `json:"version" yaml:"version"`
	// Subject is the certificate's common name, Names has its DNS names.
	Subject  string    `json:"subject" yaml:"subject"`
	Names    []string  `json:"names" yaml:"names"`
	Issuer   string    `json:"issuer" yaml:"issuer"`
	NotAfter time.Time `json:"not_after" yaml:"not_after"`
	// DaysLeft is the number of whole days, negative after the certificate expired.
	DaysLeft int `json:"days_left" yaml:"days_left"`
}

// Body has the fields of a health response that are evaluated.
type Body struct {
	Status   string `json:"status" yaml:"status"`
	Database string `json:"database,omitempty" yaml:"database,omitempty"`
}

// Steps are the durations of the steps in milliseconds, zero for a step that was not reached.
type Steps struct {
	DNS       float64 `json:"dns_ms" yaml:"dns_ms"`
	Connect   float64 `json:"connect_ms" yaml:"connect_ms"`
	TLS       float64 `json:"tls_ms" yaml:"tls_ms"`
	FirstByte float64 `json:"first_byte_ms" yaml:"first_byte_ms"`
	Total     float64 `json:"total_ms" yaml:"total_ms"`
}

// Problem is why an endpoint is not healthy.
type Problem struct {
	Reason  Reason `json:"reason" yaml:"reason"`
	Message string `json:"message" yaml:"message"`
	// Hint is the likely cause and what to do.
	Hint string `json:"hint" yaml:"hint"`
}

// Reason classifies a problem.
type Reason string

// The reasons, in the order of the steps.
const (
	DNSNotFound            Reason = "DNSNotFound"
	DNSFailed              Reason = "DNSFailed"
	ConnectionRefused      Reason = "ConnectionRefused"
	ConnectionFailed       Reason = "ConnectionFailed"
	Timeout                Reason = "Timeout"
	PlainHTTP              Reason = "PlainHTTP"
	TLSFailed              Reason = "TLSFailed"
	TLSOutdated            Reason = "TLSOutdated"
	CertificateExpired     Reason = "CertificateExpired"
	CertificateNotYetValid Reason = "CertificateNotYetValid"
	CertificateWrongName   Reason = "CertificateWrongName"
	CertificateUntrusted   Reason = "CertificateUntrusted"
	NoAnswer               Reason = "NoAnswer"
	HTTPStatus             Reason = "HTTPStatus"
	BodyNotHealthy         Reason = "BodyNotHealthy"
)

// IsCertificate reports whether the problem is the certificate or TLS version, so that the response may be healthy.
func (r Reason) IsCertificate() bool {
	switch r {
	case TLSOutdated, CertificateExpired, CertificateNotYetValid, CertificateWrongName, CertificateUntrusted:
		return true
	}
	return false
}

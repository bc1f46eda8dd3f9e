package probe

import "time"

// Side is the way by which a probe reached the endpoint.
type Side string

// The sides. Where only Direct is well, DNS is wrong; where neither is, the load balancer or what is behind it.
const (
	// SideLoadBalancer goes to the load balancer's own name, with the domain as SNI and Host.
	SideLoadBalancer Side = "load balancer"
	// SideDomain goes where DNS says that the domain is.
	SideDomain Side = "domain"
)

// Result is what one probe found. What it did not come to is empty.
type Result struct {
	Side Side   `json:"side" yaml:"side"`
	URL  string `json:"url" yaml:"url"`
	// Host is the name that was looked up: the domain, or the load balancer's.
	Host string `json:"host" yaml:"host"`
	// DNS are the addresses that Host has, Address the one that was connected to.
	DNS     []string `json:"dns,omitempty" yaml:"dns,omitempty"`
	Address string   `json:"address,omitempty" yaml:"address,omitempty"`
	TLS     *TLS     `json:"tls,omitempty" yaml:"tls,omitempty"`
	// StatusCode is the HTTP status, zero where there was no answer.
	StatusCode int   `json:"status_code,omitempty" yaml:"status_code,omitempty"`
	Body       *Body `json:"body,omitempty" yaml:"body,omitempty"`
	Steps      Steps `json:"steps" yaml:"steps"`
	// Problem is nil when the endpoint is well.
	Problem *Problem `json:"problem,omitempty" yaml:"problem,omitempty"`
}

// OK reports whether the probe found nothing wrong.
func (r Result) OK() bool { return r.Problem == nil }

// TLS is the connection's version and the certificate that the endpoint showed, trusted or not.
type TLS struct {
	// Version is such as "TLS 1.3".
	Version string `json:"version" yaml:"version"`
	// Subject is the certificate's common name, Names are the DNS names it is for.
	Subject  string    `json:"subject" yaml:"subject"`
	Names    []string  `json:"names" yaml:"names"`
	Issuer   string    `json:"issuer" yaml:"issuer"`
	NotAfter time.Time `json:"not_after" yaml:"not_after"`
	// DaysLeft are whole days, negative after the end.
	DaysLeft int `json:"days_left" yaml:"days_left"`
}

// Body holds the fields of a health answer that are looked at.
type Body struct {
	Status   string `json:"status" yaml:"status"`
	Database string `json:"database,omitempty" yaml:"database,omitempty"`
}

// Steps are the times that the steps took, in milliseconds; a step that was not reached took none.
type Steps struct {
	DNS       float64 `json:"dns_ms" yaml:"dns_ms"`
	Connect   float64 `json:"connect_ms" yaml:"connect_ms"`
	TLS       float64 `json:"tls_ms" yaml:"tls_ms"`
	FirstByte float64 `json:"first_byte_ms" yaml:"first_byte_ms"`
	Total     float64 `json:"total_ms" yaml:"total_ms"`
}

// Problem is what is wrong with an endpoint.
type Problem struct {
	Reason  Reason `json:"reason" yaml:"reason"`
	Message string `json:"message" yaml:"message"`
	// Hint says what is likely behind it and what to do.
	Hint string `json:"hint" yaml:"hint"`
}

// Reason classifies a problem.
type Reason string

// The reasons, in the order of the steps at which they show.
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

// IsCertificate reports whether the reason is one of TLS: the answer may be well all the same.
func (r Reason) IsCertificate() bool {
	switch r {
	case TLSOutdated, CertificateExpired, CertificateNotYetValid, CertificateWrongName, CertificateUntrusted:
		return true
	}
	return false
}

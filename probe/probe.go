// Package probe checks an environment's endpoint step by step: DNS, connect, TLS, first byte.
//
// It probes the load balancer directly with the domain as SNI, then the domain through DNS, so that it is clear which
// side is wrong. The package knows neither AWS nor the deployer; callers provide the resolver and the dialer.
package probe

import (
	"context"
	"crypto/x509"
	"net"
)

// Resolver resolves DNS names, as *net.Resolver does.
type Resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
	LookupNS(ctx context.Context, name string) ([]*net.NS, error)
}

// Network is how probes reach the endpoint.
type Network struct {
	Resolver Resolver
	// Dial connects to host:port, where host is an IP address or a name that Resolver resolves.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots has the trusted authorities; nil means the machine's.
	Roots *x509.CertPool
}

// SystemNetwork returns the network of the machine.
func SystemNetwork() Network {
	return Network{Resolver: net.DefaultResolver, Dial: (&net.Dialer{}).DialContext}
}

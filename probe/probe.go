// Package probe asks an environment's endpoint how it is, step by step: DNS, connect, TLS, first byte.
//
// The load balancer is probed directly with the domain as SNI, then the domain through DNS, so that it is clear which
// side is wrong. The package knows neither AWS nor the deployer; how names are resolved and connections made is given
// to it.
package probe

import (
	"context"
	"crypto/x509"
	"net"
)

// Resolver answers DNS questions; *net.Resolver does.
type Resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
	LookupNS(ctx context.Context, name string) ([]*net.NS, error)
}

// Network is how probes reach the world.
type Network struct {
	Resolver Resolver
	// Dial connects to host:port, where host is an IP address or a name that Resolver knows.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are the trusted authorities; nil means the machine's.
	Roots *x509.CertPool
}

// SystemNetwork is the machine's own network.
func SystemNetwork() Network {
	return Network{Resolver: net.DefaultResolver, Dial: (&net.Dialer{}).DialContext}
}

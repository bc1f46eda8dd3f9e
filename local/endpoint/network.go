package endpoint

import (
	"context"
	"crypto/sha256"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/balancer/v3-backend-infra/local/cloud"
	"github.com/balancer/v3-backend-infra/probe"
)

// Network returns a network that reaches the load balancers by their names and by the domains whose records lead to
// them, and nothing else.
func (s *Server) Network() probe.Network {
	return probe.Network{Resolver: resolver{s.account}, Dial: s.dial, Roots: s.authority.Roots()}
}

// addressOf returns a load balancer's address on loopback, which depends only on its name.
func addressOf(dnsName string) netip.Addr {
	sum := sha256.Sum256([]byte(dnsName))
	return netip.AddrFrom4([4]byte{127, 1 + sum[0]%254, sum[1], 1 + sum[2]%254})
}

// resolver answers from the account's zones.
type resolver struct{ account *cloud.Account }

func (r resolver) LookupHost(ctx context.Context, host string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return []string{host}, nil
	}
	dnsName, err := r.account.Resolve(host)
	if err != nil {
		return nil, &net.DNSError{Err: err.Error(), Name: host, Server: "local mode"}
	}
	if dnsName == "" {
		return nil, notFound(host)
	}
	return []string{addressOf(dnsName).String()}, nil
}

func (r resolver) LookupNS(ctx context.Context, name string) ([]*net.NS, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	servers, err := r.account.NameServers(name)
	if err != nil {
		return nil, &net.DNSError{Err: err.Error(), Name: name, Server: "local mode"}
	}
	if len(servers) == 0 {
		return nil, notFound(name)
	}
	var all []*net.NS
	for _, server := range servers {
		all = append(all, &net.NS{Host: strings.TrimSuffix(server, ".") + "."})
	}
	return all, nil
}

func notFound(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, Server: "local mode", IsNotFound: true}
}

// dial connects to a load balancer's listener, and refuses every other connection.
func (s *Server) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialError := func(err error) error { return &net.OpError{Op: "dial", Net: network, Err: err} }
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, dialError(err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, dialError(err)
	}
	addresses, err := resolver{s.account}.LookupHost(ctx, host)
	if err != nil {
		return nil, dialError(err)
	}
	balancers, err := s.account.Balancers()
	if err != nil {
		return nil, dialError(err)
	}
	for _, b := range balancers {
		if addressOf(b.DNSName).String() != addresses[0] {
			continue
		}
		for _, l := range b.Listeners {
			if l.Port != port {
				continue
			}
			listening, err := s.listen(ctx, b, l)
			if err != nil {
				return nil, dialError(err)
			}
			return (&net.Dialer{}).DialContext(ctx, "tcp", listening)
		}
	}
	return nil, dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED))
}

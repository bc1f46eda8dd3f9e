// Package endpoint is the HTTPS server that simulates the account's load balancers and the API behind them.
//
// Each load balancer has its own loopback address and each of its listeners its own port, so that a client gets the
// certificate of the load balancer that it connects to.
package endpoint

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/balancer/v3-backend-infra/local/cloud"
)

// Server answers for the load balancers of an account.
type Server struct {
	account   *cloud.Account
	authority *Authority

	mu      sync.Mutex
	servers map[string]*runningServer
	closed  bool
}

// runningServer is the server of one listener.
type runningServer struct {
	server  *http.Server
	address string
}

// New returns a server that starts listening at the first connection.
func New(account *cloud.Account, authority *Authority) *Server {
	return &Server{account: account, authority: authority, servers: map[string]*runningServer{}}
}

// Close stops listening.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, r := range s.servers {
		errs = append(errs, r.server.Close())
	}
	s.servers = map[string]*runningServer{}
	return errors.Join(errs...)
}

// Serve answers over HTTPS at one address for all load balancers, selected by SNI, until ctx ends or the server is
// closed. It returns the address that it listens on.
func (s *Server) Serve(ctx context.Context, address string) (net.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, net.ErrClosed
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("serve the simulated endpoint: %w", err)
	}
	server := s.httpServer(s.listenerByName)
	s.servers[address] = &runningServer{server: server, address: listener.Addr().String()}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return listener.Addr(), nil
}

// listenerByName returns the HTTPS listener of the load balancer that a name resolves to, or of the first load
// balancer.
func (s *Server) listenerByName(name string) (cloud.Listener, bool) {
	balancers, err := s.account.Balancers()
	if err != nil || len(balancers) == 0 {
		return cloud.Listener{}, false
	}
	chosen := balancers[0]
	dnsName, err := s.account.Resolve(name)
	if err != nil {
		return cloud.Listener{}, false
	}
	for _, b := range balancers {
		if dnsName != "" && b.DNSName == dnsName {
			chosen = b
		}
	}
	for _, l := range chosen.Listeners {
		if l.Certificate != nil {
			return l, true
		}
	}
	return cloud.Listener{}, false
}

// listen returns the address of a load balancer's listener, and starts the listener if necessary.
func (s *Server) listen(ctx context.Context, balancer cloud.Balancer, l cloud.Listener) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", net.ErrClosed
	}
	id := balancer.ARN + ":" + strconv.Itoa(l.Port)
	if r, found := s.servers[id]; found {
		return r.address, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := s.httpServer(func(string) (cloud.Listener, bool) { return s.currentListener(balancer.ARN, l.Port) })
	s.servers[id] = &runningServer{server: server, address: listener.Addr().String()}
	go func() {
		if l.Certificate != nil {
			_ = server.ServeTLS(listener, "", "")
			return
		}
		_ = server.Serve(listener)
	}()
	return listener.Addr().String(), nil
}

// currentListener returns the current state of a load balancer's listener.
func (s *Server) currentListener(arn string, port int) (cloud.Listener, bool) {
	balancers, err := s.account.Balancers()
	if err != nil {
		return cloud.Listener{}, false
	}
	for _, b := range balancers {
		for _, l := range b.Listeners {
			if b.ARN == arn && l.Port == port {
				return l, true
			}
		}
	}
	return cloud.Listener{}, false
}

// httpServer returns a server for the listeners that find selects by name.
func (s *Server) httpServer(find func(name string) (cloud.Listener, bool)) *http.Server {
	return &http.Server{
		Handler: s.handler(find), ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				l, found := find(hello.ServerName)
				if !found || l.Certificate == nil {
					return nil, errors.New("the listener has no certificate")
				}
				return s.authority.Issue(*l.Certificate)
			},
		},
	}
}

package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
)

const (
	domain   = "dev-api.example.test"
	balancer = "alb-1.elb.example.test"
)

// authority issues certificates that its pool trusts.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t *testing.T) authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"Example"}, CommonName: "Example CA"},
		NotBefore: time.Now().AddDate(-2, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return authority{key, cert, pool}
}

func (a authority) issue(t *testing.T, name string, from, until time.Duration) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(until),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// names is a resolver with fixed addresses.
type names map[string][]string

func (n names) LookupHost(_ context.Context, host string) ([]string, error) {
	if addresses, ok := n[host]; ok {
		return addresses, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (names) LookupNS(context.Context, string) ([]*net.NS, error) { return nil, nil }

// serve starts a TLS server and returns a network in which both names resolve to it.
func serve(t *testing.T, a authority, certificate tls.Certificate, maxVersion uint16, handler http.HandlerFunc) Network {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS10, MaxVersion: maxVersion}
	server.StartTLS()
	t.Cleanup(server.Close)
	return networkTo(server.Listener.Addr().String(), a)
}

func networkTo(address string, a authority) Network {
	return Network{
		Resolver: names{domain: {"203.0.113.7"}, balancer: {"203.0.113.7"}},
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
		Roots: a.pool,
	}
}

func respond(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

const day = 24 * time.Hour

func TestRunHealthy(t *testing.T) {
	a := newAuthority(t)
	var host, sni string
	network := serve(t, a, a.issue(t, domain, -day, 60*day+time.Hour), 0, func(w http.ResponseWriter, r *http.Request) {
		host, sni = r.Host, r.TLS.ServerName
		respond(200, `{"status":"ready","database":"connected","uptime":7}`)(w, r)
	})
	results := Run(t.Context(), Target{Domain: domain, Paths: []string{"/health", "/health/ready"}, LoadBalancer: balancer}, network, clock.Real())

	require.Len(t, results, 4)
	require.True(t, AllOK(results), "%+v", results)
	require.Equal(t, domain, host)
	require.Equal(t, domain, sni)
	require.Equal(t, []Side{SideLoadBalancer, SideDomain, SideLoadBalancer, SideDomain}, []Side{results[0].Side, results[1].Side, results[2].Side, results[3].Side})
	require.Equal(t, "https://"+domain+"/health/ready", results[3].URL)
	require.Equal(t, balancer, results[2].Host)
	require.Equal(t, &Body{Status: "ready", Database: "connected"}, results[0].Body)
	require.Equal(t, 200, results[0].StatusCode)
	require.Equal(t, []string{"203.0.113.7"}, results[0].DNS)
	require.Equal(t, "203.0.113.7", results[0].Address)
	state := results[0].TLS
	require.Equal(t, "TLS 1.3", state.Version)
	require.Equal(t, domain, state.Subject)
	require.Equal(t, "Example, Example CA", state.Issuer)
	require.Equal(t, 60, state.DaysLeft)
	require.Positive(t, results[0].Steps.TLS)
	require.GreaterOrEqual(t, results[0].Steps.Total, results[0].Steps.TLS)
}

func TestRunReturnsHarmlessText(t *testing.T) {
	a := newAuthority(t)
	network := serve(t, a, a.issue(t, domain, -day, 60*day), 0, respond(503, `{"status":"::error::x\u001b[2J\r","database":"##[error]"}`))
	results := Run(t.Context(), Target{Domain: domain, Paths: []string{"/health"}}, network, clock.Real())
	require.Equal(t, &Body{Status: `: :error::x\x0d`, Database: "# #[error]"}, results[0].Body)
	require.NotContains(t, results[0].Problem.Message, "\x1b")
}

// byBalancer returns a handler that responds as the load balancer does by itself.
func byBalancer(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "awselb/2.0")
		w.WriteHeader(code)
	}
}

func TestRunProblems(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	good := a.issue(t, domain, -day, 60*day)
	healthy := respond(200, `{"status":"healthy"}`)
	for name, test := range map[string]struct {
		certificate tls.Certificate
		version     uint16
		handler     http.HandlerFunc
		want        Reason
		message     string
		code        int
		application bool
	}{
		"expired, still asked": {a.issue(t, domain, -90*day, -day-time.Hour), 0, healthy, CertificateExpired, "the certificate for dev-api.example.test expired on 20", 200, false},
		"not yet valid":        {a.issue(t, domain, day, 90*day), 0, healthy, CertificateNotYetValid, "is valid from", 200, false},
		"another name":         {a.issue(t, "other.example.test", -day, day), 0, healthy, CertificateWrongName, "for other.example.test, not for " + domain, 200, false},
		"unknown authority":    {stranger.issue(t, domain, -day, day), 0, healthy, CertificateUntrusted, "Example CA is not trusted", 200, false},
		"old TLS":              {good, tls.VersionTLS11, healthy, TLSOutdated, "TLS 1.1", 200, false},
		"server error":         {good, 0, respond(500, "oops"), HTTPStatus, "HTTP 500 Internal Server Error", 500, true},
		"not ready":            {good, 0, respond(503, `{"status":"unavailable","database":"disconnected"}`), HTTPStatus, `the database is "disconnected"`, 503, true},
		"redirect":             {good, 0, http.RedirectHandler("/login", 302).ServeHTTP, HTTPStatus, "HTTP 302 to /login", 302, true},
		"no JSON":              {good, 0, respond(200, "<html>"), BodyNotHealthy, "not a health response", 200, true},
		"JSON of another kind": {good, 0, respond(200, `{}`), BodyNotHealthy, `the status is ""`, 200, true},
		"unhealthy body":       {good, 0, respond(200, `{"status":"degraded"}`), BodyNotHealthy, `"degraded"`, 200, true},
		"database gone":        {good, 0, respond(200, `{"status":"ok","database":"disconnected"}`), BodyNotHealthy, `the database is "disconnected"`, 200, true},
		"response truncated": {good, 0, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			NoAnswer, "without a valid response", 0, true},
		"expired, and not healthy": {a.issue(t, domain, -90*day, -day-time.Hour), 0, respond(503, "{}"), CertificateExpired, "expired on 20", 503, true},
		"redirect of the listener": {good, 0, byBalancer(301), HTTPStatus, "HTTP 301", 301, false},
		"blocked by the web ACL":   {good, 0, byBalancer(403), HTTPStatus, "HTTP 403", 403, false},
		"no healthy target":        {good, 0, byBalancer(503), HTTPStatus, "HTTP 503", 503, true},
	} {
		t.Run(name, func(t *testing.T) {
			network := serve(t, a, test.certificate, test.version, test.handler)
			results := Run(t.Context(), Target{Domain: domain, Paths: []string{"/health"}}, network, clock.Real())
			require.Len(t, results, 1)
			require.NotNil(t, results[0].Problem)
			require.Equal(t, test.want, results[0].Problem.Reason, results[0].Problem.Message)
			require.Contains(t, results[0].Problem.Message, test.message)
			require.NotEmpty(t, results[0].Problem.Hint)
			require.Equal(t, test.code, results[0].StatusCode)
			require.Equal(t, test.application, results[0].OfApplication)
			require.NotNil(t, results[0].TLS, "there are certificate details with every problem")
		})
	}
}

func TestRunWithoutTLS(t *testing.T) {
	a := newAuthority(t)
	plain := httptest.NewServer(respond(200, "{}"))
	t.Cleanup(plain.Close)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { silent.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())

	for name, test := range map[string]struct {
		network Network
		want    Reason
	}{
		"plain HTTP":   {networkTo(plain.Listener.Addr().String(), a), PlainHTTP},
		"refused":      {networkTo(closed.Addr().String(), a), ConnectionRefused},
		"no response":  {networkTo(silent.Addr().String(), a), Timeout},
		"no name":      {Network{Resolver: names{}}, DNSNotFound},
		"no addresses": {Network{Resolver: names{domain: {}}}, DNSNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			results := Run(ctx, Target{Domain: domain, Paths: []string{"/health"}}, test.network, clock.Real())
			require.NotNil(t, results[0].Problem)
			require.Equal(t, test.want, results[0].Problem.Reason, results[0].Problem.Message)
		})
	}
}

func TestRunDistinguishesTheSides(t *testing.T) {
	a := newAuthority(t)
	network := serve(t, a, a.issue(t, domain, -day, day), 0, respond(200, `{"status":"healthy"}`))
	network.Resolver = names{balancer: {"203.0.113.7"}}
	results := Run(t.Context(), Target{Domain: domain, Paths: []string{"/health"}, LoadBalancer: balancer}, network, clock.Real())
	require.True(t, results[0].OK())
	require.Equal(t, DNSNotFound, results[1].Problem.Reason)
}

// Every address of a name is tried, whatever the order: one that drops packets costs the others nothing, and is a warning.
func TestConnectTriesEveryAddress(t *testing.T) {
	a := newAuthority(t)
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	noRoute := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	for name, test := range map[string]struct {
		addresses []string
		// failures are the errors of addresses; nil drops packets.
		failures map[string]error
		warnings []string
		reason   Reason
	}{
		"all answer":         {[]string{"203.0.113.1", "203.0.113.2"}, nil, nil, ""},
		"the first is dead":  {[]string{"203.0.113.1", "203.0.113.2"}, map[string]error{"203.0.113.1": nil}, []string{"the connection to 203.0.113.1 port 443 timed out"}, ""},
		"the second is dead": {[]string{"203.0.113.1", "203.0.113.2"}, map[string]error{"203.0.113.2": nil}, []string{"the connection to 203.0.113.2 port 443 timed out"}, ""},
		"the second refuses": {[]string{"203.0.113.1", "203.0.113.2"}, map[string]error{"203.0.113.2": refused}, []string{"203.0.113.2 refuses connections to port 443"}, ""},
		"two of three":       {[]string{"203.0.113.1", "203.0.113.2", "203.0.113.3"}, map[string]error{"203.0.113.3": refused, "203.0.113.1": nil}, []string{"203.0.113.1 port", "203.0.113.3 refuses"}, ""},
		"no IPv6 here":       {[]string{"2001:db8::1", "203.0.113.2"}, map[string]error{"2001:db8::1": noRoute}, nil, ""},
		"IPv6 is dead":       {[]string{"2001:db8::1", "203.0.113.2"}, map[string]error{"2001:db8::1": nil}, []string{"the connection to 2001:db8::1 port 443 timed out"}, ""},
		"no route to IPv4":   {[]string{"203.0.113.1", "203.0.113.2"}, map[string]error{"203.0.113.1": noRoute}, []string{"network is unreachable"}, ""},
		"all are dead":       {[]string{"203.0.113.1", "203.0.113.2"}, map[string]error{"203.0.113.1": nil, "203.0.113.2": nil}, nil, Timeout},
		"all refuse":         {[]string{"203.0.113.1", "203.0.113.2"}, map[string]error{"203.0.113.1": refused, "203.0.113.2": refused}, nil, ConnectionRefused},
	} {
		t.Run(name, func(t *testing.T) {
			network := serve(t, a, a.issue(t, domain, -day, day), 0, respond(200, `{"status":"healthy"}`))
			network.Resolver = names{domain: test.addresses}
			dial := network.Dial
			network.Dial = func(ctx context.Context, kind, address string) (net.Conn, error) {
				host, _, err := net.SplitHostPort(address)
				require.NoError(t, err)
				failure, fails := test.failures[host]
				switch {
				case !fails:
					return dial(ctx, kind, address)
				case failure == nil:
					<-ctx.Done()
					return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
				}
				return nil, failure
			}
			result := Run(t.Context(), Target{Domain: domain, Paths: []string{"/health"}, Timeout: time.Second}, network, clock.Real())[0]
			require.Len(t, result.Warnings, len(test.warnings))
			for i, want := range test.warnings {
				require.Contains(t, result.Warnings[i].Message, want)
				require.Contains(t, result.Warnings[i].Message, "; other addresses of "+domain+" accept connections")
			}
			require.Equal(t, len(test.warnings) > 0, HasWarnings([]Result{result}))
			if test.reason != "" {
				require.Equal(t, test.reason, result.Problem.Reason)
				return
			}
			require.Nil(t, result.Problem)
			require.Contains(t, test.addresses, result.Address)
			require.NotContains(t, test.failures, result.Address)
		})
	}
}

// Each probe ends in its time, wherever the endpoint stops answering, and however the caller's context lasts.
func TestRunIsBounded(t *testing.T) {
	a := newAuthority(t)
	certificate := a.issue(t, domain, -day, day)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	for name, test := range map[string]struct {
		network Network
		message string
		tls     bool
	}{
		"DNS":        {Network{Resolver: hanging{}}, "the DNS lookup of " + domain + " timed out", false},
		"before TLS": {networkTo(silent.Addr().String(), a), "the TLS handshake with " + domain, false},
		"after TLS":  {serve(t, a, certificate, 0, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), "did not respond in time", true},
		"in the body": {serve(t, a, certificate, 0, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			for {
				_, _ = io.WriteString(w, " ")
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(time.Millisecond):
				}
			}
		}), "did not respond in time", true},
	} {
		t.Run(name, func(t *testing.T) {
			result := Run(context.WithoutCancel(t.Context()), Target{Domain: domain, Paths: []string{"/health"}, Timeout: 300 * time.Millisecond}, test.network, clock.Real())[0]
			require.NotNil(t, result.Problem)
			require.Equal(t, Timeout, result.Problem.Reason, result.Problem.Message)
			require.Contains(t, result.Problem.Message, test.message)
			require.Equal(t, test.tls, result.TLS != nil)
		})
	}
}

// Connecting takes at most half of the time, so that an endpoint that accepts late has the rest for TLS and the response.
func TestConnectLeavesTimeForTheResponse(t *testing.T) {
	for _, timeout := range []time.Duration{time.Minute, time.Hour} {
		var left time.Duration
		network := Network{Resolver: names{domain: {"192.0.2.1"}}, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			deadline, has := ctx.Deadline()
			require.True(t, has)
			left = time.Until(deadline)
			return nil, errors.New("refused")
		}}
		Run(t.Context(), Target{Domain: domain, Paths: []string{"/health"}, Timeout: timeout}, network, clock.Real())
		require.InDelta(t, timeout/2, left, float64(timeout/10))
	}
}

// hanging is a resolver that never answers.
type hanging struct{ names }

func (hanging) LookupHost(ctx context.Context, host string) ([]string, error) {
	<-ctx.Done()
	return nil, &net.DNSError{Err: ctx.Err().Error(), Name: host, IsTimeout: true}
}

func TestDaysLeft(t *testing.T) {
	now := time.Date(2025, 6, 3, 4, 43, 14, 0, time.UTC)
	for left, want := range map[time.Duration]int{
		30 * day: 30, 30*day - time.Second: 29, time.Hour: 0, 0: 0, -time.Second: -1, -day - time.Hour: -1, -3 * day: -3,
	} {
		require.Equal(t, want, DaysLeft(now.Add(left), now), left.String())
	}
}

func TestAllOKOfNothing(t *testing.T) { require.False(t, AllOK(nil)) }

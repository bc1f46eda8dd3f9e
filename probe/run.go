package probe

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

// Target is an endpoint to probe.
type Target struct {
	// Domain is the host name, with a port if it is not 443.
	Domain string
	// Paths are requested on both sides.
	Paths []string
	// LoadBalancer is the load balancer's own DNS name; if it is empty, only the domain is probed.
	LoadBalancer string
	// Timeout bounds each probe, from the DNS lookup to the end of the response; 0 means DefaultTimeout.
	Timeout time.Duration
}

// DefaultTimeout bounds a probe. It is real time also where a simulated account's clock is faster.
const DefaultTimeout = 10 * time.Second

// maxBody is how much of a response is read, in bytes.
const maxBody = 64 << 10

// Run probes every path of the target on each side, all at the same time, and returns one result per probe: by path, the
// load balancer before the domain. It does not follow redirects. A probe ends with ctx, and at the target's timeout.
func Run(ctx context.Context, target Target, network Network, clk clock.Clock) []Result {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(target.Timeout, DefaultTimeout))
	defer cancel()
	var results []Result
	for _, path := range target.Paths {
		url := "https://" + target.Domain + path
		if target.LoadBalancer != "" {
			results = append(results, Result{Side: SideLoadBalancer, URL: url, Host: target.LoadBalancer})
		}
		domain, _ := splitHostPort(target.Domain)
		results = append(results, Result{Side: SideDomain, URL: url, Host: domain})
	}
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() {
			p := probeRun{network: network, clk: clk, target: target, Result: &results[i]}
			start := clk.Now()
			p.Problem = p.run(ctx)
			p.Steps.Total = p.elapsedMS(start)
			p.others.Wait()
			sanitize.Value(p.Result)
		})
	}
	all.Wait()
	return results
}

// splitHostPort returns a host and its port, which is 443 by default.
func splitHostPort(domain string) (host, port string) {
	host, port, err := net.SplitHostPort(domain)
	if err != nil {
		return domain, "443"
	}
	return host, port
}

// probeRun is one running probe.
type probeRun struct {
	network Network
	clk     clock.Clock
	target  Target
	// byListener reports that the load balancer answered by a rule of its listener, or its web ACL.
	byListener bool
	*Result
	// others are the connections to further addresses that are still being tried, which may add to Warnings.
	others sync.WaitGroup
}

func (p *probeRun) elapsedMS(start time.Time) float64 {
	return math.Round(float64(p.clk.Now().Sub(start).Microseconds())/10) / 100
}

// run runs the steps until one fails. It also sends the request if the certificate is not valid: the response shows
// whether the application is healthy.
func (p *probeRun) run(ctx context.Context) *Problem {
	domain, port := splitHostPort(p.target.Domain)

	start := p.clk.Now()
	addresses, err := p.network.Resolver.LookupHost(ctx, p.Host)
	p.Steps.DNS = p.elapsedMS(start)
	if err != nil || len(addresses) == 0 {
		return dnsProblem(p.Side, p.Host, err)
	}
	p.DNS = slices.Sorted(slices.Values(addresses))

	start = p.clk.Now()
	conn, err := p.connect(ctx, addresses, port)
	p.Steps.Connect = p.elapsedMS(start)
	if err != nil {
		return connectProblem(p.Host, port, err)
	}
	defer conn.Close()
	// Closing the connection ends a read or write that hangs.
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	start = p.clk.Now()
	// checkTLS verifies the certificate: here an invalid one would be an error without details. The old versions are
	// offered to distinguish an endpoint that supports no other from one that fails.
	secure := tls.Client(conn, &tls.Config{ServerName: domain, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10})
	err = secure.HandshakeContext(ctx)
	p.Steps.TLS = p.elapsedMS(start)
	if err != nil {
		return handshakeProblem(ctx, p.Host, port, err)
	}
	state := secure.ConnectionState()
	now := p.clk.Now()
	leaf := state.PeerCertificates[0]
	p.TLS = &TLS{
		Version: tls.VersionName(state.Version), Subject: leaf.Subject.CommonName, Names: leaf.DNSNames,
		Issuer: issuer(leaf), NotAfter: leaf.NotAfter.UTC(), DaysLeft: DaysLeft(leaf.NotAfter, now),
	}
	tlsProblem := checkTLS(state, domain, p.network.Roots, now)

	response := p.sendRequest(ctx, secure)
	p.OfApplication = response != nil && !p.byListener
	return cmp.Or(tlsProblem, response)
}

// connect tries all addresses at once, and returns the first connection. One that drops packets delays none of the others, and each
// address that fails beside it becomes a warning, whatever their order. Each has half of the time that is left: the rest is for TLS and
// the response.
// Source: https://datatracker.ietf.org/doc/html/rfc8305
func (p *probeRun) connect(ctx context.Context, addresses []string, port string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, remaining(ctx)/2)
	type attempt struct {
		address string
		conn    net.Conn
		err     error
	}
	attempts := make(chan attempt, len(addresses))
	for _, address := range addresses {
		go func() {
			conn, err := p.network.Dial(ctx, "tcp", net.JoinHostPort(address, port))
			attempts <- attempt{address, conn, err}
		}()
	}
	var failed []attempt
	warn := func(a attempt) {
		if problem := unreachable(p.Host, a.address, port, a.err); problem != nil {
			p.Warnings = append(p.Warnings, *problem)
		}
	}
	for range addresses {
		a := <-attempts
		if a.err != nil {
			failed = append(failed, a)
			continue
		}
		p.Address = a.address
		p.others.Go(func() {
			defer cancel()
			for range len(addresses) - len(failed) - 1 {
				if late := <-attempts; late.err == nil {
					_ = late.conn.Close()
				} else {
					failed = append(failed, late)
				}
			}
			slices.SortFunc(failed, func(a, b attempt) int { return strings.Compare(a.address, b.address) })
			for _, a := range failed {
				warn(a)
			}
		})
		return a.conn, nil
	}
	cancel()
	return nil, errors.Join(list.Map(failed, func(a attempt) error { return a.err })...)
}

// remaining returns how long a context lasts, or DefaultTimeout if it does not end by itself.
func remaining(ctx context.Context) time.Duration {
	if deadline, has := ctx.Deadline(); has {
		return time.Until(deadline)
	}
	return DefaultTimeout
}

// sendRequest sends the request over conn and evaluates the response.
func (p *probeRun) sendRequest(ctx context.Context, conn net.Conn) *Problem {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return &Problem{Reason: NoAnswer, Message: err.Error(), Hint: "correct the domain in the environment's file"}
	}
	request.Header.Set("User-Agent", "deployer-probe")
	request.Header.Set("Accept", "application/json")
	request.Close = true

	start := p.clk.Now()
	if err := request.Write(conn); err != nil {
		return answerProblem(ctx, p.Host, err)
	}
	reader := bufio.NewReader(conn)
	_, err = reader.Peek(1)
	p.Steps.FirstByte = p.elapsedMS(start)
	if err != nil {
		return answerProblem(ctx, p.Host, err)
	}
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		return answerProblem(ctx, p.Host, err)
	}
	defer response.Body.Close()
	p.StatusCode = response.StatusCode
	p.byListener = isOfListener(response)
	content, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return answerProblem(ctx, p.Host, err)
	}
	p.Body = parseBody(content)
	return evaluate(response, p.Body)
}

// DaysLeft returns the whole days from now until the end. After it they are negative, beginning with -1.
func DaysLeft(end, now time.Time) int {
	days := int(end.Sub(now) / (24 * time.Hour))
	if now.After(end) {
		return min(days, -1)
	}
	return days
}

func issuer(c *x509.Certificate) string {
	parts := slices.Concat(c.Issuer.Organization, []string{c.Issuer.CommonName})
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// checkTLS verifies the endpoint's certificate as a client does: its validity period, its name, and its authority.
func checkTLS(state tls.ConnectionState, domain string, roots *x509.CertPool, now time.Time) *Problem {
	leaf := state.PeerCertificates[0]
	if now.After(leaf.NotAfter) {
		return &Problem{CertificateExpired,
			fmt.Sprintf("the certificate for %s expired on %s", certificateNames(leaf), leaf.NotAfter.UTC().Format(time.RFC3339)),
			"ACM renews a certificate only while its validation record is in DNS: check the certificate and its record"}
	}
	if now.Before(leaf.NotBefore) {
		return &Problem{CertificateNotYetValid,
			fmt.Sprintf("the certificate for %s is valid from %s on", certificateNames(leaf), leaf.NotBefore.UTC().Format(time.RFC3339)),
			"check this machine's clock"}
	}
	if err := leaf.VerifyHostname(domain); err != nil {
		return &Problem{CertificateWrongName,
			fmt.Sprintf("the certificate is for %s, not for %s", certificateNames(leaf), domain),
			"the HTTPS listener has another certificate, or the name resolves to another host: check the listener's certificate and the DNS records"}
	}
	intermediates := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: domain, Roots: roots, Intermediates: intermediates, CurrentTime: now}); err != nil {
		return &Problem{CertificateUntrusted,
			fmt.Sprintf("the certificate of %s is not trusted: %v", issuer(leaf), err),
			"a certificate of ACM is trusted everywhere: the listener has another one, or a proxy intercepts the connection"}
	}
	if state.Version < tls.VersionTLS12 {
		return &Problem{TLSOutdated, "the endpoint supports nothing newer than " + tls.VersionName(state.Version),
			"give the HTTPS listener a policy such as ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"}
	}
	return nil
}

func certificateNames(leaf *x509.Certificate) string {
	if len(leaf.DNSNames) == 0 {
		return leaf.Subject.CommonName
	}
	return strings.Join(leaf.DNSNames, ", ")
}

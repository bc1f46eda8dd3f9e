package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
)

const databaseHint = "check the database, its security group and DATABASE_URL"

// dnsProblem reports why a name has no addresses; err is nil if the response was empty.
func dnsProblem(side Side, host string, err error) *Problem {
	hint := "check that the hosted zone has the domain's alias record, and the registrar the zone's name servers"
	if side == SideLoadBalancer {
		hint = "the load balancer was deleted or is being created: check it"
	}
	const resolverHint = "check this machine's resolver and the zone's name servers"
	var dns *net.DNSError
	switch {
	case err == nil || errors.As(err, &dns) && dns.IsNotFound:
		return &Problem{DNSNotFound, host + " has no address in DNS", hint}
	case isTimeout(err):
		return &Problem{Timeout, "the DNS lookup of " + host + " timed out", resolverHint}
	}
	return &Problem{DNSFailed, fmt.Sprintf("look up %s: %v", host, err), resolverHint}
}

func connectProblem(host, port string, err error) *Problem {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Problem{ConnectionRefused, fmt.Sprintf("%s refuses connections to port %s", host, port),
			"the load balancer has no listener on this port, or the name resolves to another host"}
	case isTimeout(err):
		return &Problem{Timeout, fmt.Sprintf("the connection to %s port %s timed out", host, port),
			"the balancer's security group must allow the port from here, and its subnets need a route to the internet gateway"}
	}
	return &Problem{ConnectionFailed, fmt.Sprintf("connect to %s port %s: %v", host, port, err),
		"check this machine's network, and the balancer's security group"}
}

func handshakeProblem(ctx context.Context, host, port string, err error) *Problem {
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		return &Problem{PlainHTTP, fmt.Sprintf("%s serves plain HTTP on port %s", host, port),
			"the listener on this port must be HTTPS with the environment's certificate"}
	case ctx.Err() != nil || isTimeout(err):
		return &Problem{Timeout, fmt.Sprintf("the TLS handshake with %s port %s timed out", host, port),
			"the endpoint accepts connections, but does not respond: check the listener"}
	}
	return &Problem{TLSFailed, fmt.Sprintf("TLS handshake with %s port %s: %v", host, port, err),
		"the listener must be HTTPS, with a certificate for the domain and a current TLS policy"}
}

func answerProblem(ctx context.Context, host string, err error) *Problem {
	if ctx.Err() != nil || isTimeout(err) {
		return &Problem{Timeout, host + " did not respond in time",
			"the application takes too long: check its tasks, their logs and the database"}
	}
	return &Problem{NoAnswer, fmt.Sprintf("the connection to %s was closed without a valid response: %v", host, err),
		"check the load balancer and the application's logs"}
}

// evaluate returns the problem of a response, or nil; body is nil if it was not a JSON object.
func evaluate(response *http.Response, body *Body) *Problem {
	code := response.StatusCode
	switch {
	case code >= 300 && code < 400:
		return &Problem{HTTPStatus, fmt.Sprintf("HTTP %d to %s", code, response.Header.Get("Location")),
			"a health path must not redirect: check the listener's rules and the application's routes"}
	case code != http.StatusOK && body != nil && !isHealthy(body.Database):
		return &Problem{HTTPStatus, fmt.Sprintf("HTTP %d %s, the database is %q", code, http.StatusText(code), body.Database), databaseHint}
	case code != http.StatusOK:
		return &Problem{HTTPStatus, statusMessage(code, body), statusHint(code)}
	case body == nil:
		return &Problem{BodyNotHealthy, "HTTP 200, but the body is not a health response in JSON",
			"the response is not the application's: check the listener's default action"}
	case !isHealthy(body.Status) || body.Status == "" && body.Database == "":
		return &Problem{BodyNotHealthy, fmt.Sprintf("HTTP 200, but the status is %q", body.Status),
			"the application reports that it is not healthy: check its logs"}
	case !isHealthy(body.Database):
		return &Problem{BodyNotHealthy, fmt.Sprintf("HTTP 200, but the database is %q", body.Database), databaseHint}
	}
	return nil
}

func statusMessage(code int, body *Body) string {
	message := strings.TrimSpace(fmt.Sprintf("HTTP %d %s", code, http.StatusText(code)))
	if body != nil && body.Status != "" {
		return fmt.Sprintf("%s, the status is %q", message, body.Status)
	}
	return message
}

// isOfListener reports whether the load balancer generated a response for a reason of its own: a redirect or a fixed response of a rule, a
// malformed request, or the web ACL. What it responds with 5xx is about its targets.
// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
func isOfListener(response *http.Response) bool {
	return strings.HasPrefix(response.Header.Get("Server"), "awselb/") && response.StatusCode < 500
}

// statusHint returns the likely cause of an HTTP status.
// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
func statusHint(code int) string {
	switch code {
	case http.StatusServiceUnavailable:
		return "the target group has no healthy targets, or the application reports that it is not ready: check target_groups and ecs_tasks"
	case http.StatusBadGateway:
		return "the targets closed the connection or sent an invalid response: check the tasks and their logs"
	case http.StatusGatewayTimeout:
		return "the targets did not respond in time: check the tasks, their security group and the database"
	case http.StatusForbidden:
		return "the web ACL blocks the request, or the application does"
	case http.StatusNotFound:
		return "the application has no such path, or the listener forwards to something else"
	}
	return "check the application's logs"
}

// unreachable returns the warning about an address that does not accept connections, while another one of the name does; nil where
// this machine has no route to it, as without IPv6.
func unreachable(host, address, port string, err error) *Problem {
	if errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) {
		if parsed, parseErr := netip.ParseAddr(address); parseErr == nil && parsed.Is6() {
			return nil
		}
	}
	problem := connectProblem(address, port, err)
	problem.Message += "; other addresses of " + host + " accept connections"
	problem.Hint = "some clients get this address: check the load balancer's subnets, their network ACLs and routes, and whether the name has an outdated record"
	return problem
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &network) && network.Timeout()
}

package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
)

// databaseHint is for an application that has lost its database.
const databaseHint = "look at the database, its security group and DATABASE_URL"

// healthyValues are what a healthy answer says in its status and database fields.
var healthyValues = []string{"healthy", "ok", "ready", "up", "connected", "pass"}

// dnsProblem is why a name has no addresses; err is nil where the answer was empty.
func dnsProblem(side Side, host string, err error) *Problem {
	hint := "create the alias record in the hosted zone, and see whether the zone's name servers are those at the registrar"
	if side == SideLoadBalancer {
		hint = "the load balancer is gone or just being made: look at it"
	}
	var dns *net.DNSError
	switch {
	case err == nil || errors.As(err, &dns) && dns.IsNotFound:
		return &Problem{DNSNotFound, host + " has no address in DNS", hint}
	case isTimeout(err):
		return &Problem{Timeout, "no answer from DNS about " + host, "look at this machine's resolver and the zone's name servers"}
	}
	return &Problem{DNSFailed, fmt.Sprintf("DNS about %s: %v", host, err), "look at this machine's resolver and the zone's name servers"}
}

func connectProblem(host, port string, err error) *Problem {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Problem{ConnectionRefused, fmt.Sprintf("%s refuses connections to port %s", host, port),
			"the load balancer has no listener on this port, or the name leads to something else"}
	case isTimeout(err):
		return &Problem{Timeout, fmt.Sprintf("no connection to %s port %s in time", host, port),
			"the balancer's security group must allow the port from here, and its subnets need a route to the internet gateway"}
	}
	return &Problem{ConnectionFailed, fmt.Sprintf("connect to %s port %s: %v", host, port, err),
		"look at this machine's network, and at the balancer's security group"}
}

func handshakeProblem(ctx context.Context, host, port string, err error) *Problem {
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/":
		return &Problem{PlainHTTP, fmt.Sprintf("%s answers in plain HTTP on port %s", host, port),
			"the listener on this port must be HTTPS with the environment's certificate"}
	case ctx.Err() != nil || isTimeout(err):
		return &Problem{Timeout, fmt.Sprintf("no TLS handshake with %s port %s in time", host, port),
			"something accepts connections and says nothing: look at the listener"}
	}
	return &Problem{TLSFailed, fmt.Sprintf("TLS handshake with %s port %s: %v", host, port, err),
		"the listener must be HTTPS, with a certificate for the domain and a TLS policy of today"}
}

func answerProblem(ctx context.Context, host string, err error) *Problem {
	if ctx.Err() != nil || isTimeout(err) {
		return &Problem{Timeout, "no answer from " + host + " in time",
			"the application takes too long: look at its tasks, their logs and the database"}
	}
	return &Problem{NoAnswer, fmt.Sprintf("the connection to %s ended without a proper answer: %v", host, err),
		"look at the load balancer and the application's logs"}
}

// evaluate looks at an answer; body is nil where it was no JSON object.
func evaluate(response *http.Response, body *Body) *Problem {
	code := response.StatusCode
	switch {
	case code >= 300 && code < 400:
		return &Problem{HTTPStatus, fmt.Sprintf("HTTP %d to %s", code, response.Header.Get("Location")),
			"a health path answers itself and does not redirect: look at the listener's rules and the application's routes"}
	case code != http.StatusOK && body != nil && !isHealthy(body.Database):
		return &Problem{HTTPStatus, fmt.Sprintf("HTTP %d %s, the database is %q", code, http.StatusText(code), body.Database), databaseHint}
	case code != http.StatusOK:
		return &Problem{HTTPStatus, statusMessage(code, body), statusHint(code)}
	case body == nil:
		return &Problem{BodyNotHealthy, "HTTP 200, but the body is no health answer in JSON",
			"something other than the application answers: look at the listener's default action"}
	case !isHealthy(body.Status) || body.Status == "" && body.Database == "":
		return &Problem{BodyNotHealthy, fmt.Sprintf("HTTP 200, but the status is %q", body.Status),
			"the application says that it is not well: look at its logs"}
	case !isHealthy(body.Database):
		return &Problem{BodyNotHealthy, fmt.Sprintf("HTTP 200, but the database is %q", body.Database),
			databaseHint}
	}
	return nil
}

// isHealthy reports whether a field says nothing bad; one that is not there does not.
func isHealthy(word string) bool {
	return word == "" || slices.Contains(healthyValues, strings.ToLower(word))
}

func statusMessage(code int, body *Body) string {
	message := strings.TrimSpace(fmt.Sprintf("HTTP %d %s", code, http.StatusText(code)))
	if body != nil && body.Status != "" {
		return fmt.Sprintf("%s, the status is %q", message, body.Status)
	}
	return message
}

// statusHint says where an error status comes from; the load balancer's own are documented at
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
func statusHint(code int) string {
	switch code {
	case http.StatusServiceUnavailable:
		return "the target group has no healthy targets, or the application says that it is not ready: look at target_groups and ecs_tasks"
	case http.StatusBadGateway:
		return "the targets closed the connection or answered nonsense: look at the tasks and their logs"
	case http.StatusGatewayTimeout:
		return "the targets did not answer in time: look at the tasks, their security group and the database"
	case http.StatusForbidden:
		return "the web ACL blocks the request, or the application does"
	case http.StatusNotFound:
		return "the application has no such path, or the listener forwards to something else"
	}
	return "look at the application's logs"
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &network) && network.Timeout()
}

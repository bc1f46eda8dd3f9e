package checks

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/probe"
)

// readProbes probes the health paths by the domain and directly. Without a known load balancer only the domain is probed.
func readProbes(ctx context.Context, rc *runContext) []probe.Result {
	results, _ := cached(ctx, &rc.cache, "probes", func(ctx context.Context) ([]probe.Result, error) {
		target := probe.Target{Domain: rc.env.Domain.Name, Paths: []string{environment.HealthPath, environment.ReadyPath}}
		if balancer, err := readBalancer(ctx, rc); err == nil && balancer != nil {
			target.LoadBalancer = aws.ToString(balancer.DNSName)
		}
		return probe.Run(ctx, target, rc.src.Network, rc.clk), nil
	})
	return results
}

func checkEndpoint(ctx context.Context, rc *runContext) ([]Finding, error) {
	return explainUnresolved(ctx, rc, evaluateAnswers("endpoint", "Endpoint", environment.HealthPath, readProbes(ctx, rc), rc.env)), nil
}

func checkReadiness(ctx context.Context, rc *runContext) ([]Finding, error) {
	return explainUnresolved(ctx, rc, evaluateAnswers("readiness", "Readiness", environment.ReadyPath, readProbes(ctx, rc), rc.env)), nil
}

func checkTLS(ctx context.Context, rc *runContext) ([]Finding, error) {
	return explainUnresolved(ctx, rc, evaluateTLS(readProbes(ctx, rc), rc.env)), nil
}

// explainUnresolved gives findings about a domain without an address the hint of the finding that has the cause, that of the records or of the
// delegation, so that one cause has one remedy.
func explainUnresolved(ctx context.Context, rc *runContext, findings []Finding) []Finding {
	unresolved := func(f Finding) bool { return f.Reason == string(probe.DNSNotFound) }
	if !slices.ContainsFunc(findings, unresolved) {
		return findings
	}
	for _, check := range []func(context.Context, *runContext) ([]Finding, error){checkDNS, checkDelegation} {
		causes, _ := check(ctx, rc) // what cannot be read is reported as such by its own check
		cause := list.Find(causes, func(f Finding) bool { return f.Status == Error })
		if cause == nil {
			continue
		}
		for i := range findings {
			if unresolved(findings[i]) {
				findings[i].Hint = cause.Hint
			}
		}
		break
	}
	return findings
}

// evaluateAnswers evaluates a path's response on each side. An invalid certificate is an error here too, because no client can
// connect.
func evaluateAnswers(component, prefix, path string, results []probe.Result, env *environment.Environment) []Finding {
	var findings []Finding
	for _, r := range results {
		if r.URL != env.URL()+path {
			continue
		}
		f := newFinding(component, prefix+"-"+sideName(r.Side)+"-"+r.URL)
		f.details = probeDetails(r)
		if r.Problem == nil && len(r.Warnings) > 0 {
			w := r.Warnings[0]
			findings = append(findings, f.warning(string(w.Reason), Hint{
				Cause: "a subnet, network ACL or route of one zone blocks it, or the record is outdated", Solution: w.Hint, Command: command(env, "health"),
			}, "HTTP %d by the %s, but %s", r.StatusCode, r.Side, strings.Join(list.Map(r.Warnings, func(p probe.Problem) string { return p.Message }), "; ")))
			continue
		}
		if r.Problem == nil {
			findings = append(findings, f.healthy("Answers", "HTTP %d by the %s in %.0f ms", r.StatusCode, r.Side, r.Steps.Total))
			continue
		}
		findings = append(findings, f.error(string(r.Problem.Reason), probeHint(*r.Problem, env), "by the %s: %s", r.Side, r.Problem.Message))
	}
	return findings
}

func sideName(side probe.Side) string {
	if side == probe.SideLoadBalancer {
		return "LoadBalancer"
	}
	return "Domain"
}

// evaluateTLS evaluates the certificate and the TLS version that each side presents.
func evaluateTLS(results []probe.Result, env *environment.Environment) []Finding {
	var findings []Finding
	for _, side := range []probe.Side{probe.SideLoadBalancer, probe.SideDomain} {
		if result := list.Find(results, func(r probe.Result) bool { return r.Side == side }); result != nil {
			findings = append(findings, evaluateSide(*result, env))
		}
	}
	return findings
}

func evaluateSide(r probe.Result, env *environment.Environment) Finding {
	f := newFinding("tls", "TLS-"+sideName(r.Side)+"-"+env.Domain.Name)
	f.details = probeDetails(r)
	if r.TLS == nil || r.Problem != nil && r.Problem.Reason.IsCertificate() {
		return f.error(string(r.Problem.Reason), probeHint(*r.Problem, env), "by the %s: %s", r.Side, r.Problem.Message)
	}
	renew := Hint{
		Cause:    "ACM could not renew the certificate, or the listener presents an older one",
		Solution: "check the certificate and its validation record", Command: command(env, "status") + " --only certificate,delegation",
	}
	switch {
	case r.TLS.DaysLeft < daysBeforeError:
		return f.error("CertificateExpiring", renew, "by the %s: the certificate has %d days left", r.Side, r.TLS.DaysLeft)
	case r.TLS.DaysLeft < daysBeforeWarning:
		return f.warning("CertificateExpiring", renew, "by the %s: the certificate has %d days left", r.Side, r.TLS.DaysLeft)
	}
	return f.healthy("Trusted", "%s by the %s, %d days left", r.TLS.Version, r.Side, r.TLS.DaysLeft)
}

// probeCauses maps problems to their likely causes; the probe itself has the solution.
var probeCauses = map[probe.Reason]string{
	probe.DNSNotFound:            "the alias record is missing, or the domain is not delegated to the zone",
	probe.DNSFailed:              "the name servers, or this machine's resolver, return errors",
	probe.ConnectionRefused:      "no process listens on the port",
	probe.ConnectionFailed:       "the network between this machine and the load balancer",
	probe.Timeout:                "a security group that blocks the connection, or an application that hangs",
	probe.PlainHTTP:              "the listener's protocol is not HTTPS",
	probe.TLSFailed:              "the listener has no certificate for the domain, or offers only protocols that clients reject",
	probe.TLSOutdated:            "the listener's TLS policy is outdated",
	probe.CertificateExpired:     "ACM could not renew the certificate",
	probe.CertificateNotYetValid: "this machine's clock is wrong, or the certificate is not valid yet",
	probe.CertificateWrongName:   "the listener has the certificate of another name, or the name resolves to another server",
	probe.CertificateUntrusted:   "the certificate was not issued by ACM",
	probe.NoAnswer:               "the load balancer or the application closed the connection",
	probe.HTTPStatus:             "no healthy target, or an unhealthy application",
	probe.BodyNotHealthy:         "the application reports that it, or its database, is unhealthy",
}

func probeHint(p probe.Problem, env *environment.Environment) Hint {
	return Hint{Cause: probeCauses[p.Reason], Solution: p.Hint, Command: command(env, "health")}
}

func probeDetails(r probe.Result) map[string]any {
	details := map[string]any{"url": r.URL, "host": r.Host, "milliseconds": r.Steps.Total}
	if len(r.DNS) > 0 {
		details["dns"] = r.DNS
	}
	if r.StatusCode != 0 {
		details["status_code"] = r.StatusCode
	}
	if r.Body != nil {
		setText(details, "body_status", r.Body.Status)
		setText(details, "body_database", r.Body.Database)
	}
	if r.TLS != nil {
		details["tls_version"], details["subject"], details["issuer"] = r.TLS.Version, r.TLS.Subject, r.TLS.Issuer
		details["days_left"] = r.TLS.DaysLeft
	}
	return details
}

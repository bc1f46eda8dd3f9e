package checks

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/list"
)

func listenerID(env *environment.Environment, port int) string {
	return fmt.Sprintf("ALB-Listener-%s-%d", env.LoadBalancerName(), port)
}

// evaluateHTTP evaluates the listener of port 80, which must redirect.
func evaluateHTTP(listeners []elbtypes.Listener, env *environment.Environment) Finding {
	f := newFinding("listeners", listenerID(env, 80))
	listener := findListener(listeners, 80)
	if listener == nil {
		return f.warning("ListenerMissing", deployHint(env, "it was deleted, or the environment was never deployed"),
			"there is no listener on port 80: clients that use http get no response")
	}
	action := actionOf(*listener)
	f = f.with("protocol", string(listener.Protocol)).with("action", action)
	redirect := redirectOf(*listener)
	switch {
	case action == "" || redirect != nil && redirect.Protocol == nil:
		return f.unknown("ActionUnknown", incompleteAnswer("DescribeListeners", "the default action"), "it is unknown whether port 80 redirects to HTTPS")
	case redirect == nil:
		return f.error("NoRedirect", driftHint(env, "the listener's default action was changed"),
			"port 80 serves plain HTTP (%s) and does not redirect to HTTPS", action)
	case aws.ToString(redirect.Protocol) != "HTTPS":
		return f.error("NoRedirect", driftHint(env, "the listener's default action was changed"),
			"port 80 redirects to %s, not to HTTPS", aws.ToString(redirect.Protocol))
	}
	return f.with("status_code", string(redirect.StatusCode)).healthy("Redirects", "port 80 redirects to HTTPS")
}

// modernPolicy matches the security policies that offer TLS 1.3 and nothing before 1.2.
// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
var modernPolicy = lazyregexp.New(`^ELBSecurityPolicy-TLS13-1-[23]-(?:.+-)?20[0-9]{2}-[0-9]{2}$`)

func evaluateHTTPS(listeners []elbtypes.Listener, env *environment.Environment) Finding {
	f := newFinding("listeners", listenerID(env, 443))
	listener := findListener(listeners, 443)
	if listener == nil {
		return f.error("ListenerMissing", deployHint(env, "it was deleted, or the environment was never deployed"), "there is no listener on port 443")
	}
	policy := aws.ToString(listener.SslPolicy)
	f = f.with("protocol", string(listener.Protocol)).with("action", actionOf(*listener)).
		with("tls_policy", policy).with("certificates", len(listener.Certificates))
	switch {
	case listener.Protocol == "" || actionOf(*listener) == "":
		return f.unknown("ListenerUnknown", incompleteAnswer("DescribeListeners", "the protocol or the default action"),
			"it is unknown whether port 443 forwards HTTPS")
	case listener.Protocol != elbtypes.ProtocolEnumHttps:
		return f.error("NotHTTPS", driftHint(env, "the listener was changed"), "the protocol of port 443 is %s, not HTTPS", listener.Protocol)
	case len(listener.Certificates) == 0:
		return f.error("NoCertificate", driftHint(env, "the certificate was removed"), "port 443 has no certificate")
	case actionOf(*listener) != string(elbtypes.ActionTypeEnumForward):
		return f.error("NotForwarding", driftHint(env, "the listener's default action was changed"),
			"the action of port 443 is %s, not forwarding to the API", actionOf(*listener))
	case policy == "":
		return f.unknown("TLSPolicyUnknown", incompleteAnswer("DescribeListeners", "SslPolicy"), "the TLS policy of port 443 is unknown")
	case !modernPolicy.MatchString(policy):
		return f.warning("OutdatedTLSPolicy", driftHint(env, "the policy was changed outside the deployer, or set by an older version"),
			"port 443 has the outdated TLS policy %s", policy)
	}
	return f.healthy("Forwards", "port 443 forwards, TLS policy %s", policy)
}

func findListener(listeners []elbtypes.Listener, port int32) *elbtypes.Listener {
	return list.Find(listeners, func(l elbtypes.Listener) bool { return aws.ToInt32(l.Port) == port })
}

// actionOf returns the final action of a listener; authentication and the like precede it.
func actionOf(l elbtypes.Listener) string {
	if len(l.DefaultActions) == 0 {
		return ""
	}
	return string(l.DefaultActions[len(l.DefaultActions)-1].Type)
}

func redirectOf(l elbtypes.Listener) *elbtypes.RedirectActionConfig {
	for _, a := range l.DefaultActions {
		if a.Type == elbtypes.ActionTypeEnumRedirect {
			return a.RedirectConfig
		}
	}
	return nil
}

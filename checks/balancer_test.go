package checks

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/stretchr/testify/require"
)

func balancerIn(state elbtypes.LoadBalancerStateEnum, zones int) *elbtypes.LoadBalancer {
	return &elbtypes.LoadBalancer{
		DNSName: aws.String("alb-1.us-east-1.elb.amazonaws.com"), State: &elbtypes.LoadBalancerState{Code: state},
		Scheme: elbtypes.LoadBalancerSchemeEnumInternetFacing, AvailabilityZones: make([]elbtypes.AvailabilityZone, zones),
	}
}

func TestEvaluateBalancer(t *testing.T) {
	const active = elbtypes.LoadBalancerStateEnumActive
	internal := balancerIn(active, 2)
	internal.Scheme = elbtypes.LoadBalancerSchemeEnumInternal
	unknown := balancerIn(active, 2)
	unknown.Scheme = ""
	for name, test := range map[string]struct {
		balancer *elbtypes.LoadBalancer
		settings attributes
		want     verdict
	}{
		"active":           {balancerIn(active, 2), attributes{"access_logs.s3.enabled": "true"}, verdict{Healthy, "Active", "active in 2 zones"}},
		"settings unknown": {balancerIn(active, 3), nil, verdict{Healthy, "Active", "active in 3 zones"}},
		"missing":          {nil, nil, verdict{Error, "LoadBalancerMissing", "v3-backend-development-alb"}},
		"failed":           {balancerIn(elbtypes.LoadBalancerStateEnumFailed, 2), nil, verdict{Error, "LoadBalancerFailed", ""}},
		"impaired":         {balancerIn(elbtypes.LoadBalancerStateEnumActiveImpaired, 2), nil, verdict{Warning, "LoadBalancerImpaired", ""}},
		"provisioning":     {balancerIn(elbtypes.LoadBalancerStateEnumProvisioning, 2), nil, verdict{Warning, "LoadBalancerNotActive", "provisioning"}},
		"internal":         {internal, nil, verdict{Error, "LoadBalancerInternal", ""}},
		"no state":         {balancerIn("", 2), nil, verdict{Unknown, "StateUnknown", ""}},
		"no scheme":        {unknown, nil, verdict{Unknown, "SchemeUnknown", "unknown whether"}},
		"one zone":         {balancerIn(active, 1), nil, verdict{Warning, "TooFewZones", "1 zone"}},
		"no logs":          {balancerIn(active, 2), attributes{"access_logs.s3.enabled": "false"}, verdict{Warning, "AccessLogsOff", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			requireVerdict(t, test.want, evaluateBalancer(test.balancer, test.settings, loaded(t, "dev")))
		})
	}
}

func listener(port int32, protocol elbtypes.ProtocolEnum, policy string, action elbtypes.Action) elbtypes.Listener {
	return elbtypes.Listener{
		Port: aws.Int32(port), Protocol: protocol, SslPolicy: aws.String(policy), DefaultActions: []elbtypes.Action{action},
		Certificates: []elbtypes.Certificate{{CertificateArn: aws.String("arn")}},
	}
}

var (
	forward    = elbtypes.Action{Type: elbtypes.ActionTypeEnumForward}
	fixed      = elbtypes.Action{Type: elbtypes.ActionTypeEnumFixedResponse}
	redirectTo = func(protocol string) elbtypes.Action {
		return elbtypes.Action{Type: elbtypes.ActionTypeEnumRedirect, RedirectConfig: &elbtypes.RedirectActionConfig{Protocol: aws.String(protocol)}}
	}
)

func TestEvaluateListeners(t *testing.T) {
	const modern = "ELBSecurityPolicy-TLS13-1-2-2021-06"
	env := loaded(t, "dev")
	bare := listener(443, elbtypes.ProtocolEnumHttps, modern, forward)
	bare.Certificates = nil
	for name, test := range map[string]struct {
		listeners []elbtypes.Listener
		port      int
		want      verdict
	}{
		"redirect":        {[]elbtypes.Listener{listener(80, elbtypes.ProtocolEnumHttp, "", redirectTo("HTTPS"))}, 80, verdict{Healthy, "Redirects", ""}},
		"no port 80":      {nil, 80, verdict{Warning, "ListenerMissing", "port 80"}},
		"plain answers":   {[]elbtypes.Listener{listener(80, elbtypes.ProtocolEnumHttp, "", forward)}, 80, verdict{Error, "NoRedirect", "(forward)"}},
		"redirect to us":  {[]elbtypes.Listener{listener(80, elbtypes.ProtocolEnumHttp, "", redirectTo("HTTP"))}, 80, verdict{Error, "NoRedirect", "to HTTP,"}},
		"forwards":        {[]elbtypes.Listener{listener(443, elbtypes.ProtocolEnumHttps, modern, forward)}, 443, verdict{Healthy, "Forwards", modern}},
		"no port 443":     {nil, 443, verdict{Error, "ListenerMissing", "port 443"}},
		"http on 443":     {[]elbtypes.Listener{listener(443, elbtypes.ProtocolEnumHttp, "", forward)}, 443, verdict{Error, "NotHTTPS", "HTTP"}},
		"no certificate":  {[]elbtypes.Listener{bare}, 443, verdict{Error, "NoCertificate", ""}},
		"fixed response":  {[]elbtypes.Listener{listener(443, elbtypes.ProtocolEnumHttps, modern, fixed)}, 443, verdict{Error, "NotForwarding", "fixed-response"}},
		"default policy":  {[]elbtypes.Listener{listener(443, elbtypes.ProtocolEnumHttps, "ELBSecurityPolicy-2016-08", forward)}, 443, verdict{Warning, "OutdatedTLSPolicy", "2016-08"}},
		"TLS 1.3 and 1.0": {[]elbtypes.Listener{listener(443, elbtypes.ProtocolEnumHttps, "ELBSecurityPolicy-TLS13-1-0-2021-06", forward)}, 443, verdict{Warning, "OutdatedTLSPolicy", ""}},
		"TLS 1.3 only":    {[]elbtypes.Listener{listener(443, elbtypes.ProtocolEnumHttps, "ELBSecurityPolicy-TLS13-1-3-2021-06", forward)}, 443, verdict{Healthy, "Forwards", ""}},
		"post-quantum":    {[]elbtypes.Listener{listener(443, elbtypes.ProtocolEnumHttps, "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", forward)}, 443, verdict{Healthy, "Forwards", ""}},
		"restricted":      {[]elbtypes.Listener{listener(443, elbtypes.ProtocolEnumHttps, "ELBSecurityPolicy-TLS13-1-2-Res-2021-06", forward)}, 443, verdict{Healthy, "Forwards", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			evaluate := evaluateHTTP
			if test.port == 443 {
				evaluate = evaluateHTTPS
			}
			requireVerdict(t, test.want, evaluate(test.listeners, env))
		})
	}
}

func targets(states ...elbtypes.TargetHealth) *targetGroup {
	group := &targetGroup{}
	for _, s := range states {
		group.targets = append(group.targets, elbtypes.TargetHealthDescription{
			Target: &elbtypes.TargetDescription{Id: aws.String("10.0.0.1"), Port: aws.Int32(3000)}, TargetHealth: &s,
		})
	}
	return group
}

func TestEvaluateTargetGroup(t *testing.T) {
	ok := elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumHealthy}
	initial := elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumInitial, Reason: elbtypes.TargetHealthReasonEnumRegistrationInProgress}
	draining := elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumDraining, Reason: elbtypes.TargetHealthReasonEnumDeregistrationInProgress}
	mismatch := elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumUnhealthy, Reason: elbtypes.TargetHealthReasonEnumResponseCodeMismatch}
	timeout := elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumUnhealthy, Reason: elbtypes.TargetHealthReasonEnumTimeout}
	unused := elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumUnused, Reason: elbtypes.TargetHealthReasonEnumNotInUse}
	for name, test := range map[string]struct {
		group *targetGroup
		want  verdict
		cause string
	}{
		"missing":       {nil, verdict{Error, "TargetGroupMissing", "v3-backend-development-api-tg"}, ""},
		"empty":         {targets(), verdict{Error, "NoTargets", "0/0 targets healthy"}, ""},
		"only draining": {targets(draining), verdict{Error, "NoTargets", ""}, ""},
		"healthy":       {targets(ok, ok, draining), verdict{Healthy, "TargetsHealthy", "2/2 targets healthy"}, ""},
		"one draining":  {targets(timeout, ok, draining), verdict{Warning, "TargetsUnhealthy", "1/2 targets healthy: 1 Target.Timeout"}, ""},
		"first checks":  {targets(initial), verdict{Warning, "TargetsStarting", "0/1"}, ""},
		"more starting": {targets(ok, initial), verdict{Warning, "TargetsStarting", "1/2"}, ""},
		"none healthy":  {targets(mismatch, timeout), verdict{Error, "NoHealthyTargets", "0/2 targets healthy: 1 Target.ResponseCodeMismatch, 1 Target.Timeout"}, "another code than 200"},
		"one times out": {targets(ok, timeout), verdict{Warning, "TargetsUnhealthy", "1/2 targets healthy: 1 Target.Timeout"}, "security group"},
		"no listener":   {targets(unused), verdict{Error, "NoHealthyTargets", "Target.NotInUse"}, "no listener forwards"},
		"no state":      {&targetGroup{targets: make([]elbtypes.TargetHealthDescription, 1)}, verdict{Error, "NoHealthyTargets", "0/1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := evaluateTargetGroup(test.group, loaded(t, "dev"))
			requireVerdict(t, test.want, got)
			if test.cause != "" {
				require.Contains(t, got.Hint.Cause, test.cause)
			}
		})
	}
}

// TestDrainingTargetsCountApart checks a rollout that has just ended: nothing is wrong with it.
func TestDrainingTargetsCountApart(t *testing.T) {
	rc := &runContext{env: loaded(t, "dev"), now: now}
	group := targets(
		elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumHealthy},
		elbtypes.TargetHealth{State: elbtypes.TargetHealthStateEnumDraining, Reason: elbtypes.TargetHealthReasonEnumDeregistrationInProgress},
	)
	group.TargetGroupName = aws.String("v3-backend-development-api-tg")
	known(t, rc, balancerKey, balancerIn(elbtypes.LoadBalancerStateEnumActive, 2))
	known(t, rc, targetGroupKey, group)
	require.Equal(t, []TargetGroup{{Name: "v3-backend-development-api-tg", Healthy: 1, Total: 1}}, balancerSection(rc)[0].TargetGroups)

	finding := evaluateTargetGroup(group, rc.env)
	requireVerdict(t, verdict{Healthy, "TargetsHealthy", "1/1 targets healthy"}, finding)
	require.Equal(t, 1, finding.Details["total"])
	require.Equal(t, 1, finding.Details["draining"])
	require.NotContains(t, finding.Details, "reasons")
	require.Len(t, finding.Details["targets"], 2)
}

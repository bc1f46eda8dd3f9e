package checks

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/awsx/hostedzone"
	"github.com/balancer/v3-backend-infra/probe"
)

const devDomain = "dev-api.hyperchonk.com"

var rootZone = &zone{id: "/hostedzone/Z1", nameServers: []string{"ns-1.awsdns-1.com", "ns-2.awsdns-2.net."}}

func TestEvaluateZone(t *testing.T) {
	env := loaded(t, "dev")
	requireVerdict(t, verdict{Healthy, "ZoneExists", "2 name servers"}, evaluateZone(rootZone, env))
	requireVerdict(t, verdict{Error, "ZoneMissing", "hyperchonk.com"}, evaluateZone(nil, env))
	requireVerdict(t, verdict{Warning, "NoNameServers", ""}, evaluateZone(&zone{id: "/hostedzone/Z1"}, env))
}

func TestEvaluateDelegation(t *testing.T) {
	for name, test := range map[string]struct {
		zone      *zone
		registrar []string
		want      verdict
	}{
		"delegated":     {rootZone, []string{"NS-1.awsdns-1.com.", "ns-2.awsdns-2.net"}, verdict{Healthy, "Delegated", "2 name servers"}},
		"no zone":       {nil, []string{"ns-1.awsdns-1.com"}, verdict{Error, "ZoneMissing", ""}},
		"not delegated": {rootZone, nil, verdict{Error, "NotDelegated", "no name servers"}},
		"elsewhere":     {rootZone, []string{"ns1.registrar.example"}, verdict{Error, "WrongNameServers", "ns1.registrar.example"}},
		"half":          {rootZone, []string{"ns-1.awsdns-1.com", "ns1.registrar.example"}, verdict{Error, "WrongNameServers", ""}},
		"one only":      {rootZone, []string{"ns-1.awsdns-1.com"}, verdict{Warning, "PartlyDelegated", "1 of the zone's 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := evaluateDelegation(test.zone, test.registrar, loaded(t, "dev"))
			requireVerdict(t, test.want, got)
			if test.zone != nil && got.Hint != nil {
				require.Contains(t, got.Hint.Solution, "ns-2.awsdns-2.net", "the hint names what to enter at the registrar")
			}
		})
	}
}

func alias(kind r53types.RRType, target string) r53types.ResourceRecordSet {
	return r53types.ResourceRecordSet{
		Name: aws.String(devDomain + "."), Type: kind, AliasTarget: &r53types.AliasTarget{DNSName: aws.String(target)},
	}
}

func TestEvaluateAlias(t *testing.T) {
	const a, aaaa = r53types.RRTypeA, r53types.RRTypeAaaa
	four, both := balancerIn("active", 2), balancerIn("active", 2)
	both.IpAddressType = elbtypes.IpAddressTypeDualstack
	fixed := r53types.ResourceRecordSet{Name: aws.String(devDomain), Type: a, ResourceRecords: []r53types.ResourceRecord{{Value: aws.String("203.0.113.1")}}}
	for name, test := range map[string]struct {
		records  []r53types.ResourceRecordSet
		kind     r53types.RRType
		balancer *elbtypes.LoadBalancer
		want     verdict
	}{
		"here":             {[]r53types.ResourceRecordSet{alias(a, "dualstack.alb-1.us-east-1.elb.amazonaws.com.")}, a, four, verdict{Healthy, "PointsHere", ""}},
		"here in capitals": {[]r53types.ResourceRecordSet{alias(a, "ALB-1.us-east-1.elb.amazonaws.com.")}, a, four, verdict{Healthy, "PointsHere", ""}},
		"missing":          {nil, a, four, verdict{Error, "RecordMissing", devDomain + " has no A record"}},
		"elsewhere":        {[]r53types.ResourceRecordSet{alias(a, "alb-0.us-east-1.elb.amazonaws.com")}, a, four, verdict{Error, "WrongAliasTarget", "alb-0"}},
		"dangling":         {[]r53types.ResourceRecordSet{alias(a, "alb-0.us-east-1.elb.amazonaws.com")}, a, nil, verdict{Error, "AliasDangling", ""}},
		"fixed":            {[]r53types.ResourceRecordSet{fixed}, a, four, verdict{Error, "NotAnAlias", ""}},
		"AAAA not needed":  {nil, aaaa, four, verdict{Healthy, "NotNeeded", ""}},
		"AAAA missing":     {nil, aaaa, both, verdict{Error, "RecordMissing", "AAAA"}},
		"AAAA elsewhere":   {[]r53types.ResourceRecordSet{alias(aaaa, "alb-0.us-east-1.elb.amazonaws.com")}, aaaa, four, verdict{Error, "WrongAliasTarget", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			requireVerdict(t, test.want, evaluateAlias(test.records, test.kind, test.balancer, loaded(t, "dev")))
		})
	}
}

func TestSameName(t *testing.T) {
	require.True(t, hostedzone.SameName(`\052.Example.com.`, "*.example.com"))
	require.False(t, hostedzone.SameName("a.example.com", "example.com"))
}

func TestEvaluateCertificate(t *testing.T) {
	certificate := func(status acmtypes.CertificateStatus, left time.Duration) *acmtypes.CertificateDetail {
		c := &acmtypes.CertificateDetail{
			DomainName: aws.String(devDomain), SubjectAlternativeNames: []string{devDomain}, Status: status, CreatedAt: ago(time.Hour),
			DomainValidationOptions: []acmtypes.DomainValidation{{ResourceRecord: &acmtypes.ResourceRecord{
				Name: aws.String("_x." + devDomain + "."), Type: acmtypes.RecordTypeCname,
			}}},
		}
		if left != 0 {
			c.NotAfter = in(left)
		}
		return c
	}
	const issued, pending = acmtypes.CertificateStatusIssued, acmtypes.CertificateStatusPendingValidation
	other := certificate(issued, 200*day)
	other.DomainName, other.SubjectAlternativeNames = aws.String("x.example.com"), []string{"x.example.com"}
	wild := certificate(issued, 200*day)
	wild.DomainName, wild.SubjectAlternativeNames = aws.String("*.hyperchonk.com"), []string{"*.hyperchonk.com"}
	present := []r53types.ResourceRecordSet{{Name: aws.String("_x." + devDomain), Type: r53types.RRTypeCname}}
	for name, test := range map[string]struct {
		certificate *acmtypes.CertificateDetail
		validation  validation
		want        verdict
	}{
		"issued":         {certificate(issued, 200*day), validation{}, verdict{Healthy, "Issued", "200 days left"}},
		"30 days":        {certificate(issued, 30*day), validation{}, verdict{Healthy, "Issued", "30 days left"}},
		"29 days":        {certificate(issued, 30*day-time.Second), validation{}, verdict{Warning, "CertificateExpiring", "29 days left"}},
		"7 days":         {certificate(issued, 7*day), validation{}, verdict{Warning, "CertificateExpiring", "7 days left"}},
		"6 days":         {certificate(issued, 7*day-time.Second), validation{}, verdict{Error, "CertificateExpiring", "6 days left"}},
		"past its end":   {certificate(issued, -time.Hour), validation{}, verdict{Error, "CertificateExpired", "2025-06-03"}},
		"expired":        {certificate(acmtypes.CertificateStatusExpired, -day), validation{}, verdict{Error, "CertificateExpired", "2025-06-02"}},
		"missing":        {nil, validation{}, verdict{Error, "CertificateMissing", devDomain}},
		"failed":         {certificate(acmtypes.CertificateStatusFailed, 0), validation{}, verdict{Error, "CertificateNotIssued", "FAILED"}},
		"another name":   {other, validation{}, verdict{Error, "WrongNames", "x.example.com"}},
		"wildcard":       {wild, validation{}, verdict{Healthy, "Issued", ""}},
		"no end":         {certificate(issued, 0), validation{}, verdict{Unknown, "CertificateUnknown", ""}},
		"nothing known":  {certificate(pending, 0), validation{}, verdict{Warning, "PendingValidation", "for 1h0m0s"}},
		"not delegated":  {certificate(pending, 0), validation{delegationKnown: true, recordsKnown: true}, verdict{Error, "NotDelegated", "not delegated"}},
		"record missing": {certificate(pending, 0), validation{delegationKnown: true, delegated: true, recordsKnown: true}, verdict{Error, "ValidationRecordMissing", "1 validation records"}},
		"all in order":   {certificate(pending, 0), validation{delegationKnown: true, delegated: true, recordsKnown: true, records: present}, verdict{Warning, "PendingValidation", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			requireVerdict(t, test.want, evaluateCertificate(test.certificate, test.validation, loaded(t, "dev"), now))
		})
	}
}

func TestCompareCertificates(t *testing.T) {
	old := acmtypes.CertificateDetail{CreatedAt: ago(time.Hour), Status: acmtypes.CertificateStatusExpired, InUseBy: []string{"alb"}}
	issued := acmtypes.CertificateDetail{CreatedAt: ago(2 * time.Hour), Status: acmtypes.CertificateStatusIssued}
	newer := acmtypes.CertificateDetail{CreatedAt: ago(time.Minute), Status: acmtypes.CertificateStatusIssued}
	require.Positive(t, compareCertificates(old, newer), "what is in use counts, even when it has expired")
	require.Positive(t, compareCertificates(newer, issued))
}

func TestEvaluateAnswersAndTLS(t *testing.T) {
	env := loaded(t, "dev")
	good := probe.Result{
		Side: probe.SideDomain, URL: "https://" + devDomain + "/health", Host: devDomain, StatusCode: 200,
		TLS: &probe.TLS{Version: "TLS 1.3", Subject: devDomain, DaysLeft: 60}, Body: &probe.Body{Status: "healthy"},
	}
	with := func(change func(*probe.Result)) probe.Result {
		r := good
		tls := *good.TLS
		r.TLS = &tls
		change(&r)
		return r
	}
	expired := with(func(r *probe.Result) {
		r.Problem = &probe.Problem{Reason: probe.CertificateExpired, Message: "expired 2 days ago", Hint: "renew"}
	})
	down := with(func(r *probe.Result) {
		r.StatusCode, r.Problem = 503, &probe.Problem{Reason: probe.HTTPStatus, Message: "HTTP 503", Hint: "look"}
	})
	refused := with(func(r *probe.Result) {
		r.TLS, r.StatusCode = nil, 0
		r.Problem = &probe.Problem{Reason: probe.ConnectionRefused, Message: "refused", Hint: "look"}
	})
	dead := with(func(r *probe.Result) {
		r.Warnings = []probe.Problem{{Reason: probe.Timeout, Message: "the connection to 203.0.113.2 port 443 timed out", Hint: "look"}}
	})
	for name, test := range map[string]struct {
		result   probe.Result
		endpoint verdict
		tls      verdict
	}{
		"well":           {good, verdict{Healthy, "Answers", "HTTP 200"}, verdict{Healthy, "Trusted", "60 days left"}},
		"expired":        {expired, verdict{Error, "CertificateExpired", "2 days"}, verdict{Error, "CertificateExpired", "by the domain"}},
		"application":    {down, verdict{Error, "HTTPStatus", "HTTP 503"}, verdict{Healthy, "Trusted", ""}},
		"unreachable":    {refused, verdict{Error, "ConnectionRefused", ""}, verdict{Error, "ConnectionRefused", ""}},
		"a dead address": {dead, verdict{Warning, "Timeout", "HTTP 200 by the domain, but the connection to 203.0.113.2"}, verdict{Healthy, "Trusted", ""}},
		"29 days left":   {with(func(r *probe.Result) { r.TLS.DaysLeft = 29 }), verdict{Healthy, "Answers", ""}, verdict{Warning, "CertificateExpiring", "29"}},
		"6 days left":    {with(func(r *probe.Result) { r.TLS.DaysLeft = 6 }), verdict{Healthy, "Answers", ""}, verdict{Error, "CertificateExpiring", "6"}},
	} {
		t.Run(name, func(t *testing.T) {
			answers := evaluateAnswers("endpoint", "Endpoint", "/health", []probe.Result{test.result}, env)
			require.Len(t, answers, 1)
			requireVerdict(t, test.endpoint, answers[0])
			shown := evaluateTLS([]probe.Result{test.result}, env)
			require.Len(t, shown, 1)
			requireVerdict(t, test.tls, shown[0])
		})
	}
	require.Empty(t, evaluateAnswers("readiness", "Readiness", "/health/ready", []probe.Result{good}, env), "another path's probe")
}

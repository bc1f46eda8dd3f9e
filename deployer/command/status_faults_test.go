package command

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/docs/schema"
)

// unhealthy is a finding about a component under a fault.
type unhealthy struct {
	component string
	status    checks.Status
	reason    string
}

// testFaults runs the real binary under each fault that a status shows, on staging as it was deployed: the report names
// what the fault affects and nothing else, and the exit code matches.
func (d deployed) testFaults(t *testing.T) {
	const warning, failed, unknown = checks.Warning, checks.Error, checks.Unknown
	// unreachable returns the findings about a domain that clients cannot reach.
	unreachable := func(reason string) []unhealthy {
		return []unhealthy{{"endpoint", failed, reason}, {"readiness", failed, reason}, {"tls", failed, reason}}
	}
	for fault, test := range map[string]struct {
		code int
		want []unhealthy
		// hint is a part of a cause or solution that has to be among the hints.
		hint string
	}{
		"": {codeDone, nil, ""},
		"certificate-expiring": {codeWarnings, []unhealthy{
			{"certificate", warning, "CertificateExpiring"}, {"tls", warning, "CertificateExpiring"},
		}, "ACM could not renew it"},
		"certificate-expired": {codeFailed, append([]unhealthy{{"certificate", failed, "CertificateExpired"}}, unreachable("CertificateExpired")...),
			"ACM could not renew it"},
		"certificate-wrong-name": {codeFailed, unreachable("CertificateWrongName"), "the listener has the certificate of another name"},
		"certificate-pending":    {codeDone, nil, ""},
		"dns-missing": {codeFailed, append([]unhealthy{{"dns", failed, "RecordMissing"}}, unreachable("DNSNotFound")...),
			"run a full deployment with --refresh"},
		"not-delegated": {codeFailed, append([]unhealthy{{"delegation", failed, "WrongNameServers"}}, unreachable("DNSNotFound")...),
			"enter the zone's name servers at the registrar"},
		"database-unavailable": {codeFailed, []unhealthy{{"database", failed, "DatabaseUnavailable"}, {"readiness", failed, "HTTPStatus"}},
			"the storage is used up"},
		"dead-letters":              {codeWarnings, []unhealthy{{"dead_letter_queue", warning, "DeadLetters"}}, "messages failed as often as the queue allows"},
		"alarm":                     {codeWarnings, []unhealthy{{"alarms", warning, "InAlarm"}}, "a metric has crossed its threshold"},
		"port-open":                 {codeFailed, []unhealthy{{"security_groups", failed, "OpenToTheWorld"}}, "a rule was added outside the deployer"},
		"subscriptions-unconfirmed": {codeWarnings, []unhealthy{{"alarms", warning, "SubscriptionPending"}}, "open the link"},
		"drift": {codeWarnings, []unhealthy{{"alarms", warning, "AlarmsMissing"}, {"log_groups", warning, "OtherRetention"}, {"compliance", warning, "DiffersFromFile"}},
			"the retention was changed outside the deployer"},
		"api-throttled": {codeDone, nil, ""},
		"api-errors": {codeWarnings, []unhealthy{
			{"certificate", unknown, "APIError"}, {"queue", unknown, "APIError"}, {"dead_letter_queue", unknown, "APIError"},
		}, "run it again"},
		"access-denied": {codeWarnings, []unhealthy{
			{"alarms", unknown, "AccessDenied"}, {"waf", unknown, "AccessDenied"}, {"roles", unknown, "AccessDenied"}, {"budget", unknown, "AccessDenied"},
		}, "do not allow wafv2:GetWebACLForResource"},
		"image-vulnerable": {codeWarnings, []unhealthy{{"image", warning, "CriticalFindings"}}, "known vulnerability"},
		"secret-key-missing": {codeFailed, []unhealthy{{"task_definition", failed, "SecretKeysMissing"}, {"secrets", failed, "SecretKeysMissing"}},
			"refers to keys that the secret balancer-staging-config does not have"},
	} {
		t.Run(cmp.Or(fault, "none"), func(t *testing.T) {
			t.Parallel()
			code, got, hints := d.copied(t).statusUnder(t, "staging", fault)
			require.Equal(t, test.want, got)
			require.Equal(t, test.code, code)
			require.Contains(t, hints, test.hint)
		})
	}
	t.Run("wrong-account", func(t *testing.T) {
		out, stderr, code := d.copied(t).deployer(t, "status", "--env", "staging", "--fault", "wrong-account")
		require.Equal(t, codeNotRun, code)
		require.Empty(t, out)
		require.Contains(t, stderr, "the credentials belong to account 999999999999, Pulumi.staging.yaml names 123456789012")
		require.Contains(t, stderr, "hint: choose the other account's profile")
	})
	t.Run("certificate-pending of a new environment", d.testPending)
}

// testPending deploys a new environment whose certificate is never validated, and asks why.
func (d deployed) testPending(t *testing.T) {
	t.Parallel()
	d = d.copied(t)
	_, stderr, code := d.deployer(t, "up", "--env", "dev", "--image-tag", "1.41.7-9f8e7d6c5", "--yes", "--quiet", "--fault", "certificate-pending")
	require.Equal(t, codeFailed, code)
	require.Contains(t, stderr, "last state: 'PENDING_VALIDATION'")

	code, got, hints := d.statusUnder(t, "dev", "certificate-pending", "--only", "certificate,hosted_zone,delegation")
	require.Equal(t, []unhealthy{{"certificate", checks.Warning, "PendingValidation"}}, got)
	require.Equal(t, codeWarnings, code)
	require.Contains(t, hints, "compare the name servers")

	code, got, hints = d.statusUnder(t, "dev", "certificate-pending,not-delegated", "--only", "certificate,hosted_zone,delegation")
	require.Equal(t, []unhealthy{{"certificate", checks.Error, "NotDelegated"}, {"delegation", checks.Error, "WrongNameServers"}}, got)
	require.Equal(t, codeFailed, code)
	require.Contains(t, hints, "the registrar does not have the zone's name servers")
}

// statusUnder returns the exit code of a status under faults, what is not healthy, each once in the order of the report, and
// the text of the hints.
func (d deployed) statusUnder(t *testing.T, env, faults string, args ...string) (code int, found []unhealthy, hints string) {
	args = append([]string{"status", "--env", env, "--json"}, args...)
	if faults != "" {
		args = append(args, "--fault", faults)
	}
	out, stderr, code := d.deployer(t, args...)
	require.Empty(t, stderr)
	require.NoError(t, schema.ValidateStatus([]byte(out)))
	var report checks.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	var texts []string
	for _, f := range report.Services {
		if f.Status == checks.Healthy {
			continue
		}
		if one := (unhealthy{f.Component, f.Status, f.Reason}); !slices.Contains(found, one) {
			found = append(found, one)
		}
		texts = append(texts, f.Hint.Cause, f.Hint.Solution)
	}
	return code, found, strings.Join(texts, "\n")
}

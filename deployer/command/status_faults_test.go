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

// ill is what a report says of a component under a fault.
type ill struct {
	component string
	status    checks.Status
	reason    string
}

// testFaults runs the real binary under each fault that a status shows, on staging as it was deployed: the report names
// what the fault bites and nothing else, and the exit code follows.
func (d deployed) testFaults(t *testing.T) {
	const warning, failed, unknown = checks.Warning, checks.Error, checks.Unknown
	// unreachable is what clients meet who come by the domain, or by both ways.
	unreachable := func(reason string) []ill {
		return []ill{{"endpoint", failed, reason}, {"readiness", failed, reason}, {"tls", failed, reason}}
	}
	for fault, test := range map[string]struct {
		code int
		want []ill
		// hint is a part of a cause or solution that has to be among the hints.
		hint string
	}{
		"": {codeDone, nil, ""},
		"certificate-expiring": {codeWarnings, []ill{
			{"certificate", warning, "CertificateExpiring"}, {"tls", warning, "CertificateExpiring"},
		}, "ACM could not renew it"},
		"certificate-expired": {codeFailed, append([]ill{{"certificate", failed, "CertificateExpired"}}, unreachable("CertificateExpired")...),
			"ACM could not renew it"},
		"certificate-wrong-name": {codeFailed, unreachable("CertificateWrongName"), "the listener has the certificate of another name"},
		"certificate-pending":    {codeDone, nil, ""},
		"dns-missing": {codeFailed, append([]ill{{"dns", failed, "RecordMissing"}}, unreachable("DNSNotFound")...),
			"the alias record is missing"},
		"not-delegated": {codeFailed, append([]ill{{"delegation", failed, "WrongNameServers"}}, unreachable("DNSNotFound")...),
			"enter the zone's name servers at the registrar"},
		"database-unavailable": {codeFailed, []ill{{"database", failed, "DatabaseUnavailable"}, {"readiness", failed, "HTTPStatus"}},
			"the storage is used up"},
		"dead-letters": {codeWarnings, []ill{{"dead_letter_queue", warning, "DeadLetters"}}, "messages failed as often as the queue allows"},
		"alarm":        {codeWarnings, []ill{{"alarms", warning, "InAlarm"}}, "a metric has crossed its threshold"},
		"port-open":    {codeFailed, []ill{{"security_groups", failed, "OpenToTheWorld"}}, "a rule was added outside the deployer"},
		"drift": {codeWarnings, []ill{{"log_groups", warning, "OtherRetention"}, {"compliance", warning, "DiffersFromFile"}},
			"the retention was changed outside the deployer"},
		"api-throttled": {codeDone, nil, ""},
		"api-errors": {codeWarnings, []ill{
			{"certificate", unknown, "APIError"}, {"queue", unknown, "APIError"}, {"dead_letter_queue", unknown, "APIError"},
		}, "run it again"},
		"access-denied": {codeWarnings, []ill{
			{"alarms", unknown, "AccessDenied"}, {"waf", unknown, "AccessDenied"}, {"roles", unknown, "AccessDenied"}, {"budget", unknown, "AccessDenied"},
		}, "do not allow wafv2:GetWebACLForResource"},
		"image-vulnerable": {codeWarnings, []ill{{"image", warning, "CriticalFindings"}}, "known vulnerability"},
		"secret-key-missing": {codeFailed, []ill{{"task_definition", failed, "SecretKeysMissing"}, {"secrets", failed, "SecretKeysMissing"}},
			"refers to keys that the secret balancer-staging-config does not have"},
	} {
		t.Run(cmp.Or(fault, "none"), func(t *testing.T) {
			t.Parallel()
			code, got, hints := d.copied(t).illness(t, "staging", fault)
			require.Equal(t, test.want, got)
			require.Equal(t, test.code, code)
			require.Contains(t, hints, test.hint)
		})
	}
	t.Run("wrong-account", func(t *testing.T) {
		out, complaint, code := d.copied(t).deployer(t, "status", "--env", "staging", "--fault", "wrong-account")
		require.Equal(t, codeNotRun, code)
		require.Empty(t, out)
		require.Contains(t, complaint, "the credentials belong to account 999999999999, Pulumi.staging.yaml names 123456789012")
		require.Contains(t, complaint, "hint: choose the other account's profile")
	})
	t.Run("certificate-pending of a new environment", d.testPending)
}

// testPending deploys a new environment whose certificate is never validated, and asks why.
func (d deployed) testPending(t *testing.T) {
	t.Parallel()
	d = d.copied(t)
	_, complaint, code := d.deployer(t, "up", "--env", "dev", "--image-tag", "1.41.7-9f8e7d6c5", "--yes", "--quiet", "--fault", "certificate-pending")
	require.Equal(t, codeFailed, code)
	require.Contains(t, complaint, "last state: 'PENDING_VALIDATION'")

	code, got, hints := d.illness(t, "dev", "certificate-pending", "--only", "certificate,hosted_zone,delegation")
	require.Equal(t, []ill{{"certificate", checks.Warning, "PendingValidation"}}, got)
	require.Equal(t, codeWarnings, code)
	require.Contains(t, hints, "compare the name servers")

	code, got, hints = d.illness(t, "dev", "certificate-pending,not-delegated", "--only", "certificate,hosted_zone,delegation")
	require.Equal(t, []ill{{"certificate", checks.Error, "NotDelegated"}, {"delegation", checks.Error, "WrongNameServers"}}, got)
	require.Equal(t, codeFailed, code)
	require.Contains(t, hints, "the registrar does not have the zone's name servers")
}

// illness is the exit code of a status under faults, what is not healthy, each once in the order of the report, and all
// that the hints say.
func (d deployed) illness(t *testing.T, env, faults string, args ...string) (code int, found []ill, hints string) {
	args = append([]string{"status", "--env", env, "--json"}, args...)
	if faults != "" {
		args = append(args, "--fault", faults)
	}
	out, complaint, code := d.deployer(t, args...)
	require.Empty(t, complaint)
	require.NoError(t, schema.ValidateStatus([]byte(out)))
	var report checks.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	var said []string
	for _, f := range report.Services {
		if f.Status == checks.Healthy {
			continue
		}
		if one := (ill{f.Component, f.Status, f.Reason}); !slices.Contains(found, one) {
			found = append(found, one)
		}
		said = append(said, f.Hint.Cause, f.Hint.Solution)
	}
	return code, found, strings.Join(said, "\n")
}

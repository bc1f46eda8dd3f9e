package ui

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
)

// nodes returns the drawing's nodes by key.
func nodes(p *topology) map[string]node {
	found := map[string]node{}
	for _, n := range p.Nodes {
		found[n.Key] = n
	}
	return found
}

func TestTopologyShowsTheStatusOfItsParts(t *testing.T) {
	drawn := newTopology(reportOf(
		healthy("waf", "WAF-a"), healthy("load_balancer", "ALB-a"), failing(checks.Warning, "listeners", "ALB-Listener-80", "no redirect"),
		failing(checks.Error, "target_groups", "TG-a", "0/2 targets healthy"),
		healthy("ecs_service", "ECS-Service-v3-backend-staging-api-service"), healthy("ecs_service", "ECS-Service-v3-backend-staging-worker-service"),
		failing(checks.Warning, "ecs_tasks", "ECS-Tasks-v3-backend-staging-worker-service", "1 task is unhealthy"),
		failing(checks.Unknown, "queue", "SQS-a", "access denied to the queue of this environment"),
	).Report)
	found := nodes(drawn)
	for key, want := range map[string]checks.Status{
		"internet": notChecked, "waf": checks.Healthy, "balancer": checks.Warning, "targets": checks.Error, "service-api": checks.Healthy,
		"service-worker": checks.Warning, "database": notChecked, "queue": checks.Unknown,
	} {
		require.Equal(t, want, found[key].Status, key)
	}
	require.Equal(t, "not checked", found["database"].Message)
	require.Equal(t, "0/2 targets healthy", found["targets"].Message)
	require.Equal(t, "NotFine", found["queue"].Message, "what has no room shows its reason")
	require.Contains(t, found["queue"].Tip, "access denied to the queue of this environment")
}

func TestTopologyConnectsTheServicesWithTargets(t *testing.T) {
	drawn := newTopology(reportOf(
		healthy("ecs_service", "ECS-Service-v3-backend-staging-api-service"), healthy("ecs_service", "ECS-Service-v3-backend-staging-worker-service"),
	).Report)
	// Three up to the target group, one to the API, two from each of the services.
	require.Len(t, drawn.Edges, 3+1+4)
}

func TestTopologyOfManyServicesGroupsTheLast(t *testing.T) {
	var findings []checks.Finding
	for _, name := range strings.Fields("a b c d e f g h") {
		findings = append(findings, healthy("ecs_service", "ECS-Service-v3-backend-staging-"+name+"-service"))
	}
	findings[7] = failing(checks.Error, "ecs_service", findings[7].Service, "m")
	found := nodes(newTopology(reportOf(findings...).Report))
	require.Equal(t, "3 more", found["service-others"].Name)
	require.Equal(t, checks.Error, found["service-others"].Status)
	require.NotContains(t, found, "service-f")
}

// Nodes neither overlap nor leave the drawing.
func TestTopologyFitsItsFrame(t *testing.T) {
	drawn := newTopology(reportOf(healthy("ecs_service", "ECS-Service-v3-backend-staging-api-service")).Report)
	for i, n := range drawn.Nodes {
		require.GreaterOrEqual(t, n.X, 0)
		require.GreaterOrEqual(t, n.Y, 0)
		require.LessOrEqual(t, n.X+n.Width, drawn.Width)
		require.LessOrEqual(t, n.Y+n.Height, drawn.Height)
		for _, other := range drawn.Nodes[i+1:] {
			require.False(t, n.X < other.X+other.Width && other.X < n.X+n.Width && n.Y < other.Y+other.Height && other.Y < n.Y+n.Height, "%s and %s", n.Key, other.Key)
		}
	}
}

func TestPageShowsOneIssueOnce(t *testing.T) {
	out := rendered(t, "html", Style{}, reportOf(
		failing(checks.Error, "endpoint", "Endpoint-a", "expired"), failing(checks.Error, "tls", "TLS-a", "expired"),
		failing(checks.Warning, "tls", "TLS-b", "old")))
	require.Equal(t, 2, strings.Count(out, "<article "), "the same reason and hint are one issue, another status is another")
	require.Contains(t, out, `<title>Staging is not healthy.</title>`)
}

func TestPageEscapes(t *testing.T) {
	out := rendered(t, "html", Style{}, reportOf(failing(checks.Error, "queue", "SQS-a", "<script>alert(1)</script>")))
	require.NotContains(t, out, "<script>")
	require.NotContains(t, out, "ZgotmplZ", "nothing that html/template regards as unsafe")
}

func TestHeadline(t *testing.T) {
	env := func(name string, findings ...checks.Finding) EnvironmentReport {
		j := reportOf(findings...)
		j.Environment = name
		return j
	}
	well, worse, bad := healthy("vpc", "a"), failing(checks.Warning, "vpc", "a", "m"), failing(checks.Error, "vpc", "a", "m")
	for want, reports := range map[string][]EnvironmentReport{
		"Dev is healthy.":                    {env("dev", well)},
		"Dev is operational, with warnings.": {env("dev", worse)},
		"All 2 environments are healthy.":    {env("dev", well), env("staging", well)},
		"A, b and c are not healthy.":        {env("a", bad), env("b", bad), env("c", bad)},
		"C is not healthy; a is operational, with warnings; d is not known to be healthy.": {env("a", worse), env("b", well), env("c", bad), env("d")},
	} {
		require.Equal(t, want, headline(reports))
	}
	require.Equal(t, checks.Error, worstStatus([]EnvironmentReport{env("a", worse), env("b", bad)}))
}

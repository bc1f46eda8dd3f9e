package ui

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/pricing"
)

func costOf(t *testing.T, name string, change func(*environment.Environment)) Cost {
	t.Helper()
	env, err := environment.Load("../..", name)
	require.NoError(t, err)
	if change != nil {
		change(env)
	}
	return Cost{
		Environment: env.Name, Stack: env.Stack, Region: env.Region, File: environment.FileName(env.Stack), BudgetUSD: env.Budget.MonthlyUSD,
		Estimate: pricing.EstimateEnvironment(env, pricing.DefaultAssumptions()), Assumptions: pricing.DefaultAssumptions(),
		InUse: pricing.InUse(env, pricing.DefaultAssumptions()), Savings: pricing.Savings(env, pricing.DefaultAssumptions()),
	}
}

func costText(t *testing.T, multiple bool, costs ...Cost) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, Costs(&out, costs, multiple, "text", Style{}))
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), 80, line)
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

func TestCostsCompareWithTheBudget(t *testing.T) {
	out := costText(t, false, costOf(t, "dev", nil))
	require.Contains(t, out, "The budget in Pulumi.dev.yaml is $50.00: the estimate is $2.45 below it.")
	require.Contains(t, out, "Settings in use that save, each alone: $29.81 network.nat: single → instance "+
		"(tasks do not reach the internet while the instance is replaced) "+
		"$13.38 schedule.awake: always → 282 of 730 hours (it does not answer at other times, unless someone wakes it) "+
		"$10.70 firewall.enabled: true → false (nothing filters or limits requests) "+
		"$1.75 services.api.spot: false → true (AWS may stop its tasks, with two minutes' notice)")
	require.Contains(t, out, "Settings that would save most, each alone: $0.70 image.architecture: x86_64 → arm64")
	require.Contains(t, out, "$31.79 of it is for NAT, load balancer and addresses, independent")
	production := costText(t, false, costOf(t, "production", nil))
	require.NotContains(t, production, "Settings in use that save")
	require.Contains(t, production, "of it is for NAT, load balancer, addresses and web ACL, independent")
	out = costText(t, false, costOf(t, "dev", func(e *environment.Environment) { e.Budget.MonthlyUSD = 120 }))
	require.Contains(t, out, "The budget in Pulumi.dev.yaml is $120.00: the estimate is $72.45 below it.")
}

// A sum that is above the budget by less than half a dollar is not shown as the budget.
func TestOverviewRoundsSumsUp(t *testing.T) {
	for _, test := range []struct {
		usd, most float64
		want      string
	}{
		{93.53, 100.49, "$94 $101 $100"},
		{100, 100, "$100 $100 $100"},
		{100.004, 199.999, "$100 $200 $100"},
		{0.1 + 0.2, 100.01, "$1 $101 $100"},
	} {
		cost := costOf(t, "staging", nil)
		cost.USD, cost.MostUSD = test.usd, test.most
		require.Contains(t, costText(t, true, cost), test.want+" all")
	}
}

func TestCostsNameWhatIsMissing(t *testing.T) {
	elsewhere := costOf(t, "dev", func(e *environment.Environment) {
		e.Region, e.Database.InstanceClass = "eu-central-1", "db.x2g.large"
	})
	for _, out := range []string{costText(t, false, elsewhere), costText(t, true, elsewhere)} {
		require.Contains(t, out, "development is in eu-central-1, where prices differ: the table has only those of us-east-1.")
		require.Contains(t, out, "Missing in the sum: database instance: db.x2g.large has no price in the table.")
	}
}

func TestCostsShowWhatAWSCounts(t *testing.T) {
	forecast := 90.5
	for _, test := range []struct {
		actual CostActual
		want   string
	}{
		{CostActual{Unknown: "AWS refuses"}, "The actual cost of staging is not known: AWS refuses."},
		{CostActual{Spend: &checks.Spend{LimitUSD: 100, SpentUSD: 42.1, ForecastUSD: &forecast}},
			"AWS counts $42.10 for staging this month and forecasts $90.50, of a budget of $100.00."},
		{CostActual{Spend: &checks.Spend{LimitUSD: 100}},
			"AWS counts $0.00 for staging this month, of a budget of $100.00. AWS counts nothing until the cost allocation tag Environment"},
	} {
		cost := costOf(t, "staging", nil)
		cost.Actual = &test.actual
		one := costText(t, false, cost)
		require.Contains(t, one, test.want)
		require.Less(t, strings.Index(one, test.want), strings.Index(one, "resource quantity"), "the answer precedes the estimate's lines")
		require.Contains(t, costText(t, true, cost), test.want)
	}
}

func TestEqualCosts(t *testing.T) {
	cost := costOf(t, "dev", nil)
	cost.Against = &CostAgainst{Name: "before.yaml", Estimate: cost.Estimate}
	out := costText(t, false, cost)
	require.Contains(t, out, "development: about $47.55 a month, as much as before.yaml")
	require.NotContains(t, out, "difference")
}

func TestCostsAsJSON(t *testing.T) {
	cost := costOf(t, "production", nil)
	cost.Actual = &CostActual{Spend: &checks.Spend{LimitUSD: 200, SpentUSD: 12.5}}
	var out bytes.Buffer
	require.NoError(t, Costs(&out, []Cost{cost}, true, "json", Style{}))
	var read []map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &read))
	require.Len(t, read, 1)
	for key, want := range map[string]any{
		"environment": "production", "stack": "production", "monthlyUSD": 398.75, "mostUSD": 741.13, "budgetUSD": 400.0,
		"pricesRegion": "us-east-1", "hoursPerMonth": 730.0,
	} {
		require.Equal(t, want, read[0][key], key)
	}
	require.Equal(t, map[string]any{
		"area": "network", "resource": "NAT gateways", "quantity": 2190.0, "unit": "hour", "unitUSD": 0.045, "monthlyUSD": 98.55,
		"mostUSD": 98.55, "assumed": false,
	}, read[0]["lines"].([]any)[0])
	require.Equal(t, map[string]any{"limitUSD": 200.0, "spentUSD": 12.5, "forecastUSD": nil}, read[0]["actual"])
	require.NotContains(t, read[0], "against")
	require.NotEmpty(t, read[0]["leftOut"])

	out.Reset()
	require.NoError(t, Costs(&out, []Cost{cost}, false, "json", Style{}))
	require.True(t, strings.HasPrefix(out.String(), "{"), "one environment is no array")
}

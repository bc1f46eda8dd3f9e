package pricing

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

func load(t *testing.T, name string) *environment.Environment {
	t.Helper()
	env, err := environment.Load("..", name)
	require.NoError(t, err)
	return env
}

// withoutLevers returns an environment with one gateway, a web ACL, no Spot and no schedule.
func withoutLevers(t *testing.T, name string) *environment.Environment {
	env := load(t, name)
	env.Network.NAT, env.Schedule.Awake, env.Firewall.Enabled = environment.NATSingle, "", true
	env.Services.API.Spot, env.Services.Worker.Spot = false, false
	return env
}

// amounts returns the cost of each resource, and its maximum if that is higher.
func amounts(e Estimate) map[string][]float64 {
	all := map[string][]float64{}
	for _, line := range e.Lines {
		all[line.Resource] = []float64{line.USD}
		if line.MostUSD != line.USD {
			all[line.Resource] = append(all[line.Resource], line.MostUSD)
		}
	}
	return all
}

// everywhere returns what every environment pays, with a million requests and 10 GB, in two zones.
func everywhere() map[string][]float64 {
	return map[string][]float64{
		"addresses of NAT":       {3.65},  // 730 h × 0.005
		"load balancer":          {16.43}, // 730 h × 0.0225 = 16.425
		"load balancer capacity": {0.09},  // 1,000,000 / 25 / 3600 = 11.1 LCU h × 0.008
		"addresses of balancer":  {7.30},  // 2 × 730 h × 0.005
		"data to clients":        {0.90},  // 10 GB × 0.09
		"access logs kept":       {0.03},  // 0.5 GB a month, three of them kept: 1.5 × 0.023 = 0.0345
		"secrets":                {0.80},  // 2 × 0.40
		"queue requests":         {0.40},
	}
}

// unprotected returns what the environments with a NAT instance and an alarm that mutes the others pay.
func unprotected(base map[string][]float64) map[string][]float64 {
	return with(base, map[string][]float64{
		"NAT instance":           {3.07}, // 730 h × 0.0042 = 3.066
		"volume of NAT instance": {0.32}, // 4 GB × 0.08
		"composite alarms":       {0.50},
	})
}

// protected returns what the environments with a web ACL pay, too.
func protected() map[string][]float64 {
	return with(everywhere(), map[string][]float64{
		"web ACL":          {5},
		"web ACL rules":    {5},    // 5 × 1
		"web ACL requests": {0.60}, // 1 × 0.60
	})
}

func with(base, more map[string][]float64) map[string][]float64 {
	for resource, amount := range more {
		base[resource] = amount
	}
	return base
}

func TestDevelopment(t *testing.T) {
	e := EstimateEnvironment(load(t, "dev"), DefaultAssumptions())
	require.Equal(t, with(unprotected(everywhere()), map[string][]float64{
		"api CPU":           {1.43}, // 0.25 × 282.4 h × 0.04048 × 0.5 = 1.4292, on Spot
		"api memory":        {0.31}, // 0.5 × 282.4 h × 0.004445 × 0.5 = 0.3139
		"worker CPU":        {1.43}, // as the API
		"worker memory":     {0.31},
		"database instance": {5.08}, // 282.4 h × 0.018
		"database storage":  {2.30}, // 20 × 0.115; the backups, 20 × 0.5 × 1.02, stay below 20
		"logs of services":  {1.00}, // (1 + 2 × 0.5) GB × 0.50
		"logs kept":         {0},    // 2 GB × 0.15 × 7/30 × 0.03 = 0.002
		"alarms":            {2.20}, // 4 + 2 × 3 + 4 + 2 + 2, one of NAT, two of the schedule and the one that mutes them = 22 × 0.10
	}), amounts(e))
	require.Equal(t, 47.55, e.USD)
	require.Equal(t, 47.55, e.MostUSD)
	require.Equal(t, 31.79, e.NetworkTotal()) // network 7.04, ingress 24.75
	require.Empty(t, e.Unpriced)
}

func TestStaging(t *testing.T) {
	e := EstimateEnvironment(load(t, "staging"), DefaultAssumptions())
	require.Equal(t, with(unprotected(protected()), map[string][]float64{
		"api CPU":             {5.72, 11.43}, // 0.5 × 282.4 h × 0.04048 = 5.7166, up to two tasks
		"api memory":          {1.26, 2.51},  // 1 × 282.4 h × 0.004445 = 1.2555
		"worker CPU":          {2.86},
		"worker memory":       {0.63},
		"scheduler CPU":       {2.86},
		"scheduler memory":    {0.63},
		"database instance":   {10.17}, // 282.4 h × 0.036
		"database storage":    {2.30},
		"logs of services":    {1.25},  // (1 + 3 × 0.5) GB × 0.50
		"logs of the web ACL": {0.75},  // 1.5 GB × 0.50
		"flow logs":           {0.50},  // 1 GB × 0.50
		"logs kept":           {0.01},  // 5 GB × 0.15 × 14/30 × 0.03 = 0.0105
		"alarms":              {2.80},  // 5 + 3 × 3 + 4 + 2 + 2, one of NAT, two of the schedule, the one that mutes them and two of autoscaling = 28 × 0.10
		"Container Insights":  {17.70}, // 8 + 3 × (11 + 6) = 59 × 0.30
	}), amounts(e))
	require.Equal(t, 93.53, e.USD)
	require.Equal(t, 100.49, e.MostUSD) // 5.71 of CPU and 1.25 of memory more
}

func TestProduction(t *testing.T) {
	e := EstimateEnvironment(load(t, "production"), DefaultAssumptions())
	require.Equal(t, with(protected(), map[string][]float64{
		"NAT gateways":            {98.55}, // 3 × 730 h × 0.045
		"data through NAT":        {0.45},  // 10 GB × 0.045
		"addresses of NAT":        {10.95}, // 3 × 730 h × 0.005
		"addresses of balancer":   {10.95},
		"api CPU":                 {59.10, 295.50}, // 2 × 1 × 730 h × 0.04048 = 59.1008, up to ten tasks
		"api memory":              {12.98, 64.90},  // 2 × 2 × 730 h × 0.004445 = 12.9794
		"worker CPU":              {14.78, 59.10},  // 0.5 × 730 h × 0.04048, up to four tasks
		"worker memory":           {3.24, 12.98},
		"scheduler CPU":           {7.39},
		"scheduler memory":        {1.62},
		"database instance":       {105.12}, // 2 zones × 730 h × 0.072
		"database storage":        {11.50},  // 2 × 50 × 0.115; backups 50 × 0.5 × (1 + 0.02 × 35) = 42.5 stay below 50
		"logs of services":        {1.25},
		"logs of the web ACL":     {0.75},
		"flow logs":               {0.50},
		"logs kept":               {0.07}, // 5 GB × 0.15 × 90/30 × 0.03 = 0.0675
		"alarms":                  {3.10}, // 5 + 3 × 3 + 4 + 2 + 2 + 1, and 2 × (3 + 1) of autoscaling = 31 × 0.10
		"Container Insights":      {17.70},
		"dashboard":               {3},
		"traces":                  {5}, // fewer than one a second: all of them
		"health check":            {0.50},
		"health check over HTTPS": {1},
	}), amounts(e))
	require.Equal(t, 398.75, e.USD)     // 109.95 + 39.00 + 99.11 + 116.62 + 32.77 + 1.20
	require.Equal(t, 741.13, e.MostUSD) // 236.40 + 51.92 + 44.32 + 9.74 more
}

func TestShared(t *testing.T) {
	shared, err := environment.LoadShared("..")
	require.NoError(t, err)
	require.Equal(t, map[string][]float64{
		"hosted zone": {0.50}, "key of the state": {1}, "images": {0.50}, // 50 × 0.1 GB × 0.10
	}, amounts(EstimateShared(shared)))
}

func TestTraffic(t *testing.T) {
	env := load(t, "production")
	found := amounts(EstimateEnvironment(env, Assumptions{RequestsMillion: 100, DataGB: 2000}))
	for resource, want := range map[string]float64{
		"data through NAT":       90,    // 2000 × 0.045
		"data to clients":        180,   // 2000 × 0.09
		"web ACL requests":       60,    // 100 × 0.60
		"load balancer capacity": 16,    // 2000 GB are 2000 LCU h, more than 1111 of connections: × 0.008
		"logs of services":       50.75, // (100 + 1.5) × 0.50
		"traces":                 37.48, // 2.628 million seconds, and 5 % of 97.372 million: 7.4966 × 5
	} {
		require.Equal(t, []float64{want}, found[resource], resource)
	}
	idle := amounts(EstimateEnvironment(env, Assumptions{}))
	require.NotContains(t, idle, "data to clients")
	require.NotContains(t, idle, "traces")
	require.Equal(t, []float64{16.43}, idle["load balancer"])
}

func TestBackupsBeyondTheStorageAreBilled(t *testing.T) {
	env := load(t, "production")
	env.Database.BackupDays, env.Deployment.SnapshotsKept = 35, 50
	// 50 × 0.5 × (1 + 0.02 × 85) = 67.5, 17.5 beyond 50 × 0.095
	require.Equal(t, []float64{1.66}, amounts(EstimateEnvironment(env, DefaultAssumptions()))["database backups"])
}

func TestClassWithoutPriceIsReported(t *testing.T) {
	env := load(t, "dev")
	env.Database.InstanceClass = "db.x2g.large"
	e := EstimateEnvironment(env, DefaultAssumptions())
	require.Equal(t, []string{"database instance: db.x2g.large has no price in the table"}, e.Unpriced)
	require.NotContains(t, amounts(e), "database instance")
	require.Equal(t, 42.47, e.USD) // 47.55 - 5.08
}

func TestAlarmsInEveryRegionHaveTheSameNumber(t *testing.T) {
	env := load(t, "production")
	env.Region = "eu-central-1"
	require.Equal(t, []float64{3.10}, amounts(EstimateEnvironment(env, DefaultAssumptions()))["alarms"], "the alarm of the health check is in us-east-1")
}

// TestNATInstance checks that an instance replaces the gateway's hours and processed data; its address costs the same.
func TestNATInstance(t *testing.T) {
	env := load(t, "dev")
	env.Network.NAT = environment.NATInstance
	lines := amounts(EstimateEnvironment(env, DefaultAssumptions()))
	require.Equal(t, []float64{3.07}, lines["NAT instance"])           // 730 h × 0.0042 = 3.066
	require.Equal(t, []float64{0.32}, lines["volume of NAT instance"]) // 4 GB × 0.08
	require.Equal(t, []float64{3.65}, lines["addresses of NAT"])       // 730 h × 0.005
	require.NotContains(t, lines, "NAT gateways")
	require.NotContains(t, lines, "data through NAT")
}

func TestSavings(t *testing.T) {
	saved := func(env *environment.Environment) map[string]float64 {
		found := map[string]float64{}
		for _, s := range Savings(env, DefaultAssumptions()) {
			found[s.Setting+" "+s.From+" "+s.To] = s.USD
		}
		return found
	}
	require.Equal(t, map[string]float64{
		"network.nat single instance":                                       29.81, // 32.85 + 0.45 - 3.07 - 0.32 - 0.10 of its alarm
		`schedule.awake always "Mon-Fri 07:00-20:00 UTC", 282 of 730 hours`: 18.90, // 61.3 % of 18.02 + 13.14, less 0.20 of two alarms
		"firewall.enabled true false":                                       10.70, // 5 + 5 + 0.60 and 0.10 of the alarm
		"services.api.spot false true":                                      4.51,  // half of 7.39 + 1.62
		"services.worker.spot false true":                                   4.51,
		"image.architecture x86_64 arm64":                                   3.60, // a fifth of 18.02
	}, saved(withoutLevers(t, "dev")))
	require.Equal(t, map[string]float64{
		"network.nat single instance":                                       29.81, // 32.85 + 0.45 - 3.07 - 0.32 - 0.10 of its alarm
		`schedule.awake always "Mon-Fri 07:00-20:00 UTC", 282 of 730 hours`: 37.99, // 61.3 % of 36.04 + 26.28, less 0.20
		"firewall.enabled true false":                                       11.45, // 5 + 5 + 0.60, 0.75 of logs and 0.10 of the alarm
		"services.api.spot false true":                                      9.01,  // half of 14.78 + 3.24
		"services.worker.spot false true":                                   4.51,  // half of 7.39 + 1.62
		"image.architecture x86_64 arm64":                                   7.20,  // a fifth of 36.04
		"monitoring.level enhanced basic":                                   18.95, // 17.70 + 0.75 + 0.50
		"database.instanceClass db.t3.small db.t3.micro":                    13.14,
		"services.api.cpu/memory 512/1024 256/512":                          9.01, // half of 14.78 + 3.24
	}, saved(withoutLevers(t, "staging")))
	require.Equal(t, map[string]float64{"image.architecture x86_64 arm64": 0.70}, saved(load(t, "dev")), "the others are in use")
	production := saved(load(t, "production"))
	require.Equal(t, 73.0, production["network.nat per-zone single"])    // 2 × 36.50
	require.Equal(t, 58.31, production["database.multiZone true false"]) // half of 105.12 + 11.50
	require.Equal(t, 40.15, production["network.zones 3 2"])             // a gateway and two addresses
	require.Equal(t, 36.04, production["services.api.tasks.min 2 1"])    // half of 59.10 + 12.98
	for _, refused := range []string{
		"network.nat per-zone instance", "firewall.enabled true false", "services.api.spot false true", "services.scheduler.spot false true",
	} {
		require.NotContains(t, production, refused, "validation refuses it")
	}
	require.Contains(t, production, "services.worker.spot false true")
	require.Contains(t, production, "image.architecture x86_64 arm64")
	require.Equal(t, "network.nat", Savings(load(t, "production"), DefaultAssumptions())[0].Setting)
}

// A lever in use saves what it would save where it is not in use, and is in one of the two lists only.
func TestLeversInUse(t *testing.T) {
	off, on := withoutLevers(t, "dev"), load(t, "dev")
	on.Image.Architecture, on.Schedule.Awake = environment.ARM64, ""
	bySetting := func(savings []Saving) map[string]float64 {
		found := map[string]float64{}
		for _, s := range savings {
			found[s.Setting] = s.USD
			require.NotEmpty(t, s.Price, s.Setting)
		}
		return found
	}
	require.Empty(t, InUse(off, DefaultAssumptions()))
	unused, used := bySetting(Savings(off, DefaultAssumptions())), bySetting(InUse(on, DefaultAssumptions()))
	for _, setting := range []string{"network.nat", "firewall.enabled"} {
		require.Equal(t, unused[setting], used[setting], setting)
	}
	// What concerns tasks depends on each other: half of a price that is a fifth less.
	require.Equal(t, 4.51, unused["services.worker.spot"])
	require.Equal(t, 3.61, used["services.worker.spot"])
	require.Equal(t, map[string]float64{"schedule.awake": 12.28}, bySetting(Savings(on, DefaultAssumptions())))
	require.Equal(t, InUse(on, DefaultAssumptions())[0], Saving{
		Setting: "network.nat", From: "single", To: "instance", USD: 29.81, Price: "tasks do not reach the internet while the instance is replaced",
	})
}

// TestLeversSaveWhatTheBillsDiffer changes one key at a time, as an edit of the file does, and compares each lever's line with what
// `deployer cost --against` the file before the edit adds up to.
func TestLeversSaveWhatTheBillsDiffer(t *testing.T) {
	edits := map[string]func(e *environment.Environment, value string){
		"network.nat":        func(e *environment.Environment, value string) { e.Network.NAT = environment.NAT(value) },
		"image.architecture": func(e *environment.Environment, value string) { e.Image.Architecture = environment.Architecture(value) },
		"firewall.enabled":   func(e *environment.Environment, value string) { e.Firewall.Enabled = value == "true" },
		"schedule.awake": func(e *environment.Environment, value string) {
			quoted := strings.Split(value, `"`)
			switch {
			case value == "always":
				e.Schedule.Awake = ""
			case len(quoted) == 3:
				e.Schedule.Awake = quoted[1]
			}
		},
	}
	for _, s := range []environment.Role{environment.API, environment.Worker} {
		edits["services."+string(s)+".spot"] = func(e *environment.Environment, value string) { e.Services.Get(s).Spot = value == "true" }
	}
	for _, a := range []Assumptions{DefaultAssumptions(), {RequestsMillion: 50, DataGB: 200}} {
		for _, name := range []string{"dev", "staging", "production"} {
			for _, env := range []*environment.Environment{load(t, name), withoutLevers(t, name)} {
				compared := 0
				for _, s := range slices.Concat(InUse(env, a), Savings(env, a)) {
					edit := edits[s.Setting]
					if edit == nil || s.Setting == "network.nat" && s.To != string(environment.NATInstance) {
						continue // no lever
					}
					compared++
					without, with := env.Clone(), env.Clone()
					edit(without, s.From)
					edit(with, s.To)
					var sum float64
					for _, d := range Differences(EstimateEnvironment(without, a), EstimateEnvironment(with, a)) {
						sum += d.Delta
					}
					require.InDelta(t, sum, s.USD, 0.001, "%s: %s", name, s.Setting)
				}
				require.Equal(t, len(levers(env)), compared, name)
			}
		}
	}
}

// TestLeversReachTheBudgets checks that the shipped files stay within their budgets, and what costs the same asleep.
func TestLeversReachTheBudgets(t *testing.T) {
	for _, name := range []string{"dev", "staging"} {
		env := load(t, name)
		e := EstimateEnvironment(env, DefaultAssumptions())
		require.LessOrEqual(t, e.USD, float64(env.Budget.MonthlyUSD))
		env.Schedule.Awake = "Mon-Sun 00:00-23:59 UTC"
		awake := EstimateEnvironment(env, DefaultAssumptions())
		for _, resource := range []string{"addresses of NAT", "load balancer", "database storage", "alarms"} {
			require.Equal(t, amounts(awake)[resource], amounts(e)[resource], "%s costs the same while it sleeps", resource)
		}
		require.Less(t, amounts(e)["database instance"][0], amounts(awake)["database instance"][0])
	}
}

// TestPricesOfTasks checks that each architecture has its price, on demand and on Spot.
func TestPricesOfTasks(t *testing.T) {
	env := withoutLevers(t, "staging")
	for _, test := range []struct {
		architecture environment.Architecture
		spot         bool
		cpu, memory  float64
	}{
		{environment.X86, false, 7.39, 1.62}, // 0.25 × 730 h × 0.04048, 0.5 × 730 h × 0.004445
		{environment.X86, true, 3.69, 0.81},
		{environment.ARM64, false, 5.91, 1.30}, // 0.25 × 730 h × 0.03238, 0.5 × 730 h × 0.00356
		{environment.ARM64, true, 2.95, 0.65},
	} {
		env.Image.Architecture, env.Services.Worker.Spot = test.architecture, test.spot
		found := amounts(EstimateEnvironment(env, DefaultAssumptions()))
		require.Equal(t, []float64{test.cpu}, found["worker CPU"])
		require.Equal(t, []float64{test.memory}, found["worker memory"])
	}
}

func TestSavingsDoNotChangeTheEnvironment(t *testing.T) {
	env := load(t, "production")
	Savings(env, DefaultAssumptions())
	InUse(env, DefaultAssumptions())
	require.Equal(t, load(t, "production"), env)
}

func TestDifferences(t *testing.T) {
	before, after := withoutLevers(t, "staging"), withoutLevers(t, "staging")
	after.Services.Scheduler = nil
	after.Database.MultiZone = true
	require.Equal(t, []Difference{
		{Resource: "database instance", USD: 52.56, Against: 26.28, Delta: 26.28},
		{Resource: "database storage", USD: 4.60, Against: 2.30, Delta: 2.30},
		{Resource: "logs of services", USD: 1, Against: 1.25, Delta: -0.25},
		{Resource: "alarms", USD: 2.20, Against: 2.50, Delta: -0.30},
		{Resource: "Container Insights", USD: 12.60, Against: 17.70, Delta: -5.10},
		{Resource: "scheduler CPU", USD: 0, Against: 7.39, Delta: -7.39},
		{Resource: "scheduler memory", USD: 0, Against: 1.62, Delta: -1.62},
	}, Differences(EstimateEnvironment(after, DefaultAssumptions()), EstimateEnvironment(before, DefaultAssumptions())))
	require.Empty(t, Differences(EstimateEnvironment(before, DefaultAssumptions()), EstimateEnvironment(before, DefaultAssumptions())))
}

func TestPrices(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Prices() {
		require.False(t, seen[p.Key], p.Key)
		seen[p.Key] = true
		require.Positive(t, p.USD, p.Key)
		require.Regexp(t, `^20\d\d-(0[1-9]|1[0-2])$`, p.AsOf, p.Key)
		require.Regexp(t, `^https://aws\.amazon\.com/.*pricing/`, p.Source, p.Key)
	}
	require.Equal(t, "2026-06", AsOf())
}

func TestBudgetWarning(t *testing.T) {
	production := load(t, "production")
	require.Nil(t, BudgetWarning(production))
	cost := EstimateEnvironment(production, DefaultAssumptions()).USD
	require.Less(t, float64(production.Budget.MonthlyUSD)-cost, 50.0, "the shipped budget is the estimate, rounded up to the next $50")
	production.Budget.MonthlyUSD = 398
	warning := BudgetWarning(production)
	require.Equal(t, "budget.monthlyUSD", warning.Path)
	require.Equal(t, "the estimate is $398.75 a month, and the budget $398: AWS would report it as exceeded every month", warning.Message)
	require.Equal(t, "give at least the estimate, such as 400, or use what `deployer cost --env production` lists as savings", warning.Remedy)
}

// A class without a price is named, instead of a sum without the database.
func TestBudgetWarningWithoutAPrice(t *testing.T) {
	production := load(t, "production")
	production.Database.InstanceClass, production.Budget.MonthlyUSD = "db.t9.huge", 1
	warning := BudgetWarning(production)
	require.Equal(t, "database.instanceClass", warning.Path)
	require.Equal(t, "db.t9.huge has no price in the deployer's table, so the budget is not compared with the estimate", warning.Message)
	require.Contains(t, warning.Remedy, "db.t3.small")
}

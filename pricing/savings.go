package pricing

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/balancer/v3-backend-infra/environment"
)

// Saving is a cheaper value of a setting in an environment's file.
type Saving struct {
	// Setting is the key, From and To are values of it.
	Setting string  `json:"setting"`
	From    string  `json:"from"`
	To      string  `json:"to"`
	USD     float64 `json:"monthlyUSD"`
	// Price is the disadvantage of the cheaper value.
	Price string `json:"price"`
}

// minSaving declares the smallest monthly saving of a setting that is no lever that is reported, in US dollars.
const minSaving = 1

// Savings returns the levers that an environment does not use, and the other settings that would save, the greatest saving first. Each is
// estimated without the others.
func Savings(env *environment.Environment, a Assumptions) []Saving {
	current := EstimateEnvironment(env, a).USD
	savings := leverSavings(env, a, false)
	for _, c := range candidates(env) {
		changed := env.Clone()
		c.change(changed)
		c.USD = cents(current - EstimateEnvironment(changed, a).USD)
		if c.USD >= minSaving {
			savings = append(savings, c.Saving)
		}
	}
	slices.SortStableFunc(savings, func(a, b Saving) int { return cmp.Compare(b.USD, a.USD) })
	return savings
}

type candidate struct {
	Saving
	change func(*environment.Environment)
}

func candidates(env *environment.Environment) []candidate {
	var all []candidate
	add := func(setting string, from, to any, price string, change func(*environment.Environment)) {
		all = append(all, candidate{Saving{Setting: setting, From: fmt.Sprint(from), To: fmt.Sprint(to), Price: price}, change})
	}
	if env.Network.NAT == environment.NATPerZone {
		add("network.nat", env.Network.NAT, environment.NATSingle, "the loss of one zone disconnects all tasks",
			func(e *environment.Environment) { e.Network.NAT = environment.NATSingle })
	}
	if env.Network.Zones > 2 {
		add("network.zones", env.Network.Zones, 2, "the loss of one zone stops half the tasks",
			func(e *environment.Environment) { e.Network.Zones = 2 })
	}
	if env.Database.MultiZone {
		add("database.multiZone", true, false, "the loss of a zone is an outage, and so is maintenance",
			func(e *environment.Environment) { e.Database.MultiZone = false })
	}
	if smaller := smallerClass(env.Database.InstanceClass); smaller != "" {
		add("database.instanceClass", env.Database.InstanceClass, smaller, "half the memory",
			func(e *environment.Environment) { e.Database.InstanceClass = smaller })
	}
	for _, s := range env.Services.List() {
		path, cpu, memory := "services."+string(s.Role), s.CPU/2, s.Memory/2
		if slices.Contains(environment.FargateMemory(cpu), memory) {
			add(path+".cpu/memory", fmt.Sprintf("%d/%d", s.CPU, s.Memory), fmt.Sprintf("%d/%d", cpu, memory), "half the size of a task",
				func(e *environment.Environment) {
					smaller := e.Services.Get(s.Role)
					smaller.CPU, smaller.Memory = cpu, memory
				})
		}
		if s.Tasks.Min > 1 {
			add(path+".tasks.min", s.Tasks.Min, 1, "a failing task is an outage",
				func(e *environment.Environment) { e.Services.Get(s.Role).Tasks.Min = 1 })
		}
	}
	switch env.Monitoring.Level {
	case environment.Full:
		add("monitoring.level", environment.Full, environment.Enhanced, "no dashboard, traces and external health check",
			func(e *environment.Environment) { e.Monitoring.Level = environment.Enhanced })
	case environment.Enhanced:
		add("monitoring.level", environment.Enhanced, environment.Basic,
			"alarms notify no one; no Container Insights, no logs of network and web ACL",
			func(e *environment.Environment) { e.Monitoring.Level = environment.Basic })
	}
	return all
}

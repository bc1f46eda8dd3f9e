package pricing

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/balancer/v3-backend-infra/environment"
)

// Saving is a setting of an environment's file that could cost less.
type Saving struct {
	// Setting is the key, From and To are values of it.
	Setting string  `json:"setting"`
	From    string  `json:"from"`
	To      string  `json:"to"`
	USD     float64 `json:"monthlyUSD"`
	// Price is what is given up for it.
	Price string `json:"price"`
}

// minSaving is the least saving a month that is named, in US dollars.
const minSaving = 1

// Savings are the settings that would save most, the greatest first: each alone, without the others.
func Savings(env *environment.Environment, a Assumptions) []Saving {
	current := EstimateEnvironment(env, a).USD
	savings := []Saving{}
	for _, s := range slices.Concat(networkSavings(env), databaseSavings(env), taskSavings(env), monitoringSavings(env)) {
		s.USD = cents(current - EstimateEnvironment(s.changed, a).USD)
		if s.USD >= minSaving {
			savings = append(savings, s.Saving)
		}
	}
	slices.SortStableFunc(savings, func(a, b Saving) int { return cmp.Compare(b.USD, a.USD) })
	return savings
}

// candidate is a saving and the environment that would have made it.
type candidate struct {
	Saving
	changed *environment.Environment
}

// candidateWith is a candidate: the environment with one setting changed.
func candidateWith(env *environment.Environment, setting string, from, to any, price string, change func(*environment.Environment)) candidate {
	changed := *env
	for _, optional := range []**environment.Service{&changed.Services.Worker, &changed.Services.Scheduler} {
		if *optional != nil {
			service := **optional
			*optional = &service
		}
	}
	change(&changed)
	return candidate{Saving{Setting: setting, From: fmt.Sprint(from), To: fmt.Sprint(to), Price: price}, &changed}
}

func networkSavings(env *environment.Environment) []candidate {
	var all []candidate
	if env.Network.NAT == environment.NATPerZone {
		all = append(all, candidateWith(env, "network.nat", env.Network.NAT, environment.NATSingle,
			"the loss of one zone cuts all tasks off", func(e *environment.Environment) { e.Network.NAT = environment.NATSingle }))
	}
	if env.Network.Zones > 2 {
		all = append(all, candidateWith(env, "network.zones", env.Network.Zones, 2,
			"half the tasks are gone with a zone", func(e *environment.Environment) { e.Network.Zones = 2 }))
	}
	return all
}

func databaseSavings(env *environment.Environment) []candidate {
	var all []candidate
	if env.Database.MultiZone {
		all = append(all, candidateWith(env, "database.multiZone", true, false,
			"the loss of a zone is an outage, and so is maintenance", func(e *environment.Environment) { e.Database.MultiZone = false }))
	}
	if smaller := smallerClass(env.Database.InstanceClass); smaller != "" {
		all = append(all, candidateWith(env, "database.instanceClass", env.Database.InstanceClass, smaller,
			"half the memory", func(e *environment.Environment) { e.Database.InstanceClass = smaller }))
	}
	return all
}

func taskSavings(env *environment.Environment) []candidate {
	var all []candidate
	for _, s := range env.Services.List() {
		serviceIn := func(e *environment.Environment) *environment.Service {
			switch s.Role {
			case environment.Worker:
				return e.Services.Worker
			case environment.Scheduler:
				return e.Services.Scheduler
			}
			return &e.Services.API
		}
		path := "services." + string(s.Role)
		if slices.Contains(environment.FargateMemory(s.CPU/2), s.Memory/2) {
			all = append(all, candidateWith(env, path+".cpu/memory", fmt.Sprintf("%d/%d", s.CPU, s.Memory), fmt.Sprintf("%d/%d", s.CPU/2, s.Memory/2),
				"half the room for a task", func(e *environment.Environment) { serviceIn(e).CPU, serviceIn(e).Memory = s.CPU/2, s.Memory/2 }))
		}
		if s.Tasks.Min > 1 {
			all = append(all, candidateWith(env, path+".tasks.min", s.Tasks.Min, 1,
				"a task that fails is an outage", func(e *environment.Environment) { serviceIn(e).Tasks.Min = 1 }))
		}
	}
	return all
}

func monitoringSavings(env *environment.Environment) []candidate {
	lower := map[environment.Level]environment.Level{environment.Full: environment.Enhanced, environment.Enhanced: environment.Basic}
	lost := map[environment.Level]string{
		environment.Full:     "no dashboard, traces and view from outside",
		environment.Enhanced: "alarms tell nobody; no Container Insights, no logs of network and web ACL",
	}
	level := env.Monitoring.Level
	to, ok := lower[level]
	if !ok {
		return nil
	}
	return []candidate{candidateWith(env, "monitoring.level", level, to, lost[level],
		func(e *environment.Environment) { e.Monitoring.Level = to })}
}

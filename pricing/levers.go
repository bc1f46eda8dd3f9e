package pricing

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/balancer/v3-backend-infra/environment"
)

// A lever is a setting that an environment can do without: it costs less with it, at a disadvantage. Unlike the other settings that save,
// it is reported whatever it saves, and where it is in use.
type lever struct {
	// Saving has the values without and with the lever.
	Saving
	inUse bool
	// without and with change an environment to one without and with the lever.
	without, with func(*environment.Environment)
}

// officeSchedule declares the value of schedule.awake that is proposed.
const officeSchedule = "Mon-Fri 07:00-20:00 UTC"

// levers returns the levers that an environment may use. A protected one may not use all of them.
func levers(env *environment.Environment) []lever {
	var all []lever
	add := func(key string, inUse bool, without, with any, price string, unset, set func(*environment.Environment)) {
		all = append(all, lever{
			Saving: Saving{Setting: key, From: fmt.Sprint(without), To: fmt.Sprint(with), Price: price}, inUse: inUse,
			without: unset, with: set,
		})
	}
	if !env.Protected {
		gateway := env.Network.NAT
		if gateway == environment.NATInstance {
			gateway = environment.NATSingle
		}
		add("network.nat", env.Network.NAT == environment.NATInstance, gateway, environment.NATInstance,
			"tasks do not reach the internet while the instance is replaced",
			func(e *environment.Environment) { e.Network.NAT = gateway },
			func(e *environment.Environment) { e.Network.NAT = environment.NATInstance })
	}
	add("image.architecture", env.Image.Architecture == environment.ARM64, environment.X86, environment.ARM64,
		"runs only images that are built for arm64",
		func(e *environment.Environment) { e.Image.Architecture = environment.X86 },
		func(e *environment.Environment) { e.Image.Architecture = environment.ARM64 })
	for _, s := range env.Services.List() {
		if !env.MayUseSpot(s.Role) {
			continue
		}
		add("services."+string(s.Role)+".spot", s.Spot, false, true, "AWS may stop its tasks, with two minutes' notice",
			func(e *environment.Environment) { e.Services.Get(s.Role).Spot = false },
			func(e *environment.Environment) { e.Services.Get(s.Role).Spot = true })
	}
	if !env.Protected {
		add("firewall.enabled", !env.Firewall.Enabled, true, false, "nothing filters or limits requests",
			func(e *environment.Environment) { e.Firewall.Enabled = true },
			func(e *environment.Environment) { e.Firewall.Enabled = false })
		all = append(all, scheduleLever(env))
	}
	return all
}

// scheduleLever returns the lever schedule.awake: the environment's own schedule, or that of an office.
func scheduleLever(env *environment.Environment) lever {
	inUse, awake := env.Schedule.Awake != "", cmp.Or(env.Schedule.Awake, officeSchedule)
	scheduled := env.Clone()
	scheduled.Schedule.Awake = awake
	to := fmt.Sprintf("%.0f of %d hours", scheduled.HoursAwake(), HoursPerMonth)
	if !inUse {
		to = fmt.Sprintf("%q, %s", awake, to)
	}
	return lever{
		Saving: Saving{Setting: "schedule.awake", From: "always", To: to, Price: "it does not answer at other times, unless someone wakes it"},
		inUse:  inUse,
		// The schedule has alarms of its own, so that it changes more than the hours.
		without: func(e *environment.Environment) { e.Schedule.Awake = "" },
		with:    func(e *environment.Environment) { e.Schedule.Awake = awake },
	}
}

// InUse returns the levers that an environment uses, with what each of them alone saves, the greatest saving first.
func InUse(env *environment.Environment, a Assumptions) []Saving { return leverSavings(env, a, true) }

// leverSavings returns the levers that an environment uses, or those that it does not use.
func leverSavings(env *environment.Environment, a Assumptions, inUse bool) []Saving {
	changed := func(change func(*environment.Environment)) float64 {
		copied := env.Clone()
		change(copied)
		return EstimateEnvironment(copied, a).USD
	}
	savings := []Saving{}
	for _, l := range levers(env) {
		if l.inUse != inUse {
			continue
		}
		l.USD = cents(changed(l.without) - changed(l.with))
		savings = append(savings, l.Saving)
	}
	slices.SortStableFunc(savings, func(a, b Saving) int { return cmp.Compare(b.USD, a.USD) })
	return savings
}

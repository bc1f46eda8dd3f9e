package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// signalTarget is the process or processes that get the signal.
type signalTarget string

const (
	deployerOnly      signalTarget = "deployer"
	engineOnly        signalTarget = "engine"
	deployerAndEngine signalTarget = "both"
)

// scenario is the command that runs when the signal is sent.
type scenario struct {
	name string
	// base is the prepared account that it starts with.
	base base
	// args are the command's arguments, without those that every command has.
	args []string
	// finish completes the command before the next deployment; nil if that deployment does.
	finish []string
	// retained are types of which the command leaves one resource that is in no state.
	retained []string
	// weight is how often it is drawn.
	weight int
}

// The image that is deployed first, and the one that is deployed second.
const (
	oldTag = "1.41.7-9f8e7d6c5"
	newTag = "1.41.8-abc123def"
)

var scenarios = []scenario{
	{name: "first up", base: fresh, args: []string{"up", "--image-tag", newTag}, weight: 9},
	{name: "up", base: deployed, args: []string{"up", "--image-tag", newTag}, weight: 6},
	{name: "code-only", base: deployed, args: []string{"up", "--code-only", "--image-tag", newTag}, weight: 2},
	{name: "destroy", base: deployed, args: []string{"destroy"}, weight: 2},
	{name: "rollback", base: deployedTwice, args: []string{"rollback"}, weight: 2},
	{name: "repair", base: crashed, args: []string{"up", "--image-tag", newTag, "--wait"}, weight: 2},
	{name: "preview", base: fresh, args: []string{"preview", "--image-tag", newTag}, weight: 1},
	{name: "migrate", base: deployed, args: []string{"migrate"}, weight: 1},
	{name: "restore", base: deployed, args: []string{"snapshot", "restore", "--switch"}, weight: 2,
		finish: []string{"snapshot", "restore", "--switch", "--wait"},
		// The original database and its rotation schedule are retained for a revert.
		retained: []string{"aws:rds/instance:Instance", "aws:secretsmanager/secretRotation:SecretRotation"}},
}

// firstUp is the scenario whose deployment is killed for the base crashed.
var firstUp = scenarios[0]

// trial is a command and the signal that ends it.
type trial struct {
	number   int
	scenario scenario
	signal   string
	to       signalTarget
	// fraction is when the signal is sent, as a fraction of the baseline's time.
	fraction float64
	// secondKill is when the `up` that repairs is killed too, as a fraction of the baseline's time; 0 means not at all.
	secondKill float64
}

func (t trial) String() string {
	text := fmt.Sprintf("%s of %s at %.0f%% of `%s`", t.signal, t.to, 100*t.fraction, t.scenario.name)
	if t.secondKill > 0 {
		text += fmt.Sprintf(", then of the repair at %.0f%%", 100*t.secondKill)
	}
	return text
}

// plan draws the trials. Each depends only on the seed and its number; with a scenario, trials of other scenarios are
// dropped.
func plan(o options) ([]trial, error) {
	named := func(s scenario) bool { return s.name == o.scenario }
	if o.scenario != "" && !slices.ContainsFunc(scenarios, named) {
		return nil, fmt.Errorf("unknown scenario %q", o.scenario)
	}
	var trials []trial
	for number := 1; len(trials) < o.trials; number++ {
		t := draw(o.seed, number)
		if o.scenario == "" || named(t.scenario) {
			trials = append(trials, t)
		}
	}
	if o.only > 0 {
		trials = slices.DeleteFunc(trials, func(t trial) bool { return t.number != o.only })
	}
	return trials, nil
}

// draw draws a trial: of ten signals seven are SIGKILL, two SIGINT and one SIGTERM; only the deployer gets the last
// two.
func draw(seed uint64, number int) trial {
	rng := rand.New(rand.NewPCG(seed, uint64(number)))
	t := trial{number: number, scenario: drawScenario(rng), signal: "SIGKILL", fraction: rng.Float64()}
	switch n := rng.IntN(10); n {
	case 0, 1:
		t.signal, t.to = "SIGINT", deployerOnly
	case 2:
		t.signal, t.to = "SIGTERM", deployerOnly
	default:
		t.to = []signalTarget{deployerOnly, deployerOnly, deployerOnly, deployerAndEngine, deployerAndEngine, deployerAndEngine, engineOnly}[n-3]
		if rng.IntN(6) == 0 {
			t.secondKill = rng.Float64()
		}
	}
	return t
}

func drawScenario(rng *rand.Rand) scenario {
	total := 0
	for _, s := range scenarios {
		total += s.weight
	}
	n := rng.IntN(total)
	for _, s := range scenarios {
		if n -= s.weight; n < 0 {
			return s
		}
	}
	panic("the weights do not add up")
}

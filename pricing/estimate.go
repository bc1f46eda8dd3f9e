package pricing

import (
	"fmt"
	"math"

	"github.com/balancer/v3-backend-infra/environment"
)

// Line is one item of the bill.
type Line struct {
	// Area is one of the Area constants.
	Area string `json:"area"`
	// Resource is what is billed, by a name that is the same in every environment.
	Resource string `json:"resource"`
	// Quantity is the number of Units a month.
	Quantity float64 `json:"quantity"`
	Unit     string  `json:"unit"`
	UnitUSD  float64 `json:"unitUSD"`
	USD      float64 `json:"monthlyUSD"`
	// MostUSD is the cost with as many tasks as autoscaling allows.
	MostUSD float64 `json:"mostUSD"`
	// Assumed is true if the quantity follows from an assumption, not from the file.
	Assumed bool `json:"assumed"`
}

// Estimate is the monthly cost of a stack.
type Estimate struct {
	Lines []Line `json:"lines"`
	// USD is the sum, MostUSD the sum with as many tasks as autoscaling allows.
	USD     float64 `json:"monthlyUSD"`
	MostUSD float64 `json:"mostUSD"`
	// Unpriced lists what is billed, but has no price in the table.
	Unpriced []string `json:"unpriced"`
	// Assumed lists the assumptions.
	Assumed []string `json:"assumed"`
}

// bill collects lines.
type bill struct {
	area     string
	lines    []Line
	unpriced []string
}

// add adds a line with the price of a key; most is the quantity with as many tasks as autoscaling allows.
func (b *bill) add(resource, key string, quantity, most float64, assumed bool) {
	price, ok := priceOf(key)
	if !ok {
		b.unpriced = append(b.unpriced, fmt.Sprintf("%s: %s has no price in the table", resource, key))
		return
	}
	if most == 0 {
		return
	}
	b.lines = append(b.lines, Line{
		Area: b.area, Resource: resource, Quantity: quantity, Unit: price.Unit, UnitUSD: price.USD,
		USD: cents(quantity * price.USD), MostUSD: cents(most * price.USD), Assumed: assumed,
	})
}

func (b *bill) addDeclared(resource, key string, quantity float64) {
	b.add(resource, key, quantity, quantity, false)
}

func (b *bill) addAssumed(resource, key string, quantity float64) {
	b.add(resource, key, quantity, quantity, true)
}

func (b *bill) total() Estimate {
	e := Estimate{Lines: b.lines, Unpriced: b.unpriced}
	for _, line := range b.lines {
		e.USD += line.USD
		e.MostUSD += line.MostUSD
	}
	e.USD, e.MostUSD = cents(e.USD), cents(e.MostUSD)
	return e
}

// cents rounds an amount as a bill does, half a cent up. The small summand is for 16.425, which is 16.4249999 in binary.
func cents(usd float64) float64 { return math.Round(usd*100+1e-6) / 100 }

// EstimateEnvironment returns the estimate of an environment, with the minimum number of tasks.
func EstimateEnvironment(env *environment.Environment, a Assumptions) Estimate {
	b, hours := &bill{unpriced: []string{}}, env.HoursAwake()
	b.network(env, a)
	b.ingress(env, a)
	b.tasks(env, hours)
	b.database(env, hours)
	b.monitoring(env, a)
	b.other()
	e := b.total()
	e.Assumed = a.describe()
	return e
}

// EstimateShared returns the estimate of the shared stack, with the key of the Pulumi state.
func EstimateShared(shared *environment.Shared) Estimate {
	b := &bill{area: AreaShared, unpriced: []string{}}
	b.addDeclared("hosted zone", zoneMonth, 1)
	b.addDeclared("key of the state", keyMonth, 1)
	b.addAssumed("images", imageStorage, float64(shared.Repository.KeepImages)*imageGB)
	e := b.total()
	e.Assumed = []string{fmt.Sprintf("%d images of %v GB each beyond the layers that they share", shared.Repository.KeepImages, imageGB)}
	return e
}

// NetworkTotal returns the cost of network and ingress, which does not depend on the sizes of tasks and database.
func (e Estimate) NetworkTotal() float64 { return cents(e.Area(AreaNetwork) + e.Area(AreaIngress)) }

// Area returns the cost of a part of the environment.
func (e Estimate) Area(name string) float64 {
	var sum float64
	for _, line := range e.Lines {
		if line.Area == name {
			sum += line.USD
		}
	}
	return cents(sum)
}

// Difference is the cost of one resource in two estimates.
type Difference struct {
	Resource string  `json:"resource"`
	USD      float64 `json:"monthlyUSD"`
	Against  float64 `json:"againstUSD"`
	Delta    float64 `json:"deltaUSD"`
}

// Differences returns the resources whose cost differs between two estimates, in the order of e, followed by those that
// only other has.
func Differences(e, other Estimate) []Difference {
	differences := []Difference{}
	seen := map[string]bool{}
	for _, lines := range [][]Line{e.Lines, other.Lines} {
		for _, line := range lines {
			if seen[line.Resource] {
				continue
			}
			seen[line.Resource] = true
			d := Difference{Resource: line.Resource, USD: e.resourceUSD(line.Resource), Against: other.resourceUSD(line.Resource)}
			if d.Delta = cents(d.USD - d.Against); d.Delta != 0 {
				differences = append(differences, d)
			}
		}
	}
	return differences
}

func (e Estimate) resourceUSD(resource string) float64 {
	for _, line := range e.Lines {
		if line.Resource == resource {
			return line.USD
		}
	}
	return 0
}

package pricing

import (
	"fmt"
	"math"

	"github.com/balancer/v3-backend-infra/environment"
)

// Line is one position of the bill.
type Line struct {
	// Area is the part of the environment: network, entrance, tasks, database, monitoring, other.
	Area string `json:"area"`
	// Resource is what is paid for, by a name that two environments share.
	Resource string `json:"resource"`
	// Quantity is how many Units a month has.
	Quantity float64 `json:"quantity"`
	Unit     string  `json:"unit"`
	UnitUSD  float64 `json:"unitUSD"`
	USD      float64 `json:"monthlyUSD"`
	// MostUSD is the same with as many tasks as autoscaling allows.
	MostUSD float64 `json:"mostUSD"`
	// Assumed says that the quantity follows from an assumption, not from the file.
	Assumed bool `json:"assumed"`
}

// Estimate is what a stack costs a month.
type Estimate struct {
	Lines []Line `json:"lines"`
	// USD is the sum, MostUSD that with as many tasks as autoscaling allows.
	USD     float64 `json:"monthlyUSD"`
	MostUSD float64 `json:"mostUSD"`
	// Unpriced is what belongs to the bill and has no price in the table.
	Unpriced []string `json:"unpriced"`
	// Assumed says what the lines that are Assumed stand on.
	Assumed []string `json:"assumed"`
}

// bill collects lines.
type bill struct {
	area     string
	lines    []Line
	unpriced []string
}

// add writes a line with the price of the key; most is the quantity with all tasks.
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

// addDeclared is what follows from the file, assumed what follows from an assumption.
func (b *bill) addDeclared(resource, key string, quantity float64) {
	b.add(resource, key, quantity, quantity, false)
}

func (b *bill) addAssumed(resource, key string, quantity float64) {
	b.add(resource, key, quantity, quantity, true)
}

func (b *bill) total() Estimate {
	e := Estimate{Lines: b.lines, Unpriced: b.unpriced}
	if e.Unpriced == nil {
		e.Unpriced = []string{}
	}
	for _, line := range b.lines {
		e.USD += line.USD
		e.MostUSD += line.MostUSD
	}
	e.USD, e.MostUSD = cents(e.USD), cents(e.MostUSD)
	return e
}

// cents rounds an amount as a bill does, half a cent up. The smallest part keeps 16.425 from being 16.4249999.
func cents(usd float64) float64 { return math.Round(usd*100+1e-6) / 100 }

// EstimateEnvironment estimates an environment, with the fewest tasks that its services run.
func EstimateEnvironment(env *environment.Environment, a Assumptions) Estimate {
	b := &bill{}
	b.network(env, a)
	b.ingress(env, a)
	b.tasks(env)
	b.database(env)
	b.monitoring(env, a)
	b.other()
	e := b.total()
	e.Assumed = a.describe()
	return e
}

// EstimateShared estimates what the environments of an account share, with the key of the Pulumi state.
func EstimateShared(shared *environment.Shared) Estimate {
	b := &bill{area: AreaShared}
	b.addDeclared("hosted zone", zoneMonth, 1)
	b.addDeclared("key of the state", keyMonth, 1)
	b.addAssumed("images", imageStorage, float64(shared.Repository.KeepImages)*imageGB)
	e := b.total()
	e.Assumed = []string{fmt.Sprintf("%d images of %v GB each beyond the layers that they share", shared.Repository.KeepImages, imageGB)}
	return e
}

// NetworkTotal is the part of the bill that does not depend on the size of tasks and database: the network and the
// entrance.
func (e Estimate) NetworkTotal() float64 { return cents(e.Area(AreaNetwork) + e.Area(AreaIngress)) }

// Area is what a part of the environment costs.
func (e Estimate) Area(name string) float64 {
	var sum float64
	for _, line := range e.Lines {
		if line.Area == name {
			sum += line.USD
		}
	}
	return cents(sum)
}

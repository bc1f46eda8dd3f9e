package pricing

// Difference is one resource on both sides.
type Difference struct {
	Resource string  `json:"resource"`
	USD      float64 `json:"monthlyUSD"`
	Against  float64 `json:"againstUSD"`
	Delta    float64 `json:"deltaUSD"`
}

// Differences are the resources that cost another amount in e than in the other estimate, in the order of e; what only
// the other one has follows.
func Differences(e, other Estimate) []Difference {
	found := []Difference{}
	seen := map[string]bool{}
	for _, lines := range [][]Line{e.Lines, other.Lines} {
		for _, line := range lines {
			if seen[line.Resource] {
				continue
			}
			seen[line.Resource] = true
			d := Difference{Resource: line.Resource, USD: e.of(line.Resource), Against: other.of(line.Resource)}
			if d.Delta = cents(d.USD - d.Against); d.Delta != 0 {
				found = append(found, d)
			}
		}
	}
	return found
}

// of is what a resource costs; nothing where there is none.
func (e Estimate) of(resource string) float64 {
	for _, line := range e.Lines {
		if line.Resource == resource {
			return line.USD
		}
	}
	return 0
}

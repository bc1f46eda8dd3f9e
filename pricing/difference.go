package pricing

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

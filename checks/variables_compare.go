package checks

import (
	"maps"
	"slices"

	"github.com/balancer/v3-backend-infra/internal/list"
)

// Comparison compares the variables of two environments by role, container and name. Of sensitive values it only reports
// whether they are equal.
type Comparison struct {
	Environment string              `json:"environment"`
	Other       string              `json:"other"`
	Containers  []ComparedContainer `json:"containers"`
}

// ComparedContainer is a container that at least one of the environments has.
type ComparedContainer struct {
	Role      string             `json:"role"`
	Container string             `json:"container"`
	Variables []ComparedVariable `json:"variables"`
}

// ComparedVariable is a variable that at least one of the two has.
type ComparedVariable struct {
	Name string `json:"name"`
	// Result is equal, different, only here, only there, or unknown where a value could not be read.
	Result ComparisonResult `json:"result"`
	// Here and There are the values, masked where either is sensitive.
	Here  *Value `json:"here,omitempty"`
	There *Value `json:"there,omitempty"`
}

// ComparisonResult is the result for one variable.
type ComparisonResult string

// The results.
const (
	Equal     ComparisonResult = "equal"
	Different ComparisonResult = "different"
	OnlyHere  ComparisonResult = "only here"
	OnlyThere ComparisonResult = "only there"
	NotKnown  ComparisonResult = "unknown"
)

// Compare compares two inspections.
func Compare(here, there Inspection) Comparison {
	all := Comparison{Environment: here.Environment, Other: there.Environment, Containers: []ComparedContainer{}}
	of := func(containers []Container, like Container) []Variable {
		c := list.Find(containers, func(c Container) bool { return c.Role == like.Role && c.Container == like.Container })
		if c == nil {
			return nil
		}
		return c.Variables
	}
	for _, c := range append(slices.Clone(here.Containers), there.Containers...) {
		same := func(done ComparedContainer) bool { return done.Role == c.Role && done.Container == c.Container }
		if !slices.ContainsFunc(all.Containers, same) {
			all.Containers = append(all.Containers, ComparedContainer{
				c.Role, c.Container, compareVariables(of(here.Containers, c), of(there.Containers, c)),
			})
		}
	}
	return all
}

func compareVariables(here, there []Variable) []ComparedVariable {
	// A missing variable does not exist, required or not.
	byName := func(variables []Variable) map[string]Variable {
		named := map[string]Variable{}
		for _, v := range variables {
			if v.State != State("missing") {
				named[v.Name] = v
			}
		}
		return named
	}
	ours, theirs := byName(here), byName(there)
	names := maps.Clone(ours)
	maps.Copy(names, theirs)
	compared := []ComparedVariable{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, isHere := ours[name]
		b, isThere := theirs[name]
		variable := ComparedVariable{Name: name, Result: compareVariable(a, b, isHere, isThere)}
		sensitive := a.Value.Sensitive() || b.Value.Sensitive()
		if isHere {
			variable.Here = &Value{a.Value.text, sensitive}
		}
		if isThere {
			variable.There = &Value{b.Value.text, sensitive}
		}
		compared = append(compared, variable)
	}
	return compared
}

func compareVariable(a, b Variable, isHere, isThere bool) ComparisonResult {
	switch {
	case !isThere:
		return OnlyHere
	case !isHere:
		return OnlyThere
	case !a.known() || !b.known():
		return NotKnown
	case a.Value.Reveal() == b.Value.Reveal():
		return Equal
	}
	return Different
}

package pricing

import (
	"fmt"
	"math"
	"strings"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// BudgetWarning returns a warning where the budget of a file, in US dollars a month, is less than what the file costs by the
// estimate, else nil: AWS would report such a budget as exceeded every month. Where the database's class has no price, there is no sum to
// compare, and the warning is about the class.
func BudgetWarning(env *environment.Environment) *environment.Warning {
	const step = 50
	estimate := EstimateEnvironment(env, DefaultAssumptions())
	if len(estimate.Unpriced) > 0 {
		classes := list.Map(instanceClasses(), func(c instanceClass) string { return c.name })
		return &environment.Warning{
			Path: "database.instanceClass",
			Message: fmt.Sprintf("%s has no price in the deployer's table, so the budget is not compared with the estimate",
				env.Database.InstanceClass),
			Remedy: "compare them with AWS's calculator, or give a class that has a price: " + strings.Join(classes, ", "),
		}
	}
	cost := estimate.USD
	if float64(env.Budget.MonthlyUSD) >= cost {
		return nil
	}
	return &environment.Warning{
		Path:    "budget.monthlyUSD",
		Message: fmt.Sprintf("the estimate is $%.2f a month, and the budget $%d: AWS would report it as exceeded every month", cost, env.Budget.MonthlyUSD),
		Remedy:  fmt.Sprintf("give at least the estimate, such as %.0f, or use what `deployer cost --env %s` lists as savings", math.Ceil(cost/step)*step, env.Stack),
	}
}

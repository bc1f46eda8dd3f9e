package pricing

import (
	"fmt"
	"math"

	"github.com/balancer/v3-backend-infra/environment"
)

// BudgetWarning returns a warning where the budget of a file, in US dollars a month, is less than what the file costs by the
// estimate, else nil: AWS would report such a budget as exceeded every month.
func BudgetWarning(env *environment.Environment) *environment.Warning {
	const step = 50
	cost := EstimateEnvironment(env, DefaultAssumptions()).USD
	if float64(env.Budget.MonthlyUSD) >= cost {
		return nil
	}
	return &environment.Warning{
		Path:    "budget.monthlyUSD",
		Message: fmt.Sprintf("the estimate is $%.2f a month, and the budget $%d: AWS would report it as exceeded every month", cost, env.Budget.MonthlyUSD),
		Remedy:  fmt.Sprintf("give at least %.0f, or use what `deployer cost --env %s` lists as savings", math.Ceil(cost/step)*step, env.Stack),
	}
}

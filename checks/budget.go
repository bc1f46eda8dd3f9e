package checks

import (
	"context"
	"math"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/budgets"
	budgettypes "github.com/aws/aws-sdk-go-v2/service/budgets/types"

	"github.com/balancer/v3-backend-infra/environment"
)

func checkBudget(ctx context.Context, e *estate) ([]Finding, error) {
	out, err := budgets.NewFromConfig(e.aws()).DescribeBudget(ctx, &budgets.DescribeBudgetInput{
		AccountId: aws.String(e.env.Account), BudgetName: aws.String(e.env.BudgetName()),
	})
	if hasCode(err, "NotFoundException") {
		return []Finding{evaluateBudget(nil, e.env)}, nil
	}
	if err != nil {
		return nil, err
	}
	return []Finding{evaluateBudget(out.Budget, e.env)}, nil
}

// evaluateBudget judges what this month costs, and is going to.
func evaluateBudget(budget *budgettypes.Budget, env *environment.Environment) Finding {
	what := about("budget", "Budget-"+env.BudgetName())
	if budget == nil {
		return what.warning("BudgetMissing", deployHint(env, "the environment was never deployed, or the budget was deleted"),
			"there is no budget %s: nobody is told of costs", env.BudgetName())
	}
	limit, _ := amount(budget.BudgetLimit)
	what = what.with("limit_usd", limit)
	var spent, forecast float64
	if spend := budget.CalculatedSpend; spend != nil {
		var known bool
		if spent, known = amount(spend.ActualSpend); known {
			what = what.with("spent_usd", spent)
		}
		if forecast, known = amount(spend.ForecastedSpend); known {
			what = what.with("forecast_usd", forecast)
		}
	}
	hint := Hint{
		Cause:    "the environment costs more than was planned",
		Solution: "see what costs most, and raise the budget or save", Command: command(env, "cost"),
	}
	switch {
	case math.Round(limit) != float64(env.Budget.MonthlyUSD):
		return what.warning("OtherLimit", driftHint(env, "the budget was changed by hand"),
			"the budget is $%.2f, the environment's file says $%d", limit, env.Budget.MonthlyUSD)
	case spent > limit:
		return what.warning("OverBudget", hint, "$%.2f spent of $%.2f this month", spent, limit)
	case forecast > limit:
		return what.warning("ForecastOverBudget", hint, "$%.2f spent, $%.2f forecast, of $%.2f this month", spent, forecast, limit)
	}
	return what.healthy("WithinBudget", "$%.2f spent of $%.2f this month", spent, limit)
}

func amount(spend *budgettypes.Spend) (float64, bool) {
	if spend == nil {
		return 0, false
	}
	value, err := strconv.ParseFloat(aws.ToString(spend.Amount), 64)
	return value, err == nil
}

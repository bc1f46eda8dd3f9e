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

// readBudget returns the environment's budget, or nil where there is none.
func readBudget(ctx context.Context, rc *runContext) (*budgettypes.Budget, error) {
	out, err := budgets.NewFromConfig(rc.aws()).DescribeBudget(ctx, &budgets.DescribeBudgetInput{
		AccountId: aws.String(rc.env.Account), BudgetName: aws.String(rc.env.BudgetName()),
	})
	if err != nil {
		return nil, ignoreCodes(err, "NotFoundException")
	}
	return out.Budget, nil
}

// Spend is what AWS Budgets has for this month, in US dollars.
type Spend struct {
	LimitUSD float64 `json:"limitUSD"`
	SpentUSD float64 `json:"spentUSD"`
	// ForecastUSD is nil while AWS has too little data for a forecast.
	ForecastUSD *float64 `json:"forecastUSD"`
}

// ReadSpend returns what the environment has cost this month, or nil where it has no budget.
func ReadSpend(ctx context.Context, cfg aws.Config, env *environment.Environment) (*Spend, error) {
	budget, err := readBudget(ctx, &runContext{env: env, src: Sources{AWS: cfg}})
	if budget == nil || err != nil {
		return nil, err
	}
	spend := &Spend{}
	spend.LimitUSD, _ = amount(budget.BudgetLimit)
	if calculated := budget.CalculatedSpend; calculated != nil {
		spend.SpentUSD, _ = amount(calculated.ActualSpend)
		if forecast, known := amount(calculated.ForecastedSpend); known {
			spend.ForecastUSD = &forecast
		}
	}
	return spend, nil
}

func evaluateBudget(budget *budgettypes.Budget, env *environment.Environment) Finding {
	f := newFinding("budget", "Budget-"+env.BudgetName())
	if budget == nil {
		hint := missingHint(env, "the budget")
		hint.Cause += ", or AWS refused it: in an organization, the management account has to enable budgets for its member accounts"
		return f.warning("BudgetMissing", hint,
			"the budget %s does not exist, so that no one is notified of costs", env.BudgetName())
	}
	limit, limitKnown := amount(budget.BudgetLimit)
	if !limitKnown {
		return f.unknown("LimitUnknown", incompleteAnswer("DescribeBudget", "BudgetLimit"), "the limit of the budget is unknown")
	}
	f = f.with("limit_usd", limit)
	var spent, forecast float64
	if spend := budget.CalculatedSpend; spend != nil {
		var known bool
		if spent, known = amount(spend.ActualSpend); known {
			f = f.with("spent_usd", spent)
		}
		if forecast, known = amount(spend.ForecastedSpend); known {
			f = f.with("forecast_usd", forecast)
		}
	}
	hint := Hint{
		Cause:    "the environment costs more than was planned",
		Solution: "find the largest costs, then reduce them or raise the budget", Command: command(env, "cost"),
	}
	switch {
	case math.Round(limit) != float64(env.Budget.MonthlyUSD):
		return f.warning("OtherLimit", differsHint(env, "the budget was changed"),
			"the budget is $%.2f, the environment's file has $%d", limit, env.Budget.MonthlyUSD)
	case spent > limit:
		return f.warning("OverBudget", hint, "$%.2f spent of $%.2f this month", spent, limit)
	case forecast > limit:
		return f.warning("ForecastOverBudget", hint, "$%.2f spent, $%.2f forecast, of $%.2f this month", spent, forecast, limit)
	}
	return f.healthy("WithinBudget", "$%.2f spent of $%.2f this month", spent, limit)
}

func amount(spend *budgettypes.Spend) (float64, bool) {
	if spend == nil {
		return 0, false
	}
	value, err := strconv.ParseFloat(aws.ToString(spend.Amount), 64)
	return value, err == nil
}

package cloud

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/budgets"
	"github.com/aws/aws-sdk-go-v2/service/budgets/types"
)

func budgetsOperations() []operation {
	return []operation{readOp(describeBudget)}
}

// describeBudget returns a spend that grows evenly over the month to 80 % of the limit.
func describeBudget(m model, in *budgets.DescribeBudgetInput) (*budgets.DescribeBudgetOutput, error) {
	r := m.Get(typeBudget, m.ID+":"+deref(in.BudgetName))
	if r == nil || deref(in.AccountId) != m.ID {
		return nil, &types.NotFoundException{Message: aws.String("Unable to get budget: " + deref(in.BudgetName) + " - the budget doesn't exist.")}
	}
	limit := float64(numberOr(r, "limitAmount", 0))
	year, month, _ := m.now.Date()
	begins, ends := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC), time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
	passed := m.now.Sub(begins).Hours() / ends.Sub(begins).Hours()
	usd := func(amount float64) *types.Spend {
		return &types.Spend{Amount: aws.String(text(float64(int(amount*100)) / 100)), Unit: aws.String("USD")}
	}
	return &budgets.DescribeBudgetOutput{Budget: &types.Budget{
		BudgetName: in.BudgetName, BudgetType: types.BudgetType(r.Text("budgetType")), TimeUnit: types.TimeUnit(r.Text("timeUnit")),
		BudgetLimit:     usd(limit),
		CalculatedSpend: &types.CalculatedSpend{ActualSpend: usd(limit * 0.8 * passed), ForecastedSpend: usd(limit * 0.8)},
		TimePeriod:      &types.TimePeriod{Start: aws.Time(begins), End: aws.Time(ends)}, LastUpdatedTime: &r.Created,
	}}, nil
}

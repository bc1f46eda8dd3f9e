package infra

import (
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/budgets"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Budget is the monthly budget. It only notifies; it stops nothing.
type Budget struct {
	pulumi.ResourceState
}

// NewBudget declares a Budget for the resources with the environment's tag. AWS counts by a tag only after it was
// activated as a cost allocation tag in the billing console, once per account.
// Source: https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/activating-tags.html
//
// It notifies whom the alarms notify. With basic monitoring notifications is nil, and AWS mails the environment's addresses itself.
func NewBudget(
	ctx *pulumi.Context, name string, env *environment.Environment, notifications *Notifications, opts ...pulumi.ResourceOption,
) (*Budget, error) {
	c := &Budget{}
	child, err := declare(ctx, "Budget", name, c, opts)
	if err != nil {
		return nil, err
	}
	if _, err := budgets.NewBudget(ctx, name, &budgets.BudgetArgs{
		Name:        pulumi.String(env.BudgetName()),
		BudgetType:  pulumi.String("COST"),
		TimeUnit:    pulumi.String("MONTHLY"),
		LimitAmount: pulumi.String(strconv.Itoa(env.Budget.MonthlyUSD)),
		LimitUnit:   pulumi.String("USD"),
		CostFilters: budgets.BudgetCostFilterArray{budgets.BudgetCostFilterArgs{
			Name:   pulumi.String("TagKeyValue"),
			Values: pulumi.StringArray{pulumi.String("user:Environment$" + env.Name)},
		}},
		Notifications: budgetNotifications(env, notifications),
		Tags:          withName(env.Tags(), env.BudgetName()),
	}, child); err != nil {
		return nil, err
	}
	return c, finish(ctx, name, c, pulumi.Map{})
}

// budgetNotifications notifies people when 80 % are spent, and when the forecast exceeds the budget. AWS rejects a
// notification without a recipient.
func budgetNotifications(env *environment.Environment, notifications *Notifications) budgets.BudgetNotificationArray {
	if notifications == nil && len(env.Monitoring.Emails) == 0 {
		return nil
	}
	notification := func(kind string, percent float64) budgets.BudgetNotificationArgs {
		args := budgets.BudgetNotificationArgs{
			NotificationType:   pulumi.String(kind),
			ComparisonOperator: pulumi.String("GREATER_THAN"),
			Threshold:          pulumi.Float64(percent),
			ThresholdType:      pulumi.String("PERCENTAGE"),
		}
		if notifications != nil {
			args.SubscriberSnsTopicArns = pulumi.StringArray{notifications.TopicARN}
		} else {
			args.SubscriberEmailAddresses = pulumi.ToStringArray(env.Monitoring.Emails)
		}
		return args
	}
	return budgets.BudgetNotificationArray{notification("ACTUAL", 80), notification("FORECASTED", 100)}
}

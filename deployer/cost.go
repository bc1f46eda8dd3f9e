package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/pricing"
)

func costVerb() verb {
	quiet := pricing.DefaultAssumptions()
	return verb{
		name: "cost", usage: "what an environment costs a month, by its file",
		about: `Estimates the bill from the environment's file and a table of list prices, without asking AWS: what the program declares,
730 hours a month, with the fewest tasks. Quantities that no file says follow from --requests-million and --data-gb and are
marked with ~. Says what is left out, whether the budget is enough, and which settings would save most. --against shows the
difference to another environment, or to any file of one, such as an earlier version. --actual asks AWS Budgets what this
month has cost so far. --env takes several environments, a,b or all, and shared.
Exit code: 0 estimated, 3 could not run.`,
		examples: []string{
			"deployer cost --env staging",
			"deployer cost --env all --requests-million 50 --data-gb 200",
			"deployer cost --env staging --against production",
			"git show main:Pulumi.staging.yaml > before.yaml && deployer cost --env staging --against before.yaml",
			"deployer cost --env production --actual",
		},
		formats: []string{"text", "json"},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "against", Usage: "show the difference to `ENV`, or to the file of an environment"},
			&cli.BoolFlag{Name: "actual", Usage: "ask AWS Budgets what this month has cost and is going to"},
			&cli.Float64Flag{Name: "requests-million", Usage: "millions of requests a month, `N`", Value: quiet.RequestsMillion},
			&cli.Float64Flag{Name: "data-gb", Usage: "`GB` a month to clients, and as many through NAT", Value: quiet.DataGB},
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return cost{
				settings: s, against: c.String("against"), actual: c.Bool("actual"),
				assumed: pricing.Assumptions{RequestsMillion: c.Float64("requests-million"), DataGB: c.Float64("data-gb")},
			}.run(ctx)
		},
	}
}

// cost estimates environments.
type cost struct {
	settings
	// against is the environment or the file to compare with, "" for none.
	against string
	actual  bool
	assumed pricing.Assumptions
}

func (c cost) run(ctx context.Context) error {
	if c.name == "" {
		_, err := c.environment()
		return err
	}
	if err := c.checkAssumptions(); err != nil {
		return err
	}
	names, err := c.names()
	if err != nil {
		return err
	}
	listed := strings.Contains(c.name, ",") || c.name == allEnvironments
	var (
		found  []ui.Cost
		failed []error
	)
	for _, name := range names {
		one := c
		one.name = name
		result, err := one.estimate()
		if err != nil {
			return err
		}
		if c.actual {
			failed = append(failed, one.ask(ctx, &result))
		}
		found = append(found, result)
	}
	return errors.Join(append(failed, ui.Costs(c.out, found, listed, c.format, c.style()))...)
}

func (c cost) checkAssumptions() error {
	for flag, value := range map[string]float64{"requests-million": c.assumed.RequestsMillion, "data-gb": c.assumed.DataGB} {
		if value < 0 || math.IsNaN(value) || math.IsInf(value, 0) {
			return hint.With(fmt.Errorf("--%s %v is no amount", flag, value), "give a number such as 10; 0 leaves its lines out")
		}
	}
	return nil
}

// estimate is the estimate of the one environment, or of what all share.
func (c cost) estimate() (ui.Cost, error) {
	if c.name == environment.SharedStack {
		return c.estimateShared()
	}
	env, err := c.environment()
	if err != nil {
		return ui.Cost{}, err
	}
	result := ui.Cost{
		Environment: env.Name, Stack: env.Stack, Region: env.Region, File: environment.FileName(env.Stack), BudgetUSD: env.Budget.MonthlyUSD,
		Estimate: pricing.EstimateEnvironment(env, c.assumed), Assumptions: c.assumed, Savings: pricing.Savings(env, c.assumed),
	}
	if c.against == "" {
		return result, nil
	}
	other, err := c.other()
	if err != nil {
		return ui.Cost{}, err
	}
	estimate := pricing.EstimateEnvironment(other, c.assumed)
	result.Against = &ui.CostAgainst{Name: c.against, Estimate: estimate, Differences: pricing.Differences(result.Estimate, estimate)}
	return result, nil
}

func (c cost) estimateShared() (ui.Cost, error) {
	if c.against != "" || c.actual {
		return ui.Cost{}, hint.With(errors.New("the shared stack has no budget, and nothing to be compared with"), "leave --against and --actual out, or name an environment")
	}
	shared, err := c.shared()
	if err != nil {
		return ui.Cost{}, err
	}
	return ui.Cost{
		Environment: environment.SharedStack, Stack: environment.SharedStack, Region: shared.Region,
		File: environment.FileName(environment.SharedStack), Estimate: pricing.EstimateShared(shared), Assumptions: c.assumed,
		Savings: []pricing.Saving{},
	}, nil
}

// other is what --against names: an environment, or a file.
func (c cost) other() (*environment.Environment, error) {
	env, err := environment.Load(c.dir, c.against)
	if missing := (*environment.NotFoundError)(nil); !errors.As(err, &missing) {
		return env, err
	}
	if _, statErr := os.Stat(c.against); errors.Is(statErr, fs.ErrNotExist) {
		return nil, hint.With(fmt.Errorf("--against %s: there is neither such an environment nor such a file", c.against),
			"`deployer env list` lists the environments; an earlier version of a file: git show main:Pulumi.staging.yaml > before.yaml")
	}
	return environment.LoadFile(c.against)
}

// ask adds what this month has cost. That AWS does not tell is said in the result and is no error; that it cannot be
// asked is one.
func (c cost) ask(ctx context.Context, result *ui.Cost) error {
	return c.visit(ctx, func(env *environment.Environment, p *place) error {
		spend, err := checks.ReadSpend(ctx, p.aws, env)
		switch {
		case checks.AccessDenied(err):
			result.Actual = &ui.CostActual{Unknown: "AWS refuses: these credentials need budgets:ViewBudget"}
			return nil
		case err != nil:
			return fmt.Errorf("ask AWS Budgets for %s: %w", env.BudgetName(), err)
		case spend == nil:
			result.Actual = &ui.CostActual{Unknown: "there is no budget " + env.BudgetName() + "; a full deployment makes it"}
			return nil
		}
		result.Actual = &ui.CostActual{Spend: spend}
		return nil
	})
}

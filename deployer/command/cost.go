package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
	"github.com/balancer/v3-backend-infra/pricing"
)

func costVerb() verb {
	quiet := pricing.DefaultAssumptions()
	return verb{
		name: "cost", usage: "estimate the monthly cost of an environment from its file",
		long: `Estimates the bill from the environment's file and a table of list prices, without calling AWS: the resources that the program
declares, 730 hours a month, with the fewest tasks. Quantities that no file contains are derived from --requests-million and
--data-gb and are marked with ~. Reports what the estimate omits, whether the budget is sufficient, what the settings in use
save, and which others would save. --against shows the difference to another environment, or to the file of one, such as an earlier version. --actual
adds this month's cost so far from AWS Budgets. --env takes several environments, a,b or all, and shared.
Exit code: 0 estimated, 3 could not run.`,
		examples: []string{
			"deployer cost --env staging",
			"deployer cost --env all --requests-million 50 --data-gb 200",
			"deployer cost --env staging --against production",
			"git show main:Pulumi.staging.yaml > before.yaml && deployer cost --env staging --against before.yaml",
			"deployer cost --env production --actual",
		},
		takesSeveral: true,
		formats:      []string{"text", "json"},
		takesShared:  true,
		flags: []cli.Flag{
			&cli.StringFlag{Name: "against", Usage: "compare with `ENV`, or with the file of an environment"},
			&cli.BoolFlag{Name: "actual", Usage: "add this month's actual and forecast cost from AWS Budgets"},
			&cli.Float64Flag{Name: "requests-million", Usage: "millions of requests a month, `N`", Value: quiet.RequestsMillion},
			&cli.Float64Flag{Name: "data-gb", Usage: "`GB` a month to clients; the same amount is assumed through NAT", Value: quiet.DataGB},
		},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return costOptions{
				targets: s.targets, terminal: s.terminal, format: s.flags.format, against: c.String("against"), actual: c.Bool("actual"),
				assumed: pricing.Assumptions{RequestsMillion: c.Float64("requests-million"), DataGB: c.Float64("data-gb")},
			}.run(ctx)
		},
	}
}

type costOptions struct {
	targets  *targets
	terminal *terminal
	format   string
	// against is the environment or the file to compare with, "" for none.
	against string
	actual  bool
	assumed pricing.Assumptions
}

func (o costOptions) run(ctx context.Context) error {
	if err := o.checkAssumptions(); err != nil {
		return err
	}
	var failed []error
	found, err := forEachEnvironment(ctx, o.targets, func(ctx context.Context, name string) (*ui.Cost, error) {
		result, err := o.estimate(name)
		if err == nil && o.actual {
			failed = append(failed, o.addActual(ctx, name, &result))
		}
		return &result, err
	}, func(string, error) *ui.Cost {
		failed = append(failed, exitStatus(codeNotRun))
		return nil
	})
	if err != nil {
		return err
	}
	var estimates []ui.Cost
	for _, one := range found {
		if one != nil {
			estimates = append(estimates, *one)
		}
	}
	err = errors.Join(append(failed, ui.Costs(o.terminal.out, estimates, o.targets.several(), o.format, o.terminal.style()))...)
	if o.targets.several() && o.format == "text" {
		note := "`deployer cost --env NAME` shows the lines, what is assumed and left out, and what would save most."
		o.terminal.print(text.Wrap(o.terminal.flags.addTo(note), ui.CostWidth, "  ") + "\n")
	}
	return err
}

func (o costOptions) checkAssumptions() error {
	for flag, value := range map[string]float64{"requests-million": o.assumed.RequestsMillion, "data-gb": o.assumed.DataGB} {
		if value < 0 || math.IsNaN(value) || math.IsInf(value, 0) {
			return hint.With(fmt.Errorf("--%s %v is not an amount", flag, value), "give a number such as 10; 0 leaves its lines out")
		}
	}
	return nil
}

// estimate estimates one environment, or the shared stack.
func (o costOptions) estimate(name string) (ui.Cost, error) {
	if name == environment.SharedStack {
		return o.estimateShared()
	}
	env, err := o.targets.environment(name)
	if err != nil {
		return ui.Cost{}, err
	}
	result := ui.Cost{
		Environment: env.Name, Stack: env.Stack, Region: env.Region, File: environment.FileName(env.Stack), BudgetUSD: env.Budget.MonthlyUSD,
		Estimate: pricing.EstimateEnvironment(env, o.assumed), Assumptions: o.assumed,
		InUse: pricing.InUse(env, o.assumed), Savings: pricing.Savings(env, o.assumed),
	}
	if o.against == "" {
		return result, nil
	}
	other, err := o.other()
	if err != nil {
		return ui.Cost{}, err
	}
	estimate := pricing.EstimateEnvironment(other, o.assumed)
	result.Against = &ui.CostAgainst{Name: o.against, Estimate: estimate, Differences: pricing.Differences(result.Estimate, estimate)}
	return result, nil
}

func (o costOptions) estimateShared() (ui.Cost, error) {
	if o.against != "" || o.actual {
		return ui.Cost{}, hint.With(errors.New("the shared stack has no budget and cannot be compared"), "leave --against and --actual out, or name an environment")
	}
	shared, err := o.targets.shared()
	if err != nil {
		return ui.Cost{}, err
	}
	return ui.Cost{
		Environment: environment.SharedStack, Stack: environment.SharedStack, Region: shared.Region,
		File: environment.FileName(environment.SharedStack), Estimate: pricing.EstimateShared(shared), Assumptions: o.assumed,
		InUse: []pricing.Saving{}, Savings: []pricing.Saving{},
	}, nil
}

// other loads what --against names: an environment, or a file.
func (o costOptions) other() (*environment.Environment, error) {
	env, err := environment.Load(o.targets.options.Dir, o.against)
	if missing := (*environment.NotFoundError)(nil); !errors.As(err, &missing) {
		return env, err
	}
	if _, statErr := os.Stat(o.against); errors.Is(statErr, fs.ErrNotExist) {
		return nil, hint.With(fmt.Errorf("--against %s: no environment and no file has this name", o.against),
			"`deployer env list` lists the environments; an earlier version of a file: git show main:Pulumi.staging.yaml > before.yaml")
	}
	return environment.LoadFile(o.against)
}

// addActual adds what this month has cost. Where AWS denies access or has no budget, the result contains the reason, and
// that is no error; a budget that cannot be read is one.
func (o costOptions) addActual(ctx context.Context, name string, result *ui.Cost) error {
	return o.targets.with(ctx, name, func(t *target.Target) error {
		env := t.Env
		spend, err := checks.ReadSpend(ctx, t.AWS, env)
		switch {
		case checks.AccessDenied(err):
			result.Actual = &ui.CostActual{Unknown: "access denied: these credentials need budgets:ViewBudget"}
			return nil
		case err != nil:
			return fmt.Errorf("ask AWS Budgets for %s: %w", env.BudgetName(), err)
		case spend == nil:
			result.Actual = &ui.CostActual{Unknown: "the budget " + env.BudgetName() + " does not exist; a full deployment creates it"}
			return nil
		}
		result.Actual = &ui.CostActual{Spend: spend}
		return nil
	})
}

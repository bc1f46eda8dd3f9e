package ui

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/pricing"
)

// Cost is what an environment, or what all share, costs a month.
type Cost struct {
	Environment string `json:"environment"`
	Stack       string `json:"stack"`
	Region      string `json:"region"`
	File        string `json:"file"`
	pricing.Estimate
	// BudgetUSD is the file's; 0 where there is none.
	BudgetUSD   int                 `json:"budgetUSD"`
	Assumptions pricing.Assumptions `json:"assumptions"`
	Savings     []pricing.Saving    `json:"savings"`
	Against     *CostAgainst        `json:"against,omitempty"`
	Actual      *CostActual         `json:"actual,omitempty"`
}

// CostAgainst is what the environment is compared with.
type CostAgainst struct {
	Name string `json:"name"`
	pricing.Estimate
	Differences []pricing.Difference `json:"differences"`
}

// CostActual is what AWS says of this month, or why it does not.
type CostActual struct {
	*checks.Spend
	Unknown string `json:"unknown,omitempty"`
}

// costJSON is a cost with the prices that it stands on.
type costJSON struct {
	Cost
	PricesRegion  string   `json:"pricesRegion"`
	PricesAsOf    string   `json:"pricesAsOf"`
	HoursPerMonth int      `json:"hoursPerMonth"`
	LeftOut       []string `json:"leftOut"`
}

// costWidth is what a line may have where there is no terminal, savingsShown how many settings a person reads.
const (
	costWidth    = 80
	savingsShown = 5
)

// Costs shows estimates: one by its lines, several side by side. Comparisons are shown one after the other.
func Costs(w io.Writer, costs []Cost, listed bool, format string, style Style) error {
	if format == "json" {
		all := []costJSON{}
		for _, c := range costs {
			all = append(all, costJSON{c, pricing.Region, pricing.AsOf(), pricing.HoursPerMonth, pricing.LeftOut()})
		}
		if listed {
			return JSON(w, all)
		}
		return JSON(w, all[0])
	}
	if listed && costs[0].Against == nil {
		return costOverview(w, costs, style)
	}
	for i, c := range costs {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		show := showCost
		if c.Against != nil {
			show = showDifference
		}
		if err := show(w, c, style); err != nil {
			return err
		}
	}
	return nil
}

func usd(amount float64) string { return fmt.Sprintf("$%.2f", amount) }

// signed is an amount more or less.
func signed(amount float64) string {
	if amount < 0 {
		return fmt.Sprintf("-$%.2f", -amount)
	}
	return fmt.Sprintf("+$%.2f", amount)
}

// price is the price of a unit, which can be less than a cent.
func price(amount float64) string {
	exact := strconv.FormatFloat(amount, 'f', -1, 64)
	if _, decimals, _ := strings.Cut(exact, "."); len(decimals) > 2 {
		return "$" + exact
	}
	return usd(amount)
}

func showCost(w io.Writer, c Cost, style Style) error {
	sum := fmt.Sprintf("%s: about %s a month", c.Environment, usd(c.USD))
	if c.MostUSD > c.USD {
		sum += fmt.Sprintf(", %s with as many tasks as may run", usd(c.MostUSD))
	}
	if err := costNotes(w, style.paint(sum, text.Bold)); err != nil {
		return err
	}
	t := style.table("resource", "quantity", "unit", "price", "a month", "at most")
	t.SetColumnConfigs([]table.ColumnConfig{right(2), right(4), right(5), right(6)})
	area := ""
	for _, line := range c.Lines {
		if line.Area != area {
			area = line.Area
			t.AppendRow(table.Row{area})
		}
		mark, most := "  ", ""
		if line.Assumed {
			mark = "~ "
		}
		if line.MostUSD > line.USD {
			most = usd(line.MostUSD)
		}
		t.AppendRow(table.Row{
			mark + line.Resource, fmt.Sprintf("%.1f", line.Quantity), line.Unit, price(line.UnitUSD), usd(line.USD), most,
		})
	}
	sums := table.Row{"all", "", "", "", usd(c.USD)}
	if c.MostUSD > c.USD {
		sums = append(sums, usd(c.MostUSD))
	}
	t.AppendRow(sums)
	if err := render(w, t); err != nil {
		return err
	}
	notes := append(costBasis(c), budgetNotes(c)...)
	if c.BudgetUSD > 0 {
		notes = append(notes, fmt.Sprintf("%s of it is for NAT, load balancer, addresses and web ACL, whatever the size of tasks and database.", usd(c.Everywhere())))
	}
	notes = append(notes, savingNotes(c.Savings)...)
	notes = append(notes, assumedNotes(c)...)
	return costNotes(w, append(notes, list("Not in the estimate:", pricing.LeftOut())...)...)
}

func right(column int) table.ColumnConfig {
	return table.ColumnConfig{Number: column, Align: text.AlignRight, AlignHeader: text.AlignRight}
}

// costBasis says what the amounts stand on.
func costBasis(c Cost) []string {
	notes := []string{
		fmt.Sprintf("List prices of %s as of %s, %d hours a month, the fewest tasks.", pricing.Region, pricing.AsOf(), pricing.HoursPerMonth),
	}
	if c.Region != pricing.Region {
		notes = append(notes, fmt.Sprintf("%s lies in %s, where prices are others: the table has only those of %s.", c.Environment, c.Region, pricing.Region))
	}
	for _, missing := range c.Unpriced {
		notes = append(notes, "Missing in the sum: "+missing+".")
	}
	return notes
}

// assumedNotes say what the quantities stand on that no file gives.
func assumedNotes(c Cost) []string { return list("Assumed (~):", c.Assumed) }

// list is a heading with a line for each thing.
func list(heading string, things []string) []string {
	notes := []string{heading}
	for _, thing := range things {
		notes = append(notes, "  - "+thing)
	}
	return notes
}

// budgetNotes hold the estimate, and what AWS says, against the budget.
func budgetNotes(c Cost) []string {
	var notes []string
	if c.BudgetUSD > 0 {
		budget := float64(c.BudgetUSD)
		note := fmt.Sprintf("The budget in %s is %s: the estimate is %s below it.", c.File, usd(budget), usd(budget-c.USD))
		if c.USD > budget {
			note = fmt.Sprintf("The budget in %s is %s: the estimate exceeds it by %s.", c.File, usd(budget), usd(c.USD-budget))
		}
		notes = append(notes, note)
	}
	switch a := c.Actual; {
	case a == nil:
	case a.Spend == nil:
		notes = append(notes, "What "+c.Environment+" has really cost is not known: "+a.Unknown+".")
	default:
		note := fmt.Sprintf("AWS counts %s for %s this month", usd(a.SpentUSD), c.Environment)
		if a.ForecastUSD != nil {
			note += fmt.Sprintf(" and forecasts %s", usd(*a.ForecastUSD))
		}
		notes = append(notes, note+fmt.Sprintf(", of a budget of %s.", usd(a.LimitUSD)))
		if a.SpentUSD == 0 {
			notes = append(notes, "AWS counts nothing until the cost allocation tag Environment is activated in the billing console.")
		}
	}
	return notes
}

// savingNotes name the settings that would save most.
func savingNotes(savings []pricing.Saving) []string {
	if len(savings) == 0 {
		return nil
	}
	notes := []string{"Settings that would save most, each alone:"}
	for _, s := range savings[:min(len(savings), savingsShown)] {
		notes = append(notes, fmt.Sprintf("  %8s %s: %s → %s (%s)", usd(s.USD), s.Setting, s.From, s.To, s.Price))
	}
	return notes
}

// showDifference shows the resources that cost another amount.
func showDifference(w io.Writer, c Cost, style Style) error {
	against := c.Against
	delta := c.USD - against.USD
	comparison := "as much as"
	switch {
	case delta > 0:
		comparison = usd(delta) + " more than"
	case delta < 0:
		comparison = usd(-delta) + " less than"
	}
	sum := fmt.Sprintf("%s: about %s a month, %s %s", c.Environment, usd(c.USD), comparison, against.Name)
	if err := costNotes(w, style.paint(sum, text.Bold)); err != nil {
		return err
	}
	if len(against.Differences) > 0 {
		t := style.table("resource", c.Environment, "against", "difference")
		t.SetColumnConfigs([]table.ColumnConfig{right(2), right(3), right(4)})
		for _, d := range against.Differences {
			t.AppendRow(table.Row{d.Resource, usd(d.USD), usd(d.Against), signed(d.Delta)})
		}
		t.AppendRow(table.Row{"all", usd(c.USD), usd(against.USD), signed(delta)})
		if c.MostUSD != against.MostUSD {
			t.AppendRow(table.Row{"all, at most", usd(c.MostUSD), usd(against.MostUSD), signed(c.MostUSD - against.MostUSD)})
		}
		if err := render(w, t); err != nil {
			return err
		}
	}
	notes := append([]string{"Whatever is not listed costs the same."}, costBasis(c)...)
	for _, missing := range against.Unpriced {
		notes = append(notes, "Missing in the sum against: "+missing+".")
	}
	return costNotes(w, slices.Concat(notes, budgetNotes(c), assumedNotes(c))...)
}

// costOverview shows several environments, a row each, in whole dollars.
func costOverview(w io.Writer, costs []Cost, style Style) error {
	t := style.table("env", "network", "entrance", "tasks", "database", "rest", "total", "most", "budget")
	var configs []table.ColumnConfig
	for column := 2; column <= 9; column++ {
		configs = append(configs, right(column))
	}
	t.SetColumnConfigs(configs)
	whole := func(amount float64) string { return fmt.Sprintf("$%.0f", amount) }
	var all, most float64
	for _, c := range costs {
		budget := "-"
		if c.BudgetUSD > 0 {
			budget = whole(float64(c.BudgetUSD))
		}
		t.AppendRow(table.Row{
			c.Stack, whole(c.Area(pricing.AreaNetwork)), whole(c.Area(pricing.AreaEntrance)), whole(c.Area(pricing.AreaTasks)),
			whole(c.Area(pricing.AreaDatabase)), whole(c.Area(pricing.AreaMonitoring) + c.Area(pricing.AreaOther) + c.Area(pricing.AreaShared)),
			whole(c.USD), whole(c.MostUSD), budget,
		})
		all, most = all+c.USD, most+c.MostUSD
	}
	t.AppendRow(table.Row{"all", "", "", "", "", "", whole(all), whole(most), ""})
	if err := render(w, t); err != nil {
		return err
	}
	var notes []string
	for i, c := range costs {
		basis := costBasis(c)
		if i == 0 {
			notes = append(notes, basis[0])
		}
		notes = append(notes, basis[1:]...)
		notes = append(notes, budgetNotes(c)...)
	}
	return costNotes(w, append(notes, "`deployer cost --env NAME` shows the lines, what is assumed and left out, and what would save.")...)
}

// costNotes writes sentences within the width, what is indented stays so.
func costNotes(w io.Writer, notes ...string) error {
	for _, note := range notes {
		body := strings.TrimLeft(note, " ")
		indent := strings.Repeat(" ", len(note)-len(body))
		for i, part := range strings.Split(text.WrapSoft(body, costWidth-len(indent)-2), "\n") {
			lead := indent
			if i > 0 {
				lead += "  "
			}
			if _, err := fmt.Fprintln(w, lead+strings.TrimSpace(part)); err != nil {
				return err
			}
		}
	}
	return nil
}

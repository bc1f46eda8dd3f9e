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
	costWidth  = 80
	maxSavings = 5
)

// Costs shows estimates: one by its lines, several side by side. Comparisons are shown one after the other.
func Costs(w io.Writer, costs []Cost, multiple bool, format string, style Style) error {
	if format == "json" {
		all := []costJSON{}
		for _, c := range costs {
			all = append(all, costJSON{c, pricing.Region, pricing.AsOf(), pricing.HoursPerMonth, pricing.LeftOut()})
		}
		if multiple {
			return JSON(w, all)
		}
		return JSON(w, all[0])
	}
	if multiple && costs[0].Against == nil {
		return costOverview(w, costs, style)
	}
	for i, c := range costs {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		show := printCost
		if c.Against != nil {
			show = printCostDifference
		}
		if err := show(w, c, style); err != nil {
			return err
		}
	}
	return nil
}

func formatUSD(amount float64) string { return fmt.Sprintf("$%.2f", amount) }

// formatDelta is an amount more or less.
func formatDelta(amount float64) string {
	if amount < 0 {
		return fmt.Sprintf("-$%.2f", -amount)
	}
	return fmt.Sprintf("+$%.2f", amount)
}

// formatUnitPrice is the price of a unit, which can be less than a cent.
func formatUnitPrice(amount float64) string {
	exact := strconv.FormatFloat(amount, 'f', -1, 64)
	if _, decimals, _ := strings.Cut(exact, "."); len(decimals) > 2 {
		return "$" + exact
	}
	return formatUSD(amount)
}

func printCost(w io.Writer, c Cost, style Style) error {
	sum := fmt.Sprintf("%s: about %s a month", c.Environment, formatUSD(c.USD))
	if c.MostUSD > c.USD {
		sum += fmt.Sprintf(", %s with as many tasks as may run", formatUSD(c.MostUSD))
	}
	if err := printNotes(w, style.colorize(sum, text.Bold)); err != nil {
		return err
	}
	t := style.newTable("resource", "quantity", "unit", "price", "a month", "at most")
	t.SetColumnConfigs([]table.ColumnConfig{alignRight(2), alignRight(4), alignRight(5), alignRight(6)})
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
			most = formatUSD(line.MostUSD)
		}
		t.AppendRow(table.Row{
			mark + line.Resource, fmt.Sprintf("%.1f", line.Quantity), line.Unit, formatUnitPrice(line.UnitUSD), formatUSD(line.USD), most,
		})
	}
	sums := table.Row{"all", "", "", "", formatUSD(c.USD)}
	if c.MostUSD > c.USD {
		sums = append(sums, formatUSD(c.MostUSD))
	}
	t.AppendRow(sums)
	if err := renderTable(w, t); err != nil {
		return err
	}
	notes := append(costBasis(c), budgetNotes(c)...)
	if c.BudgetUSD > 0 {
		notes = append(notes, fmt.Sprintf("%s of it is for NAT, load balancer, addresses and web ACL, whatever the size of tasks and database.", formatUSD(c.NetworkTotal())))
	}
	notes = append(notes, savingNotes(c.Savings)...)
	notes = append(notes, assumedNotes(c)...)
	return printNotes(w, append(notes, bulletList("Not in the estimate:", pricing.LeftOut())...)...)
}

func alignRight(column int) table.ColumnConfig {
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
func assumedNotes(c Cost) []string { return bulletList("Assumed (~):", c.Assumed) }

// bulletList is a heading with a line for each thing.
func bulletList(heading string, items []string) []string {
	notes := []string{heading}
	for _, item := range items {
		notes = append(notes, "  - "+item)
	}
	return notes
}

// budgetNotes hold the estimate, and what AWS says, against the budget.
func budgetNotes(c Cost) []string {
	var notes []string
	if c.BudgetUSD > 0 {
		budget := float64(c.BudgetUSD)
		note := fmt.Sprintf("The budget in %s is %s: the estimate is %s below it.", c.File, formatUSD(budget), formatUSD(budget-c.USD))
		if c.USD > budget {
			note = fmt.Sprintf("The budget in %s is %s: the estimate exceeds it by %s.", c.File, formatUSD(budget), formatUSD(c.USD-budget))
		}
		notes = append(notes, note)
	}
	switch a := c.Actual; {
	case a == nil:
	case a.Spend == nil:
		notes = append(notes, "What "+c.Environment+" has really cost is not known: "+a.Unknown+".")
	default:
		note := fmt.Sprintf("AWS counts %s for %s this month", formatUSD(a.SpentUSD), c.Environment)
		if a.ForecastUSD != nil {
			note += fmt.Sprintf(" and forecasts %s", formatUSD(*a.ForecastUSD))
		}
		notes = append(notes, note+fmt.Sprintf(", of a budget of %s.", formatUSD(a.LimitUSD)))
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
	for _, s := range savings[:min(len(savings), maxSavings)] {
		notes = append(notes, fmt.Sprintf("  %8s %s: %s → %s (%s)", formatUSD(s.USD), s.Setting, s.From, s.To, s.Price))
	}
	return notes
}

// printCostDifference shows the resources that cost another amount.
func printCostDifference(w io.Writer, c Cost, style Style) error {
	against := c.Against
	delta := c.USD - against.USD
	comparison := "as much as"
	switch {
	case delta > 0:
		comparison = formatUSD(delta) + " more than"
	case delta < 0:
		comparison = formatUSD(-delta) + " less than"
	}
	sum := fmt.Sprintf("%s: about %s a month, %s %s", c.Environment, formatUSD(c.USD), comparison, against.Name)
	if err := printNotes(w, style.colorize(sum, text.Bold)); err != nil {
		return err
	}
	if len(against.Differences) > 0 {
		t := style.newTable("resource", c.Environment, "against", "difference")
		t.SetColumnConfigs([]table.ColumnConfig{alignRight(2), alignRight(3), alignRight(4)})
		for _, d := range against.Differences {
			t.AppendRow(table.Row{d.Resource, formatUSD(d.USD), formatUSD(d.Against), formatDelta(d.Delta)})
		}
		t.AppendRow(table.Row{"all", formatUSD(c.USD), formatUSD(against.USD), formatDelta(delta)})
		if c.MostUSD != against.MostUSD {
			t.AppendRow(table.Row{"all, at most", formatUSD(c.MostUSD), formatUSD(against.MostUSD), formatDelta(c.MostUSD - against.MostUSD)})
		}
		if err := renderTable(w, t); err != nil {
			return err
		}
	}
	notes := append([]string{"Whatever is not listed costs the same."}, costBasis(c)...)
	for _, missing := range against.Unpriced {
		notes = append(notes, "Missing in the sum against: "+missing+".")
	}
	return printNotes(w, slices.Concat(notes, budgetNotes(c), assumedNotes(c))...)
}

// costOverview shows several environments, a row each, in whole dollars.
func costOverview(w io.Writer, costs []Cost, style Style) error {
	t := style.newTable("env", "network", "ingress", "tasks", "database", "rest", "total", "most", "budget")
	var configs []table.ColumnConfig
	for column := 2; column <= 9; column++ {
		configs = append(configs, alignRight(column))
	}
	t.SetColumnConfigs(configs)
	wholeDollars := func(amount float64) string { return fmt.Sprintf("$%.0f", amount) }
	var all, most float64
	for _, c := range costs {
		budget := "-"
		if c.BudgetUSD > 0 {
			budget = wholeDollars(float64(c.BudgetUSD))
		}
		t.AppendRow(table.Row{
			c.Stack, wholeDollars(c.Area(pricing.AreaNetwork)), wholeDollars(c.Area(pricing.AreaIngress)), wholeDollars(c.Area(pricing.AreaTasks)),
			wholeDollars(c.Area(pricing.AreaDatabase)), wholeDollars(c.Area(pricing.AreaMonitoring) + c.Area(pricing.AreaOther) + c.Area(pricing.AreaShared)),
			wholeDollars(c.USD), wholeDollars(c.MostUSD), budget,
		})
		all, most = all+c.USD, most+c.MostUSD
	}
	t.AppendRow(table.Row{"all", "", "", "", "", "", wholeDollars(all), wholeDollars(most), ""})
	if err := renderTable(w, t); err != nil {
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
	return printNotes(w, append(notes, "`deployer cost --env NAME` shows the lines, what is assumed and left out, and what would save.")...)
}

// printNotes writes sentences within the width, what is indented stays so.
func printNotes(w io.Writer, notes ...string) error {
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

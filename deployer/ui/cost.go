package ui

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/pricing"
)

// Cost is what an environment, or what all of them share, costs a month.
type Cost struct {
	Environment string `json:"environment"`
	Stack       string `json:"stack"`
	Region      string `json:"region"`
	File        string `json:"file"`
	pricing.Estimate
	// BudgetUSD is the monthly budget of the file; 0 where it has none.
	BudgetUSD   int                 `json:"budgetUSD"`
	Assumptions pricing.Assumptions `json:"assumptions"`
	// InUse are the levers that the file uses, with what they save; Savings are those that it does not use, and other settings.
	InUse   []pricing.Saving `json:"inUse"`
	Savings []pricing.Saving `json:"savings"`
	Against *CostAgainst     `json:"against,omitempty"`
	Actual  *CostActual      `json:"actual,omitempty"`
}

// CostAgainst is what an environment's cost is compared with.
type CostAgainst struct {
	Name string `json:"name"`
	pricing.Estimate
	Differences []pricing.Difference `json:"differences"`
}

// CostActual is what AWS reports for this month, or why that is not known.
type CostActual struct {
	*checks.Spend
	Unknown string `json:"unknown,omitempty"`
}

// costJSON is a cost with the price list behind it.
type costJSON struct {
	Cost
	PricesRegion  string   `json:"pricesRegion"`
	PricesAsOf    string   `json:"pricesAsOf"`
	HoursPerMonth int      `json:"hoursPerMonth"`
	LeftOut       []string `json:"leftOut"`
}

// CostWidth declares how wide notes may be, in columns.
const CostWidth = 80

// Costs shows one estimate by its lines, several side by side, and comparisons one after the other. As JSON they are an
// array where several environments were selected.
func Costs(w io.Writer, costs []Cost, multiple bool, format string, style Style) error {
	if format == "json" {
		all := []costJSON{}
		for _, c := range costs {
			all = append(all, costJSON{c, pricing.Region, pricing.AsOf(), pricing.HoursPerMonth, pricing.LeftOut()})
		}
		return jsonByEnvironment(w, all, multiple)
	}
	d := document{style: style}
	if multiple && costs[0].Against == nil {
		d.costOverview(costs)
		return d.writeTo(w)
	}
	for i, c := range costs {
		if i > 0 {
			d.add("", "")
		}
		if c.Against != nil {
			d.costDifference(c)
		} else {
			d.cost(c)
		}
	}
	return d.writeTo(w)
}

func formatUSD(amount float64) string { return fmt.Sprintf("$%.2f", amount) }

func formatDelta(amount float64) string {
	if amount < 0 {
		return fmt.Sprintf("-$%.2f", -amount)
	}
	return fmt.Sprintf("+$%.2f", amount)
}

// formatUnitPrice returns the price of a unit, which can be a fraction of a cent.
func formatUnitPrice(amount float64) string {
	exact := strconv.FormatFloat(amount, 'f', -1, 64)
	if _, decimals, _ := strings.Cut(exact, "."); len(decimals) > 2 {
		return "$" + exact
	}
	return formatUSD(amount)
}

// notes appends sentences, in lines of at most CostWidth. What is indented stays so.
func (d *document) notes(notes ...string) {
	narrow := document{style: d.style}
	narrow.style.Width = min(cmp.Or(d.style.Width, CostWidth), CostWidth)
	for _, note := range notes {
		narrow.add(note[:len(note)-len(strings.TrimLeft(note, " "))]+"  ", note)
	}
	d.WriteString(narrow.String())
}

func (d *document) cost(c Cost) {
	title := fmt.Sprintf("%s: about %s a month", c.Environment, formatUSD(c.USD))
	if c.MostUSD > c.USD {
		title += fmt.Sprintf(", %s with the most tasks that may run", formatUSD(c.MostUSD))
	}
	d.notes(d.style.bold(title))
	d.notes(actualNotes(c)...)
	header := []any{"resource", "quantity", "unit", "price", "a month"}
	right := []int{2, 4, 5}
	if c.MostUSD > c.USD {
		header, right = append(header, "at most"), append(right, 6)
	}
	t := newTable(header...)
	t.setColumns(slices.Concat(wrapped(1, 3), alignRight(right...)))
	area := ""
	for _, line := range c.Lines {
		if line.Area != area {
			area = line.Area
			t.addRow([]any{area})
		}
		mark := "  "
		if line.Assumed {
			mark = "~ "
		}
		row := []any{mark + line.Resource, fmt.Sprintf("%.1f", line.Quantity), line.Unit, formatUnitPrice(line.UnitUSD), formatUSD(line.USD)}
		if line.MostUSD > line.USD {
			row = append(row, formatUSD(line.MostUSD))
		}
		t.addRow(row)
	}
	sums := []any{"all", "", "", "", formatUSD(c.USD)}
	if c.MostUSD > c.USD {
		sums = append(sums, formatUSD(c.MostUSD))
	}
	t.addRow(sums)
	d.table(t)
	d.notes(append(costBasis(c), budgetNotes(c)...)...)
	if c.BudgetUSD > 0 {
		parts := "NAT, load balancer, addresses and web ACL"
		if !slices.ContainsFunc(c.Lines, func(l pricing.Line) bool { return l.Resource == "web ACL" }) {
			parts = "NAT, load balancer and addresses"
		}
		d.notes(fmt.Sprintf("%s of it is for %s, independent of the size of tasks and database.", formatUSD(c.NetworkTotal()), parts))
	}
	d.notes(savingNotes("Settings in use that save, each alone:", c.InUse)...)
	d.notes(savingNotes("Settings that would save most, each alone:", c.Savings)...)
	d.list("Assumed (~):", c.Assumed)
	d.list("Not in the estimate:", pricing.LeftOut())
}

// costBasis returns what the amounts are based on.
func costBasis(c Cost) []string {
	notes := []string{fmt.Sprintf("List prices of %s as of %s, %d hours a month, the fewest tasks.", pricing.Region, pricing.AsOf(), pricing.HoursPerMonth)}
	if c.Region != pricing.Region {
		notes = append(notes, fmt.Sprintf("%s is in %s, where prices differ: the table has only those of %s.", c.Environment, c.Region, pricing.Region))
	}
	for _, missing := range c.Unpriced {
		notes = append(notes, "Missing in the sum: "+missing+".")
	}
	return notes
}

func (d *document) list(heading string, items []string) {
	d.notes(heading)
	for _, item := range items {
		d.notes("  - " + item)
	}
}

// budgetNotes compares the estimate with the budget.
func budgetNotes(c Cost) []string {
	var notes []string
	if c.BudgetUSD > 0 {
		budget := float64(c.BudgetUSD)
		comparison := fmt.Sprintf("is %s below it", formatUSD(budget-c.USD))
		if c.USD > budget {
			comparison = "exceeds it by " + formatUSD(c.USD-budget)
		}
		notes = append(notes, fmt.Sprintf("The budget in %s is %s: the estimate %s.", c.File, formatUSD(budget), comparison))
	}
	return notes
}

// actualNotes returns what AWS reports, compared with the budget.
func actualNotes(c Cost) []string {
	var notes []string
	switch a := c.Actual; {
	case a == nil:
	case a.Spend == nil:
		notes = append(notes, "The actual cost of "+c.Environment+" is not known: "+a.Unknown+".")
	default:
		forecast := ""
		if a.ForecastUSD != nil {
			forecast = " and forecasts " + formatUSD(*a.ForecastUSD)
		}
		notes = append(notes, fmt.Sprintf("AWS counts %s for %s this month%s, of a budget of %s.",
			formatUSD(a.SpentUSD), c.Environment, forecast, formatUSD(a.LimitUSD)))
		if a.SpentUSD == 0 {
			notes = append(notes, "AWS counts nothing until the cost allocation tag Environment is activated in the billing console.")
		}
	}
	return notes
}

// savingNotes lists settings with what they save and their disadvantage.
func savingNotes(heading string, savings []pricing.Saving) []string {
	if len(savings) == 0 {
		return nil
	}
	notes := []string{heading}
	for _, s := range savings {
		notes = append(notes, fmt.Sprintf("  %8s %s: %s → %s (%s)", formatUSD(s.USD), s.Setting, s.From, s.To, s.Price))
	}
	return notes
}

// costDifference appends the resources whose cost differs.
func (d *document) costDifference(c Cost) {
	against := c.Against
	delta := c.USD - against.USD
	comparison := "as much as"
	switch {
	case delta > 0:
		comparison = formatUSD(delta) + " more than"
	case delta < 0:
		comparison = formatUSD(-delta) + " less than"
	}
	d.notes(d.style.bold(fmt.Sprintf("%s: about %s a month, %s %s", c.Environment, formatUSD(c.USD), comparison, against.Name)))
	d.notes(actualNotes(c)...)
	if len(against.Differences) > 0 {
		t := newTable("resource", c.Environment, "against", "difference")
		t.setColumns(alignRight(2, 3, 4))
		row := func(resource string, here, there float64) {
			t.addRow([]any{resource, formatUSD(here), formatUSD(there), formatDelta(here - there)})
		}
		for _, line := range against.Differences {
			row(line.Resource, line.USD, line.Against)
		}
		row("all", c.USD, against.USD)
		if c.MostUSD != against.MostUSD {
			row("all, at most", c.MostUSD, against.MostUSD)
		}
		d.table(t)
	}
	d.notes("Everything that is not listed costs the same.")
	d.notes(costBasis(c)...)
	for _, missing := range against.Unpriced {
		d.notes("Missing in the sum against: " + missing + ".")
	}
	d.notes(budgetNotes(c)...)
	d.list("Assumed (~):", c.Assumed)
}

// costOverview appends a row for each environment, in whole dollars. Sums are rounded up, so that none that exceeds the budget equals it.
func (d *document) costOverview(costs []Cost) {
	t := newTable("env", pricing.AreaNetwork, pricing.AreaIngress, pricing.AreaTasks, pricing.AreaDatabase, "rest", "total", "most", "budget")
	t.setColumns(alignRight(2, 3, 4, 5, 6, 7, 8, 9))
	dollars := func(amount float64) string { return fmt.Sprintf("$%.0f", amount) }
	sum := func(amount float64) string { return dollars(math.Ceil(math.Round(amount*100) / 100)) }
	var total, most float64
	for _, c := range costs {
		budget := "-"
		if c.BudgetUSD > 0 {
			budget = dollars(float64(c.BudgetUSD))
		}
		rest := c.Area(pricing.AreaMonitoring) + c.Area(pricing.AreaOther) + c.Area(pricing.AreaShared)
		t.addRow([]any{
			c.Stack, dollars(c.Area(pricing.AreaNetwork)), dollars(c.Area(pricing.AreaIngress)), dollars(c.Area(pricing.AreaTasks)),
			dollars(c.Area(pricing.AreaDatabase)), dollars(rest), sum(c.USD), sum(c.MostUSD), budget,
		})
		total, most = total+c.USD, most+c.MostUSD
	}
	t.addRow([]any{"all", "", "", "", "", "", sum(total), sum(most), ""})
	d.table(t)
	for i, c := range costs {
		basis := costBasis(c)
		if i > 0 {
			basis = basis[1:] // the first note is the same for all
		}
		d.notes(slices.Concat(basis, actualNotes(c), budgetNotes(c))...)
	}
}

package ui

import (
	_ "embed" // the page's template and style
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

//go:embed page/stats.html
var statsHTML string

//go:embed page/stats.css
var statsCSS string

// A statsPage is what the template of the statistics shows. The page is self-contained, as that of the status is.
type statsPage struct {
	Environment string
	Headline    string
	Icon        template.URL
	Style       template.CSS
	Figures     []figure
	Charts      []chart
	// Periods has the numbers of the charts, and Phases the columns with medians.
	Periods []statsPeriod
	Phases  []string
	// Changes has the deployments, the newest first.
	Changes []changeRow
}

// A changeRow is a deployment as the page lists it.
type changeRow struct{ ID, Started, By, Kind, Image, Outcome, Took, Class string }

// writeStatsPage writes one self-contained HTML page: key figures, charts of the period, and the same as tables.
func writeStatsPage(w io.Writer, stats history.Stats, changes []history.DeployedChange) error {
	t, err := template.New("stats").Funcs(template.FuncMap{"seconds": formatSeconds}).Parse(statsHTML)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	status := checks.Healthy
	switch {
	case !stats.NotRestoredSince.IsZero():
		status = checks.Error
	case stats.Failed > 0:
		status = checks.Warning
	}
	page := statsPage{
		Environment: stats.Environment, Headline: statsHeadline(stats),
		Icon: statusIcon(status), Style: template.CSS(pageCSS + statsCSS), Figures: statsFigures(stats), Phases: phaseOrder(stats.MedianSeconds), Changes: list.Map(changes, newChangeRow),
	}
	if len(changes) > 0 {
		page.Periods = statsPeriods(changes, stats.Begin, stats.Until)
		page.Charts = []chart{
			deploymentsChart(page.Periods), durationsChart(page.Periods, page.Phases), failuresChart(changes, stats),
		}
	}
	if err := t.Execute(w, page); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func statsHeadline(s history.Stats) string {
	if s.Deployments == 0 {
		return "Nothing was deployed since " + formatDay(s.Since) + "."
	}
	failed := "none failed or was rolled back"
	if s.Failed > 0 {
		failed = fmt.Sprintf("%d failed or %s rolled back", s.Failed, text.PluralWord(s.Failed, "was", "were"))
	}
	return fmt.Sprintf("%s since %s; %s.", text.Plural(s.Deployments, "deployment", ""), formatDay(s.Since), failed)
}

func newChangeRow(c history.DeployedChange) changeRow {
	row := changeRow{
		ID: c.ID, Started: formatMinute(c.Started), By: c.By, Kind: kindText(c.Deployment), Image: deployedName(c.Deployment),
		Outcome: breakable(outcomeText(c.Deployment)), Class: "succeeded",
	}
	if c.Failed {
		row.Class = "failed"
	}
	if c.RolledBack {
		row.Outcome += ", rolled back later"
	}
	if !c.Ended.IsZero() {
		row.Took = formatDuration(c.Ended.Sub(c.Started))
	}
	return row
}

// A statsPeriod is a part of the period for which the charts have one column: a day, a week or 30 days.
type statsPeriod struct {
	From, To          time.Time
	Succeeded, Failed int
	// Medians are history.Stats.MedianSeconds.
	Medians map[string]float64
}

// Name returns the days of a period.
func (p statsPeriod) Name() string {
	last := p.To.Add(-time.Nanosecond)
	if formatDay(p.From) == formatDay(last) {
		return formatDay(p.From)
	}
	return formatDay(p.From) + " to " + formatDay(last)
}

// Median returns the median time of a phase; "" where none succeeded.
func (p statsPeriod) Median(phase string) string {
	seconds, known := p.Medians[phase]
	if !known {
		return ""
	}
	return formatSeconds(seconds)
}

// The lengths of periods, each with the longest time up to which it is chosen.
var periodLengths = []struct{ upTo, length time.Duration }{
	{21 * 24 * time.Hour, 24 * time.Hour}, {400 * 24 * time.Hour, 7 * 24 * time.Hour}, {math.MaxInt64, 30 * 24 * time.Hour},
}

// day declares the length of a day of UTC.
const day = 24 * time.Hour

// statsPeriods divides a time into periods of whole days of UTC, of one length, of which the first and the last may be shorter, and counts the
// changes of each.
func statsPeriods(changes []history.DeployedChange, since, until time.Time) []statsPeriod {
	length := time.Duration(0)
	for _, l := range slices.Backward(periodLengths) {
		if until.Sub(since) <= l.upTo {
			length = l.length
		}
	}
	end := until.Truncate(day).Add(day)
	n := max(1, int((end.Sub(since)+length-1)/length))
	periods := make([]statsPeriod, n)
	for i := range periods {
		from, to := end.Add(-length*time.Duration(n-i)), end.Add(-length*time.Duration(n-i-1))
		own := list.Filter(changes, func(c history.DeployedChange) bool {
			return c.Started.Before(to) && !c.Started.Before(from)
		})
		if from.Before(since) {
			from = since
		}
		periods[i] = statsPeriod{From: from, To: to, Medians: history.MedianSeconds(own)}
		for _, c := range own {
			if c.Failed {
				periods[i].Failed++
			} else {
				periods[i].Succeeded++
			}
		}
	}
	return periods
}

// A chart is a drawing whose geometry is computed here, so that the template only writes it. Coordinates are in units of the
// drawing.
type chart struct {
	ID, Title, Description string
	Width, Height          float64
	// Left, Right, Top and Bottom are the edges of the area of the data.
	Left, Right, Top, Bottom float64
	Lines                    []chartLine
	Ticks                    []chartTick
	Bars                     []chartBar
	Marks                    []chartMark
	Legend                   []chartKey
}

type chartLine struct {
	Y     float64
	Label string
}

type chartTick struct {
	X     float64
	Label string
}

type chartBar struct {
	X, Y, Width, Height float64
	Class, Tip          string
}

type chartMark struct {
	X, Y float64
	Tip  string
}

// chartKey explains a color.
type chartKey struct{ Class, Label string }

func newChart(id, title, description string) chart {
	return chart{
		ID: id, Title: title, Description: description, Width: 1060, Height: 230, Left: 70, Right: 1050, Top: 14, Bottom: 196,
	}
}

// x returns the position of a part of the width, from 0 to 1.
func (c *chart) x(part float64) float64 { return c.Left + part*(c.Right-c.Left) }

// maxLines declares how many lines an axis has above 0.
const maxLines = 4

// scale adds the lines of an axis from 0 to a value, each a multiple of one of the steps, and returns the position of values.
func (c *chart) scale(highest float64, steps []float64, label func(float64) string) func(float64) float64 {
	step := steps[len(steps)-1]
	for _, s := range slices.Backward(steps) {
		if highest/s <= maxLines {
			step = s
		}
	}
	top := step * math.Max(1, math.Ceil(highest/step))
	y := func(value float64) float64 { return c.Bottom - value/top*(c.Bottom-c.Top) }
	for value := 0.0; value <= top; value += step * math.Max(1, math.Ceil(top/step/maxLines)) {
		c.Lines = append(c.Lines, chartLine{Y: y(value), Label: label(value)})
	}
	return y
}

// maxTicks declares how many dates are below a chart.
const maxTicks = 8

// addDates adds the first days of periods below the chart.
func (c *chart) addDates(periods []statsPeriod) {
	every := (len(periods) + maxTicks - 1) / maxTicks
	format := tickFormat(periods[0].From, periods[len(periods)-1].To)
	for i := 0; i < len(periods); i += every {
		x := c.x((float64(i) + .5) / float64(len(periods)))
		c.Ticks = append(c.Ticks, chartTick{X: x, Label: periods[i].From.UTC().Format(format)})
	}
}

// tickFormat returns the format of the dates below a chart: with the year where a day and month could be of several.
func tickFormat(since, until time.Time) string {
	if until.Sub(since) > 360*24*time.Hour {
		return "2 Jan 2006"
	}
	return "2 Jan"
}

// stack adds the bars of a period, one on the other. Parts of 0 have none.
func (c *chart) stack(at, of int, y func(float64) float64, parts []chartPart) {
	column := (c.Right - c.Left) / float64(of)
	width, below := math.Min(column*.7, 56), 0.0
	for _, p := range parts {
		if p.value <= 0 {
			continue
		}
		top := y(below + p.value)
		c.Bars = append(c.Bars, chartBar{
			X: c.Left + column*(float64(at)+.5) - width/2, Y: top, Width: width, Height: y(below) - top,
			Class: p.class, Tip: p.tip,
		})
		below += p.value
	}
}

type chartPart struct {
	value      float64
	class, tip string
}

// deploymentsChart draws how many deployments each period has, and how many of them failed.
func deploymentsChart(periods []statsPeriod) chart {
	c := newChart("deployments", "Deployments", "How many deployments each period has, those that failed or were rolled back apart.")
	highest := 1
	for _, p := range periods {
		highest = max(highest, p.Succeeded+p.Failed)
	}
	steps := []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}
	y := c.scale(float64(highest), steps, func(n float64) string { return fmt.Sprintf("%.0f", n) })
	for i, p := range periods {
		tip := func(n int, what string) string { return fmt.Sprintf("%s: %d %s", p.Name(), n, what) }
		c.stack(i, len(periods), y, []chartPart{
			{float64(p.Failed), "failed", tip(p.Failed, "failed or rolled back")},
			{float64(p.Succeeded), "succeeded", tip(p.Succeeded, "succeeded")},
		})
	}
	c.addDates(periods)
	c.Legend = []chartKey{{"succeeded", "succeeded"}, {"failed", "failed or rolled back"}}
	return c
}

// timeSteps declares the distances of lines of a scale of time, in seconds.
var timeSteps = []float64{.1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400}

// durationsChart draws the median time of the phases of the deployments that succeeded in each period.
func durationsChart(periods []statsPeriod, names []string) chart {
	c := newChart("durations", "Duration by phase", "The median time of each phase, of the deployments of each period that succeeded.")
	phases := list.Filter(names, func(name string) bool { return name != history.TotalPhase })
	highest := 0.0
	for _, p := range periods {
		sum := 0.0
		for _, name := range phases {
			sum += p.Medians[name]
		}
		highest = max(highest, sum)
	}
	y := c.scale(highest, timeSteps, formatAxis)
	class := func(at int) string { return fmt.Sprintf("phase-%d", at%phaseColors) }
	for i, p := range periods {
		var parts []chartPart
		for at, name := range phases {
			parts = append(parts, chartPart{p.Medians[name], class(at), fmt.Sprintf("%s: %s %s", p.Name(), name, p.Median(name))})
		}
		c.stack(i, len(periods), y, parts)
	}
	for at, name := range phases {
		c.Legend = append(c.Legend, chartKey{class(at), name})
	}
	c.addDates(periods)
	return c
}

// phaseColors declares how many colors of phases the style has.
const phaseColors = 10

// formatAxis returns a multiple of timeSteps.
func formatAxis(seconds float64) string {
	switch {
	case seconds == 0:
		return "0"
	case seconds < 1:
		return fmt.Sprintf("%.1fs", seconds)
	case seconds < 60:
		return fmt.Sprintf("%.0fs", seconds)
	case seconds < 3600 && math.Mod(seconds, 60) == 0:
		return fmt.Sprintf("%.0fm", seconds/60)
	}
	return text.Duration(time.Duration(seconds) * time.Second)
}

// failuresChart draws when deployments failed: a row for each phase in which some did, and for rollbacks on request.
func failuresChart(changes []history.DeployedChange, stats history.Stats) chart {
	c := newChart("failures", "Failures", "When deployments failed, by the phase in which they did, or were rolled back on request.")
	count := map[string]float64{}
	for _, change := range changes {
		if change.Failed {
			count[change.FailedPhase()]++
		}
	}
	rows := phaseOrder(count)
	const rowHeight = 34
	c.Bottom = c.Top + rowHeight*float64(max(1, len(rows)))
	c.Height = c.Bottom + 34
	row := func(name string) float64 { return c.Top + rowHeight*(float64(slices.Index(rows, name))+.5) }
	for _, name := range rows {
		c.Lines = append(c.Lines, chartLine{Y: row(name), Label: name})
	}
	position := func(at time.Time) float64 {
		return c.x(float64(at.Sub(stats.Begin)) / float64(stats.Until.Sub(stats.Begin)))
	}
	for _, change := range changes {
		if change.Failed {
			c.Marks = append(c.Marks, chartMark{
				X: position(change.Started), Y: row(change.FailedPhase()), Tip: fmt.Sprintf("%s: %s, %s", formatMinute(change.Started),
					deployedName(change.Deployment), newChangeRow(change).Outcome),
			})
		}
	}
	every := day * (stats.Until.Sub(stats.Begin)/day/maxTicks + 1)
	for at := stats.Until.Truncate(day); !at.Before(stats.Begin); at = at.Add(-every) {
		c.Ticks = append(c.Ticks, chartTick{X: position(at), Label: at.UTC().Format(tickFormat(stats.Begin, stats.Until))})
	}
	if len(c.Ticks) == 0 { // within one day
		c.Ticks = append(c.Ticks, chartTick{X: position(stats.Begin), Label: stats.Begin.UTC().Format(tickFormat(stats.Begin, stats.Until))})
	}
	return c
}

package ui

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
)

var statsNow = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// deploymentsOf returns the records of a number of days, one a day, the newest first. Each seventh failed in its rollout, and
// the one before the newest was rolled back on request.
func deploymentsOf(days int) []history.Deployment {
	var records []history.Deployment
	for ago := range days {
		at, tag := statsNow.AddDate(0, 0, -ago).Add(-time.Hour), fmt.Sprintf("1.%d.0-<b>", ago)
		d := history.Deployment{
			ID: at.Format("20060102-150405") + "-aaaa", Kind: history.Full, By: "anna", Outcome: history.Succeeded, Verified: true,
			Image: history.Image{Tag: tag, Digest: "sha256:" + tag, Created: at.Add(-5 * time.Hour)}, Started: at, Ended: at.Add(5 * time.Minute), Phases: []history.Phase{
				{Name: "preflight", Outcome: history.Succeeded, Seconds: 4}, {Name: "backup", Outcome: history.Skipped},
				{Name: "provision", Outcome: history.Succeeded, Seconds: 40}, {Name: "migrate", Outcome: history.Succeeded, Seconds: 30 + float64(ago)},
				{Name: "rollout", Outcome: history.Succeeded, Seconds: 150}, {Name: "health", Outcome: history.Succeeded, Seconds: 3},
			},
		}
		if ago%7 == 3 {
			d.Outcome, d.Verified, d.RolledBackTo = history.Failed, false, &history.Image{Tag: "1.0.0"}
			d.Phases = d.Phases[:5]
			d.Phases[4].Outcome = history.Failed
		}
		records = append(records, d)
	}
	if days > 1 {
		records[0].Kind, records[0].Image = history.Rollback, records[2].Image
		records[0].RolledBackFrom = &records[1].Image
	}
	return records
}

func statsOf(t *testing.T, days int, since time.Time, format string) string {
	var out strings.Builder
	records := deploymentsOf(days)
	require.NoError(t, Stats(&out, history.NewStats("staging", records, since, statsNow), history.Changes(records, since), format, Style{}))
	return out.String()
}

func TestStatsText(t *testing.T) {
	require.Equal(t, `environment            staging
period                 2026-09-01 to 2026-11-30
deployments            89, 6.92 a week
failed or rolled back  14 of 89 (16%)
median time            5m00s
lead time              5h05m, median
time to restore        3m09s, mean

phase      median time
preflight         4.0s
provision        40.0s
migrate          1m15s
rollout          2m30s
health            3.0s
total            5m00s
`, statsOf(t, 100, statsNow.AddDate(0, 0, -90), "text"))
}

func TestStatsTextOfNothing(t *testing.T) {
	require.Equal(t, `environment            staging
period                 2026-09-01 to 2026-11-30
deployments            0, 0 a week
failed or rolled back  –
median time            –
lead time              –, no new image was verified
time to restore        –, nothing had to be restored
`, statsOf(t, 0, statsNow.AddDate(0, 0, -90), "text"))
	page := statsOf(t, 0, statsNow.AddDate(0, 0, -90), "html")
	require.Contains(t, page, "Nothing was deployed since 2026-09-01.")
	require.NotContains(t, page, "<svg")
}

// An environment that serves errors after its last rollout is shown as not restored, by the text and by the page.
func TestTimeToRestore(t *testing.T) {
	seconds, at := 189.0, time.Date(2026, 11, 30, 19, 17, 3, 0, time.UTC)
	for want, s := range map[string]history.Stats{
		"–, nothing had to be restored":                        {},
		"3m09s, mean":                                          {RestoreSeconds: &seconds},
		"not restored since 2026-11-30 19:17 UTC":              {NotRestoredSince: at, Deployments: 1, Failed: 1},
		"3m09s, mean; not restored since 2026-11-30 19:17 UTC": {RestoreSeconds: &seconds, NotRestoredSince: at},
	} {
		for _, format := range []string{"text", "html"} {
			var out strings.Builder
			require.NoError(t, Stats(&out, s, nil, format, Style{}))
			require.Contains(t, out.String(), want)
			if !strings.HasPrefix(want, "–") {
				require.NotContains(t, out.String(), "nothing had to be restored")
			}
		}
	}
	var out strings.Builder
	require.NoError(t, Stats(&out, history.Stats{NotRestoredSince: at}, nil, "json", Style{}))
	require.Contains(t, out.String(), `"not_restored_since": "2026-11-30T19:17:03Z"`)
}

func TestStatsJSON(t *testing.T) {
	out := statsOf(t, 20, statsNow.AddDate(0, 0, -90), "json")
	for _, key := range []string{"deployments_per_week", "failed_share", "median_seconds", "lead_seconds", "restore_seconds"} {
		require.Contains(t, out, `"`+key+`": `)
	}
	require.Contains(t, out, `"lead_seconds": 18300`)
}

// numbersOf returns the values of an attribute of elements of a page.
func numbersOf(t *testing.T, page, pattern string) []float64 {
	var all []float64
	for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(page, -1) {
		var n float64
		_, err := fmt.Sscan(found[1], &n)
		require.NoError(t, err)
		all = append(all, n)
	}
	return all
}

// The page loads nothing, runs nothing and escapes what records contain.
func TestStatsPageIsSelfContained(t *testing.T) {
	page := statsOf(t, 80, statsNow.AddDate(0, 0, -90), "html")
	require.NotRegexp(t, `<script|@import|src=|url\(|<b>`, page)
	require.NotRegexp(t, `https?://`, strings.ReplaceAll(page, "http://www.w3.org/2000/svg", ""))
	require.NotContains(t, page, "ZgotmplZ", "nothing that html/template regards as unsafe")
	require.Contains(t, page, "prefers-color-scheme: dark")
}

// Each deployment is in the charts and in the tables, and no chart leaves its frame.
func TestStatsPageShowsEveryDeployment(t *testing.T) {
	for name, test := range map[string]struct {
		days, since, periods int
	}{
		"a day":               {1, 1, 2},
		"three weeks":         {21, 21, 21},
		"90 days":             {100, 90, 13},
		"since the first one": {80, 90, 12},
		"the first week":      {1, 90, 8},
		"more than all":       {80, 400, 12},
		"years":               {800, 1000, 27},
		"since the year 1":    {80, 2025 * 366, 12},
	} {
		t.Run(name, func(t *testing.T) {
			since := statsNow.AddDate(0, 0, -test.since)
			page, changes := statsOf(t, test.days, since, "html"), history.Changes(deploymentsOf(test.days), since)
			failed := 0
			for _, c := range changes {
				require.Contains(t, page, `<th scope="row">`+c.ID+`</th>`)
				if c.Failed {
					failed++
				}
			}
			require.Equal(t, len(changes)-failed, strings.Count(page, `data-outcome="succeeded"`))
			require.Equal(t, failed, strings.Count(page, `<circle class="failed"`))
			periods := regexp.MustCompile(`(?s)<table id="periods">.*?</table>`).FindString(page)
			require.Equal(t, test.periods, strings.Count(periods, `<th scope="row">`))
			sum := 0.0
			for _, n := range numbersOf(t, periods, `</th><td>(\d+)</td>`) {
				sum += n
			}
			require.InDelta(t, len(changes)-failed, sum, 0)
			for _, pattern := range []string{` (?:x|y|cx|cy|width|height)="(-?[0-9.e+-]+)"`} {
				for _, n := range numbersOf(t, page, pattern) {
					require.GreaterOrEqual(t, n, 0.0)
					require.LessOrEqual(t, n, 1060.0)
				}
			}
		})
	}
}

// Each period has whole days of UTC, and a deployment is in that of its day.
func TestPeriodsAreDays(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 30, 0, 0, time.UTC) }
	change := history.DeployedChange{Deployment: history.Deployment{Started: at(30, 20)}}
	for _, until := range []time.Time{at(30, 21), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)} {
		periods := statsPeriods([]history.DeployedChange{change}, at(25, 21), until)
		n := slices.IndexFunc(periods, func(p statsPeriod) bool { return p.Succeeded == 1 })
		require.Equal(t, "2026-11-30", periods[n].Name())
		require.Equal(t, "2026-11-25", periods[0].Name())
	}
}

// Dates have the year where they are of several, and no chart repeats one.
func TestTicks(t *testing.T) {
	for name, test := range map[string]struct {
		days, since int
		want        string
	}{
		"a week":  {1, 7, `^\d{1,2} [A-Z][a-z]{2}$`},
		"90 days": {100, 90, `^\d{1,2} [A-Z][a-z]{2}$`},
		"years":   {800, 1000, `^\d{1,2} [A-Z][a-z]{2} 20\d\d$`},
		"an hour": {1, 0, `^\d{1,2} [A-Z][a-z]{2}$`},
	} {
		t.Run(name, func(t *testing.T) {
			records, since := deploymentsOf(test.days), statsNow.AddDate(0, 0, -test.since).Add(-2*time.Hour)
			stats, changes := history.NewStats("staging", records, since, statsNow), history.Changes(records, since)
			periods := statsPeriods(changes, stats.Begin, stats.Until)
			for _, c := range []chart{deploymentsChart(periods), failuresChart(changes, stats)} {
				require.NotEmpty(t, c.Ticks)
				seen := map[string]bool{}
				for _, tick := range c.Ticks {
					require.Regexp(t, test.want, tick.Label)
					require.False(t, seen[tick.Label], tick.Label)
					seen[tick.Label] = true
				}
			}
		})
	}
}

// Every phase of a deployment is listed in its order and has a color of its own.
func TestPhaseOrder(t *testing.T) {
	seconds := map[string]float64{history.TotalPhase: 1, "of a later version": 1}
	for _, name := range release.PhaseOrder() {
		seconds[name] = 1
	}
	require.Equal(t, append(release.PhaseOrder(), "of a later version", history.TotalPhase), phaseOrder(seconds))
	require.Len(t, release.PhaseOrder(), phaseColors)
	for i := range phaseColors {
		require.Contains(t, statsCSS, fmt.Sprintf(".phase-%d { --tone: var(--phase-%d); }", i, i))
		require.Equal(t, 2, strings.Count(statsCSS, fmt.Sprintf("--phase-%d: #", i)), "in both themes")
	}
}

// The lines of an axis are few, begin at 0 and are not below the highest value.
func TestAxis(t *testing.T) {
	for _, highest := range []float64{0, .04, 1, 3, 4, 5, 59, 61, 754, 4000, 100_000} {
		c := newChart("a", "b", "c")
		y := c.scale(highest, timeSteps, formatAxis)
		require.LessOrEqual(t, len(c.Lines), 1+maxLines, "%v", highest)
		require.GreaterOrEqual(t, len(c.Lines), 2, "%v", highest)
		require.Equal(t, "0", c.Lines[0].Label)
		require.InDelta(t, c.Bottom, c.Lines[0].Y, 1e-9)
		require.GreaterOrEqual(t, y(highest), c.Top-1e-9)
	}
	for seconds, want := range map[float64]string{0: "0", .5: "0.5s", 30: "30s", 300: "5m", 3600: "1h00m", 90: "1m30s"} {
		require.Equal(t, want, formatAxis(seconds))
	}
}

func TestStatsHeadline(t *testing.T) {
	for want, s := range map[string]history.Stats{
		"Nothing was deployed since 2026-11-30.":                         {},
		"1 deployment since 2026-11-30; none failed or was rolled back.": {Deployments: 1},
		"3 deployments since 2026-11-30; 1 failed or was rolled back.":   {Deployments: 3, Failed: 1},
		"3 deployments since 2026-11-30; 2 failed or were rolled back.":  {Deployments: 3, Failed: 2},
	} {
		s.Since = statsNow
		require.Equal(t, want, statsHeadline(s))
	}
}

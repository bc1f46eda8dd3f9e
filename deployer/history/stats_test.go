package history

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/blob"
)

// statsNow declares the end of the period, and the time from which day counts back.
var statsNow = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func day(ago int) time.Time { return statsNow.AddDate(0, 0, -ago) }

// rolledOut returns a deployment of an image that took 100 s: 10 s of preflight, 60 s of rollout, 20 s of health.
func rolledOut(at time.Time, digest string, edits ...func(*Deployment)) Deployment {
	d := Deployment{
		ID: at.Format(idTime) + "-aaaa", Stack: "staging", Kind: CodeOnly, Outcome: Succeeded, Verified: true, Image: Image{Digest: digest},
		Started: at, Ended: at.Add(100 * time.Second), Phases: []Phase{
			{Name: "preflight", Outcome: Succeeded, Seconds: 10}, {Name: "provision", Outcome: Skipped},
			{Name: "rollout", Outcome: Succeeded, Seconds: 60}, {Name: "health", Outcome: Succeeded, Seconds: 20},
		},
	}
	for _, edit := range edits {
		edit(&d)
	}
	return d
}

// fails lets a phase fail, and leaves out those after it.
func fails(phase string) func(*Deployment) {
	return func(d *Deployment) {
		d.Outcome, d.Verified = Failed, false
		at := slices.IndexFunc(d.Phases, func(p Phase) bool { return p.Name == phase })
		d.Phases = d.Phases[:at+1]
		d.Phases[at].Outcome = Failed
	}
}

func ofKind(kind Kind) func(*Deployment) { return func(d *Deployment) { d.Kind = kind } }

func backFrom(digest string) func(*Deployment) {
	return func(d *Deployment) { d.Kind, d.RolledBackFrom = Rollback, &Image{Digest: digest} }
}

func createdAt(at time.Time) func(*Deployment) { return func(d *Deployment) { d.Image.Created = at } }

func took(long time.Duration) func(*Deployment) {
	return func(d *Deployment) { d.Ended = d.Started.Add(long) }
}

// What is still broken at the end of the period has the start of the first rollout after which no image was verified.
func TestStatsNotRestoredSince(t *testing.T) {
	back := func(d *Deployment) { d.RolledBackTo = &Image{Digest: "a"} }
	runs := func(d *Deployment) { d.Outcome, d.Verified = Running, false }
	destroys := func(d *Deployment) { d.Kind, d.Verified = Destroy, false }
	died := func(d *Deployment) { d.Outcome = Crashed }
	failed := func(ago int, edits ...func(*Deployment)) Deployment {
		return rolledOut(day(ago), "b", append([]func(*Deployment){fails("health")}, edits...)...)
	}
	for name, test := range map[string]struct {
		records []Deployment
		since   int // in days ago; 0 where nothing is broken
	}{
		"nothing failed":            {[]Deployment{rolledOut(day(2), "a")}, 0},
		"it rolled back by itself":  {[]Deployment{failed(2, back)}, 0},
		"no service was changed":    {[]Deployment{rolledOut(day(2), "b", fails("preflight"))}, 0},
		"restored by the next":      {[]Deployment{failed(2), rolledOut(day(1), "c")}, 0},
		"destroyed meanwhile":       {[]Deployment{failed(4), rolledOut(day(3), "", destroys)}, 0},
		"the last one":              {[]Deployment{rolledOut(day(3), "a"), failed(2)}, 2},
		"two in a row":              {[]Deployment{failed(3), failed(2)}, 3},
		"again after a restoration": {[]Deployment{failed(3, back), failed(2)}, 2},
		"a crash in the rollout":    {[]Deployment{rolledOut(day(2), "b", fails("rollout"), died)}, 2},
		"a rollback that failed":    {[]Deployment{failed(3), rolledOut(day(1), "a", backFrom("b"), fails("health"))}, 3},
		"the next one is running":   {[]Deployment{failed(2), rolledOut(day(1), "c", runs)}, 2},
		"before the period":         {[]Deployment{failed(91)}, 91},
	} {
		t.Run(name, func(t *testing.T) {
			want := time.Time{}
			if test.since > 0 {
				want = day(test.since).Add(10 * time.Second) // after the preflight
			}
			require.Equal(t, want, NewStats("staging", newestFirst(test.records...), day(90), statsNow).NotRestoredSince)
		})
	}
}

// newestFirst returns records as Store.ListSince does.
func newestFirst(records ...Deployment) []Deployment {
	slices.SortStableFunc(records, func(a, b Deployment) int { return b.Started.Compare(a.Started) })
	return records
}

func TestStatsCountsDeployments(t *testing.T) {
	for name, test := range map[string]struct {
		records             []Deployment
		deployments, failed int
		perWeek             float64
	}{
		"none":                     {nil, 0, 0, 0},
		"one an hour ago":          {[]Deployment{rolledOut(statsNow.Add(-time.Hour), "a")}, 1, 0, 1},
		"two within two weeks":     {[]Deployment{rolledOut(day(14), "a"), rolledOut(day(1), "b")}, 2, 0, 1},
		"one before the period":    {[]Deployment{rolledOut(day(91), "a"), rolledOut(day(1), "b")}, 1, 0, 0.08},
		"a failed one":             {[]Deployment{rolledOut(day(1), "a", fails("rollout"))}, 1, 1, 1},
		"an interrupted one":       {[]Deployment{rolledOut(day(1), "a", func(d *Deployment) { d.Outcome = Interrupted })}, 1, 1, 1},
		"a killed one":             {[]Deployment{rolledOut(day(1), "a", func(d *Deployment) { d.Outcome = Crashed })}, 1, 1, 1},
		"a partial one":            {[]Deployment{rolledOut(day(1), "a", func(d *Deployment) { d.Outcome = Incomplete })}, 1, 0, 1},
		"one that runs":            {[]Deployment{rolledOut(day(1), "a", func(d *Deployment) { d.Outcome = Running })}, 0, 0, 0},
		"one that is unreadable":   {[]Deployment{{Outcome: Unreadable}}, 0, 0, 0},
		"a restart":                {[]Deployment{rolledOut(day(1), "a", func(d *Deployment) { d.Restarted = true })}, 0, 0, 0},
		"sleep":                    {[]Deployment{rolledOut(day(1), "", ofKind(Sleep))}, 0, 0, 0},
		"wake":                     {[]Deployment{rolledOut(day(1), "", ofKind(Wake))}, 0, 0, 0},
		"what is no deployment":    {[]Deployment{rolledOut(day(1), "a", ofKind(Migrate)), rolledOut(day(1), "a", ofKind(Restore)), rolledOut(day(1), "a", ofKind(Destroy))}, 0, 0, 0},
		"full, components, shared": {[]Deployment{rolledOut(day(1), "a", ofKind(Full)), rolledOut(day(1), "a", ofKind(Components)), rolledOut(day(1), "a", ofKind(Shared))}, 3, 0, 3},
		"a rollback on request": {[]Deployment{
			rolledOut(day(3), "a"), rolledOut(day(2), "b"), rolledOut(day(1), "a", backFrom("b")),
		}, 2, 1, 2},
		"a rollback and back again": {[]Deployment{
			rolledOut(day(4), "a"), rolledOut(day(3), "b"), rolledOut(day(2), "a", backFrom("b")), rolledOut(day(1), "b", backFrom("a")),
		}, 2, 1, 2},
		"a rollback by its digest to what no record has": {[]Deployment{rolledOut(day(2), "b"), rolledOut(day(1), "a", backFrom("b"))}, 1, 1, 1},
		"a failed one that was rolled back by itself":    {[]Deployment{rolledOut(day(1), "a", fails("health"), func(d *Deployment) { d.RolledBackTo = &Image{} })}, 1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewStats("staging", newestFirst(test.records...), day(90), statsNow)
			require.Equal(t, test.deployments, s.Deployments)
			require.Equal(t, test.failed, s.Failed)
			require.InDelta(t, test.perWeek, s.DeploymentsPerWeek, 1e-9)
			if test.deployments == 0 {
				require.Nil(t, s.FailedShare)
				return
			}
			require.InDelta(t, float64(test.failed)/float64(test.deployments), *s.FailedShare, 1e-3)
		})
	}
}

// The charts begin at the first record, a week before the end at least, and never before the period.
func TestStatsBegin(t *testing.T) {
	first := rolledOut(day(30), "a")
	for name, test := range map[string]struct {
		records     []Deployment
		since, want time.Time
	}{
		"no record":                    {nil, day(90), day(7)},
		"a young record":               {[]Deployment{rolledOut(day(1), "a")}, day(90), day(7)},
		"the first record":             {[]Deployment{first, rolledOut(day(1), "b")}, day(90), day(30)},
		"a record from before":         {[]Deployment{first, rolledOut(day(1), "b")}, day(20), day(20)},
		"a short period":               {[]Deployment{first}, day(2), day(2)},
		"the year 1":                   {[]Deployment{first}, time.Time{}.Add(time.Second), day(30)},
		"an unreadable record is last": {[]Deployment{first, {Outcome: Unreadable}}, day(90), day(30)},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, NewStats("staging", newestFirst(test.records...), test.since, statsNow).Begin)
		})
	}
}

func TestStatsMedians(t *testing.T) {
	s := NewStats("staging", newestFirst(
		rolledOut(day(9), "a"), rolledOut(day(8), "b", took(300*time.Second)), rolledOut(day(7), "c", took(time.Hour), fails("health")),
		rolledOut(day(6), "d", took(201*time.Second)), rolledOut(day(5), "e", took(400*time.Second), func(d *Deployment) { d.Phases[2].Seconds = 80 }),
	), day(90), statsNow)
	require.Equal(t, map[string]float64{"total": 250.5, "preflight": 10, "rollout": 60, "health": 20}, s.MedianSeconds,
		"of those that succeeded, and without what was skipped")
}

func TestStatsLeadTime(t *testing.T) {
	const none = "no new image was verified"
	unknown := map[string]string{ // why there is no lead time
		"nothing was deployed":  none,
		"none was verified":     none,
		"before the period":     none,
		"a rollback":            none,
		"no image has the time": "no record of a new image has the time of its commit or build, from its labels or configuration",
		"a clock that is wrong": "the time of the commit or build of new images is later than their deployment",
	}
	hour := func(d time.Time, hours int) time.Time { return d.Add(time.Duration(hours) * time.Hour) }
	for name, test := range map[string]struct {
		records []Deployment
		want    float64 // in hours; 0 for none
	}{
		"nothing was deployed":     {nil, 0},
		"no image has the time":    {[]Deployment{rolledOut(day(2), "a")}, 0},
		"none was verified":        {[]Deployment{rolledOut(day(2), "a", createdAt(day(3)), fails("health"))}, 0},
		"the first of each image":  {[]Deployment{rolledOut(day(5), "a", createdAt(hour(day(5), -2))), rolledOut(day(2), "a", createdAt(hour(day(5), -2)))}, 2},
		"a failed one comes later": {[]Deployment{rolledOut(day(5), "a", createdAt(hour(day(5), -2)), fails("health")), rolledOut(day(4), "a", createdAt(hour(day(5), -2)))}, 26},
		"before the period":        {[]Deployment{rolledOut(day(95), "a", createdAt(day(96))), rolledOut(day(2), "a", createdAt(day(96)))}, 0},
		"a rollback":               {[]Deployment{rolledOut(day(2), "a", createdAt(day(3)), backFrom("b"))}, 0},
		"a clock that is wrong":    {[]Deployment{rolledOut(day(2), "a", createdAt(day(1)))}, 0},
		"the median": {[]Deployment{
			rolledOut(day(5), "a", createdAt(hour(day(5), -1))), rolledOut(day(4), "b", createdAt(hour(day(4), -4))), rolledOut(day(3), "c", createdAt(hour(day(3), -90))),
		}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewStats("staging", newestFirst(test.records...), day(90), statsNow)
			require.Equal(t, unknown[name], s.LeadUnknown)
			if test.want == 0 {
				require.Nil(t, s.LeadSeconds)
				return
			}
			require.InDelta(t, test.want*3600+100, *s.LeadSeconds, 0.1, "until the end of the deployment")
		})
	}
}

func TestStatsTimeToRestore(t *testing.T) {
	back := func(d *Deployment) { d.RolledBackTo = &Image{Digest: "a"} }
	for name, test := range map[string]struct {
		records []Deployment
		want    time.Duration // 0 for none
	}{
		"nothing failed":               {[]Deployment{rolledOut(day(2), "a")}, 0},
		"it rolled back by itself":     {[]Deployment{rolledOut(day(2), "b", fails("health"), back)}, 90 * time.Second},
		"not restored yet":             {[]Deployment{rolledOut(day(2), "b", fails("health"))}, 0},
		"no service was changed":       {[]Deployment{rolledOut(day(2), "b", fails("preflight")), rolledOut(day(1), "b")}, 0},
		"only the checks found errors": {[]Deployment{rolledOut(day(2), "b", func(d *Deployment) { d.Outcome = Failed }), rolledOut(day(1), "c")}, 0},
		"by the next deployment":       {[]Deployment{rolledOut(day(2), "b", fails("rollout")), rolledOut(day(1), "c")}, 24*time.Hour + 90*time.Second},
		"two failures in a row":        {[]Deployment{rolledOut(day(3), "b", fails("rollout")), rolledOut(day(2), "c", fails("rollout")), rolledOut(day(1), "d")}, 48*time.Hour + 90*time.Second},
		"the second rolls back":        {[]Deployment{rolledOut(day(3), "b", fails("rollout")), rolledOut(day(2), "c", fails("rollout"), back)}, 24*time.Hour + 90*time.Second},
		"by a rollback on request":     {[]Deployment{rolledOut(day(2), "b", fails("rollout")), rolledOut(day(1), "a", backFrom("b"))}, 24*time.Hour + 90*time.Second},
		"a healthy image, on request":  {[]Deployment{rolledOut(day(20), "b"), rolledOut(day(1), "a", backFrom("b"))}, 100 * time.Second},
		"destroyed meanwhile": {[]Deployment{
			rolledOut(day(4), "b", fails("rollout")), rolledOut(day(3), "", ofKind(Destroy), func(d *Deployment) { d.Verified = false }), rolledOut(day(1), "c"),
		}, 0},
		"restored before the period":   {[]Deployment{rolledOut(day(99), "b", fails("health"), back)}, 0},
		"restored within the period":   {[]Deployment{rolledOut(day(91), "b", fails("health")), rolledOut(day(90), "c")}, 24*time.Hour + 90*time.Second},
		"a crash after the rollout":    {[]Deployment{rolledOut(day(2), "b", fails("rollout"), func(d *Deployment) { d.Outcome, d.Ended = Crashed, time.Time{} }), rolledOut(day(1), "c")}, 24*time.Hour + 90*time.Second},
		"the mean of two restorations": {[]Deployment{rolledOut(day(4), "b", fails("health"), back), rolledOut(day(3), "c", took(110*time.Second), fails("health"), back)}, 95 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewStats("staging", newestFirst(test.records...), day(90), statsNow)
			if test.want == 0 {
				require.Nil(t, s.RestoreSeconds)
				return
			}
			require.NotNil(t, s.RestoreSeconds)
			require.InDelta(t, test.want.Seconds(), *s.RestoreSeconds, 0.1)
		})
	}
}

func TestFailedPhase(t *testing.T) {
	for want, d := range map[string]DeployedChange{
		"":         {Deployment: rolledOut(day(1), "a")},
		"health":   {Deployment: rolledOut(day(1), "a", fails("health")), Failed: true},
		"rollback": {Deployment: rolledOut(day(1), "a"), Failed: true, RolledBack: true},
		"failed":   {Deployment: rolledOut(day(1), "a", func(d *Deployment) { d.Outcome, d.Phases = Failed, nil }), Failed: true},
	} {
		require.Equal(t, want, d.FailedPhase())
	}
}

func TestListSince(t *testing.T) {
	dir := t.TempDir()
	store := Store{blob.Dir(dir)}
	for ago := range 30 {
		require.NoError(t, store.Save(t.Context(), rolledOut(day(ago), fmt.Sprint(ago))))
	}
	found, err := store.ListSince(t.Context(), "staging", day(10), 3)
	require.NoError(t, err)
	require.Len(t, found, 11+3)
	for ago, d := range found {
		require.Equal(t, fmt.Sprint(ago), d.Image.Digest, "the newest first")
	}
	found, err = store.ListSince(t.Context(), "staging", day(100), 3)
	require.NoError(t, err)
	require.Len(t, found, 30)
	require.NoError(t, os.WriteFile(store.Files.Location(key("staging", found[4].ID)), []byte("{"), 0o600))
	found, err = store.ListSince(t.Context(), "staging", day(-1), 5)
	require.NoError(t, err)
	require.Len(t, found, 5)
	require.Equal(t, Unreadable, found[4].Outcome)
	found, err = store.ListSince(t.Context(), "production", day(10), 3)
	require.NoError(t, err)
	require.Empty(t, found)
}

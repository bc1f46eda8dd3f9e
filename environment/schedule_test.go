package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseSchedule(t *testing.T) {
	for text, want := range map[string]struct {
		canonical, wake, sleep string
		hours                  float64
	}{
		"Mon-Fri 07:00-20:00 Europe/Berlin": {"Mon,Tue,Wed,Thu,Fri 07:00-20:00 Europe/Berlin",
			"cron(0 7 ? * MON,TUE,WED,THU,FRI *)", "cron(0 20 ? * MON,TUE,WED,THU,FRI *)", 282.44},
		"Mon,Wed-Thu 09:05-23:59 UTC": {"Mon,Wed,Thu 09:05-23:59 UTC",
			"cron(5 9 ? * MON,WED,THU *)", "cron(59 23 ? * MON,WED,THU *)", 194.23},
		"Sat-Mon 00:00-12:30 America/Argentina/Buenos_Aires": {"Mon,Sat,Sun 00:00-12:30 America/Argentina/Buenos_Aires",
			"cron(0 0 ? * MON,SAT,SUN *)", "cron(30 12 ? * MON,SAT,SUN *)", 162.95},
		"Sun-Sat 00:00-23:59 Etc/GMT+5": {"Mon,Tue,Wed,Thu,Fri,Sat,Sun 00:00-23:59 Etc/GMT+5",
			"cron(0 0 ? * MON,TUE,WED,THU,FRI,SAT,SUN *)", "cron(59 23 ? * MON,TUE,WED,THU,FRI,SAT,SUN *)", 729.49},
	} {
		s, err := ParseSchedule(text)
		require.NoError(t, err, text)
		require.Equal(t, want.canonical, s.String())
		require.Equal(t, want.wake, s.WakeExpression(), text)
		require.Equal(t, want.sleep, s.SleepExpression(), text)
		require.InDelta(t, want.hours, s.HoursPerMonth(), 0.01, text)
	}
}

func TestMalformedSchedules(t *testing.T) {
	for text, want := range map[string][2]string{
		"Mon-Fri 07:00-20:00":                           {`"Mon-Fri 07:00-20:00" is not a schedule`, scheduleForm},
		"always":                                        {`"always" is not a schedule`, scheduleForm},
		"Mon-Fri 7-20 Europe/Berlin":                    {`"7-20" are not hours of a day`, hoursForm},
		"Mon-Fri 07:00-24:00 Europe/Berlin":             {`"07:00-24:00" are not hours of a day`, hoursForm},
		"Mon-Fri 07:60-20:00 Europe/Berlin":             {`"07:60-20:00" are not hours of a day`, hoursForm},
		"Mon-Fri 20:00-07:00 Europe/Berlin":             {"the hours 20:00-07:00 do not end after they begin", "across midnight are not supported"},
		"Mon-Fri 07:00-07:00 Europe/Berlin":             {"do not end after they begin", "give an end later on the same day"},
		"Mo-Fr 07:00-20:00 Europe/Berlin":               {`"Mo-Fr" is not a day of the week or a range of them`, daysForm},
		"mon 07:00-20:00 Europe/Berlin":                 {`"mon" is not a day`, daysForm},
		"Mon, 07:00-20:00 Europe/Berlin":                {`"" is not a day`, daysForm},
		"Mon-Fri,Wed 07:00-20:00 Europe/Berlin":         {"Wed is listed twice", daysForm},
		"Mon-Fri 07:00-20:00 Europe/Berln":              {`there is no time zone "Europe/Berln"`, zoneForm},
		"Mon-Fri 07:00-20:00 CET":                       {`there is no time zone "CET"`, zoneForm},
		"Mon-Fri 07:00-20:00 Local":                     {`there is no time zone "Local"`, zoneForm},
		"Mon-Fri 07:00-20:00 posix/Europe/Berlin":       {`there is no time zone`, zoneForm},
		"Mon-Fri 07:00-20:00 ../../etc/passwd":          {`there is no time zone`, zoneForm},
		"Mon-Fri 07:00-12:00,13:00-20:00 Europe/Berlin": {"are not hours of a day", hoursForm},
	} {
		_, err := ParseSchedule(text)
		var malformed *ScheduleError
		require.ErrorAs(t, err, &malformed, text)
		require.Contains(t, malformed.Message, want[0], text)
		require.Contains(t, malformed.Hint(), want[1], text)
	}
}

// TestNextFollowsTheClocks goes through the two weekends of 2026 on which the clocks of Berlin change.
func TestNextFollowsTheClocks(t *testing.T) {
	for _, c := range []struct {
		schedule, after, want string
		awake                 bool
	}{
		{"Mon-Fri 07:00-20:00 Europe/Berlin", "2026-11-30T05:59:59Z", "2026-11-30T07:00:00+01:00", true},
		{"Mon-Fri 07:00-20:00 Europe/Berlin", "2026-11-30T06:00:00Z", "2026-11-30T20:00:00+01:00", false},
		{"Mon-Fri 07:00-20:00 Europe/Berlin", "2026-12-04T19:00:00Z", "2026-12-07T07:00:00+01:00", true},
		{"Mon-Fri 07:00-20:00 Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T07:00:00+02:00", true},
		{"Mon-Fri 07:00-20:00 Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-26T07:00:00+01:00", true},
		{"Mon 07:00-20:00 Asia/Tokyo", "2026-11-29T21:59:00Z", "2026-11-30T07:00:00+09:00", true},
		// 02:30 does not exist on 29 March, and exists twice on 25 October.
		{"Sun 02:30-10:00 Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T10:00:00+02:00", false},
		{"Sun 02:30-10:00 Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T02:30:00+02:00", true},
		{"Sun 02:30-10:00 Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T10:00:00+01:00", false},
		{"Mon 00:00-00:01 UTC", "2026-11-30T00:01:00Z", "2026-12-07T00:00:00Z", true},
	} {
		s, err := ParseSchedule(c.schedule)
		require.NoError(t, err)
		after, err := time.Parse(time.RFC3339, c.after)
		require.NoError(t, err)
		awake, at := s.Next(after)
		require.Equal(t, c.want, at.Format(time.RFC3339), "%s after %s", c.schedule, c.after)
		require.Equal(t, c.awake, awake, "%s after %s", c.schedule, c.after)
	}
}

func TestHoursAwake(t *testing.T) {
	e := loaded(t, "production")
	require.Equal(t, float64(HoursPerMonth), e.HoursAwake())
	e.Schedule.Awake = "Mon-Sun 00:00-12:00 UTC"
	require.InDelta(t, HoursPerMonth/2, e.HoursAwake(), 0.001)
}

func TestScheduleWarning(t *testing.T) {
	for awake, want := range map[string]string{
		"":                            "",
		"Mon-Fri 07:00-20:00 UTC":     "",
		"Mon-Fri 07:00-08:00 UTC":     "",
		"Mon-Fri 07:00-07:59 UTC":     "awake for only 59m at a time",
		"Mon-Fri 07:00-07:01 UTC":     "awake for only 1m at a time",
		"Mon-Sun 00:00-23:59 UTC":     "asleep for only 1m at a time",
		"Sat-Mon 00:30-23:31 UTC":     "asleep for only 59m at a time",
		"Sun,Mon 00:30-23:31 UTC":     "asleep for only 59m at a time",
		"Sat,Sun 00:00-23:00 UTC":     "",
		"Mon,Wed,Fri 00:00-23:59 UTC": "",
		"Wed 00:00-23:59 UTC":         "",
		"not a schedule":              "",
	} {
		e := loaded(t, "dev")
		e.Schedule.Awake = awake
		warning := e.scheduleWarning()
		if want == "" {
			require.Nil(t, warning, awake)
			continue
		}
		require.NotNil(t, warning, awake)
		require.Equal(t, "schedule.awake", warning.Path)
		require.Contains(t, warning.Message, want, awake)
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, text := range []string{"Mon-Fri 07:00-20:00 Europe/Berlin", "Sat,Sun 00:00-23:59 UTC", "- :-: /", ", - A/"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSchedule(text)
		if err != nil {
			return
		}
		again, err := ParseSchedule(s.String())
		require.NoError(t, err, text)
		require.Equal(t, s, again, text)
		require.Positive(t, s.HoursPerMonth())
		require.Less(t, s.HoursPerMonth(), float64(HoursPerMonth))
		now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
		awake, at := s.Next(now)
		require.True(t, at.After(now))
		next, after := s.Next(at)
		require.True(t, after.After(at))
		require.NotEqual(t, awake, next, "one wakes, the other ends it, where no clocks change")
	})
}

package environment

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // machines without a time zone database read the same file in the same way

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// Scheduling is when the environment is awake.
type Scheduling struct {
	// Awake has the days, the hours and the time zone, such as "Mon-Fri 07:00-20:00 Europe/Berlin". Outside of them the environment sleeps;
	// "" means that it never does.
	Awake string `yaml:"awake"`
}

// HoursPerMonth is the number of hours in an average month, as AWS counts them.
const HoursPerMonth = 730

const daysPerWeek = 7

// Schedule is the parsed form of schedule.awake: on some days of the week, from one time of the day to another, in a time zone.
type Schedule struct {
	days [daysPerWeek]bool // by time.Weekday
	// from and to are minutes since midnight.
	from, to int
	zone     *time.Location
}

// ScheduleError reports a schedule that has not the expected form.
type ScheduleError struct{ Message, Remedy string }

func (e *ScheduleError) Error() string { return e.Message }

// Hint returns what to write instead.
func (e *ScheduleError) Hint() string { return e.Remedy }

// What a schedule consists of.
const (
	scheduleForm = `give days, hours and a time zone, such as "Mon-Fri 07:00-20:00 Europe/Berlin"`
	daysForm     = "give days such as Mon-Fri or Mon,Wed,Fri"
	hoursForm    = "give the beginning and the end in hours and minutes, such as 07:00-20:00"
	zoneForm     = "give a name of the IANA time zone database, such as Europe/Berlin or UTC"
)

var (
	hoursPattern = lazyregexp.New(`^([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])$`)
	// zonePattern excludes abbreviations such as EST, which do not follow daylight saving time, and Go's name Local.
	zonePattern = lazyregexp.New(`^(UTC|[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)+)$`)
)

// ParseSchedule parses a value of schedule.awake. Its error is a *ScheduleError.
func ParseSchedule(text string) (Schedule, error) {
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return Schedule{}, &ScheduleError{fmt.Sprintf("%q is not a schedule", text), scheduleForm}
	}
	var s Schedule
	for part := range strings.SplitSeq(fields[0], ",") {
		if err := s.addDays(part); err != nil {
			return Schedule{}, err
		}
	}
	hours := hoursPattern.FindStringSubmatch(fields[1])
	if hours == nil {
		return Schedule{}, &ScheduleError{fmt.Sprintf("%q are not hours of a day", fields[1]), hoursForm}
	}
	s.from, s.to = minutes(hours[1], hours[2]), minutes(hours[3], hours[4])
	if s.from >= s.to {
		return Schedule{}, &ScheduleError{fmt.Sprintf("the hours %s do not end after they begin", fields[1]),
			"give an end later on the same day, at most 23:59; hours across midnight are not supported"}
	}
	zone, err := time.LoadLocation(fields[2])
	if err != nil || !zonePattern.MatchString(fields[2]) {
		return Schedule{}, &ScheduleError{fmt.Sprintf("there is no time zone %q", fields[2]), zoneForm}
	}
	s.zone = zone
	return s, nil
}

// addDays adds a day or a range of days, which may continue after Sunday.
func (s *Schedule) addDays(text string) error {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	from, to := weekday(first), weekday(last)
	if from < 0 || to < 0 {
		return &ScheduleError{fmt.Sprintf("%q is not a day of the week or a range of them", text), daysForm}
	}
	for day := from; ; day = (day + 1) % daysPerWeek {
		if s.days[day] {
			return &ScheduleError{shortDay(day) + " is listed twice", daysForm}
		}
		s.days[day] = true
		if day == to {
			return nil
		}
	}
}

// weekday returns the day of an abbreviation such as Mon, or -1.
func weekday(text string) int {
	for day := range daysPerWeek {
		if shortDay(day) == text {
			return day
		}
	}
	return -1
}

func shortDay(day int) string { return time.Weekday(day).String()[:3] }

func minutes(hour, minute string) int {
	digits := func(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }
	return 60*digits(hour) + digits(minute)
}

// HoursPerMonth returns how many hours of an average month the environment is awake.
func (s Schedule) HoursPerMonth() float64 {
	days := 0
	for _, awake := range s.days {
		if awake {
			days++
		}
	}
	return float64(days*(s.to-s.from)) / 60 * HoursPerMonth / (daysPerWeek * 24)
}

// Next returns the first time after t at which the schedule changes something, and whether the environment is awake from then on. A time that
// daylight saving time skips does not occur; one that it repeats occurs once.
// Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#daylist-savings-time
func (s Schedule) Next(t time.Time) (awake bool, at time.Time) {
	local := t.In(s.zone)
	for day := 0; ; day++ {
		for _, change := range []struct {
			minute int
			awake  bool
		}{{s.from, true}, {s.to, false}} {
			at, exists := clockTime(time.Date(local.Year(), local.Month(), local.Day()+day, 0, 0, 0, 0, s.zone), change.minute)
			if exists && s.days[at.Weekday()] && at.After(t) {
				return change.awake, at
			}
		}
	}
}

// clockTime returns the first time on a day at which clocks show a number of minutes since midnight, and whether there is one.
func clockTime(day time.Time, minute int) (at time.Time, exists bool) {
	shows := func(t time.Time) bool { return t.Hour()*60+t.Minute() == minute }
	at = time.Date(day.Year(), day.Month(), day.Day(), 0, minute, 0, 0, day.Location())
	if earlier := at.Add(-time.Hour); shows(earlier) {
		return earlier, true
	}
	return at, shows(at)
}

// WakeExpression returns the schedule expression of the times at which the environment wakes, in the time zone of TimeZone.
// Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
func (s Schedule) WakeExpression() string { return s.expression(s.from) }

// SleepExpression returns that of the times at which it goes to sleep.
func (s Schedule) SleepExpression() string { return s.expression(s.to) }

func (s Schedule) expression(minute int) string {
	return fmt.Sprintf("cron(%d %d ? * %s *)", minute%60, minute/60, strings.ToUpper(strings.Join(s.dayNames(), ",")))
}

// dayNames returns the abbreviations of the days, from Monday on.
func (s Schedule) dayNames() []string {
	var names []string
	for i := range daysPerWeek {
		if day := (i + 1) % daysPerWeek; s.days[day] {
			names = append(names, shortDay(day))
		}
	}
	return names
}

// TimeZone returns the IANA name of the schedule's time zone.
func (s Schedule) TimeZone() string { return s.zone.String() }

// String returns the schedule in the form that ParseSchedule reads.
func (s Schedule) String() string {
	return fmt.Sprintf("%s %02d:%02d-%02d:%02d %s", strings.Join(s.dayNames(), ","), s.from/60, s.from%60, s.to/60, s.to%60, s.zone)
}

// shortest returns the shortest times for which the environment is awake and asleep, where no clocks change.
func (s Schedule) shortest() (awake, asleep time.Duration) {
	awake = time.Duration(s.to-s.from) * time.Minute
	asleep = daysPerWeek*24*time.Hour - awake
	for day, last := 0, -daysPerWeek; day < 2*daysPerWeek; day++ {
		if s.days[day%daysPerWeek] {
			asleep, last = min(asleep, time.Duration(day-last)*24*time.Hour-awake), day
		}
	}
	return awake, asleep
}

// minStay declares the shortest time for which it is worth to wake or to sleep: the database alone stops and starts for many minutes.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
const minStay = time.Hour

// scheduleWarning warns of a schedule whose times are hardly longer than it takes to wake and to go to sleep.
func (e *Environment) scheduleWarning() *Warning {
	s := e.AwakeSchedule()
	if s == nil {
		return nil
	}
	awake, asleep := s.shortest()
	state, shortest := "awake", awake
	if asleep < awake {
		state, shortest = "asleep", asleep
	}
	if shortest >= minStay {
		return nil
	}
	return &Warning{
		Path: "schedule.awake",
		Message: fmt.Sprintf("the environment is %s for only %s at a time, and its database takes minutes to start and to stop",
			state, formatDuration(shortest)),
		Remedy: "let it be awake and asleep for at least " + formatDuration(minStay) + " at a time",
	}
}

// AwakeSchedule returns when the environment is awake, or nil if it never sleeps by itself.
func (e *Environment) AwakeSchedule() *Schedule {
	if e.Schedule.Awake == "" {
		return nil
	}
	s, err := ParseSchedule(e.Schedule.Awake)
	if err != nil {
		return nil // a file with it is not valid
	}
	return &s
}

// HoursAwake returns how many hours of an average month the environment is awake by its schedule: HoursPerMonth without one.
func (e *Environment) HoursAwake() float64 {
	if s := e.AwakeSchedule(); s != nil {
		return s.HoursPerMonth()
	}
	return HoursPerMonth
}

func (e *Environment) scheduleProblems(l *problemList) {
	if e.Schedule.Awake == "" {
		return
	}
	if e.Protected {
		l.add("schedule.awake", "remove it", "a protected environment never sleeps")
	}
	if regionPattern.MatchString(e.Region) && len(e.AlarmRegions()) > 1 {
		l.add("schedule.awake", fmt.Sprintf("remove it, set monitoring.level to %s, or put the environment in %s", Enhanced, GlobalMetricsRegion),
			"the schedule mutes alarms of %s only, and the alarm %s of monitoring.level: %s is in %s",
			e.Region, e.AlarmName(UptimeAlarm), Full, GlobalMetricsRegion)
	}
	_, err := ParseSchedule(e.Schedule.Awake)
	if malformed, ok := errors.AsType[*ScheduleError](err); ok {
		l.add("schedule.awake", malformed.Remedy, "%s", malformed.Message)
	}
}

package environment

import (
	"fmt"
	"strings"
	"time"
)

// Warning is something in a valid file that will go wrong later.
type Warning struct {
	// Path is the key, with dots; Message what goes wrong; Remedy what to write.
	Path, Message, Remedy string
}

// Warnings returns the warnings of a valid environment at a time.
func (e *Environment) Warnings(now time.Time) []Warning {
	var all []Warning
	for _, warning := range []*Warning{
		e.regionWarning(), e.classWarning(), e.connectionWarning(), e.supportWarning(now), e.rolloutWarning(), e.bakeWarning(),
		e.scheduleWarning(),
	} {
		if warning != nil {
			all = append(all, *warning)
		}
	}
	return all
}

// connectionWarning compares the connections that all tasks may open during a rollout with what the database allows.
func (e *Environment) connectionWarning() *Warning {
	tasks, terms := 0, []string{}
	for _, s := range e.Services.List() {
		// During a rollout the old tasks run beside the new ones, except those of a scheduler.
		count, term := s.Tasks.Max*2, fmt.Sprintf("2 × %d %s", s.Tasks.Max, s.Role)
		if s.Role == Scheduler {
			count, term = s.Tasks.Max, fmt.Sprintf("%d %s", s.Tasks.Max, s.Role)
		}
		tasks, terms = tasks+count, append(terms, term)
	}
	limit := MaxConnections(e.Database.InstanceClass)
	if wanted := tasks * e.Database.Connections; wanted > limit {
		return &Warning{
			Path: "database.connections",
			Message: fmt.Sprintf("during a rollout with the most tasks, %d tasks (%s) × %d connections = %d, and a %s allows about %d",
				tasks, strings.Join(terms, " + "), e.Database.Connections, wanted, e.Database.InstanceClass, limit),
			Remedy: fmt.Sprintf("give at most %d, fewer tasks, or a larger instance class", max(1, limit/tasks)),
		}
	}
	return nil
}

// minStart declares the part of a rollout's time limit that is left, at least, for tasks to start and for the old ones to drain.
const minStart = 10 * time.Minute

// rolloutWarning compares the time limit of a rollout with the time for which ECS watches the alarms.
func (e *Environment) rolloutWarning() *Warning {
	watch, limit := e.AlarmWatch(), e.Deployment.Rollout.Timeout
	if watch == 0 || limit >= watch+minStart {
		return nil
	}
	return &Warning{
		Path: "deployment.rollout.timeout",
		Message: fmt.Sprintf("of %s, ECS watches deployment.rollout.alarms for about %s after the last task is healthy, which leaves %s to start the tasks",
			formatDuration(limit), formatDuration(watch), formatDuration(max(limit-watch, 0))),
		Remedy: "give at least " + formatDuration(watch+minStart) + ", or leave out the alarms that CloudWatch evaluates longest",
	}
}

// wholeBake declares how long a bake must be to judge 5xx, latency and memory: its first minute is not judged, and latency takes three.
const wholeBake = 4 * time.Minute

// bakeWarning reports a bake that is too short to judge all metrics.
func (e *Environment) bakeWarning() *Warning {
	bake := e.Deployment.Rollout.Bake
	if bake == 0 || bake >= wholeBake {
		return nil
	}
	missed := "latency"
	if bake < wholeBake-time.Minute {
		missed = "5xx, latency or memory"
	}
	return &Warning{
		Path:    "deployment.rollout.bake",
		Message: fmt.Sprintf("a bake of %s is too short to judge %s", formatDuration(bake), missed),
		Remedy:  "give at least " + formatDuration(wholeBake),
	}
}

// endOfSupport is the last month of RDS's standard support of each major version of PostgreSQL.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html
var endOfSupport = map[string]time.Time{
	"14": time.Date(2027, time.February, 1, 0, 0, 0, 0, time.UTC),
	"15": time.Date(2028, time.February, 1, 0, 0, 0, 0, time.UTC),
	"16": time.Date(2029, time.February, 1, 0, 0, 0, 0, time.UTC),
	"17": time.Date(2030, time.February, 1, 0, 0, 0, 0, time.UTC),
	"18": time.Date(2031, time.February, 1, 0, 0, 0, 0, time.UTC),
}

// supportNotice is how many months before the end of standard support the warning begins.
const supportNotice = 6

func (e *Environment) supportWarning(now time.Time) *Warning {
	last, known := endOfSupport[MajorVersion(e.Database.EngineVersion)]
	after := last.AddDate(0, 1, 0)
	if !known || now.Before(after.AddDate(0, -supportNotice, 0)) {
		return nil
	}
	verb := "ends"
	if !now.Before(after) {
		verb = "ended"
	}
	return &Warning{
		Path: "database.engineVersion",
		Message: fmt.Sprintf("RDS's standard support of PostgreSQL %s %s in %s: RDS upgrades the major version by itself after that",
			e.Database.EngineVersion, verb, last.Format("January 2006")),
		Remedy: "upgrade it before that: docs/changes.md",
	}
}

const gigabyte = 1 << 30

// InstanceMemory returns the nominal memory of an RDS instance class, in bytes. It follows from the size; r classes have twice as much.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Summary.html
func InstanceMemory(class string) float64 {
	family, size, _ := strings.Cut(strings.TrimPrefix(class, "db."), ".")
	sizes := map[string]float64{"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16}
	memory, ok := sizes[size]
	if !ok {
		// 2xlarge, 4xlarge and so on.
		var multiple float64
		if _, err := fmt.Sscanf(size, "%fxlarge", &multiple); err != nil {
			multiple = 1
		}
		memory = multiple * sizes["xlarge"]
	}
	if strings.HasPrefix(family, "r") {
		memory *= 2
	}
	return memory * gigabyte
}

// MaxConnections returns an estimate of RDS's default of max_connections for an instance class. The formula takes the variable
// DBInstanceClassMemory, which is less than the nominal memory: the operating system and RDS use about a quarter of it.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ParamValuesRef.html
func MaxConnections(class string) int { return int(min(InstanceMemory(class)*3/4/9531392, 5000)) }

package environment

import (
	"strings"
	"time"
)

// DatabasePort is where PostgreSQL listens, DatabaseStorage the sort of its volume.
const (
	DatabasePort    = 5432
	DatabaseStorage = "gp3"
)

// Both windows are in UTC, when Europe and America sleep; they must not overlap.
const (
	BackupWindow      = "07:00-08:00"
	MaintenanceWindow = "tue:08:30-tue:09:30"
)

// InsightsDays is how long Performance Insights keeps what it saw, where it is on. Seven days cost nothing.
const InsightsDays = 7

// DatabaseLogs are the logs that PostgreSQL sends to CloudWatch.
func DatabaseLogs() []string { return []string{"postgresql", "upgrade"} }

// DatabaseIdentifier is the RDS instance's identifier, and the name of its subnet group.
func (e *Environment) DatabaseIdentifier() string { return e.resource("db") }

// DatabaseGroupName is the database's security group.
func (e *Environment) DatabaseGroupName() string { return e.resource("database") }

// DatabaseFamily is the parameter group's family: the engine and its major version.
func (e *Environment) DatabaseFamily() string {
	major, _, _ := strings.Cut(e.Database.EngineVersion, ".")
	return "postgres" + major
}

// ParameterGroupName is the database's parameter group. It bears the engine's family, since a group cannot change it.
func (e *Environment) ParameterGroupName() string {
	return e.DatabaseIdentifier() + "-" + e.DatabaseFamily()
}

// RestoredIdentifier is the instance that a snapshot is restored to.
func (e *Environment) RestoredIdentifier() string { return e.resource("db-restored") }

// ReplacedPrefix begins the names of instances in whose place another one was put.
func (e *Environment) ReplacedPrefix() string { return e.resource("db-before-restore-") }

// ReplacedIdentifier is the name that the database gets when another one is put in its place at the time, in UTC.
func (e *Environment) ReplacedIdentifier(at time.Time) string {
	return e.ReplacedPrefix() + formatTimestamp(at)
}

// SnapshotPrefix begins the names of the snapshots taken before deployments.
func (e *Environment) SnapshotPrefix() string { return e.resource("pre-deploy-") }

// SnapshotIdentifier is the name of a snapshot taken before the deployment at the time, in UTC.
func (e *Environment) SnapshotIdentifier(at time.Time) string {
	return e.SnapshotPrefix() + formatTimestamp(at)
}

// IsPreDeploy reports whether a snapshot's name is one that SnapshotIdentifier makes.
func (e *Environment) IsPreDeploy(snapshot string) bool {
	rest, hasPrefix := strings.CutPrefix(snapshot, e.SnapshotPrefix())
	_, err := time.Parse(timestampLayout, rest)
	return hasPrefix && err == nil
}

// timestampLayout is how names say when: YYYYMMDD-HHMMSS.
const timestampLayout = "20060102-150405"

func formatTimestamp(at time.Time) string { return at.UTC().Format(timestampLayout) }

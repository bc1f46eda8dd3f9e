package environment

import (
	"strings"
	"time"
)

// DatabasePort is the port of PostgreSQL, DatabaseStorage the type of its volume.
const (
	DatabasePort    = 5432
	DatabaseStorage = "gp3"
)

// The windows are in UTC, at night in Europe and America. They must not overlap.
const (
	BackupWindow      = "07:00-08:00"
	MaintenanceWindow = "tue:08:30-tue:09:30"
)

// InsightsDays is the retention of Performance Insights. Seven days are free.
const InsightsDays = 7

// DatabaseLifecycle is the value with which RDS does not enrol an instance in Extended Support, which it charges for. The program sets it when
// it creates an instance, or restores one. After the end of standard support RDS upgrades the major version.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/extended-support-charges.html
const DatabaseLifecycle = "open-source-rds-extended-support-disabled"

// DatabaseLogs returns the logs that RDS exports to CloudWatch.
func DatabaseLogs() []string { return []string{"postgresql", "upgrade"} }

// DatabaseIdentifier returns the identifier of the RDS instance, which is also the name of its subnet group.
func (e *Environment) DatabaseIdentifier() string { return e.ResourceName("db") }

// DatabaseGroupName returns the name of the database's security group.
func (e *Environment) DatabaseGroupName() string { return e.ResourceName("database") }

// DatabaseFamily returns the family of the parameter group: the engine and its major version.
func (e *Environment) DatabaseFamily() string {
	return "postgres" + MajorVersion(e.Database.EngineVersion)
}

// MajorVersion returns the major version of a version of PostgreSQL: 16 of 16.8.
func MajorVersion(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}

// ParameterGroupName returns the name of the parameter group. It contains the family, since a group cannot change it.
func (e *Environment) ParameterGroupName() string {
	return e.DatabaseIdentifier() + "-" + e.DatabaseFamily()
}

// RestoredIdentifier returns the identifier of the instance that a snapshot is restored to.
func (e *Environment) RestoredIdentifier() string { return e.ResourceName("db-restored") }

// ReplacedPrefix returns the prefix of the identifiers of replaced instances.
func (e *Environment) ReplacedPrefix() string { return e.ResourceName("db-before-restore-") }

// ReplacedIdentifier returns the identifier that the database gets when it is replaced at a time.
func (e *Environment) ReplacedIdentifier(at time.Time) string {
	return e.ReplacedPrefix() + formatTimestamp(at)
}

// FinalSnapshotIdentifier returns the identifier of the snapshot that RDS takes of an instance that is deleted at a time.
func FinalSnapshotIdentifier(instance string, at time.Time) string {
	return instance + "-final-" + formatTimestamp(at)
}

// SnapshotPrefix returns the prefix of the identifiers of snapshots taken before deployments.
func (e *Environment) SnapshotPrefix() string { return e.ResourceName("pre-deploy-") }

// SnapshotIdentifier returns the identifier of the snapshot taken before the deployment at a time.
func (e *Environment) SnapshotIdentifier(at time.Time) string {
	return e.SnapshotPrefix() + formatTimestamp(at)
}

// IsPreDeploy reports whether a snapshot's identifier is one that SnapshotIdentifier returns.
func (e *Environment) IsPreDeploy(snapshot string) bool {
	rest, hasPrefix := strings.CutPrefix(snapshot, e.SnapshotPrefix())
	_, err := time.Parse(timestampLayout, rest)
	return hasPrefix && err == nil
}

// timestampLayout is YYYYMMDD-HHMMSS, in UTC.
const timestampLayout = "20060102-150405"

func formatTimestamp(at time.Time) string { return at.UTC().Format(timestampLayout) }

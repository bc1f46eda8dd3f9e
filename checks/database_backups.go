package checks

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func readSnapshots(ctx context.Context, rc *runContext) ([]rdstypes.DBSnapshot, error) {
	return cached(ctx, &rc.cache, "snapshots", func(ctx context.Context) ([]rdstypes.DBSnapshot, error) {
		snapshots, err := awsx.Pages(ctx, rds.NewDescribeDBSnapshotsPaginator(rds.NewFromConfig(rc.aws()), &rds.DescribeDBSnapshotsInput{
			DBInstanceIdentifier: aws.String(rc.env.DatabaseIdentifier()),
		}), func(out *rds.DescribeDBSnapshotsOutput) []rdstypes.DBSnapshot { return out.DBSnapshots })
		return snapshots, ignoreCodes(err, "DBInstanceNotFound", "DBInstanceNotFoundFault")
	})
}

func checkBackups(ctx context.Context, rc *runContext) ([]Finding, error) {
	database, snapshots, err := readBoth(ctx, rc, readDatabase, readSnapshots)
	if err != nil {
		return nil, err
	}
	return []Finding{evaluateBackups(database, snapshots, rc.env, rc.now)}, nil
}

// restorableLag is the limit for the age of the latest restorable time, which RDS keeps at five minutes.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html
const restorableLag = time.Hour

// evaluateBackups evaluates whether the database can be restored, from RDS's own backups and from the snapshots taken before
// deployments.
func evaluateBackups(
	database *rdstypes.DBInstance, snapshots []rdstypes.DBSnapshot, env *environment.Environment, now time.Time,
) Finding {
	f := newFinding("database_backups", "RDS-Backups-"+env.DatabaseIdentifier())
	if database == nil {
		return f.error("DatabaseMissing", databaseMissingHint(env), "the database %s does not exist", env.DatabaseIdentifier())
	}
	kept, wanted := int(aws.ToInt32(database.BackupRetentionPeriod)), env.Database.BackupDays
	failed := list.Map(list.Filter(snapshots, func(s rdstypes.DBSnapshot) bool { return aws.ToString(s.Status) == "failed" }),
		func(s rdstypes.DBSnapshot) string { return aws.ToString(s.DBSnapshotIdentifier) })
	f = f.with("retention_days", kept).with("snapshots", len(snapshots))
	if newest := newestSnapshot(snapshots); newest != nil {
		f = f.with("newest_snapshot", aws.ToString(newest.DBSnapshotIdentifier)).
			with("newest_snapshot_at", aws.ToTime(newest.SnapshotCreateTime).UTC().Format(time.RFC3339))
	}
	latest := database.LatestRestorableTime
	setTime(f.details, "latest_restorable", latest)
	young := database.InstanceCreateTime == nil || now.Sub(*database.InstanceCreateTime) < 24*time.Hour
	switch {
	case database.BackupRetentionPeriod == nil:
		return f.unknown("RetentionUnknown", incompleteAnswer("DescribeDBInstances", "BackupRetentionPeriod"), "it is unknown how long backups are kept")
	case kept == 0 && wanted > 0:
		return f.error("BackupsOff", differsHint(env, "the retention was changed"), "backups are off, the environment's file has %d days", wanted)
	case kept < wanted:
		// A shorter retention deletes the older backups at once, and IAM cannot deny it to a role that may modify the instance.
		// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html
		return f.error("RetentionTooShort", differsHint(env, "the retention was changed"),
			"backups are kept for %s, the environment's file has %d", text.Plural(kept, "day", "days"), wanted)
	case len(failed) > 0:
		return f.with("failed", failed).warning("SnapshotFailed", Hint{
			Cause:    "RDS could not finish it",
			Solution: "create another one, and delete the failed one", Command: command(env, "snapshot create"),
		}, "%s failed: %s", text.Plural(len(failed), "snapshot has", "snapshots have"), strings.Join(failed, ", "))
	case latest != nil && now.Sub(*latest) > restorableLag:
		return f.warning("RestorableLags", Hint{
			Cause:    "RDS is behind with its transaction logs, or a backup hangs",
			Solution: "check the database's events",
		}, "the database can be restored only to %s ago", now.Sub(*latest).Truncate(time.Minute))
	case kept > 0 && !young && len(snapshots) == 0:
		return f.warning("NoSnapshots", Hint{
			Cause:    "no backup has been taken for more than a day",
			Solution: "check the database's events, and create a snapshot", Command: command(env, "snapshot create"),
		}, "backups are kept for %d days, but there is no snapshot", kept)
	}
	return f.healthy("BackedUp", "kept for %s, %s", text.Plural(kept, "day", "days"), text.Plural(len(snapshots), "snapshot", "snapshots"))
}

func newestSnapshot(snapshots []rdstypes.DBSnapshot) *rdstypes.DBSnapshot {
	if len(snapshots) == 0 {
		return nil
	}
	newest := slices.MaxFunc(snapshots, func(a, b rdstypes.DBSnapshot) int {
		return aws.ToTime(a.SnapshotCreateTime).Compare(aws.ToTime(b.SnapshotCreateTime))
	})
	return &newest
}

package checks

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdspending"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsstate"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// readDatabase returns the environment's database instance, or nil where there is none.
func readDatabase(ctx context.Context, rc *runContext) (*rdstypes.DBInstance, error) {
	return cached(ctx, &rc.cache, "database", func(ctx context.Context) (*rdstypes.DBInstance, error) {
		out, err := rds.NewFromConfig(rc.aws()).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{
			DBInstanceIdentifier: aws.String(rc.env.DatabaseIdentifier()),
		})
		if err != nil || len(out.DBInstances) == 0 {
			return nil, ignoreCodes(err, "DBInstanceNotFound", "DBInstanceNotFoundFault")
		}
		return &out.DBInstances[0], nil
	})
}

// readMaintenance returns the database's pending maintenance, none where it cannot be read.
func readMaintenance(ctx context.Context, rc *runContext, database *rdstypes.DBInstance) []rdstypes.PendingMaintenanceAction {
	if database == nil || aws.ToString(database.DBInstanceArn) == "" {
		return nil
	}
	out, err := rds.NewFromConfig(rc.aws()).DescribePendingMaintenanceActions(ctx, &rds.DescribePendingMaintenanceActionsInput{
		ResourceIdentifier: database.DBInstanceArn,
	})
	if err != nil {
		return nil
	}
	var actions []rdstypes.PendingMaintenanceAction
	for _, r := range out.PendingMaintenanceActions {
		actions = append(actions, r.PendingMaintenanceActionDetails...)
	}
	return actions
}

func checkDatabase(ctx context.Context, rc *runContext) ([]Finding, error) {
	prefetch(ctx, rc, readUtilisation)
	database, err := readDatabase(ctx, rc)
	if err != nil {
		return nil, err
	}
	maintenance := readMaintenance(ctx, rc, database)
	metrics, _ := readUtilisation(ctx, rc)
	return []Finding{evaluateDatabase(database, maintenance, metrics, rc.env)}, nil
}

// databaseMissingHint returns the hint for a database that does not exist. A deployment with --refresh would create an empty one.
func databaseMissingHint(env *environment.Environment) Hint {
	return Hint{
		Cause:    "the database was deleted, or its first deployment has not ended",
		Solution: "restore its newest snapshot; where there was no database yet, a full deployment creates an empty one",
		Command:  command(env, "snapshot restore") + " --switch",
	}
}

// Limits of the free storage, in percent.
const (
	storageWarning = 15
	storageError   = 5
)

// evaluateDatabase evaluates the instance: available, private, encrypted, and with free storage.
func evaluateDatabase(
	database *rdstypes.DBInstance, maintenance []rdstypes.PendingMaintenanceAction, metrics utilisation, env *environment.Environment,
) Finding {
	f := newFinding("database", "RDS-Database-"+env.DatabaseIdentifier())
	if database == nil {
		return f.error("DatabaseMissing", databaseMissingHint(env), "the database %s does not exist", env.DatabaseIdentifier())
	}
	status := aws.ToString(database.DBInstanceStatus)
	name := databaseMetrics(env.DatabaseIdentifier())
	f = f.with("status", status).with("class", aws.ToString(database.DBInstanceClass)).
		with("engine", aws.ToString(database.Engine)+" "+aws.ToString(database.EngineVersion)).
		with("storage_gib", aws.ToInt32(database.AllocatedStorage)).with("encrypted", aws.ToBool(database.StorageEncrypted)).
		with("public", aws.ToBool(database.PubliclyAccessible)).with("multi_zone", aws.ToBool(database.MultiAZ))
	maps.Copy(f.details, metrics.of(name))
	if len(maintenance) > 0 {
		f = f.with("pending_maintenance", maintenanceDetails(maintenance))
	}
	pending := list.Map(rdspending.Of(database), rdspending.Change.String)
	if len(pending) > 0 {
		f = f.with("pending_changes", pending)
	}
	left, leftKnown := storageLeft(database, metrics)
	if leftKnown {
		f = f.with("storage_left_percent", int(left))
	}
	grow := Hint{
		Cause:    "data grows, and the storage has reached its maximum or grows too slowly",
		Solution: "raise database.maxStorageGiB in the environment's file and deploy, or remove data", Command: command(env, "up") + " " + tagPlaceholder + " --component database",
	}
	switch {
	case status == "":
		return f.unknown("StatusUnknown", incompleteAnswer("DescribeDBInstances", "a status"), "it is unknown whether the database is available")
	case !rdsstate.Of(status).Serves():
		return f.error("DatabaseUnavailable", unavailableHint(status, env), "the database is %s", status)
	case aws.ToBool(database.PubliclyAccessible):
		return f.error("PubliclyAccessible", driftHint(env, "the setting was changed outside the deployer"), "the database has a public address")
	case database.StorageEncrypted != nil && !*database.StorageEncrypted:
		return f.error("NotEncrypted", Hint{
			Cause:    "it was created without encryption, which cannot be added later",
			Solution: "restore an encrypted copy of a snapshot", Command: command(env, "snapshot list"),
		}, "the database's storage is not encrypted")
	case leftKnown && left < storageError:
		return f.error("StorageFull", grow, "%.0f %% of the storage is left", left)
	case database.PubliclyAccessible == nil || database.StorageEncrypted == nil:
		return f.unknown("SettingsUnknown", incompleteAnswer("DescribeDBInstances", "PubliclyAccessible or StorageEncrypted"),
			"it is unknown whether the database is private and encrypted")
	case leftKnown && left < storageWarning:
		return f.warning("StorageLow", grow, "%.0f %% of the storage is left", left)
	case status != rdsstate.Available:
		return f.warning("DatabaseChanging", Hint{
			Cause: "RDS is changing it; it accepts connections meanwhile", Solution: "wait",
		}, "the database is %s", status)
	case forcedMaintenance(maintenance):
		return f.warning("MaintenancePending", Hint{
			Cause:    "RDS will apply it in the maintenance window",
			Solution: "apply it at a time of low load before that, or expect an interruption",
		}, "%d maintenance actions are pending for the database", len(maintenance))
	}
	summary := fmt.Sprintf("%s %s, %s", aws.ToString(database.Engine), aws.ToString(database.EngineVersion), aws.ToString(database.DBInstanceClass))
	return f.healthy("Available", "%s", strings.Join(append([]string{summary}, pending...), "; "))
}

// unavailableHint explains a status in which the database does not accept connections.
func unavailableHint(status string, env *environment.Environment) Hint {
	switch {
	case rdsstate.Of(status) == rdsstate.Starting:
		return Hint{Cause: "it is starting", Solution: "wait a few minutes"}
	case status == "stopped" || status == "stopping":
		return Hint{Cause: "it was stopped outside the deployer", Solution: "start it",
			Command: "aws rds start-db-instance --db-instance-identifier " + env.DatabaseIdentifier()}
	case status == "storage-full":
		return Hint{Cause: "the storage is used up", Solution: "enlarge the storage, by a tenth at least, then raise database.maxStorageGiB in the environment's file",
			Command: awsCommand(env, "rds modify-db-instance --db-instance-identifier "+env.DatabaseIdentifier()+
				" --allocated-storage GIB --apply-immediately")}
	case strings.HasPrefix(status, "inaccessible-encryption"):
		return Hint{Cause: "RDS cannot use the KMS key", Solution: "enable the key and let RDS use it"}
	}
	return Hint{Cause: "the instance failed or is being deleted", Solution: "check its events, and restore a snapshot if the data is lost",
		Command: command(env, "snapshot list")}
}

// storageLeft returns the free share of the storage in percent, where CloudWatch has it.
func storageLeft(database *rdstypes.DBInstance, metrics utilisation) (float64, bool) {
	free, ok := metrics.number(databaseMetrics(aws.ToString(database.DBInstanceIdentifier)), freeStorageBytes)
	total := float64(aws.ToInt32(database.AllocatedStorage)) * bytesPerGiB
	if !ok || total == 0 {
		return 0, false
	}
	return 100 * free / total, true
}

// forcedMaintenance reports whether RDS will apply an action without being asked.
func forcedMaintenance(actions []rdstypes.PendingMaintenanceAction) bool {
	return slices.ContainsFunc(actions, func(a rdstypes.PendingMaintenanceAction) bool {
		return a.AutoAppliedAfterDate != nil || a.ForcedApplyDate != nil
	})
}

func maintenanceDetails(actions []rdstypes.PendingMaintenanceAction) []map[string]any {
	return list.Map(actions, func(a rdstypes.PendingMaintenanceAction) map[string]any {
		detail := map[string]any{"action": aws.ToString(a.Action), "description": aws.ToString(a.Description)}
		setTime(detail, "applied_after", a.AutoAppliedAfterDate)
		return detail
	})
}

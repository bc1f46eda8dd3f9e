package release

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsinstance"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdspending"
)

// compareVersion compares the major version of PostgreSQL that runs with the file's. It returns a problem that stops the deployment for
// a downgrade, a warning for an upgrade, and whether it is one. phase is the one that changes the database; backup reports that a snapshot
// is created before it.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.MajorVersion.html
func compareVersion(env *environment.Environment, running, phase string, backup bool) (problems []Problem, upgrade bool) {
	from, err := strconv.Atoi(environment.MajorVersion(running))
	to, invalid := strconv.Atoi(environment.MajorVersion(env.Database.EngineVersion))
	switch {
	case err != nil || invalid != nil || from == to:
		return nil, false
	case from > to:
		return blocking("database", hint.With(
			fmt.Errorf("%s runs PostgreSQL %s, %s asks for %d: RDS cannot downgrade a database", env.DatabaseIdentifier(), running,
				environment.FileName(env.Stack), to),
			fmt.Sprintf("set database.engineVersion back to \"%d\"; docs/changes.md describes how to return to a snapshot", from))), false
	}
	snapshot := "no snapshot is created before, as its phase is skipped"
	if backup {
		snapshot = "a snapshot is created before"
	}
	return []Problem{{Check: "database", Message: upgradeText(env, running, phase) + "; " + snapshot,
		Hint: "docs/changes.md describes how to prepare it, and how to return"}}, true
}

func upgradeText(env *environment.Environment, running, phase string) string {
	return fmt.Sprintf("%s upgrades %s from PostgreSQL %s to %s, at once: the database, and so the API, is unavailable for 10 to 30 minutes, "+
		"longer with many tables", phase, env.DatabaseIdentifier(), running, env.Database.EngineVersion)
}

// programPhase returns the phase that applies the file's description of network and database: the rollout runs the whole program, too,
// where provision is skipped. It returns "" where both are.
func programPhase(skipped map[string]string) string {
	for _, phase := range []string{Provision, Rollout} {
		if skipped[phase] == "" {
			return phase
		}
	}
	return ""
}

// UpgradeNotice returns what a deployment of the environment's file does to the major version of the database; "" where it upgrades
// none, or where RDS does not answer, which preflight reports. skipped are the phases that do not run.
func UpgradeNotice(ctx context.Context, cfg aws.Config, env *environment.Environment, skipped map[string]string) string {
	phase := programPhase(skipped)
	if phase == "" {
		return ""
	}
	instance, err := rdsinstance.Find(ctx, cfg, env.DatabaseIdentifier())
	if err != nil || instance == nil {
		return ""
	}
	running := aws.ToString(instance.EngineVersion)
	if _, upgrade := compareVersion(env, running, phase, true); !upgrade {
		return ""
	}
	return upgradeText(env, running, phase)
}

// deferredNote returns what happens to another instance class in a protected environment; "" where nothing waits. An upgrade of the major
// version applies what waits with it.
func deferredNote(env *environment.Environment, database *types.DBInstance, upgrade bool) string {
	present := aws.ToString(database.DBInstanceClass)
	if !env.Protected || upgrade || present == "" || present == env.Database.InstanceClass {
		return ""
	}
	return rdspending.Change{
		Property: "instanceClass", Present: present, Requested: env.Database.InstanceClass, Window: aws.ToString(database.PreferredMaintenanceWindow),
	}.String()
}

package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/quota"
)

// sourceTag is the tag of a restored instance that has the name of its snapshot.
const sourceTag = "RestoredFrom"

// How long RDS may take to create an instance from a snapshot, and to change one.
const (
	restoreLimit = 3 * time.Hour
	changeLimit  = time.Hour
)

// RestorePlan is what a restore would do.
type RestorePlan struct {
	Snapshot Snapshot `json:"snapshot"`
	// Instance is the name of the restored instance.
	Instance string `json:"instance"`
	// Started reports that an earlier restore of this snapshot has requested the instance already.
	Started bool `json:"begun"`
	// Warning is what may stop the restore; nil where nothing may.
	Warning       error `json:"-"`
	securityGroup string
}

// PlanRestore checks everything that a restore depends on, and changes nothing. Without a name it takes the snapshot that an earlier
// restore has started with, or the newest that can be used.
func (s Instance) PlanRestore(ctx context.Context, name string) (RestorePlan, error) {
	snapshots, err := s.ListSnapshots(ctx)
	if err != nil {
		return RestorePlan{}, err
	}
	all, total, err := s.instancesAndTotal(ctx)
	if err != nil {
		return RestorePlan{}, err
	}
	r := RestorePlan{Instance: s.Env.RestoredIdentifier()}
	if existing := all.byName(r.Instance); existing != nil {
		source := tagValue(existing.TagList, sourceTag)
		if source == "" || name != "" && name != source {
			return r, s.nameTaken(source)
		}
		name, r.Started = source, true
	}
	if r.Snapshot, err = s.choose(snapshots, name); err != nil || r.Started {
		return r, err
	}
	warning, exceeded := s.checkQuota(ctx, total)
	r.Warning = warning
	if err := errors.Join(s.compatible(r.Snapshot, runningVersion(all.byName(s.Env.DatabaseIdentifier()))), exceeded); err != nil {
		return r, err
	}
	r.securityGroup, err = s.findSecurityGroup(ctx)
	return r, err
}

// nameTaken returns the error of a restore whose instance exists already and came from another snapshot.
func (s Instance) nameTaken(source string) error {
	name, origin := s.Env.RestoredIdentifier(), "of unknown origin"
	if source != "" {
		origin = "restored from " + source
	}
	return hint.With(fmt.Errorf("the instance %s exists already, %s", name, origin),
		"switch to it with `deployer snapshot restore --switch --env "+s.Env.Stack+"`, or delete it first:\n"+s.DeleteCommand(name))
}

// DeleteCommand returns the commands that delete an instance after a final snapshot.
func (s Instance) DeleteCommand(instance string) string {
	return fmt.Sprintf("  aws rds modify-db-instance --region %[1]s --db-instance-identifier %[2]s --no-deletion-protection --apply-immediately\n"+
		"  aws rds delete-db-instance --region %[1]s --db-instance-identifier %[2]s --final-db-snapshot-identifier %[3]s", s.Env.Region, instance,
		environment.FinalSnapshotIdentifier(instance, s.Clock.Now()))
}

// choose returns the snapshot of that name; without a name, the newest that can be used.
func (s Instance) choose(all []Snapshot, name string) (Snapshot, error) {
	list := "list the snapshots: `deployer snapshot list --env " + s.Env.Stack + "`"
	at := slices.IndexFunc(all, func(o Snapshot) bool { return o.Name == name || name == "" && o.Status == Available })
	switch {
	case at < 0 && name == "":
		return Snapshot{}, hint.With(fmt.Errorf("%s has no snapshot that can be used", s.Env.DatabaseIdentifier()), list)
	case at < 0:
		return Snapshot{}, hint.With(fmt.Errorf("%s has no snapshot %s", s.Env.DatabaseIdentifier(), name), list+"; those of other environments cannot be restored here")
	case all[at].Status != Available:
		return Snapshot{}, hint.With(fmt.Errorf("the snapshot %s is %s, %d %% done", name, all[at].Status, all[at].Progress), "wait until it is available; "+list)
	}
	return all[at], nil
}

// compatible returns an error for a snapshot whose instance could not replace the database: RDS cannot change these properties
// afterwards, and the next deployment would replace the instance to correct them. running is the version of the database that serves; ""
// where there is none.
func (s Instance) compatible(o Snapshot, running string) error {
	major := environment.MajorVersion(o.Version)
	file := environment.FileName(s.Env.Stack)
	switch {
	case running != "" && major != environment.MajorVersion(running):
		return s.otherVersion(o, running)
	case o.Engine+major != s.Env.DatabaseFamily():
		return hint.With(fmt.Errorf("the snapshot %s is of %s %s, the environment's file requires %s", o.Name, o.Engine, o.Version, s.Env.DatabaseFamily()),
			"set database.engineVersion in "+file+" to the snapshot's, or choose another snapshot")
	case !o.Encrypted:
		return hint.With(fmt.Errorf("the snapshot %s is not encrypted", o.Name), "create an encrypted copy and restore that: aws rds copy-db-snapshot --region "+
			s.Env.Region+" --source-db-snapshot-identifier "+o.Name+" --target-db-snapshot-identifier "+o.Name+"-encrypted --kms-key-id alias/aws/rds")
	case s.Env.Database.MaxStorageGiB > 0 && int(o.SizeGiB) >= s.Env.Database.MaxStorageGiB:
		return hint.With(fmt.Errorf("the snapshot %s needs %d GiB, the environment's file limits the database to %d", o.Name, o.SizeGiB, s.Env.Database.MaxStorageGiB),
			"raise database.maxStorageGiB in "+file)
	case o.user != s.Env.Database.User:
		return fmt.Errorf("the snapshot %s has the master user %s, the environment's file has %s", o.Name, o.user, s.Env.Database.User)
	}
	return nil
}

// otherVersion returns the error for a snapshot of another major version than the database that serves: only the parameter group of the
// version that runs exists, and the file cannot go back to an older one.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RestoreFromSnapshot.html
func (s Instance) otherVersion(o Snapshot, running string) error {
	return hint.With(fmt.Errorf("the snapshot %s is of %s %s, and %s runs %s: it cannot replace the database", o.Name, o.Engine, o.Version,
		s.Env.DatabaseIdentifier(), running), fmt.Sprintf("choose a snapshot of version %s, or restore this one to an instance beside the database and "+
		"copy the data, as docs/changes.md describes: aws rds restore-db-instance-from-db-snapshot --region %s --db-snapshot-identifier %s "+
		"--db-instance-identifier %s --db-subnet-group-name %s", environment.MajorVersion(running), s.Env.Region, o.Name,
		s.Env.RestoredIdentifier()+"-"+environment.MajorVersion(o.Version), s.Env.DatabaseIdentifier()))
}

// runningVersion returns an instance's version of PostgreSQL; "" where there is no instance.
func runningVersion(i *types.DBInstance) string {
	if i == nil {
		return ""
	}
	return aws.ToString(i.EngineVersion)
}

// checkQuota returns an error if the account may not have another instance. Where the quota could not be read, that is a
// warning: RDS reports it when the instance is requested.
func (s Instance) checkQuota(ctx context.Context, used int) (warning, err error) {
	use := quota.Use{Quota: quota.DatabaseInstances(), Place: s.Env.Region, Used: float64(used), Added: 1}
	excess := use.Evaluate(ctx, s.aws, s.Env.Region, "this restore")
	if excess == nil {
		return nil, nil
	}
	err = hint.With(errors.New(excess.Message), excess.Hint)
	if excess.Certain {
		return nil, err
	}
	return err, nil
}

// findSecurityGroup returns the database's security group, which exists even where the database does not.
func (s Instance) findSecurityGroup(ctx context.Context) (string, error) {
	name := s.Env.DatabaseGroupName()
	out, err := s.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{
		{Name: aws.String("group-name"), Values: []string{name}},
		{Name: aws.String("tag:Environment"), Values: []string{s.Env.Name}},
	}})
	if err != nil {
		return "", fmt.Errorf("find the security group %s: %w", name, err)
	}
	if len(out.SecurityGroups) != 1 {
		return "", hint.With(fmt.Errorf("%d security groups are called %s, exactly one is needed", len(out.SecurityGroups), name),
			"create the environment's network first: `deployer up --env "+s.Env.Stack+" --image-tag TAG --component network`")
	}
	return aws.ToString(out.SecurityGroups[0].GroupId), nil
}

// Restore creates the instance, applies the settings of the environment's file, and returns the instance's resource ID. The database
// keeps serving meanwhile.
func (s Instance) Restore(ctx context.Context, r RestorePlan, progress Progress) (string, error) {
	if !r.Started {
		if _, err := s.rds.RestoreDBInstanceFromDBSnapshot(ctx, s.restoreInput(r)); err != nil {
			return "", fmt.Errorf("restore %s to %s: %w", r.Snapshot.Name, r.Instance, err)
		}
	}
	all, err := s.instances(ctx)
	if err != nil {
		return "", err
	}
	restored := all.byName(r.Instance)
	if restored == nil {
		return "", fmt.Errorf("RDS does not list %s yet", r.Instance)
	}
	id := resourceID(restored)
	if restored, err = s.waitForInstance(ctx, id, restoreLimit, progress, func(*types.DBInstance) bool { return true }); err != nil {
		return "", err
	}
	if name := aws.ToString(restored.DBName); name != s.Env.Database.Name {
		return "", fmt.Errorf("the restored instance has the database %q, the environment's file has %q: it cannot replace the database",
			name, s.Env.Database.Name)
	}
	return id, s.applySettings(ctx, restored, progress)
}

// restoreInput returns every setting that RDS accepts for a restore.
func (s Instance) restoreInput(r RestorePlan) *rds.RestoreDBInstanceFromDBSnapshotInput {
	d := s.Env.Database
	labels := s.Env.Tags()
	labels["Name"], labels[sourceTag] = r.Instance, r.Snapshot.Name
	return &rds.RestoreDBInstanceFromDBSnapshotInput{
		DBInstanceIdentifier: &r.Instance, DBSnapshotIdentifier: &r.Snapshot.Name,
		DBInstanceClass: &d.InstanceClass, MultiAZ: &d.MultiZone, StorageType: aws.String(environment.DatabaseStorage),
		DBSubnetGroupName: aws.String(s.Env.DatabaseIdentifier()), VpcSecurityGroupIds: []string{r.securityGroup},
		DBParameterGroupName: aws.String(s.Env.ParameterGroupName()), Port: aws.Int32(environment.DatabasePort), PubliclyAccessible: aws.Bool(false),
		EnableCloudwatchLogsExports: environment.DatabaseLogs(), DeletionProtection: &d.DeletionProtection,
		AutoMinorVersionUpgrade: aws.Bool(true), CopyTagsToSnapshot: aws.Bool(true), Tags: tags(labels),
		EngineLifecycleSupport: aws.String(environment.DatabaseLifecycle),
	}
}

// applySettings changes what a restore does not accept, such as its own password in a secret that RDS manages. It changes nothing
// if the instance has these settings already.
func (s Instance) applySettings(ctx context.Context, restored *types.DBInstance, progress Progress) error {
	if s.matchesEnvironment(restored) {
		return nil
	}
	d := s.Env.Database
	in := &rds.ModifyDBInstanceInput{
		DBInstanceIdentifier: restored.DBInstanceIdentifier, ApplyImmediately: aws.Bool(true), ManageMasterUserPassword: aws.Bool(true),
		BackupRetentionPeriod: aws.Int32(int32(d.BackupDays)), MaxAllocatedStorage: aws.Int32(int32(d.MaxStorageGiB)),
		PreferredBackupWindow: aws.String(environment.BackupWindow), PreferredMaintenanceWindow: aws.String(environment.MaintenanceWindow),
		EnablePerformanceInsights: &d.PerformanceInsights,
	}
	if d.PerformanceInsights {
		in.PerformanceInsightsRetentionPeriod = aws.Int32(environment.InsightsDays)
	}
	if _, err := s.rds.ModifyDBInstance(ctx, in); err != nil {
		return fmt.Errorf("apply the environment's settings to %s: %w", instanceName(*restored), err)
	}
	_, err := s.waitForInstance(ctx, resourceID(restored), changeLimit, progress, s.matchesEnvironment)
	return err
}

// matchesEnvironment reports whether a restored instance has the settings that applySettings applies.
func (s Instance) matchesEnvironment(i *types.DBInstance) bool {
	d := s.Env.Database
	return masterSecretARN(i) != "" && aws.ToString(i.MasterUserSecret.SecretStatus) == "active" &&
		aws.ToInt32(i.BackupRetentionPeriod) == int32(d.BackupDays) && aws.ToInt32(i.MaxAllocatedStorage) == int32(d.MaxStorageGiB) &&
		aws.ToString(i.PreferredBackupWindow) == environment.BackupWindow &&
		aws.ToString(i.PreferredMaintenanceWindow) == environment.MaintenanceWindow &&
		aws.ToBool(i.PerformanceInsightsEnabled) == d.PerformanceInsights
}

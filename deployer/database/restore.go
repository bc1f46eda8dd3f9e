package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
)

// sourceTag names on a restored instance the snapshot that it was made from.
const sourceTag = "RestoredFrom"

// How long RDS may take to make an instance from a snapshot, and to change one.
const (
	restoreLimit = 3 * time.Hour
	changeLimit  = time.Hour
)

// RestorePlan is what a restore is going to do.
type RestorePlan struct {
	Snapshot Snapshot `json:"snapshot"`
	// Instance is what it is restored to.
	Instance string `json:"instance"`
	// Started says that an earlier restore of this snapshot has begun to make the instance already.
	Started       bool `json:"begun"`
	securityGroup string
}

// PlanRestore looks at everything that a restore of a snapshot stands on, and changes nothing. Without a name it is the
// newest snapshot that can be used, or the one that an earlier restore has begun with.
func (s Instance) PlanRestore(ctx context.Context, name string) (RestorePlan, error) {
	snapshots, err := s.ListSnapshots(ctx)
	if err != nil {
		return RestorePlan{}, err
	}
	all, err := s.instances(ctx)
	if err != nil {
		return RestorePlan{}, err
	}
	r := RestorePlan{Instance: s.Env.RestoredIdentifier()}
	if there := all.byName(r.Instance); there != nil {
		source := sourceSnapshot(there)
		if source == "" || name != "" && name != source {
			return r, s.nameTaken(source)
		}
		name, r.Started = source, true
	}
	if r.Snapshot, err = s.choose(snapshots, name); err != nil {
		return r, err
	}
	if r.Started {
		return r, nil
	}
	if err := errors.Join(s.compatible(r.Snapshot), s.checkQuota(ctx)); err != nil {
		return r, err
	}
	r.securityGroup, err = s.securityGroup(ctx)
	return r, err
}

// nameTaken says what stands in the place of the restored instance, and how to make room.
func (s Instance) nameTaken(source string) error {
	name := s.Env.RestoredIdentifier()
	from := "of which nobody knows the origin"
	if source != "" {
		from = "restored from " + source
	}
	return hint.With(fmt.Errorf("there is an instance %s already, %s", name, from),
		"put that in place with `deployer snapshot restore --switch --env "+s.Env.Stack+"`, or delete it first:\n"+s.DeleteCommand(name))
}

// DeleteCommand are the commands that delete an instance, with a last snapshot.
func (s Instance) DeleteCommand(instance string) string {
	return fmt.Sprintf("  aws rds modify-db-instance --region %[1]s --db-instance-identifier %[2]s --no-deletion-protection --apply-immediately\n"+
		"  aws rds delete-db-instance --region %[1]s --db-instance-identifier %[2]s --final-db-snapshot-identifier %[2]s-final", s.Env.Region, instance)
}

func sourceSnapshot(i *types.DBInstance) string {
	for _, tag := range i.TagList {
		if aws.ToString(tag.Key) == sourceTag {
			return aws.ToString(tag.Value)
		}
	}
	return ""
}

// choose finds the snapshot of that name, or the newest that can be used.
func (s Instance) choose(all []Snapshot, name string) (Snapshot, error) {
	list := "`deployer snapshot list --env " + s.Env.Stack + "` lists them"
	at := slices.IndexFunc(all, func(o Snapshot) bool { return o.Name == name || name == "" && o.Status == Available })
	switch {
	case at < 0 && name == "":
		return Snapshot{}, hint.With(fmt.Errorf("%s has no snapshot that can be used", s.Env.DatabaseIdentifier()), list)
	case at < 0:
		return Snapshot{}, hint.With(fmt.Errorf("%s has no snapshot %s", s.Env.DatabaseIdentifier(), name), list+"; those of other environments are not restored here")
	case all[at].Status != Available:
		return Snapshot{}, hint.With(fmt.Errorf("the snapshot %s is %s, %d %% done", name, all[at].Status, all[at].Progress), "wait until it is available; "+list)
	}
	return all[at], nil
}

// compatible refuses a snapshot of which an instance could not take the database's place: RDS cannot change these afterwards,
// and the next deployment would replace the instance to get them right.
func (s Instance) compatible(o Snapshot) error {
	major, _, _ := strings.Cut(o.Version, ".")
	switch {
	case o.Engine+major != s.Env.DatabaseFamily():
		return hint.With(fmt.Errorf("the snapshot %s is of %s %s, the environment's file asks for %s", o.Name, o.Engine, o.Version, s.Env.DatabaseFamily()),
			"set database.engineVersion in Pulumi."+s.Env.Stack+".yaml to the snapshot's, or choose another snapshot")
	case !o.Encrypted:
		return hint.With(fmt.Errorf("the snapshot %s is not encrypted", o.Name), "make an encrypted copy and restore that: aws rds copy-db-snapshot --region "+
			s.Env.Region+" --source-db-snapshot-identifier "+o.Name+" --target-db-snapshot-identifier "+o.Name+"-encrypted --kms-key-id alias/aws/rds")
	case s.Env.Database.MaxStorageGiB > 0 && int(o.SizeGiB) >= s.Env.Database.MaxStorageGiB:
		return hint.With(fmt.Errorf("the snapshot %s needs %d GiB, the environment's file lets the database grow to %d", o.Name, o.SizeGiB, s.Env.Database.MaxStorageGiB),
			"raise database.maxStorageGiB in Pulumi."+s.Env.Stack+".yaml")
	case o.user != s.Env.Database.User:
		return fmt.Errorf("the snapshot %s has the master user %s, the environment's file names %s", o.Name, o.user, s.Env.Database.User)
	}
	return nil
}

// checkQuota refuses where the account may not have another instance. Where RDS does not say, it says so when it is asked for
// the instance.
func (s Instance) checkQuota(ctx context.Context) error {
	out, err := s.rds.DescribeAccountAttributes(ctx, &rds.DescribeAccountAttributesInput{})
	if err != nil {
		return nil
	}
	for _, quota := range out.AccountQuotas {
		used, most := aws.ToInt64(quota.Used), aws.ToInt64(quota.Max)
		if aws.ToString(quota.AccountQuotaName) == "DBInstances" && used >= most {
			return hint.With(fmt.Errorf("the account has %d of %d databases, there is no room for another", used, most),
				"delete one that nobody needs, or ask for more: aws service-quotas list-service-quotas --service-code rds --region "+s.Env.Region)
		}
	}
	return nil
}

// securityGroup is the database's security group. It is there even where the database is not.
func (s Instance) securityGroup(ctx context.Context) (string, error) {
	name := s.Env.DatabaseGroupName()
	out, err := s.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{
		{Name: aws.String("group-name"), Values: []string{name}},
		{Name: aws.String("tag:Environment"), Values: []string{s.Env.Name}},
	}})
	if err != nil {
		return "", fmt.Errorf("find the security group %s: %w", name, err)
	}
	if len(out.SecurityGroups) != 1 {
		return "", hint.With(fmt.Errorf("there are %d security groups %s, one is needed", len(out.SecurityGroups), name),
			"the environment's network has to be there first: `deployer up --env "+s.Env.Stack+" --image-tag TAG --component network` makes it")
	}
	return aws.ToString(out.SecurityGroups[0].GroupId), nil
}

// Restore makes the instance, and makes of it what the environment's file says: all that can be done while the database
// goes on serving. It returns the instance's resource ID.
func (s Instance) Restore(ctx context.Context, r RestorePlan, say Progress) (string, error) {
	if !r.Started {
		if _, err := s.rds.RestoreDBInstanceFromDBSnapshot(ctx, s.restoreInput(r)); err != nil {
			return "", fmt.Errorf("restore %s to %s: %w", r.Snapshot.Name, r.Instance, err)
		}
	}
	all, err := s.instances(ctx)
	if err != nil {
		return "", err
	}
	made := all.byName(r.Instance)
	if made == nil {
		return "", fmt.Errorf("RDS does not list %s yet", r.Instance)
	}
	id := aws.ToString(made.DbiResourceId)
	if made, err = s.waitForInstance(ctx, id, restoreLimit, say, func(*types.DBInstance) bool { return true }); err != nil {
		return "", err
	}
	if aws.ToString(made.DBName) != s.Env.Database.Name {
		return "", fmt.Errorf("the restored instance has the database %q, the environment's file names %q: it cannot take the database's place",
			aws.ToString(made.DBName), s.Env.Database.Name)
	}
	return id, s.applySettings(ctx, made, say)
}

// restoreInput is all that RDS takes at once; what a snapshot brings cannot be asked for.
func (s Instance) restoreInput(r RestorePlan) *rds.RestoreDBInstanceFromDBSnapshotInput {
	d := s.Env.Database
	labels := s.Env.Tags()
	labels["Name"], labels[sourceTag] = r.Instance, r.Snapshot.Name
	return &rds.RestoreDBInstanceFromDBSnapshotInput{
		DBInstanceIdentifier: &r.Instance, DBSnapshotIdentifier: &r.Snapshot.Name,
		DBInstanceClass: &d.InstanceClass, MultiAZ: &d.MultiZone, StorageType: aws.String(environment.DatabaseStorage),
		DBSubnetGroupName: aws.String(s.Env.DatabaseIdentifier()), VpcSecurityGroupIds: []string{r.securityGroup},
		DBParameterGroupName: aws.String(s.Env.ParameterGroupName()), PubliclyAccessible: aws.Bool(false), EnableCloudwatchLogsExports: environment.DatabaseLogs(), Port: aws.Int32(environment.DatabasePort),
		DeletionProtection: &d.DeletionProtection, AutoMinorVersionUpgrade: aws.Bool(true), CopyTagsToSnapshot: aws.Bool(true),
		Tags: tags(labels),
	}
}

// applySettings asks for what a restore does not take, such as a password of its own in a secret that RDS manages. What is so
// already is not asked for again.
func (s Instance) applySettings(ctx context.Context, made *types.DBInstance, say Progress) error {
	if s.matchesEnvironment(made) {
		return nil
	}
	d := s.Env.Database
	in := &rds.ModifyDBInstanceInput{
		DBInstanceIdentifier: made.DBInstanceIdentifier, ApplyImmediately: aws.Bool(true), ManageMasterUserPassword: aws.Bool(true),
		BackupRetentionPeriod: aws.Int32(int32(d.BackupDays)), MaxAllocatedStorage: aws.Int32(int32(d.MaxStorageGiB)),
		PreferredBackupWindow: aws.String(environment.BackupWindow), PreferredMaintenanceWindow: aws.String(environment.MaintenanceWindow),
		EnablePerformanceInsights: &d.PerformanceInsights,
	}
	if d.PerformanceInsights {
		in.PerformanceInsightsRetentionPeriod = aws.Int32(environment.InsightsDays)
	}
	if _, err := s.rds.ModifyDBInstance(ctx, in); err != nil {
		return fmt.Errorf("give %s what the environment's file says: %w", instanceName(*made), err)
	}
	_, err := s.waitForInstance(ctx, aws.ToString(made.DbiResourceId), changeLimit, say, s.matchesEnvironment)
	return err
}

// matchesEnvironment reports whether a restored instance is what complete asks for.
func (s Instance) matchesEnvironment(i *types.DBInstance) bool {
	d := s.Env.Database
	return masterSecretARN(i) != "" && aws.ToString(i.MasterUserSecret.SecretStatus) == secretActive &&
		aws.ToInt32(i.BackupRetentionPeriod) == int32(d.BackupDays) && aws.ToInt32(i.MaxAllocatedStorage) == int32(d.MaxStorageGiB) &&
		aws.ToString(i.PreferredBackupWindow) == environment.BackupWindow &&
		aws.ToString(i.PreferredMaintenanceWindow) == environment.MaintenanceWindow &&
		aws.ToBool(i.PerformanceInsightsEnabled) == d.PerformanceInsights
}

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

	"github.com/balancer/v3-backend-infra/deployer/advice"
	"github.com/balancer/v3-backend-infra/environment"
)

// sourceTag names on a restored instance the snapshot that it was made from.
const sourceTag = "RestoredFrom"

// How long RDS may take to make an instance from a snapshot, and to change one.
const (
	restoreLimit = 3 * time.Hour
	changeLimit  = time.Hour
)

// Restoration is what a restore is going to do.
type Restoration struct {
	Snapshot Snapshot `json:"snapshot"`
	// Instance is what it is restored to.
	Instance string `json:"instance"`
	// Begun says that an earlier restore of this snapshot has begun to make the instance already.
	Begun bool `json:"begun"`
	group string
}

// PlanRestore looks at everything that a restore of a snapshot stands on, and changes nothing. Without a name it is the
// newest snapshot that can be used, or the one that an earlier restore has begun with.
func (s Server) PlanRestore(ctx context.Context, name string) (Restoration, error) {
	snapshots, err := s.List(ctx)
	if err != nil {
		return Restoration{}, err
	}
	all, err := s.instances(ctx)
	if err != nil {
		return Restoration{}, err
	}
	r := Restoration{Instance: s.Env.RestoredIdentifier()}
	if there := all.named(r.Instance); there != nil {
		source := sourceOf(there)
		if source == "" || name != "" && name != source {
			return r, s.occupied(source)
		}
		name, r.Begun = source, true
	}
	if r.Snapshot, err = s.choose(snapshots, name); err != nil {
		return r, err
	}
	if r.Begun {
		return r, nil
	}
	if err := errors.Join(s.fits(r.Snapshot), s.room(ctx)); err != nil {
		return r, err
	}
	r.group, err = s.group(ctx)
	return r, err
}

// occupied says what stands in the place of the restored instance, and how to make room.
func (s Server) occupied(source string) error {
	name := s.Env.RestoredIdentifier()
	from := "of which nobody knows the origin"
	if source != "" {
		from = "restored from " + source
	}
	return advice.With(fmt.Errorf("there is an instance %s already, %s", name, from),
		"put that in place with `deployer snapshot restore --switch --env "+s.Env.Stack+"`, or delete it first:\n"+s.Deletion(name))
}

// Deletion are the commands that delete an instance, with a last snapshot.
func (s Server) Deletion(instance string) string {
	return fmt.Sprintf("  aws rds modify-db-instance --region %[1]s --db-instance-identifier %[2]s --no-deletion-protection --apply-immediately\n"+
		"  aws rds delete-db-instance --region %[1]s --db-instance-identifier %[2]s --final-db-snapshot-identifier %[2]s-final", s.Env.Region, instance)
}

func sourceOf(i *types.DBInstance) string {
	for _, tag := range i.TagList {
		if aws.ToString(tag.Key) == sourceTag {
			return aws.ToString(tag.Value)
		}
	}
	return ""
}

// choose finds the snapshot of that name, or the newest that can be used.
func (s Server) choose(all []Snapshot, name string) (Snapshot, error) {
	list := "`deployer snapshot list --env " + s.Env.Stack + "` lists them"
	at := slices.IndexFunc(all, func(o Snapshot) bool { return o.Name == name || name == "" && o.Status == Available })
	switch {
	case at < 0 && name == "":
		return Snapshot{}, advice.With(fmt.Errorf("%s has no snapshot that can be used", s.Env.DatabaseIdentifier()), list)
	case at < 0:
		return Snapshot{}, advice.With(fmt.Errorf("%s has no snapshot %s", s.Env.DatabaseIdentifier(), name), list+"; those of other environments are not restored here")
	case all[at].Status != Available:
		return Snapshot{}, advice.With(fmt.Errorf("the snapshot %s is %s, %d %% done", name, all[at].Status, all[at].Progress), "wait until it is available; "+list)
	}
	return all[at], nil
}

// fits refuses a snapshot of which an instance could not take the database's place: RDS cannot change these afterwards,
// and the next deployment would replace the instance to get them right.
func (s Server) fits(o Snapshot) error {
	major, _, _ := strings.Cut(o.Version, ".")
	switch {
	case o.Engine+major != s.Env.DatabaseFamily():
		return advice.With(fmt.Errorf("the snapshot %s is of %s %s, the environment's file asks for %s", o.Name, o.Engine, o.Version, s.Env.DatabaseFamily()),
			"set database.engineVersion in Pulumi."+s.Env.Stack+".yaml to the snapshot's, or choose another snapshot")
	case !o.Encrypted:
		return advice.With(fmt.Errorf("the snapshot %s is not encrypted", o.Name), "make an encrypted copy and restore that: aws rds copy-db-snapshot --region "+
			s.Env.Region+" --source-db-snapshot-identifier "+o.Name+" --target-db-snapshot-identifier "+o.Name+"-encrypted --kms-key-id alias/aws/rds")
	case s.Env.Database.MaxStorageGiB > 0 && int(o.SizeGiB) >= s.Env.Database.MaxStorageGiB:
		return advice.With(fmt.Errorf("the snapshot %s needs %d GiB, the environment's file lets the database grow to %d", o.Name, o.SizeGiB, s.Env.Database.MaxStorageGiB),
			"raise database.maxStorageGiB in Pulumi."+s.Env.Stack+".yaml")
	case o.user != s.Env.Database.User:
		return fmt.Errorf("the snapshot %s has the master user %s, the environment's file names %s", o.Name, o.user, s.Env.Database.User)
	}
	return nil
}

// room refuses where the account may not have another instance. Where RDS does not say, it says so when it is asked for
// the instance.
func (s Server) room(ctx context.Context) error {
	out, err := s.rds.DescribeAccountAttributes(ctx, &rds.DescribeAccountAttributesInput{})
	if err != nil {
		return nil
	}
	for _, quota := range out.AccountQuotas {
		used, most := aws.ToInt64(quota.Used), aws.ToInt64(quota.Max)
		if aws.ToString(quota.AccountQuotaName) == "DBInstances" && used >= most {
			return advice.With(fmt.Errorf("the account has %d of %d databases, there is no room for another", used, most),
				"delete one that nobody needs, or ask for more: aws service-quotas list-service-quotas --service-code rds --region "+s.Env.Region)
		}
	}
	return nil
}

// group is the database's security group. It is there even where the database is not.
func (s Server) group(ctx context.Context) (string, error) {
	name := s.Env.DatabaseGroupName()
	out, err := s.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{
		{Name: aws.String("group-name"), Values: []string{name}},
		{Name: aws.String("tag:Environment"), Values: []string{s.Env.Name}},
	}})
	if err != nil {
		return "", fmt.Errorf("find the security group %s: %w", name, err)
	}
	if len(out.SecurityGroups) != 1 {
		return "", advice.With(fmt.Errorf("there are %d security groups %s, one is needed", len(out.SecurityGroups), name),
			"the environment's network has to be there first: `deployer up --env "+s.Env.Stack+" --image-tag TAG --component network` makes it")
	}
	return aws.ToString(out.SecurityGroups[0].GroupId), nil
}

// Restore makes the instance, and makes of it what the environment's file says: all that can be done while the database
// goes on serving. It returns the instance's resource ID.
func (s Server) Restore(ctx context.Context, r Restoration, say Say) (string, error) {
	if !r.Begun {
		if _, err := s.rds.RestoreDBInstanceFromDBSnapshot(ctx, s.request(r)); err != nil {
			return "", fmt.Errorf("restore %s to %s: %w", r.Snapshot.Name, r.Instance, err)
		}
	}
	all, err := s.instances(ctx)
	if err != nil {
		return "", err
	}
	made := all.named(r.Instance)
	if made == nil {
		return "", fmt.Errorf("RDS does not list %s yet", r.Instance)
	}
	id := aws.ToString(made.DbiResourceId)
	if made, err = s.awaitInstance(ctx, id, restoreLimit, say, func(*types.DBInstance) bool { return true }); err != nil {
		return "", err
	}
	if aws.ToString(made.DBName) != s.Env.Database.Name {
		return "", fmt.Errorf("the restored instance has the database %q, the environment's file names %q: it cannot take the database's place",
			aws.ToString(made.DBName), s.Env.Database.Name)
	}
	return id, s.complete(ctx, made, say)
}

// request is all that RDS takes at once; what a snapshot brings cannot be asked for.
func (s Server) request(r Restoration) *rds.RestoreDBInstanceFromDBSnapshotInput {
	d := s.Env.Database
	labels := s.Env.Tags()
	labels["Name"], labels[sourceTag] = r.Instance, r.Snapshot.Name
	return &rds.RestoreDBInstanceFromDBSnapshotInput{
		DBInstanceIdentifier: &r.Instance, DBSnapshotIdentifier: &r.Snapshot.Name,
		DBInstanceClass: &d.InstanceClass, MultiAZ: &d.MultiZone, StorageType: aws.String(environment.DatabaseStorage),
		DBSubnetGroupName: aws.String(s.Env.DatabaseIdentifier()), VpcSecurityGroupIds: []string{r.group},
		DBParameterGroupName: aws.String(s.Env.ParameterGroupName()), PubliclyAccessible: aws.Bool(false), EnableCloudwatchLogsExports: environment.DatabaseLogs(), Port: aws.Int32(environment.DatabasePort),
		DeletionProtection: &d.DeletionProtection, AutoMinorVersionUpgrade: aws.Bool(true), CopyTagsToSnapshot: aws.Bool(true),
		Tags: tags(labels),
	}
}

// complete asks for what a restore does not take, such as a password of its own in a secret that RDS manages. What is so
// already is not asked for again.
func (s Server) complete(ctx context.Context, made *types.DBInstance, say Say) error {
	if s.asWanted(made) {
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
		return fmt.Errorf("give %s what the environment's file says: %w", nameOf(*made), err)
	}
	_, err := s.awaitInstance(ctx, aws.ToString(made.DbiResourceId), changeLimit, say, s.asWanted)
	return err
}

// asWanted reports whether a restored instance is what complete asks for.
func (s Server) asWanted(i *types.DBInstance) bool {
	d := s.Env.Database
	return secretOf(i) != "" && aws.ToString(i.MasterUserSecret.SecretStatus) == active &&
		aws.ToInt32(i.BackupRetentionPeriod) == int32(d.BackupDays) && aws.ToInt32(i.MaxAllocatedStorage) == int32(d.MaxStorageGiB) &&
		aws.ToString(i.PreferredBackupWindow) == environment.BackupWindow &&
		aws.ToString(i.PreferredMaintenanceWindow) == environment.MaintenanceWindow &&
		aws.ToBool(i.PerformanceInsightsEnabled) == d.PerformanceInsights
}

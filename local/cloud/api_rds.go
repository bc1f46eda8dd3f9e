package cloud

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

func rdsOperations() []operation {
	return []operation{
		reading(describeDBInstances), reading(describeDBSnapshots), writing(createDBSnapshot), writing(deleteDBSnapshot),
		reading(describePendingMaintenanceActions), reading(describeDBParameters),
	}
}

func describeDBInstances(m moment, in *rds.DescribeDBInstancesInput) (*rds.DescribeDBInstancesOutput, error) {
	var names []string
	if in.DBInstanceIdentifier != nil {
		names = []string{last(*in.DBInstanceIdentifier)}
	}
	found, missing := m.selected(typeDatabase, names, "identifier", "arn")
	if len(missing) > 0 {
		return nil, noDatabase(missing[0])
	}
	found, next, err := page(found, in.Marker, in.MaxRecords, 100)
	if err != nil {
		return nil, err
	}
	out := &rds.DescribeDBInstancesOutput{Marker: next}
	for _, r := range found {
		out.DBInstances = append(out.DBInstances, m.databaseOf(r))
	}
	return out, nil
}

func noDatabase(id string) error {
	return &types.DBInstanceNotFoundFault{Message: aws.String(fmt.Sprintf("DBInstance %s not found.", id))}
}

// databaseStatus is RDS's word for how an instance is.
func (m moment) databaseStatus(r *Resource) string {
	switch {
	case r.Pending:
		return "creating"
	case m.faults[faultDatabaseUnavailable]:
		return "storage-full"
	case slices.ContainsFunc(slices.Collect(maps.Values(m.Snapshots)), func(s *Snapshot) bool {
		return s.ResourceID == r.ID && !m.reached(s.Available)
	}):
		return "backing-up"
	}
	return "available"
}

func (m moment) databaseOf(r *Resource) types.DBInstance {
	d := types.DBInstance{
		DBInstanceIdentifier: aws.String(r.Text("identifier")), DBInstanceArn: aws.String(r.Text("arn")), DbiResourceId: aws.String(r.ID),
		DBInstanceStatus: aws.String(m.databaseStatus(r)), DBInstanceClass: aws.String(r.Text("instanceClass")),
		Engine: aws.String(r.Text("engine")), EngineVersion: aws.String(r.Text("engineVersionActual")), DBName: orNil(r.Text("dbName")),
		MasterUsername: aws.String(r.Text("username")), AvailabilityZone: orNil(r.Text("availabilityZone")), MultiAZ: aws.Bool(r.Bool("multiAz")),
		AllocatedStorage: int32p(number(r, "allocatedStorage", 0)), StorageType: aws.String(r.Text("storageType")),
		StorageEncrypted: aws.Bool(r.Bool("storageEncrypted")), KmsKeyId: orNil(r.Text("kmsKeyId")),
		BackupRetentionPeriod: int32p(number(r, "backupRetentionPeriod", 0)), PreferredBackupWindow: aws.String(r.Text("backupWindow")),
		PreferredMaintenanceWindow: aws.String(r.Text("maintenanceWindow")), DeletionProtection: aws.Bool(r.Bool("deletionProtection")),
		PubliclyAccessible: aws.Bool(r.Bool("publiclyAccessible")), AutoMinorVersionUpgrade: aws.Bool(r.Bool("autoMinorVersionUpgrade")),
		PerformanceInsightsEnabled: aws.Bool(r.Bool("performanceInsightsEnabled")), InstanceCreateTime: &r.Created,
		CopyTagsToSnapshot: aws.Bool(r.Bool("copyTagsToSnapshot")), CACertificateIdentifier: aws.String(r.Text("caCertIdentifier")),
		IAMDatabaseAuthenticationEnabled: aws.Bool(r.Bool("iamDatabaseAuthenticationEnabled")),
		EnabledCloudwatchLogsExports:     r.Strings("enabledCloudwatchLogsExports"), MonitoringInterval: int32p(number(r, "monitoringInterval", 0)),
	}
	if ceiling := number(r, "maxAllocatedStorage", 0); ceiling > 0 {
		d.MaxAllocatedStorage = int32p(ceiling)
	}
	if !r.Pending {
		d.Endpoint = &types.Endpoint{
			Address: aws.String(r.Text("address")), Port: int32p(number(r, "port", 5432)), HostedZoneId: aws.String(r.Text("hostedZoneId")),
		}
	}
	if *d.BackupRetentionPeriod > 0 && !r.Pending {
		d.LatestRestorableTime = aws.Time(latest(r.Created, m.now.Add(-3*time.Minute)).Truncate(time.Second))
	}
	for _, block := range r.Blocks("masterUserSecrets") {
		d.MasterUserSecret = &types.MasterUserSecret{
			SecretArn: aws.String(blockText(block, "secretArn")), SecretStatus: aws.String(blockText(block, "secretStatus")),
			KmsKeyId: orNil(blockText(block, "kmsKeyId")),
		}
	}
	if group := r.Text("parameterGroupName"); group != "" {
		d.DBParameterGroups = []types.DBParameterGroupStatus{{DBParameterGroupName: aws.String(group), ParameterApplyStatus: aws.String("in-sync")}}
	}
	for _, id := range r.Strings("vpcSecurityGroupIds") {
		d.VpcSecurityGroups = append(d.VpcSecurityGroups, types.VpcSecurityGroupMembership{VpcSecurityGroupId: aws.String(id), Status: aws.String("active")})
	}
	if group := m.Get(typeDBSubnetGroup, r.Text("dbSubnetGroupName")); group != nil {
		d.DBSubnetGroup = &types.DBSubnetGroup{
			DBSubnetGroupName: aws.String(group.ID), VpcId: aws.String(group.Text("vpcId")), SubnetGroupStatus: aws.String("Complete"),
		}
		for _, id := range group.Strings("subnetIds") {
			d.DBSubnetGroup.Subnets = append(d.DBSubnetGroup.Subnets, types.Subnet{SubnetIdentifier: aws.String(id), SubnetStatus: aws.String("Active")})
		}
	}
	d.TagList = rdsTags(r.Tags())
	return d
}

func rdsTags(tags map[string]string) []types.Tag {
	var all []types.Tag
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, types.Tag{Key: aws.String(name), Value: aws.String(tags[name])})
	}
	return all
}

func describeDBSnapshots(m moment, in *rds.DescribeDBSnapshotsInput) (*rds.DescribeDBSnapshotsOutput, error) {
	var found []types.DBSnapshot
	for _, s := range m.Snapshots {
		if (in.DBSnapshotIdentifier == nil || *in.DBSnapshotIdentifier == s.ID || *in.DBSnapshotIdentifier == s.ARN) &&
			(in.DBInstanceIdentifier == nil || *in.DBInstanceIdentifier == s.Instance) &&
			(in.SnapshotType == nil || *in.SnapshotType == "manual") {
			found = append(found, m.snapshotOf(s))
		}
	}
	if in.DBSnapshotIdentifier != nil && len(found) == 0 {
		return nil, noSnapshot(*in.DBSnapshotIdentifier)
	}
	slices.SortFunc(found, func(x, y types.DBSnapshot) int {
		return cmp.Compare(*x.DBSnapshotIdentifier, *y.DBSnapshotIdentifier)
	})
	found, next, err := page(found, in.Marker, in.MaxRecords, 100)
	return &rds.DescribeDBSnapshotsOutput{DBSnapshots: found, Marker: next}, err
}

func noSnapshot(id string) error {
	return &types.DBSnapshotNotFoundFault{Message: aws.String(fmt.Sprintf("DBSnapshot %s not found.", id))}
}

func (m moment) snapshotOf(s *Snapshot) types.DBSnapshot {
	r := &Resource{Outputs: s.Properties}
	out := types.DBSnapshot{
		DBSnapshotIdentifier: aws.String(s.ID), DBSnapshotArn: aws.String(s.ARN), DBInstanceIdentifier: aws.String(s.Instance),
		DbiResourceId: aws.String(s.ResourceID), SnapshotType: aws.String("manual"), SnapshotCreateTime: aws.Time(s.Created),
		OriginalSnapshotCreateTime: aws.Time(s.Created), Status: aws.String("available"), PercentProgress: int32p(100),
		AllocatedStorage: int32p(number(r, "allocatedStorage", 0)), Engine: aws.String(r.Text("engine")),
		EngineVersion: aws.String(r.Text("engineVersionActual")), Encrypted: aws.Bool(r.Bool("storageEncrypted")),
		StorageType: aws.String(r.Text("storageType")), MasterUsername: aws.String(r.Text("username")), Port: int32p(5432),
		AvailabilityZone: orNil(r.Text("availabilityZone")), TagList: rdsTags(s.Tags),
	}
	if !m.reached(s.Available) {
		done := m.now.Sub(s.Created) * 100 / s.Available.Sub(s.Created)
		out.Status, out.PercentProgress = aws.String("creating"), int32p(int(done))
	}
	return out
}

func createDBSnapshot(m moment, in *rds.CreateDBSnapshotInput) (*rds.CreateDBSnapshotOutput, error) {
	id := strings.ToLower(deref(in.DBSnapshotIdentifier))
	r := m.Find(typeDatabase, "identifier", deref(in.DBInstanceIdentifier))
	switch {
	case r == nil:
		return nil, noDatabase(deref(in.DBInstanceIdentifier))
	case m.faults[faultSnapshotFails]:
		return nil, &types.SnapshotQuotaExceededFault{Message: aws.String("Cannot create more than 100 manual snapshots.")}
	case m.Snapshots[id] != nil:
		return nil, &types.DBSnapshotAlreadyExistsFault{Message: aws.String(
			"Cannot create the snapshot because a snapshot with the identifier " + id + " already exists.")}
	case m.databaseStatus(r) != "available":
		return nil, &types.InvalidDBInstanceStateFault{Message: aws.String("Cannot create a snapshot because the database instance " +
			r.Text("identifier") + " is not currently in the available state.")}
	}
	tags := map[string]string{}
	for _, tag := range in.Tags {
		tags[deref(tag.Key)] = deref(tag.Value)
	}
	taken := m.snapshotOf(m.snapshot(id, r, tags))
	return &rds.CreateDBSnapshotOutput{DBSnapshot: &taken}, nil
}

func deleteDBSnapshot(m moment, in *rds.DeleteDBSnapshotInput) (*rds.DeleteDBSnapshotOutput, error) {
	s := m.Snapshots[deref(in.DBSnapshotIdentifier)]
	if s == nil {
		return nil, noSnapshot(deref(in.DBSnapshotIdentifier))
	}
	if !m.reached(s.Available) {
		return nil, &types.InvalidDBSnapshotStateFault{Message: aws.String("Cannot delete the snapshot because it is not currently in the available or failed state.")}
	}
	deleted := m.snapshotOf(s)
	deleted.Status = aws.String("deleted")
	delete(m.Snapshots, s.ID)
	return &rds.DeleteDBSnapshotOutput{DBSnapshot: &deleted}, nil
}

// describePendingMaintenanceActions knows none: nothing waits in the simulated account.
func describePendingMaintenanceActions(moment, *rds.DescribePendingMaintenanceActionsInput) (*rds.DescribePendingMaintenanceActionsOutput, error) {
	return &rds.DescribePendingMaintenanceActionsOutput{}, nil
}

func describeDBParameters(m moment, in *rds.DescribeDBParametersInput) (*rds.DescribeDBParametersOutput, error) {
	r := m.Get(typeDBParameterGroup, deref(in.DBParameterGroupName))
	if r == nil {
		return nil, &types.DBParameterGroupNotFoundFault{Message: aws.String("DBParameterGroup not found: " + deref(in.DBParameterGroupName))}
	}
	out := &rds.DescribeDBParametersOutput{}
	if in.Source != nil && *in.Source != "user" {
		return out, nil
	}
	for _, block := range r.Blocks("parameters") {
		method := types.ApplyMethodImmediate
		if blockText(block, "applyMethod") == "pending-reboot" {
			method = types.ApplyMethodPendingReboot
		}
		out.Parameters = append(out.Parameters, types.Parameter{
			ParameterName: aws.String(blockText(block, "name")), ParameterValue: aws.String(text(block["value"])),
			Source: aws.String("user"), ApplyMethod: method, IsModifiable: aws.Bool(true),
		})
	}
	return out, nil
}

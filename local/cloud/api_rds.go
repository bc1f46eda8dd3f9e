package cloud

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

func rdsOperations() []operation {
	return []operation{
		readOp(describeDBInstances), readOp(describeDBSnapshots), writeOp(createDBSnapshot), writeOp(deleteDBSnapshot),
		readOp(describePendingMaintenanceActions), readOp(describeDBParameters),
		writeOp(restoreDBInstance), writeOp(modifyDBInstance), writeOp(deleteDBInstance), writeOp(stopDBInstance), writeOp(startDBInstance),
	}
}

func describeDBInstances(m model, in *rds.DescribeDBInstancesInput) (*rds.DescribeDBInstancesOutput, error) {
	var names []string
	if in.DBInstanceIdentifier != nil {
		names = []string{awsx.NameFromARN(*in.DBInstanceIdentifier)}
	}
	found, missing := m.selectResources(typeDatabase, names, "identifier", "arn")
	if len(missing) > 0 {
		return nil, databaseNotFound(missing[0])
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

func databaseNotFound(id string) error {
	return &types.DBInstanceNotFoundFault{Message: aws.String(fmt.Sprintf("DBInstance %s not found.", id))}
}

// databaseStatus returns RDS's status of an instance.
func (m model) databaseStatus(r *Resource) string {
	change := m.Databases[r.ID]
	switch {
	case r.Pending:
		return "creating"
	case change != nil:
		return change.Status
	case !m.Stopped[r.ID].IsZero():
		return statusStopped
	case m.faults[faultDatabaseUnavailable]:
		return "storage-full"
	case slices.ContainsFunc(slices.Collect(maps.Values(m.Snapshots)), func(s *Snapshot) bool {
		return s.ResourceID == r.ID && !m.reached(s.Available)
	}):
		return "backing-up"
	}
	return "available"
}

func (m model) databaseOf(r *Resource) types.DBInstance {
	d := types.DBInstance{
		DBInstanceIdentifier: aws.String(r.Text("identifier")), DBInstanceArn: aws.String(r.Text("arn")), DbiResourceId: aws.String(r.ID),
		DBInstanceStatus: aws.String(m.databaseStatus(r)), DBInstanceClass: aws.String(r.Text("instanceClass")),
		Engine: aws.String(r.Text("engine")), EngineVersion: aws.String(r.Text("engineVersionActual")), DBName: orNil(r.Text("dbName")),
		MasterUsername: aws.String(r.Text("username")), AvailabilityZone: orNil(r.Text("availabilityZone")), MultiAZ: aws.Bool(r.Bool("multiAz")),
		SecondaryAvailabilityZone: orNil(m.standbyZone(r, m.Get(typeDBSubnetGroup, r.Text("dbSubnetGroupName")))),
		AllocatedStorage:          int32p(numberOr(r, "allocatedStorage", 0)), StorageType: aws.String(r.Text("storageType")),
		StorageEncrypted: aws.Bool(r.Bool("storageEncrypted")), KmsKeyId: orNil(r.Text("kmsKeyId")),
		BackupRetentionPeriod: int32p(numberOr(r, "backupRetentionPeriod", 0)), PreferredBackupWindow: aws.String(r.Text("backupWindow")),
		PreferredMaintenanceWindow: aws.String(r.Text("maintenanceWindow")), DeletionProtection: aws.Bool(r.Bool("deletionProtection")),
		PubliclyAccessible: aws.Bool(r.Bool("publiclyAccessible")), AutoMinorVersionUpgrade: aws.Bool(r.Bool("autoMinorVersionUpgrade")),
		PerformanceInsightsEnabled: aws.Bool(r.Bool("performanceInsightsEnabled")), InstanceCreateTime: &r.Created,
		CopyTagsToSnapshot: aws.Bool(r.Bool("copyTagsToSnapshot")), CACertificateIdentifier: aws.String(r.Text("caCertIdentifier")),
		IAMDatabaseAuthenticationEnabled: aws.Bool(r.Bool("iamDatabaseAuthenticationEnabled")),
		EnabledCloudwatchLogsExports:     r.Strings("enabledCloudwatchLogsExports"), MonitoringInterval: int32p(numberOr(r, "monitoringInterval", 0)),
	}
	d.EngineLifecycleSupport, d.PendingModifiedValues = aws.String(r.Text("engineLifecycleSupport")), pendingValues(m.PendingModified[r.ID])
	if ceiling := numberOr(r, "maxAllocatedStorage", 0); ceiling > 0 {
		d.MaxAllocatedStorage = int32p(ceiling)
	}
	if *d.DBInstanceStatus != "creating" {
		d.Endpoint = &types.Endpoint{
			Address: aws.String(r.Text("address")), Port: int32p(numberOr(r, "port", 5432)), HostedZoneId: aws.String(r.Text("hostedZoneId")),
		}
	}
	if *d.BackupRetentionPeriod > 0 && d.Endpoint != nil {
		d.LatestRestorableTime = aws.Time(laterOf(r.Created, m.now.Add(-3*time.Minute)).Truncate(time.Second))
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

// pendingValues returns what waits for the maintenance window, as RDS returns it: empty where nothing waits.
func pendingValues(waiting values) *types.PendingModifiedValues {
	pending := &types.PendingModifiedValues{
		DBInstanceClass: orNil(text(waiting["instanceClass"])), StorageType: orNil(text(waiting["storageType"])),
		EngineVersion: orNil(text(waiting["engineVersion"])),
	}
	if multiZone, ok := waiting["multiAz"].(bool); ok {
		pending.MultiAZ = &multiZone
	}
	if size, ok := waiting["allocatedStorage"].(float64); ok {
		pending.AllocatedStorage = int32p(int(size))
	}
	return pending
}

func rdsTags(tags map[string]string) []types.Tag {
	var all []types.Tag
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, types.Tag{Key: aws.String(name), Value: aws.String(tags[name])})
	}
	return all
}

// describePendingMaintenanceActions returns none: maintenance is not simulated.
func describePendingMaintenanceActions(model, *rds.DescribePendingMaintenanceActionsInput) (*rds.DescribePendingMaintenanceActionsOutput, error) {
	return &rds.DescribePendingMaintenanceActionsOutput{}, nil
}

func describeDBParameters(m model, in *rds.DescribeDBParametersInput) (*rds.DescribeDBParametersOutput, error) {
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

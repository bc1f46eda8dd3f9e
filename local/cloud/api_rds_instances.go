package cloud

import (
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// databaseChange is a change of an instance that RDS has started.
type databaseChange struct {
	// Status is the instance's status until then.
	Status string    `json:"status"`
	Until  time.Time `json:"until"`
	// Name is the instance's new name; "" if it keeps its name.
	Name string `json:"name,omitempty"`
}

// How long RDS needs to restore an instance from a snapshot, to modify, to rename and to delete one.
const (
	restoreTime       = 4 * time.Minute
	modifyTime        = 30 * time.Second
	renameTime        = time.Minute
	deleteTime        = 2 * time.Minute
	databaseStopTime  = time.Minute
	databaseStartTime = 2 * time.Minute
)

// stoppedLimit is how long an instance stays stopped, in real time: RDS starts it again so that it does not miss maintenance.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
const stoppedLimit = 7 * 24 * time.Hour

// The statuses of an instance that is being deleted, and of one that is or is being stopped or started.
const (
	statusDeleting = "deleting"
	statusStopping = "stopping"
	statusStopped  = "stopped"
	statusStarting = "starting"
)

// completeDatabaseChanges completes the changes whose time has passed. A renamed instance keeps its resource ID; its
// address follows from its name.
func (m model) completeDatabaseChanges() {
	for id, change := range m.Databases {
		if !m.reached(change.Until) {
			continue
		}
		delete(m.Databases, id)
		r := m.Get(typeDatabase, id)
		if r != nil && change.Status == statusDeleting {
			m.forgetDatabase(r)
			continue
		}
		if r != nil && change.Status == statusStopping {
			if m.Stopped == nil {
				m.Stopped = map[string]time.Time{}
			}
			m.Stopped[id] = change.Until
			continue
		}
		if r == nil || change.Name == "" {
			continue
		}
		r.modify("identifier", change.Name)
		r.Outputs["arn"] = m.arn("rds", "db:"+change.Name)
		r.Outputs["address"] = m.databaseAddress(change.Name)
		r.Outputs["endpoint"] = r.Text("address") + ":" + text(r.Outputs["port"])
	}
	for id, since := range m.Stopped {
		if m.now.Sub(since) >= stoppedLimit {
			delete(m.Stopped, id)
			m.Databases[id] = &databaseChange{Status: statusStarting, Until: m.after(since.Add(stoppedLimit), databaseStartTime)}
			m.publishStoppedTooLong(m.Get(typeDatabase, id))
		}
	}
	if m.faults[faultMaintenanceWindow] {
		m.applyDeferred()
	}
	m.takeAutomatedSnapshots()
}

// restoreDBInstance creates an instance from a snapshot. Properties that the call omits come from the snapshot; the
// master user's password is the old one and is in no secret.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html
func restoreDBInstance(m model, in *rds.RestoreDBInstanceFromDBSnapshotInput) (*rds.RestoreDBInstanceFromDBSnapshotOutput, error) {
	from := m.findSnapshot(deref(in.DBSnapshotIdentifier))
	switch {
	case from == nil:
		return nil, snapshotNotFound(deref(in.DBSnapshotIdentifier))
	case !m.reached(from.Available):
		return nil, &types.InvalidDBSnapshotStateFault{Message: aws.String("DB snapshot " + from.ID + " is not in available state.")}
	case m.faults[faultProvisionFails]:
		return nil, &types.InsufficientDBInstanceCapacityFault{Message: aws.String("We currently do not have sufficient " +
			deref(in.DBInstanceClass) + " capacity in the Availability Zones of your DB subnet group. Please try again later.")}
	case m.Find(typeDatabase, "identifier", strings.ToLower(deref(in.DBInstanceIdentifier))) != nil:
		return nil, &types.DBInstanceAlreadyExistsFault{Message: aws.String("DB instance already exists")}
	}
	inputs := values{"identifier": strings.ToLower(deref(in.DBInstanceIdentifier)), "skipFinalSnapshot": true}
	for _, property := range []string{
		"allocatedStorage", "engine", "engineVersion", "storageEncrypted", "storageType", "username", "dbName", "instanceClass",
		"backupRetentionPeriod",
	} {
		if value := from.Properties[property]; value != nil {
			inputs[property] = value
		}
	}
	setIfGiven(inputs, "instanceClass", in.DBInstanceClass)
	setIfGiven(inputs, "dbSubnetGroupName", in.DBSubnetGroupName)
	setIfGiven(inputs, "parameterGroupName", in.DBParameterGroupName)
	setIfGiven(inputs, "storageType", in.StorageType)
	setIfGiven(inputs, "multiAz", in.MultiAZ)
	setIfGiven(inputs, "deletionProtection", in.DeletionProtection)
	setIfGiven(inputs, "publiclyAccessible", in.PubliclyAccessible)
	setIfGiven(inputs, "autoMinorVersionUpgrade", in.AutoMinorVersionUpgrade)
	setIfGiven(inputs, "copyTagsToSnapshot", in.CopyTagsToSnapshot)
	setIfGiven(inputs, "backupWindow", in.PreferredBackupWindow)
	setIfGiven(inputs, "engineLifecycleSupport", in.EngineLifecycleSupport)
	setNumberIfGiven(inputs, "port", in.Port)
	setNumberIfGiven(inputs, "backupRetentionPeriod", in.BackupRetentionPeriod)
	setListIfGiven(inputs, "vpcSecurityGroupIds", in.VpcSecurityGroupIds)
	setListIfGiven(inputs, "enabledCloudwatchLogsExports", in.EnableCloudwatchLogsExports)
	tags := values{}
	for _, tag := range in.Tags {
		tags[deref(tag.Key)] = deref(tag.Value)
	}
	inputs["tags"] = tags
	m.Serial++
	r := &Resource{Type: typeDatabase, Serial: m.Serial, Inputs: inputs, Created: m.now}
	if err := resourceTypes[typeDatabase].build(m.State, r); err != nil {
		return nil, asAPIError(err)
	}
	m.put(r)
	m.Databases[r.ID] = &databaseChange{Status: "creating", Until: m.in(restoreTime)}
	m.restoreMigrations(from, r.ID)
	created := m.databaseOf(r)
	return &rds.RestoreDBInstanceFromDBSnapshotOutput{DBInstance: &created}, nil
}

// modifyDBInstance changes an instance immediately. Changes in the maintenance window are not simulated.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
func modifyDBInstance(m model, in *rds.ModifyDBInstanceInput) (*rds.ModifyDBInstanceOutput, error) {
	r := m.Find(typeDatabase, "identifier", deref(in.DBInstanceIdentifier))
	name := strings.ToLower(deref(in.NewDBInstanceIdentifier))
	switch {
	case r == nil:
		return nil, databaseNotFound(deref(in.DBInstanceIdentifier))
	case !deref(in.ApplyImmediately):
		return nil, apiError("NotSimulated", "local mode does not simulate a change that waits for the maintenance window")
	case m.databaseStatus(r) != "available":
		return nil, &types.InvalidDBInstanceStateFault{Message: aws.String("Database instance is not in available state.")}
	case name != "" && m.nameTaken(name):
		return nil, &types.DBInstanceAlreadyExistsFault{Message: aws.String("DB instance already exists")}
	}
	change := &databaseChange{Status: "modifying", Until: m.in(modifyTime), Name: name}
	if name != "" {
		change.Status, change.Until = "renaming", m.in(renameTime)
	}
	before := len(r.Blocks("masterUserSecrets"))
	setIfGiven(r.Inputs, "manageMasterUserPassword", in.ManageMasterUserPassword)
	setIfGiven(r.Inputs, "deletionProtection", in.DeletionProtection)
	setIfGiven(r.Inputs, "multiAz", in.MultiAZ)
	setIfGiven(r.Inputs, "instanceClass", in.DBInstanceClass)
	setIfGiven(r.Inputs, "maintenanceWindow", in.PreferredMaintenanceWindow)
	setIfGiven(r.Inputs, "backupWindow", in.PreferredBackupWindow)
	setIfGiven(r.Inputs, "performanceInsightsEnabled", in.EnablePerformanceInsights)
	setNumberIfGiven(r.Inputs, "performanceInsightsRetentionPeriod", in.PerformanceInsightsRetentionPeriod)
	setNumberIfGiven(r.Inputs, "maxAllocatedStorage", in.MaxAllocatedStorage)
	setNumberIfGiven(r.Inputs, "backupRetentionPeriod", in.BackupRetentionPeriod)
	if err := resourceTypes[typeDatabase].build(m.State, r); err != nil {
		return nil, asAPIError(err)
	}
	if len(r.Blocks("masterUserSecrets")) > before {
		if err := m.scheduleRotation(blockText(r.Blocks("masterUserSecrets")[0], "secretArn")); err != nil {
			return nil, asAPIError(err)
		}
	}
	m.Databases[r.ID] = change
	changed := m.databaseOf(r)
	return &rds.ModifyDBInstanceOutput{DBInstance: &changed}, nil
}

// stopDBInstance stops an instance, which keeps its address and its data.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StopDBInstance.html
func stopDBInstance(m model, in *rds.StopDBInstanceInput) (*rds.StopDBInstanceOutput, error) {
	stopping, err := m.changeStatus(in.DBInstanceIdentifier, "available", statusStopping, databaseStopTime)
	return &rds.StopDBInstanceOutput{DBInstance: stopping}, err
}

// startDBInstance starts an instance that was stopped.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StartDBInstance.html
func startDBInstance(m model, in *rds.StartDBInstanceInput) (*rds.StartDBInstanceOutput, error) {
	starting, err := m.changeStatus(in.DBInstanceIdentifier, statusStopped, statusStarting, databaseStartTime)
	return &rds.StartDBInstanceOutput{DBInstance: starting}, err
}

// changeStatus gives an instance that has a status another one for some time, and returns it.
func (m model) changeStatus(id *string, from, to string, lasts time.Duration) (*types.DBInstance, error) {
	r := m.Find(typeDatabase, "identifier", deref(id))
	switch {
	case r == nil:
		return nil, databaseNotFound(deref(id))
	case m.databaseStatus(r) != from:
		return nil, &types.InvalidDBInstanceStateFault{
			Message: aws.String("Instance " + r.Text("identifier") + " is not in " + from + " state."),
		}
	}
	delete(m.Stopped, r.ID)
	m.Databases[r.ID] = &databaseChange{Status: to, Until: m.in(lasts)}
	changed := m.databaseOf(r)
	return &changed, nil
}

// deleteDBInstance deletes an instance, after its final snapshot where one is requested.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html
func deleteDBInstance(m model, in *rds.DeleteDBInstanceInput) (*rds.DeleteDBInstanceOutput, error) {
	r := m.Find(typeDatabase, "identifier", deref(in.DBInstanceIdentifier))
	switch {
	case r == nil:
		return nil, databaseNotFound(deref(in.DBInstanceIdentifier))
	case m.databaseStatus(r) != "available":
		return nil, &types.InvalidDBInstanceStateFault{Message: aws.String("Instance " + r.Text("identifier") + " is not in available state.")}
	}
	r.Inputs["skipFinalSnapshot"], r.Inputs["finalSnapshotIdentifier"] = deref(in.SkipFinalSnapshot), deref(in.FinalDBSnapshotIdentifier)
	if err := removeDatabase(m.State, r); err != nil {
		return nil, asAPIError(err)
	}
	m.Databases[r.ID] = &databaseChange{Status: statusDeleting, Until: m.in(deleteTime)}
	deleted := m.databaseOf(r)
	return &rds.DeleteDBInstanceOutput{DBInstance: &deleted}, nil
}

// forgetDatabase removes an instance that was deleted, with the rotation of its password.
func (m model) forgetDatabase(r *Resource) {
	m.remove(r)
	delete(m.Stopped, r.ID)
	for _, secret := range r.Blocks("masterUserSecrets") {
		if rotation := m.Find(typeSecretRotation, "secretId", blockText(secret, "secretArn")); rotation != nil {
			m.remove(rotation)
		}
	}
}

// nameTaken reports whether an instance has the name, or is being renamed to it.
func (m model) nameTaken(name string) bool {
	for _, change := range m.Databases {
		if change.Name == name {
			return true
		}
	}
	return m.Find(typeDatabase, "identifier", name) != nil
}

// scheduleRotation rotates a secret that RDS manages every seven days, RDS's default.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
func (m model) scheduleRotation(secretARN string) error {
	m.Serial++
	r := &Resource{Type: typeSecretRotation, Serial: m.Serial, Created: m.now, Inputs: values{
		"secretId": secretARN, "rotationRules": values{"automaticallyAfterDays": 7.0},
	}}
	if err := resourceTypes[typeSecretRotation].build(m.State, r); err != nil {
		return err
	}
	m.put(r)
	return nil
}

// setIfGiven sets a property that the call specifies.
func setIfGiven[T any](inputs values, property string, value *T) {
	if value != nil {
		inputs[property] = *value
	}
}

func setNumberIfGiven(inputs values, property string, value *int32) {
	if value != nil {
		inputs[property] = float64(*value)
	}
}

func setListIfGiven(inputs values, property string, list []string) {
	if len(list) > 0 {
		inputs[property] = stringList(list)
	}
}

// asAPIError converts an *Error to an error of the API.
func asAPIError(err error) error {
	if refusal := (*Error)(nil); errors.As(err, &refusal) {
		return apiError(refusal.Code, "%s", refusal.Message)
	}
	return err
}

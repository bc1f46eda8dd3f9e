package cloud

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

func describeDBSnapshots(m model, in *rds.DescribeDBSnapshotsInput) (*rds.DescribeDBSnapshotsOutput, error) {
	var found []types.DBSnapshot
	for _, s := range m.Snapshots {
		if (in.DBSnapshotIdentifier == nil || *in.DBSnapshotIdentifier == s.ID || *in.DBSnapshotIdentifier == s.ARN) &&
			(in.DBInstanceIdentifier == nil || *in.DBInstanceIdentifier == s.Instance) &&
			(in.SnapshotType == nil || *in.SnapshotType == s.snapshotType()) {
			found = append(found, m.snapshotOf(s))
		}
	}
	if in.DBSnapshotIdentifier != nil && len(found) == 0 {
		return nil, snapshotNotFound(*in.DBSnapshotIdentifier)
	}
	slices.SortFunc(found, func(x, y types.DBSnapshot) int {
		return cmp.Compare(*x.DBSnapshotIdentifier, *y.DBSnapshotIdentifier)
	})
	found, next, err := page(found, in.Marker, in.MaxRecords, 100)
	return &rds.DescribeDBSnapshotsOutput{DBSnapshots: found, Marker: next}, err
}

func snapshotNotFound(id string) error {
	return &types.DBSnapshotNotFoundFault{Message: aws.String(fmt.Sprintf("DBSnapshot %s not found.", id))}
}

func (m model) snapshotOf(s *Snapshot) types.DBSnapshot {
	r := &Resource{Outputs: s.Properties}
	out := types.DBSnapshot{
		DBSnapshotIdentifier: aws.String(s.ID), DBSnapshotArn: aws.String(s.ARN), DBInstanceIdentifier: aws.String(s.Instance),
		DbiResourceId: aws.String(s.ResourceID), SnapshotType: aws.String(s.snapshotType()), SnapshotCreateTime: aws.Time(s.Created),
		OriginalSnapshotCreateTime: aws.Time(s.Created), Status: aws.String("available"), PercentProgress: int32p(100),
		AllocatedStorage: int32p(numberOr(r, "allocatedStorage", 0)), Engine: aws.String(r.Text("engine")),
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

func createDBSnapshot(m model, in *rds.CreateDBSnapshotInput) (*rds.CreateDBSnapshotOutput, error) {
	id := strings.ToLower(deref(in.DBSnapshotIdentifier))
	r := m.Find(typeDatabase, "identifier", deref(in.DBInstanceIdentifier))
	switch {
	case r == nil:
		return nil, databaseNotFound(deref(in.DBInstanceIdentifier))
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
	created := m.snapshotOf(m.takeSnapshot(id, r, tags))
	return &rds.CreateDBSnapshotOutput{DBSnapshot: &created}, nil
}

func deleteDBSnapshot(m model, in *rds.DeleteDBSnapshotInput) (*rds.DeleteDBSnapshotOutput, error) {
	s := m.Snapshots[deref(in.DBSnapshotIdentifier)]
	switch {
	case s == nil:
		return nil, snapshotNotFound(deref(in.DBSnapshotIdentifier))
	case s.snapshotType() == "automated":
		return nil, &types.InvalidDBSnapshotStateFault{Message: aws.String("Only manual snapshots may be deleted.")}
	}
	if !m.reached(s.Available) {
		return nil, &types.InvalidDBSnapshotStateFault{Message: aws.String("Cannot delete the snapshot because it is not currently in the available or failed state.")}
	}
	deleted := m.snapshotOf(s)
	deleted.Status = aws.String("deleted")
	delete(m.Snapshots, s.ID)
	return &rds.DeleteDBSnapshotOutput{DBSnapshot: &deleted}, nil
}

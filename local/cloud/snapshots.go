package cloud

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Snapshot is a database snapshot, by identifier. A manual one outlives its database.
type Snapshot struct {
	ARN        string            `json:"arn"`
	ID         string            `json:"id"`
	Instance   string            `json:"instance"`
	ResourceID string            `json:"resourceID"`
	Created    time.Time         `json:"created"`
	Available  time.Time         `json:"available"`
	Tags       map[string]string `json:"tags,omitempty"`
	// Properties are the database's when the snapshot was taken.
	Properties map[string]any `json:"properties"`
}

// snapshotTime is how long RDS needs to take a snapshot.
const snapshotTime = 90 * time.Second

// takeSnapshot starts a manual snapshot of a database.
func (m model) takeSnapshot(id string, r *Resource, tags map[string]string) *Snapshot {
	snapshot := m.addSnapshot(id, r)
	snapshot.Created, snapshot.Available, snapshot.Tags = m.now, m.in(snapshotTime), tags
	return snapshot
}

// addSnapshot adds a completed snapshot of a database, such as the final one of a deletion.
func (s *State) addSnapshot(id string, r *Resource) *Snapshot {
	snapshot := &Snapshot{
		ARN: s.arn("rds", "snapshot:"+id), ID: id, Instance: r.Text("identifier"),
		ResourceID: r.ID, Created: s.ECS.Until, Available: s.ECS.Until, Properties: map[string]any{"created": r.Created.Format(time.RFC3339)},
	}
	for _, property := range snapshotProperties {
		snapshot.Properties[property] = r.Outputs[property]
	}
	s.Snapshots[id] = snapshot
	return snapshot
}

// snapshotProperties are the properties of a database that a snapshot keeps, and that a restored database gets if the
// call omits them.
var snapshotProperties = []string{
	"allocatedStorage", "engine", "engineVersion", "engineVersionActual", "storageEncrypted", "storageType", "username", "dbName",
	"availabilityZone", "instanceClass", "backupRetentionPeriod", "kmsKeyId",
}

// automatedPrefix is the prefix of the names of automated snapshots.
const automatedPrefix = "rds:"

// snapshotType returns RDS's type of the snapshot.
func (s *Snapshot) snapshotType() string {
	if strings.HasPrefix(s.ID, automatedPrefix) {
		return "automated"
	}
	return "manual"
}

// takeAutomatedSnapshots takes the first automated snapshot of every available database with backups; the account is
// too short-lived for a second. The snapshot keeps its name when the database is renamed, and is deleted with it.
func (m model) takeAutomatedSnapshots() {
	for _, r := range m.ByType(typeDatabase) {
		id := automatedPrefix + r.Text("identifier") + r.Created.Format("-2006-01-02-15-04")
		automated := func(s *Snapshot) bool { return s.snapshotType() == "automated" && s.ResourceID == r.ID }
		if r.Number("backupRetentionPeriod") == 0 || m.databaseStatus(r) == "creating" || m.databaseStatus(r) == statusStopped ||
			slices.ContainsFunc(slices.Collect(maps.Values(m.Snapshots)), automated) {
			continue
		}
		first := m.addSnapshot(id, r)
		first.Created, first.Available, first.Tags = r.Created, r.Created, r.Tags()
	}
	maps.DeleteFunc(m.Snapshots, func(_ string, s *Snapshot) bool {
		return s.snapshotType() == "automated" && m.Get(typeDatabase, s.ResourceID) == nil
	})
}

// findSnapshot finds a snapshot by name or ARN, or returns nil.
func (m model) findSnapshot(id string) *Snapshot {
	_, name, isARN := strings.Cut(id, ":snapshot:")
	if isARN {
		id = name
	}
	return m.Snapshots[id]
}

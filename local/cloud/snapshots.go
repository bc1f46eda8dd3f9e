package cloud

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Snapshot is one snapshot of a database, by identifier. A manual one outlives its database.
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

// snapshotTime is how long RDS needs for one.
const snapshotTime = 90 * time.Second

// takeSnapshot takes one of a database.
func (m model) takeSnapshot(id string, r *Resource, tags map[string]string) *Snapshot {
	snapshot := m.addSnapshot(id, r)
	snapshot.Created, snapshot.Available, snapshot.Tags = m.now, m.in(snapshotTime), tags
	return snapshot
}

// addSnapshot keeps the final snapshot of a database that is deleted.
func (s *State) addSnapshot(id string, r *Resource) *Snapshot {
	snapshot := &Snapshot{
		ARN: "arn:aws:rds:" + s.Region + ":" + s.ID + ":snapshot:" + id, ID: id, Instance: r.Text("identifier"),
		ResourceID: r.ID, Created: s.ECS.Until, Available: s.ECS.Until, Properties: map[string]any{"created": r.Created.Format(time.RFC3339)},
	}
	for _, property := range snapshotProperties {
		snapshot.Properties[property] = r.Outputs[property]
	}
	s.Snapshots[id] = snapshot
	return snapshot
}

// snapshotProperties are the properties of a database that a snapshot has, and that a database restored from it gets where the
// call names no others.
var snapshotProperties = []string{
	"allocatedStorage", "engine", "engineVersion", "engineVersionActual", "storageEncrypted", "storageType", "username", "dbName",
	"availabilityZone", "instanceClass", "backupRetentionPeriod", "kmsKeyId",
}

// automatedPrefix begins the names of the snapshots that RDS takes by itself.
const automatedPrefix = "rds:"

// snapshotType is RDS's word for who takes snapshots of that sort.
func (s *Snapshot) snapshotType() string {
	if strings.HasPrefix(s.ID, automatedPrefix) {
		return "automated"
	}
	return "manual"
}

// takeAutomatedSnapshots takes the first automated snapshot of every database with backups, as soon as it is there. The account is too
// short-lived for a second. It keeps its name when the database is renamed, and goes with it.
func (m model) takeAutomatedSnapshots() {
	for _, r := range m.ByType(typeDatabase) {
		id := automatedPrefix + r.Text("identifier") + r.Created.Format("-2006-01-02-15-04")
		automated := func(s *Snapshot) bool { return s.snapshotType() == "automated" && s.ResourceID == r.ID }
		if r.Number("backupRetentionPeriod") == 0 || m.databaseStatus(r) == "creating" ||
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

// findSnapshot finds a snapshot by its name or ARN, or returns nil.
func (m model) findSnapshot(id string) *Snapshot {
	_, name, isARN := strings.Cut(id, ":snapshot:")
	if isARN {
		id = name
	}
	return m.Snapshots[id]
}

package cloud

import "time"

// Snapshot is one manual snapshot of a database, by identifier. It outlives its database.
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

// snapshotTakes is how long RDS needs for one.
const snapshotTakes = 90 * time.Second

// snapshot takes one of a database.
func (m moment) snapshot(id string, r *Resource, tags map[string]string) *Snapshot {
	taken := m.keepSnapshot(id, r)
	taken.Created, taken.Available, taken.Tags = m.now, m.in(snapshotTakes), tags
	return taken
}

// keepSnapshot keeps the final snapshot of a database that is deleted.
func (s *State) keepSnapshot(id string, r *Resource) *Snapshot {
	taken := &Snapshot{
		ARN: "arn:aws:rds:" + s.Region + ":" + s.ID + ":snapshot:" + id, ID: id, Instance: r.Text("identifier"),
		ResourceID: r.ID, Created: s.ECS.Until, Available: s.ECS.Until, Properties: map[string]any{"created": r.Created.Format(time.RFC3339)},
	}
	for _, property := range []string{"allocatedStorage", "engine", "engineVersionActual", "storageEncrypted", "storageType", "username", "availabilityZone"} {
		taken.Properties[property] = r.Outputs[property]
	}
	s.Snapshots[id] = taken
	return taken
}

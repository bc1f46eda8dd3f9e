package record

import "slices"

// Before returns the newest of the records, the newest first, from which a rollback can return: it was verified healthy,
// and brought another image than the digest. An image that a rollback left is passed over until it is deployed well
// again: whoever rolls back twice goes further back, not to and fro. It is nil where there is none.
func Before(records []Deployment, digest string) *Deployment {
	left := []string{digest}
	for i := range records {
		d := &records[i]
		if !d.Verified {
			continue
		}
		if !slices.Contains(left, d.Image.Digest) {
			return d
		}
		if d.RolledBackFrom != nil {
			left = append(left, d.RolledBackFrom.Digest)
		}
	}
	return nil
}

// SnapshotAfter is the first snapshot that was taken after a deployment, as its database was when the next one began; ""
// where there is none. The records are the newest first.
func SnapshotAfter(records []Deployment, id string) string {
	at := slices.IndexFunc(records, func(d Deployment) bool { return d.ID == id })
	for i := at - 1; i >= 0; i-- {
		if records[i].Snapshot != "" {
			return records[i].Snapshot
		}
	}
	return ""
}

// MigratedAfter reports whether a migration ran after a deployment.
func MigratedAfter(records []Deployment, id string) bool {
	at := slices.IndexFunc(records, func(d Deployment) bool { return d.ID == id })
	return slices.ContainsFunc(records[:max(at, 0)], func(d Deployment) bool { return d.Migration != nil })
}

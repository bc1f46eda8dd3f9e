package history

import "slices"

// RollbackCandidate returns the newest of the records, the newest first, from which a rollback can return: it was verified healthy,
// and brought another image than the digest. An image that a rollback left is passed over until it is deployed well
// again: whoever rolls back twice goes further back, not to and fro. It is nil where there is none.
func RollbackCandidate(records []Deployment, digest string) *Deployment {
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
// where there is none. The records are the newest first. A restore took none: it names an older one, which it brought back.
func SnapshotAfter(records []Deployment, id string) string {
	at := slices.IndexFunc(records, func(d Deployment) bool { return d.ID == id })
	for i := at - 1; i >= 0; i-- {
		if records[i].Snapshot != "" && records[i].Kind != Restore {
			return records[i].Snapshot
		}
	}
	return ""
}

// SnapshotBeforeMigration is the snapshot from before the first migration that was tried after a deployment and had something to
// do; "" where none was, or none was taken. The records are the newest first.
func SnapshotBeforeMigration(records []Deployment, id string) string {
	at := slices.IndexFunc(records, func(d Deployment) bool { return d.ID == id })
	for i := at - 1; i >= 0; i-- {
		if d := records[i]; d.Snapshot != "" && d.Migration != nil && !d.Migration.NoChanges && d.Kind != Restore {
			return d.Snapshot
		}
	}
	return ""
}

// RequiredSnapshots are the snapshots that whoever goes back from here may want: the database as the last deployment that was
// verified healthy found it, and as it left it, before any later migration that failed; and as the one left it that a
// rollback from there leads to. The records are the newest first.
func RequiredSnapshots(records []Deployment) []string {
	verified := LastVerified(records)
	if verified == nil {
		return nil
	}
	needed := []string{verified.Snapshot, SnapshotAfter(records, verified.ID), SnapshotBeforeMigration(records, verified.ID)}
	if candidate := RollbackCandidate(records, verified.Image.Digest); candidate != nil {
		needed = append(needed, SnapshotAfter(records, candidate.ID))
	}
	slices.Sort(needed)
	return slices.DeleteFunc(slices.Compact(needed), func(name string) bool { return name == "" })
}

// MigratedAfter reports whether a migration ran after a deployment.
func MigratedAfter(records []Deployment, id string) bool {
	at := slices.IndexFunc(records, func(d Deployment) bool { return d.ID == id })
	return slices.ContainsFunc(records[:max(at, 0)], func(d Deployment) bool { return d.Migration != nil })
}

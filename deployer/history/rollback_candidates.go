package history

import "slices"

// RollbackCandidate returns the newest record to which a rollback can return: it was verified healthy, with another image than the
// digest. It skips an image that was rolled back from and not verified since, even where the rollback failed, so that a second rollback goes
// further back instead of to and fro. It returns nil if there is none.
func RollbackCandidate(records []Deployment, digest string) *Deployment {
	skipped := []string{digest}
	records = SinceDestroy(records)
	for i := range records {
		d := &records[i]
		switch {
		case !d.Verified && d.RolledBackFrom != nil:
			skipped = append(skipped, d.RolledBackFrom.Digest)
		case !d.Verified:
		case !slices.Contains(skipped, d.Image.Digest):
			return d
		case d.RolledBackFrom != nil:
			skipped = append(skipped, d.RolledBackFrom.Digest)
		}
	}
	return nil
}

// LastFailed reports whether the newest deployment ended, or was killed, before it verified its image.
func LastFailed(records []Deployment) bool {
	newest := slices.IndexFunc(records, func(d Deployment) bool { return d.Kind.Deploys() })
	if newest < 0 {
		return false
	}
	d := records[newest]
	return !d.Verified && (d.Outcome == Failed || d.Outcome == Interrupted || d.Outcome == Running)
}

// SnapshotAfter returns the first snapshot that was taken after a deployment: the database as the deployment left it; "" if there is
// none. The snapshot of a restore does not count, because it is older.
func SnapshotAfter(records []Deployment, id string) string {
	return earliestSnapshot(after(records, id), func(Deployment) bool { return true })
}

// SnapshotBeforeMigration returns the snapshot that was taken before the first migration that changed, or may have changed, the database
// after a deployment; "" if there is none.
func SnapshotBeforeMigration(records []Deployment, id string) string {
	return earliestSnapshot(after(records, id), Deployment.migrated)
}

func earliestSnapshot(records []Deployment, matches func(Deployment) bool) string {
	for _, d := range slices.Backward(records) {
		if d.Snapshot != "" && d.Kind != Restore && matches(d) {
			return d.Snapshot
		}
	}
	return ""
}

// after returns the records that are newer than a deployment; none if there is no such deployment.
func after(records []Deployment, id string) []Deployment {
	at := slices.IndexFunc(records, func(d Deployment) bool { return d.ID == id })
	return records[:max(at, 0)]
}

// RequiredSnapshots returns the snapshots that a rollback or a restore may need: the database before and after the last verified
// deployment, before any later migration that failed; and after the deployment to which a rollback from there would return.
func RequiredSnapshots(records []Deployment) []string {
	verified := LastVerified(records)
	if verified == nil {
		return nil
	}
	required := []string{verified.Snapshot, SnapshotAfter(records, verified.ID), SnapshotBeforeMigration(records, verified.ID)}
	if candidate := RollbackCandidate(records, verified.Image.Digest); candidate != nil {
		required = append(required, SnapshotAfter(records, candidate.ID))
	}
	slices.Sort(required)
	return slices.DeleteFunc(slices.Compact(required), func(name string) bool { return name == "" })
}

// MigratedAfter reports whether a migration changed, or may have changed, the database after a deployment.
func MigratedAfter(records []Deployment, id string) bool {
	return slices.ContainsFunc(after(records, id), Deployment.migrated)
}

// migrated reports whether a migration of the deployment changed, or may have changed, the database.
func (d Deployment) migrated() bool { return d.Migration != nil && !d.Migration.NoChanges }

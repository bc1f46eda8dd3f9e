package command

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

func TestDatabaseNote(t *testing.T) {
	for name, test := range map[string]struct {
		then *history.PriorDatabase
		want string
	}{
		"never verified":              {nil, ""},
		"nothing has changed it":      {&history.PriorDatabase{}, ""},
		"migrated without a snapshot": {&history.PriorDatabase{MigratedSince: true}, ", with the migrations since then; no deployment took a snapshot before them"},
		"a snapshot": {
			&history.PriorDatabase{Snapshot: "s", SnapshotStatus: "available", MigratedSince: true},
			"; its state before the migrations since then is in the snapshot s",
		},
		"a snapshot, and no migration": {
			&history.PriorDatabase{Snapshot: "s", SnapshotStatus: "available"}, "; its state at that time is in the snapshot s",
		},
		"a deleted snapshot": {
			&history.PriorDatabase{Snapshot: "s", SnapshotStatus: "gone", MigratedSince: true},
			"; its state before the migrations since then was in the snapshot s, which was deleted: `deployer snapshot list --env staging` " +
				"shows what is left",
		},
		"a snapshot that failed": {
			&history.PriorDatabase{Snapshot: "s", SnapshotStatus: "failed", MigratedSince: true},
			"; its state before the migrations since then is in the snapshot s, which is failed",
		},
		"unknown": {
			&history.PriorDatabase{Snapshot: "s", SnapshotStatus: "unknown", MigratedSince: true},
			"; its state before the migrations since then is in the snapshot s, if that still exists: it could not be checked",
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, databaseNote("staging", test.then)) })
	}
}

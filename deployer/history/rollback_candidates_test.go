package history

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// deployed returns a deployment of an image that was verified healthy.
func deployed(id, digest string) Deployment {
	return Deployment{ID: id, Verified: true, Image: Image{Digest: digest}}
}

// rolledBack returns a requested rollback from one image to another that was verified healthy.
func rolledBack(id, from, to string) Deployment {
	d := deployed(id, to)
	d.Kind, d.RolledBackFrom = Rollback, &Image{Digest: from}
	return d
}

func TestRollbackCandidate(t *testing.T) {
	failed := Deployment{ID: "failed", Image: Image{Digest: "C"}}
	stuck := rolledBack("3", "B", "A")
	stuck.Verified = false
	for name, test := range map[string]struct {
		running string
		records []Deployment
		want    string
	}{
		"a good release that turned out bad":              {"B", []Deployment{deployed("2", "B"), deployed("1", "A")}, "1"},
		"the same image twice":                            {"B", []Deployment{deployed("3", "B"), deployed("2", "B"), deployed("1", "A")}, "1"},
		"a failure that was not rolled back":              {"C", []Deployment{failed, deployed("2", "B"), deployed("1", "A")}, "2"},
		"a failure that was rolled back":                  {"B", []Deployment{failed, deployed("2", "B"), deployed("1", "A")}, "1"},
		"a second rollback goes further back":             {"A", []Deployment{rolledBack("4", "B", "A"), deployed("3", "B"), deployed("2", "A"), deployed("1", "Z")}, "1"},
		"a second rollback does not return":               {"A", []Deployment{rolledBack("3", "B", "A"), deployed("2", "B"), deployed("1", "A")}, ""},
		"rolled back from and verified again":             {"D", []Deployment{deployed("5", "D"), deployed("4", "B"), rolledBack("3", "B", "A"), deployed("2", "B")}, "4"},
		"a release after a rollback returns to its image": {"C", []Deployment{deployed("4", "C"), rolledBack("3", "B", "A"), deployed("2", "B"), deployed("1", "A")}, "3"},
		"a rollback that failed":                          {"", []Deployment{stuck, deployed("2", "B"), deployed("1", "A")}, "1"},
		"verified again after a rollback that failed":     {"", []Deployment{deployed("4", "B"), stuck, deployed("2", "B"), deployed("1", "A")}, "4"},
		"a failure whose rollback failed too":             {"", []Deployment{failed, deployed("2", "B"), deployed("1", "A")}, "2"},
		"the first deployment":                            {"A", []Deployment{deployed("1", "A")}, ""},
		"no record":                                       {"A", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found := RollbackCandidate(test.records, test.running)
			if test.want == "" {
				require.Nil(t, found)
				return
			}
			require.NotNil(t, found)
			require.Equal(t, test.want, found.ID)
		})
	}
}

func TestSnapshotAfter(t *testing.T) {
	migrated := func(id, snapshot string) Deployment {
		return Deployment{ID: id, Snapshot: snapshot, Migration: &Migration{}}
	}
	records := []Deployment{migrated("4", "newer"), migrated("3", "first after"), {ID: "2"}, migrated("1", "before it")}
	require.Equal(t, "first after", SnapshotAfter(records, "2"))
	require.Equal(t, "first after", SnapshotAfter(records, "1"))
	require.Empty(t, SnapshotAfter(records, "4"))
	require.Empty(t, SnapshotAfter(records, "unknown"))
	restored := append([]Deployment{{ID: "5", Kind: Restore, Snapshot: "before it"}}, records...)
	require.Empty(t, SnapshotAfter(restored, "4"), "the restored snapshot is older")
	require.True(t, MigratedAfter(records, "3"))
	require.False(t, MigratedAfter(records, "4"))
	require.False(t, MigratedAfter(records, "unknown"))
	unchanged := append([]Deployment{{ID: "5", Migration: &Migration{NoChanges: true}}}, records...)
	require.False(t, MigratedAfter(unchanged, "4"), "a migration that had nothing to do changed nothing")
}

func TestRequiredSnapshots(t *testing.T) {
	// saved returns a deployment that took a snapshot first.
	saved := func(d Deployment, snapshot string) Deployment {
		d.Snapshot = snapshot
		return d
	}
	failed := Deployment{ID: "failed", Image: Image{Digest: "C"}}
	for name, test := range map[string]struct {
		records []Deployment
		want    []string
	}{
		"before the last verified one": {[]Deployment{saved(deployed("2", "B"), "s2"), deployed("1", "A")}, []string{"s2"}},
		"after it, before the first of two failed migrations": {
			[]Deployment{saved(failed, "s4"), saved(failed, "s3"), saved(deployed("2", "B"), "s2"), saved(deployed("1", "A"), "s1")}, []string{"s2", "s3"},
		},
		"after the one before it, before a failure in between": {
			[]Deployment{saved(deployed("3", "B"), "s3"), saved(failed, "s2"), saved(deployed("1", "A"), "s1")}, []string{"s2", "s3"},
		},
		"a rollback took none": {
			[]Deployment{saved(failed, "s4"), rolledBack("3", "B", "A"), saved(deployed("2", "B"), "s2"), saved(deployed("1", "A"), "s1")}, []string{"s4"},
		},
		"a rollback, and the one further back": {
			[]Deployment{rolledBack("3", "B", "A"), saved(deployed("2", "B"), "s2"), saved(deployed("1", "A"), "s1"), saved(deployed("0", "Z"), "s0")},
			[]string{"s1"},
		},
		"nothing was verified": {[]Deployment{saved(failed, "s1")}, nil},
		"no snapshot":          {[]Deployment{failed, deployed("1", "A")}, nil},
	} {
		t.Run(name, func(t *testing.T) { require.ElementsMatch(t, test.want, RequiredSnapshots(test.records)) })
	}
}

package cloud

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// upgradeTime is how long RDS needs to upgrade an instance to another major version.
const upgradeTime = 8 * time.Minute

// upgradePaths are the major versions of PostgreSQL that RDS has, each with those that it can be upgraded to. Versions may be skipped.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.MajorVersion.html
var upgradePaths = map[string][]string{
	"14": {"15", "16", "17", "18"},
	"15": {"16", "17", "18"},
	"16": {"17", "18"},
	"17": {"18"},
	"18": nil,
}

// newestMinor is the minor version of an instance whose major version alone was requested.
const newestMinor = ".8"

// windowed are the properties whose change waits for the maintenance window unless it is to be applied immediately.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.Settings.html
var windowed = []string{"instanceClass", "multiAz", "allocatedStorage", "storageType", "engineVersion"}

// changeDatabase checks and starts the change of an instance, of which before is what it was, and returns how long RDS needs for it. What
// waits for the maintenance window keeps its value, and is returned as PendingModifiedValues.
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
func changeDatabase(m model, before, r *Resource) (time.Duration, error) {
	from, to := before.Text("engineVersionActual"), r.Text("engineVersion")
	if err := checkUpgrade(from, to, r.Bool("allowMajorVersionUpgrade")); err != nil {
		return 0, err
	}
	upgraded := majorOf(from) != majorOf(to)
	if !upgraded {
		r.Outputs["engineVersionActual"] = from
	}
	// Source: https://github.com/hashicorp/terraform-provider-aws/issues/40870
	r.modify("engineLifecycleSupport", before.Outputs["engineLifecycleSupport"])
	delete(m.PendingModified, r.ID) // a request replaces what waited, or has it applied
	if !r.Bool("applyImmediately") {
		m.deferChanges(before, r)
		return 0, nil
	}
	if !upgraded {
		return 0, nil
	}
	if r.Number("backupRetentionPeriod") > 0 {
		// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.MajorVersion.Process.html
		version := strings.NewReplacer(".", "-")
		m.takeSnapshot(fmt.Sprintf("preupgrade-%s-%s-to-%s-%s", r.Text("identifier"), version.Replace(from),
			version.Replace(r.Text("engineVersionActual")), m.now.Format("2006-01-02-15-04")), before, nil)
	}
	m.Databases[r.ID] = &databaseChange{Status: "upgrading", Until: m.in(upgradeTime)}
	return upgradeTime, nil
}

// deferChanges returns the properties of r that wait for the maintenance window to what they were, and notes the requested values. An
// instance has the parameter group of another family only together with that engine version.
func (m model) deferChanges(before, r *Resource) {
	waiting := values{}
	for _, property := range windowed {
		if was, wanted := before.Outputs[property], r.Outputs[property]; !reflect.DeepEqual(was, wanted) {
			waiting[property] = wanted
			r.modify(property, was)
		}
	}
	if waiting["engineVersion"] != nil {
		r.modify("parameterGroupName", before.Outputs["parameterGroupName"])
		r.Outputs["engineVersionActual"] = before.Outputs["engineVersionActual"]
	}
	if len(waiting) > 0 {
		m.PendingModified[r.ID] = waiting
	}
}

// applyDeferred applies what waits, as RDS does in the maintenance window.
func (m model) applyDeferred() {
	for id, waiting := range m.PendingModified {
		delete(m.PendingModified, id)
		r := m.Get(typeDatabase, id)
		if r == nil {
			continue
		}
		for property, value := range waiting {
			r.modify(property, value)
		}
	}
}

// checkUpgrade returns RDS's error for a change of the engine version, if it has one.
func checkUpgrade(from, to string, allowMajor bool) error {
	switch {
	case from == to || strings.HasPrefix(from, to+"."):
		return nil
	case majorOf(from) == majorOf(to):
		if from < to {
			return nil
		}
	case slices.Contains(upgradePaths[majorOf(from)], majorOf(to)):
		if allowMajor {
			return nil
		}
		return errorf("InvalidParameterCombination", "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.")
	}
	return errorf("InvalidParameterCombination", "Cannot find upgrade path from %s to %s.", from, to)
}

func majorOf(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}

// databaseServes reports whether every instance answers queries: not while one is upgraded.
func (m model) databaseServes() bool {
	for _, change := range m.Databases {
		if change.Status == "upgrading" {
			return false
		}
	}
	return !m.faults[faultDatabaseUnavailable]
}

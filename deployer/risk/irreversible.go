package risk

import (
	"fmt"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/environment"
)

// irreversible returns what an update of the database cannot take back: RDS neither downgrades an engine nor shrinks a storage.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.html
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.ModifyingExisting.html
func irreversible(s engine.Step) []reason {
	if s.Type != database || s.Before == nil || s.After == nil || s.Replaces {
		return nil
	}
	var all []reason
	version := func(properties map[string]any) string {
		return environment.MajorVersion(show(properties["engineVersion"]))
	}
	if old, now := version(s.Before), version(s.After); number(old) > 0 && number(now) > number(old) {
		all = append(all, reason{Irreversible,
			fmt.Sprintf("upgrades PostgreSQL from %s to %s, which only a snapshot takes back", old, now)})
	}
	larger := more("allocatedStorage", "has %s GiB of storage instead of %s, which RDS cannot shrink")
	for _, what := range larger(s.Before, s.After) {
		all = append(all, reason{Irreversible, what})
	}
	return all
}

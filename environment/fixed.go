package environment

import "fmt"

// FixedChanges returns what e changes of the values that cannot change once the environment is deployed, which deployed describes. Those that
// the account shows, such as the range of the VPC and the name of the database, are not among them.
func (e *Environment) FixedChanges(deployed *Environment) []Warning {
	var all []Warning
	add := func(path string, was, now any, why string) {
		all = append(all, Warning{
			Path: path, Message: fmt.Sprintf("it was deployed with %v, and %s has %v: %s", was, FileName(e.Stack), now, why),
			Remedy: fmt.Sprintf("set %s back to %v", path, was),
		})
	}
	const another = ", or create a new environment with `deployer env new NAME --from ENV` and move to it"
	for _, fixed := range []struct{ path, was, now, why string }{
		{"prefix", deployed.Prefix, e.Prefix, "every resource would be replaced by one with another name"},
		{"account", deployed.Account, e.Account, "resources cannot move to another account"},
		{"region", deployed.Region, e.Region, "resources cannot move to another region"},
	} {
		if fixed.was != fixed.now {
			add(fixed.path, fixed.was, fixed.now, fixed.why)
			all[len(all)-1].Remedy += another
		}
	}
	// The provider ignores a smaller value where the storage may grow, so that the file would not describe the database.
	// Source: https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/rds/instance.go
	if was, now := deployed.Database.StorageGiB, e.Database.StorageGiB; now < was {
		add("database.storageGiB", was, now, "RDS cannot shrink the storage of a database")
	}
	return all
}

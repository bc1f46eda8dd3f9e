package environment

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// changeable is what happens to a deployed environment when a key gets another value.
type changeable string

const (
	// inPlace keeps the VPC, the load balancer and the database, whatever else is replaced.
	inPlace changeable = "in place"
	// byStack and byAccount are refused by preflight, which compares the file with the stack or with the account.
	byStack   changeable = "refused: the stack has another value"
	byAccount changeable = "refused: the account has another value"
	// byName is the file's own name.
	byName changeable = "not valid"
)

// changesOf returns, for every key, whether it can change. TestKeysThatReplace in infra verifies it with the program.
func changesOf() map[string]changeable {
	all := map[string]changeable{
		"name": byName, "prefix": byStack, "account": byStack, "region": byStack,
		"network.cidr": byAccount, "network.zones": byAccount,
		"database.name": byAccount, "database.user": byAccount, "database.engineVersion": byAccount,
		"database.storageGiB": byStack, "database.maxStorageGiB": byAccount,
	}
	for _, key := range []string{
		"protected", "domain.root", "domain.name", "network.nat", "image.repository", "image.architecture", "image.criticalFindings",
		"services.api.cpu", "services.api.memory", "services.api.tasks.min", "services.api.tasks.max", "services.api.command",
		"services.api.healthCheck", "services.api.spot", "services.api.autoscaling.cpuPercent", "services.api.autoscaling.memoryPercent",
		"services.api.autoscaling.requestsPerMinute", "services.executeCommand",
		"database.instanceClass", "database.multiZone", "database.backupDays", "database.deletionProtection",
		"database.performanceInsights", "database.passwordRotationDays", "database.connections", "database.poolTimeout",
		"queue.visibilityTimeout", "queue.retentionDays", "queue.maxReceives", "configuration.required", "configuration.optional",
		"monitoring.level", "monitoring.logRetentionDays", "monitoring.emails", "monitoring.webhooks", "firewall.enabled", "firewall.rateLimit",
		"budget.monthlyUSD", "schedule.awake", "deployment.rollback", "deployment.backup", "deployment.verifiedIn", "deployment.snapshotsKept", "deployment.rollout.timeout",
		"deployment.rollout.alarms", "deployment.rollout.bake",
		"deployment.migrations.order", "deployment.migrations.command", "deployment.migrations.timeout", "deployment.migrations.cpu",
		"deployment.migrations.memory", "deployment.health.tries", "deployment.health.interval", "delivery.branch", "delivery.trigger",
		"delivery.approval", "delivery.tests",
	} {
		all[key] = inPlace
	}
	return all
}

// Every key states whether it can change, and the page has a row for each that cannot, or not in every way.
func TestEveryKeyStatesWhetherItCanChange(t *testing.T) {
	keys := setters(reflect.TypeFor[Environment](), "")
	require.ElementsMatch(t, slices.Collect(maps.Keys(keys)), slices.Collect(maps.Keys(changesOf())))

	page, err := os.ReadFile("../docs/environment.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "## What cannot change\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var documented []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+) \\|").FindAllStringSubmatch(section, -1) {
		documented = append(documented, strings.Split(strings.Trim(row[1], "`"), "`, `")...)
	}
	var restricted []string
	for key, how := range changesOf() {
		if how != inPlace {
			restricted = append(restricted, key)
		}
	}
	require.ElementsMatch(t, restricted, documented)
}

// The comparison with the stack refuses the values that of the table, and no other.
func TestFixedChanges(t *testing.T) {
	deployed := loaded(t, "staging")
	deployed.Services.Worker, deployed.Services.Scheduler, deployed.Services.API.Autoscaling = nil, nil, &Autoscaling{}
	require.Empty(t, deployed.FixedChanges(deployed))
	for key, set := range setters(reflect.TypeFor[Environment](), "") {
		file := deployed.Clone()
		file.Services.API.Autoscaling = &Autoscaling{}
		set(reflect.ValueOf(file).Elem())
		found := file.FixedChanges(deployed)
		if changesOf()[key] != byStack || key == "database.storageGiB" { // which may grow
			require.Empty(t, found, key)
			continue
		}
		require.Len(t, found, 1, key)
		require.Equal(t, key, found[0].Path)
	}

	smaller := deployed.Clone()
	smaller.Database.StorageGiB, smaller.Region = deployed.Database.StorageGiB-1, "eu-west-1"
	require.Equal(t, []Warning{
		{"region", "it was deployed with us-east-1, and Pulumi.staging.yaml has eu-west-1: resources cannot move to another region",
			"set region back to us-east-1, or create a new environment with `deployer env new NAME --from ENV` and move to it"},
		{"database.storageGiB", "it was deployed with 20, and Pulumi.staging.yaml has 19: RDS cannot shrink the storage of a database",
			"set database.storageGiB back to 20"},
	}, smaller.FixedChanges(deployed))
}

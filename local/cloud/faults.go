package cloud

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is something that can be made to go wrong in the account.
type Fault struct {
	Name string
	// Effect is what goes wrong, Expect what it should lead to.
	Effect, Expect string
}

const (
	faultImageMissing        = "image-missing"
	faultImageVulnerable     = "image-vulnerable"
	faultImagePullError      = "image-pull-error"
	faultTaskCrash           = "task-crash"
	faultOutOfMemory         = "task-out-of-memory"
	faultSecretKeyMissing    = "secret-key-missing"
	faultTargetsUnhealthy    = "targets-unhealthy"
	faultSlowStart           = "slow-start"
	faultRolloutStuck        = "rollout-stuck"
	faultNoCapacity          = "no-capacity"
	faultMigrationFails      = "migration-fails"
	faultMigrationHangs      = "migration-hangs"
	faultSnapshotFails       = "snapshot-fails"
	faultProvisionFails      = "provision-fails"
	faultCertificatePending  = "certificate-pending"
	faultCertificateExpiring = "certificate-expiring"
	faultCertificateExpired  = "certificate-expired"
	faultCertificateName     = "certificate-wrong-name"
	faultDNSMissing          = "dns-missing"
	faultNotDelegated        = "not-delegated"
	faultDatabaseUnavailable = "database-unavailable"
	faultDeadLetters         = "dead-letters"
	faultAlarm               = "alarm"
	faultPortOpen            = "port-open"
	faultDrift               = "drift"
	faultThrottled           = "api-throttled"
	faultAPIErrors           = "api-errors"
	faultAccessDenied        = "access-denied"
	faultWrongAccount        = "wrong-account"
)

// expectRollback is what a failing rollout leads to.
const expectRollback = "exit 1; the rollout fails and says why; where rollback is automatic the last good image serves again"

// Faults returns what can go wrong, in the order of a deployment. Those of tasks spare the image that ran well in
// their service last, so that going back to it always works.
func Faults() []Fault {
	return []Fault{
		{faultWrongAccount, "the credentials belong to another account", "exit 3 at preflight; nothing is changed"},
		{faultImageMissing, "the registry does not have the requested tag", "exit 3 at preflight, the newest tags are listed"},
		{faultImageVulnerable, "the image's scan has critical findings", "a warning at preflight and of status, or an error where the environment says so"},
		{faultSecretKeyMissing, "the configuration secret lacks " + missingKey, "exit 3 at preflight, the key is named; status: error"},
		{faultNotDelegated, "the registrar names other name servers than the zone's", "exit 3 at preflight, the name servers are printed; status: error"},
		{faultDatabaseUnavailable, "the database is out of storage", "exit 3 at preflight; status: error"},
		{faultSnapshotFails, "RDS refuses to make a snapshot", "exit 1 at backup, where there is one; nothing else is changed"},
		{faultProvisionFails, "RDS has no capacity when the database is created or changed", "exit 1 at provision; no service is touched"},
		{faultCertificatePending, "a new certificate is never validated", "exit 1 at provision; no service is touched; status: warning"},
		{faultMigrationFails, "the migration ends with exit code 1", "exit 1 at migrate; the old version goes on serving"},
		{faultMigrationHangs, "the migration waits for a lock for ever", "exit 1 at migrate when its time is up; the task is stopped"},
		{faultTaskCrash, "containers of a new image exit with code 1 soon after their start", expectRollback},
		{faultOutOfMemory, "containers of a new image are killed for lack of memory, exit code 137", expectRollback},
		{faultImagePullError, "ECR does not let tasks pull a new image", expectRollback},
		{faultTargetsUnhealthy, "tasks of a new image run, but answer health checks with 503", expectRollback},
		{faultSlowStart, "tasks of a new image take four minutes more to become healthy", "exit 0, after saying what it waits for"},
		{faultRolloutStuck, "tasks of a new image run and never become healthy", expectRollback + ", when its time is up"},
		{faultNoCapacity, "Fargate has no capacity for the services' tasks of a new image", expectRollback + ", when its time is up"},
		{faultCertificateExpiring, "the certificate has 10 days left", "status: warning"},
		{faultCertificateExpired, "the certificate expired yesterday", "exit 1 at health; status: error"},
		{faultCertificateName, "the load balancer shows a certificate of another name", "exit 1 at health; status: error"},
		{faultDNSMissing, "somebody deleted the alias records of the environments' domains", "exit 1 at health, the load balancer itself answers; status: error"},
		{faultDeadLetters, "there are messages among the dead letters", "status: warning"},
		{faultAlarm, "an alarm is in state ALARM", "status: warning"},
		{faultPortOpen, "somebody opened the database's port to the world", "status: error"},
		{faultDrift, "somebody shortens the keeping of logs and deletes an alarm of each environment; it stays so", "drift: exit 2, both are named; status: warning"},
		{faultAccessDenied, "alarms, firewall, budget and roles may not be read", "status: unknown, with the action that was denied"},
		{faultThrottled, "every tenth call is refused once because the rate was exceeded", "everything as without it, a little later"},
		{faultAPIErrors, "SQS and ACM answer with internal errors", "status: unknown"},
	}
}

// UnknownFaultError says that there is no fault of that name.
type UnknownFaultError struct{ Name string }

func (e *UnknownFaultError) Error() string { return fmt.Sprintf("there is no fault %q", e.Name) }

// Hint says which names come close, or all of them.
func (e *UnknownFaultError) Hint() string {
	var names, similar []string
	for _, f := range Faults() {
		names = append(names, f.Name)
		if editDistance(e.Name, f.Name) <= 3 || e.Name != "" && strings.Contains(f.Name, e.Name) {
			similar = append(similar, f.Name)
		}
	}
	if len(similar) > 0 {
		return "did you mean " + strings.Join(similar, " or ") + "? all faults: deployer local faults"
	}
	return "the faults are " + strings.Join(names, ", ")
}

// faultSet is what goes wrong, by name.
type faultSet map[string]bool

// newFaultSet checks the names. Its error is *UnknownFaultError.
func newFaultSet(names []string) (faultSet, error) {
	set := faultSet{}
	for _, name := range names {
		if !slices.ContainsFunc(Faults(), func(f Fault) bool { return f.Name == name }) {
			return nil, &UnknownFaultError{Name: name}
		}
		set[name] = true
	}
	return set, nil
}

// forTasks are the faults that decide how a service's tasks fare.
func (f faultSet) forTasks() faultSet {
	kept := faultSet{}
	for _, name := range []string{
		faultTaskCrash, faultOutOfMemory, faultImagePullError, faultTargetsUnhealthy, faultSlowStart, faultRolloutStuck,
		faultNoCapacity, faultSecretKeyMissing,
	} {
		if f[name] {
			kept[name] = true
		}
	}
	return kept
}

// editDistance is the number of letters to insert, delete or replace to get from one word to another.
func editDistance(from, to string) int {
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j := range to {
			cost := 1
			if from[i] == to[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(to)]
}

package cloud

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/suggest"
)

// Fault is a failure that can be injected into the account.
type Fault struct {
	Name string
	// Effect is what fails, Expect the expected outcome.
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
	faultMigrationLocked     = "migration-locked"
	faultMigrationHangs      = "migration-hangs"
	faultSnapshotFails       = "snapshot-fails"
	faultProvisionFails      = "provision-fails"
	faultConnectionLost      = "connection-lost"
	faultBudgetRefused       = "budget-refused"
	faultCertificatePending  = "certificate-pending"
	faultCertificateExpiring = "certificate-expiring"
	faultCertificateExpired  = "certificate-expired"
	faultCertificateName     = "certificate-wrong-name"
	faultDNSMissing          = "dns-missing"
	faultLateErrors          = "late-errors"
	faultMemoryLeak          = "memory-leak"
	faultSlowResponses       = "slow-responses"
	faultNotDelegated        = "not-delegated"
	faultDatabaseUnavailable = "database-unavailable"
	faultMaintenanceWindow   = "maintenance-window"
	faultPasswordRotated     = "password-rotated"
	faultScheduleSleep       = "schedule-sleep"
	faultScheduleWake        = "schedule-wake"
	faultStoppedTooLong      = "stopped-seven-days"
	faultDeadLetters         = "dead-letters"
	faultAlarm               = "alarm"
	faultUnconfirmed         = "subscriptions-unconfirmed"
	faultPortOpen            = "port-open"
	faultDrift               = "drift"
	faultThrottled           = "api-throttled"
	faultAPIErrors           = "api-errors"
	faultAccessDenied        = "access-denied"
	faultWrongAccount        = "wrong-account"
	faultQuotaUsed           = "quota-used"
	faultCredentials         = "credentials-expire"
)

// The expected outcomes of a failing rollout.
const (
	redeployed     = "; with automatic rollback the last verified image is redeployed"
	expectRollback = "exit 1; the rollout fails and the cause is reported" + redeployed
	expectBake     = "exit 1 at bake where deployment.rollout.bake is set; the numbers and the limit are reported" + redeployed
	expectLeak     = "exit 1 at bake where deployment.rollout.bake is set; the tasks that ran out of memory, or the share that they used, are reported" + redeployed
	expectTimeout  = "exit 1; the rollout fails at its time limit" + redeployed
)

// Faults returns the faults in the order of a deployment. Faults of tasks do not affect the image that last ran well in
// their service, so that a rollback to it always works.
func Faults() []Fault {
	return []Fault{
		{faultWrongAccount, "the credentials belong to another account", "exit 3 at preflight; nothing is changed"},
		{faultImageMissing, "the registry does not have the requested tag", "exit 3 at preflight; the newest tags are listed"},
		{faultImageVulnerable, "the image's scan has critical findings", "a warning in preflight and status, or an error if the environment sets image.criticalFindings to fail"},
		{faultSecretKeyMissing, "the configuration secret lacks " + missingKey, "exit 3 at preflight; the key is named; status: error"},
		{faultQuotaUsed, "others in the account hold five Elastic IPs, as many as the default quota allows", "exit 3 at preflight where the deployment adds one; the quota is named"},
		{faultNotDelegated, "the registrar delegates to other name servers than the zone's", "exit 3 at preflight; the name servers are printed; status: error"},
		{faultDatabaseUnavailable, "the database is out of storage", "exit 3 at preflight; status: error"},
		{faultMaintenanceWindow, "the maintenance window begins, and RDS applies what waited for it; this persists", "same outcome as without the fault; drift: exit 0, nothing waits any more"},
		{faultSnapshotFails, "RDS does not create a snapshot", "exit 1 at backup if the environment has one; nothing else is changed"},
		{faultProvisionFails, "RDS has no capacity when the database is created or changed", "exit 1 at provision; no service is touched"},
		{faultConnectionLost, "EC2 creates the routes of the NAT gateways, and the connection breaks while the provider waits for them", "exit 1 at provision where there are new ones; the next deployment reads them and continues"},
		{faultBudgetRefused, "AWS Budgets rejects the account, a member of an organization", "exit 0 with a warning at provision; status: warning"},
		{faultCertificatePending, "a new certificate is never validated", "exit 1 at provision; no service is touched; status: warning"},
		{faultMigrationFails, "the migration ends with exit code 1", "exit 1 at migrate; the old version keeps running"},
		{faultMigrationLocked, "another session holds the lock of Prisma's migrations", "exit 1 at migrate; the lock is named, and nothing was changed"},
		{faultMigrationHangs, "the migration waits for a lock and never ends", "exit 1 at migrate after its time limit; the task is stopped"},
		{faultTaskCrash, "containers of a new image exit with code 1 soon after they start", expectRollback},
		{faultOutOfMemory, "containers of a new image run out of memory and exit with code 137", expectRollback},
		{faultImagePullError, "ECR denies tasks the pull of a new image", expectRollback},
		{faultTargetsUnhealthy, "tasks of a new image run, but answer health checks with 503", expectRollback},
		{faultSlowStart, "tasks of a new image need four more minutes to become healthy", "exit 0; what it waits for is reported"},
		{faultRolloutStuck, "tasks of a new image run and never become healthy", expectTimeout},
		{faultNoCapacity, "Fargate has no capacity for the services' tasks of a new image", expectTimeout},
		{faultCredentials, "the credentials expire when the rollout has begun", "exit 1 at rollout; the expiry is named, and nothing is rolled back"},
		{faultCertificateExpiring, "the certificate has 10 days left", "status: warning"},
		{faultCertificateExpired, "the certificate expired yesterday", "exit 1 at health, nothing is rolled back; status: error"},
		{faultCertificateName, "the load balancer presents a certificate for another name", "exit 1 at health, nothing is rolled back; status: error"},
		{faultDNSMissing, "the alias records of the environments' domains were deleted outside the deployer", "exit 1 at health, nothing is rolled back; the load balancer itself answers; status: error"},
		{faultLateErrors, "a new image answers a quarter of its requests with 500 once a task has run for 90 seconds", expectBake},
		{faultMemoryLeak, "containers of a new image use more and more memory, and run out of it after 5 minutes", expectLeak},
		{faultSlowResponses, "a new image answers one request in twenty after more than three seconds", expectBake},
		{faultPasswordRotated, "RDS rotated the password of every database when the command began", "status: warning; the services restart by themselves, then healthy"},
		{faultScheduleSleep, "the schedule that puts the environment to sleep starts its state machine; this persists", "the services and the database stop by themselves"},
		{faultScheduleWake, "the schedule that wakes the environment starts its state machine; this persists", "the database and the services start by themselves"},
		{faultStoppedTooLong, "RDS starts every database that is stopped, as after seven days; this persists", "the schedule's state machine stops it again"},
		{faultDeadLetters, "the dead-letter queue has messages", "status: warning"},
		{faultAlarm, "an alarm is in state ALARM", "status: warning"},
		{faultUnconfirmed, "no one confirms the subscriptions of the alarm topic", "a warning in preflight; status: warning"},
		{faultPortOpen, "the database's port was opened to the internet outside the deployer", "status: error"},
		{faultDrift, "log retention was shortened and an alarm was deleted outside the deployer, in the environment of --env; this persists", "drift: exit 2; both are named; status: warning"},
		{faultAccessDenied, "reading alarms, firewall, budget, roles and quotas is denied", "status: unknown, with the action that was denied"},
		{faultThrottled, "every tenth call is throttled once", "same outcome as without the fault, slightly later"},
		{faultAPIErrors, "SQS and ACM return internal errors", "status: unknown"},
	}
}

// UnknownFaultError reports a name that is not a fault.
type UnknownFaultError struct{ Name string }

func (e *UnknownFaultError) Error() string { return fmt.Sprintf("unknown fault %q", e.Name) }

// Hint returns similar names, or all of them.
func (e *UnknownFaultError) Hint() string {
	names := list.Map(Faults(), func(f Fault) string { return f.Name })
	if len(suggest.Nearest(e.Name, names)) > 0 {
		return suggest.Hint(e.Name, names, "`deployer local faults` lists all")
	}
	return "the faults are " + strings.Join(names, ", ")
}

// faultSet is the set of active faults by name.
type faultSet map[string]bool

// ConflictingFaultsError reports two faults that act on the tasks of a new version, of which each task has one.
type ConflictingFaultsError struct{ One, Other string }

func (e *ConflictingFaultsError) Error() string {
	return fmt.Sprintf("the faults %s and %s both act on the tasks of a new version, and a task has only one", e.One, e.Other)
}

// Hint returns what to do.
func (*ConflictingFaultsError) Hint() string { return "choose one of them" }

// CheckFaults returns *UnknownFaultError or *ConflictingFaultsError for names that cannot be injected.
func CheckFaults(names []string) error {
	_, err := newFaultSet(names)
	return err
}

// newFaultSet checks the names. Its error is *UnknownFaultError or *ConflictingFaultsError.
func newFaultSet(names []string) (faultSet, error) {
	set := faultSet{}
	for _, name := range names {
		if !slices.ContainsFunc(Faults(), func(f Fault) bool { return f.Name == name }) {
			return nil, &UnknownFaultError{Name: name}
		}
		set[name] = true
	}
	acting := list.Filter(faultEffects, func(e faultEffect) bool { return set[e.fault] })
	if len(acting) > 1 {
		return nil, &ConflictingFaultsError{acting[0].fault, acting[1].fault}
	}
	return set, nil
}

// late returns the faults that begin after the rollout, so that its success does not show that the image is good.
func (f faultSet) late() faultSet {
	return f.only(faultLateErrors, faultMemoryLeak, faultSlowResponses)
}

// only returns those of the named faults that are active.
func (f faultSet) only(names ...string) faultSet {
	kept := faultSet{}
	for _, name := range names {
		if f[name] {
			kept[name] = true
		}
	}
	return kept
}

// union returns the faults of both sets.
func (f faultSet) union(other faultSet) faultSet {
	all := maps.Clone(other)
	maps.Copy(all, f)
	return all
}

// forTasks returns the faults that affect a service's tasks.
func (f faultSet) forTasks() faultSet {
	return f.only(faultTaskCrash, faultOutOfMemory, faultImagePullError, faultTargetsUnhealthy, faultSlowStart, faultRolloutStuck,
		faultNoCapacity, faultSecretKeyMissing, faultLateErrors, faultMemoryLeak, faultSlowResponses)
}

// Package history stores the record of every deployment: who ran it, when, which image, the outcome of its phases, and its own.
//
// Records are stored beside Pulumi's state. A rollback finds in them the last image that was verified healthy.
package history

import (
	"slices"
	"time"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// Outcome is the result of a deployment or of one of its phases.
type Outcome string

// The outcomes. A deployment is saved as running at the end of preflight. A phase that had nothing to do is skipped, with the reason as
// its message.
const (
	Running   Outcome = "running"
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"
	// Incomplete deployments succeeded without phases that the user left out.
	Incomplete  Outcome = "partial"
	Skipped     Outcome = "skipped"
	Interrupted Outcome = "interrupted"
	// Crashed deployments are saved as running, but no process holds their lock.
	Crashed Outcome = "died"
	// Unreadable stands for a record that exists and cannot be read.
	Unreadable Outcome = "unreadable"
)

// Image is the image that was deployed: the requested tag, and the digest to which it was resolved.
type Image struct {
	Tag    string `json:"tag,omitempty"`
	Digest string `json:"digest"`
	// Reference is repository@digest, as task definitions have it.
	Reference string `json:"reference"`
	// Created is when its code was committed or it was built, by its labels or its configuration; zero where neither has it.
	Created time.Time `json:"created,omitzero"`
}

// Phase is one phase of a deployment.
type Phase struct {
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	Seconds float64 `json:"seconds"`
	Message string  `json:"message,omitempty"`
}

// Migration is the one-off task that migrated the database.
type Migration struct {
	Task string `json:"task"`
	// Command is what ran instead of the environment's command.
	Command  []string `json:"command,omitempty"`
	ExitCode int32    `json:"exitCode"`
	// NoChanges reports that the database was up to date.
	NoChanges bool    `json:"nothing,omitempty"`
	Seconds   float64 `json:"seconds"`
}

// Saving is a setting that would have shortened a deployment.
type Saving struct {
	// Setting is a key of the environment's file, or a flag.
	Setting string `json:"setting"`
	// Seconds is an estimate.
	Seconds float64 `json:"seconds"`
	// Why is what makes it possible.
	Why string `json:"why"`
}

// Deployment is the record of one deployment.
type Deployment struct {
	// ID is the start in UTC and random digits, so that IDs sort by time: 20261123-161530-1f3a.
	ID          string `json:"id"`
	Environment string `json:"environment"`
	Stack       string `json:"stack"`
	Kind        Kind   `json:"kind"`
	// Components are those that were deployed, of a deployment of some; older records do not have them.
	Components []string  `json:"components,omitempty"`
	By         string    `json:"by"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended"`
	Outcome    Outcome   `json:"outcome"`
	// DryRun reports that nothing was deployed, as was asked for.
	DryRun bool    `json:"dry_run,omitempty"`
	Image  Image   `json:"image"`
	Phases []Phase `json:"phases"`
	// EngineSeconds is the time in the engine, WaitingSeconds the time spent waiting for AWS.
	EngineSeconds  float64 `json:"engineSeconds"`
	WaitingSeconds float64 `json:"waitingSeconds"`
	// Slow reports that it took long enough to show where the time went. Saving is the setting that would have saved most, nil if none
	// would have saved much.
	Slow   bool    `json:"long,omitempty"`
	Saving *Saving `json:"saving,omitempty"`
	// Verified reports that the health phase found this image healthy. Only such an image is rolled back to.
	Verified  bool       `json:"verified"`
	Snapshot  string     `json:"snapshot,omitempty"`
	Migration *Migration `json:"migration,omitempty"`
	// Code is what was rolled out with the image; a rollback to this deployment restores it.
	Code *environment.Code `json:"code,omitempty"`
	// TaskDefinitions are the revisions that ran at the end, by service.
	TaskDefinitions map[string]string `json:"taskDefinitions,omitempty"`
	// Health is the evidence: the result of each probe.
	Health any `json:"health,omitempty"`
	// Unverified is why an image was deployed that none of the environments in deployment.verifiedIn had verified; "" where one had, or the
	// environment names none.
	Unverified string `json:"unverified,omitempty"`
	// Repairs describe what an earlier deployment that crashed had left, and this one repaired.
	Repairs []string `json:"repairs,omitempty"`
	// Warnings did not stop the deployment.
	Warnings []string `json:"warnings,omitempty"`
	Error    string   `json:"error,omitempty"`
	Hint     string   `json:"hint,omitempty"`
	// RolledBackTo is the image that was deployed again after the failure.
	RolledBackTo *Image `json:"rolledBackTo,omitempty"`
	// Rollback is the outcome of the automatic rollback after the failure; "" where none was begun.
	Rollback Outcome `json:"rollback,omitempty"`
	// RolledBackFrom is the image that a requested rollback replaced.
	RolledBackFrom *Image `json:"rolledBackFrom,omitempty"`
	// Database is what a requested rollback, which does not change the database, found out about it.
	Database *PriorDatabase `json:"database,omitempty"`
	// Restarted reports that the services were restarted with the image that ran.
	Restarted bool `json:"restarted,omitempty"`
	// RestartedOnly is the only service that was restarted; "" if all were.
	RestartedOnly environment.Role `json:"restartedOnly,omitempty"`
	// PendingChanges are the changes that a code-only deployment or a rollback left for a full one.
	PendingChanges []Change `json:"waiting,omitempty"`
	// Deleted is how many resources a destroy has deleted.
	Deleted int `json:"deleted,omitempty"`
	// Restore is the swap of a restore that switched databases; else nil.
	Restore *DatabaseSwap `json:"restore,omitempty"`
}

// Complete reports whether every phase that was asked for succeeded.
func (d Deployment) Complete() bool { return d.Outcome == Succeeded || d.Outcome == Incomplete }

// DeploysImage reports whether a deployment is one of its image: that of some components is where the services are among them.
func (d Deployment) DeploysImage() bool {
	return len(d.Components) == 0 || slices.Contains(d.Components, "services")
}

// PriorDatabase is what is left of the database as an earlier deployment had it.
type PriorDatabase struct {
	// Snapshot has the database as the deployment left it; "" if none was taken.
	Snapshot string `json:"snapshot,omitempty"`
	// SnapshotStatus is RDS's status, such as available; gone if the snapshot was deleted, unknown if RDS could not be asked.
	SnapshotStatus string `json:"snapshotStatus,omitempty"`
	MigratedSince  bool   `json:"migratedSince"`
}

// Change is what a full deployment would do to one resource.
type Change struct {
	// Op is the engine's: create, update, replace, delete.
	Op   string `json:"op"`
	Type string `json:"type"`
	Name string `json:"name"`
}

// String returns the change in words. The earlier revisions of a task definition stay.
func (c Change) String() string {
	op := c.Op
	if op == "replace" && c.Type == "ecs/taskDefinition" {
		op = "new revision of"
	}
	return op + " " + c.Type + " " + c.Name
}

// Kind is the kind of a deployment.
type Kind string

// The kinds of deployments.
const (
	Full     Kind = "full"
	CodeOnly Kind = "code-only"
	// Components deploys some components of the infrastructure. Its value is that of records which are already written; people read
	// components, since partial is an outcome.
	Components Kind = "partial"
	Rollback   Kind = "rollback"
	// Migrate and Restore change only the database: a migration as a command of its own, and a snapshot that is restored.
	Migrate Kind = "migrate"
	Restore Kind = "restore"
	// Sleep stops the environment's tasks and its database, Wake starts them.
	Sleep Kind = "sleep"
	Wake  Kind = "wake"
	// Destroy deletes the environment's resources.
	Destroy Kind = "destroy"
	// Shared deploys what the environments of an account share.
	Shared Kind = "shared"
)

// Deploys reports whether such a deployment is one of an image or of infrastructure.
func (k Kind) Deploys() bool { return !slices.Contains([]Kind{Migrate, Restore, Sleep, Wake}, k) }

// IsCodeOnly reports whether such a deployment changes only task definitions and services.
func (k Kind) IsCodeOnly() bool { return k == CodeOnly || k == Rollback }

// The functions below take records as Store.List returns them, the newest first.

// MarkCrashed returns the records with the outcome Crashed for those that are saved as running. If a process still holds the lock, the
// newest may be running; no older one can be.
func MarkCrashed(records []Deployment, running bool) []Deployment {
	marked := slices.Clone(records)
	for i, d := range marked {
		if d.Outcome != Running || i == 0 && running {
			continue
		}
		marked[i].Outcome = Crashed
		if d.Rollback == Running {
			marked[i].Rollback = Crashed
		}
		marked[i].Phases = slices.Clone(d.Phases)
		for j, p := range d.Phases {
			if p.Outcome == Running {
				marked[i].Phases[j].Outcome = Crashed
			}
		}
	}
	return marked
}

// UnreadableRecords returns the records that cannot be read; the Error of each is the reason.
func UnreadableRecords(records []Deployment) []Deployment {
	return slices.DeleteFunc(slices.Clone(records), func(d Deployment) bool { return d.Outcome != Unreadable })
}

// LastVerified returns the newest record whose image was verified healthy, or nil. That image was not rolled back, whatever the checks
// after the health phase found.
func LastVerified(records []Deployment) *Deployment {
	return first(records, func(d *Deployment) bool { return d.Verified })
}

// HasVerified reports whether a deployment of the image with the digest verified it healthy.
func HasVerified(records []Deployment, digest string) bool {
	return first(records, func(d *Deployment) bool { return d.Verified && d.Image.Digest == digest }) != nil
}

// SinceDestroy returns the records since the environment was destroyed last, completely or not: what was deployed before that no longer
// runs. A destroy that deleted nothing does not count.
func SinceDestroy(records []Deployment) []Deployment {
	if at := slices.IndexFunc(records, Deployment.destroyed); at >= 0 {
		return records[:at]
	}
	return records
}

// LastDestroy returns the newest record of a destroy that deleted something, or nil.
func LastDestroy(records []Deployment) *Deployment { return list.Find(records, Deployment.destroyed) }

// destroyed reports whether resources of the environment were deleted, or may have been.
func (d Deployment) destroyed() bool {
	return d.Kind == Destroy && (d.Deleted > 0 || d.Outcome == Running || d.Outcome == Crashed || d.Outcome == Succeeded)
}

// first returns the newest record since the last destroy that matches, or nil.
func first(records []Deployment, matches func(*Deployment) bool) *Deployment {
	records = SinceDestroy(records)
	for i := range records {
		if matches(&records[i]) {
			return &records[i]
		}
	}
	return nil
}

// VerifiedImage returns the image that a deployment verified last: the one that was rolled back to, else its own. A deployment that failed
// verified nothing. While one is in its rollout, was killed in it, or skipped what verifies it, what should run is unknown: "".
func VerifiedImage(records []Deployment) string {
	for _, d := range SinceDestroy(records) {
		switch {
		case d.RolledBackTo != nil:
			return d.RolledBackTo.Reference
		case d.Verified:
			return d.Image.Reference
		case d.RolledOut() && d.Outcome != Failed && d.Outcome != Interrupted:
			return ""
		}
	}
	return ""
}

// LastRevisions returns the revisions, by service, that the last deployment left. After a rollout that failed and was not rolled back
// they are unknown, and there are none.
func LastRevisions(records []Deployment) map[string]string {
	for _, d := range SinceDestroy(records) {
		if len(d.TaskDefinitions) > 0 || d.RolledOut() {
			return d.TaskDefinitions
		}
	}
	return nil
}

// RolledOut reports whether the deployment started its rollout, and so may have changed what runs.
func (d *Deployment) RolledOut() bool {
	return slices.ContainsFunc(d.Phases, func(p Phase) bool { return p.Name == "rollout" && p.Outcome != Skipped })
}

// DatabaseSwap replaces one instance of the database with another. It is saved before the first step, so that an interrupted swap can be
// continued or reversed.
type DatabaseSwap struct {
	// Snapshot is what the restored instance was created from, whichever instance that is.
	Snapshot string `json:"snapshot,omitempty"`
	// Revert reports that this swap reverses another.
	Revert bool `json:"back,omitempty"`
	// Incoming and Outgoing are the resource IDs of the instances, which a rename does not change. Outgoing is "" if there was no
	// database.
	Incoming string `json:"incoming"`
	Outgoing string `json:"outgoing,omitempty"`
	// OldName is the name that the outgoing instance gets.
	OldName string `json:"aside"`
	// Tasks are the desired counts of the services before the swap.
	Tasks map[string]int32 `json:"tasks,omitempty"`
}

// Unfinished reports whether a swap of the database was started and has not succeeded.
func (d *Deployment) Unfinished() bool { return d != nil && d.Restore != nil && d.Outcome != Succeeded }

// LastRestore returns the newest record of a swap, or nil.
func LastRestore(records []Deployment) *Deployment {
	return first(records, func(d *Deployment) bool { return d.Restore != nil })
}

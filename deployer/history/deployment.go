// Package history keeps what each deployment left: who, when, which image, how its phases went and how it ended.
//
// Records lie beside the Pulumi state. A rollback reads them to find the last image that was verified healthy.
package history

import (
	"context"
	"slices"
	"time"

	"github.com/balancer/v3-backend-infra/environment"
)

// Outcome is how a deployment or one of its phases ended.
type Outcome string

// The outcomes. A deployment that runs says so from the end of preflight; where it has died, that is the last that it
// said. A phase that had nothing to do is skipped, with the reason as its message.
const (
	Running     Outcome = "running"
	Succeeded   Outcome = "succeeded"
	Failed      Outcome = "failed"
	Skipped     Outcome = "skipped"
	Interrupted Outcome = "interrupted"
	// Crashed is a deployment that says it runs, while nobody holds the lock.
	Crashed Outcome = "died"
	// Unreadable stands for a record that is there and says nothing.
	Unreadable Outcome = "unreadable"
)

// Image is what was deployed: the tag that was asked for and the digest that it meant at that time.
type Image struct {
	Tag    string `json:"tag,omitempty"`
	Digest string `json:"digest"`
	// Reference is repository@digest, the form in which it runs.
	Reference string `json:"reference"`
}

// Phase is one step of a deployment.
type Phase struct {
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds"`
	Message string  `json:"message,omitempty"`
}

// Migration is the one-off task that changed the database.
type Migration struct {
	Task string `json:"task"`
	// Command is what ran instead of the environment's own command.
	Command  []string `json:"command,omitempty"`
	ExitCode int32    `json:"exitCode"`
	// NoChanges says that it found nothing to do.
	NoChanges bool    `json:"nothing,omitempty"`
	Seconds   float64 `json:"seconds"`
}

// Saving is a setting that would have made a deployment shorter.
type Saving struct {
	// Setting is a key of the environment's file, or a flag.
	Setting string `json:"setting"`
	// Seconds is about how much it would have saved.
	Seconds float64 `json:"seconds"`
	// Why is what makes it possible.
	Why string `json:"why"`
}

// Deployment is the record of one deployment.
type Deployment struct {
	// ID is the start in UTC and a random end, so that IDs sort by time: 20261123-161530-1f3a.
	ID          string    `json:"id"`
	Environment string    `json:"environment"`
	Stack       string    `json:"stack"`
	Kind        Kind      `json:"kind"`
	By          string    `json:"by"`
	Started     time.Time `json:"started"`
	Ended       time.Time `json:"ended"`
	Outcome     Outcome   `json:"outcome"`
	Image       Image     `json:"image"`
	Phases      []Phase   `json:"phases"`
	// EngineSeconds is the part of the time that the engine took, WaitingSeconds the part spent waiting for AWS.
	EngineSeconds  float64 `json:"engineSeconds"`
	WaitingSeconds float64 `json:"waitingSeconds"`
	// Slow says that it took long enough to ask where the time went; Saving is the setting that would have saved most of it,
	// nil where none would have saved much.
	Slow   bool    `json:"long,omitempty"`
	Saving *Saving `json:"saving,omitempty"`
	// Verified says that the health phase saw this image answer well; only such an image is rolled back to.
	Verified  bool       `json:"verified"`
	Snapshot  string     `json:"snapshot,omitempty"`
	Migration *Migration `json:"migration,omitempty"`
	// Code is what was rolled out with the image; a rollback to this deployment brings it back.
	Code *environment.Code `json:"code,omitempty"`
	// TaskDefinitions are the revisions that ran at the end, by service.
	TaskDefinitions map[string]string `json:"taskDefinitions,omitempty"`
	// Health is the evidence: what each probe saw.
	Health any `json:"health,omitempty"`
	// Repairs say what was put right that an earlier deployment, which died, had left half done.
	Repairs []string `json:"repairs,omitempty"`
	// Warnings did not stop the deployment.
	Warnings []string `json:"warnings,omitempty"`
	Error    string   `json:"error,omitempty"`
	Hint     string   `json:"hint,omitempty"`
	// RolledBackTo is the image that was put back after the failure.
	RolledBackTo *Image `json:"rolledBackTo,omitempty"`
	// RolledBackFrom is the image that a rollback by hand was to leave.
	RolledBackFrom *Image `json:"rolledBackFrom,omitempty"`
	// Database is what a rollback by hand, which leaves the database alone, says of it.
	Database *PriorDatabase `json:"database,omitempty"`
	// Restarted says that the services were started anew with the image that ran.
	Restarted bool `json:"restarted,omitempty"`
	// PendingChanges are the changes of the infrastructure that a code-only deployment left for a full one.
	PendingChanges []Change `json:"waiting,omitempty"`
	// Restore is the exchange of the database, where that is what was done.
	Restore *DatabaseSwap `json:"restore,omitempty"`
}

// PriorDatabase is what is left of the database of an earlier deployment's time.
type PriorDatabase struct {
	// Snapshot has it as the deployment left it; "" where none was taken.
	Snapshot string `json:"snapshot,omitempty"`
	// SnapshotStatus is RDS's word for the snapshot, such as available; gone where it was deleted, unknown where RDS did not say.
	SnapshotStatus string `json:"snapshotStatus,omitempty"`
	// MigratedSince says that migrations have run since.
	MigratedSince bool `json:"migratedSince"`
}

// Change is what a full deployment would do to one resource.
type Change struct {
	// Op is the engine's word: create, update, replace, delete.
	Op   string `json:"op"`
	Type string `json:"type"`
	Name string `json:"name"`
}

func (c Change) String() string { return c.Op + " " + c.Type + " " + c.Name }

// Kind is what sort of deployment it was.
type Kind string

// The kinds of deployment.
const (
	Full     Kind = "full"
	CodeOnly Kind = "code-only"
	Partial  Kind = "partial"
	Rollback Kind = "rollback"
	// Migrate and Restore change the database alone: a migration by hand, and a snapshot that is brought back.
	Migrate Kind = "migrate"
	Restore Kind = "restore"
	// Shared brings up what the environments of an account share.
	Shared Kind = "shared"
)

// IsCodeOnly reports whether such a deployment leaves everything but task definitions and services as it is.
func (k Kind) IsCodeOnly() bool { return k == CodeOnly || k == Rollback }

// Store keeps records. Save writes one as a whole or not at all. List returns a stack's records, the newest first, and
// at most so many; Get returns one, nil where there is none. A record that cannot be read is returned as Unreadable.
type Store interface {
	Save(ctx context.Context, d Deployment) error
	List(ctx context.Context, stack string, most int) ([]Deployment, error)
	Get(ctx context.Context, stack, id string) (*Deployment, error)
}

// MarkCrashed makes Died of the deployments that say they run, of the records, the newest first. The newest may still be under
// way; no older one can be.
func MarkCrashed(records []Deployment, running bool) []Deployment {
	marked := slices.Clone(records)
	for i, d := range marked {
		if d.Outcome != Running || i == 0 && running {
			continue
		}
		marked[i].Outcome = Crashed
		marked[i].Phases = slices.Clone(d.Phases)
		for j, p := range d.Phases {
			if p.Outcome == Running {
				marked[i].Phases[j].Outcome = Crashed
			}
		}
	}
	return marked
}

// UnreadableRecords are those of the records that cannot be read; each says why in its Error.
func UnreadableRecords(records []Deployment) []Deployment {
	var unreadable []Deployment
	for _, d := range records {
		if d.Outcome == Unreadable {
			unreadable = append(unreadable, d)
		}
	}
	return unreadable
}

// LastVerified returns the newest of the records, the newest first, whose image was verified healthy, or nil. Such an
// image was left in place, whatever the checks after it found.
func LastVerified(records []Deployment) *Deployment {
	for i := range records {
		if records[i].Verified {
			return &records[i]
		}
	}
	return nil
}

// RunningImage returns the image that the records, the newest first, say runs: what was put back, else what was verified.
// A deployment that ended before its rollout changed nothing of it; after a rollout that failed and was not undone,
// nobody can say, and the image is "".
func RunningImage(records []Deployment) string {
	for _, d := range records {
		switch {
		case d.RolledBackTo != nil:
			return d.RolledBackTo.Reference
		case d.Verified:
			return d.Image.Reference
		case d.rolledOut():
			return ""
		}
	}
	return ""
}

// LastRevisions returns the revisions, by service, that the last deployment of the records left, the newest first. After
// a rollout that failed and was not undone nobody can say, and there are none.
func LastRevisions(records []Deployment) map[string]string {
	for _, d := range records {
		if len(d.TaskDefinitions) > 0 || d.rolledOut() {
			return d.TaskDefinitions
		}
	}
	return nil
}

// rolledOut reports whether the deployment came to its rollout, and so may have changed what runs.
func (d *Deployment) rolledOut() bool {
	return slices.ContainsFunc(d.Phases, func(p Phase) bool { return p.Name == "rollout" && p.Outcome != Skipped })
}

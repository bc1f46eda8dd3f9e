package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
)

// Snapshot is one of the environment's database.
type Snapshot struct {
	Name string `json:"name"`
	// Type is RDS's: manual, or automated.
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Created time.Time `json:"created"`
	// Progress is how much of it is done, in percent.
	Progress int32 `json:"progress"`
	// SizeGiB is that of the database's volume; a restored one is at least as large.
	SizeGiB   int32  `json:"sizeGiB"`
	Engine    string `json:"engine"`
	Version   string `json:"version"`
	Encrypted bool   `json:"encrypted"`
	// Deployment is the ID of the one that took it; "" where none did.
	Deployment string `json:"deployment,omitempty"`
	// user is the database's master user.
	user string
}

// deploymentTag names on a snapshot the deployment that took it.
const deploymentTag = "Deployment"

// snapshotLimit is how long a snapshot may take. One of a small database is there in minutes.
const snapshotLimit = 2 * time.Hour

// CreateSnapshot lets RDS begin a snapshot, and returns its name. A database that is busy for a while is waited for. The error is
// ErrNone where there is no database.
func (s Instance) CreateSnapshot(ctx context.Context, deployment string, say Progress) (string, error) {
	database, labels := s.Env.DatabaseIdentifier(), s.Env.Tags()
	if deployment != "" {
		labels[deploymentTag] = deployment
	}
	for began := s.Clock.Now(); ; {
		name, pause := s.Env.SnapshotIdentifier(s.Clock.Now()), pollInterval
		_, err := s.rds.CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{
			DBInstanceIdentifier: &database, DBSnapshotIdentifier: &name, Tags: tags(labels),
		})
		var missing *types.DBInstanceNotFoundFault
		var same *types.DBSnapshotAlreadyExistsFault
		var busy *types.InvalidDBInstanceStateFault
		switch {
		case err == nil:
			return name, nil
		case errors.As(err, &missing):
			return "", ErrNoDatabase
		case errors.As(err, &same):
			// Somebody else took one in this very second: the next has another name.
			pause = time.Second
		case errors.As(err, &busy):
			if err := s.checkTransient(ctx, s.Clock.Now().Sub(began), say); err != nil {
				return "", err
			}
		default:
			return "", fmt.Errorf("take the snapshot %s of %s: %w", name, database, s.withQuotaHint(err))
		}
		if err := s.Clock.Wait(ctx, pause); err != nil {
			return "", err
		}
	}
}

// checkTransient refuses where the database is in a state that does not pass, or did not in all that time.
func (s Instance) checkTransient(ctx context.Context, waited time.Duration, say Progress) error {
	database := s.Env.DatabaseIdentifier()
	status, err := s.status(ctx, database)
	if err != nil {
		return err
	}
	if isTransient(status) && waited < snapshotLimit {
		say("%s is %s; the snapshot begins when that is done", database, status)
		return nil
	}
	return hint.With(fmt.Errorf("%s is %s: RDS takes a snapshot only of a database that is available", database, status),
		"`deployer status --env "+s.Env.Stack+" --only database` says what it needs; `deployer snapshot list --env "+s.Env.Stack+
			"` shows what was taken before")
}

// isTransient reports whether an instance becomes available soon and by itself.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html
func isTransient(status string) bool {
	return slices.Contains([]string{
		Available, "backing-up", "modifying", "creating", "renaming", "rebooting", "starting", "maintenance", "upgrading",
		"resetting-master-credentials", "storage-config-upgrade",
	}, status) || strings.HasPrefix(status, "configuring-")
}

// status is RDS's word for how an instance is.
func (s Instance) status(ctx context.Context, name string) (string, error) {
	all, err := s.instances(ctx)
	if err != nil {
		return "", err
	}
	if found := all.byName(name); found != nil {
		return aws.ToString(found.DBInstanceStatus), nil
	}
	return "gone", nil
}

// withQuotaHint adds advice to a refusal.
func (s Instance) withQuotaHint(err error) error {
	if full := (*types.SnapshotQuotaExceededFault)(nil); errors.As(err, &full) {
		return hint.With(err, "delete manual snapshots of the region "+s.Env.Region+" that nobody needs, or ask for more: "+
			"aws service-quotas list-service-quotas --service-code rds --region "+s.Env.Region)
	}
	return err
}

// WaitForSnapshot waits until a snapshot can be used.
func (s Instance) WaitForSnapshot(ctx context.Context, name string, say Progress) error {
	for waited := time.Duration(0); waited < snapshotLimit; waited += pollInterval {
		out, err := s.rds.DescribeDBSnapshots(ctx, &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: &name})
		if err != nil {
			return fmt.Errorf("look at the snapshot %s: %w", name, err)
		}
		if len(out.DBSnapshots) == 1 {
			snapshot := newSnapshot(out.DBSnapshots[0])
			switch snapshot.Status {
			case Available:
				return nil
			case "failed", "deleted":
				return hint.With(fmt.Errorf("the snapshot %s is %s", name, snapshot.Status),
					"RDS says why under the events of "+s.Env.DatabaseIdentifier()+"; nothing else was changed, so run the same command again")
			}
			say("snapshot %s is %s, %d %% done", name, snapshot.Status, snapshot.Progress)
		}
		if s.Clock.Wait(ctx, pollInterval) != nil {
			return hint.With(fmt.Errorf("RDS goes on with the snapshot %s by itself: %w", name, context.Cause(ctx)),
				"`deployer snapshot list --env "+s.Env.Stack+"` shows when it is done")
		}
	}
	return fmt.Errorf("the snapshot %s is not available after %s", name, snapshotLimit)
}

// Gone is how a snapshot is that was deleted.
const Gone = "gone"

// SnapshotStatus is RDS's word for how a snapshot is; Gone where there is none of that name.
func (s Instance) SnapshotStatus(ctx context.Context, name string) (string, error) {
	out, err := s.rds.DescribeDBSnapshots(ctx, &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: &name})
	missing := (*types.DBSnapshotNotFoundFault)(nil)
	switch {
	case errors.As(err, &missing), err == nil && len(out.DBSnapshots) == 0:
		return Gone, nil
	case err != nil:
		return "", fmt.Errorf("look at the snapshot %s: %w", name, err)
	}
	return aws.ToString(out.DBSnapshots[0].Status), nil
}

// ListSnapshots returns the environment's snapshots, the newest first: those of its database, whatever that was called when they
// were taken.
func (s Instance) ListSnapshots(ctx context.Context) ([]Snapshot, error) {
	var found []Snapshot
	pages := rds.NewDescribeDBSnapshotsPaginator(s.rds, &rds.DescribeDBSnapshotsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the snapshots: %w", err)
		}
		for _, snapshot := range page.DBSnapshots {
			if s.owns(aws.ToString(snapshot.DBInstanceIdentifier)) {
				found = append(found, newSnapshot(snapshot))
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Snapshot) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.Name, a.Name))
	})
	return found, nil
}

func newSnapshot(s types.DBSnapshot) Snapshot {
	snapshot := Snapshot{
		Name: aws.ToString(s.DBSnapshotIdentifier), Type: aws.ToString(s.SnapshotType), Status: aws.ToString(s.Status),
		Created: aws.ToTime(s.SnapshotCreateTime).UTC(), Progress: aws.ToInt32(s.PercentProgress), SizeGiB: aws.ToInt32(s.AllocatedStorage),
		Engine: aws.ToString(s.Engine), Version: aws.ToString(s.EngineVersion), Encrypted: aws.ToBool(s.Encrypted),
		user: aws.ToString(s.MasterUsername),
	}
	for _, tag := range s.TagList {
		if aws.ToString(tag.Key) == deploymentTag {
			snapshot.Deployment = aws.ToString(tag.Value)
		}
	}
	return snapshot
}

// PruneSnapshots deletes the oldest snapshots that were taken before deployments and are more than the environment keeps, and
// returns their names. Those that are spared stay, whatever their age.
func (s Instance) PruneSnapshots(ctx context.Context, kept ...string) ([]string, error) {
	all, err := s.ListSnapshots(ctx)
	if err != nil {
		return nil, err
	}
	var deleted []string
	for _, snapshot := range s.expired(all, kept) {
		_, err := s.rds.DeleteDBSnapshot(ctx, &rds.DeleteDBSnapshotInput{DBSnapshotIdentifier: &snapshot.Name})
		if gone := (*types.DBSnapshotNotFoundFault)(nil); errors.As(err, &gone) {
			continue
		}
		if err != nil {
			return deleted, fmt.Errorf("delete the old snapshot %s: %w", snapshot.Name, err)
		}
		deleted = append(deleted, snapshot.Name)
	}
	return deleted, nil
}

// expired are the snapshots that may go, of all of them, the newest first. Only what a deployment took is a deployment's
// to delete: what people asked for stays, and so does one that is not available, which may be work under way.
func (s Instance) expired(all []Snapshot, kept []string) []Snapshot {
	var ours []Snapshot
	for _, snapshot := range all {
		if snapshot.Deployment != "" && snapshot.Status == Available && s.Env.IsPreDeploy(snapshot.Name) {
			ours = append(ours, snapshot)
		}
	}
	surplus := ours[min(len(ours), s.Env.Deployment.SnapshotsKept):]
	return slices.DeleteFunc(slices.Clone(surplus), func(o Snapshot) bool { return slices.Contains(kept, o.Name) })
}

func tags(labels map[string]string) []types.Tag {
	var all []types.Tag
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, types.Tag{Key: aws.String(key), Value: aws.String(labels[key])})
	}
	return all
}

package database

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsstate"
)

// Snapshot is a snapshot of the environment's database.
type Snapshot struct {
	Name string `json:"name"`
	// Type is manual or automated.
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Created time.Time `json:"created"`
	// Progress is in percent.
	Progress int32 `json:"progress"`
	// SizeGiB is the size of the database's volume; a restored one is at least as large.
	SizeGiB   int32  `json:"sizeGiB"`
	Engine    string `json:"engine"`
	Version   string `json:"version"`
	Encrypted bool   `json:"encrypted"`
	// Deployment is the ID of the deployment that took it; "" where none did.
	Deployment string `json:"deployment,omitempty"`
	// CreatedBy is the user of the deployer who created it; "" where another program did, or an older version.
	CreatedBy string `json:"-"`
	// user is the database's master user.
	user string
}

// deploymentTag is the tag of a snapshot that has the ID of the deployment that took it, createdByTag that of the user.
const (
	deploymentTag = "Deployment"
	createdByTag  = "CreatedBy"
)

// finalInfix is in the names of the snapshots that RDS takes when an instance is deleted; preUpgradePrefix begins those before an upgrade.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.MajorVersion.Process.html
const (
	finalInfix       = "-final-"
	preUpgradePrefix = "preupgrade-"
)

// Occasion returns on what occasion the snapshot was created.
func (s Snapshot) Occasion() string {
	switch {
	case s.Deployment != "":
		return "before the deployment " + s.Deployment
	case strings.HasPrefix(s.Name, preUpgradePrefix):
		return "before an upgrade, by RDS"
	case strings.Contains(s.Name, finalInfix):
		return "when destroy or a replacement deleted the database"
	case s.Type == "manual":
		return "manually"
	}
	return s.Type + ", by RDS"
}

// tagValueOf returns a text as the value of a tag: with the characters that RDS does not allow replaced with an underscore, and 256 at most.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Tagging.html
func tagValueOf(s string) string {
	allowed := func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" _.:/=+-@", r) {
			return r
		}
		return '_'
	}
	runes := []rune(strings.Map(allowed, s))
	return string(runes[:min(len(runes), 256)])
}

// snapshotLimit is how long a snapshot may take. One of a small database takes minutes.
const snapshotLimit = 2 * time.Hour

// CreateSnapshot starts a snapshot and returns its name. Deployment is the ID of the deployment that takes it, "" for a user who asked for it;
// by is the user. It waits while the database is busy. Without a database the error is ErrNoDatabase.
func (s Instance) CreateSnapshot(ctx context.Context, deployment, by string, progress Progress) (string, error) {
	database, labels := s.Env.DatabaseIdentifier(), s.Env.Tags()
	if deployment != "" {
		labels[deploymentTag] = deployment
	}
	if by != "" {
		labels[createdByTag] = tagValueOf(by)
	}
	for start := s.Clock.Now(); ; {
		name, pause := s.Env.SnapshotIdentifier(s.Clock.Now()), pollInterval
		_, err := s.rds.CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{
			DBInstanceIdentifier: &database, DBSnapshotIdentifier: &name, Tags: tags(labels),
		})
		switch {
		case err == nil:
			return name, nil
		case awsx.IsError[*types.DBInstanceNotFoundFault](err):
			return "", ErrNoDatabase
		case awsx.IsError[*types.DBSnapshotAlreadyExistsFault](err):
			// Another user took one in the same second; in the next second the name is another.
			pause = time.Second
		case awsx.IsError[*types.InvalidDBInstanceStateFault](err):
			if err := s.checkTransient(ctx, s.Clock.Now().Sub(start), progress); err != nil {
				return "", err
			}
		default:
			return "", fmt.Errorf("create the snapshot %s of %s: %w", name, database, s.withQuotaHint(err))
		}
		if err := s.Clock.Wait(ctx, pause); err != nil {
			return "", err
		}
	}
}

// checkTransient returns an error if the database will not become available without help, or did not within the limit.
func (s Instance) checkTransient(ctx context.Context, waited time.Duration, progress Progress) error {
	all, err := s.instances(ctx)
	if err != nil {
		return err
	}
	database, status := s.Env.DatabaseIdentifier(), Gone
	if found := all.byName(database); found != nil {
		status = aws.ToString(found.DBInstanceStatus)
	}
	if rdsstate.Of(status).Passes() && waited < snapshotLimit {
		progress("%s is %s; waiting until RDS accepts a snapshot", database, status)
		return nil
	}
	return hint.With(fmt.Errorf("%s is %s: RDS takes a snapshot only of a database that is available", database, status),
		"see what it needs: `deployer status --env "+s.Env.Stack+" --only database`; earlier snapshots: `deployer snapshot list --env "+s.Env.Stack+"`")
}

func (s Instance) withQuotaHint(err error) error {
	if awsx.IsError[*types.SnapshotQuotaExceededFault](err) {
		return hint.With(err, "delete manual snapshots in "+s.Env.Region+" that are not needed, or request a higher quota: "+
			"aws service-quotas list-service-quotas --service-code rds --region "+s.Env.Region)
	}
	return err
}

// WaitForSnapshot waits until a snapshot can be used.
func (s Instance) WaitForSnapshot(ctx context.Context, name string, progress Progress) error {
	for waited := time.Duration(0); waited < snapshotLimit; waited += pollInterval {
		out, err := s.rds.DescribeDBSnapshots(ctx, &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: &name})
		if err != nil {
			return fmt.Errorf("describe the snapshot %s: %w", name, err)
		}
		if len(out.DBSnapshots) == 1 {
			snapshot := newSnapshot(out.DBSnapshots[0])
			switch snapshot.Status {
			case Available:
				return nil
			case "failed", "deleted":
				return hint.With(fmt.Errorf("the snapshot %s is %s", name, snapshot.Status),
					"find the reason in the events of "+s.Env.DatabaseIdentifier()+"; nothing else was changed, so run the same command again")
			}
			progress("snapshot %s is %s, %d %% done", name, snapshot.Status, snapshot.Progress)
		}
		if s.Clock.Wait(ctx, pollInterval) != nil {
			return hint.With(fmt.Errorf("the snapshot %s continues in the background: %w", name, context.Cause(ctx)),
				"see when it is done: `deployer snapshot list --env "+s.Env.Stack+"`")
		}
	}
	return fmt.Errorf("the snapshot %s was not available within %s", name, snapshotLimit)
}

// Gone is the status of a snapshot or an instance that does not exist any more.
const Gone = "gone"

// SnapshotStatus returns RDS's status of a snapshot; Gone where there is none of that name.
func (s Instance) SnapshotStatus(ctx context.Context, name string) (string, error) {
	out, err := s.rds.DescribeDBSnapshots(ctx, &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: &name})
	switch {
	case awsx.IsError[*types.DBSnapshotNotFoundFault](err), err == nil && len(out.DBSnapshots) == 0:
		return Gone, nil
	case err != nil:
		return "", fmt.Errorf("describe the snapshot %s: %w", name, err)
	}
	return aws.ToString(out.DBSnapshots[0].Status), nil
}

// ListSnapshots returns the snapshots of the environment's instances, under whatever name they were taken, the newest first.
func (s Instance) ListSnapshots(ctx context.Context) ([]Snapshot, error) {
	pages := rds.NewDescribeDBSnapshotsPaginator(s.rds, &rds.DescribeDBSnapshotsInput{})
	all, err := awsx.Pages(ctx, pages, func(page *rds.DescribeDBSnapshotsOutput) []types.DBSnapshot { return page.DBSnapshots })
	if err != nil {
		return nil, fmt.Errorf("list the snapshots: %w", err)
	}
	var found []Snapshot
	for _, snapshot := range all {
		if s.owns(aws.ToString(snapshot.DBInstanceIdentifier)) {
			found = append(found, newSnapshot(snapshot))
		}
	}
	slices.SortStableFunc(found, func(a, b Snapshot) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.Name, a.Name))
	})
	return found, nil
}

func newSnapshot(s types.DBSnapshot) Snapshot {
	return Snapshot{
		Name: aws.ToString(s.DBSnapshotIdentifier), Type: aws.ToString(s.SnapshotType), Status: aws.ToString(s.Status),
		Created: aws.ToTime(s.SnapshotCreateTime).UTC(), Progress: aws.ToInt32(s.PercentProgress), SizeGiB: aws.ToInt32(s.AllocatedStorage),
		Engine: aws.ToString(s.Engine), Version: aws.ToString(s.EngineVersion), Encrypted: aws.ToBool(s.Encrypted),
		Deployment: tagValue(s.TagList, deploymentTag), user: aws.ToString(s.MasterUsername), CreatedBy: tagValue(s.TagList, createdByTag),
	}
}

// PruneSnapshots deletes the oldest snapshots that deployments took and that exceed what the environment keeps, and returns their
// names. Those to keep stay, whatever their age.
func (s Instance) PruneSnapshots(ctx context.Context, kept ...string) ([]string, error) {
	all, err := s.ListSnapshots(ctx)
	if err != nil {
		return nil, err
	}
	var deleted []string
	for _, snapshot := range s.expired(all, kept) {
		_, err := s.rds.DeleteDBSnapshot(ctx, &rds.DeleteDBSnapshotInput{DBSnapshotIdentifier: &snapshot.Name})
		if awsx.IsError[*types.DBSnapshotNotFoundFault](err) {
			continue
		}
		if err != nil {
			return deleted, fmt.Errorf("delete the old snapshot %s: %w", snapshot.Name, err)
		}
		deleted = append(deleted, snapshot.Name)
	}
	return deleted, nil
}

// expired returns the snapshots that may be deleted. The list is sorted, the newest first. A deployment deletes only what a deployment
// took: a snapshot that a user asked for stays, and so does one that is not available, which may still be being created.
func (s Instance) expired(all []Snapshot, kept []string) []Snapshot {
	ours := slices.DeleteFunc(slices.Clone(all), func(o Snapshot) bool {
		return o.Deployment == "" || o.Status != Available || !s.Env.IsPreDeploy(o.Name)
	})
	return slices.DeleteFunc(ours[min(len(ours), s.Env.Deployment.SnapshotsKept):], func(o Snapshot) bool {
		return slices.Contains(kept, o.Name)
	})
}

func tags(labels map[string]string) []types.Tag {
	return awsx.Tags(labels, func(key, value *string) types.Tag { return types.Tag{Key: key, Value: value} })
}

func tagValue(tags []types.Tag, key string) string {
	return awsx.TagValue(tags, key, func(t types.Tag) (k, v *string) { return t.Key, t.Value })
}

package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
)

// snapshotPoll is how often a snapshot's progress is looked at; snapshotLimit how long one may take.
const (
	snapshotPoll  = 15 * time.Second
	snapshotLimit = 2 * time.Hour
)

// backup takes a snapshot of the database and waits for it.
type backup struct {
	env   *environment.Environment
	rds   *rds.Client
	clock clock.Clock
}

// run returns the snapshot's identifier, or "" where there is no database yet.
func (b *backup) run(ctx context.Context, v voice) (string, error) {
	database := b.env.DatabaseIdentifier()
	id := b.env.SnapshotIdentifier(b.clock.Now())
	var tags []types.Tag
	for key, value := range b.env.Tags() {
		tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	_, err := b.rds.CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{
		DBInstanceIdentifier: &database, DBSnapshotIdentifier: &id, Tags: tags,
	})
	var missing *types.DBInstanceNotFoundFault
	if errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("take the snapshot %s of %s: %w", id, database, err)
	}
	for waited := time.Duration(0); waited < snapshotLimit; waited += snapshotPoll {
		out, err := b.rds.DescribeDBSnapshots(ctx, &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: &id})
		if err != nil {
			return id, fmt.Errorf("look at the snapshot %s: %w", id, err)
		}
		if len(out.DBSnapshots) == 1 {
			snapshot := out.DBSnapshots[0]
			switch status := aws.ToString(snapshot.Status); status {
			case "available":
				return id, nil
			case "failed", "deleted":
				return id, withHint(fmt.Errorf("the snapshot %s is %s", id, status),
					"RDS says why under Events of the database; nothing was changed, so run `up` again")
			default:
				v.progress("snapshot %s is %s, %d %% done", id, status, aws.ToInt32(snapshot.PercentProgress))
			}
		}
		if err := b.clock.Wait(ctx, snapshotPoll); err != nil {
			return id, err
		}
	}
	return id, fmt.Errorf("the snapshot %s is not available after %s", id, snapshotLimit)
}

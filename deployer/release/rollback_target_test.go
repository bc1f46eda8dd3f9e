package release

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
)

// revisions returns an ECS whose first revision of the API is active and whose second is deregistered.
func revisions(t *testing.T) *ecs.Client {
	reference := staging(t).ImageReference(*image(1).ImageDigest)
	return ecs.NewFromConfig(fakeAWS(func(in any) (any, error) {
		asked := aws.ToString(in.(*ecs.DescribeTaskDefinitionInput).TaskDefinition)
		known := map[string]ecstypes.TaskDefinitionStatus{
			"v3-backend-staging-api:1": ecstypes.TaskDefinitionStatusActive, "v3-backend-staging-api:2": ecstypes.TaskDefinitionStatusInactive,
		}
		status, found := known[asked]
		if !found {
			return nil, &ecstypes.ClientException{Message: aws.String("Unable to describe task definition.")}
		}
		return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: &ecstypes.TaskDefinition{
			Status: status, ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("balancer-api"), Image: &reference}},
		}}, nil
	}))
}

func TestResolveRollback(t *testing.T) {
	deployment := func(id string, n int, tag string) history.Deployment {
		return history.Deployment{ID: id, Verified: true, Image: history.Image{Tag: tag, Digest: *image(n).ImageDigest}}
	}
	const gone = "the image 1.2 of the deployment 20260102-000000-0002 (sha256:000000000000) is gone from the registry"
	good := []history.Deployment{
		deployment("20260103-000000-0003", 3, "1.3"), deployment("20260102-000000-0002", 2, "1.2"), deployment("20260101-000000-0001", 1, "1.1"),
	}
	moved := []history.Deployment{deployment("20260104-000000-0004", 2, "1.1"), deployment("20260101-000000-0001", 1, "1.1")}
	moved[0].Verified = false
	all := []ecrtypes.ImageDetail{image(1, "1.1"), image(2, "1.2"), image(3, "1.3")}
	for name, test := range map[string]struct {
		named           string
		images          []ecrtypes.ImageDetail
		records         []history.Deployment
		want, err, hint string
	}{
		"the one before": {images: all, records: good, want: "1.2"},
		"a tag":          {named: "1.1", images: all, records: good, want: "1.1"},
		"a moved tag": {named: "1.1", images: []ecrtypes.ImageDetail{image(1), image(2, "1.1")}, records: good,
			err:  "1.1 was deployed to staging as " + *image(1).ImageDigest + ", and is " + *image(2).ImageDigest + " now: the tag was moved",
			hint: "deploy what ran then with --to 20260101-000000-0001, its deployment, or what the tag names now with --to 1.1@" + *image(2).ImageDigest},
		"a moved tag that failed": {named: "1.1", images: []ecrtypes.ImageDetail{image(1), image(2, "1.1")}, records: moved,
			err:  "1.1 was deployed to staging as " + *image(1).ImageDigest + ", and is " + *image(2).ImageDigest + " now: the tag was moved",
			hint: "deploy what ran then with --to 20260101-000000-0001, its deployment, or what the tag names now with --to 1.1@" + *image(2).ImageDigest},
		"a moved tag, by digest":    {named: "1.1@" + *image(2).ImageDigest, images: []ecrtypes.ImageDetail{image(2, "1.1")}, records: good, want: "1.1"},
		"a digest":                  {named: *image(1).ImageDigest, images: all, records: good, want: "1.1"},
		"a deployment":              {named: "20260101-000000-0001", images: all, records: good, want: "1.1"},
		"a revision":                {named: "api:1", images: all, records: good, want: "1.1"},
		"a revision with family":    {named: "v3-backend-staging-api:1", images: all, records: good, want: "1.1"},
		"a revision's ARN":          {named: "arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-staging-api:1", images: all, records: good, want: "1.1"},
		"the one before is gone":    {images: all[:1], records: good, err: gone, hint: "verified images in the registry: 1.1 (20260101-000000-0001); choose one with --to"},
		"all that went before":      {images: all[2:], records: good, err: gone, hint: "no other image in the registry was verified healthy; --to takes any of those that `deployer images --env staging` lists"},
		"a deployment's is gone":    {named: "20260102-000000-0002", images: all[:1], records: good, err: gone, hint: "verified images in the registry: 1.1 (20260101-000000-0001); choose one with --to"},
		"a revision's is gone":      {named: "api:1", images: all[1:], records: good, err: "the image of api:1 (sha256:000000000000) is gone from the registry", hint: "verified images in the registry: 1.2 (20260102-000000-0002); choose one with --to"},
		"no deployment before":      {images: all, records: good[:1], err: "no earlier deployment of staging was verified healthy, so there is nothing to roll back to", hint: "no other image in the registry was verified healthy; --to takes any of those that `deployer images --env staging` lists"},
		"an unknown deployment":     {named: "20260109-000000-0009", images: all, records: good, err: "no record of staging has the ID 20260109-000000-0009", hint: "list them with `deployer history --env staging`"},
		"a deployment of nothing":   {named: "20260109-000000-0009", images: all, records: []history.Deployment{{ID: "20260109-000000-0009"}}, err: "the deployment 20260109-000000-0009 ended before its image was resolved"},
		"an unknown tag":            {named: "9.9", images: all, records: good, err: "the image balancer-api:9.9 does not exist", hint: "the newest tags are 1.3, 1.2, 1.1"},
		"an unknown revision":       {named: "api:9", images: all, records: good, err: "ECS has no revision v3-backend-staging-api:9", hint: "list them with `aws ecs list-task-definitions --family-prefix v3-backend-staging-api`"},
		"a deregistered revision":   {named: "api:2", images: all, records: good, err: "the revision v3-backend-staging-api:2 was deregistered, it is INACTIVE", hint: "its image may still be usable: --to " + *image(1).ImageDigest},
		"another environment's":     {named: "v3-backend-production-api:1", images: all, records: good, err: "v3-backend-production-api:1 is not a task definition of a service of staging", hint: "use the form v3-backend-staging-api:41, or short api:41"},
		"a service that is not one": {named: "migration:1", images: all, records: good, err: "migration:1 is not a task definition of a service of staging", hint: "use the form v3-backend-staging-api:41, or short api:41"},
	} {
		t.Run(name, func(t *testing.T) {
			b := rollbackResolver{env: staging(t), images: fakeRegistry{images: test.images}, ecs: revisions(t), records: test.records, current: *image(3).ImageDigest}
			found, err := b.resolve(t.Context(), test.named)
			if test.err != "" {
				require.EqualError(t, err, test.err)
				require.Equal(t, test.hint, hint.Of(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, found.Tag)
		})
	}
}

// A deployment that failed and whose automatic rollback failed too leaves a stack that names the last verified image, which does not run:
// that one is the target, and not an older one.
func TestRollbackAfterAFailure(t *testing.T) {
	verified := func(id string, n int) history.Deployment {
		return history.Deployment{ID: id, Verified: true, Outcome: history.Succeeded, Image: history.Image{Tag: id, Digest: *image(n).ImageDigest}}
	}
	good := []history.Deployment{verified("two", 2), verified("one", 1)}
	after := func(outcome history.Outcome, kind history.Kind) []history.Deployment {
		return append([]history.Deployment{{ID: "x", Kind: kind, Outcome: outcome, Image: history.Image{Digest: *image(3).ImageDigest}}}, good...)
	}
	for name, test := range map[string]struct {
		records []history.Deployment
		// stack is the image that the stack names, running are those of the tasks.
		stack   int
		running []int
		want    string
	}{
		"it succeeded": {good, 2, []int{2}, "one"},
		"it succeeded, and nothing runs any more": {good, 2, nil, "one"},
		"it was rolled back":                      {after(history.Failed, history.Full), 2, []int{2, 2}, "one"},
		"its rollback failed":                     {after(history.Failed, history.Full), 2, []int{3}, "two"},
		"its rollback failed halfway":             {after(history.Failed, history.Full), 2, []int{2, 3}, "two"},
		"its rollback failed, and nothing runs":   {after(history.Failed, history.Full), 2, nil, "two"},
		"it was killed in its rollback":           {after(history.Running, history.CodeOnly), 2, []int{3}, "two"},
		"it was not rolled back":                  {after(history.Failed, history.Full), 3, []int{2}, "two"},
		"a migration failed":                      {after(history.Failed, history.Migrate), 2, []int{2}, "one"},
	} {
		t.Run(name, func(t *testing.T) {
			env := staging(t)
			client := ecs.NewFromConfig(fakeAWS(func(in any) (any, error) {
				if _, lists := in.(*ecs.ListTasksInput); lists {
					arns := make([]string, len(test.running))
					return &ecs.ListTasksOutput{TaskArns: arns}, nil
				}
				var tasks []ecstypes.Task
				for _, n := range test.running {
					tasks = append(tasks, ecstypes.Task{
						Group: aws.String("service:" + env.ServiceName("api")), LastStatus: aws.String("RUNNING"), Containers: []ecstypes.Container{
							{Name: aws.String(env.ContainerName("api")), Image: aws.String(env.ImageReference(*image(n).ImageDigest))},
						},
					})
				}
				return &ecs.DescribeTasksOutput{Tasks: tasks}, nil
			}))
			all := []ecrtypes.ImageDetail{image(1, "one"), image(2, "two"), image(3, "three")}
			r := rollbackResolver{
				env: env, images: fakeRegistry{images: all}, ecs: client, records: test.records, current: *image(test.stack).ImageDigest,
			}
			found, err := r.resolve(t.Context(), "")
			require.NoError(t, err)
			require.Equal(t, test.want, found.Tag)
		})
	}
}

// The role of the other environments can register a revision of any family, so where deployments are approved only revisions of a record
// are deployed.
func TestRollbackToARecordedRevision(t *testing.T) {
	const refused = "no record of staging has the revision v3-backend-staging-api:1, so no deployment of it registered that"
	ran := func(revision string) []history.Deployment {
		definitions := map[string]string{"v3-backend-staging-api-service": revision}
		return []history.Deployment{{ID: "20260102-000000-0002"}, {ID: "20260101-000000-0001", TaskDefinitions: definitions}}
	}
	arn := "arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-staging-api:1"
	for name, test := range map[string]struct {
		protected, approval bool
		records             []history.Deployment
		err                 string
	}{
		"neither protected nor approved": {records: nil},
		"recorded":                       {protected: true, approval: true, records: ran("v3-backend-staging-api:1")},
		"no records":                     {protected: true, err: refused},
		"approved":                       {approval: true, err: refused},
		"another revision":               {protected: true, records: ran("v3-backend-staging-api:11"), err: refused},
		"another service":                {protected: true, records: ran("v3-backend-staging-worker:1"), err: refused},
	} {
		t.Run(name, func(t *testing.T) {
			env := staging(t)
			env.Protected, env.Delivery.Approval = test.protected, test.approval
			all := []ecrtypes.ImageDetail{image(1, "1.1")}
			r := rollbackResolver{env: env, images: fakeRegistry{images: all}, ecs: revisions(t), records: test.records}
			for _, named := range []string{"api:1", "v3-backend-staging-api:1", arn} {
				found, err := r.resolve(t.Context(), named)
				if test.err != "" {
					require.EqualError(t, err, test.err)
					require.Equal(t, "list the deployments with `deployer history --env staging`, and give one's ID or an image", hint.Of(err))
					continue
				}
				require.NoError(t, err)
				require.Equal(t, "1.1", found.Tag)
			}
		})
	}
}

// The matching snapshot may have been deleted, and RDS may not answer: neither prevents a rollback.
func TestDatabaseAt(t *testing.T) {
	records := []history.Deployment{{ID: "2", Snapshot: "before", Migration: &history.Migration{}}, {ID: "1"}}
	denied := errors.New("denied")
	for name, test := range map[string]struct {
		answer error
		status string
		doubt  error
	}{
		"there":   {nil, "available", nil},
		"deleted": {&rdstypes.DBSnapshotNotFoundFault{}, "gone", nil},
		"unknown": {denied, "unknown", denied},
	} {
		t.Run(name, func(t *testing.T) {
			w := Deps{Env: staging(t), Clock: clock.Real(), AWS: fakeAWS(func(in any) (any, error) {
				require.Equal(t, "before", *in.(*rds.DescribeDBSnapshotsInput).DBSnapshotIdentifier)
				return &rds.DescribeDBSnapshotsOutput{DBSnapshots: []rdstypes.DBSnapshot{{Status: aws.String("available")}}}, test.answer
			})}
			then, err := w.databaseAt(t.Context(), records, "1")
			require.Equal(t, &history.PriorDatabase{Snapshot: "before", SnapshotStatus: test.status, MigratedSince: true}, then)
			require.ErrorIs(t, err, test.doubt)
			then, err = w.databaseAt(t.Context(), records, "2")
			require.NoError(t, err, "nothing is asked where there is no snapshot")
			require.Equal(t, &history.PriorDatabase{}, then)
		})
	}
}

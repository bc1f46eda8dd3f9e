package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
)

// manualClock advances only when a test sets it.
type manualClock struct{ now time.Time }

func (c *manualClock) Now() time.Time { return c.now }

func (c *manualClock) Wait(_ context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return nil
}

// accountWith opens an account with the resources of newSimulation, and returns its clock.
func accountWith(t *testing.T, faults ...string) (*Account, *manualClock) {
	t.Helper()
	clk := &manualClock{now: time.Date(2025, 6, 3, 4, 0, 0, 0, time.UTC)}
	a, err := Open(filepath.Join(t.TempDir(), "account.json"), Options{
		AccountID: "123456789012", Region: "us-east-1", Clock: clk, Stacks: []Stack{{Name: "dev"}, stagingStack}, Faults: faults,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	require.NoError(t, a.Update(func(s *State) error {
		w := &simulation{t: t, m: a.model(s)}
		w.addInfrastructure()
		return nil
	}))
	return a, clk
}

// faultsOf returns a list of one fault, or an empty one for no name.
func faultsOf(fault string) []string {
	if fault == "" {
		return nil
	}
	return []string{fault}
}

// apiCode returns the code of an API error.
func apiCode(t *testing.T, err error) string {
	t.Helper()
	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	return api.ErrorCode()
}

func TestUnsimulatedOperationIsNamed(t *testing.T) {
	a, _ := accountWith(t)
	_, err := ecs.NewFromConfig(a.Config("us-east-1")).CreateTaskSet(t.Context(), &ecs.CreateTaskSetInput{
		Cluster: aws.String("c"), Service: aws.String("s"), TaskDefinition: aws.String("d"),
	})
	require.ErrorContains(t, err, "local mode does not simulate ecs.CreateTaskSet")
}

func TestValidationComesFirst(t *testing.T) {
	a, _ := accountWith(t)
	_, err := ecs.NewFromConfig(a.Config("us-east-1")).DescribeServices(t.Context(), &ecs.DescribeServicesInput{})
	require.ErrorContains(t, err, "missing required field, DescribeServicesInput.Services")
}

func TestCancelledCall(t *testing.T) {
	a, _ := accountWith(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := sts.NewFromConfig(a.Config("us-east-1")).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestIdentity(t *testing.T) {
	for fault, want := range map[string]string{"": "123456789012", faultWrongAccount: otherAccount} {
		a, _ := accountWith(t, faultsOf(fault)...)
		out, err := sts.NewFromConfig(a.Config("us-east-1")).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
		require.NoError(t, err)
		require.Equal(t, want, *out.Account)
	}
}

func TestAnotherRegionIsEmpty(t *testing.T) {
	a, _ := accountWith(t)
	_, err := ecr.NewFromConfig(a.Config("eu-west-1")).DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String(imageRepository)})
	require.Equal(t, "RepositoryNotFoundException", apiCode(t, err))
	_, err = secretsmanager.NewFromConfig(a.Config("eu-west-1")).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("x")})
	require.ErrorContains(t, err, "local mode simulates only us-east-1, not eu-west-1")
}

func TestImages(t *testing.T) {
	a, _ := accountWith(t)
	client := ecr.NewFromConfig(a.Config("us-east-1"))
	var tags [][]string
	pages := ecr.NewDescribeImagesPaginator(client, &ecr.DescribeImagesInput{RepositoryName: aws.String(imageRepository), MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		require.Len(t, out.ImageDetails, 1)
		tags = append(tags, out.ImageDetails[0].ImageTags)
	}
	require.Equal(t, [][]string{{"1.41.7-9f8e7d6c5"}, {"1.41.8-abc123def", "latest", "dev-latest", "staging-latest"}}, tags)

	_, err := client.DescribeImages(t.Context(), &ecr.DescribeImagesInput{
		RepositoryName: aws.String(imageRepository), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("none")}},
	})
	require.Equal(t, "ImageNotFoundException", apiCode(t, err))
}

func TestTagMoves(t *testing.T) {
	a, _ := accountWith(t)
	client := ecr.NewFromConfig(a.Config("us-east-1"))
	get := func(tag string) ecrtypes.Image {
		out, err := client.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{
			RepositoryName: aws.String(imageRepository), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String(tag)}},
		})
		require.NoError(t, err)
		require.Len(t, out.Images, 1, tag)
		return out.Images[0]
	}
	for _, from := range []string{imageOne, imageTwo} {
		image := get(from)
		_, err := client.PutImage(t.Context(), &ecr.PutImageInput{
			RepositoryName: aws.String(imageRepository), ImageManifest: image.ImageManifest, ImageTag: aws.String("running-staging"),
		})
		require.NoError(t, err)
		require.Equal(t, image.ImageId.ImageDigest, get("running-staging").ImageId.ImageDigest)
	}
	image := get(imageTwo)
	_, err := client.PutImage(t.Context(), &ecr.PutImageInput{
		RepositoryName: aws.String(imageRepository), ImageManifest: image.ImageManifest, ImageTag: aws.String("running-staging"),
	})
	require.Equal(t, "ImageAlreadyExistsException", apiCode(t, err))
}

func TestPushedImageHasNewDigest(t *testing.T) {
	a, clk := accountWith(t)
	first, err := a.Push("1.42.0")
	require.NoError(t, err)
	clk.now = clk.now.Add(time.Second)
	second, err := a.Push("1.42.0")
	require.NoError(t, err)
	require.NotEqual(t, first.Digest, second.Digest)
	images, err := a.Images()
	require.NoError(t, err)
	require.Equal(t, []string{"1.42.0"}, images[0].Tags)
	require.Empty(t, images[1].Tags)
	_, err = a.Push("no tag")
	require.ErrorContains(t, err, `"no tag" is not an image tag`)
}

// An image for arm64 is an index with provenance, as BuildKit pushes it, and its configuration can be downloaded as any other's.
func TestPushedImageForArm64(t *testing.T) {
	a, _ := accountWith(t)
	pushed, err := a.Push("1.43.0-arm64")
	require.NoError(t, err)
	cfg := a.Config("us-east-1")
	client := ecr.NewFromConfig(cfg)
	image, err := ecrimage.Find(t.Context(), client, imageRepository, "linux/arm64", "1.43.0-arm64")
	require.NoError(t, err)
	require.Equal(t, pushed.Digest, *image.ImageDigest)
	require.True(t, pushed.runsOn("arm64"))
	require.False(t, pushed.runsOn("amd64"))
	require.Equal(t, []string{"linux/arm64"}, image.Names)
	require.Len(t, image.Attestations, 1)
	require.True(t, image.Scanned, "by its image")

	for _, accepted := range [][]string{nil, {mediaManifest}} {
		out, err := client.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{
			RepositoryName: aws.String(imageRepository), ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: image.ImageDigest}}, AcceptedMediaTypes: accepted,
		})
		require.NoError(t, err)
		require.Empty(t, out.Images, "the call does not accept an index")
		require.Equal(t, ecrtypes.ImageFailureCodeImageNotFound, out.Failures[0].FailureCode)
	}

	out, err := client.BatchGetImage(t.Context(), &ecr.BatchGetImageInput{
		RepositoryName: aws.String(imageRepository), ImageIds: []ecrtypes.ImageIdentifier{{ImageDigest: aws.String(image.Platforms[0])}, {ImageTag: aws.String("latest")}},
	})
	require.NoError(t, err)
	for i, architecture := range []string{"arm64", "amd64"} {
		digest, err := ecrimage.ConfigDigest(*out.Images[i].ImageManifest)
		require.NoError(t, err)
		layer, err := client.GetDownloadUrlForLayer(t.Context(), &ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String(imageRepository), LayerDigest: &digest})
		require.NoError(t, err)
		in, err := http.NewRequestWithContext(t.Context(), http.MethodGet, *layer.DownloadUrl, nil)
		require.NoError(t, err)
		response, err := cfg.HTTPClient.Do(in)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, digest, digestOf(string(text)))
		require.Contains(t, string(text), `"architecture":"`+architecture+`"`)
	}
	_, err = client.GetDownloadUrlForLayer(t.Context(), &ecr.GetDownloadUrlForLayerInput{RepositoryName: aws.String(imageRepository), LayerDigest: aws.String("sha256:0")})
	require.Equal(t, "LayersNotFoundException", apiCode(t, err))
	elsewhere, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com", nil)
	require.NoError(t, err)
	_, err = cfg.HTTPClient.Do(elsewhere) //nolint:bodyclose // there is no response
	require.ErrorContains(t, err, "local mode does not reach the network")
}

func TestServicesAndTasks(t *testing.T) {
	a, clk := accountWith(t)
	client := ecs.NewFromConfig(a.Config("us-east-1"))
	cluster := aws.String("v3-backend-staging-cluster")
	require.NoError(t, a.Update(func(s *State) error {
		w := &simulation{t: t, m: a.model(s)}
		w.addService(w.define(1, imageOne), 3, nil)
		return nil
	}))
	clk.now = clk.now.Add(time.Minute)

	described, err := client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: cluster, Services: []string{apiService, "none"}})
	require.NoError(t, err)
	require.Len(t, described.Services, 1)
	require.Equal(t, "MISSING", *described.Failures[0].Reason)
	require.EqualValues(t, 3, described.Services[0].RunningCount)
	require.Equal(t, "PRIMARY", *described.Services[0].Deployments[0].Status)

	var arns []string
	pages := ecs.NewListTasksPaginator(client, &ecs.ListTasksInput{Cluster: cluster, ServiceName: aws.String(apiService), MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		arns = append(arns, out.TaskArns...)
	}
	require.Len(t, arns, 3)
	tasks, err := client.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: cluster, Tasks: arns})
	require.NoError(t, err)
	task := tasks.Tasks[0]
	require.Equal(t, ecstypes.HealthStatusHealthy, task.Containers[0].HealthStatus)
	require.True(t, strings.HasSuffix(*task.Containers[0].Image, "@"+*task.Containers[0].ImageDigest))
	require.Equal(t, described.Services[0].Deployments[0].Id, task.StartedBy)

	listed, err := client.ListServiceDeployments(t.Context(), &ecs.ListServiceDeploymentsInput{Cluster: cluster, Service: aws.String(apiService)})
	require.NoError(t, err)
	deployments, err := client.DescribeServiceDeployments(t.Context(), &ecs.DescribeServiceDeploymentsInput{
		ServiceDeploymentArns: []string{*listed.ServiceDeployments[0].ServiceDeploymentArn},
	})
	require.NoError(t, err)
	deployment := deployments.ServiceDeployments[0]
	require.Equal(t, ecstypes.ServiceDeploymentStatusSuccessful, deployment.Status)
	require.EqualValues(t, 3, deployment.TargetServiceRevision.RunningTaskCount)
	revisions, err := client.DescribeServiceRevisions(t.Context(), &ecs.DescribeServiceRevisionsInput{
		ServiceRevisionArns: []string{*deployment.TargetServiceRevision.Arn},
	})
	require.NoError(t, err)
	require.Equal(t, task.Containers[0].ImageDigest, revisions.ServiceRevisions[0].ContainerImages[0].ImageDigest)

	health, err := elb.NewFromConfig(a.Config("us-east-1")).DescribeTargetHealth(t.Context(), &elb.DescribeTargetHealthInput{TargetGroupArn: aws.String("tg")})
	require.NoError(t, err)
	require.Len(t, health.TargetHealthDescriptions, 3)
	require.Equal(t, elbtypes.TargetHealthStateEnumHealthy, health.TargetHealthDescriptions[0].TargetHealth.State)
}

func TestForcedDeploymentAndItsStop(t *testing.T) {
	a, clk := accountWith(t)
	client := ecs.NewFromConfig(a.Config("us-east-1"))
	cluster, name := aws.String("v3-backend-staging-cluster"), aws.String(apiService)
	require.NoError(t, a.Update(func(s *State) error {
		w := &simulation{t: t, m: a.model(s)}
		w.addService(w.define(1, imageOne), 1, nil)
		return nil
	}))
	clk.now = clk.now.Add(time.Minute)
	updated, err := client.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: cluster, Service: name, ForceNewDeployment: true})
	require.NoError(t, err)
	clk.now = clk.now.Add(5 * time.Second)
	_, err = client.StopServiceDeployment(t.Context(), &ecs.StopServiceDeploymentInput{ServiceDeploymentArn: updated.Service.CurrentServiceDeployment})
	require.NoError(t, err)
	clk.now = clk.now.Add(time.Minute)
	listed, err := client.ListServiceDeployments(t.Context(), &ecs.ListServiceDeploymentsInput{Cluster: cluster, Service: name})
	require.NoError(t, err)
	require.Len(t, listed.ServiceDeployments, 2)
	require.Equal(t, ecstypes.ServiceDeploymentStatusRollbackSuccessful, listed.ServiceDeployments[0].Status)
	_, err = client.StopServiceDeployment(t.Context(), &ecs.StopServiceDeploymentInput{ServiceDeploymentArn: updated.Service.CurrentServiceDeployment})
	require.Equal(t, "ConflictException", apiCode(t, err))
}

func TestMigration(t *testing.T) {
	for fault, want := range map[string]struct {
		exit int32
		text string
	}{
		"":                  {0, "All migrations have been successfully applied."},
		faultMigrationFails: {1, "Error: P3018"},
		faultMigrationHangs: {-1, "waiting for the advisory lock"},
	} {
		t.Run(fault, func(t *testing.T) {
			a, clk := accountWith(t, faultsOf(fault)...)
			client := ecs.NewFromConfig(a.Config("us-east-1"))
			cluster := aws.String("v3-backend-staging-cluster")
			require.NoError(t, a.Update(func(s *State) error {
				w := &simulation{t: t, m: a.model(s)}
				w.define(1, imageOne)
				return nil
			}))
			in := &ecs.RunTaskInput{
				Cluster: cluster, TaskDefinition: aws.String("v3-backend-staging-api"), StartedBy: aws.String("deployer"),
				Overrides: &ecstypes.TaskOverride{ContainerOverrides: []ecstypes.ContainerOverride{{
					Name: aws.String("balancer-api"), Command: []string{"npx", "prisma", "migrate", "deploy"},
				}}},
			}
			_, err := client.RunTask(t.Context(), in)
			require.ErrorContains(t, err, "Network Configuration must be provided when networkMode 'awsvpc' is specified.")
			in.NetworkConfiguration = &ecstypes.NetworkConfiguration{AwsvpcConfiguration: &ecstypes.AwsVpcConfiguration{Subnets: []string{"subnet-1"}}}
			run, err := client.RunTask(t.Context(), in)
			require.NoError(t, err)
			clk.now = clk.now.Add(2 * time.Minute)
			described, err := client.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: cluster, Tasks: []string{*run.Tasks[0].TaskArn}})
			require.NoError(t, err)
			task := described.Tasks[0]
			if want.exit < 0 {
				require.Equal(t, "RUNNING", *task.LastStatus)
			} else {
				require.Equal(t, "STOPPED", *task.LastStatus)
				require.Equal(t, want.exit, *task.Containers[0].ExitCode)
			}
			events, err := cloudwatchlogs.NewFromConfig(a.Config("us-east-1")).GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{
				LogGroupName: aws.String("/aws/ecs/v3-backend-staging"), StartFromHead: aws.Bool(true),
				LogStreamName: aws.String("api/balancer-api/" + awsx.NameFromARN(*task.TaskArn)),
			})
			require.NoError(t, err)
			var text strings.Builder
			for _, event := range events.Events {
				fmt.Fprintln(&text, *event.Message)
			}
			require.Contains(t, text.String(), want.text)
		})
	}
}

func TestLogsAreFollowed(t *testing.T) {
	a, clk := accountWith(t)
	require.NoError(t, a.Update(func(s *State) error {
		w := &simulation{t: t, m: a.model(s)}
		w.addService(w.define(1, imageOne), 1, nil)
		return nil
	}))
	client := cloudwatchlogs.NewFromConfig(a.Config("us-east-1"))
	group := aws.String("/aws/ecs/v3-backend-staging")
	clk.now = clk.now.Add(32 * time.Second)
	streams, err := client.DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group})
	require.NoError(t, err)
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: streams.LogStreams[0].LogStreamName, StartFromHead: aws.Bool(true)}
	first, err := client.GetLogEvents(t.Context(), in)
	require.NoError(t, err)
	require.Len(t, first.Events, 2)
	in.NextToken = first.NextForwardToken
	clk.now = clk.now.Add(time.Minute)
	second, err := client.GetLogEvents(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, "server ready at http://0.0.0.0:3000/graphql", *second.Events[len(second.Events)-1].Message)
	in.NextToken = second.NextForwardToken
	third, err := client.GetLogEvents(t.Context(), in)
	require.NoError(t, err)
	require.Empty(t, third.Events)
	require.Equal(t, second.NextForwardToken, third.NextForwardToken, "the same token means that there are no more")
}

func TestSecrets(t *testing.T) {
	a, _ := accountWith(t)
	client := secretsmanager.NewFromConfig(a.Config("us-east-1"))
	name := aws.String(oneSecret)
	read := func() (map[string]string, string) {
		out, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: name})
		require.NoError(t, err)
		var object map[string]string
		require.NoError(t, json.Unmarshal([]byte(*out.SecretString), &object))
		return object, *out.VersionId
	}
	before, version := read()
	require.Equal(t, "staging", before["NODE_ENV"])
	_, err := url.Parse(before["SENTRY_DSN"])
	require.NoError(t, err)

	put, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: name, SecretString: aws.String(`{"NODE_ENV":"other"}`), VersionStages: []string{"DEPLOYER"},
	})
	require.NoError(t, err)
	still, _ := read()
	require.Equal(t, before, still, "a private stage changes nothing yet")
	_, err = client.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: name, VersionStage: aws.String(stageCurrent), MoveToVersionId: put.VersionId, RemoveFromVersionId: aws.String("stale"),
	})
	var invalid *smtypes.InvalidParameterException
	require.ErrorAs(t, err, &invalid, "another user has written in between")
	_, err = client.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: name, VersionStage: aws.String(stageCurrent), MoveToVersionId: put.VersionId, RemoveFromVersionId: aws.String(version),
	})
	require.NoError(t, err)
	after, _ := read()
	require.Equal(t, map[string]string{"NODE_ENV": "other"}, after)
	previous, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: name, VersionStage: aws.String(stagePrevious)})
	require.NoError(t, err)
	require.Equal(t, version, *previous.VersionId)
}

func TestSecretsDifferBetweenAccounts(t *testing.T) {
	values := map[string]bool{}
	for range 2 {
		a, _ := accountWith(t)
		out, err := secretsmanager.NewFromConfig(a.Config("us-east-1")).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(oneSecret)})
		require.NoError(t, err)
		values[*out.SecretString] = true
	}
	require.Len(t, values, 2)
}

func TestManagedPassword(t *testing.T) {
	a, _ := accountWith(t)
	client := secretsmanager.NewFromConfig(a.Config("us-east-1"))
	arn := aws.String("arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-abcdef")
	var seen []string
	for range 2 {
		out, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: arn})
		require.NoError(t, err)
		seen = append(seen, *out.SecretString)
	}
	require.Equal(t, seen[0], seen[1])
	var object map[string]string
	require.NoError(t, json.Unmarshal([]byte(seen[0]), &object))
	require.Len(t, object["password"], 28)
	require.NoError(t, a.View(func(s *State) error {
		resources, err := json.Marshal(s.Resources)
		require.NotContains(t, string(resources), object["password"])
		return err
	}))
	_, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: arn, SecretString: aws.String("{}")})
	require.ErrorContains(t, err, "managed by rds")
}

func TestSnapshot(t *testing.T) {
	a, clk := accountWith(t)
	client := rds.NewFromConfig(a.Config("us-east-1"))
	in := &rds.CreateDBSnapshotInput{DBInstanceIdentifier: aws.String("db"), DBSnapshotIdentifier: aws.String("before")}
	made, err := client.CreateDBSnapshot(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, "creating", *made.DBSnapshot.Status)
	_, err = client.CreateDBSnapshot(t.Context(), in)
	require.Equal(t, "DBSnapshotAlreadyExists", apiCode(t, err))
	clk.now = clk.now.Add(45 * time.Second)
	described, err := client.DescribeDBSnapshots(t.Context(), &rds.DescribeDBSnapshotsInput{DBInstanceIdentifier: aws.String("db")})
	require.NoError(t, err)
	require.EqualValues(t, 50, *described.DBSnapshots[0].PercentProgress)
	clk.now = clk.now.Add(time.Minute)
	described, err = client.DescribeDBSnapshots(t.Context(), &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: aws.String("before")})
	require.NoError(t, err)
	require.Equal(t, "available", *described.DBSnapshots[0].Status)
	_, err = client.DeleteDBSnapshot(t.Context(), &rds.DeleteDBSnapshotInput{DBSnapshotIdentifier: aws.String("before")})
	require.NoError(t, err)
	_, err = client.DescribeDBSnapshots(t.Context(), &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: aws.String("before")})
	var missing *rdstypes.DBSnapshotNotFoundFault
	require.ErrorAs(t, err, &missing)
}

func TestCertificateStatus(t *testing.T) {
	for fault, want := range map[string]acmtypes.CertificateStatus{
		"": acmtypes.CertificateStatusIssued, faultCertificateExpiring: acmtypes.CertificateStatusIssued,
		faultCertificateExpired: acmtypes.CertificateStatusExpired,
	} {
		a, clk := accountWith(t, faultsOf(fault)...)
		out, err := acm.NewFromConfig(a.Config("us-east-1")).DescribeCertificate(t.Context(), &acm.DescribeCertificateInput{CertificateArn: aws.String("arn:aws:acm:cert")})
		require.NoError(t, err)
		require.Equal(t, want, out.Certificate.Status)
		require.Equal(t, want == acmtypes.CertificateStatusExpired, out.Certificate.NotAfter.Before(clk.now))
	}
}

func TestOpenPort(t *testing.T) {
	for _, faults := range [][]string{nil, {faultPortOpen}} {
		a, _ := accountWith(t, faults...)
		out, err := ec2.NewFromConfig(a.Config("us-east-1")).DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{
			Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{"vpc-1"}}},
		})
		require.NoError(t, err)
		require.Len(t, out.SecurityGroups, 1)
		require.Len(t, out.SecurityGroups[0].IpPermissions, len(faults))
	}
}

func TestAPIFaults(t *testing.T) {
	for fault, want := range map[string]string{
		faultAccessDenied: "is not authorized to perform: iam:GetRole", faultAPIErrors: "InternalFailure",
	} {
		a, _ := accountWith(t, fault)
		cfg := a.Config("us-east-1")
		_, iamErr := iam.NewFromConfig(cfg).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("role")})
		_, sqsErr := sqs.NewFromConfig(cfg).ListQueues(t.Context(), &sqs.ListQueuesInput{})
		require.ErrorContains(t, errors.Join(iamErr, sqsErr), want)
		_, err := rds.NewFromConfig(cfg).DescribeDBInstances(t.Context(), &rds.DescribeDBInstancesInput{})
		require.NoError(t, err, "other services are not affected")
	}
}

// TestThrottling lets the SDK retry, and expects one call in ten to be throttled once.
func TestThrottling(t *testing.T) {
	a, _ := accountWith(t, faultThrottled)
	cfg := a.Config("us-east-1")
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	client := ec2.NewFromConfig(cfg)
	var attempts []int
	for range 2 * throttleInterval {
		out, err := client.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
		require.NoError(t, err)
		results, _ := retry.GetAttemptResults(out.ResultMetadata)
		attempts = append(attempts, len(results.Results))
	}
	once := slices.Repeat([]int{1}, throttleInterval-1)
	require.Equal(t, slices.Concat([]int{2}, once, []int{2}, once), attempts)

	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	_, err := ec2.NewFromConfig(cfg).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	require.ErrorContains(t, err, "ThrottlingException")
}

func TestDrift(t *testing.T) {
	a, _ := accountWith(t)
	require.NoError(t, a.Update(func(s *State) error {
		w := &simulation{t: t, m: a.model(s)}
		for _, environment := range []string{"staging", "other"} {
			tags := values{"Environment": environment}
			w.put(typeLogGroup, environment, values{"name": environment, "retentionInDays": 30.0, "tagsAll": tags})
			for _, name := range []string{"cpu", "memory"} {
				w.put(typeMetricAlarm, environment+name, values{"name": environment + name, "tagsAll": tags})
			}
		}
		return nil
	}))
	require.NoError(t, a.Close())
	for range 2 {
		b, err := Open(a.path, Options{AccountID: a.ID(), Region: a.Region(), Faults: []string{faultDrift}, Environment: "staging"})
		require.NoError(t, err)
		require.NoError(t, b.View(func(s *State) error {
			require.Len(t, s.ByType(typeMetricAlarm), 3)
			require.EqualValues(t, 1, s.Get(typeLogGroup, "staging").Inputs["retentionInDays"])
			require.EqualValues(t, 30, s.Get(typeLogGroup, "other").Inputs["retentionInDays"], "another environment is not changed")
			return nil
		}))
		require.NoError(t, b.Close())
	}
}

func TestUnknownFilterIsNamed(t *testing.T) {
	a, _ := accountWith(t)
	_, err := ec2.NewFromConfig(a.Config("us-east-1")).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{
		Filters: []ec2types.Filter{{Name: aws.String("owner-id"), Values: []string{"x"}}},
	})
	require.ErrorContains(t, err, "local mode does not simulate the filter 'owner-id'")
}

func TestNotFoundErrors(t *testing.T) {
	a, _ := accountWith(t)
	cfg := a.Config("us-east-1")
	none := aws.String("none")
	for want, ask := range map[string]func() error{
		"AWS.SimpleQueueService.NonExistentQueue": func() error {
			_, err := sqs.NewFromConfig(cfg).GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: none})
			return err
		},
		"DBInstanceNotFound": func() error {
			_, err := rds.NewFromConfig(cfg).DescribeDBInstances(t.Context(), &rds.DescribeDBInstancesInput{DBInstanceIdentifier: none})
			return err
		},
		"LoadBalancerNotFound": func() error {
			_, err := elb.NewFromConfig(cfg).DescribeLoadBalancers(t.Context(), &elb.DescribeLoadBalancersInput{Names: []string{"none"}})
			return err
		},
		"NoSuchEntity": func() error {
			_, err := iam.NewFromConfig(cfg).GetRole(t.Context(), &iam.GetRoleInput{RoleName: none})
			return err
		},
		"ClusterNotFoundException": func() error {
			_, err := ecs.NewFromConfig(cfg).ListServices(t.Context(), &ecs.ListServicesInput{Cluster: none})
			return err
		},
	} {
		t.Run(want, func(t *testing.T) {
			var api smithy.APIError
			require.True(t, errors.As(ask(), &api))
			require.Contains(t, []string{want, "QueueDoesNotExist"}, api.ErrorCode())
		})
	}
}

func TestFaultNames(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "account.json"), Options{AccountID: "1", Region: "r", Faults: []string{"task-crush"}})
	var unknown *UnknownFaultError
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, "did you mean task-crash? `deployer local faults` lists all", unknown.Hint())
	require.Contains(t, (&UnknownFaultError{Name: "zzzzzz"}).Hint(), "image-missing, ")
	for _, f := range Faults() {
		require.NotEmpty(t, f.Effect, f.Name)
		require.NotEmpty(t, f.Expect, f.Name)
	}
}

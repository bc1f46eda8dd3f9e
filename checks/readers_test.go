package checks

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"
)

// readingFrom returns a run context whose calls the function answers.
func readingFrom(t *testing.T, answer func(in any) (any, error)) *runContext {
	cfg := answering(func(_ context.Context, in any) (any, error) { return answer(in) })
	return &runContext{env: loaded(t, "dev"), now: now, clk: still{}, src: Sources{AWS: cfg}}
}

func TestReadImageOfAnIndex(t *testing.T) {
	rc := readingFrom(t, func(in any) (any, error) {
		switch in := in.(type) {
		case *ecr.DescribeImagesInput:
			out := &ecr.DescribeImagesOutput{}
			for _, id := range in.ImageIds {
				image := ecrtypes.ImageDetail{ImageDigest: id.ImageDigest}
				switch aws.ToString(id.ImageDigest) {
				case "sha256:index":
					image.ImageManifestMediaType = aws.String("application/vnd.oci.image.index.v1+json")
				case "sha256:amd64":
					image.ImageScanFindingsSummary = &ecrtypes.ImageScanFindingsSummary{FindingSeverityCounts: map[string]int32{"CRITICAL": 2, "HIGH": 1}}
				default:
					return nil, errors.New("an attestation is not an image")
				}
				out.ImageDetails = append(out.ImageDetails, image)
			}
			return out, nil
		case *ecr.BatchGetImageInput:
			return &ecr.BatchGetImageOutput{Images: []ecrtypes.Image{{ImageId: &in.ImageIds[0], ImageManifest: aws.String(`{"manifests":[
				{"digest":"sha256:amd64","platform":{"os":"linux"}},
				{"digest":"sha256:attestation","platform":{"os":"unknown"}}]}`)}}}, nil
		}
		return nil, unanswered(in)
	})
	image, err := readImage(t.Context(), rc, "sha256:index")
	require.NoError(t, err)
	require.True(t, image.Scanned)
	require.Equal(t, 2, image.Critical)
	require.Equal(t, 1, image.High)
}

func TestReadImageThatIsGone(t *testing.T) {
	rc := readingFrom(t, func(any) (any, error) { return nil, apiError("ImageNotFoundException") })
	image, err := readImage(t.Context(), rc, "sha256:1")
	require.NoError(t, err)
	require.Nil(t, image)
}

func TestReadPasswordRotation(t *testing.T) {
	rc := readingFrom(t, func(in any) (any, error) {
		switch in := in.(type) {
		case *rds.DescribeDBInstancesInput:
			return &rds.DescribeDBInstancesOutput{DBInstances: []rdstypes.DBInstance{{
				MasterUserSecret: &rdstypes.MasterUserSecret{SecretArn: aws.String("arn:managed")},
			}}}, nil
		case *secretsmanager.DescribeSecretInput:
			require.Equal(t, "arn:managed", aws.ToString(in.SecretId))
			return &secretsmanager.DescribeSecretOutput{CreatedDate: ago(9 * time.Hour), LastRotatedDate: ago(time.Hour)}, nil
		}
		return nil, unanswered(in)
	})
	rotated, err := readPasswordRotation(t.Context(), rc)
	require.NoError(t, err)
	require.Equal(t, passwordRotation{created: ago(9 * time.Hour), rotated: ago(time.Hour)}, rotated)
}

func TestReadCertificatePrefersTheOneInUse(t *testing.T) {
	rc := readingFrom(t, func(in any) (any, error) {
		switch in := in.(type) {
		case *acm.ListCertificatesInput:
			require.Contains(t, in.Includes.KeyTypes, acmtypes.KeyAlgorithmEcPrime256v1, "ACM lists only some key types by itself")
			return &acm.ListCertificatesOutput{CertificateSummaryList: []acmtypes.CertificateSummary{
				{CertificateArn: aws.String("new"), DomainName: aws.String(devDomain)},
				{CertificateArn: aws.String("used"), DomainName: aws.String(devDomain)},
				{CertificateArn: aws.String("other"), DomainName: aws.String("staging-api.hyperchonk.com")},
			}}, nil
		case *acm.DescribeCertificateInput:
			detail := &acmtypes.CertificateDetail{CertificateArn: in.CertificateArn, Status: acmtypes.CertificateStatusIssued, CreatedAt: ago(0)}
			switch aws.ToString(in.CertificateArn) {
			case "used":
				detail.InUseBy, detail.CreatedAt = []string{"alb"}, ago(day)
			case "other":
				return nil, unanswered(in)
			}
			return &acm.DescribeCertificateOutput{Certificate: detail}, nil
		}
		return nil, unanswered(in)
	})
	certificate, err := readCertificate(t.Context(), rc)
	require.NoError(t, err)
	require.Equal(t, "used", aws.ToString(certificate.CertificateArn))
}

// TestCheckServicesExplains reads a service that does not come up: the stop's cause and the task's last log lines are in
// the finding, and what CloudWatch denies is only missing.
func TestCheckServicesExplains(t *testing.T) {
	crash := by("ecs-svc/2", stopped(ecstypes.TaskStopCodeEssentialContainerExited, "Essential container in task exited", 1, ""))
	crash.Group, crash.TaskArn = aws.String("service:"+apiService), aws.String("arn:aws:ecs:us-east-1:1:task/c/0123")
	rc := readingFrom(t, func(in any) (any, error) {
		switch in := in.(type) {
		case *ecs.ListServicesInput:
			return &ecs.ListServicesOutput{ServiceArns: []string{apiService}}, nil
		case *ecs.DescribeServicesInput:
			return &ecs.DescribeServicesOutput{Services: []ecstypes.Service{service(1, 0, ecstypes.DeploymentRolloutStateInProgress, func(s *ecstypes.Service) {
				s.Deployments[0].FailedTasks = 1
			})}}, nil
		case *ecs.ListTasksInput:
			return &ecs.ListTasksOutput{TaskArns: []string{"0123"}}, nil
		case *ecs.DescribeTasksInput:
			return &ecs.DescribeTasksOutput{Tasks: []ecstypes.Task{crash}}, nil
		case *cloudwatchlogs.GetLogEventsInput:
			require.Equal(t, "api/balancer-api/0123", aws.ToString(in.LogStreamName))
			return &cloudwatchlogs.GetLogEventsOutput{Events: []logstypes.OutputLogEvent{{Message: aws.String("Error: no module")}}}, nil
		case *cloudwatch.GetMetricDataInput:
			return nil, apiError("AccessDenied")
		}
		return nil, unanswered(in)
	})
	findings, err := checkServices(t.Context(), rc)
	require.NoError(t, err)
	requireVerdict(t, verdict{Error, "RolloutStuck", "exit code 1"}, findings[0])
	require.Equal(t, []string{"Error: no module"}, findings[0].Details["last_log_lines"])
	requireVerdict(t, verdict{Error, "ServiceMissing", "worker"}, findings[1])

	section := stuckSection(rc, findings)
	require.Len(t, section, 1)
	require.Equal(t, findings[0].Service, section[0].Service)
}

func TestAbsentIsNotAnError(t *testing.T) {
	for code, read := range map[string]func(context.Context, *runContext) (any, error){
		"ClusterNotFoundException":    func(ctx context.Context, rc *runContext) (any, error) { return readServices(ctx, rc) },
		"InvalidRequestException":     func(ctx context.Context, rc *runContext) (any, error) { return readSecret(ctx, rc) },
		"LoadBalancerNotFound":        func(ctx context.Context, rc *runContext) (any, error) { return readBalancer(ctx, rc) },
		"TargetGroupNotFound":         func(ctx context.Context, rc *runContext) (any, error) { return readTargetGroup(ctx, rc) },
		"DBInstanceNotFound":          func(ctx context.Context, rc *runContext) (any, error) { return readDatabase(ctx, rc) },
		"RepositoryNotFoundException": func(ctx context.Context, rc *runContext) (any, error) { return readRepository(ctx, rc) },
		"NoSuchBucket":                func(ctx context.Context, rc *runContext) (any, error) { return readBucket(ctx, rc) },
	} {
		t.Run(code, func(t *testing.T) {
			found, err := read(t.Context(), readingFrom(t, func(any) (any, error) { return nil, apiError(code) }))
			require.NoError(t, err)
			require.Empty(t, found)
			_, err = read(t.Context(), readingFrom(t, func(any) (any, error) { return nil, apiError("AccessDenied") }))
			require.Error(t, err, "and nothing else counts as absent")
		})
	}
}

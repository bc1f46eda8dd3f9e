package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Registry is the image repository. Its tags are mutable, since ENV-latest moves; only digests are deployed.
type Registry struct {
	pulumi.ResourceState

	// URL is the repository without a tag.
	URL, ARN pulumi.StringOutput
}

// NewRegistry declares a Registry.
func NewRegistry(ctx *pulumi.Context, name string, shared *environment.Shared, opts ...pulumi.ResourceOption) (*Registry, error) {
	c := &Registry{}
	child, err := declare(ctx, "Registry", name, c, opts)
	if err != nil {
		return nil, err
	}
	config := shared.Repository
	repository, err := ecr.NewRepository(ctx, name, &ecr.RepositoryArgs{
		Name:                       pulumi.String(config.Name),
		ImageTagMutability:         pulumi.String("MUTABLE"),
		ForceDelete:                pulumi.Bool(false),
		ImageScanningConfiguration: ecr.RepositoryImageScanningConfigurationArgs{ScanOnPush: pulumi.Bool(true)},
		EncryptionConfigurations: ecr.RepositoryEncryptionConfigurationArray{
			ecr.RepositoryEncryptionConfigurationArgs{EncryptionType: pulumi.String("AES256")},
		},
		Tags: withName(shared.Tags(), config.Name),
	}, child)
	if err != nil {
		return nil, err
	}
	rules, err := lifecyclePolicy(config)
	if err != nil {
		return nil, err
	}
	if _, err := ecr.NewLifecyclePolicy(ctx, name, &ecr.LifecyclePolicyArgs{
		Repository: repository.Name,
		Policy:     pulumi.String(rules),
	}, child); err != nil {
		return nil, err
	}
	c.URL, c.ARN = repository.RepositoryUrl, repository.Arn
	return c, finish(ctx, name, c, pulumi.Map{"url": c.URL, "arn": c.ARN})
}

// lifecycleRule is one rule of an ECR lifecycle policy.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
type lifecycleRule struct {
	RulePriority int                `json:"rulePriority"`
	Description  string             `json:"description"`
	Selection    lifecycleSelection `json:"selection"`
	Action       map[string]string  `json:"action"`
}

type lifecycleSelection struct {
	TagStatus      string   `json:"tagStatus"`
	TagPatternList []string `json:"tagPatternList,omitempty"`
	CountType      string   `json:"countType"`
	CountUnit      string   `json:"countUnit,omitempty"`
	CountNumber    int      `json:"countNumber"`
}

// neverExpire is a count that the images of an account's environments never reach.
const neverExpire = 1000

// keptTagPatterns returns the patterns of the tags that the deployer gives to running and previous images.
func keptTagPatterns() []string { return []string{"running-*", "previous-*"} }

// lifecyclePolicy returns the lifecycle policy of the repository. Several patterns in one rule select only the images
// that match all of them, so each pattern has its own rule. An image that one rule selects cannot be expired by a later
// one: the first rules, whose count is never reached, keep running and previous images.
func lifecyclePolicy(r environment.Repository) (string, error) {
	var rules []lifecycleRule
	add := func(description string, selection lifecycleSelection) {
		rules = append(rules, lifecycleRule{len(rules) + 1, description, selection, map[string]string{"type": "expire"}})
	}
	for _, pattern := range keptTagPatterns() {
		add("Keep every image tagged "+pattern, newestTagged(pattern, neverExpire))
	}
	add(fmt.Sprintf("Keep the newest %d tagged images", r.KeepImages), newestTagged("*", r.KeepImages))
	add(fmt.Sprintf("Drop images without a tag after %d days", r.UntaggedDays), lifecycleSelection{
		TagStatus: "untagged", CountType: "sinceImagePushed", CountUnit: "days", CountNumber: r.UntaggedDays,
	})
	return marshal("the lifecycle of "+r.Name, map[string][]lifecycleRule{"rules": rules})
}

// newestTagged selects the images with a tag of the pattern, except for the newest count.
func newestTagged(pattern string, count int) lifecycleSelection {
	return lifecycleSelection{
		TagStatus: "tagged", TagPatternList: []string{pattern}, CountType: "imageCountMoreThan", CountNumber: count,
	}
}

// DeployShared returns the program of the shared stack: the hosted zone, the image repository, the permissions boundary,
// and GitHub's roles. All of it is protected, since every environment depends on it. endpointURL is an AWS-compatible
// endpoint, or "" for AWS.
func DeployShared(shared *environment.Shared, endpointURL string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		provider, err := newProvider(ctx, providerName, shared.Region, shared.Account, endpointURL)
		if err != nil {
			return err
		}
		opts := []pulumi.ResourceOption{pulumi.Providers(provider), pulumi.Protect(true)}
		zone, err := NewZone(ctx, "zone", shared, opts...)
		if err != nil {
			return err
		}
		registry, err := NewRegistry(ctx, "registry", shared, opts...)
		if err != nil {
			return err
		}
		if _, err := NewBoundary(ctx, "boundary", shared, registry.ARN, opts...); err != nil {
			return err
		}
		args := &DeliveryArgs{Shared: shared, RepositoryARN: registry.ARN, ZoneARN: zone.ARN}
		delivery, err := NewDelivery(ctx, "delivery", args, opts...)
		if err != nil {
			return err
		}
		ctx.Export("zoneId", zone.ID)
		ctx.Export("nameServers", zone.NameServers)
		ctx.Export("repositoryUrl", registry.URL)
		ctx.Export("deployRoleArn", delivery.DeployRoleARN)
		ctx.Export("productionDeployRoleArn", delivery.ProductionRoleARN)
		ctx.Export("readRoleArn", delivery.ReadRoleARN)
		return nil
	}
}

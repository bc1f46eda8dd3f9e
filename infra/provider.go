package infra

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/secretsmanager"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// providerName is the name of the provider in the environment's own region. That of another region has the region behind it.
const providerName = "aws"

func providerNameIn(region string) string { return providerName + "-" + region }

// DeclareProvider returns a function that declares an AWS provider of an environment's stack by its name, as the program does.
func DeclareProvider(env *environment.Environment, endpointURL string) func(*pulumi.Context, string) (pulumi.ProviderResource, error) {
	return func(ctx *pulumi.Context, name string) (pulumi.ProviderResource, error) {
		region := env.Region
		if name != providerName {
			region = strings.TrimPrefix(name, providerName+"-")
		}
		return newProvider(ctx, name, region, env.Account, endpointURL)
	}
}

// newProvider declares the AWS provider of every resource of a stack. It rejects any account but the environment's.
//
// With an endpointURL it connects to an emulator of AWS, and needs no more than emulators have: no validation of the
// credentials, no instance metadata, path-style buckets. It still requests the account ID, which ARNs contain.
// Source: https://www.pulumi.com/registry/packages/aws/api-docs/provider/
func newProvider(ctx *pulumi.Context, name, region, account, endpointURL string) (*aws.Provider, error) {
	args := &aws.ProviderArgs{Region: pulumi.String(region), AllowedAccountIds: pulumi.StringArray{pulumi.String(account)}}
	if endpointURL != "" {
		args.SkipCredentialsValidation = pulumi.Bool(true)
		args.SkipMetadataApiCheck = pulumi.Bool(true)
		args.SkipRequestingAccountId = pulumi.Bool(false)
		args.S3UsePathStyle = pulumi.Bool(true)
		args.Endpoints = aws.ProviderEndpointArray{endpoints(pulumi.String(endpointURL))}
	}
	provider, err := aws.NewProvider(ctx, name, args)
	if err != nil {
		return nil, fmt.Errorf("declare the AWS provider: %w", err)
	}
	return provider, nil
}

// endpoints returns the same address for every service that the program uses.
func endpoints(url pulumi.StringPtrInput) aws.ProviderEndpointArgs {
	return aws.ProviderEndpointArgs{
		Acm:            url,
		Appautoscaling: url,
		Budgets:        url,
		Cloudwatch:     url,
		Ec2:            url,
		Ecr:            url,
		Ecs:            url,
		Elbv2:          url,
		Iam:            url,
		Logs:           url,
		Rds:            url,
		Route53:        url,
		S3:             url,
		Secretsmanager: url,
		Sns:            url,
		Sqs:            url,
		Sts:            url,
		Wafv2:          url,
		Xray:           url,
	}
}

// lookups has what an environment uses but does not manage: the shared stack's zone and repository, and the
// configuration secret. No run of the program can change or delete them.
type lookups struct {
	zoneID, repositoryARN, secretARN pulumi.StringOutput
}

// lookUp reads what the environment uses. A missing resource fails the run with its name.
func lookUp(ctx *pulumi.Context, env *environment.Environment, provider *aws.Provider) lookups {
	opt := pulumi.Provider(provider)
	zone := route53.LookupZoneOutput(ctx, route53.LookupZoneOutputArgs{
		Name:        pulumi.String(env.Domain.Root),
		PrivateZone: pulumi.Bool(false),
	}, opt)
	repository := ecr.LookupRepositoryOutput(ctx, ecr.LookupRepositoryOutputArgs{Name: pulumi.String(env.Image.Repository)}, opt)
	secret := secretsmanager.LookupSecretOutput(ctx, secretsmanager.LookupSecretOutputArgs{
		Name: pulumi.String(env.SecretName()),
	}, opt)
	return lookups{zoneID: zone.ZoneId(), repositoryARN: repository.Arn(), secretARN: secret.Arn()}
}

package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// DeclareProvider returns what declares the AWS provider of an environment's stack, as the program does.
func DeclareProvider(env *environment.Environment, endpointURL string) func(*pulumi.Context) (pulumi.ProviderResource, error) {
	return func(ctx *pulumi.Context) (pulumi.ProviderResource, error) {
		return newProvider(ctx, env.Region, env.Account, endpointURL)
	}
}

// newProvider declares the one AWS provider that every resource of a stack uses. It refuses to work in any account
// but the one that the environment names.
//
// With an endpointURL it talks to an emulator of AWS there, and asks for no more than emulators have: no check of the
// credentials, no instance metadata, buckets in the path. The account number is still asked for, because ARNs carry it.
// Source: https://www.pulumi.com/registry/packages/aws/api-docs/provider/
func newProvider(ctx *pulumi.Context, region, account, endpointURL string) (*aws.Provider, error) {
	args := &aws.ProviderArgs{
		Region:            pulumi.String(region),
		AllowedAccountIds: pulumi.StringArray{pulumi.String(account)},
	}
	if endpointURL != "" {
		args.SkipCredentialsValidation = pulumi.Bool(true)
		args.SkipMetadataApiCheck = pulumi.Bool(true)
		args.SkipRequestingAccountId = pulumi.Bool(false)
		args.S3UsePathStyle = pulumi.Bool(true)
		args.Endpoints = aws.ProviderEndpointArray{endpoints(pulumi.String(endpointURL))}
	}
	provider, err := aws.NewProvider(ctx, "aws", args)
	if err != nil {
		return nil, fmt.Errorf("declare the AWS provider: %w", err)
	}
	return provider, nil
}

// endpoints sends every service that the program uses to the same address.
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

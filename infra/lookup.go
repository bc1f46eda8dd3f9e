package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/secretsmanager"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

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

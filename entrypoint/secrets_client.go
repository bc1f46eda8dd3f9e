package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/logging"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/configuration"
)

// attemptTimeout limits one call: much longer than Secrets Manager takes, and short enough for several attempts.
const attemptTimeout = 5 * time.Second

// secretsClient fetches secrets with retries.
type secretsClient struct {
	client *secretsmanager.Client
	region string
	log    func(line string)
	clock  clock.Clock
}

// newSecretsClient finds region and credentials as every SDK does: variables, profile, the endpoint of the task's role.
// EC2 instance metadata is not used: a task has its own role.
func (l launcher) newSecretsClient(ctx context.Context, existing map[string]string) (*secretsClient, error) {
	// Only the SDK's own client applies AWS_CA_BUNDLE.
	sdk := awshttp.NewBuildableClient().WithTimeout(attemptTimeout)
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithEC2IMDSClientEnableState(imds.ClientDisabled),
		config.WithHTTPClient(sdk), config.WithLogger(logging.Nop{}),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
	)
	if err != nil {
		return nil, configurationError(fmt.Errorf("read the AWS configuration: %w", err))
	}
	if cfg.Region == "" {
		cfg.Region = regionOf(existing[configSecretID], existing[databaseSecretARN])
	}
	if cfg.Region == "" {
		return nil, configurationError(fmt.Errorf("the AWS region is not known; set AWS_REGION"))
	}
	if built, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok && l.transport == nil {
		l.transport = built.GetTransport()
	}
	cfg.HTTPClient = newClient(l.transport)
	c := &secretsClient{client: secretsmanager.NewFromConfig(cfg), region: cfg.Region, log: l.log, clock: l.clock}
	if err := checkEndpoint(c.client.Options().BaseEndpoint); err != nil {
		return nil, err
	}
	return c, c.checkCredentials(ctx, cfg.Credentials)
}

// regionOf returns the region of the first ARN.
func regionOf(ids ...string) string {
	for _, id := range ids {
		if parsed, err := arn.Parse(id); err == nil && parsed.Region != "" {
			return parsed.Region
		}
	}
	return ""
}

// checkCredentials retrieves the credentials before they are needed, so that a task without a role fails with that
// error alone.
func (c *secretsClient) checkCredentials(ctx context.Context, credentials aws.CredentialsProvider) error {
	_, err := retry(ctx, c, "the credentials", func(ctx context.Context) (aws.Credentials, *fetchError) {
		found, err := credentials.Retrieve(ctx)
		if err != nil {
			return found, credentialsError(err)
		}
		return found, nil
	})
	return err
}

// fetch returns a secret's text.
func (c *secretsClient) fetch(ctx context.Context, variable, id string) (string, error) {
	// A secret in another region must be fetched there; its ARN has the region.
	region := cmp.Or(regionOf(id), c.region)
	return retry(ctx, c, "the secret "+printable(id), func(ctx context.Context) (string, *fetchError) {
		out, err := c.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: aws.String("AWSCURRENT")},
			func(o *secretsmanager.Options) { o.Region = region })
		switch {
		case err != nil:
			return "", classify(err, variable, region)
		case out.SecretString == nil && out.SecretBinary == nil:
			return "", &fetchError{what: fetchFailed + unreadable, temporary: true}
		case out.SecretString == nil:
			return "", &fetchError{what: "contains binary data; store a JSON object in it as text"}
		}
		return *out.SecretString, nil
	})
}

// fetchSecrets fetches both secrets concurrently. settings is nil unless they came from a file. If they include a
// DATABASE_URL, it does not wait for the database's secret.
func (c *secretsClient) fetchSecrets(
	ctx context.Context, settings *configuration.Settings, databaseSecret string, existing map[string]string,
) (*configuration.Settings, string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		text string
		err  error
	}
	database := make(chan outcome, 1)
	if databaseSecret != "" {
		go func() {
			text, err := c.fetch(ctx, databaseSecretARN, databaseSecret)
			database <- outcome{text, err}
		}()
	}
	if settings == nil {
		id := existing[configSecretID]
		text, err := c.fetch(ctx, configSecretID, id)
		if err != nil {
			return nil, "", err
		}
		if settings, err = configuration.ParseSecret(printable(id), text); err != nil {
			return nil, "", configurationError(err)
		}
	}
	if databaseSecret == "" || settings.Values[databaseURL] != "" {
		return settings, "", nil
	}
	got := <-database
	if got.err != nil {
		return nil, "", got.err
	}
	parts := maps.Clone(existing)
	for name, value := range settings.Values {
		if strings.HasPrefix(name, "DATABASE_") && parts[name] == "" {
			parts[name] = value
		}
	}
	url, err := databaseURLOf(parts, printable(databaseSecret), got.text)
	return settings, url, err
}

// databaseURLOf builds DATABASE_URL from the secret that RDS manages and from the variables in the task definition.
func databaseURLOf(parts map[string]string, source, secret string) (string, error) {
	user, password, err := configuration.ParseCredentials(source, secret)
	if err != nil {
		return "", configurationError(err)
	}
	url, err := configuration.Database{
		User: user, Password: password, Host: parts[databaseHost], Port: parts["DATABASE_PORT"], Name: parts["DATABASE_NAME"],
		Connections: parts["DATABASE_CONNECTION_LIMIT"], PoolTimeout: parts["DATABASE_POOL_TIMEOUT"],
	}.URL(databaseURL)
	if err != nil {
		return "", configurationError(err)
	}
	return url, nil
}

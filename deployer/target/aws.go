package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/statebackend"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/expiry"
	"github.com/balancer/v3-backend-infra/probe"
)

// apiMaxAttempts limits the attempts of a call to AWS, throttled calls above all; apiTimeout limits each of them. The SDK
// has no time limit of its own, and no time limit of a phase would end such a call.
const (
	apiMaxAttempts = 8
	apiTimeout     = 30 * time.Second
)

func openAWS(ctx context.Context, o Options, ref Ref) (*Target, error) {
	options := []func(*config.LoadOptions) error{
		config.WithRegion(ref.Region), config.WithRetryMode(aws.RetryModeAdaptive), config.WithRetryMaxAttempts(apiMaxAttempts),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(apiTimeout)),
	}
	if !o.Debug {
		options = append(options, config.WithLogger(logging.Nop{}))
	}
	if o.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(o.Profile))
	}
	if o.EndpointURL != "" {
		options = append(options, config.WithBaseEndpoint(o.EndpointURL))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if missing := (config.SharedConfigProfileNotExistError{}); errors.As(err, &missing) {
		return nil, hint.With(fmt.Errorf("the profile %q does not exist", o.Profile), "`aws configure list-profiles` lists them")
	}
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}
	loaded.Credentials = expiry.FromEnvironment(loaded.Credentials, os.Getenv)
	state := Backend{WorkDir: o.WorkDir("account"), Env: func() (map[string]string, error) { return engineVariables(o), nil }}
	own := location{bucket: environment.StateBucket(ref.Prefix, ref.AccountID), region: stateRegion(o, ref)}
	if os.Getenv("PULUMI_BACKEND_URL") == "" {
		state.URL = fmt.Sprintf("s3://%s?region=%s&awssdk=v2", own.bucket, own.region)
		if o.EndpointURL != "" {
			state.URL += "&use_path_style=true" // an emulator has one address for all buckets
		}
		state.SecretsProvider = secretsProvider(ref.Prefix, own.region)
	}
	records, err := locateBesideState(os.Getenv("PULUMI_BACKEND_URL"), own)
	if err != nil {
		return nil, err
	}
	if records.bucket == own.bucket {
		state.Bucket, state.Region = own.bucket, own.region
	}
	opened := records.open(loaded, o.EndpointURL != "")
	backendURL := cmp.Or(state.URL, os.Getenv("PULUMI_BACKEND_URL"))
	state.Gated = func(endpoint string) string { return gatedURL(backendURL, records.region, endpoint) }
	if opened.client != nil {
		state.Versions = func(ctx context.Context, object engine.Object) iter.Seq2[[]byte, error] {
			return statebackend.Versions(ctx, opened.client, object.Bucket, object.Key)
		}
	}
	return &Target{
		AWS: loaded, Network: probe.SystemNetwork(), Clock: clock.Real(), State: state,
		Records: opened.records(), Locks: opened.locks(),
	}, nil
}

// secretsProvider returns the URL of the key that encrypts the state's secrets.
func secretsProvider(prefix, region string) string {
	return fmt.Sprintf("awskms://%s?region=%s", environment.StateKeyAlias(prefix), region)
}

// stateRegion returns the region of the account's bucket and key: that of the shared stack, where bootstrap created them,
// whichever region the command is about.
func stateRegion(o Options, ref Ref) string {
	shared, err := environment.LoadShared(o.Dir)
	if err != nil || shared.Account != ref.AccountID {
		return ref.Region
	}
	return shared.Region
}

// engineVariables returns the environment variables that pass the account's flags on to the engine and its provider.
func engineVariables(o Options) map[string]string {
	variables := map[string]string{}
	if o.Profile != "" {
		variables["AWS_PROFILE"] = o.Profile
	}
	if o.EndpointURL != "" {
		variables["AWS_ENDPOINT_URL"] = o.EndpointURL
	}
	return variables
}

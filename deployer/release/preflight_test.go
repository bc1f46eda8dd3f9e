package release

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/sleep"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
	"github.com/balancer/v3-backend-infra/internal/awsx/expiry"
)

// token returns a configuration whose STS returns the account, or an error with a code.
func token(t *testing.T, code string) aws.Config {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if code != "" {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprintf(w, `<ErrorResponse><Error><Code>%s</Code><Message>refused</Message></Error></ErrorResponse>`, code)
			return
		}
		_, _ = fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))
	t.Cleanup(server.Close)
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "key", "token"),
	}
}

func TestCheckIdentity(t *testing.T) {
	now := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
	expiring := func(left time.Duration) aws.CredentialsProviderFunc {
		return func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "key", CanExpire: true, Expires: now.Add(left), Source: "EnvConfigCredentials"}, nil
		}
	}
	renewed := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "key", CanExpire: true, Expires: now.Add(time.Minute), Source: "AssumeRoleProvider"}, nil
	})
	invalid := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, expiry.ErrInvalid })
	for name, test := range map[string]struct {
		code        string
		credentials aws.CredentialsProvider
		account     string
		want, hint  string
	}{
		"the right account":        {account: "123456789012"},
		"they last long enough":    {account: "123456789012", credentials: expiring(time.Hour)},
		"another account":          {account: "210987654321", want: "the credentials belong to account 123456789012, Pulumi.dev.yaml names 210987654321", hint: "choose the other account's profile with --profile, or correct `account` in Pulumi.dev.yaml"},
		"expired":                  {code: "ExpiredToken", want: "they have expired", hint: "renew them, with `aws sso login` for instance"},
		"unknown to AWS":           {code: "InvalidClientTokenId", want: "AWS does not know them", hint: "check AWS_ACCESS_KEY_ID, AWS_PROFILE and ~/.aws"},
		"they expire in a moment":  {account: "123456789012", credentials: expiring(5 * time.Minute), want: "they expire in 5m0s, a deployment may take longer", hint: "renew them first"},
		"they have ended":          {account: "123456789012", credentials: expiring(-time.Hour), want: "they expired at 2026-11-23T15:00:00Z", hint: "renew them, with `aws sso login` for instance"},
		"the SDK renews them":      {account: "123456789012", credentials: renewed},
		"their expiry is invalid":  {credentials: invalid, want: "AWS_CREDENTIAL_EXPIRATION is not a time such as 2026-11-30T10:00:00Z", hint: "correct it, or unset it where the credentials do not expire"},
		"there are no credentials": {credentials: none(), want: "none were found: no providers", hint: "run `aws sso login`, set AWS_PROFILE, or try --local, which needs no account"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := token(t, test.code)
			if test.credentials != nil {
				cfg.Credentials = test.credentials
			}
			problems := CheckIdentity(t.Context(), cfg, test.account, "Pulumi.dev.yaml", now)
			if test.want == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.True(t, problems[0].Stops)
			require.Equal(t, test.want, problems[0].Message)
			require.Equal(t, test.hint, problems[0].Hint)
		})
	}
}

func none() aws.CredentialsProviderFunc {
	return func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("no providers") }
}

// Credentials that end before the time limits have passed are a warning: a deployment is usually faster.
func TestLifetime(t *testing.T) {
	now := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	env := staging(t)
	env.Deployment.Migrations.Timeout, env.Deployment.Rollout.Timeout = 10*time.Minute, 20*time.Minute
	env.Deployment.Health.Tries, env.Deployment.Health.Interval = 6, 10*time.Second
	for name, test := range map[string]struct {
		left               time.Duration
		migrates, rollsOut bool
		only               bool
		want               string
	}{
		"long enough":           {46 * time.Minute, true, true, false, ""},
		"too short":             {46*time.Minute - time.Second, true, true, false, "they expire in 45m59s, and with its time limits the deployment may take 46m0s: it would end unfinished"},
		"without a migration":   {36 * time.Minute, false, true, false, ""},
		"without a rollout":     {25 * time.Minute, true, false, false, ""},
		"a migration alone":     {25 * time.Minute, true, true, true, ""},
		"it takes its own time": {24 * time.Minute, false, false, true, "they expire in 24m0s, and with its time limits the deployment may take 25m0s: it would end unfinished"},
		"they do not end":       {0, true, true, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := &preflight{env: env, now: now, migrates: test.migrates, rollsOut: test.rollsOut, migrationOnly: test.only, aws: aws.Config{
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{CanExpire: test.left > 0, Expires: now.Add(test.left), Source: "EnvConfigCredentials"}, nil
				}),
			}}
			problems := p.lifetime(t.Context())
			if test.want == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.Equal(t, test.want, problems[0].Message)
			require.False(t, problems[0].Stops)
			require.Equal(t, now.Add(test.left-15*time.Minute), LastStart(t.Context(), p.aws))
		})
	}
	require.Zero(t, LastStart(t.Context(), aws.Config{Credentials: none()}))
}

func TestEvaluateScan(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	// The image was pushed a minute ago: what does not pass is reported at once all the same.
	state := func(status types.ScanStatus, description string) Image {
		return Image{Pushed: now.Add(-time.Minute), Findings: ecrimage.Findings{Status: status, Description: description}}
	}
	for name, test := range map[string]struct {
		image         Image
		strict        bool
		stops, passes bool
		want          string
	}{
		"clean":                             {Image{Findings: ecrimage.Findings{Scanned: true}}, true, false, false, ""},
		"findings warn":                     {Image{Findings: ecrimage.Findings{Scanned: true, Critical: 2}}, false, false, false, "the scan of t has 2 critical findings"},
		"findings stop":                     {Image{Findings: ecrimage.Findings{Scanned: true, Critical: 2}}, true, true, false, "the scan of t has 2 critical findings"},
		"unscanned warns":                   {Image{Pushed: now.Add(-time.Hour)}, false, false, false, "t has not been scanned"},
		"unscanned stops":                   {Image{Pushed: now.Add(-time.Hour)}, true, true, false, "t has not been scanned"},
		"a scan that is to come is awaited": {Image{Pushed: now.Add(-time.Minute)}, true, true, true, "t has not been scanned"},
		"pending":                           {state(types.ScanStatusPending, ""), true, true, true, "t waits for its scan"},
		"in progress":                       {state(types.ScanStatusInProgress, ""), true, true, true, "t is being scanned"},
		"failed":                            {state(types.ScanStatusFailed, "an error of ECR"), true, true, false, "t could not be scanned: an error of ECR"},
		"failed, of an unsupported image": {state(types.ScanStatusFailed, "UnsupportedImageError: The operating system 'x' is not supported"), true, true, false,
			"t cannot be scanned: UnsupportedImageError: The operating system 'x' is not supported"},
		"unsupported":    {state(types.ScanStatusUnsupportedImage, ""), false, false, false, "t cannot be scanned"},
		"expired":        {state(types.ScanStatusScanEligibilityExpired, "SCAN_ELIGIBILITY_EXPIRED"), true, true, false, "t is no longer scanned"},
		"no findings":    {state(types.ScanStatusFindingsUnavailable, ""), true, true, false, "t has no findings that can be read now"},
		"limit exceeded": {state(types.ScanStatusLimitExceeded, ""), true, true, false, "a quota of scans is exhausted"},
		"archived":       {state(types.ScanStatusImageArchived, ""), true, true, false, "t is archived"},
		"a new state":    {state("SOMETHING", ""), true, true, true, "t has not been scanned"},
	} {
		t.Run(name, func(t *testing.T) {
			found := evaluateScan("t", &test.image, test.strict, now)
			if test.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.Contains(t, found[0].Message, test.want)
			require.Equal(t, []bool{test.stops, test.passes}, []bool{found[0].Stops, found[0].Transient})
			require.NotEmpty(t, found[0].Hint)
		})
	}
	for _, status := range types.ScanStatus("").Values() {
		if _, known := scanStates[status]; !known {
			require.Contains(t, []types.ScanStatus{types.ScanStatusComplete, types.ScanStatusActive}, status)
		}
	}
}

func TestWaitable(t *testing.T) {
	delegation, transient := Problem{Check: Delegation, Stops: true}, Problem{Check: "database", Stops: true, Transient: true}
	permanent, warning := Problem{Check: "image", Stops: true}, Problem{Check: "image"}
	for name, test := range map[string]struct {
		problems []Problem
		request  Request
		want     time.Duration
	}{
		"nothing":                            {nil, Request{Wait: true, WaitDelegation: true}, 0},
		"delegation, beside a warning":       {[]Problem{delegation, warning}, Request{WaitDelegation: true}, delegationInterval},
		"delegation, without the flag":       {[]Problem{delegation}, Request{Wait: true}, 0},
		"delegation, beside another problem": {[]Problem{delegation, permanent}, Request{WaitDelegation: true}, 0},
		"what resolves itself":               {[]Problem{transient, warning}, Request{Wait: true}, transientInterval},
		"it, without the flag":               {[]Problem{transient}, Request{WaitDelegation: true}, 0},
		"it, beside what does not":           {[]Problem{transient, permanent}, Request{Wait: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			interval, problem := (&deployment{request: test.request}).waitable(test.problems)
			require.Equal(t, test.want, interval)
			require.Equal(t, test.want != 0, problem != nil)
		})
	}
}

// What is waited for is not proposed.
func TestWaitingForAProblem(t *testing.T) {
	for hint, want := range map[string]string{
		"at the registrar, set the name servers to a, b; then wait up to an hour, or use --wait-delegation": "it; at the registrar, set the name servers to a, b; " +
			"then wait up to an hour",
		"wait for it with --wait, follow it with `deployer status`":                                        "it; follow it with `deployer status`",
		"wait for it to finish, or run the same command with --wait, which waits for it; stop it with `x`": "it; wait for it to finish; stop it with `x`",
		"the repository scans on push: wait for the scan with --wait":                                      "it",
		"": "it",
	} {
		require.Equal(t, want, waitingFor(Problem{Message: "it", Hint: hint}))
	}
}

func TestPreflightDatabase(t *testing.T) {
	const wait, status = "wait until it is available, with --wait", "run `deployer status --env staging --only database` for the cause and what to do"
	for state, hint := range map[string]string{
		"available": "", "configuring-log-exports": "", "creating": wait, "storage-config-upgrade": wait, "storage-full": status, "new-to-us": status,
	} {
		p := &preflight{env: staging(t), aws: fakeAWS(func(any) (any, error) {
			return &rds.DescribeDBInstancesOutput{DBInstances: []rdstypes.DBInstance{{DBInstanceStatus: &state}}}, nil
		})}
		problems := p.database(t.Context())
		if hint == "" {
			require.Empty(t, problems, state)
			continue
		}
		require.Equal(t, []Problem{{
			Check: "database", Message: "v3-backend-staging-db is " + state + ", not available", Hint: hint, Stops: true, Transient: hint == wait,
		}}, problems)
	}
	require.Equal(t, []Problem{{
		Check: "database", Message: "the answer of DescribeDBInstances has no status of v3-backend-staging-db", Hint: "run it again", Stops: true,
	}}, (&preflight{env: staging(t)}).databaseStatus(""))

	// The phase wake starts a database that does not run; a migration has no such phase.
	for _, test := range []struct {
		state         sleep.State
		migrationOnly bool
		passes        bool
	}{
		{sleep.State{}, false, false},
		{sleep.State{Marker: &environment.SleepMarker{}}, false, true},
		{sleep.State{Muted: true}, false, true},
		{sleep.State{Muted: true}, true, false},
	} {
		p := &preflight{env: staging(t), sleep: test.state, migrationOnly: test.migrationOnly}
		require.Equal(t, test.passes, len(p.databaseStatus("stopped")) == 0, "%+v", test)
	}
}

// What status calls available while RDS works on it, a deployment accepts or waits for.
func TestPreflightDatabaseOverTheWire(t *testing.T) {
	for status, test := range map[string]struct{ blocks, transient bool }{
		"available":               {},
		"backing-up":              {},
		"configuring-log-exports": {},
		"storage-initialization":  {},
		"modifying":               {blocks: true, transient: true},
		"moving-to-vpc":           {blocks: true, transient: true},
		"storage-config-upgrade":  {blocks: true, transient: true},
		"creating":                {blocks: true, transient: true},
		"stopped":                 {blocks: true},
		"storage-full":            {blocks: true},
		"brand-new":               {blocks: true},
	} {
		t.Run(status, func(t *testing.T) {
			rds := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprintf(w, "<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance><DBInstanceStatus>%s"+
					"</DBInstanceStatus></DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>", status)
			}))
			defer rds.Close()
			p := &preflight{env: staging(t), aws: aws.Config{
				Region: "us-east-1", BaseEndpoint: &rds.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
			}}
			problems := p.database(t.Context())
			require.Equal(t, test.blocks, len(problems) == 1)
			if test.blocks {
				require.Contains(t, problems[0].Message, "v3-backend-staging-db is "+status)
				require.Equal(t, test.transient, problems[0].Transient)
			}
		})
	}
}

package expiry

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
)

func TestFromEnvironment(t *testing.T) {
	end := time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		value, source string
		err           error
		ends          bool
		want          string
	}{
		"no expiry":                      {"", "EnvConfigCredentials", nil, false, ""},
		"in UTC":                         {"2026-11-30T10:00:00Z", "EnvConfigCredentials", nil, true, ""},
		"as the AWS CLI writes it":       {"2026-11-30T10:00:00+00:00", "EnvConfigCredentials", nil, true, ""},
		"in another zone":                {"2026-11-30T11:00:00+01:00", "EnvConfigCredentials", nil, true, ""},
		"as an action writes it":         {`"2026-11-30T10:00:00.000Z"`, "EnvConfigCredentials", nil, true, ""},
		"of credentials of a profile":    {"2026-11-30T10:00:00Z", "SharedConfigCredentials: ~/.aws/credentials", nil, false, ""},
		"the SDK renews those of a role": {"2026-11-30T10:00:00Z", "AssumeRoleProvider", nil, false, ""},
		"there are no credentials":       {"2026-11-30T10:00:00Z", "", errors.New("none"), false, "none"},
		"no time":                        {"wJalrXUtnFEMI/K7MDENG", "EnvConfigCredentials", nil, false, "AWS_CREDENTIAL_EXPIRATION is not a time such as 2026-11-30T10:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			provider := FromEnvironment(aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "id", Source: test.source}, test.err
			}), func(name string) string { return map[string]string{"AWS_CREDENTIAL_EXPIRATION": test.value}[name] })
			credentials, err := provider.Retrieve(t.Context())
			if test.want != "" {
				require.EqualError(t, err, test.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "id", credentials.AccessKeyID)
			at, ends := Of(credentials)
			require.Equal(t, test.ends, ends)
			if ends {
				require.True(t, at.Equal(end), at)
			}
		})
	}
	_, ends := Of(aws.Credentials{CanExpire: true, Expires: end, Source: "SSOProvider"})
	require.False(t, ends)
}

func TestErrors(t *testing.T) {
	for code, want := range map[string]bool{
		"ExpiredToken": true, "ExpiredTokenException": true, "RequestExpired": true, "AccessDenied": false, "ThrottlingException": false,
	} {
		err := fmt.Errorf("describe the services: %w", &smithy.GenericAPIError{Code: code, Message: "refused"})
		require.Equal(t, want, IsError(err), code)
		require.Equal(t, want, InText(err.Error()), code)
	}
	require.False(t, IsError(errors.New("the log has ExpiredToken")))
	require.False(t, InText("MyExpiredTokenizer failed"))
}

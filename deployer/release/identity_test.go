package release

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
)

// The Date header of AWS's answer is compared with the machine's clock.
func TestReadIdentity(t *testing.T) {
	ends := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for name, test := range map[string]struct {
		skew    time.Duration
		expires time.Time
	}{
		"clocks agree": {0, ends}, "this machine is slow": {time.Hour, time.Time{}}, "this machine is fast": {-time.Hour, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", time.Now().Add(test.skew).UTC().Format(http.TimeFormat))
				_, _ = fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>`+
					`<Arn>arn:aws:iam::123456789012:user/x</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
			}))
			defer server.Close()
			found, err := ReadIdentity(t.Context(), aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL,
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "key", CanExpire: !test.expires.IsZero(), Expires: test.expires, Source: "EnvConfigCredentials"}, nil
				})})
			require.NoError(t, err)
			require.InDelta(t, test.skew.Seconds(), found.Skew.Seconds(), 30)
			found.Skew = nil
			require.Equal(t, Identity{ARN: "arn:aws:iam::123456789012:user/x", Account: "123456789012", Source: "EnvConfigCredentials", Expires: test.expires}, found)
		})
	}
}

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
)

// TestRawResponses starts entrypoint with an endpoint that violates the protocol: neither entrypoint nor its libraries
// print anything that it sends.
func TestRawResponses(t *testing.T) {
	v := newFakeSecretsManager(t)
	for _, name := range slices.Sorted(maps.Keys(rawResponses)) {
		t.Run(name, func(t *testing.T) {
			var output strings.Builder
			command := exec.Command("entrypoint", "--timeout", "400ms", "--", "true")
			command.Env = append(v.environment(), "CONFIG_SECRET_ID="+name, "PATH="+os.Getenv("PATH"))
			command.Stdout, command.Stderr = &output, &output
			_ = command.Run()
			require.NotContains(t, strings.ToLower(output.String()), hidden)
			require.Contains(t, []int{exitTemporary, exitConfiguration}, command.ProcessState.ExitCode(), output.String())
			for line := range strings.Lines(output.String()) {
				require.Regexp(t, `^entrypoint: the secret `+name+` could not be fetched: (the response cannot be read|the connection was closed before|connection reset by peer|no response in time)`, line)
			}
		})
	}
}

// TestAuthority starts with an endpoint whose certificate is trusted only through AWS_CA_BUNDLE.
func TestAuthority(t *testing.T) {
	v := newFakeSecretsManager(t)
	secured := httptest.NewUnstartedServer(v)
	secured.Config.ErrorLog = log.New(io.Discard, "", 0)
	secured.StartTLS()
	t.Cleanup(secured.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secured.Certificate().Raw}), 0o600))
	start := func(variables ...string) (string, int) {
		command := exec.Command("entrypoint", "--timeout", "2s", "--require", "TOKEN", "--", "true")
		command.Env = append(v.environment(), append(variables, "CONFIG_SECRET_ID=config", "AWS_ENDPOINT_URL="+secured.URL, "PATH="+os.Getenv("PATH"))...)
		output, _ := command.CombinedOutput()
		return string(output), command.ProcessState.ExitCode()
	}
	output, code := start("AWS_CA_BUNDLE=" + bundle)
	require.Zero(t, code, output)
	output, code = start()
	require.Equal(t, exitTemporary, code)
	require.Contains(t, output, "could not be fetched: x509: certificate signed by unknown authority; ")
}

// TestTransportText checks that only text that cannot come from the other side is shown.
func TestTransportText(t *testing.T) {
	dialing := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://h", Err: &net.OpError{Op: "dial", Net: "tcp", Err: err}}
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"refused":             {dialing(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "connection refused"},
		"no such host":        {dialing(&net.DNSError{Err: "no such host", Name: "hunter2", IsNotFound: true}), "the endpoint's name cannot be resolved: no such host"},
		"a name in time":      {dialing(&net.DNSError{Err: "i/o timeout", Name: "h", IsTimeout: true}), "no response in time"},
		"a deadline":          {dialing(os.ErrDeadlineExceeded), "no response in time"},
		"closed":              {fmt.Errorf("read: %w", io.EOF), "the connection was closed before the response was complete"},
		"closed while read":   {&net.OpError{Op: "read", Net: "tcp", Err: net.ErrClosed}, "the connection was closed before the response was complete"},
		"another network":     {dialing(errors.New("hunter2")), "the connection failed (dial)"},
		"TLS alert":           {&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, "tls: handshake failure"},
		"no TLS":              {tls.RecordHeaderError{Msg: "hunter2"}, "the endpoint does not speak HTTPS"},
		"HTTP to HTTPS":       {&url.Error{Err: http.ErrSchemeMismatch}, "the endpoint does not speak HTTPS"},
		"another certificate": {x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"hunter2"}}, Host: "hunter2"}, "the endpoint's certificate is for another name"},
		"unknown authority":   {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{Cert: &x509.Certificate{}}}, "x509: certificate signed by unknown authority"},
		"expired":             {x509.CertificateInvalidError{Reason: x509.Expired, Detail: "hunter2"}, "the endpoint's certificate has expired, or is not valid yet; check the clock"},
		"constraints":         {x509.CertificateInvalidError{Reason: x509.CANotAuthorizedForThisName, Detail: "hunter2"}, "the endpoint's certificate is not valid"},
		"anything else":       {errors.New(`malformed HTTP response "hunter2"`), "the response cannot be read"},
	} {
		require.Equal(t, test.want, transportText(fmt.Errorf("https response error: %w", test.err)), name)
	}
}

// TestTimeoutDuringAnAttempt checks that the cause of the retry is reported, not the timeout.
func TestTimeoutDuringAnAttempt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	v := &secretsClient{log: func(string) {}, clock: clock.Fast(1_000_000)}
	tries := 0
	_, err := retry(ctx, v, "it", func(context.Context) (string, *fetchError) {
		if tries++; tries == 2 {
			cancel()
			return "", &fetchError{what: fetchFailed + "no response in time", temporary: true}
		}
		return "", &fetchError{what: fetchFailed + "throttled", temporary: true}
	})
	require.EqualError(t, err, "it could not be fetched: throttled; gave up after attempt 2; set a longer --timeout")
}

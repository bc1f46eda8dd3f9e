// Package moto starts moto, an independent AWS simulator, for tests that use real HTTP requests.
package moto

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
)

// Account is the account that moto simulates.
const Account = "123456789012"

// Start runs moto_server on loopback until the test ends and returns its URL. It skips the test if moto_server is not
// installed.
func Start(t *testing.T) (endpoint string) {
	path, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not on PATH, so nothing is tested over the wire: pip install 'moto[server]'")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())

	server := exec.CommandContext(t.Context(), path, "-H", "127.0.0.1", "-p", fmt.Sprint(port))
	server.Stdout, server.Stderr = io.Discard, io.Discard
	require.NoError(t, server.Start())
	t.Cleanup(func() { _ = server.Wait() })

	endpoint = fmt.Sprintf("http://127.0.0.1:%d", port)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		response, err := http.Get(endpoint + "/moto-api/")
		if err == nil {
			_ = response.Body.Close()
			return endpoint
		}
		require.NoError(t, clock.Real().Wait(ctx, 50*time.Millisecond), "moto_server does not answer")
	}
}

// Config starts moto_server and returns the SDK's configuration for it.
func Config(t *testing.T, region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(Start(t)),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

// Package moto starts moto, an independent AWS simulator, for tests that use real HTTP requests.
package moto

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"
)

// Account is the account that moto simulates.
const Account = "123456789012"

// servers are those that were started. To start one takes a second, so a test's server is emptied and given to the next.
var servers struct {
	sync.Mutex
	idle []string
	// pipes are the ends that the servers wait for: an unused one would be closed by the garbage collector.
	pipes []io.Closer
}

// Start returns the URL of a moto_server on loopback that is empty and the test's alone. Where moto is not installed the
// test is skipped, and logs why.
func Start(t *testing.T) (endpoint string) {
	t.Helper()
	path, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not on PATH, so nothing is tested over the wire: pip install 'moto[server]'")
	}
	servers.Lock()
	if last := len(servers.idle) - 1; last >= 0 {
		endpoint, servers.idle = servers.idle[last], servers.idle[:last]
	}
	servers.Unlock()
	if endpoint == "" {
		endpoint = launch(t, path)
	}
	t.Cleanup(func() {
		response, err := http.Post(endpoint+"/moto-api/reset", "", nil)
		if err != nil {
			t.Errorf("empty moto_server: %v", err)
			return
		}
		_ = response.Body.Close()
		servers.Lock()
		defer servers.Unlock()
		servers.idle = append(servers.idle, endpoint)
	})
	return endpoint
}

// launch starts a server on a port that the kernel chooses, so that two tests never get the same one. The server ends with
// the test's process, however that ends: its shell reads from a pipe that this process holds open, and stops the server at
// the pipe's end.
func launch(t *testing.T, path string) (endpoint string) {
	t.Helper()
	server := exec.Command("sh", "-c", `"$0" -H 127.0.0.1 -p 0 2>&1 & exec >&-; read -r _; kill $!`, path)
	pipe, err := server.StdinPipe()
	require.NoError(t, err)
	output, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	servers.Lock()
	servers.pipes = append(servers.pipes, pipe)
	servers.Unlock()

	var printed strings.Builder
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if _, url, found := strings.Cut(lines.Text(), "Running on "); found {
			// The server blocks if no one reads what it logs.
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return strings.TrimSpace(url)
		}
		fmt.Fprintln(&printed, lines.Text())
	}
	require.FailNow(t, "moto_server ended before it listened", printed.String())
	return ""
}

// Config returns the SDK's configuration for a moto_server of the test's own, which is empty.
func Config(t *testing.T, region string) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(Start(t)),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

// Package local is a deployment on one machine: a simulated AWS account that the real Pulumi engine fills, that the
// AWS SDK talks to, and whose load balancers answer over HTTPS on loopback.
//
// Outside this package nothing knows of it: the SDK's configuration, the engine's environment and the network are all
// that differs.
package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/local/cloud"
	"github.com/balancer/v3-backend-infra/local/endpoint"
	"github.com/balancer/v3-backend-infra/local/provider"
	"github.com/balancer/v3-backend-infra/probe"
)

// DefaultSpeed is how many minutes pass in one of the machine's.
const DefaultSpeed = 60

// Options say where the account lies and how it behaves.
type Options struct {
	// Dir is where the account, its authority and Pulumi's state are kept.
	Dir string
	// AccountID is the twelve digits of the account, Region where everything in it lies.
	AccountID, Region string
	// Stacks begin with a configuration secret.
	Stacks []Stack
	// Faults are the names of what goes wrong; see Faults.
	Faults []string
	// Speed is how many minutes pass in one of the machine's; 0 means DefaultSpeed.
	Speed int
}

// Fault is something that can be made to go wrong.
type Fault = cloud.Fault

// Stack is an environment of the account, with the keys that its configuration secret begins with.
type Stack = cloud.Stack

// Image is one image of the local registry.
type Image = cloud.Image

// Faults returns what can be made to go wrong, and what it should lead to.
func Faults() []Fault { return cloud.Faults() }

// Local is the simulated account, open. Close it in the end.
type Local struct {
	dir       string
	clock     clock.Clock
	account   *cloud.Account
	authority *endpoint.Authority
	endpoint  *endpoint.Server
	// providers are served from when they are first needed.
	providers func() (*provider.Servers, error)
	stop      context.CancelFunc
}

// Open opens the account in the directory and makes it where there is none. Its errors are *cloud.StateError,
// *cloud.UnknownFaultError, or say why the directory cannot be used. What it serves ends with Close.
func Open(ctx context.Context, o Options) (*Local, error) {
	speed := o.Speed
	if speed == 0 {
		speed = DefaultSpeed
	}
	clk := clock.Fast(speed)
	account, err := cloud.Open(filepath.Join(o.Dir, "account.json"), cloud.Options{
		AccountID: o.AccountID, Region: o.Region, Clock: clk, Speed: speed, Stacks: o.Stacks, Faults: o.Faults,
	})
	if err != nil {
		return nil, err
	}
	authority, err := endpoint.OpenAuthority(filepath.Join(o.Dir, "ca"), clk.Now())
	if err != nil {
		return nil, errors.Join(err, account.Close())
	}
	// The engine still talks to the providers when ctx is cancelled: they end with Close.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	return &Local{
		dir: o.Dir, clock: clk, account: account, authority: authority, endpoint: endpoint.New(account, authority), stop: stop,
		providers: sync.OnceValues(func() (*provider.Servers, error) { return provider.Serve(serving, account) }),
	}, nil
}

// AWS is the SDK's configuration for the account.
func (l *Local) AWS() aws.Config { return l.account.Config(l.account.Region()) }

// Clock is the account's time, on which waiting is short.
func (l *Local) Clock() clock.Clock { return l.clock }

// StateDir is where Pulumi keeps its state, for a file:// backend.
func (l *Local) StateDir() string { return filepath.Join(l.dir, "state") }

// Network reaches the account's load balancers by their names and domains, and nothing else.
func (l *Local) Network() (probe.Network, error) { return l.endpoint.Network(), nil }

// EngineEnv is the engine's environment with which it fills the account: it starts the providers, makes the state's
// directory, and gives the passphrase of the stacks, which is made once and kept beside the account.
func (l *Local) EngineEnv() (map[string]string, error) {
	servers, err := l.providers()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(l.StateDir(), 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	passphrase, err := l.passphrase()
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"PULUMI_DEBUG_PROVIDERS":                      servers.DebugProviders(),
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		"PULUMI_SKIP_UPDATE_CHECK":                    "true",
		"PULUMI_CONFIG_PASSPHRASE":                    passphrase,
	}, nil
}

// passphrase encrypts the stacks' secrets.
func (l *Local) passphrase() (string, error) {
	path := filepath.Join(l.dir, "passphrase")
	stored, err := os.ReadFile(path)
	if err == nil && len(stored) > 0 {
		return string(stored), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the passphrase of the local stacks: %w", err)
	}
	generated := rand.Text()
	if err := os.WriteFile(path, []byte(generated), 0o600); err != nil {
		return "", fmt.Errorf("keep the passphrase of the local stacks: %w", err)
	}
	return generated, nil
}

// Push adds an image to the registry under a tag, and returns its digest.
func (l *Local) Push(tag string) (digest string, err error) {
	image, err := l.account.Push(tag)
	return image.Digest, err
}

// Images returns the images of the registry, the newest first.
func (l *Local) Images() ([]Image, error) { return l.account.Images() }

// Served is an endpoint that is up for a browser or curl.
type Served struct {
	// Address is host:port, Authority the file with the certificate to trust.
	Address, Authority string
}

// ErrNotLoopback says that the simulated endpoint was asked to listen where others could reach it.
var ErrNotLoopback = errors.New("the simulated endpoint listens on loopback only: give an address such as 127.0.0.1:8443")

// Serve answers at a loopback address for all the environments' domains over HTTPS, until ctx ends or Close is called.
func (l *Local) Serve(ctx context.Context, address string) (Served, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return Served{}, fmt.Errorf("serve at %q: %w", address, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return Served{}, fmt.Errorf("serve at %q: %w", address, ErrNotLoopback)
	}
	listening, err := l.endpoint.Serve(ctx, address)
	if err != nil {
		return Served{}, err
	}
	return Served{Address: listening.String(), Authority: filepath.Join(l.dir, "ca", endpoint.CertificateFile)}, nil
}

// Close ends what is served. The account stays for the next time.
func (l *Local) Close() error {
	l.stop()
	return errors.Join(l.endpoint.Close(), l.account.Close())
}

// Reset forgets an account: it removes its directory, and the others that were made for it.
func Reset(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("reset the local account: %w", err)
		}
	}
	return nil
}

// Package local simulates an AWS account on one machine: the real Pulumi engine deploys into it, the AWS SDK talks to
// it, and its load balancers answer over HTTPS on loopback.
//
// The SDK's configuration, the engine's environment and the network are all that differs from a real account.
package local

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/local/cloud"
	"github.com/balancer/v3-backend-infra/local/endpoint"
	"github.com/balancer/v3-backend-infra/local/kms"
	"github.com/balancer/v3-backend-infra/local/provider"
	"github.com/balancer/v3-backend-infra/probe"
)

// DefaultSpeed is how many simulated minutes pass in one real minute.
const DefaultSpeed = 60

// Options configure the simulated account.
type Options struct {
	// Dir holds the account, its certificate authority and Pulumi's state.
	Dir string
	// AccountID is the account's twelve digits, Region the only region that it has.
	AccountID, Region string
	// Domains are those for which the account's certificate authority signs certificates; names below them are included.
	Domains []string
	// Stacks are the environments for which a configuration secret is created.
	Stacks []Stack
	// Faults are the names of the faults to inject; see Faults.
	Faults []string
	// Environment is the full name of the environment that faults which persist change; "" means all.
	Environment string
	// Locked reports whether a deployment holds the lock of a stack; nil means that none does.
	Locked func(stack string) bool
	// Speed is how many simulated minutes pass in one real minute; 0 means DefaultSpeed.
	Speed int
}

// Fault is a failure that can be injected into the account.
type Fault = cloud.Fault

// Stack is an environment of the account and the keys of its first configuration secret.
type Stack = cloud.Stack

// Image is an image in the local registry.
type Image = cloud.Image

// Faults returns the faults that can be injected and their expected outcomes.
func Faults() []Fault { return cloud.Faults() }

// CheckFaults returns an error with a hint for names that cannot be injected.
func CheckFaults(names []string) error { return cloud.CheckFaults(names) }

// Local is an open simulated account. The caller must close it.
type Local struct {
	dir       string
	clock     clock.Clock
	account   *cloud.Account
	authority *endpoint.Authority
	endpoint  *endpoint.Server
	// engineEnv starts what the engine uses on its first call.
	engineEnv func() (map[string]string, error)
	stop      context.CancelFunc
}

// Open opens the account in the directory, or creates it if there is none. Its errors are *cloud.StateError,
// *cloud.UnknownFaultError, or the reason why the directory cannot be used. The servers run until Close.
func Open(ctx context.Context, o Options) (*Local, error) {
	speed := o.Speed
	if speed == 0 {
		speed = DefaultSpeed
	}
	clk, domains := clock.Fast(speed), o.Domains
	if len(domains) > 0 {
		domains = append(slices.Clone(domains), cloud.ForeignDomain)
	}
	account, err := cloud.Open(filepath.Join(o.Dir, "account.json"), cloud.Options{
		AccountID: o.AccountID, Region: o.Region, Clock: clk, Speed: speed, Stacks: o.Stacks, Faults: o.Faults, Environment: o.Environment,
		Locked: o.Locked,
	})
	if err != nil {
		return nil, err
	}
	var authority *endpoint.Authority
	// Of several first commands one creates the authority, and the others read it.
	err = account.Exclusive(func() (err error) {
		authority, err = endpoint.OpenAuthority(filepath.Join(o.Dir, "ca"), domains, clk.Now())
		return err
	})
	if err != nil {
		return nil, errors.Join(err, account.Close())
	}
	// The engine still calls the providers after ctx is cancelled, so they run until Close.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &Local{dir: o.Dir, clock: clk, account: account, authority: authority, endpoint: endpoint.New(account, authority), stop: stop}
	l.engineEnv = sync.OnceValues(func() (map[string]string, error) { return l.serveEngine(serving) })
	return l, nil
}

// AWS returns an SDK configuration whose clients talk to the account.
func (l *Local) AWS() aws.Config { return l.account.Config(l.account.Region()) }

// Clock returns the account's clock, on which waits are shortened by the speed.
func (l *Local) Clock() clock.Clock { return l.clock }

// StateURL returns the URL of Pulumi's state, a directory beside the account. The engine writes it without the checksums that it
// never reads: it saves a state after each step, and computing them takes as long as writing it.
// Source: https://pkg.go.dev/gocloud.dev/blob/fileblob#URLOpener
func (l *Local) StateURL() string { return "file://" + l.stateDir() + "?metadata=skip" }

func (l *Local) stateDir() string { return filepath.Join(l.dir, "state") }

// Network returns a network that reaches the account's load balancers by name and domain, and nothing else.
func (l *Local) Network() (probe.Network, error) { return l.endpoint.Network(), nil }

// EngineEnv returns the environment variables that make the engine deploy into the account, and encrypt the stacks' secrets with
// its KMS. It starts the servers of both, and creates the state directory and the passphrase, which is stored beside the account.
func (l *Local) EngineEnv() (map[string]string, error) { return l.engineEnv() }

func (l *Local) serveEngine(ctx context.Context) (map[string]string, error) {
	servers, err := provider.Serve(ctx, l.account)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(l.stateDir(), 0o700); err != nil {
		return nil, fmt.Errorf("create the state directory: %w", err)
	}
	passphrase, err := l.passphrase()
	if err != nil {
		return nil, err
	}
	keys, err := kms.Serve(ctx, passphrase)
	if err != nil {
		return nil, err
	}
	variables := map[string]string{
		"PULUMI_DEBUG_PROVIDERS":                      servers.DebugProviders(),
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
		"PULUMI_SKIP_UPDATE_CHECK":                    "true",
		"PULUMI_CONFIG_PASSPHRASE":                    passphrase, // of stacks that an earlier version created
	}
	maps.Copy(variables, keys.Env())
	return variables, nil
}

// passphrase returns the secret behind the key of the stacks' secrets, and generates it if there is none.
func (l *Local) passphrase() (passphrase string, err error) {
	path := filepath.Join(l.dir, "passphrase")
	err = l.account.Exclusive(func() error {
		stored, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read the passphrase of the local stacks: %w", err)
		}
		if passphrase = string(stored); passphrase != "" {
			return nil
		}
		passphrase = rand.Text()
		if err := os.WriteFile(path, []byte(passphrase), 0o600); err != nil {
			return fmt.Errorf("write the passphrase of the local stacks: %w", err)
		}
		return nil
	})
	return passphrase, err
}

// Push adds an image to the registry under a tag and returns its digest.
func (l *Local) Push(tag string) (digest string, err error) {
	image, err := l.account.Push(tag)
	return image.Digest, err
}

// Images returns the images in the registry, newest first.
func (l *Local) Images() ([]Image, error) { return l.account.Images() }

// Served describes a listening endpoint.
type Served struct {
	// Address is host:port, Authority the file with the certificate to trust.
	Address, Authority string
}

// ErrNotLoopback is returned for an address that other machines could reach.
var ErrNotLoopback = errors.New("the simulated endpoint listens on loopback only: give an address such as 127.0.0.1:8443")

// Serve answers over HTTPS for the domains of all environments at a loopback address, until ctx ends or Close is
// called.
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

// Close stops the servers and closes the account's file.
func (l *Local) Close() error {
	l.stop()
	return errors.Join(l.endpoint.Close(), l.account.Close())
}

// Reset deletes an account: its directory and the other directories that belong to it.
func Reset(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("reset the local account: %w", err)
		}
	}
	return nil
}

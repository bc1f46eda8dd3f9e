// Package provider connects the Pulumi engine to the simulated account.
//
// The engine connects to running providers whose ports are in PULUMI_DEBUG_PROVIDERS. This package serves two of them
// in the deployer's own process: aws, whose resources are stored in the account, and awsx, whose VPC component
// registers aws resources of its own.
package provider

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"

	"github.com/balancer/v3-backend-infra/local/cloud"
)

// Servers are the two providers, listening on loopback.
type Servers struct {
	aws, awsx *server
}

type server struct {
	*grpc.Server
	port int
	done chan error
}

// Serve starts the providers for an account. They serve any number of engines, also concurrently, until Close is called
// or ctx ends.
func Serve(ctx context.Context, account *cloud.Account) (*Servers, error) {
	aws := &awsProvider{account: account}
	first, err := serve(ctx, &awsServer{ResourceProviderServer: plugin.NewProviderServer(aws), provider: aws})
	if err != nil {
		return nil, fmt.Errorf("serve the simulated aws provider: %w", err)
	}
	second, err := serve(ctx, &awsxServer{})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("serve the simulated awsx provider: %w", err), first.close())
	}
	return &Servers{aws: first, awsx: second}, nil
}

// DebugProviders returns the value of PULUMI_DEBUG_PROVIDERS with which an engine finds the providers.
func (s *Servers) DebugProviders() string {
	return fmt.Sprintf("aws:%d,awsx:%d", s.aws.port, s.awsx.port)
}

// Close stops the providers.
func (s *Servers) Close() error {
	return errors.Join(s.aws.close(), s.awsx.close())
}

func serve(ctx context.Context, provider pulumirpc.ResourceProviderServer) (*server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{
		Server: grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.StatsHandler(connections{})),
		port:   listener.Addr().(*net.TCPAddr).Port,
		done:   make(chan error, 1),
	}
	pulumirpc.RegisterResourceProviderServer(s.Server, provider)
	go func() { s.done <- s.Serve(listener) }()
	context.AfterFunc(ctx, s.Stop)
	return s, nil
}

// maxMessage is the maximum size of an engine's message: 400 MiB.
const maxMessage = 400 << 20

func (s *server) close() error {
	s.Stop()
	return <-s.done
}

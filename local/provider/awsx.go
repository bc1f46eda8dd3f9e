package provider

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/provider"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/balancer/v3-backend-infra/local/cloud"
)

var awsxVersion = semver.MustParse("2.22.0")

// awsxServer is the awsx provider, which has only components. Of these, the VPC is simulated.
type awsxServer struct {
	pulumirpc.UnimplementedResourceProviderServer
	// engine is the address of the engine that attached last. It is used only for log lines.
	engine atomic.Value
}

// Handshake records the engine's address and returns the provider's capabilities.
func (s *awsxServer) Handshake(_ context.Context, r *pulumirpc.ProviderHandshakeRequest) (*pulumirpc.ProviderHandshakeResponse, error) {
	s.engine.Store(r.GetEngineAddress())
	return handshake(), nil
}

func (s *awsxServer) Attach(_ context.Context, r *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	s.engine.Store(r.GetAddress())
	return &emptypb.Empty{}, nil
}

func (s *awsxServer) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: awsxVersion.String()}, nil
}

func (s *awsxServer) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	response, err := schema("awsx", awsxVersion)
	return &pulumirpc.GetSchemaResponse{Schema: string(response.Schema)}, err
}

// CheckConfig accepts the provider's configuration, which is empty.
func (s *awsxServer) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

// DiffConfig reports no difference.
func (s *awsxServer) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

func (s *awsxServer) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return configured(), nil
}

// Cancel does nothing: operations in progress run to their end.
func (s *awsxServer) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// Construct registers a component and its children with the calling engine.
func (s *awsxServer) Construct(ctx context.Context, r *pulumirpc.ConstructRequest) (*pulumirpc.ConstructResponse, error) {
	address, _ := s.engine.Load().(string)
	engine, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("connect to the engine at %s: %w", address, err)
	}
	defer func() { _ = engine.Close() }()
	return provider.Construct(ctx, r, engine, construct)
}

func construct(
	ctx *pulumi.Context, typ, name string, inputs provider.ConstructInputs, options pulumi.ResourceOption,
) (*provider.ConstructResult, error) {
	if typ != typeComponent {
		return nil, &cloud.UnsimulatedError{What: "the component " + typ}
	}
	var args vpcArgs
	if err := inputs.CopyTo(&args); err != nil {
		return nil, fmt.Errorf("read the arguments of %s: %w", name, err)
	}
	return newVPC(ctx, name, args, options)
}

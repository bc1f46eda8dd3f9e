package provider

import (
	"context"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// handshake returns the capabilities of both providers.
func handshake() *pulumirpc.ProviderHandshakeResponse {
	return &pulumirpc.ProviderHandshakeResponse{
		AcceptSecrets: true, AcceptResources: true, AcceptOutputs: true, SupportsAutonamingConfiguration: true,
	}
}

func configured() *pulumirpc.ConfigureResponse {
	return &pulumirpc.ConfigureResponse{
		AcceptSecrets: true, AcceptResources: true, AcceptOutputs: true, SupportsPreview: true, SupportsAutonamingConfiguration: true,
	}
}

// awsServer is the SDK's implementation of the protocol, without its record of what the engine accepts: here several
// engines share one server, so Handshake and Configure answer without storing anything.
type awsServer struct {
	pulumirpc.ResourceProviderServer
	provider *awsProvider
}

func (s *awsServer) Handshake(context.Context, *pulumirpc.ProviderHandshakeRequest) (*pulumirpc.ProviderHandshakeResponse, error) {
	return handshake(), nil
}

func (s *awsServer) Configure(ctx context.Context, r *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	options := plugin.MarshalOptions{Label: "configure", KeepUnknowns: true, KeepSecrets: true}
	inputs, err := plugin.UnmarshalProperties(r.GetArgs(), options)
	if err != nil {
		return nil, err
	}
	if _, err := s.provider.Configure(ctx, plugin.ConfigureRequest{Inputs: inputs}); err != nil {
		return nil, err
	}
	return configured(), nil
}

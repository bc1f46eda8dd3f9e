package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/balancer/v3-backend-infra/local/kms"
)

// provider is an account of things, each a bag of properties. A thing whose property fail is set cannot be created or
// updated; one whose property slow is set waits for the provider's release; a change of fixed replaces it.
type provider struct {
	pulumirpc.UnimplementedResourceProviderServer
	port int
	keys *kms.Server

	mu     sync.Mutex
	things map[string]map[string]any
	calls  []string

	// creating receives the name of a slow thing that is being created; release lets it continue.
	creating chan string
	release  chan struct{}
	// cancelled is closed when the engine asks the provider to stop.
	cancelled chan struct{}
	once      sync.Once
}

// serve starts a provider for the length of the test.
func serve(t *testing.T) *provider {
	p := &provider{things: map[string]map[string]any{}, creating: make(chan string, 8), release: make(chan struct{}), cancelled: make(chan struct{})}
	stop := make(chan bool)
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{Cancel: stop, Init: func(s *grpc.Server) error {
		pulumirpc.RegisterResourceProviderServer(s, p)
		return nil
	}})
	require.NoError(t, err)
	t.Cleanup(func() {
		close(stop)
		require.NoError(t, <-handle.Done)
	})
	p.port = handle.Port
	p.keys, err = kms.Serve(t.Context(), passphrase)
	require.NoError(t, err)
	return p
}

// env returns the environment in which the engine uses the provider and the KMS.
func (p *provider) env() map[string]string {
	env := p.keys.Env()
	env["PULUMI_DEBUG_PROVIDERS"] = fmt.Sprintf("test:%d", p.port)
	env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
	return env
}

// set changes a thing outside of the engine; nil deletes it.
func (p *provider) set(id string, properties map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if properties == nil {
		delete(p.things, id)
		return
	}
	p.things[id] = properties
}

// done returns the calls since the last time, such as "create one".
func (p *provider) done() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := p.calls
	p.calls = nil
	return calls
}

func (p *provider) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true}, nil
}

func (p *provider) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.News}, nil
}

func (p *provider) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{}, nil
}

func (p *provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "1.0.0"}, nil
}

func (p *provider) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (p *provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	p.once.Do(func() { close(p.cancelled) })
	return &emptypb.Empty{}, nil
}

func (p *provider) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.News}, nil
}

func (p *provider) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, news := properties(r.OldInputs), properties(r.News)
	diff := olds.Diff(news)
	if diff == nil {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
	}
	detailed := map[string]*pulumirpc.PropertyDiff{}
	response := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME, DetailedDiff: detailed,
		HasDetailedDiff: true}
	for path, change := range plugin.NewDetailedDiffFromObjectDiff(diff, true) {
		kind := pulumirpc.PropertyDiff_Kind(change.Kind)
		if path == "fixed" {
			kind = pulumirpc.PropertyDiff_UPDATE_REPLACE
			response.Replaces = append(response.Replaces, path)
		}
		detailed[path] = &pulumirpc.PropertyDiff{Kind: kind, InputDiff: true}
	}
	return response, nil
}

func (p *provider) Create(_ context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	if r.Preview {
		return &pulumirpc.CreateResponse{Properties: r.Properties}, nil
	}
	return &pulumirpc.CreateResponse{Id: r.Name, Properties: r.Properties}, p.write("create", r.Name, r.Properties)
}

func (p *provider) Update(_ context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	if r.Preview {
		return &pulumirpc.UpdateResponse{Properties: r.News}, nil
	}
	return &pulumirpc.UpdateResponse{Properties: r.News}, p.write("update", r.Id, r.News)
}

func (p *provider) Delete(_ context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, "delete "+r.Id)
	delete(p.things, r.Id)
	return &emptypb.Empty{}, nil
}

func (p *provider) Read(_ context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	thing, there := p.things[r.Id]
	if !there {
		return &pulumirpc.ReadResponse{}, nil
	}
	if thing["unreadable"] == true {
		return nil, fmt.Errorf("no right to read %s", r.Id)
	}
	values, err := structpb.NewStruct(thing)
	return &pulumirpc.ReadResponse{Id: r.Id, Properties: values, Inputs: values}, err
}

func (p *provider) write(what, name string, values *structpb.Struct) error {
	thing := values.AsMap()
	if thing["slow"] == true {
		p.creating <- name
		<-p.release
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, what+" "+name)
	if message, fails := thing["fail"].(string); fails {
		return errors.New(message)
	}
	p.things[name] = maps.Clone(thing)
	return nil
}

func properties(s *structpb.Struct) resource.PropertyMap {
	m, err := plugin.UnmarshalProperties(s, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: false})
	if err != nil {
		panic(err)
	}
	return m
}

// thing is a resource of the provider.
type thing struct {
	pulumi.CustomResourceState
	Value pulumi.StringOutput `pulumi:"value"`
}

func newThing(ctx *pulumi.Context, name string, args pulumi.Map, opts ...pulumi.ResourceOption) (*thing, error) {
	var t thing
	return &t, ctx.RegisterResource("test:index:Thing", name, args, &t, opts...)
}

package provider

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

// connection is one provider of an engine, which connects to the server once for each.
type connection struct {
	// region is nil until the provider is configured with another region than the account's.
	region atomic.Pointer[string]
}

// connectionKey is the key of the connection in the context of its calls.
type connectionKey struct{}

// connections gives each connection a value of its own.
type connections struct{}

// TagConn returns the context of a connection's calls.
func (connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, connectionKey{}, &connection{})
}

// TagRPC returns the context unchanged.
func (connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleConn does nothing.
func (connections) HandleConn(context.Context, stats.ConnStats) {}

// HandleRPC does nothing.
func (connections) HandleRPC(context.Context, stats.RPCStats) {}

package doctor

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/ecsexec"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/probe"
)

// Plugins returns the providers of the program, in the versions of its SDKs.
func Plugins() []engine.Plugin {
	return []engine.Plugin{{Name: "aws", Version: "v6.83.2"}, {Name: "awsx", Version: "v2.22.0"}}
}

// Engine evaluates the engine that was found at a path, with a version such as v3.274.1, or why there is none.
func Engine(path, version string, err error) Finding {
	a := about{component: ComponentEngine}
	if old := (*engine.TooOldError)(nil); errors.As(err, &old) {
		return a.finding(checks.Error, old.Hint(), "%v", err)
	}
	if missing := (*engine.NotFoundError)(nil); errors.As(err, &missing) {
		return a.finding(checks.Error, missing.Hint(), "%v", err)
	}
	switch {
	case err != nil:
		return a.unknown(err, "name another one with --pulumi", "the engine could not be run")
	case version != engine.Version:
		return a.finding(checks.Warning, "build the pinned one with `make bin/pulumi`",
			"%s at %s; the deployer is tested with %s", version, path, engine.Version)
	}
	return a.healthy("%s at %s", version, path)
}

// Plugin evaluates one provider plugin.
func Plugin(p engine.Plugin, found engine.PluginState, err error) Finding {
	a := about{ComponentPlugins, p.Name}
	installed := ""
	if len(found.Others) > 0 {
		installed = "; installed is " + strings.Join(found.Others, ", ")
	}
	switch {
	case err != nil:
		return a.unknown(err, "give --state-dir a directory that can be read", "the plugins could not be listed")
	case found.Attached:
		return a.finding(checks.Warning, "unset PULUMI_DEBUG_PROVIDERS",
			"the engine connects to a provider that is running, by PULUMI_DEBUG_PROVIDERS, whatever its version")
	case found.OnPath != "":
		return a.finding(checks.Warning, "remove it from PATH, or set PULUMI_IGNORE_AMBIENT_PLUGINS=true",
			"the engine prefers %s on PATH to %s, whatever its version", found.OnPath, p.Version)
	case found.Installed:
		return a.healthy("%s at %s", p.Version, found.Dir)
	case found.Downloads:
		return a.finding(checks.Warning, "install it with `make plugins`",
			"%s is not installed, and the first deployment downloads it%s", p.Version, installed)
	}
	return a.finding(checks.Error, "run `make plugins`, or unset PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION",
		"%s is not installed, and the engine may not download it%s", p.Version, installed)
}

// SessionPlugin evaluates the Session Manager plugin.
func SessionPlugin(found ecsexec.Plugin, err error) Finding {
	a := about{component: ComponentSessionPlugin}
	if err != nil {
		return a.finding(checks.Warning, "install the current one: "+ecsexec.InstallURL, "%v", err)
	}
	return a.healthy("%s at %s", found.Version(), found.Path())
}

// Resolver evaluates whether this machine's resolver answers queries for name servers, with which preflight verifies the delegation of a
// domain.
func Resolver(domain string, servers int, err error) Finding {
	a := about{component: ComponentResolver}
	const remedy = "check the resolver of this machine, or its VPN; preflight queries the name servers of the root domain"
	switch {
	case err != nil:
		return a.unknown(err, remedy, "the name servers of %s could not be queried", domain)
	case servers == 0:
		return a.finding(checks.Error, remedy, "the resolver returns no name servers of %s", domain)
	}
	return a.healthy("answers queries for name servers")
}

// resolvedDomain has name servers wherever AWS can be used; resolverLimit is how long the query for them may take.
const (
	resolvedDomain = "amazonaws.com"
	resolverLimit  = 5 * time.Second
)

// ReadMachine returns the findings about this machine. With simulated, what only a real account needs is skipped.
func ReadMachine(ctx context.Context, o engine.Options, resolver probe.Resolver, simulated bool) []Finding {
	readEngine := func() []Finding {
		found, err := engine.Find(ctx, o)
		if err != nil {
			return []Finding{Engine("", "", err)}
		}
		return []Finding{Engine(found.Path(), "v"+found.Version().String(), nil)}
	}
	if simulated {
		const remedy = "run doctor without --local"
		return append(readEngine(),
			Skip(ComponentPlugins, remedy, "the simulated account has providers of its own"),
			Skip(ComponentSessionPlugin, remedy, "sessions cannot be opened in the simulated account"),
			Skip(ComponentResolver, remedy, "the simulated account resolves its own names"))
	}
	return Collect(readEngine,
		func() []Finding {
			return list.Map(Plugins(), func(p engine.Plugin) Finding {
				found, err := engine.FindPlugin(p, o.Home, os.Getenv)
				return Plugin(p, found, err)
			})
		},
		func() []Finding {
			found, err := ecsexec.FindPlugin(ctx)
			return []Finding{SessionPlugin(found, err)}
		},
		func() []Finding {
			limited, cancel := context.WithTimeout(ctx, resolverLimit)
			defer cancel()
			servers, err := resolver.LookupNS(limited, resolvedDomain)
			return []Finding{Resolver(resolvedDomain, len(servers), err)}
		})
}

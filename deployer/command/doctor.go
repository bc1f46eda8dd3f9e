package command

import (
	"cmp"
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/doctor"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/statebackend"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func doctorVerb() verb {
	return verb{
		name: "doctor", usage: "check this machine, the credentials, the account and GitHub for what deployments need",
		long: `Reads, and changes nothing: the engine, the provider plugins, the Session Manager plugin, the resolver and the clock of this
machine; the credentials; the bucket and the key of the state, the shared stack, the roles and the locks; and, where gh is logged in, the settings
of the repositories at GitHub on which the roles of the account rely. With --env also the quotas that a deployment needs. Each finding
that is not healthy has a hint. Exits with 0 if all is healthy, with 1 for an error, with 2 for warnings or what could not be read.`,
		examples: []string{"deployer doctor", "deployer doctor --env staging", "deployer doctor --local --format json"},
		formats:  []string{"text", "json", "yaml"},

		takesShared: true,
		run: func(ctx context.Context, s *services, _ *cli.Context) error {
			return doctorOptions{targets: s.targets, terminal: s.terminal, shared: s.shared, format: s.flags.format}.run(ctx)
		},
	}
}

// readLimit limits the time for each source, such as AWS or GitHub, to answer.
const readLimit = 30 * time.Second

type doctorOptions struct {
	targets  *targets
	terminal *terminal
	shared   *sharedStack
	format   string
}

func (o doctorOptions) run(ctx context.Context) error {
	shared, err := o.targets.shared()
	if err != nil {
		return err
	}
	t, err := o.targets.open(ctx, cmp.Or(o.targets.selected, environment.SharedStack))
	if err != nil {
		return err
	}
	defer o.targets.close(t)
	limited, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	findings := doctor.Collect(
		func() []doctor.Finding {
			return doctor.ReadMachine(limited, o.targets.options.EngineOptions(), t.Network.Resolver, t.Simulated != nil)
		},
		func() []doctor.Finding { return o.account(limited, t, shared) },
		func() []doctor.Finding {
			found, _ := readGitHub(limited, o.targets, shared, t)
			return found
		},
	)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	o.terminal.flags.addToDoctor(findings)
	report := doctor.Report{
		Account: t.AccountID, Region: t.Region, Simulated: t.Simulated != nil, Findings: findings, Summary: doctor.Summarize(findings),
	}
	if t.Env != nil {
		report.Environment = t.Env.Name
	}
	if err := ui.Doctor(o.terminal.out, report, o.format, o.terminal.style()); err != nil {
		return err
	}
	switch report.Summary.Status {
	case checks.Healthy:
		return nil
	case checks.Error:
		return exitStatus(codeFailed)
	}
	return exitStatus(codeWarnings)
}

// account returns the findings about the credentials, and about the account where they belong to it.
func (o doctorOptions) account(ctx context.Context, t *target.Target, shared *environment.Shared) []doctor.Finding {
	who, err := release.ReadIdentity(ctx, t.AWS)
	credentials := doctor.Credentials(who, err, t.AccountID, environment.FileName(t.Stack), t.Clock.Now())
	clock := doctor.Clock(who.Skew)
	if t.Simulated != nil {
		clock = doctor.Skip(doctor.ComponentClock, "run doctor without --local", "the simulated account has a clock of its own")
	}
	found := []doctor.Finding{credentials, clock}
	if credentials.Status != checks.Healthy {
		for _, component := range []string{
			doctor.ComponentStateBucket, doctor.ComponentStateKey, doctor.ComponentShared, doctor.ComponentRoles, doctor.ComponentLocks,
			doctor.ComponentQuotas,
		} {
			found = append(found, doctor.Skip(component, "correct the credentials first",
				"the account %s cannot be read with these credentials", t.AccountID))
		}
		return found
	}
	return append(found, doctor.Collect(
		func() []doctor.Finding { return readState(ctx, t, shared) },
		func() []doctor.Finding {
			missing, err := o.shared.missing(ctx, t)
			return []doctor.Finding{doctor.SharedStack(missing != nil, err, t.Simulated != nil)}
		},
		func() []doctor.Finding { return []doctor.Finding{doctor.ReadRoles(ctx, t.AWS, t.Prefix, t.AccountID)} },
		func() []doctor.Finding { return readLocks(ctx, t) },
		func() []doctor.Finding {
			if t.Env == nil {
				return []doctor.Finding{doctor.Skip(doctor.ComponentQuotas, "name an environment with --env",
					"what a deployment adds depends on the environment")}
			}
			return doctor.Quotas(t.Env.Name, release.CheckQuotas(ctx, t.AWS, t.Env))
		},
	)...)
}

// readState returns the findings about the bucket and the key of the state, where they are the account's own.
func readState(ctx context.Context, t *target.Target, shared *environment.Shared) []doctor.Finding {
	why := "PULUMI_BACKEND_URL names another backend, which has protections of its own"
	remedy := "unset PULUMI_BACKEND_URL to use the account's own bucket and key"
	if t.Simulated != nil {
		why, remedy = "the state of the simulated account is in a directory of this machine", "run doctor without --local"
	}
	store := statebackend.Backend{Bucket: t.State.Bucket, KeyAlias: environment.StateKeyAlias(t.Prefix), Region: t.State.Region,
		Tags: shared.Tags()}
	return doctor.Collect(
		func() []doctor.Finding {
			if store.Bucket == "" {
				return []doctor.Finding{doctor.Skip(doctor.ComponentStateBucket, remedy, "%s", why)}
			}
			found, err := store.InspectBucket(ctx, t.AWS)
			return doctor.StateBucket(store.Bucket, found, err)
		},
		func() []doctor.Finding {
			if store.Bucket == "" {
				return []doctor.Finding{doctor.Skip(doctor.ComponentStateKey, remedy, "%s", why)}
			}
			state, err := store.InspectKey(ctx, t.AWS)
			return []doctor.Finding{doctor.StateKey(store.KeyAlias, state, err)}
		},
	)
}

// readLocks returns the findings about the lock of the shared stack, and of the environment.
func readLocks(ctx context.Context, t *target.Target) []doctor.Finding {
	stacks := []string{environment.SharedStack}
	if t.Env != nil {
		stacks = append(stacks, t.Stack)
	}
	var all []doctor.Finding
	for _, stack := range stacks {
		status, err := t.Locks.Get(ctx, stack)
		all = append(all, doctor.Lock(stack, status, err))
	}
	return all
}

// readGitHub returns the findings about the repositories that the roles trust, and whether GitHub was asked.
func readGitHub(ctx context.Context, all *targets, shared *environment.Shared, t *target.Target) (found []doctor.Finding, asked bool) {
	if t.Simulated != nil {
		return []doctor.Finding{doctor.Skip(doctor.ComponentGitHub, "run doctor without --local",
			"no workflow deploys to the simulated account")}, false
	}
	expected, err := expectedOfGitHub(all, shared)
	if err != nil {
		return []doctor.Finding{doctor.Skip(doctor.ComponentGitHub, "correct the files of the environments", "%v", err)}, false
	}
	github, err := doctor.FindGitHub(ctx)
	if err != nil {
		return []doctor.Finding{doctor.SkipGitHub(err)}, false
	}
	for _, repository := range github.Read(ctx, expected) {
		found = append(found, expected.Evaluate(repository)...)
	}
	return found, true
}

// expectedOfGitHub returns what the roles and the environments require of GitHub. An environment whose file is not valid has no branch there.
func expectedOfGitHub(all *targets, shared *environment.Shared) (doctor.Expected, error) {
	stacks, err := environment.List(all.options.Dir)
	if err != nil {
		return doctor.Expected{}, err
	}
	var envs []*environment.Environment
	for _, stack := range stacks {
		if env, err := environment.Load(all.options.Dir, stack); err == nil {
			envs = append(envs, env)
		}
	}
	return doctor.Expect(shared, envs), nil
}

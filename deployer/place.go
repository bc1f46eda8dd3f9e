package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/record"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
	"github.com/balancer/v3-backend-infra/probe"
)

// place is where a command acts: an account of AWS, or the simulated one. Nothing else knows the difference.
type place struct {
	aws     aws.Config
	network probe.Network
	clock   clock.Clock
	records record.Store
	state   backend
	// engine finds the engine, once.
	engine func() (*engine.Engine, error)
	// simulated is nil for a real account.
	simulated *local.Local
}

// backend is where Pulumi's state lies and what encrypts its secrets.
type backend struct {
	// url and secrets are empty where the user's own Pulumi settings decide.
	url, secrets string
	// bucket is the account's own, where the state lies in it; "" where it lies elsewhere.
	bucket string
	// workDir has a work copy of the settings for each stack.
	workDir string
	// env is what the engine's environment has besides the process's.
	env func() (map[string]string, error)
}

// account names an account, whichever stack of it is meant.
type account struct {
	prefix, id, region string
}

func accountOf(env *environment.Environment) account {
	return account{prefix: env.Prefix, id: env.Account, region: env.Region}
}

// open opens the place that the settings name.
func (s settings) open(ctx context.Context, a account) (*place, error) {
	opening := s.openAWS
	if s.local {
		opening = s.openLocal
	}
	p, err := opening(ctx, a)
	if err != nil {
		return nil, err
	}
	p.engine = sync.OnceValues(func() (*engine.Engine, error) {
		return engine.Find(ctx, engine.Options{Explicit: s.pulumi, ProjectDir: s.dir})
	})
	return p, nil
}

// apiAttempts is how often a call to AWS is tried, throttled calls above all.
const apiAttempts = 8

func (s settings) openAWS(ctx context.Context, a account) (*place, error) {
	options := []func(*config.LoadOptions) error{
		config.WithRegion(a.region), config.WithRetryMode(aws.RetryModeAdaptive), config.WithRetryMaxAttempts(apiAttempts),
	}
	if s.profile != "" {
		options = append(options, config.WithSharedConfigProfile(s.profile))
	}
	if s.endpointURL != "" {
		options = append(options, config.WithBaseEndpoint(s.endpointURL))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if missing := (config.SharedConfigProfileNotExistError{}); errors.As(err, &missing) {
		return nil, hinted{fmt.Errorf("the profile %q does not exist", s.profile), "`aws configure list-profiles` lists them"}
	}
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}
	bucket := environment.StateBucket(a.prefix, a.id)
	state := backend{
		workDir: filepath.Join(s.stateDir, "work", "account"),
		env:     func() (map[string]string, error) { return s.engineVariables(), nil },
	}
	if os.Getenv("PULUMI_BACKEND_URL") == "" {
		state.bucket = bucket
		state.url = fmt.Sprintf("s3://%s?region=%s&awssdk=v2", bucket, a.region)
		state.secrets = fmt.Sprintf("awskms://%s?region=%s", environment.StateKeyAlias(a.prefix), a.region)
	}
	return &place{
		aws: loaded, network: probe.Internet(), clock: clock.Real(), state: state,
		records: recordStore(loaded, os.Getenv("PULUMI_BACKEND_URL"), bucket, s.endpointURL != ""),
	}, nil
}

// engineVariables hands the engine and its provider what flags say about the account.
func (s settings) engineVariables() map[string]string {
	variables := map[string]string{}
	if s.profile != "" {
		variables["AWS_PROFILE"] = s.profile
	}
	if s.endpointURL != "" {
		variables["AWS_ENDPOINT_URL"] = s.endpointURL
	}
	return variables
}

// recordStore puts records beside the state: in its directory, in its bucket, or where the state is elsewhere, in the
// account's own bucket.
func recordStore(cfg aws.Config, backendURL, bucket string, pathStyle bool) record.Store {
	if dir, ok := strings.CutPrefix(backendURL, "file://"); ok {
		return record.Dir(filepath.Join(dir, "deployments"))
	}
	if other, ok := strings.CutPrefix(backendURL, "s3://"); ok {
		other, _, _ = strings.Cut(other, "?")
		bucket, _, _ = strings.Cut(other, "/")
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = pathStyle })
	return record.Bucket{Client: client, Name: bucket}
}

func (s settings) openLocal(ctx context.Context, a account) (*place, error) {
	stacks, err := environment.List(s.dir)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.stateDir, "local")
	simulated, err := local.Open(ctx, local.Options{
		Dir: dir, AccountID: a.id, Region: a.region, Stacks: stacks, Faults: s.faults,
	})
	if err != nil {
		return nil, err
	}
	network, err := simulated.Network()
	if err != nil {
		return nil, errors.Join(err, simulated.Close())
	}
	return &place{
		aws: simulated.AWS(), network: network, clock: simulated.Clock(), simulated: simulated,
		records: record.Dir(filepath.Join(dir, "deployments")),
		state: backend{
			url: "file://" + simulated.StateDir(), secrets: "passphrase",
			workDir: filepath.Join(s.stateDir, "work", "local"), env: simulated.EngineEnv,
		},
	}, nil
}

// verify refuses to act with credentials of another account than the stack's file names.
func (p *place) verify(ctx context.Context, accountID, stack string) error {
	return p.identify(ctx, accountID, stack, p.clock.Now())
}

// identify is verify at a time that the credentials have to outlast by a deployment; the zero time asks for nothing.
func (p *place) identify(ctx context.Context, accountID, stack string, now time.Time) error {
	problems := release.Identity(ctx, p.aws, accountID, environment.FileName(stack), now)
	if len(problems) == 0 {
		return nil
	}
	return hinted{fmt.Errorf("%s: %s", problems[0].Check, problems[0].Message), problems[0].Hint}
}

// visit opens the place of the environment that --env names, with credentials of its account, for as long as run takes.
func (s settings) visit(ctx context.Context, run func(*environment.Environment, *place) error) error {
	env, err := s.environment()
	if err != nil {
		return err
	}
	p, err := s.open(ctx, accountOf(env))
	if err != nil {
		return err
	}
	defer s.leave(p)
	if err := p.verify(ctx, env.Account, env.Stack); err != nil {
		return err
	}
	return run(env, p)
}

// leave closes a place. What was done there is done: an error of closing it is only said.
func (s settings) leave(p *place) { s.warn(p.close()) }

// close releases what the place holds open.
func (p *place) close() error {
	if p.simulated == nil {
		return nil
	}
	return p.simulated.Close()
}

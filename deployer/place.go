package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/statebackend"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
	"github.com/balancer/v3-backend-infra/probe"
)

// place is where a command acts: an account of AWS, or the simulated one. Nothing else knows the difference.
type place struct {
	aws     aws.Config
	network probe.Network
	clock   clock.Clock
	records history.Store
	locks   lock.Store
	state   backend
	// engine finds the engine, once.
	engine func() (*engine.Engine, error)
	// held is the lock of the stack that this process changes; nil where it holds none.
	held *lock.Held
	// simulated is nil for a real account; trial is where it lies where it is a copy that nobody keeps.
	simulated *local.Local
	trial     *temporary
}

// backend is where Pulumi's state lies and what encrypts its secrets.
type backend struct {
	// url and secrets are empty where the user's own Pulumi settings decide.
	url, secrets string
	// bucket is the account's own, where the state or at least the records lie in it; "" where both lie elsewhere.
	bucket string
	// workDir has a work copy of the settings for each stack.
	workDir string
	// versions returns earlier contents of an object in the state's bucket, the newest first; nil where it is in none.
	versions func(context.Context, engine.Object) iter.Seq2[[]byte, error]
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
	s.sweep()
	opening := s.openAWS
	if s.local {
		opening = s.openLocal
	}
	p, err := opening(ctx, a)
	if err != nil {
		return nil, err
	}
	p.engine = sync.OnceValues(func() (*engine.Engine, error) {
		return engine.Find(ctx, s.engineOptions())
	})
	return p, nil
}

// apiAttempts is how often a call to AWS is tried, throttled calls above all; apiPatience is how long each time. The SDK
// itself waits for an answer without end, and no time limit of a phase would end that.
const (
	apiAttempts = 8
	apiPatience = 30 * time.Second
)

func (s settings) openAWS(ctx context.Context, a account) (*place, error) {
	options := []func(*config.LoadOptions) error{
		config.WithRegion(a.region), config.WithRetryMode(aws.RetryModeAdaptive), config.WithRetryMaxAttempts(apiAttempts),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(apiPatience)),
	}
	if s.profile != "" {
		options = append(options, config.WithSharedConfigProfile(s.profile))
	}
	if s.endpointURL != "" {
		options = append(options, config.WithBaseEndpoint(s.endpointURL))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if missing := (config.SharedConfigProfileNotExistError{}); errors.As(err, &missing) {
		return nil, hint.With(fmt.Errorf("the profile %q does not exist", s.profile), "`aws configure list-profiles` lists them")
	}
	if err != nil {
		return nil, fmt.Errorf("load the AWS configuration: %w", err)
	}
	state := backend{
		workDir: filepath.Join(s.stateDir, "work", "account"),
		env:     func() (map[string]string, error) { return s.engineVariables(), nil },
	}
	own := shelf{bucket: environment.StateBucket(a.prefix, a.id), region: s.homeRegion(a)}
	if os.Getenv("PULUMI_BACKEND_URL") == "" {
		state.url = fmt.Sprintf("s3://%s?region=%s&awssdk=v2", own.bucket, own.region)
		if s.endpointURL != "" {
			state.url += "&use_path_style=true" // an emulator answers at one address
		}
		state.secrets = fmt.Sprintf("awskms://%s?region=%s", environment.StateKeyAlias(a.prefix), own.region)
	}
	records, err := besideState(os.Getenv("PULUMI_BACKEND_URL"), own)
	if err != nil {
		return nil, err
	}
	if records.bucket == own.bucket {
		state.bucket = own.bucket
	}
	beside := records.open(loaded, s.endpointURL != "")
	if beside.client != nil {
		state.versions = func(ctx context.Context, o engine.Object) iter.Seq2[[]byte, error] {
			return statebackend.Versions(ctx, beside.client, o.Bucket, o.Key)
		}
	}
	return &place{
		aws: loaded, network: probe.SystemNetwork(), clock: clock.Real(), state: state,
		records: beside.records(), locks: beside.locks(),
	}, nil
}

// homeRegion is where the account's bucket and key lie: where bootstrap makes them, whichever region is looked at.
func (s settings) homeRegion(a account) string {
	shared, err := environment.LoadShared(s.dir)
	if err != nil || shared.Account != a.id {
		return a.region
	}
	return shared.Region
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

func (s settings) openLocal(ctx context.Context, a account) (*place, error) {
	stacks, err := localStacks(s.dir)
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
	beside := shelf{dir: dir}
	return &place{
		aws: simulated.AWS(), network: network, clock: simulated.Clock(), simulated: simulated,
		records: beside.records(), locks: beside.locks(),
		state: backend{
			url: "file://" + simulated.StateDir(), secrets: "passphrase",
			workDir: filepath.Join(s.stateDir, "work", "local"), env: simulated.EngineEnv,
		},
	}, nil
}

// localStacks are the environments that the simulated account has. One whose file is not valid is not among them: that is
// said by the command that is about it, and its secret is made when its file says what has to be in it.
func localStacks(dir string) ([]local.Stack, error) {
	names, err := environment.List(dir)
	if err != nil {
		return nil, err
	}
	var stacks []local.Stack
	for _, name := range names {
		if env, err := environment.Load(dir, name); err == nil {
			stacks = append(stacks, local.Stack{Name: env.Stack, SecretKeys: env.SecretKeys()})
		}
	}
	return stacks, nil
}

// openTrial opens the place for a command that changes nothing. A simulated account that lacks what environments share
// stays without: a copy of it, in which that is there, stands for it.
func (s settings) openTrial(ctx context.Context, a account) (*place, error) {
	p, err := s.open(ctx, a)
	if err != nil || !s.local {
		return p, err
	}
	missing, err := s.missingShared(ctx, p)
	if err == nil && missing == nil {
		return p, nil
	}
	if err := errors.Join(err, p.close()); err != nil {
		return nil, err
	}
	return s.openCopy(ctx, a)
}

// openCopy opens a copy of the simulated account and brings the shared stack up there, without a word.
func (s settings) openCopy(ctx context.Context, a account) (*place, error) {
	trial, err := s.newTemporary(trialPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a copy of the simulated account: %w", err)
	}
	if err := os.CopyFS(filepath.Join(trial.path, "local"), os.DirFS(filepath.Join(s.stateDir, "local"))); err != nil {
		return nil, errors.Join(fmt.Errorf("make a copy of the simulated account: %w", err), trial.remove())
	}
	s.stateDir, s.quiet = trial.path, true
	p, err := s.open(ctx, a)
	if err != nil {
		return nil, errors.Join(err, trial.remove())
	}
	p.trial = trial
	if err := s.shareLocally(ctx, p); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// verify refuses to act with credentials of another account than the stack's file names.
func (p *place) verify(ctx context.Context, accountID, stack string) error {
	return p.identify(ctx, accountID, stack, p.clock.Now())
}

// identify is verify at a time that the credentials have to outlast by a deployment; the zero time asks for nothing.
func (p *place) identify(ctx context.Context, accountID, stack string, now time.Time) error {
	problems := release.CheckIdentity(ctx, p.aws, accountID, environment.FileName(stack), now)
	if len(problems) == 0 {
		return nil
	}
	return hint.With(fmt.Errorf("%s: %s", problems[0].Check, problems[0].Message), problems[0].Hint)
}

// visit opens the place of the environment that --env names, with credentials of its account, for as long as run takes.
func (s settings) visit(ctx context.Context, run func(*environment.Environment, *place) error) error {
	return s.visitWith(ctx, s.open, run)
}

// visitWith is visit with a place that is opened in another way.
func (s settings) visitWith(ctx context.Context, open func(context.Context, account) (*place, error),
	run func(*environment.Environment, *place) error) error {
	env, err := s.environment()
	if err != nil {
		return err
	}
	p, err := open(ctx, accountOf(env))
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
	err := p.simulated.Close()
	if p.trial != nil {
		err = errors.Join(err, p.trial.remove())
	}
	return err
}

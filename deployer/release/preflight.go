package release

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	route53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/secrets"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsstate"
	"github.com/balancer/v3-backend-infra/probe"
)

// minCredentialLifetime is how long credentials must last at least: less, and a deployment could lose them half-way.
const minCredentialLifetime = 15 * time.Minute

// identityAttempts is how often the first call to an account is tried.
const identityAttempts = 3

// Delegation is the check whether the internet knows the zone's name servers.
const Delegation = "delegation"

// ChecksIgnoredByRollback returns the checks that do not stop a rollback: it is the way out of such trouble, or does not touch what
// they check. A migration changes nothing for an image that ran before it.
func ChecksIgnoredByRollback() []string {
	return []string{"rollout", Migration, "database", Delegation, "network", "scan"}
}

// Migration names the check whether a migration is running.
const Migration = "migration"

// preflight looks at everything that a deployment stands on, and changes nothing.
type preflight struct {
	env      *environment.Environment
	aws      aws.Config
	resolver probe.Resolver
	now      time.Time
	// tag is the image's tag or digest; "" means the image that runs.
	tag string
	// checkState says what is wrong with where the stack's state lies; nil where nobody asks.
	checkState func(context.Context) error
	// extraCheck looks at what is not AWS's, together with the rest.
	extraCheck func(context.Context) []Problem
	// migrationOnly looks at no more than a migration needs.
	migrationOnly bool
	// warnOnly are checks that only warn.
	warnOnly []string
}

// run makes all checks at once and returns the image and every problem, in the order of the checks.
// Without credentials for the right account, nothing else is asked: every answer would be about another account.
func (p *preflight) run(ctx context.Context) (*Image, []Problem) {
	if problems := CheckIdentity(ctx, p.aws, p.env.Account, environment.FileName(p.env.Stack), p.now); len(problems) > 0 {
		return nil, problems
	}
	var image *Image
	steps := []func(context.Context) []Problem{
		func(ctx context.Context) (problems []Problem) {
			image, problems = p.image(ctx)
			return problems
		},
		p.network, p.secret, p.rolloutInProgress, p.migrationRunning, p.database, p.delegation,
	}
	if p.migrationOnly {
		steps = append(steps[:1], p.secret, p.migrationRunning, p.database)
	}
	if p.extraCheck != nil {
		steps = slices.Insert(steps, 0, p.extraCheck)
	}
	if p.checkState != nil {
		steps = slices.Insert(steps, 0, p.stateLocation)
	}
	results := make([][]Problem, len(steps))
	var wait sync.WaitGroup
	for i, step := range steps {
		wait.Go(func() { results[i] = step(ctx) })
	}
	wait.Wait()
	problems := slices.Concat(results...)
	for i := range problems {
		problems[i].Stops = problems[i].Stops && !slices.Contains(p.warnOnly, problems[i].Check)
	}
	return image, problems
}

func blocking(check string, err error) []Problem {
	return []Problem{{Check: check, Message: err.Error(), Hint: hint.Of(err), Stops: true}}
}

// CheckIdentity compares the account of the credentials with the one that file names, and looks at how long they last.
func CheckIdentity(ctx context.Context, cfg aws.Config, want, file string, now time.Time) []Problem {
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return blocking("credentials", hint.With(fmt.Errorf("there are none: %w", err),
			"`aws sso login`, set AWS_PROFILE, or try --local, which needs no account"))
	}
	caller, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.Options) {
		// Who waits for a first answer wants to know soon that there is none.
		o.RetryMaxAttempts = identityAttempts
	})
	if err != nil {
		return blocking("credentials", credentialsError(err))
	}
	if account := aws.ToString(caller.Account); account != want {
		return blocking("account", hint.With(
			fmt.Errorf("the credentials belong to account %s, %s names %s", account, file, want),
			"choose the other account's profile with --profile, or correct `account` in "+file))
	}
	if left := credentials.Expires.Sub(now); credentials.CanExpire && left < minCredentialLifetime {
		return blocking("credentials", hint.With(
			fmt.Errorf("they expire in %s, a deployment may take longer", left.Round(time.Second)), "renew them first"))
	}
	return nil
}

// credentialsError says in the user's words why AWS refused the credentials.
func credentialsError(err error) error {
	var refused smithy.APIError
	if errors.As(err, &refused) {
		switch refused.ErrorCode() {
		case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
			return hint.With(errors.New("they have expired"), "renew them, with `aws sso login` for instance")
		case "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch":
			return hint.With(errors.New("AWS does not know them"), "look at AWS_ACCESS_KEY_ID, AWS_PROFILE and ~/.aws")
		}
	}
	return hint.With(fmt.Errorf("ask who is calling: %w", err), "is AWS reachable from here, and the region right?")
}

// stateLocation asks whether the stack's state has a place.
func (p *preflight) stateLocation(ctx context.Context) []Problem {
	if err := p.checkState(ctx); err != nil {
		return blocking("state", err)
	}
	return nil
}

func (p *preflight) image(ctx context.Context) (*Image, []Problem) {
	if p.tag == "" {
		images, err := RunningImages(ctx, ecs.NewFromConfig(p.aws), p.env)
		if err == nil {
			p.tag, err = singleDigest(p.env, images)
		}
		if err != nil {
			return nil, blocking("image", err)
		}
	}
	image, err := FindImage(ctx, ecr.NewFromConfig(p.aws), p.env, p.tag)
	if err != nil {
		return nil, blocking("image", err)
	}
	return image, evaluateScan(p.tag, image, p.env.Image.CriticalFindings == environment.Fail, p.now)
}

// scanGracePeriod is how long after its push a scan may still be to come.
const scanGracePeriod = 15 * time.Minute

// evaluateScan says what is wrong with an image's scan. Where critical findings stop a deployment, findings that are not known do too;
// those of an image that was pushed just now will be.
func evaluateScan(tag string, image *Image, strict bool, now time.Time) []Problem {
	switch {
	case !image.Scanned:
		problem := Problem{
			Check: "scan", Stops: strict, Transient: strict && now.Sub(image.Pushed) < scanGracePeriod,
			Message: fmt.Sprintf("%s has not been scanned, so its findings are not known", tag),
			Hint:    "the repository scans on push; `aws ecr start-image-scan` starts another scan",
		}
		if problem.Transient {
			problem.Hint = "the repository scans on push: wait for it, with --wait"
		}
		return []Problem{problem}
	case image.Critical > 0:
		return []Problem{{
			Check: "scan", Stops: strict,
			Message: fmt.Sprintf("the scan of %s has %d critical findings", tag, image.Critical),
			Hint:    "rebuild it on a patched base image; image.criticalFindings says whether this stops a deployment",
		}}
	}
	return nil
}

// network refuses a change that AWS cannot make in place and Pulumi would fail at half-way: the range of a VPC in which
// everything lives.
func (p *preflight) network(ctx context.Context) []Problem {
	name := p.env.VPCName()
	out, err := ec2.NewFromConfig(p.aws).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{
		Filters: []ec2types.Filter{{Name: aws.String("tag:Name"), Values: []string{name}}},
	})
	if err != nil {
		return blocking("network", fmt.Errorf("look at the VPC %s: %w", name, err))
	}
	for _, vpc := range out.Vpcs {
		if cidr := aws.ToString(vpc.CidrBlock); cidr != p.env.Network.CIDR {
			return blocking("network", hint.With(
				fmt.Errorf("%s has the range %s, %s asks for %s: the range of a living VPC cannot change", name, cidr,
					environment.FileName(p.env.Stack), p.env.Network.CIDR),
				"put network.cidr back to "+cidr+", or make a new environment and move"))
		}
	}
	return nil
}

// secret asks whether the configuration secret has what the tasks will refer to.
func (p *preflight) secret(ctx context.Context) []Problem {
	name := p.env.SecretName()
	store := secrets.Store{Client: secretsmanager.NewFromConfig(p.aws), Name: name}
	current, err := store.Read(ctx, secrets.Current)
	switch {
	case errors.Is(err, secrets.ErrNoSecret):
		return blocking("secret", hint.With(fmt.Errorf("the configuration secret %s does not exist", name),
			"make it: `deployer secrets init --env "+p.env.Stack+"`"))
	case errors.Is(err, secrets.ErrNoValue):
		return blocking("secret", hint.With(fmt.Errorf("the configuration secret %s has no value yet", name),
			"write all of it: `deployer secrets init --env "+p.env.Stack+"`"))
	case err != nil:
		return blocking("secret", err)
	}
	settings, err := configuration.ParseSecret(name, aws.ToString(current.Text))
	if err != nil {
		return blocking("secret", err)
	}
	var problems []Problem
	for _, found := range checks.SecretProblems(settings.Values, p.env) {
		problems = append(problems, Problem{
			Check: "secret", Message: fmt.Sprintf("%s: the key %s", name, found), Stops: found.Stops,
			Hint: "`deployer secrets set " + found.Key + " --env " + p.env.Stack + "` sets it; the tasks start with what is there then",
		})
	}
	return problems
}

// rolloutInProgress looks for a rollout that has not ended.
func (p *preflight) rolloutInProgress(ctx context.Context) []Problem {
	client := ecs.NewFromConfig(p.aws)
	var names []string
	for _, s := range p.env.Services.List() {
		names = append(names, p.env.ServiceName(s.Role))
	}
	cluster := p.env.ClusterName()
	out, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: names})
	var noCluster *ecstypes.ClusterNotFoundException
	if errors.As(err, &noCluster) {
		return nil
	}
	if err != nil {
		return blocking("rollout", fmt.Errorf("look at the services: %w", err))
	}
	var problems []Problem
	for _, service := range out.Services {
		for _, d := range service.Deployments {
			if d.RolloutState == ecstypes.DeploymentRolloutStateInProgress && aws.ToString(d.Status) == "PRIMARY" {
				problems = append(problems, transient(blocking("rollout", hint.With(
					fmt.Errorf("%s is being rolled out, %d of %d tasks are running", aws.ToString(service.ServiceName),
						d.RunningCount, d.DesiredCount), "wait for its end, with --wait; `deployer status --env "+p.env.Stack+" --only ecs_service` shows it; `deployer rollback --env "+p.env.Stack+"` ends it")))...)
			}
		}
	}
	return problems
}

// migrationRunning looks for a migration that has not ended.
func (p *preflight) migrationRunning(ctx context.Context) []Problem {
	tasks, err := runningMigrations(ctx, ecs.NewFromConfig(p.aws), p.env)
	if err != nil {
		return blocking(Migration, err)
	}
	var problems []Problem
	for _, task := range tasks {
		problems = append(problems, blocking(Migration, alreadyRunningError(p.env, task))...)
	}
	return problems
}

// database asks whether the database, where there is one already, can be worked with.
func (p *preflight) database(ctx context.Context) []Problem {
	id := p.env.DatabaseIdentifier()
	out, err := rds.NewFromConfig(p.aws).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
	var missing *rdstypes.DBInstanceNotFoundFault
	switch {
	case errors.As(err, &missing):
		return nil
	case err != nil:
		return blocking("database", fmt.Errorf("look at the database %s: %w", id, err))
	case len(out.DBInstances) == 0:
		return nil
	}
	status := aws.ToString(out.DBInstances[0].DBInstanceStatus)
	switch rdsstate.Of(status) {
	case rdsstate.Operational:
		return nil
	case rdsstate.Changing, rdsstate.Starting:
		return transient(blocking("database", hint.With(fmt.Errorf("%s is %s, not available", id, status), "wait until it is available, with --wait")))
	default:
		return blocking("database", hint.With(fmt.Errorf("%s is %s, not available", id, status),
			"`deployer status --env "+p.env.Stack+" --only database` says what to do"))
	}
}

// delegation asks whether the internet knows the zone's name servers: without, a certificate is never validated.
func (p *preflight) delegation(ctx context.Context) []Problem {
	zone, err := FindZone(ctx, route53.NewFromConfig(p.aws), p.env.Domain.Root)
	if err != nil {
		return blocking("zone", err)
	}
	want := hostNames(zone.DelegationSet.NameServers)
	found, err := p.resolver.LookupNS(ctx, p.env.Domain.Root)
	var notFound *net.DNSError
	if err != nil && (!errors.As(err, &notFound) || !notFound.IsNotFound) {
		return blocking(Delegation, fmt.Errorf("look up the name servers of %s: %w", p.env.Domain.Root, err))
	}
	var have []string
	for _, ns := range found {
		have = append(have, ns.Host)
	}
	if slices.Equal(hostNames(have), want) {
		return nil
	}
	return blocking(Delegation, hint.With(
		fmt.Errorf("%s is not delegated to this account's zone: the internet knows %s", p.env.Domain.Root, joinOr(hostNames(have), "no name servers")),
		"at the registrar, set the name servers to "+strings.Join(want, ", ")+"; then wait up to an hour, or use --wait-delegation"))
}

// ErrNoZone says that the account has no hosted zone of the domain.
var ErrNoZone = errors.New("there is no such hosted zone in the account")

// FindZone returns the public hosted zone of a domain with its name servers, or ErrNoZone.
func FindZone(ctx context.Context, client *route53.Client, domain string) (*route53.GetHostedZoneOutput, error) {
	list, err := client.ListHostedZonesByName(ctx, &route53.ListHostedZonesByNameInput{DNSName: &domain})
	if err != nil {
		return nil, fmt.Errorf("look up the hosted zone %s: %w", domain, err)
	}
	i := slices.IndexFunc(list.HostedZones, func(z route53types.HostedZone) bool {
		return strings.TrimSuffix(aws.ToString(z.Name), ".") == domain && (z.Config == nil || !z.Config.PrivateZone)
	})
	if i < 0 {
		return nil, hint.With(fmt.Errorf("%s: %w", domain, ErrNoZone),
			"run `deployer bootstrap` first, once an account")
	}
	zone, err := client.GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: list.HostedZones[i].Id})
	if err != nil {
		return nil, fmt.Errorf("read the hosted zone %s: %w", domain, err)
	}
	if zone.DelegationSet == nil {
		return nil, fmt.Errorf("the hosted zone %s has no name servers", domain)
	}
	return zone, nil
}

// hostNames makes lists of host names comparable: lower case, no final dot, sorted.
func hostNames(names []string) []string {
	var plain []string
	for _, n := range names {
		plain = append(plain, strings.ToLower(strings.TrimSuffix(n, ".")))
	}
	slices.Sort(plain)
	return plain
}

func joinOr(items []string, none string) string {
	if len(items) == 0 {
		return none
	}
	return strings.Join(items, ", ")
}

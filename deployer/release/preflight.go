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
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/secrets"
	"github.com/balancer/v3-backend-infra/deployer/sleep"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/cwmetrics"
	"github.com/balancer/v3-backend-infra/internal/awsx/expiry"
	"github.com/balancer/v3-backend-infra/internal/awsx/hostedzone"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsinstance"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsstate"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
	"github.com/balancer/v3-backend-infra/probe"
)

const (
	// minCredentialLifetime is how long credentials must be valid at least, or a deployment could lose them halfway.
	minCredentialLifetime = 15 * time.Minute
)

const (
	// Delegation is the check of the domain's name servers.
	Delegation = "delegation"
	// Migration is the check for a running migration.
	Migration = "migration"
)

// ChecksIgnoredByRollback returns the checks that do not stop a rollback: it resolves their problems, or does not touch what they
// check. A migration changes nothing for an image that ran before it.
func ChecksIgnoredByRollback() []string {
	return []string{"rollout", Migration, "database", Delegation, "network", "scan", Quotas}
}

// preflight checks what a deployment depends on, and changes nothing.
type preflight struct {
	env      *environment.Environment
	aws      aws.Config
	resolver probe.Resolver
	clock    clock.Clock
	now      time.Time
	// tag is the image's tag, digest or TAG@DIGEST; "" means the running image.
	tag string
	// checkState returns an error where the stack's state cannot be stored; nil skips the check.
	checkState func(context.Context) error
	// extraCheck runs with the other checks; it may be nil.
	extraCheck func(context.Context) []Problem
	// migrationOnly runs only the checks that a migration needs.
	migrationOnly bool
	// warnOnly are checks whose problems only warn.
	warnOnly []string
	// waits reports that the deployment waits for whatever is in progress, so that hints do not advise --wait.
	waits bool
	// changesNetwork reports that the deployment applies the file's description of the network; migrates and rollsOut that it has these
	// phases.
	changesNetwork, migrates, rollsOut bool
	// bakes reports that the new version is watched after its rollout.
	bakes bool
	// replacesTasks reports that the deployment gives the tasks definitions by the file, which refer to no other keys than it requires.
	replacesTasks bool
	// databasePhase is the phase that applies the file's description of the database; "" where none does.
	databasePhase string
	// backup is whether a snapshot precedes the change of the database.
	backup bool
	// appliesFile reports that the tasks get the code of the environment's file, rather than the code of an earlier deployment.
	appliesFile bool
	// restart reports that the image stays the same.
	restart bool
	// records are those of the account's deployments. unverified is why an image is deployed that no environment has verified; "" where it
	// must be.
	records    history.Store
	unverified string
	// passed is set by run: unverified, where it let the image through; else "".
	passed string
	// upgrade is set by run: the deployment upgrades the database's major version.
	upgrade bool
	// sleep is set by run: it has what marks the environment as asleep, where it is.
	sleep sleep.State
	// deferred is set by run: the change of the database that will wait for the maintenance window; "" for none.
	deferred string
}

// run runs all checks at once and returns the image and every problem, in the order of the checks. Without credentials for the right
// account it runs no other check, whose result would be about another account.
func (p *preflight) run(ctx context.Context) (*Image, []Problem) {
	if problems := CheckIdentity(ctx, p.aws, p.env.Account, environment.FileName(p.env.Stack), p.now); len(problems) > 0 {
		return nil, problems
	}
	marks, asleepProblems := p.asleep(ctx)
	if p.sleep = marks; slices.ContainsFunc(asleepProblems, func(p Problem) bool { return p.Stops }) {
		return nil, asleepProblems // the other checks would find what does not run
	}
	var image *Image
	steps := []func(context.Context) []Problem{
		func(ctx context.Context) (problems []Problem) {
			image, problems = p.image(ctx)
			return problems
		},
		p.network, p.secret, p.rolloutInProgress, p.migrationRunning, p.database, p.delegation, p.notifications, p.quotas, p.alarms,
	}
	if p.migrationOnly {
		steps = append(steps[:1], p.secret, p.migrationRunning, p.database)
	}
	steps = slices.Insert(steps, 0, p.lifetime)
	if p.extraCheck != nil {
		steps = slices.Insert(steps, 0, p.extraCheck)
	}
	if p.checkState != nil {
		steps = slices.Insert(steps, 0, p.state)
	}
	results := make([][]Problem, len(steps))
	var wait sync.WaitGroup
	for i, step := range steps {
		wait.Go(func() { results[i] = step(ctx) })
	}
	wait.Wait()
	problems := append(slices.Concat(results...), asleepProblems...)
	for _, w := range p.env.Warnings(p.now) {
		problems = append(problems, Problem{Check: "environment", Message: w.Path + ": " + w.Message, Hint: w.Remedy})
	}
	for i := range problems {
		problems[i].Stops = problems[i].Stops && !slices.Contains(p.warnOnly, problems[i].Check)
	}
	return image, problems
}

// LastStart returns when a deployment has to start at the latest, so that the credentials do not expire in the middle; the zero time
// where they are renewed or do not expire.
func LastStart(ctx context.Context, cfg aws.Config) time.Time {
	if cfg.Credentials == nil {
		return time.Time{}
	}
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return time.Time{}
	}
	end, ends := expiry.Of(credentials)
	if !ends {
		return time.Time{}
	}
	return end.Add(-minCredentialLifetime)
}

// lifetime warns of credentials that expire before the deployment's time limits have passed.
func (p *preflight) lifetime(ctx context.Context) []Problem {
	start := LastStart(ctx, p.aws)
	if start.IsZero() {
		return nil
	}
	left, longest := start.Add(minCredentialLifetime).Sub(p.now), p.longest()
	if left >= longest {
		return nil
	}
	return []Problem{{
		Check: "credentials", Hint: "renew them first, or use credentials that the SDK renews, such as a profile with SSO or with a role",
		Message: fmt.Sprintf("they expire in %s, and with its time limits the deployment may take %s: it would end unfinished",
			left.Round(time.Second), longest),
	}}
}

// longest returns how long the deployment may take, by the environment's time limits and with the time of the other phases.
func (p *preflight) longest() time.Duration {
	limits, total := p.env.Deployment, minCredentialLifetime
	if p.migrates || p.migrationOnly {
		total += limits.Migrations.Timeout
	}
	if p.rollsOut && !p.migrationOnly {
		total += limits.Rollout.Timeout + time.Duration(limits.Health.Tries)*limits.Health.Interval
		if p.bakes {
			total += limits.Rollout.Bake + bakeDelay
		}
	}
	return total
}

func (p *preflight) state(ctx context.Context) []Problem {
	if err := p.checkState(ctx); err != nil {
		return blocking("state", err)
	}
	return nil
}

func (p *preflight) image(ctx context.Context) (*Image, []Problem) {
	if p.tag == "" {
		running, err := RunningImages(ctx, ecs.NewFromConfig(p.aws), p.env)
		switch {
		case err != nil:
			return nil, blocking("image", err)
		case len(running) == 0:
			return nil, blocking("image", p.nothingRuns(ctx))
		}
		if p.tag, err = singleDigest(p.env, running); err != nil {
			if rollouts := p.rolloutInProgress(ctx); p.migrationOnly && len(rollouts) > 0 {
				return nil, rollouts // it explains why the images differ
			}
			return nil, blocking("image", err)
		}
	}
	image, err := FindImage(ctx, ecr.NewFromConfig(p.aws), p.env, p.tag)
	if err != nil {
		return nil, blocking("image", err)
	}
	problems := evaluateScan(image.Tag, image, p.env.Image.CriticalFindings == environment.Fail, p.now)
	config, err := p.readImageConfig(ctx, image)
	image.Created = config.CreatedAt() // only statistics need it
	return image, slices.Concat(p.platform(image, config, err), problems, p.verification(ctx, image))
}

// nothingRuns returns why there is no image that runs, and so none to migrate with or to restart.
func (p *preflight) nothingRuns(ctx context.Context) error {
	why, what := "nothing runs in "+p.env.Name, "nothing to restart"
	if p.migrationOnly {
		what = "no image to migrate with"
	}
	if p.records.Files != nil {
		records, err := p.records.List(ctx, p.env.Stack, historyLimit)
		destroy := history.LastDestroy(records)
		switch {
		case err != nil:
		case len(records) == 0:
			why = p.env.Name + " was never deployed"
		case destroy != nil && len(history.SinceDestroy(records)) == 0:
			why = p.env.Name + " was destroyed on " + text.Minute(destroy.Started)
		}
	}
	return hint.With(fmt.Errorf("%s, so there is %s", why, what), "deploy it: `deployer up --env "+p.env.Stack+" --image-tag TAG`")
}

// network rejects another range for an existing VPC: AWS cannot change it in place, and Pulumi would fail halfway. It also rejects the
// removal of a zone that the database uses.
func (p *preflight) network(ctx context.Context) []Problem {
	name, client := p.env.VPCName(), ec2.NewFromConfig(p.aws)
	out, err := client.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{
		Filters: []ec2types.Filter{{Name: aws.String("tag:Name"), Values: []string{name}}},
	})
	if err != nil {
		return blocking("network", fmt.Errorf("describe the VPC %s: %w", name, err))
	}
	for _, vpc := range out.Vpcs {
		if cidr := aws.ToString(vpc.CidrBlock); cidr != p.env.Network.CIDR {
			return blocking("network", hint.With(
				fmt.Errorf("%s has the range %s, %s asks for %s: an existing VPC cannot change its range", name, cidr,
					environment.FileName(p.env.Stack), p.env.Network.CIDR),
				"set network.cidr back to "+cidr+", or create a new environment and move to it"))
		}
		if p.changesNetwork {
			if problems := p.removedZones(ctx, client, vpc.VpcId); len(problems) > 0 {
				return problems
			}
		}
	}
	return nil
}

// secret checks that the configuration secret has the keys that the tasks refer to.
func (p *preflight) secret(ctx context.Context) []Problem {
	name := p.env.SecretName()
	store := secrets.Store{Client: secretsmanager.NewFromConfig(p.aws), Name: name}
	initialise := "`deployer secrets init --env " + p.env.Stack + "`"
	current, err := store.Read(ctx, secrets.Current)
	switch {
	case errors.Is(err, secrets.ErrNoSecret):
		return blocking("secret", hint.With(fmt.Errorf("the configuration secret %s does not exist", name), "create it with "+initialise))
	case errors.Is(err, secrets.ErrNoValue):
		return blocking("secret", hint.With(fmt.Errorf("the configuration secret %s has no value yet", name), "write it with "+initialise))
	case err != nil:
		return blocking("secret", err)
	}
	settings, err := configuration.ParseSecret(name, aws.ToString(current.Text))
	if err != nil {
		return blocking("secret", hint.With(err, "`deployer secrets check --env "+p.env.Stack+"` shows how to repair it"))
	}
	use, useErr := checks.ReadSecretUse(ctx, p.env, p.aws)
	problems := list.Map(checks.SecretProblems(settings, p.env, use), func(found checks.KeyProblem) Problem {
		return Problem{
			Check: "secret", Message: fmt.Sprintf("%s: the key %s", name, found), Stops: found.Stops && (!found.RunningOnly || !p.replacesTasks),
			Hint: found.Remedy(p.env),
		}
	})
	if useErr != nil {
		problems = append(problems, Problem{Check: "secret", Message: fmt.Sprintf("the secret was compared with %s only: %v",
			environment.FileName(p.env.Stack), useErr), Hint: hint.Of(useErr)})
	}
	return problems
}

// rolloutInProgress finds rollouts that have not ended.
func (p *preflight) rolloutInProgress(ctx context.Context) []Problem {
	services, err := describeServices(ctx, ecs.NewFromConfig(p.aws), p.env)
	if err != nil {
		return blocking("rollout", err)
	}
	var problems []Problem
	for _, service := range services {
		if rollout, inProgress := rolloutText(service); inProgress {
			next := "follow it with `deployer status --env " + p.env.Stack + " --only ecs_service`, or end it with `deployer rollback --env " + p.env.Stack + "`"
			if !p.waits {
				next = "wait for it with --wait, " + next
			}
			problems = append(problems, transient("rollout", hint.With(errors.New(rollout), next))...)
		}
	}
	return problems
}

// rolloutText returns how far the rollout of a service is, and whether it is in progress.
func rolloutText(service ecstypes.Service) (string, bool) {
	d := checks.PrimaryDeployment(service)
	return fmt.Sprintf("%s is being rolled out, %d of %d tasks are running", aws.ToString(service.ServiceName), d.RunningCount, d.DesiredCount),
		d.RolloutState == ecstypes.DeploymentRolloutStateInProgress
}

// migrationRunning finds migrations that have not ended.
func (p *preflight) migrationRunning(ctx context.Context) []Problem {
	tasks, err := runningMigrations(ctx, ecs.NewFromConfig(p.aws), p.env)
	if err != nil {
		return blocking(Migration, err)
	}
	var problems []Problem
	for _, task := range tasks {
		problems = append(problems, blocking(Migration, alreadyRunningError(p.env, task, p.waits))...)
	}
	return problems
}

// database checks that the database, where it exists, is available, and that the deployment does not ask for what RDS cannot change.
func (p *preflight) database(ctx context.Context) []Problem {
	id := p.env.DatabaseIdentifier()
	instance, err := rdsinstance.Find(ctx, p.aws, id)
	switch {
	case err != nil:
		return blocking("database", fmt.Errorf("describe the database %s: %w", id, err))
	case instance == nil:
		return nil
	}
	var version []Problem
	if p.databasePhase != "" {
		version, p.upgrade = compareVersion(p.env, aws.ToString(instance.EngineVersion), p.databasePhase, p.backup)
		p.deferred = deferredNote(p.env, instance, p.upgrade)
		version = append(version, fixedInDatabase(p.env, instance)...)
	}
	return append(version, p.databaseStatus(aws.ToString(instance.DBInstanceStatus))...)
}

// databaseStatus returns the problem of a database that is not available.
func (p *preflight) databaseStatus(status string) []Problem {
	id := p.env.DatabaseIdentifier()
	unavailable := fmt.Errorf("%s is %s, not available", id, status)
	switch state := rdsstate.Of(status); {
	case status == "":
		return blocking("database", hint.With(fmt.Errorf("the answer of DescribeDBInstances has no status of %s", id), "run it again"))
	case state == rdsstate.Operational,
		p.sleep.Marked() && !p.migrationOnly && slices.Contains([]string{rdsstate.Stopped, rdsstate.Stopping, "starting"}, status):
		return nil // the phase wake starts it
	case state.Passes():
		return transient("database", hint.With(unavailable, "wait until it is available, with --wait"))
	default:
		return blocking("database", hint.With(unavailable, "run `deployer status --env "+p.env.Stack+" --only database` for the cause and what to do"))
	}
}

// notifications warns of recipients of alarms that have not confirmed their subscription. A new environment has no topic yet.
func (p *preflight) notifications(ctx context.Context) []Problem {
	findings, err := checks.UnconfirmedRecipients(ctx, p.aws, p.env)
	problems := list.Map(findings, func(f checks.Finding) Problem {
		return Problem{Check: "notifications", Message: f.Message, Hint: f.Hint.Solution + ": `" + f.Hint.Command + "`"}
	})
	if err != nil {
		problems = append(problems, Problem{
			Check: "notifications", Message: fmt.Sprintf("list the subscriptions of %s: %v", p.env.TopicName(), err),
			Hint: "allow sns:ListSubscriptionsByTopic; without it, no one knows who is notified of alarms",
		})
	}
	return problems
}

// alarms warns of those of deployment.rollout.alarms that are in alarm already: ECS watches none of a service's alarms during a rollout that
// begins in that state.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
func (p *preflight) alarms(ctx context.Context) []Problem {
	watched := p.env.Deployment.Rollout.Alarms
	if !p.rollsOut || len(watched) == 0 {
		return nil
	}
	out, err := cwmetrics.NewClient(p.aws).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: list.Map(watched, p.env.AlarmName), StateValue: cwtypes.StateValueAlarm, AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm},
	})
	if err != nil {
		return []Problem{{
			Check: "alarms", Message: fmt.Sprintf("the state of the alarms that end a rollout is unknown: %v", err),
			Hint: "allow cloudwatch:DescribeAlarms; ECS watches no alarms in a rollout that begins while one of them is in alarm",
		}}
	}
	return list.Map(out.MetricAlarms, func(a cwtypes.MetricAlarm) Problem {
		message := fmt.Sprintf("%s has been in alarm since %s (%s): ECS watches no alarms while it rolls out the services that have this one",
			aws.ToString(a.AlarmName), text.Minute(aws.ToTime(a.StateTransitionedTimestamp)), aws.ToString(a.StateReason))
		if p.bakes {
			message += "; the bake still judges the new version"
		}
		return Problem{
			Check: "alarms", Message: message,
			Hint: "`deployer status --env " + p.env.Stack + " --only alarms` shows what is wrong; deploy what mends it, or wait until the alarm is OK",
		}
	})
}

// delegation checks that the domain is delegated to the zone's name servers, without which a certificate cannot be validated.
func (p *preflight) delegation(ctx context.Context) []Problem {
	root := p.env.Domain.Root
	zone, err := FindZone(ctx, route53.NewFromConfig(p.aws), root)
	if err != nil {
		return blocking("zone", err)
	}
	want := hostedzone.NormalNames(zone.DelegationSet.NameServers)
	found, err := p.resolver.LookupNS(ctx, root)
	var notFound *net.DNSError
	if err != nil && (!errors.As(err, &notFound) || !notFound.IsNotFound) {
		return blocking(Delegation, fmt.Errorf("look up the name servers of %s: %w", root, err))
	}
	have := hostedzone.NormalNames(list.Map(found, func(ns *net.NS) string { return ns.Host }))
	if slices.Equal(have, want) {
		return nil
	}
	if len(have) == 0 {
		have = []string{"no name servers"}
	}
	return blocking(Delegation, hint.With(
		fmt.Errorf("%s is not delegated to this account's zone: public DNS returns %s", root, strings.Join(have, ", ")),
		"at the registrar, set the name servers to "+strings.Join(want, ", ")+"; then wait up to an hour, or use --wait-delegation"))
}

// ErrNoZone reports that the account has no public hosted zone of the domain.
var ErrNoZone = errors.New("the account has no such hosted zone")

// FindZone returns the public hosted zone of a domain with its name servers, or ErrNoZone.
func FindZone(ctx context.Context, client *route53.Client, domain string) (*route53.GetHostedZoneOutput, error) {
	zones, err := hostedzone.Public(ctx, client, domain)
	if err != nil {
		return nil, fmt.Errorf("look up the hosted zone %s: %w", domain, err)
	}
	if len(zones) == 0 {
		return nil, hint.With(fmt.Errorf("%s: %w", domain, ErrNoZone), "run `deployer bootstrap` first, once per account")
	}
	zone, err := client.GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: zones[0].Id})
	if err == nil && zone.DelegationSet == nil {
		err = errors.New("it has no name servers")
	}
	if err != nil {
		return nil, fmt.Errorf("read the hosted zone %s: %w", domain, err)
	}
	return zone, nil
}

package doctor

import (
	"errors"
	"fmt"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/statebackend"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Credentials evaluates the credentials of a deployment that starts now, in the account that file names.
func Credentials(i release.Identity, err error, account, file string, now time.Time) Finding {
	a := about{component: ComponentCredentials}
	if unsent := (*smithyhttp.RequestSendError)(nil); errors.As(err, &unsent) {
		return a.unknown(err, "check that AWS is reachable from here", "AWS could not be asked")
	}
	if err != nil {
		return a.finding(checks.Error, hint.Of(err), "%v", err)
	}
	if problems := i.Problems(account, file, now); len(problems) > 0 {
		return a.finding(checks.Error, problems[0].Hint, "%s: %s", i.ARN, problems[0].Message)
	}
	lasts := "they do not expire, or are renewed"
	if !i.Expires.IsZero() {
		lasts = "they expire in " + text.Duration(i.Expires.Sub(now))
	}
	return a.healthy("%s, from %s; %s", i.ARN, i.Source, lasts)
}

// The limits of the difference between this machine's clock and AWS's. AWS refuses requests that are off by more than maxSkew.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
const (
	noticeableSkew = time.Minute
	maxSkew        = 5 * time.Minute
)

// Clock evaluates how much AWS's clock is ahead of this machine's; nil where that is not known.
func Clock(skew *time.Duration) Finding {
	a := about{component: ComponentClock}
	const remedy = "synchronize the clock of this machine, with NTP for instance"
	if skew == nil {
		return a.finding(checks.Unknown, "let AWS answer first: see "+ComponentCredentials, "AWS's clock could not be read")
	}
	off, side := skew.Round(time.Second), "behind"
	if off < 0 {
		off, side = -off, "ahead of"
	}
	switch {
	case off > maxSkew:
		return a.finding(checks.Error, remedy,
			"this machine is %s %s AWS, which refuses requests that are off by more than %s", text.Duration(off), side, text.Duration(maxSkew))
	case off > noticeableSkew:
		return a.finding(checks.Warning, remedy, "this machine is %s %s AWS", text.Duration(off), side)
	}
	return a.healthy("agrees with AWS's to %s", text.Duration(max(off, time.Second)))
}

const bootstrapHint = "run `deployer bootstrap`, which creates what is missing and sets the protections again"

// StateBucket evaluates the bucket of state, records and locks.
func StateBucket(name string, found statebackend.BucketState, err error) []Finding {
	a := about{component: ComponentStateBucket}
	switch {
	case err != nil:
		return []Finding{a.unknown(err, "allow the call to the role, or use credentials of the account "+name+" belongs to",
			"it could not be read")}
	case !found.Exists:
		return []Finding{a.finding(checks.Error, bootstrapHint, "%s does not exist", name)}
	}
	var all []Finding
	if !found.Versioned {
		all = append(all, a.finding(checks.Error, bootstrapHint, "%s keeps no earlier versions, from which a damaged state is restored", name))
	}
	if !found.Private {
		all = append(all, a.finding(checks.Error, bootstrapHint, "%s can be made public: its public access block is incomplete", name))
	}
	if found.Encryption != "aws:kms" && found.Encryption != "aws:kms:dsse" {
		all = append(all, a.finding(checks.Warning, bootstrapHint, "%s is not encrypted with a KMS key", name))
	}
	if len(all) == 0 {
		all = append(all, a.healthy("%s is versioned, encrypted and private", name))
	}
	return all
}

// StateKey evaluates the key of the state's secrets, by its state in KMS; "" where there is none.
func StateKey(alias, state string, err error) Finding {
	a := about{component: ComponentStateKey}
	switch {
	case err != nil:
		return a.unknown(err, "allow kms:DescribeKey to the role", "it could not be read")
	case state == "":
		return a.finding(checks.Error, bootstrapHint, "no key has the alias %s", alias)
	case state == "PendingDeletion":
		return a.finding(checks.Error,
			"cancel it with `aws kms cancel-key-deletion` and enable the key again: without it, no state can be read",
			"the key of %s is waiting for its deletion", alias)
	case state != "Enabled":
		return a.finding(checks.Error, "`aws kms enable-key`", "the key of %s is %s", alias, state)
	}
	return a.healthy("%s is enabled", alias)
}

// SharedStack evaluates whether what the environments share is deployed.
func SharedStack(missing bool, err error, simulated bool) Finding {
	a := about{component: ComponentShared}
	switch {
	case err != nil:
		return a.unknown(err, "allow the calls to the role", "it could not be read")
	case missing && simulated:
		return a.finding(Skipped, "deploy an environment, or run `deployer bootstrap --local`",
			"the first deployment to the simulated account deploys it")
	case missing:
		return a.finding(checks.Error, "run `deployer bootstrap`", "it is not deployed, or its last deployment did not succeed")
	}
	return a.healthy("is deployed")
}

// Lock evaluates the lock of a stack; nil is a free one.
func Lock(stack string, status *lock.Status, err error) Finding {
	a := about{ComponentLocks, stack}
	show := fmt.Sprintf("`deployer lock status --env %s` shows the holder", stack)
	switch {
	case err != nil:
		return a.unknown(err, "allow reading the objects of the state bucket to the role", "it could not be read")
	case status == nil:
		return a.healthy("free")
	case status.State == lock.StateHeld:
		return a.healthy("held by %s for %s, since %s", status.Holder.By, status.Holder.Command,
			status.Holder.Started.UTC().Format(time.RFC3339))
	case status.State == lock.StateEnding:
		return a.finding(checks.Warning, show+"; wait until the engine has ended",
			"its deployer crashed or was killed, and the engine is still running")
	}
	return a.finding(checks.Warning, show+"; the next deployment takes it over and repairs what is incomplete",
		"its holder, %s for %s, crashed or was killed", status.Holder.By, status.Holder.Command)
}

// Quotas evaluates what a deployment of an environment would exceed.
func Quotas(env string, problems []release.Problem) []Finding {
	a := about{component: ComponentQuotas}
	if len(problems) == 0 {
		return []Finding{a.healthy("there is room for a deployment of %s", env)}
	}
	var all []Finding
	for _, p := range problems {
		status := checks.Warning
		if p.Stops {
			status = checks.Error
		}
		all = append(all, a.finding(status, p.Hint, "%s", p.Message))
	}
	return all
}

package checks

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/stretchr/testify/require"
)

// TestNotDeployed gives the one finding only where the account was asked for everything that a deployment creates first, and has none of it.
func TestNotDeployed(t *testing.T) {
	env := loaded(t, "dev")
	missing := newFinding("alarms", "CloudWatch-Alarms-x").error("AlarmsMissing", deployHint(env, "x"), "no alarms")
	stackOf := func(info StackInfo, err error) func(context.Context) (StackInfo, error) {
		return func(context.Context) (StackInfo, error) { return info, err }
	}
	for name, test := range map[string]struct {
		findings []Finding
		change   func(t *testing.T, rc *runContext)
		want     bool
	}{
		"nothing is there": {[]Finding{missing}, nil, true},
		"an inactive cluster is left": {[]Finding{missing}, func(t *testing.T, rc *runContext) {
			known(t, rc, "ecs cluster", &ecstypes.Cluster{Status: aws.String("INACTIVE")})
		}, true},
		"the state is empty":      {[]Finding{missing}, func(_ *testing.T, rc *runContext) { rc.src.Stack = stackOf(StackInfo{}, nil) }, true},
		"there is no state":       {[]Finding{missing}, func(_ *testing.T, rc *runContext) { rc.src.Stack = stackOf(StackInfo{}, errors.New("none")) }, true},
		"the state has resources": {[]Finding{missing}, func(_ *testing.T, rc *runContext) { rc.src.Stack = stackOf(StackInfo{Resources: 9}, nil) }, false},
		"a VPC":                   {[]Finding{missing}, func(t *testing.T, rc *runContext) { known(t, rc, "vpc", &ec2types.Vpc{}) }, false},
		"a cluster": {[]Finding{missing}, func(t *testing.T, rc *runContext) {
			known(t, rc, "ecs cluster", &ecstypes.Cluster{Status: aws.String("ACTIVE")})
		}, false},
		"a load balancer":             {[]Finding{missing}, func(t *testing.T, rc *runContext) { known(t, rc, balancerKey, &elbtypes.LoadBalancer{}) }, false},
		"a database":                  {[]Finding{missing}, func(t *testing.T, rc *runContext) { known(t, rc, "database", &rdstypes.DBInstance{}) }, false},
		"a network that is not known": {[]Finding{missing}, func(t *testing.T, rc *runContext) { _, _ = readVPC(t.Context(), rc) }, false},
		"all healthy":                 {[]Finding{newFinding("secrets", "x").healthy("KeysPresent", "")}, nil, false},
		"only the secret is missing":  {[]Finding{newFinding("secrets", "x").error("SecretMissing", Hint{}, "")}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			rc := readingFrom(t, func(any) (any, error) { return nil, apiError("AccessDenied") })
			rc.env = env
			if test.change != nil {
				test.change(t, rc)
			}
			_, _ = cached(t.Context(), &rc.cache, "vpc", func(context.Context) (*ec2types.Vpc, error) { return nil, nil }) // unless the test has one
			known(t, rc, "ecs cluster", (*ecstypes.Cluster)(nil))
			known(t, rc, balancerKey, (*elbtypes.LoadBalancer)(nil))
			known(t, rc, "database", (*rdstypes.DBInstance)(nil))
			found := notDeployed(t.Context(), rc, test.findings)
			require.Equal(t, test.want, found != nil)
			if found != nil {
				requireVerdict(t, verdict{Error, "NotDeployed", "development is not deployed"}, *found)
				require.Equal(t, "deployer up --env dev --image-tag TAG", found.Hint.Command)
			}
		})
	}
}

// TestSetTag completes the commands that need a tag, and no other, also where findings share a hint.
func TestSetTag(t *testing.T) {
	env := loaded(t, "dev")
	shared := missingHint(env, "the queue")
	report := Report{Services: []Finding{
		newFinding("queue", "x").error("QueueMissing", shared, ""), newFinding("nat", "y").healthy("Available", ""),
		newFinding("waf", "z").error("Unprotected", driftHint(env, "c"), ""),
	}}
	require.True(t, report.NeedsTag())
	report.SetTag("1.2.3")
	require.Equal(t, "deployer up --env dev --image-tag 1.2.3 --refresh", report.Services[0].Hint.Command)
	require.Equal(t, "deployer drift --env dev", report.Services[2].Hint.Command)
	require.False(t, report.NeedsTag())
}

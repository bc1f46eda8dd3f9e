package doctor

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/ecsexec"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/statebackend"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// Each row is one evaluation: its status, a part of its message, a part of its hint.
func TestEvaluate(t *testing.T) {
	denied := errors.New("AccessDenied")
	advised := hint.With(denied, "do this")
	identity := func(account string, expires time.Time) release.Identity {
		return release.Identity{ARN: "arn:aws:iam::1:user/x", Account: account, Source: "EnvConfigCredentials", Expires: expires}
	}
	credentials := func(i release.Identity, err error) Finding { return Credentials(i, err, "1", "Pulumi.dev.yaml", now) }
	skewed := func(d time.Duration) *time.Duration { return &d }
	sound := statebackend.BucketState{Exists: true, Versioned: true, Private: true, Encryption: "aws:kms"}
	bucket := func(change func(*statebackend.BucketState), err error) Finding {
		state := sound
		change(&state)
		return StateBucket("b", state, err)[0]
	}
	unchanged := func(*statebackend.BucketState) {}
	aws := engine.Plugin{Name: "aws", Version: "v6.83.2"}
	held := func(state lock.State) *lock.Status {
		return &lock.Status{State: state, Holder: lock.Holder{By: "ann", Command: "up", Started: now}}
	}
	for name, test := range map[string]struct {
		found         Finding
		status        checks.Status
		message, hint string
	}{
		"engine":         {Engine("/p", engine.Version, nil), checks.Healthy, engine.Version + " at /p", ""},
		"newer engine":   {Engine("/p", "v3.999.0", nil), checks.Warning, "v3.999.0 at /p; the deployer is tested with " + engine.Version, "make bin/pulumi"},
		"old engine":     {Engine("", "", &engine.TooOldError{Path: "/p", Version: "v3.1.0"}), checks.Error, "has version v3.1.0", "make bin/pulumi"},
		"no engine":      {Engine("", "", &engine.NotFoundError{Searched: []string{"PATH"}}), checks.Error, "no pulumi engine in PATH", "make bin/pulumi"},
		"unknown engine": {Engine("", "", denied), checks.Unknown, "could not be run: AccessDenied", "--pulumi"},

		"plugin":                 {Plugin(aws, engine.PluginState{Installed: true, Dir: "/d"}, nil), checks.Healthy, "v6.83.2 at /d", ""},
		"missing plugin":         {Plugin(aws, engine.PluginState{Downloads: true}, nil), checks.Warning, "v6.83.2 is not installed, and the first deployment downloads it", "make plugins"},
		"another plugin":         {Plugin(aws, engine.PluginState{Downloads: true, Others: []string{"v6.1.0"}}, nil), checks.Warning, "downloads it; installed is v6.1.0", "make plugins"},
		"plugin that never is":   {Plugin(aws, engine.PluginState{}, nil), checks.Error, "the engine may not download it", "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"},
		"plugin on PATH":         {Plugin(aws, engine.PluginState{Installed: true, OnPath: "/x"}, nil), checks.Warning, "the engine prefers /x on PATH to v6.83.2", "PULUMI_IGNORE_AMBIENT_PLUGINS"},
		"running provider":       {Plugin(aws, engine.PluginState{Installed: true, Attached: true}, nil), checks.Warning, "by PULUMI_DEBUG_PROVIDERS", "unset"},
		"plugins not readable":   {Plugin(aws, engine.PluginState{}, denied), checks.Unknown, "could not be listed", "--state-dir"},
		"no session plugin":      {SessionPlugin(ecsexec.Plugin{}, denied), checks.Warning, "AccessDenied", ecsexec.InstallURL},
		"session plugin":         {SessionPlugin(ecsexec.Plugin{}, nil), checks.Healthy, " at ", ""},
		"resolver":               {Resolver("x.com", 4, nil), checks.Healthy, "answers", ""},
		"resolver fails":         {Resolver("x.com", 0, &net.DNSError{Err: "no such host", Name: "x.com"}), checks.Unknown, "x.com could not be queried: lookup x.com", "resolver"},
		"resolver hides servers": {Resolver("x.com", 0, nil), checks.Error, "returns no name servers of x.com", "resolver"},

		"credentials":             {credentials(identity("1", time.Time{}), nil), checks.Healthy, "arn:aws:iam::1:user/x, from EnvConfigCredentials; they do not expire, or are renewed", ""},
		"credentials that end":    {credentials(identity("1", now.Add(90*time.Minute)), nil), checks.Healthy, "they expire in 1h30m", ""},
		"credentials end soon":    {credentials(identity("1", now.Add(5*time.Minute)), nil), checks.Error, "they expire in 5m0s, a deployment may take longer", "renew"},
		"credentials have ended":  {credentials(identity("1", now.Add(-time.Minute)), nil), checks.Error, "they expired at 2026-11-30T11:59:00Z", "renew"},
		"another account's":       {credentials(identity("2", time.Time{}), nil), checks.Error, "belong to account 2, Pulumi.dev.yaml names 1", "--profile"},
		"no credentials":          {credentials(release.Identity{}, advised), checks.Error, "AccessDenied", "do this"},
		"AWS cannot be reached":   {credentials(release.Identity{}, hint.With(&smithyhttp.RequestSendError{Err: denied}, "do this")), checks.Unknown, "AWS could not be asked", "do this"},
		"clock":                   {Clock(skewed(200 * time.Millisecond)), checks.Healthy, "agrees with AWS's to 1s", ""},
		"clock a little behind":   {Clock(skewed(2 * time.Minute)), checks.Warning, "this machine is 2m00s behind AWS", "NTP"},
		"clock ahead":             {Clock(skewed(-6 * time.Minute)), checks.Error, "this machine is 6m00s ahead of AWS, which refuses", "NTP"},
		"unknown clock":           {Clock(nil), checks.Unknown, "could not be read", "credentials"},
		"bucket":                  {bucket(unchanged, nil), checks.Healthy, "b is versioned, encrypted and private", ""},
		"bucket with two keys":    {bucket(func(s *statebackend.BucketState) { s.Encryption = "aws:kms:dsse" }, nil), checks.Healthy, "encrypted", ""},
		"no bucket":               {bucket(func(s *statebackend.BucketState) { *s = statebackend.BucketState{} }, nil), checks.Error, "b does not exist", "deployer bootstrap"},
		"bucket without versions": {bucket(func(s *statebackend.BucketState) { s.Versioned = false }, nil), checks.Error, "keeps no earlier versions", "deployer bootstrap"},
		"bucket may be public":    {bucket(func(s *statebackend.BucketState) { s.Private = false }, nil), checks.Error, "can be made public", "deployer bootstrap"},
		"bucket without key":      {bucket(func(s *statebackend.BucketState) { s.Encryption = "AES256" }, nil), checks.Warning, "not encrypted with a KMS key", "deployer bootstrap"},
		"bucket not readable":     {bucket(unchanged, denied), checks.Unknown, "AccessDenied", "allow"},
		"key":                     {StateKey("alias/k", "Enabled", nil), checks.Healthy, "alias/k is enabled", ""},
		"no key":                  {StateKey("alias/k", "", nil), checks.Error, "no key has the alias", "deployer bootstrap"},
		"disabled key":            {StateKey("alias/k", "Disabled", nil), checks.Error, "is Disabled", "enable-key"},
		"key to be deleted":       {StateKey("alias/k", "PendingDeletion", nil), checks.Error, "waiting for its deletion", "cancel-key-deletion"},
		"key not readable":        {StateKey("alias/k", "", denied), checks.Unknown, "AccessDenied", "kms:DescribeKey"},
		"shared stack":            {SharedStack(false, nil, false), checks.Healthy, "is deployed", ""},
		"no shared stack":         {SharedStack(true, nil, false), checks.Error, "not deployed", "deployer bootstrap"},
		"none in local mode":      {SharedStack(true, nil, true), Skipped, "the first deployment", "deploy"},
		"shared stack unknown":    {SharedStack(false, advised, false), checks.Unknown, "AccessDenied", "do this"},
		"roles":                   {Roles("p", "arn", nil, nil), checks.Healthy, "those named p-… are within the boundary p-boundary", ""},
		"roles outside":           {Roles("p", "arn:b", []string{"p-a", "p-b"}, nil), checks.Warning, "to its tasks: p-a, p-b", "--permissions-boundary arn:b"},
		"roles not readable":      {Roles("p", "arn", nil, denied), checks.Unknown, "AccessDenied", "iam:GetRole"},
		"free":                    {Lock("dev", nil, nil), checks.Healthy, "free", ""},
		"held":                    {Lock("dev", held(lock.StateHeld), nil), checks.Healthy, "held by ann for up, since 2026-11-30T12:00:00Z", ""},
		"ending":                  {Lock("dev", held(lock.StateEnding), nil), checks.Warning, "the engine is still running", "lock status --env dev"},
		"expired":                 {Lock("dev", held(lock.StateExpired), nil), checks.Warning, "ann for up, crashed or was killed", "lock status --env dev"},
		"lock not readable":       {Lock("dev", nil, denied), checks.Unknown, "AccessDenied", "allow"},
		"quotas":                  {Quotas("staging", nil)[0], checks.Healthy, "room for a deployment of staging", ""},
		"used up":                 {Quotas("staging", []release.Problem{{Message: "5 used", Hint: "ask", Stops: true}})[0], checks.Error, "5 used", "ask"},
		"used up by default":      {Quotas("staging", []release.Problem{{Message: "5 used", Hint: "ask"}})[0], checks.Warning, "5 used", "ask"},
		"GitHub not asked":        {SkipGitHub(advised), Skipped, "AccessDenied: GitHub's settings, on which", "do this"},
		"GitHub did not answer":   {SkipGitHub(denied), Skipped, "AccessDenied", "again"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.status, test.found.Status, test.found.Message)
			require.Contains(t, test.found.Message, test.message)
			require.Contains(t, test.found.Hint, test.hint)
			require.NotEmpty(t, test.found.Component)
			require.Equal(t, test.status == checks.Healthy, test.found.Hint == "", "every finding that is not healthy has a hint")
		})
	}
	require.Len(t, StateBucket("b", statebackend.BucketState{Exists: true}, nil), 3, "each protection that is missing")
}

// What is skipped does not count, and a known problem outranks an unknown one.
func TestSummarize(t *testing.T) {
	for statuses, want := range map[string]checks.Status{
		"healthy skipped": checks.Healthy, "healthy unknown": checks.Unknown, "unknown warning": checks.Warning, "warning error unknown": checks.Error,
	} {
		var findings []Finding
		for _, status := range strings.Fields(statuses) {
			findings = append(findings, Finding{Status: checks.Status(status)})
		}
		require.Equal(t, want, Summarize(findings).Status, statuses)
	}
	summary := Summarize([]Finding{{Status: checks.Healthy}, {Status: Skipped}})
	require.Equal(t, []int{1, 1}, []int{summary.Total, summary.Skipped})
}

// The plugins that are looked for are the versions of the SDKs that the program is built with.
func TestPluginsAreThoseOfTheModule(t *testing.T) {
	content, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	for _, p := range Plugins() {
		require.Regexp(t, `(?m)^\tgithub\.com/pulumi/pulumi-`+p.Name+`/sdk/v\d+ `+strings.ReplaceAll(p.Version, ".", `\.`)+`$`, string(content))
	}
}

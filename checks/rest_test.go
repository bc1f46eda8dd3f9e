package checks

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	budgettypes "github.com/aws/aws-sdk-go-v2/service/budgets/types"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
)

func asText(t *testing.T, value any) string {
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

func TestEvaluateScaling(t *testing.T) {
	env := loaded(t, "staging")
	api, worker := env.Services.API, *env.Services.Worker
	target := func(role environment.Role, low, high int32) scalingtypes.ScalableTarget {
		return scalingtypes.ScalableTarget{ResourceId: aws.String(scalableID(env, role)), MinCapacity: aws.Int32(low), MaxCapacity: aws.Int32(high)}
	}
	policy := []scalingtypes.ScalingPolicy{{ResourceId: aws.String(scalableID(env, environment.API))}}
	suspended := target(environment.API, 1, 2)
	suspended.SuspendedState = &scalingtypes.SuspendedState{DynamicScalingOutSuspended: aws.Bool(true)}
	one := func(t scalingtypes.ScalableTarget) []scalingtypes.ScalableTarget {
		return []scalingtypes.ScalableTarget{t}
	}
	for name, test := range map[string]struct {
		service environment.Service
		found   scalingState
		desired int
		want    verdict
	}{
		"scales":       {api, scalingState{one(target("api", 1, 2)), policy}, 1, verdict{Healthy, "Scales", "1 task, between 1 and 2, 1 policy"}},
		"fixed":        {worker, scalingState{}, 1, verdict{Healthy, "NotScaled", "1 task"}},
		"unexpected":   {worker, scalingState{one(target("worker", 1, 9)), nil}, 1, verdict{Warning, "UnexpectedScaling", ""}},
		"missing":      {api, scalingState{}, 1, verdict{Error, "ScalingMissing", "stays at 1 task"}},
		"other bounds": {api, scalingState{one(target("api", 1, 9)), policy}, 1, verdict{Warning, "OtherBounds", "between 1 and 9"}},
		"no policies":  {api, scalingState{one(target("api", 1, 2)), nil}, 1, verdict{Error, "NoPolicies", ""}},
		"suspended":    {api, scalingState{one(suspended), policy}, 1, verdict{Warning, "ScalingSuspended", ""}},
		"at maximum":   {api, scalingState{one(target("api", 1, 2)), policy}, 2, verdict{Warning, "AtMaximum", "2 of at most 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			requireVerdict(t, test.want, evaluateScaling(test.service, test.found, test.desired, env))
		})
	}
}

func TestEvaluateRepository(t *testing.T) {
	env := loaded(t, "dev")
	requireVerdict(t, verdict{Error, "RepositoryMissing", "balancer-api"}, evaluateRepository(nil, env))
	requireVerdict(t, verdict{Warning, "ScanOff", ""}, evaluateRepository(&ecrtypes.Repository{
		ImageScanningConfiguration: &ecrtypes.ImageScanningConfiguration{},
	}, env))
	requireVerdict(t, verdict{Healthy, "RepositoryExists", ""}, evaluateRepository(&ecrtypes.Repository{
		ImageScanningConfiguration: &ecrtypes.ImageScanningConfiguration{ScanOnPush: true},
	}, env))
}

func TestEvaluateImage(t *testing.T) {
	clean, unscanned := &ecrimage.Image{Findings: ecrimage.Findings{Scanned: true}}, &ecrimage.Image{}
	bad := &ecrimage.Image{Findings: ecrimage.Findings{Scanned: true, Critical: 2, High: 5}}
	running := func(digests ...string) map[string][]string {
		all := map[string][]string{}
		for _, d := range digests {
			all[d] = []string{"api"}
		}
		return all
	}
	for name, test := range map[string]struct {
		running  map[string][]string
		images   map[string]*ecrimage.Image
		recorded string
		env      string
		want     verdict
		stack    string
	}{
		"running": {running("sha256:1"), map[string]*ecrimage.Image{"sha256:1": clean}, "sha256:1", "dev", verdict{Healthy, "Running", "no critical findings"}, ""},
		"scan failed": {running("sha256:1"), map[string]*ecrimage.Image{"sha256:1": {Findings: ecrimage.Findings{
			Status: ecrtypes.ScanStatusFailed, Description: "UnsupportedImageError: x"}}}, "", "dev", verdict{Healthy, "Running", "sha256:1, not scanned: UnsupportedImageError: x"}, ""},
		"not scanned":      {running("sha256:1"), map[string]*ecrimage.Image{"sha256:1": unscanned}, "", "dev", verdict{Healthy, "Running", "not scanned"}, ""},
		"nothing runs":     {nil, nil, "", "dev", verdict{Error, "NoImageRunning", ""}, ""},
		"gone":             {running("sha256:1"), nil, "", "dev", verdict{Error, "ImageGone", "sha256:1"}, ""},
		"critical":         {running("sha256:1"), map[string]*ecrimage.Image{"sha256:1": bad}, "", "dev", verdict{Warning, "CriticalFindings", "2 critical and 5 high"}, ""},
		"critical, strict": {running("sha256:1"), map[string]*ecrimage.Image{"sha256:1": bad}, "", "production", verdict{Error, "CriticalFindings", ""}, ""},
		"two images":       {running("sha256:1", "sha256:2"), map[string]*ecrimage.Image{"sha256:1": clean, "sha256:2": clean}, "", "dev", verdict{Warning, "DifferentImages", "2 different"}, ""},
		"not the deployed": {running("sha256:1"), map[string]*ecrimage.Image{"sha256:1": clean}, "sha256:2", "dev", verdict{Warning, "ImageMismatch", "sha256:1 is running, the last deployment verified sha256:2"}, ""},
		"not what the stack names": {running("sha256:1"), map[string]*ecrimage.Image{"sha256:1": clean}, "sha256:1", "dev",
			verdict{Warning, "StackDiffers", "sha256:1 is running, the stack names sha256:2"}, "sha256:2"},
		"what the stack names": {running("sha256:1"), map[string]*ecrimage.Image{"sha256:1": clean}, "sha256:1", "dev", verdict{Healthy, "Running", ""}, "sha256:1"},
	} {
		t.Run(name, func(t *testing.T) {
			requireVerdict(t, test.want, evaluateImage(test.running, test.images, expectedImage{test.recorded, "the last deployment verified", test.stack}, loaded(t, test.env)))
		})
	}
}

func TestRunningDigests(t *testing.T) {
	env := loaded(t, "dev")
	task := func(service, container, image, digest string) ecstypes.Task {
		return ecstypes.Task{Group: aws.String("service:" + service), Containers: []ecstypes.Container{
			{Name: aws.String("xray-daemon"), Image: aws.String("xray@sha256:9")},
			{Name: aws.String(container), Image: aws.String(image), ImageDigest: aws.String(digest)},
		}}
	}
	require.Equal(t, map[string][]string{"sha256:1": {"api", "worker"}, "sha256:2": {"api"}}, runningDigests([]ecstypes.Task{
		task(env.ServiceName("api"), "balancer-api", "repo@sha256:1", "sha256:7"),
		task(env.ServiceName("api"), "balancer-api", "repo:latest", "sha256:2"),
		task(env.ServiceName("worker"), "balancer-worker", "repo@sha256:1", ""),
		task("another-service", "balancer-api", "repo@sha256:3", ""),
	}, env))
}

func TestEvaluateBucket(t *testing.T) {
	env := loaded(t, "dev")
	requireVerdict(t, verdict{Healthy, "Private", "AES256"}, evaluateBucket(&bucket{encryption: aws.String("AES256"), blocked: aws.Bool(true)}, env))
	requireVerdict(t, verdict{Error, "BucketMissing", "v3-backend-development-logs-123456789012"}, evaluateBucket(nil, env))
	requireVerdict(t, verdict{Error, "PublicAccessPossible", ""}, evaluateBucket(&bucket{encryption: aws.String("AES256"), blocked: aws.Bool(false)}, env))
	requireVerdict(t, verdict{Warning, "NotEncrypted", ""}, evaluateBucket(&bucket{encryption: aws.String(""), blocked: aws.Bool(true)}, env))
}

// alarmsOf returns the alarms that an environment implies, all of them OK since yesterday.
func alarmsOf(env *environment.Environment) []cwtypes.MetricAlarm {
	var all []cwtypes.MetricAlarm
	for _, region := range env.AlarmRegions() {
		for _, what := range env.AlarmsIn(region) {
			all = append(all, cwtypes.MetricAlarm{
				AlarmName: aws.String(env.AlarmName(what)), StateValue: cwtypes.StateValueOk, StateReason: aws.String("crossed"),
				StateUpdatedTimestamp: ago(day), StateTransitionedTimestamp: ago(day), AlarmConfigurationUpdatedTimestamp: ago(day),
				AlarmActions: []string{env.TopicARN(region)}, ActionsEnabled: aws.Bool(true), TreatMissingData: aws.String("notBreaching"),
				EvaluationPeriods: aws.Int32(5), Period: aws.Int32(60),
			})
		}
	}
	return all
}

func TestEvaluateAlarms(t *testing.T) {
	type alarm = cwtypes.MetricAlarm
	// rings puts an alarm about missing data into alarm: age after its creation, for since.
	rings := func(age, since time.Duration) func(*alarm) {
		return func(a *alarm) {
			a.StateValue, a.TreatMissingData = cwtypes.StateValueAlarm, aws.String("breaching")
			a.AlarmConfigurationUpdatedTimestamp, a.StateTransitionedTimestamp = ago(age), ago(since)
		}
	}
	for name, test := range map[string]struct {
		changes map[string]func(*alarm)
		deleted string
		want    verdict
	}{
		"quiet":         {nil, "", verdict{Healthy, "Quiet", "22 alarms"}},
		"new, no data":  {map[string]func(*alarm){"db-cpu": func(a *alarm) { a.StateValue, a.StateUpdatedTimestamp = "INSUFFICIENT_DATA", ago(time.Minute) }}, "", verdict{Healthy, "Quiet", ""}},
		"in alarm":      {map[string]func(*alarm){"db-cpu": func(a *alarm) { a.StateValue = "ALARM" }}, "", verdict{Warning, "InAlarm", "of 22 alarms, 1 is in alarm: db-cpu"}},
		"no data":       {map[string]func(*alarm){"db-cpu": func(a *alarm) { a.StateValue, a.StateUpdatedTimestamp = "INSUFFICIENT_DATA", ago(2*time.Hour) }}, "", verdict{Warning, "WithoutData", "without data: db-cpu"}},
		"no action":     {map[string]func(*alarm){"db-cpu": func(a *alarm) { a.AlarmActions = nil }}, "", verdict{Warning, "NoAlarmActions", "notifies the topic: db-cpu"}},
		"other action":  {map[string]func(*alarm){"db-cpu": func(a *alarm) { a.AlarmActions = []string{"arn:aws:sns:us-east-1:1:other"} }}, "", verdict{Warning, "NoAlarmActions", "db-cpu"}},
		"switched off":  {map[string]func(*alarm){"db-cpu": func(a *alarm) { a.ActionsEnabled = aws.Bool(false) }}, "", verdict{Warning, "NoAlarmActions", "db-cpu"}},
		"deleted":       {nil, "jobs-dead", verdict{Warning, "AlarmsMissing", "of 22 alarms, 1 is missing and notifies no one: jobs-dead"}},
		"both":          {map[string]func(*alarm){"db-cpu": func(a *alarm) { a.StateValue = "ALARM" }}, "jobs-dead", verdict{Warning, "InAlarm", "1 is in alarm: db-cpu; 1 is missing and notifies no one: jobs-dead"}},
		"first rollout": {map[string]func(*alarm){"api-tasks": rings(20*time.Minute, 18*time.Minute)}, "", verdict{Healthy, "Quiet", "waiting for data: api-tasks"}},
		"was OK":        {map[string]func(*alarm){"api-tasks": rings(50*time.Minute, 18*time.Minute)}, "", verdict{Warning, "InAlarm", "in alarm: api-tasks"}},
		"never started": {map[string]func(*alarm){"api-tasks": rings(61*time.Minute, time.Hour)}, "", verdict{Warning, "InAlarm", "api-tasks"}},
		"was changed":   {map[string]func(*alarm){"api-tasks": rings(5*time.Minute, 10*time.Minute)}, "", verdict{Warning, "InAlarm", "api-tasks"}},
		"with data": {map[string]func(*alarm){"api-5xx": func(a *alarm) {
			rings(20*time.Minute, 18*time.Minute)(a)
			a.TreatMissingData = aws.String("notBreaching")
		}}, "", verdict{Warning, "InAlarm", "api-5xx"}},
	} {
		t.Run(name, func(t *testing.T) {
			env := loaded(t, "staging")
			env.Services.Scheduler, env.Protected = nil, true
			alarms := slices.DeleteFunc(alarmsOf(env), func(a alarm) bool { return test.deleted != "" && *a.AlarmName == env.AlarmName(test.deleted) })
			for i := range alarms {
				if change := test.changes[strings.TrimPrefix(*alarms[i].AlarmName, env.AlarmName(""))]; change != nil {
					change(&alarms[i])
				}
			}
			requireVerdict(t, test.want, evaluateAlarms(foundAlarms{metric: alarms}, env, now))
		})
	}
	requireVerdict(t, verdict{Error, "AlarmsMissing", ""}, evaluateAlarms(foundAlarms{}, loaded(t, "staging"), now))

	// With basic monitoring alarms only show.
	basic := loaded(t, "dev")
	basic.Protected = true
	alarms := alarmsOf(basic)
	alarms[0].AlarmActions = nil
	requireVerdict(t, verdict{Healthy, "Quiet", ""}, evaluateAlarms(foundAlarms{metric: alarms}, basic, now))

	// The alarm of the health check notifies the topic of its own region.
	elsewhere := loaded(t, "production")
	elsewhere.Region = "eu-central-1"
	requireVerdict(t, verdict{Healthy, "Quiet", ""}, evaluateAlarms(foundAlarms{metric: alarmsOf(elsewhere)}, elsewhere, now))
	alarms = alarmsOf(elsewhere)
	alarms[len(alarms)-1].AlarmActions = []string{elsewhere.TopicARN("eu-central-1")}
	requireVerdict(t, verdict{Warning, "NoAlarmActions", "outside"}, evaluateAlarms(foundAlarms{metric: alarms}, elsewhere, now))
}

// TestMutedInOneRegion evaluates alarms that are muted, or not, in each of two regions.
func TestMutedInOneRegion(t *testing.T) {
	env := loaded(t, "staging")
	env.Region, env.Monitoring.Level = "eu-central-1", environment.Full
	require.Equal(t, []string{"eu-central-1", "us-east-1"}, env.AlarmRegions())
	const ok, muting = cwtypes.StateValueOk, cwtypes.StateValueAlarm
	for _, test := range []struct {
		states map[string]cwtypes.StateValue
		want   verdict
	}{
		{map[string]cwtypes.StateValue{"eu-central-1": ok, "us-east-1": ok}, verdict{Healthy, "Quiet", ""}},
		{map[string]cwtypes.StateValue{"eu-central-1": muting, "us-east-1": ok}, verdict{Warning, "AlarmsMuted", "1 mutes the others"}},
		{map[string]cwtypes.StateValue{"eu-central-1": ok, "us-east-1": muting}, verdict{Warning, "AlarmsMuted", "1 mutes the others"}},
		{map[string]cwtypes.StateValue{"eu-central-1": ok}, verdict{Warning, "AlarmsMissing", "1 is missing and notifies no one: asleep"}},
	} {
		var alarms foundAlarms
		for _, region := range env.AlarmRegions() {
			alarms.composite = append(alarms.composite, regionalComposite{region, cwtypes.CompositeAlarm{
				AlarmName: aws.String(env.CompositeAlarmName()), AlarmActions: []string{env.TopicARN(region)}, ActionsEnabled: aws.Bool(true),
			}})
			if state, exists := test.states[region]; exists {
				alarms.add(region, env, []cwtypes.MetricAlarm{{AlarmName: aws.String(env.SuppressorAlarmName()), StateValue: state}})
			}
		}
		alarms.metric = alarmsOf(env)
		requireVerdict(t, test.want, evaluateAlarms(alarms, env, now))
	}
}

// TestEvaluateMutedAlarms evaluates the alarms of an environment that may sleep, which notify people through a composite alarm.
func TestEvaluateMutedAlarms(t *testing.T) {
	env := loaded(t, "staging")
	for name, test := range map[string]struct {
		composite  *cwtypes.CompositeAlarm
		suppressor bool
		inAlarm    string
		want       verdict
	}{
		"quiet":          {&cwtypes.CompositeAlarm{}, true, "", verdict{Healthy, "Quiet", "25 alarms"}},
		"no composite":   {nil, true, "", verdict{Warning, "AlarmsMissing", "1 is missing and notifies no one: alarms"}},
		"nothing mutes":  {&cwtypes.CompositeAlarm{}, false, "", verdict{Warning, "AlarmsMissing", "1 is missing and notifies no one: asleep"}},
		"no action":      {&cwtypes.CompositeAlarm{AlarmActions: []string{}}, true, "", verdict{Warning, "NoAlarmActions", "notifies the topic: alarms"}},
		"switched off":   {&cwtypes.CompositeAlarm{ActionsEnabled: aws.Bool(false)}, true, "", verdict{Warning, "NoAlarmActions", "alarms"}},
		"in alarm":       {&cwtypes.CompositeAlarm{}, true, "api-tasks", verdict{Warning, "InAlarm", "api-tasks"}},
		"woken just now": {&cwtypes.CompositeAlarm{ActionsSuppressedBy: cwtypes.ActionsSuppressedByExtensionPeriod}, true, "api-tasks", verdict{Healthy, "Quiet", "waiting for data: api-tasks"}},
		"muted, in alarm": {&cwtypes.CompositeAlarm{ActionsSuppressedBy: cwtypes.ActionsSuppressedByAlarm}, true, "api-tasks",
			verdict{Warning, "InAlarm", "1 is in alarm: api-tasks; 1 mutes the others, which notify no one: v3-backend-staging-asleep"}},
		"muted": {&cwtypes.CompositeAlarm{ActionsSuppressedBy: cwtypes.ActionsSuppressedByAlarm}, true, "",
			verdict{Warning, "AlarmsMuted", "1 mutes the others"}},
		"schedule failed": {&cwtypes.CompositeAlarm{ActionsSuppressedBy: cwtypes.ActionsSuppressedByAlarm}, true, "schedule-failed",
			verdict{Warning, "ScheduleFailed", "of 25 alarms, 1 is in alarm: schedule-failed"}},
		"schedule late": {&cwtypes.CompositeAlarm{}, true, "schedule-late", verdict{Warning, "ScheduleFailed", "schedule-late"}},
		"another alarm": {&cwtypes.CompositeAlarm{ActionsSuppressedBy: cwtypes.ActionsSuppressedByExtensionPeriod}, true, "api-5xx", verdict{Warning, "InAlarm", "api-5xx"}},
	} {
		t.Run(name, func(t *testing.T) {
			alarms := foundAlarms{metric: alarmsOf(env)}
			for i := range alarms.metric {
				a := &alarms.metric[i]
				if a.AlarmActions = nil; *a.AlarmName == env.AlarmName(test.inAlarm) {
					a.StateValue = cwtypes.StateValueAlarm
				}
				if strings.HasSuffix(*a.AlarmName, "-tasks") {
					a.TreatMissingData = aws.String("breaching")
				}
			}
			if test.suppressor {
				state := cwtypes.StateValueOk
				if test.composite != nil && test.composite.ActionsSuppressedBy == cwtypes.ActionsSuppressedByAlarm {
					state = cwtypes.StateValueAlarm
				}
				alarms.add(env.Region, env, []cwtypes.MetricAlarm{{AlarmName: aws.String(env.SuppressorAlarmName()), StateValue: state}})
			}
			if c := test.composite; c != nil {
				c.AlarmName = aws.String(env.CompositeAlarmName())
				if c.AlarmActions == nil {
					c.AlarmActions = []string{env.TopicARN(env.Region)}
				}
				if c.ActionsEnabled == nil {
					c.ActionsEnabled = aws.Bool(true)
				}
				alarms.composite = []regionalComposite{{"eu-central-1", cwtypes.CompositeAlarm{AlarmName: c.AlarmName}}, {env.Region, *c}}
			}
			found := evaluateAlarms(alarms, env, now)
			requireVerdict(t, test.want, found)
			if found.Reason == reasonScheduleFailed {
				require.Equal(t, "aws stepfunctions list-executions --state-machine-arn "+env.ScheduleMachineARN()+" --max-items 5 --region us-east-1", found.Hint.Command)
				require.Contains(t, found.Details["reasons"], test.inAlarm)
			}
		})
	}
}

func TestEvaluateNotifications(t *testing.T) {
	const mail, hook, secret = "ops@example.com", "https://alerts.example.com/sns", "https://events.example.com/XXXXSECRETXXXX"
	confirmed := func(endpoint string) snstypes.Subscription {
		return snstypes.Subscription{SubscriptionArn: aws.String("arn:aws:sns:us-east-1:1:t:1"), Endpoint: aws.String(endpoint)}
	}
	pending := func(endpoint string) snstypes.Subscription {
		return snstypes.Subscription{SubscriptionArn: aws.String("PendingConfirmation"), Endpoint: aws.String(endpoint)}
	}
	type list = []snstypes.Subscription
	for name, test := range map[string]struct {
		found list
		want  verdict
		hint  string
	}{
		"confirmed":        {list{confirmed(mail), confirmed(hook)}, verdict{Healthy, "Subscribed", "2 subscriptions are confirmed"}, ""},
		"and a secret one": {list{confirmed(mail), confirmed(hook), confirmed(secret)}, verdict{Healthy, "Subscribed", "3 subscriptions"}, ""},
		"mail pending":     {list{pending(mail), confirmed(hook)}, verdict{Warning, "SubscriptionPending", "not confirmed: " + mail}, "--protocol email --notification-endpoint " + mail},
		"webhook pending":  {list{confirmed(mail), pending(hook)}, verdict{Warning, "SubscriptionPending", "not confirmed: " + hook}, "--protocol https"},
		"all pending":      {list{pending(mail), pending(hook)}, verdict{Warning, "SubscriptionPending", hook + ", so that no one is notified"}, "aws sns subscribe --topic-arn arn:aws:sns:us-east-1:123456789012:v3-backend-staging-alarms"},
		"unsubscribed":     {list{confirmed(hook)}, verdict{Warning, "SubscriptionMissing", "not subscribed: " + mail}, "deployer up"},
		"deleted a moment ago": {list{{SubscriptionArn: aws.String("Deleted"), Endpoint: aws.String(mail)}, confirmed(hook)},
			verdict{Warning, "SubscriptionPending", mail}, ""},
		"asked again": {list{pending(mail), confirmed(mail), confirmed(hook)}, verdict{Healthy, "Subscribed", ""}, ""},
		"none":        {nil, verdict{Warning, "SubscriptionMissing", "so that no one is notified"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			env := loaded(t, "staging")
			env.Monitoring.Emails, env.Monitoring.Webhooks = []string{mail}, []string{hook}
			f := evaluateNotifications(test.found, true, env, env.Region)
			requireVerdict(t, test.want, f)
			require.NotContains(t, asText(t, f), "XXXXSECRETXXXX")
			if test.hint != "" {
				require.Contains(t, f.Hint.Command, test.hint)
			}
		})
	}
	env := loaded(t, "staging")
	requireVerdict(t, verdict{Warning, "TopicMissing", "v3-backend-staging-alarms"}, evaluateNotifications(nil, false, env, env.Region))
}

func TestEvaluateLogGroup(t *testing.T) {
	env := loaded(t, "dev")
	kept := func(days *int32) *logstypes.LogGroup { return &logstypes.LogGroup{RetentionInDays: days} }
	requireVerdict(t, verdict{Healthy, "Kept", "7 days"}, evaluateLogGroup(kept(aws.Int32(7)), env))
	requireVerdict(t, verdict{Error, "LogGroupMissing", "/aws/ecs/v3-backend-development"}, evaluateLogGroup(nil, env))
	requireVerdict(t, verdict{Warning, "NoRetention", ""}, evaluateLogGroup(kept(nil), env))
	requireVerdict(t, verdict{Warning, "OtherRetention", "30 days"}, evaluateLogGroup(kept(aws.Int32(30)), env))
}

// declaredWebACL returns the web ACL that the program declares.
func declaredWebACL(env *environment.Environment) *waftypes.WebACL {
	found := &waftypes.WebACL{Name: aws.String(env.WebACLName()), Rules: []waftypes.Rule{{Statement: &waftypes.Statement{
		RateBasedStatement: &waftypes.RateBasedStatement{Limit: aws.Int64(2000)},
	}}}}
	for _, group := range environment.ManagedRuleGroups() {
		managed := &waftypes.ManagedRuleGroupStatement{Name: aws.String(group.Name)}
		for _, name := range group.CountOnly {
			managed.RuleActionOverrides = append(managed.RuleActionOverrides, waftypes.RuleActionOverride{
				Name: aws.String(name), ActionToUse: &waftypes.RuleAction{Count: &waftypes.CountAction{}},
			})
		}
		found.Rules = append(found.Rules, waftypes.Rule{
			Statement: &waftypes.Statement{ManagedRuleGroupStatement: managed}, OverrideAction: &waftypes.OverrideAction{None: &waftypes.NoneAction{}},
		})
	}
	return found
}

func TestEvaluateWAF(t *testing.T) {
	env := loaded(t, "dev")
	env.Firewall.Enabled = true
	acl := func(changes ...func(*waftypes.WebACL)) *waftypes.WebACL {
		found := declaredWebACL(env)
		for _, change := range changes {
			change(found)
		}
		return found
	}
	const common = 3 // the index of AWSManagedRulesCommonRuleSet
	overrides := func(a *waftypes.WebACL) *[]waftypes.RuleActionOverride {
		return &a.Rules[common].Statement.ManagedRuleGroupStatement.RuleActionOverrides
	}
	for name, test := range map[string]struct {
		acl  *waftypes.WebACL
		want verdict
	}{
		"as declared":   {acl(), verdict{Healthy, "Protected", "5 rules, 2000 requests"}},
		"none":          {nil, verdict{Error, "Unprotected", ""}},
		"another":       {acl(func(a *waftypes.WebACL) { a.Name = aws.String("other") }), verdict{Warning, "OtherWebACL", "other"}},
		"empty":         {acl(func(a *waftypes.WebACL) { a.Rules = nil }), verdict{Error, "NoRules", ""}},
		"no rate limit": {acl(func(a *waftypes.WebACL) { a.Rules = a.Rules[1:] }), verdict{Warning, "NoRateLimit", "4 rules"}},
		"other limit": {acl(func(a *waftypes.WebACL) { a.Rules[0].Statement.RateBasedStatement.Limit = aws.Int64(9) }),
			verdict{Warning, "OtherRateLimit", "9 requests"}},
		"an override is missing": {acl(func(a *waftypes.WebACL) { *overrides(a) = (*overrides(a))[1:] }),
			verdict{Warning, "ManagedRulesDiffer", "SizeRestrictions_QUERYSTRING blocks"}},
		"an override blocks": {acl(func(a *waftypes.WebACL) {
			(*overrides(a))[1].ActionToUse = &waftypes.RuleAction{Block: &waftypes.BlockAction{}}
		}), verdict{Warning, "ManagedRulesDiffer", "SizeRestrictions_BODY blocks"}},
		"one too many": {acl(func(a *waftypes.WebACL) {
			*overrides(a) = append(*overrides(a), waftypes.RuleActionOverride{Name: aws.String("GenericLFI_URIPATH"), ActionToUse: &waftypes.RuleAction{Count: &waftypes.CountAction{}}})
		}), verdict{Warning, "ManagedRulesDiffer", "GenericLFI_URIPATH is overridden"}},
		"a group counts": {acl(func(a *waftypes.WebACL) {
			a.Rules[common].OverrideAction = &waftypes.OverrideAction{Count: &waftypes.CountAction{}}
		}),
			verdict{Warning, "ManagedRulesDiffer", "AWSManagedRulesCommonRuleSet only counts"}},
		"a group is missing": {acl(func(a *waftypes.WebACL) { a.Rules = slices.Delete(a.Rules, common, common+1) }),
			verdict{Warning, "ManagedRulesDiffer", "AWSManagedRulesCommonRuleSet is missing"}},
	} {
		t.Run(name, func(t *testing.T) { requireVerdict(t, test.want, evaluateWAF(test.acl, env)) })
	}
	env.Firewall.Enabled = false
	requireVerdict(t, verdict{Healthy, "Disabled", "firewall.enabled is false in Pulumi.dev.yaml"}, evaluateWAF(nil, env))
	requireVerdict(t, verdict{Warning, "UnexpectedWebACL", "has the web ACL v3-backend-development-waf, and firewall.enabled is false in Pulumi.dev.yaml"},
		evaluateWAF(acl(), env))
}

func TestEvaluateRole(t *testing.T) {
	role := func(principal string) *iamtypes.Role {
		document := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"}]}`
		return &iamtypes.Role{AssumeRolePolicyDocument: aws.String(url.QueryEscape(document))}
	}
	for name, test := range map[string]struct {
		role *iamtypes.Role
		want verdict
	}{
		"tasks":      {role(`{"Service":"ecs-tasks.amazonaws.com"}`), verdict{Healthy, "Trusted", ""}},
		"missing":    {nil, verdict{Error, "RoleMissing", "the-role"}},
		"anyone":     {role(`"*"`), verdict{Error, "TrustsAnyPrincipal", ""}},
		"any AWS":    {role(`{"AWS":"*"}`), verdict{Error, "TrustsAnyPrincipal", ""}},
		"not tasks":  {role(`{"Service":["ec2.amazonaws.com"]}`), verdict{Error, "TasksNotTrusted", ""}},
		"others too": {role(`{"Service":["ecs-tasks.amazonaws.com","ec2.amazonaws.com"]}`), verdict{Warning, "TrustsOthers", ""}},
		"nonsense":   {&iamtypes.Role{AssumeRolePolicyDocument: aws.String("{")}, verdict{Error, "TrustUnreadable", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			requireVerdict(t, test.want, evaluateRole("the-role", test.role, loaded(t, "dev")))
		})
	}
}

func TestEvaluateBudget(t *testing.T) {
	usd := func(amount string) *budgettypes.Spend {
		return &budgettypes.Spend{Amount: aws.String(amount), Unit: aws.String("USD")}
	}
	budget := func(limit, spent, forecast string) *budgettypes.Budget {
		return &budgettypes.Budget{BudgetLimit: usd(limit), CalculatedSpend: &budgettypes.CalculatedSpend{ActualSpend: usd(spent), ForecastedSpend: usd(forecast)}}
	}
	env := loaded(t, "dev")
	requireVerdict(t, verdict{Healthy, "WithinBudget", "$12.50 spent of $50.00"}, evaluateBudget(budget("50.0", "12.5", "30"), env))
	requireVerdict(t, verdict{Warning, "BudgetMissing", "v3-backend-development-monthly"}, evaluateBudget(nil, env))
	requireVerdict(t, verdict{Warning, "OtherLimit", "$70.00"}, evaluateBudget(budget("70", "1", "2"), env))
	requireVerdict(t, verdict{Warning, "OverBudget", "$51.00"}, evaluateBudget(budget("50", "51", "90"), env))
	requireVerdict(t, verdict{Warning, "ForecastOverBudget", "$90.00 forecast"}, evaluateBudget(budget("50", "20", "90"), env))
}

func TestEvaluateStack(t *testing.T) {
	env := loaded(t, "dev")
	updated := now.Add(-time.Hour)
	for name, test := range map[string]struct {
		stack StackInfo
		want  verdict
	}{
		"up to date":  {StackInfo{Updated: updated, Result: "succeeded", Resources: 120}, verdict{Healthy, "UpToDate", "120 resources, updated 1h0m0s ago"}},
		"empty":       {StackInfo{}, verdict{Error, "StateEmpty", ""}},
		"in progress": {StackInfo{Updated: updated, Result: "in-progress", Resources: 3, Pending: []string{"urn"}}, verdict{Warning, "UpdateInProgress", ""}},
		"pending":     {StackInfo{Updated: updated, Result: "failed", Resources: 3, Pending: []string{"urn"}}, verdict{Error, "PendingOperations", "1 operation"}},
		"failed":      {StackInfo{Updated: updated, Result: "failed", Resources: 3}, verdict{Warning, "LastUpdateFailed", "1h0m0s ago"}},
	} {
		t.Run(name, func(t *testing.T) { requireVerdict(t, test.want, evaluateStack(test.stack, env, now)) })
	}
}

func TestEvaluateCompliance(t *testing.T) {
	env := loaded(t, "production")
	kept := databaseRules(instance(func(d *rdstypes.DBInstance) {
		d.DBInstanceClass, d.MultiAZ, d.BackupRetentionPeriod = aws.String("db.t3.medium"), aws.Bool(true), aws.Int32(30)
		d.DeletionProtection, d.PerformanceInsightsEnabled = aws.Bool(true), aws.Bool(true)
	}), env)
	requireVerdict(t, verdict{Healthy, "MatchesFile", "8 values are as in Pulumi.production.yaml"}, evaluateCompliance("database", kept, env))
	requireVerdict(t, verdict{Error, "NothingDeployed", ""}, evaluateCompliance("database", nil, env))
	requireVerdict(t, verdict{Warning, "DiffersFromFile", "1 of 1 values differ from Pulumi.production.yaml: zones is 2 and should be 3"},
		evaluateCompliance("network", []rule{{what: "zones", want: 3, got: 2}}, env))
	broken := databaseRules(instance(func(d *rdstypes.DBInstance) {
		d.MultiAZ, d.DeletionProtection, d.PerformanceInsightsEnabled = aws.Bool(false), aws.Bool(false), aws.Bool(false)
	}), env)
	requireVerdict(t, verdict{Error, "DiffersFromFile", "5 of 8"}, evaluateCompliance("database", broken, env))
}

func TestServiceRules(t *testing.T) {
	env := loaded(t, "staging")
	definition := &ecstypes.TaskDefinition{Cpu: aws.String("512"), Memory: aws.String("1024")}
	arm := &ecstypes.TaskDefinition{Cpu: aws.String("512"), Memory: aws.String("1024"), RuntimePlatform: &ecstypes.RuntimePlatform{
		CpuArchitecture: ecstypes.CPUArchitectureArm64,
	}}
	provider := "FARGATE"
	broken := func(desired int32, definition *ecstypes.TaskDefinition) []string {
		var names []string
		for _, r := range serviceRulesOf(env.Services.API, ecstypes.Service{
			DesiredCount: desired, EnableExecuteCommand: true,
			CapacityProviderStrategy: []ecstypes.CapacityProviderStrategyItem{{CapacityProvider: &provider, Weight: 1}},
		}, definition, env) {
			if !r.met() {
				names = append(names, r.what)
			}
		}
		return names
	}
	require.Empty(t, broken(2, definition))
	require.Equal(t, []string{"services.api.tasks"}, broken(3, definition))
	require.Equal(t, []string{"services.api.cpu"}, broken(1, &ecstypes.TaskDefinition{Cpu: aws.String("256"), Memory: aws.String("1024")}))
	require.Equal(t, []string{"image.architecture of the api"}, broken(1, arm))
	provider = "FARGATE_SPOT"
	require.Equal(t, []string{"services.api.spot"}, broken(1, definition))
	env.Services.API.Spot, env.Image.Architecture = true, environment.ARM64
	require.Equal(t, []string{"image.architecture of the api"}, broken(1, definition))
	require.Empty(t, broken(1, arm))
}

// What should run is what a deployment has verified; the stack's output counts only where there are no records, and is named as such.
func TestExpectedImage(t *testing.T) {
	const recorded, output = "repo@sha256:recorded", "repo@sha256:output"
	const verified, unverified = "the last deployment verified", "the stack's output is"
	stack := func(context.Context) (StackInfo, error) { return StackInfo{Image: output}, nil }
	deployed := func(image string, err error) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return image, err }
	}
	for name, test := range map[string]struct {
		src  Sources
		want expectedImage
	}{
		"the record":                 {Sources{Stack: stack, Deployed: deployed(recorded, nil)}, expectedImage{"sha256:recorded", verified, "sha256:output"}},
		"nothing verified":           {Sources{Stack: stack, Deployed: deployed("", nil)}, expectedImage{"", verified, "sha256:output"}},
		"unreadable records":         {Sources{Stack: stack, Deployed: deployed("", errors.New("denied"))}, expectedImage{"sha256:output", unverified, "sha256:output"}},
		"a record, without a stack":  {Sources{Deployed: deployed(recorded, nil)}, expectedImage{"sha256:recorded", verified, ""}},
		"neither a stack nor record": {Sources{}, expectedImage{source: unverified}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, readExpectedImage(t.Context(), &runContext{src: test.src}))
		})
	}
}

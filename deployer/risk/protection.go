package risk

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// removed describes the protection that ends with a resource that is deleted.
var removed = map[string]string{
	metricAlarm: "deletes the alarm",
	"aws:cloudwatch/compositeAlarm:CompositeAlarm":  "deletes the alarm",
	"aws:cloudwatch/eventRule:EventRule":            "deletes the rule, and what it starts never runs",
	"aws:cloudwatch/eventTarget:EventTarget":        "deletes the target, which no event reaches any more",
	"aws:scheduler/schedule:Schedule":               "deletes the schedule: the environment no longer sleeps or wakes by itself",
	"aws:sns/topic:Topic":                           "deletes the topic, which notifies no one any more",
	endpointOfTopic:                                 "deletes the subscription, which notifies no one any more",
	budget:                                          "deletes the budget, so that no one is notified of costs",
	"aws:route53/healthCheck:HealthCheck":           "deletes the health check from outside",
	"aws:ec2/flowLog:FlowLog":                       "no longer logs connections",
	webACL:                                          "deletes the web ACL: nothing filters or limits requests",
	"aws:wafv2/webAclAssociation:WebAclAssociation": "detaches the web ACL: nothing filters or limits requests",
	"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": "no longer logs what the web ACL blocks",
	"aws:secretsmanager/secretRotation:SecretRotation":                "no longer sets when the password rotates",
	"aws:s3/bucketOwnershipControls:BucketOwnershipControls":          "lets access lists grant access to objects",
	"aws:s3/bucketVersioningV2:BucketVersioningV2":                    "no longer keeps versions of objects",
	"aws:rds/parameterGroup:ParameterGroup":                           "deletes the database's parameters, such as TLS only",
	scalableTarget:                                                    "no longer scales the service",
	scalingPolicy:                                                     "no longer scales the service by this metric",
	"aws:sqs/redriveAllowPolicy:RedriveAllowPolicy":                   "lets every queue send its dead letters here",
	"aws:xray/samplingRule:SamplingRule":                              "no longer samples traces",
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": "no longer sets how objects are encrypted",
}

// rule compares a resource before and after, and returns what is weaker, if anything.
type rule func(before, after map[string]any) []string

// tracking is the property with the target of a scaling policy.
const tracking = "targetTrackingScalingPolicyConfiguration"

// rules are the rules of each type.
var rules = map[string][]rule{
	database: {
		fewer("backupRetentionPeriod", "keeps backups for %s instead of %s days"),
		turnsOff("deletionProtection", "ends the protection from deletion"),
		turnsOff("storageEncrypted", "ends the encryption of the storage"),
		turnsOff("multiAz", "has no standby in a second zone any more"),
		turnsOff("performanceInsightsEnabled", "ends Performance Insights"),
		turnsOff("manageMasterUserPassword", "RDS no longer manages the password"),
		turnsOn("skipFinalSnapshot", "takes no snapshot when it is deleted"),
		turnsOn("deleteAutomatedBackups", "deletes the backups with the database"),
		fewer("maxAllocatedStorage", "its storage grows to %s GiB instead of %s"),
		fewerElements("enabledCloudwatchLogsExports", "no longer exports the log %s"),
		turnsOn("applyImmediately", "applies changes at once, which may interrupt it, instead of in the maintenance window"),
		smallerClass,
	},
	subnetGroup:                             {fewerElements("subnetIds", "has fewer subnets")},
	"aws:rds/parameterGroup:ParameterGroup": {weakerParameters},
	"aws:secretsmanager/secretRotation:SecretRotation": {
		more("rotationRules.automaticallyAfterDays", "rotates the password every %s instead of %s days"),
	},
	logGroup:    {retention, loses("kmsKeyId", "ends the encryption with a key of its own")},
	metricAlarm: {weakerAlarm},
	"aws:cloudwatch/compositeAlarm:CompositeAlarm": {weakerAlarm},
	webACL: {weakerFirewall},
	"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": {redactsLess},
	loadBalancer: {
		turnsOff("enableDeletionProtection", "ends the protection from deletion"),
		turnsOff("accessLogs.enabled", "no longer logs requests"),
		turnsOff("dropInvalidHeaderFields", "forwards invalid headers"),
		fewerElements("subnets", "is in fewer subnets"),
	},
	httpListener: {weakerListener},
	targetGroup: {
		turnsFalse("healthCheck.enabled", "no longer checks the health of targets"),
		widerMatcher,
		more("healthCheck.interval", "checks targets every %s s instead of %s"),
		more("healthCheck.unhealthyThreshold", "takes a target out after %s failed checks instead of %s"),
		fewer("healthCheck.healthyThreshold", "sends requests to a target after %s successful checks instead of %s"),
		withDefault("deregistrationDelay", 300.0,
			fewer("deregistrationDelay", "gives old tasks %s s to finish their requests instead of %s")),
	},
	ecsService: {
		turnsOn("enableExecuteCommand", "lets people open a shell in its containers"),
		turnsOff("deploymentCircuitBreaker.enable", "no longer ends a rollout that fails"),
		turnsOff("deploymentCircuitBreaker.rollback", "no longer rolls a failed rollout back"),
		turnsOff("alarms.enable", "no longer ends a rollout by alarms"),
		turnsOff("alarms.rollback", "no longer rolls back by alarms"),
		watchesFewerAlarms,
		fewerElements("networkConfiguration.subnets", "is in fewer subnets"),
		fewer("deploymentMinimumHealthyPercent", "keeps %s %% of the tasks during a rollout instead of %s"),
		fewer("desiredCount", "has a desired count of %s instead of %s"),
		interruptible,
	},
	scalableTarget: {
		fewer("minCapacity", "scales down to %s instead of %s"),
		fewer("maxCapacity", "scales up to %s instead of %s"),
		turnsOn("suspendedState.dynamicScalingOutSuspended", "no longer scales up"),
	},
	scalingPolicy: {
		more(tracking+".targetValue", "scales up only above %s instead of %s"),
		more(tracking+".scaleOutCooldown", "waits %s s between two steps up instead of %s"),
	},
	taskDefinition: {
		fewer("cpu", "has %s CPU units instead of %s"),
		fewer("memory", "has %s MiB of memory instead of %s"),
		weakerContainer,
	},
	"aws:ecs/cluster:Cluster": {weakerCluster},
	repository: {
		turnsOff("imageScanningConfiguration.scanOnPush", "no longer scans images"),
		turnsOn("forceDelete", "can be deleted with its images"),
		mutableTags,
	},
	"aws:ecr/lifecyclePolicy:LifecyclePolicy":                              {keepsFewerImages},
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2": {expiresSooner},
	bucketV2: {turnsOn("forceDestroy", "can be deleted with its objects")},
	bucket:   {turnsOn("forceDestroy", "can be deleted with its objects")},
	encryptionKey: {
		turnsOff("enableKeyRotation", "no longer rotates"),
		fewer("deletionWindowInDays", "a deletion takes effect after %s instead of %s days"),
	},
	queue: {
		withDefault("messageRetentionSeconds", 345600.0, fewer("messageRetentionSeconds", "keeps messages for %s s instead of %s")),
		withDefault("visibilityTimeoutSeconds", 30.0,
			fewer("visibilityTimeoutSeconds", "delivers a message again after %s s instead of %s")),
		fewerTries,
		losesFailedMessages,
		turnsOff("sqsManagedSseEnabled", "ends the encryption of messages"),
		loses("redrivePolicy", "has no dead-letter queue any more"),
	},
	route: {toInstance},
	networkInterface: {
		turnsOn("sourceDestCheck", "drops packets that are not its own, so that private subnets no longer reach the internet"),
	},
	"aws:route53/healthCheck:HealthCheck": {
		turnsOn("disabled", "disables the health check"),
		more("failureThreshold", "fails after %s checks instead of %s"),
	},
	budget: {
		more("limitAmount", "notifies at a limit of %s USD instead of %s"),
		fewerElements("notifications", "sends fewer notifications"),
		weakerNotifications,
	},
}

// protections returns what a step weakens. A resource that is created weakens nothing.
func protections(s engine.Step) []reason {
	if s.Deletes && !s.Replaces {
		if what := removed[s.Type]; what != "" {
			return []reason{{Weakened, what}}
		}
		return nil
	}
	if s.Before == nil || s.After == nil {
		return nil
	}
	var all []reason
	for _, weaker := range rules[s.Type] {
		for _, what := range weaker(s.Before, s.After) {
			all = append(all, reason{Weakened, what})
		}
	}
	return all
}

// toInstance reports a route that leads to a NAT instance instead of a gateway.
func toInstance(before, after map[string]any) []string {
	set := func(value any) bool { return value != nil && value != "" }
	if !set(before["natGatewayId"]) || set(after["natGatewayId"]) || !set(after["networkInterfaceId"]) {
		return nil
	}
	return []string{"leads to one instance instead of a NAT gateway: open connections end, and there is no way out while the instance is replaced"}
}

// fewer returns a rule for a number that falls. The message is given the number after and before. A value that only the deployment
// determines, or that is secret, is not compared.
func fewer(path, message string) rule {
	return func(before, after map[string]any) []string {
		old, now := at(before, path), at(after, path)
		if !isKnown(old, now) || number(now) >= number(old) {
			return nil
		}
		return []string{fmt.Sprintf(message, show(number(now)), show(number(old)))}
	}
}

// more returns a rule for a number that rises.
func more(path, message string) rule {
	return func(before, after map[string]any) []string {
		old, now := at(before, path), at(after, path)
		if old == nil || !isKnown(old, now) || number(now) <= number(old) {
			return nil
		}
		return []string{fmt.Sprintf(message, show(now), show(old))}
	}
}

func isKnown(values ...any) bool {
	return !slices.ContainsFunc(values, func(v any) bool { return v == engine.Unknown || v == engine.Masked })
}

// turnsOff returns a rule for a property that was true and is not any more.
func turnsOff(path, message string) rule {
	return func(before, after map[string]any) []string {
		return onlyIf(isTrue(at(before, path)) && isKnown(at(after, path)) && !isTrue(at(after, path)), message)
	}
}

// turnsFalse returns a rule for a property that is true where it is not set, and is now false.
func turnsFalse(path, message string) rule {
	isFalse := func(value any) bool { return value == false || value == "false" }
	return func(before, after map[string]any) []string {
		return onlyIf(!isFalse(at(before, path)) && isFalse(at(after, path)), message)
	}
}

// withDefault returns a rule that is given AWS's default of a property that is not set.
func withDefault(key string, value any, r rule) rule {
	fill := func(properties map[string]any) map[string]any {
		if properties[key] == nil {
			properties = maps.Clone(properties)
			properties[key] = value
		}
		return properties
	}
	return func(before, after map[string]any) []string { return r(fill(before), fill(after)) }
}

// turnsOn returns a rule for a property that is true and was not.
func turnsOn(path, message string) rule {
	return func(before, after map[string]any) []string {
		return onlyIf(!isTrue(at(before, path)) && isTrue(at(after, path)), message)
	}
}

// loses returns a rule for a property that had a value and has none any more.
func loses(path, message string) rule {
	return func(before, after map[string]any) []string {
		return onlyIf(at(before, path) != nil && at(after, path) == nil, message)
	}
}

// fewerElements returns a rule for a list that loses elements, which the message may name; otherwise only their number is
// compared.
func fewerElements(path, message string) rule {
	return func(before, after map[string]any) []string {
		if !isKnown(at(before, path), at(after, path)) {
			return nil
		}
		if !strings.Contains(message, "%s") {
			return onlyIf(len(elements(at(after, path))) < len(elements(at(before, path))), message)
		}
		var lost []string
		for _, e := range elements(at(before, path)) {
			if !contains(at(after, path), e) {
				lost = append(lost, fmt.Sprintf(message, show(e)))
			}
		}
		return lost
	}
}

// watchesFewerAlarms compares the alarms that end a rollout. Those of a service that watches none are only named, because a list cannot be empty.
func watchesFewerAlarms(before, after map[string]any) []string {
	if !isTrue(at(before, "alarms.enable")) || !isTrue(at(after, "alarms.enable")) {
		return nil
	}
	return fewerElements("alarms.alarmNames", "no longer ends a rollout by the alarm %s")(before, after)
}

func onlyIf(weaker bool, message string) []string {
	if weaker {
		return []string{message}
	}
	return nil
}

// smallerClass compares the memory of the database's instance classes.
func smallerClass(before, after map[string]any) []string {
	old, now := show(before["instanceClass"]), show(after["instanceClass"])
	memory := environment.InstanceMemory(now)
	return onlyIf(memory > 0 && memory < environment.InstanceMemory(old), "is smaller: "+now+" instead of "+old)
}

// weakerParameters reports TLS that the database no longer requires.
func weakerParameters(before, after map[string]any) []string {
	const forceTLS = "rds.force_ssl"
	requires := func(properties map[string]any) bool {
		return show(byKey(properties["parameters"], "name")[forceTLS]["value"]) == "1"
	}
	return onlyIf(requires(before) && !requires(after), "accepts connections without TLS")
}

// retention compares how long logs are kept: without a limit where it is 0.
func retention(before, after map[string]any) []string {
	days := func(properties map[string]any) float64 {
		if n := number(properties["retentionInDays"]); n > 0 {
			return n
		}
		return math.Inf(1)
	}
	old, now := days(before), days(after)
	if now >= old {
		return nil
	}
	if math.IsInf(old, 1) {
		return []string{fmt.Sprintf("keeps logs for %s instead of without a limit", text.Plural(int(now), "day", ""))}
	}
	return []string{fmt.Sprintf("keeps logs for %s instead of %s days", show(now), show(old))}
}

// weakerAlarm reports an alarm that notifies fewer, or later.
func weakerAlarm(before, after map[string]any) []string {
	enabled := func(properties map[string]any) bool {
		return properties["actionsEnabled"] == nil || isTrue(properties["actionsEnabled"])
	}
	weaker := onlyIf(enabled(before) && !enabled(after), "notifies no one any more")
	weaker = append(weaker, onlyIf(len(elements(after["alarmActions"])) < len(elements(before["alarmActions"])), "notifies fewer topics")...)
	if old, now := before["threshold"], after["threshold"]; before["comparisonOperator"] == after["comparisonOperator"] && isKnown(old, now) {
		higher := strings.HasPrefix(show(after["comparisonOperator"]), "GreaterThan")
		weaker = append(weaker, onlyIf(higher && number(now) > number(old) || !higher && number(now) < number(old),
			fmt.Sprintf("alarms at %s instead of %s", show(now), show(old)))...)
	}
	weaker = append(weaker, more("periods", "alarms after %s periods instead of %s")(periodsToAlarm(before), periodsToAlarm(after))...)
	weaker = append(weaker, otherPeriod(before, after)...)
	for _, property := range slices.Sorted(maps.Keys(watched)) {
		old, now := before[property], after[property]
		if old != nil && isKnown(old, now) && isKnown(values(old)...) && isKnown(values(now)...) && !reflect.DeepEqual(old, now) {
			weaker = append(weaker, "no longer watches the same "+watched[property])
		}
	}
	return append(weaker, onlyIf(before["treatMissingData"] == "breaching" && after["treatMissingData"] != "breaching",
		"no longer alarms where there is no data")...)
}

// periodsToAlarm returns how many periods have to cross an alarm's threshold: datapointsToAlarm of those that it evaluates, or all of them.
func periodsToAlarm(properties map[string]any) map[string]any {
	if n := properties["datapointsToAlarm"]; n != nil {
		return map[string]any{"periods": n}
	}
	return map[string]any{"periods": properties["evaluationPeriods"]}
}

// watched are the properties that set what an alarm watches: another value is a risk in both directions.
var watched = map[string]string{
	"namespace": "namespace", "metricName": "metric", "dimensions": "resource", "statistic": "statistic",
	"extendedStatistic":  "percentile",
	"comparisonOperator": "side of its threshold", "metricQueries": "metrics",
}

// values returns the values of an object, or none.
func values(object any) []any {
	properties, _ := object.(map[string]any)
	return slices.Collect(maps.Values(properties))
}

// otherPeriod reports periods after which an alarm comes later, or in which a counter reaches its threshold less often.
func otherPeriod(before, after map[string]any) []string {
	old, now := before["period"], after["period"]
	if old == nil || now == nil || !isKnown(old, now) || number(old) == number(now) {
		return nil
	}
	counts := before["statistic"] == "Sum" || before["statistic"] == "SampleCount"
	above := strings.HasPrefix(show(before["comparisonOperator"]), "GreaterThan")
	return onlyIf(number(now) > number(old) || counts && above,
		fmt.Sprintf("evaluates periods of %s s instead of %s", show(now), show(old)))
}

// weakerNotifications compares whom a budget notifies, and at how much of its limit.
func weakerNotifications(before, after map[string]any) []string {
	recipients := func(properties map[string]any) []string {
		var all []string
		for _, n := range elements(properties["notifications"]) {
			for _, key := range []string{"subscriberEmailAddresses", "subscriberSnsTopicArns"} {
				all = append(all, texts(at(map[string]any{"n": n}, "n."+key))...)
			}
		}
		return all
	}
	var weaker []string
	old, now := recipients(before), recipients(after)
	for _, name := range slices.Compact(slices.Sorted(slices.Values(old))) {
		// What only the deployment determines may be the same.
		gone := isKnown(name) && !slices.Contains(now, name) && !slices.Contains(now, engine.Unknown)
		weaker = append(weaker, onlyIf(gone, "no longer notifies "+name)...)
	}
	was, is := byKey(before["notifications"], "notificationType"), byKey(after["notifications"], "notificationType")
	for _, kind := range slices.Sorted(maps.Keys(is)) {
		later := more("threshold", "notifies at %s %% of the limit instead of %s ("+strings.ToLower(kind)+")")
		weaker = append(weaker, later(was[kind], is[kind])...)
	}
	return weaker
}

// widerMatcher compares the HTTP codes with which a target is healthy, such as 200-299 or 200,202.
func widerMatcher(before, after map[string]any) []string {
	const matcher = "healthCheck.matcher"
	old, now := at(before, matcher), at(after, matcher)
	if !isKnown(old, now) || now == nil {
		return nil
	}
	accepted := codes(old)
	for code := range codes(now) {
		if !accepted[code] {
			return []string{fmt.Sprintf("takes targets for healthy that answer with %s instead of %s",
				show(now), cmp.Or(asText(old), "200"))}
		}
	}
	return nil
}

// codes returns the codes of a matcher; 200 is AWS's default.
func codes(matcher any) map[int]bool {
	all := map[int]bool{}
	for _, part := range strings.Split(cmp.Or(asText(matcher), "200"), ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			last = first
		}
		for code := int(number(first)); code <= min(int(number(last)), 999); code++ {
			all[code] = true
		}
	}
	return all
}

// redrive returns after how many tries a message goes to the dead-letter queue; 0 where that is not known, or there is none.
func redrive(properties map[string]any) float64 {
	var policy map[string]any
	if encoded, _ := properties["redrivePolicy"].(string); json.Unmarshal([]byte(encoded), &policy) != nil {
		return 0
	}
	return number(policy["maxReceiveCount"])
}

func fewerTries(before, after map[string]any) []string {
	old, now := redrive(before), redrive(after)
	return onlyIf(now > 0 && now < old,
		fmt.Sprintf("gives a message up after %s instead of %s", text.Plural(int(now), "try", "tries"), show(old)))
}

// losesFailedMessages reports a queue whose messages expire before they were tried often enough for the dead-letter queue.
func losesFailedMessages(before, after map[string]any) []string {
	expires := func(properties map[string]any) bool {
		timeout, retention := properties["visibilityTimeoutSeconds"], properties["messageRetentionSeconds"]
		return timeout != nil && retention != nil && isKnown(timeout, retention) &&
			redrive(properties)*number(timeout) > number(retention)
	}
	return onlyIf(!expires(before) && expires(after), "deletes messages that fail before they reach the dead-letter queue")
}

// weakerFirewall compares the rules of a web ACL by their names.
func weakerFirewall(before, after map[string]any) []string {
	var weaker []string
	old, now := byKey(before["rules"], "name"), byKey(after["rules"], "name")
	for _, name := range slices.Sorted(maps.Keys(old)) {
		was, is := old[name], now[name]
		if is == nil {
			weaker = append(weaker, "is without the rule "+name)
			continue
		}
		const limit = "statement.rateBasedStatement.limit"
		weaker = append(weaker, more(limit, "lets an address send %s requests instead of %s")(was, is)...)
		weaker = append(weaker, onlyIf(at(was, limit) != nil && at(is, limit) == nil, "no longer limits requests by the rule "+name)...)
		counts := at(was, "action.count") == nil && at(is, "action.count") != nil ||
			at(was, "action.block") != nil && at(is, "action.allow") != nil ||
			at(was, "overrideAction.count") == nil && at(is, "overrideAction.count") != nil
		weaker = append(weaker, onlyIf(counts, "no longer blocks by the rule "+name)...)
		const overrides = "statement.managedRuleGroupStatement.ruleActionOverrides"
		for _, rule := range slices.Sorted(maps.Keys(byKey(at(is, overrides), "name"))) {
			weaker = append(weaker, onlyIf(byKey(at(was, overrides), "name")[rule] == nil, "only counts by the rule "+name+"/"+rule)...)
		}
	}
	return weaker
}

// redactsLess reports headers that the log of the web ACL now has.
func redactsLess(before, after map[string]any) []string {
	return onlyIf(len(elements(after["redactedFields"])) < len(elements(before["redactedFields"])), "logs headers that it redacted")
}

// weakerListener compares how connections are encrypted.
func weakerListener(before, after map[string]any) []string {
	const encrypted = "HTTPS"
	if before["protocol"] == encrypted && after["protocol"] != encrypted {
		return []string{"answers without TLS"}
	}
	redirects := func(properties map[string]any) bool {
		actions := elements(properties["defaultActions"])
		return len(actions) > 0 && byKey(actions, "type")["redirect"] != nil
	}
	weaker := onlyIf(after["protocol"] != encrypted && redirects(before) && !redirects(after), "no longer redirects to HTTPS")
	old, now := show(before["sslPolicy"]), show(after["sslPolicy"])
	return append(weaker, onlyIf(before["sslPolicy"] != nil && after["sslPolicy"] != nil && tlsStrength(now) < tlsStrength(old),
		"accepts weaker TLS: "+now+" instead of "+old)...)
}

var leastTLS = lazyregexp.New(`-(?:TLS13|TLS|FS)-1-([0-3])(?:-|$)`)

// tlsStrength orders the security policies of load balancers: first by the oldest version of TLS that they accept, then by the
// ciphers, of which Res has the fewest and Ext2 the most.
// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
func tlsStrength(policy string) int {
	strength := 0
	if version := leastTLS.FindStringSubmatch(policy); version != nil {
		strength = 10 * int(number(version[1]))
	}
	for suffix, ciphers := range map[string]int{"-Res-": 3, "-Ext0-": 1, "-Ext1-": 1, "-Ext2-": 0} {
		if strings.Contains(policy, suffix) {
			return strength + ciphers
		}
	}
	return strength + 2
}

// interruptible reports a service whose tasks AWS may now interrupt.
func interruptible(before, after map[string]any) []string {
	uses := func(properties map[string]any) bool {
		return byKey(properties["capacityProviderStrategies"], "capacityProvider")[environment.FargateSpot] != nil
	}
	return onlyIf(!uses(before) && uses(after), "runs on Fargate Spot, whose tasks AWS may stop at any time")
}

func weakerCluster(before, after map[string]any) []string {
	insights := func(properties map[string]any) string {
		return show(byKey(properties["settings"], "name")["containerInsights"]["value"])
	}
	on := []string{"enabled", "enhanced"}
	return onlyIf(slices.Contains(on, insights(before)) && !slices.Contains(on, insights(after)), "ends Container Insights")
}

func mutableTags(before, after map[string]any) []string {
	return onlyIf(before["imageTagMutability"] == "IMMUTABLE" && after["imageTagMutability"] != "IMMUTABLE", "lets tags be moved")
}

// keepsFewerImages compares the counts of a lifecycle policy's rules.
func keepsFewerImages(before, after map[string]any) []string {
	counts := func(properties map[string]any) map[int]float64 {
		var policy struct {
			Rules []struct {
				Priority  int `json:"rulePriority"`
				Selection struct {
					Count float64 `json:"countNumber"`
				} `json:"selection"`
			} `json:"rules"`
		}
		found := map[int]float64{}
		if document, ok := properties["policy"].(string); ok && json.Unmarshal([]byte(document), &policy) == nil {
			for _, r := range policy.Rules {
				found[r.Priority] = r.Selection.Count
			}
		}
		return found
	}
	now := counts(after)
	for priority, old := range counts(before) {
		if count, same := now[priority]; same && count < old {
			return []string{"keeps fewer images"}
		}
	}
	return nil
}

// expiresSooner compares the days after which a bucket deletes objects.
func expiresSooner(before, after map[string]any) []string {
	old, now := byKey(before["rules"], "id"), byKey(after["rules"], "id")
	var weaker []string
	for _, id := range slices.Sorted(maps.Keys(now)) {
		days := at(now[id], "expiration.days")
		if days == nil {
			continue
		}
		switch was := at(old[id], "expiration.days"); {
		case was == nil:
			weaker = append(weaker, fmt.Sprintf("deletes objects after %s days, which it kept forever", show(days)))
		case number(days) < number(was):
			weaker = append(weaker, fmt.Sprintf("deletes objects after %s instead of %s days", show(days), show(was)))
		}
	}
	return weaker
}

package risk

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/environment"
)

// An effect is what a change of a key does to a resource, and the risk of it and of its reverse.
type effect struct {
	resourceType, before, after string
	level                       Level
	want, reverse               string
}

// keyEffects has every key of an environment's file: the properties that it changes, towards a risk, or why there is no risk in it.
var keyEffects = map[string]struct {
	effects []effect
	none    string
}{
	"name":    {none: preflight},
	"prefix":  {none: preflight},
	"account": {none: preflight},
	"region":  {none: preflight},
	"protected": {effects: []effect{
		{loadBalancer, `{"enableDeletionProtection":true}`, `{"enableDeletionProtection":false}`, Weakened, "ends the protection from deletion", ""},
		{database, `{"deleteAutomatedBackups":false}`, `{"deleteAutomatedBackups":true}`, Weakened, "deletes the backups with the database", ""},
		{database, `{"applyImmediately":false}`, `{"applyImmediately":true}`, Weakened,
			"applies changes at once, which may interrupt it, instead of in the maintenance window", ""},
	}},
	"domain.root": {none: "the records are replaced: TestOfDeletesAndReplacements"},
	"domain.name": {none: "the records are replaced: TestOfDeletesAndReplacements"},

	"network.cidr": {none: preflight},
	"network.zones": {effects: []effect{
		{loadBalancer, `{"subnets":["a","b","c"]}`, `{"subnets":["a","b"]}`, Weakened, "is in fewer subnets", ""},
		{subnetGroup, `{"subnetIds":["a","b","c"]}`, `{"subnetIds":["a","b"]}`, Weakened, "has fewer subnets", ""},
		{ecsService, `{"networkConfiguration":{"subnets":["a","b","c"]}}`, `{"networkConfiguration":{"subnets":["a","b"]}}`, Weakened, "is in fewer subnets", ""},
	}},
	// The gateways, or the instance, are deleted: TestOfDeletesAndReplacements.
	"network.nat": {effects: []effect{
		{route, `{"natGatewayId":"nat-1"}`, `{"networkInterfaceId":"eni-1"}`, Weakened,
			"leads to one instance instead of a NAT gateway: open connections end, and there is no way out while the instance is replaced", ""},
		{route, `{"natGatewayId":"nat-1"}`, `{"natGatewayId":"nat-2"}`, Routine, "", ""},
		{networkInterface, `{"sourceDestCheck":false}`, `{"sourceDestCheck":true}`, Weakened,
			"drops packets that are not its own, so that private subnets no longer reach the internet", ""},
	}},

	"image.repository":       {none: "every image of the file's repository may run"},
	"image.architecture":     {none: "preflight compares it with the image, and neither direction is safer"},
	"image.criticalFindings": {none: deployerOnly},

	"services.api.cpu":       {effects: []effect{{taskDefinition, `{"cpu":"512"}`, `{"cpu":"256"}`, Weakened, "has 256 CPU units instead of 512", ""}}},
	"services.api.memory":    {effects: []effect{{taskDefinition, `{"memory":"1024"}`, `{"memory":"512"}`, Weakened, "has 512 MiB of memory instead of 1024", ""}}},
	"services.api.tasks.min": {effects: []effect{{scalableTarget, `{"minCapacity":2}`, `{"minCapacity":1}`, Weakened, "scales down to 1 instead of 2", ""}}},
	"services.api.tasks.max": {effects: []effect{{scalableTarget, `{"maxCapacity":4}`, `{"maxCapacity":2}`, Weakened, "scales up to 2 instead of 4", ""}}},
	"services.api.command":   {none: "it is code, as the image"},
	"services.api.healthCheck": {effects: []effect{
		checked(`["CMD-SHELL","wget -q localhost || exit 1"]`, `["CMD-SHELL","exit 0"]`, "has a health check that cannot fail: CMD-SHELL exit 0"),
		checked(`["CMD-SHELL","wget -q localhost || exit 1"]`, `["CMD-SHELL","wget -q localhost || true"]`,
			"has a health check that cannot fail: CMD-SHELL wget -q localhost || true"),
		checked(`["CMD","curl","-f","http://localhost/true"]`, `["CMD","sh","-c","exit 0"]`, "has a health check that cannot fail: CMD sh -c exit 0"),
		checked(`["CMD","curl","-f","true"]`, `["CMD","/bin/true"]`, "has a health check that cannot fail: CMD /bin/true"),
		checked(`["CMD-SHELL","test -e /up && true"]`, `["NONE"]`, "has no health check any more"),
		checked(`["CMD-SHELL","test -e /up"]`, `[]`, "has no health check any more"),
		checked(`["CMD-SHELL","a"]`, `["CMD-SHELL","b"]`, ""),
		container(`{"healthCheck":{"command":["CMD","a"]}}`, `{}`, Weakened, "has no health check any more", ""),
	}},
	"services.api.spot": {effects: []effect{
		{ecsService, `{"capacityProviderStrategies":[{"capacityProvider":"FARGATE"}]}`, `{"capacityProviderStrategies":[{"capacityProvider":"FARGATE_SPOT"}]}`,
			Weakened, "runs on Fargate Spot, whose tasks AWS may stop at any time", ""},
	}},
	"services.api.autoscaling.cpuPercent":        {effects: []effect{target(70, 90)}},
	"services.api.autoscaling.memoryPercent":     {effects: []effect{target(50, 55)}},
	"services.api.autoscaling.requestsPerMinute": {effects: []effect{target(600, 60000)}},
	"services.worker":                            {none: "as services.api"},
	"services.scheduler":                         {none: "as services.api"},
	"services.executeCommand": {effects: []effect{
		{ecsService, `{"enableExecuteCommand":false}`, `{"enableExecuteCommand":true}`, Weakened, "lets people open a shell in its containers", ""},
	}},

	"database.instanceClass": {effects: []effect{
		{database, `{"instanceClass":"db.t3.medium"}`, `{"instanceClass":"db.t3.small"}`, Weakened, "is smaller: db.t3.small instead of db.t3.medium", ""},
	}},
	"database.engineVersion": {effects: []effect{
		{database, `{"engineVersion":"16"}`, `{"engineVersion":"17"}`, Irreversible, "upgrades PostgreSQL from 16 to 17, which only a snapshot takes back", ""},
		{database, `{"engineVersion":"16.4"}`, `{"engineVersion":"17"}`, Irreversible, "upgrades PostgreSQL from 16 to 17, which only a snapshot takes back", ""},
		{database, `{"engineVersion":"16.4"}`, `{"engineVersion":"16"}`, Routine, "", ""},
	}},
	"database.name": {none: preflight},
	"database.user": {none: preflight},
	"database.storageGiB": {effects: []effect{
		{database, `{"allocatedStorage":20}`, `{"allocatedStorage":200}`, Irreversible, "has 200 GiB of storage instead of 20, which RDS cannot shrink", ""},
	}},
	"database.maxStorageGiB": {effects: []effect{
		{database, `{"maxAllocatedStorage":500}`, `{"maxAllocatedStorage":100}`, Weakened, "its storage grows to 100 GiB instead of 500", ""},
	}},
	"database.multiZone": {effects: []effect{
		{database, `{"multiAz":true}`, `{"multiAz":false}`, Weakened, "has no standby in a second zone any more", ""},
	}},
	"database.backupDays": {effects: []effect{
		{database, `{"backupRetentionPeriod":30}`, `{"backupRetentionPeriod":7}`, Weakened, "keeps backups for 7 instead of 30 days", ""},
	}},
	"database.deletionProtection": {effects: []effect{
		{database, `{"deletionProtection":true}`, `{"deletionProtection":false}`, Weakened, "ends the protection from deletion", ""},
	}},
	"database.performanceInsights": {effects: []effect{
		{database, `{"performanceInsightsEnabled":true}`, `{"performanceInsightsEnabled":false}`, Weakened, "ends Performance Insights", ""},
	}},
	"database.passwordRotationDays": {effects: []effect{
		{"aws:secretsmanager/secretRotation:SecretRotation", `{"rotationRules":{"automaticallyAfterDays":30}}`, `{"rotationRules":{"automaticallyAfterDays":365}}`,
			Weakened, "rotates the password every 365 instead of 30 days", ""},
	}},
	"database.connections": {none: "neither direction is safe: validation compares it with the database"},
	"database.poolTimeout": {none: "neither direction is safe"},

	"queue.visibilityTimeout": {effects: []effect{
		{queue, `{"visibilityTimeoutSeconds":300}`, `{"visibilityTimeoutSeconds":1}`, Weakened, "delivers a message again after 1 s instead of 300", ""},
		{queue, `{"visibilityTimeoutSeconds":300}`, `{}`, Weakened, "delivers a message again after 30 s instead of 300", ""},
		{queue, `{"visibilityTimeoutSeconds":300,"messageRetentionSeconds":86400,"redrivePolicy":"{\"maxReceiveCount\":10}"}`,
			`{"visibilityTimeoutSeconds":43200,"messageRetentionSeconds":86400,"redrivePolicy":"{\"maxReceiveCount\":10}"}`, Weakened,
			"deletes messages that fail before they reach the dead-letter queue", "delivers a message again after 300 s instead of 43200"},
	}},
	"queue.retentionDays": {effects: []effect{
		{queue, `{"messageRetentionSeconds":345600}`, `{"messageRetentionSeconds":86400}`, Weakened, "keeps messages for 86400 s instead of 345600", ""},
	}},
	"queue.maxReceives": {effects: []effect{
		{queue, `{"redrivePolicy":"{\"maxReceiveCount\":3}"}`, `{"redrivePolicy":"{\"maxReceiveCount\":1}"}`, Weakened, "gives a message up after 1 try instead of 3", ""},
		{queue, `{"redrivePolicy":"{\"maxReceiveCount\":\"10\"}"}`, `{"redrivePolicy":"{\"maxReceiveCount\":2}"}`, Weakened,
			"gives a message up after 2 tries instead of 10", ""},
		{queue, `{"redrivePolicy":"{}"}`, `{"redrivePolicy":"(known after the change)"}`, Routine, "", ""},
	}},

	"configuration.required": {none: "it is code: preflight compares it with the secret"},
	"configuration.optional": {none: "it is code"},

	"monitoring.level": {effects: []effect{
		{metricAlarm, `{"alarmActions":["a"]}`, `{}`, Weakened, "notifies fewer topics", ""},
		{"aws:ecs/cluster:Cluster", `{"settings":[{"name":"containerInsights","value":"enabled"}]}`,
			`{"settings":[{"name":"containerInsights","value":"disabled"}]}`, Weakened, "ends Container Insights", ""},
	}},
	"monitoring.logRetentionDays": {effects: []effect{
		{logGroup, `{"retentionInDays":90}`, `{"retentionInDays":7}`, Weakened, "keeps logs for 7 instead of 90 days", ""},
	}},
	"monitoring.emails": {effects: []effect{
		{budget, `{"notifications":[{"subscriberEmailAddresses":["a@b.c","d@b.c"]}]}`, `{"notifications":[{"subscriberEmailAddresses":["a@b.c"]}]}`,
			Weakened, "no longer notifies d@b.c", ""},
		{budget, `{"notifications":[{"subscriberSnsTopicArns":["arn"]}]}`, `{"notifications":[{"subscriberSnsTopicArns":["(known after the change)"]}]}`,
			Routine, "", ""},
	}},
	"monitoring.webhooks": {none: "subscriptions are deleted: TestOfDeletesAndReplacements"},
	"firewall.enabled":    {none: "the web ACL is deleted: TestOfDeletesAndReplacements"},
	"firewall.rateLimit": {effects: []effect{
		{webACL, rateLimit(2000), rateLimit(2000000), Weakened, "lets an address send 2000000 requests instead of 2000", ""},
	}},
	"budget.monthlyUSD": {effects: []effect{
		{budget, `{"limitAmount":"50"}`, `{"limitAmount":"5000"}`, Weakened, "notifies at a limit of 5000 USD instead of 50", ""},
	}},

	"schedule.awake": {none: "other hours lose and weaken nothing; schedules are deleted: TestOfDeletesAndReplacements"},

	"deployment.rollback":        {none: deployerOnly},
	"deployment.backup":          {none: deployerOnly},
	"deployment.verifiedIn":      {none: deployerOnly},
	"deployment.snapshotsKept":   {none: deployerOnly},
	"deployment.rollout.timeout": {none: deployerOnly},
	"deployment.rollout.alarms": {effects: []effect{
		{ecsService, watching("a", "b"), watching("a"), Weakened, "no longer ends a rollout by the alarm b", ""},
		{ecsService, watching("a"), notWatching, Weakened, "no longer ends a rollout by alarms; no longer rolls back by alarms", ""},
	}},
	"deployment.rollout.bake":       {none: deployerOnly},
	"deployment.migrations.order":   {none: deployerOnly},
	"deployment.migrations.command": {none: "it is code, as the image"},
	"deployment.migrations.timeout": {none: deployerOnly},
	"deployment.migrations.cpu":     {none: "as services.api.cpu"},
	"deployment.migrations.memory":  {none: "as services.api.memory"},
	"deployment.health.tries":       {none: deployerOnly},
	"deployment.health.interval":    {none: deployerOnly},

	"delivery.branch": {effects: []effect{
		{role, trusted("main"), trusted("*"), Widened, "allows more: sts:AssumeRoleWithWebIdentity", ""},
	}},
	"delivery.trigger":  {none: deployerOnly},
	"delivery.approval": {none: deployerOnly},
	"delivery.tests":    {none: deployerOnly},
}

// Why a key changes no resource, or nothing that a plan would show.
const (
	preflight    = "preflight refuses it, and what is replaced is lost: TestOfDeletesAndReplacements"
	deployerOnly = "the deployer reads it, and no resource has it"
)

// notWatching has the alarms of a service whose rollouts none ends.
const notWatching = `{"alarms":{"enable":false,"rollback":false,"alarmNames":["c"]}}`

// watching returns the alarms of a service whose rollouts they end.
func watching(names ...string) string {
	return `{"alarms":{"enable":true,"rollback":true,"alarmNames":["` + strings.Join(names, `","`) + `"]}}`
}

func container(before, after string, level Level, want, reverse string) effect {
	definitions := func(properties string) string {
		containers, _ := json.Marshal(`[{"name":"api",` + strings.TrimPrefix(properties, "{") + `]`)
		return `{"containerDefinitions":` + strings.ReplaceAll(string(containers), `,}`, `}`) + `}`
	}
	named := func(what string) string {
		if what == "" {
			return ""
		}
		return "the container api " + what
	}
	return effect{taskDefinition, definitions(before), definitions(after), level, named(want), named(reverse)}
}

func checked(before, after, want string) effect {
	level := Weakened
	if want == "" {
		level = Routine
	}
	return container(`{"healthCheck":{"command":`+before+`}}`, `{"healthCheck":{"command":`+after+`}}`, level, want, "")
}

func target(before, after int) effect {
	tracking := func(value int) string {
		return `{"targetTrackingScalingPolicyConfiguration":{"targetValue":` + show(float64(value)) + `}}`
	}
	return effect{scalingPolicy, tracking(before), tracking(after), Weakened,
		"scales up only above " + show(float64(after)) + " instead of " + show(float64(before)), ""}
}

func trusted(branch string) string {
	encoded, _ := json.Marshal(document(`[{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"github"},
		"Condition":{"StringLike":{"sub":"repo:a/b:ref:refs/heads/` + branch + `"}}}]`))
	return `{"assumeRolePolicy":` + string(encoded) + `}`
}

// otherEffects are those of properties that no key sets, and that a change of the program does.
var otherEffects = map[string]effect{
	"privileged":         container(`{}`, `{"privileged":true}`, Widened, "runs privileged, as root of its host", ""),
	"a file system":      container(`{"readonlyRootFilesystem":true}`, `{"readonlyRootFilesystem":false}`, Weakened, "can write to its file system", ""),
	"a capability":       container(`{}`, `{"linuxParameters":{"capabilities":{"add":["SYS_PTRACE"]}}}`, Widened, "has the capability SYS_PTRACE", ""),
	"root":               container(`{"user":"bun"}`, `{"user":"0:0"}`, Widened, "runs as root", ""),
	"not essential":      container(`{}`, `{"essential":false}`, Weakened, "may end without its task", ""),
	"no logs":            container(`{"logConfiguration":{"logDriver":"awslogs"}}`, `{}`, Weakened, "writes no logs any more", ""),
	"a late check":       container(`{"healthCheck":{"command":["CMD","a"],"retries":3}}`, `{"healthCheck":{"command":["CMD","a"],"retries":10}}`, Weakened, "is unhealthy after 10 failed checks instead of 3", ""),
	"a revealed secret":  container(`{"secrets":[{"name":"KEY","valueFrom":"arn"}]}`, `{"environment":[{"name":"KEY","value":"x"}]}`, Weakened, "has KEY in plain text instead of from a secret", ""),
	"another role":       {taskDefinition, `{"taskRoleArn":"arn:a"}`, `{"taskRoleArn":"arn:b"}`, Widened, "runs with the role arn:b instead of arn:a", "runs with the role arn:a instead of arn:b"},
	"alarms of rollouts": {ecsService, `{"alarms":{"enable":true,"rollback":true,"alarmNames":["a","b"]}}`, `{"alarms":{"enable":true,"rollback":false,"alarmNames":["a"]}}`, Weakened, "no longer rolls back by alarms; no longer ends a rollout by the alarm b", ""},
	"no circuit breaker": {ecsService, `{"deploymentCircuitBreaker":{"enable":true,"rollback":true}}`, `{}`, Weakened, "no longer ends a rollout that fails; no longer rolls a failed rollout back", ""},
	"suspended scaling":  {scalableTarget, `{}`, `{"suspendedState":{"dynamicScalingOutSuspended":true}}`, Weakened, "no longer scales up", ""},
	"a slow step":        {scalingPolicy, `{"targetTrackingScalingPolicyConfiguration":{"scaleOutCooldown":60}}`, `{"targetTrackingScalingPolicyConfiguration":{"scaleOutCooldown":900}}`, Weakened, "waits 900 s between two steps up instead of 60", ""},

	"a matcher":                 {targetGroup, `{"healthCheck":{"matcher":"200"}}`, `{"healthCheck":{"matcher":"200-499"}}`, Weakened, "takes targets for healthy that answer with 200-499 instead of 200", ""},
	"a list of codes":           {targetGroup, `{"healthCheck":{"matcher":"200,204"}}`, `{"healthCheck":{"matcher":"200-204"}}`, Weakened, "takes targets for healthy that answer with 200-204 instead of 200,204", ""},
	"no checks":                 {targetGroup, `{"healthCheck":{"path":"/"}}`, `{"healthCheck":{"path":"/","enabled":false}}`, Weakened, "no longer checks the health of targets", ""},
	"rare checks":               {targetGroup, `{"healthCheck":{"interval":10,"unhealthyThreshold":3}}`, `{"healthCheck":{"interval":300,"unhealthyThreshold":10}}`, Weakened, "checks targets every 300 s instead of 10; takes a target out after 10 failed checks instead of 3", ""},
	"requests time out":         {targetGroup, `{"deregistrationDelay":30}`, `{"deregistrationDelay":0}`, Weakened, "gives old tasks 0 s to finish their requests instead of 30", ""},
	"no target":                 {httpListener, `{"protocol":"HTTPS","defaultActions":[{"type":"forward"}]}`, `{"protocol":"HTTPS","defaultActions":[{"type":"fixed-response"}]}`, Lost, "no longer forwards requests", ""},
	"a period":                  {metricAlarm, `{"period":60}`, `{"period":3600}`, Weakened, "evaluates periods of 3600 s instead of 60", ""},
	"a counter's period":        {metricAlarm, `{"period":60,"statistic":"Sum","comparisonOperator":"GreaterThanThreshold"}`, `{"period":10,"statistic":"Sum","comparisonOperator":"GreaterThanThreshold"}`, Weakened, "evaluates periods of 10 s instead of 60", "evaluates periods of 60 s instead of 10"},
	"datapoints":                {metricAlarm, `{"datapointsToAlarm":2}`, `{"datapointsToAlarm":5}`, Weakened, "alarms after 5 periods instead of 2", ""},
	"all datapoints":            {metricAlarm, `{"evaluationPeriods":360,"datapointsToAlarm":1}`, `{"evaluationPeriods":360}`, Weakened, "alarms after 360 periods instead of 1", ""},
	"one of more datapoints":    {metricAlarm, `{"evaluationPeriods":1}`, `{"evaluationPeriods":360,"datapointsToAlarm":1}`, Routine, "", ""},
	"another metric":            {metricAlarm, `{"metricName":"a"}`, `{"metricName":"b"}`, Weakened, "no longer watches the same metric", "no longer watches the same metric"},
	"another resource":          {metricAlarm, `{"dimensions":{"LoadBalancer":"a"}}`, `{"dimensions":{"LoadBalancer":"b"}}`, Weakened, "no longer watches the same resource", "no longer watches the same resource"},
	"a new balancer":            {metricAlarm, `{"dimensions":{"LoadBalancer":"a"}}`, `{"dimensions":{"LoadBalancer":"(known after the change)"}}`, Routine, "", ""},
	"the other side":            {metricAlarm, `{"comparisonOperator":"GreaterThanThreshold"}`, `{"comparisonOperator":"LessThanThreshold"}`, Weakened, "no longer watches the same side of its threshold", "no longer watches the same side of its threshold"},
	"a late budget":             {budget, `{"notifications":[{"notificationType":"ACTUAL","threshold":80}]}`, `{"notifications":[{"notificationType":"ACTUAL","threshold":500}]}`, Weakened, "notifies at 500 % of the limit instead of 80 (actual)", ""},
	"a late check from outside": {"aws:route53/healthCheck:HealthCheck", `{"failureThreshold":3}`, `{"failureThreshold":10}`, Weakened, "fails after 10 checks instead of 3", ""},

	"an address":       pointed("A", `"records":["192.0.2.1"]`, `"records":["192.0.2.2"]`, "points the name to 192.0.2.2 instead of 192.0.2.1", "points the name to 192.0.2.1 instead of 192.0.2.2"),
	"an alias":         pointed("A", `"aliases":[{"name":"a.elb."}]`, `"aliases":[{"name":"b.elb."}]`, "points the name to b.elb instead of a.elb", "points the name to a.elb instead of b.elb"),
	"an alias, as is":  pointed("AAAA", `"aliases":[{"name":"A.elb"}]`, `"aliases":[{"name":"a.elb."}]`, "", ""),
	"an unknown alias": pointed("A", `"aliases":[{"name":"a.elb"}]`, `"aliases":[{"name":"(known after the change)"}]`, "", ""),
	"name servers":     pointed("NS", `"records":["a","b"]`, `"records":["a","c"]`, "points the name to a, c instead of a, b", "points the name to a, b instead of a, c"),
	"another order":    pointed("NS", `"records":["a","b"]`, `"records":["b","a"]`, "", ""),
	"a text":           pointed("TXT", `"records":["a"]`, `"records":["b"]`, "", ""),
	"an authority":     authority(`["0 issue \"amazon.com\""]`, `["0 issue \"amazon.com\"","0 issue \"letsencrypt.org\""]`, "letsencrypt.org"),
	"every authority":  authority(`["0 issue \"amazon.com\""]`, `["0 iodef \"mailto:a@b.c\""]`, "every authority"),
	"of wildcards":     authority(`["0 issue \"amazon.com\"","0 issuewild \";\""]`, `["0 issue \"amazon.com\""]`, "amazon.com"),
	"of none":          authority(`["0 issue \";\""]`, `["0 issue \"amazon.com; account=1\""]`, "amazon.com"),
}

func pointed(kind, before, after, want, reverse string) effect {
	level := Lost
	if want == "" {
		level = Routine
	}
	name := `{"name":"api.example.com","type":"` + kind + `",`
	return effect{record, name + before + "}", name + after + "}", level, want, reverse}
}

func authority(before, after, name string) effect {
	properties := func(records string) string { return `{"name":"example.com","type":"CAA","records":` + records + `}` }
	return effect{record, properties(before), properties(after), Widened, "lets more authorities issue certificates for the domain: " + name, ""}
}

func (e effect) test(t *testing.T) {
	t.Helper()
	found := Of(update(t, e.resourceType, e.before, e.after))
	require.Equal(t, e.want, found.String())
	require.Equal(t, e.level, found.Level)
	require.Equal(t, e.reverse, Of(update(t, e.resourceType, e.after, e.before)).String(), "the reverse")
	require.Equal(t, Risk{}, Of(update(t, e.resourceType, e.before, e.before)), "nothing changes")
	if e.level == Widened || e.level == Weakened {
		require.Less(t, Of(engine.Step{Op: "create", Type: e.resourceType, After: decode(t, e.before)}).Level, Irreversible, "a create loses nothing")
	}
}

// Every key of an environment's file is judged, in both directions.
func TestOfEnvironmentKeys(t *testing.T) {
	require.Equal(t, keysOf(reflect.TypeFor[environment.Environment](), ""), slices.Sorted(maps.Keys(keyEffects)))
	for key, judged := range keyEffects {
		require.NotEqual(t, judged.none == "", len(judged.effects) == 0, "%s: a risk, or the reason why there is none", key)
		for _, e := range judged.effects {
			t.Run(key, e.test)
		}
	}
}

func TestOfOtherProperties(t *testing.T) {
	for name, e := range otherEffects {
		t.Run(name, e.test)
	}
}

// keysOf returns the keys that are decoded into a type, sorted. An optional service is one key.
func keysOf(t reflect.Type, above string) []string {
	var keys []string
	for field := range t.Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		kind := field.Type
		if kind.Kind() == reflect.Pointer && kind != reflect.TypeFor[*environment.Service]() {
			kind = kind.Elem()
		}
		switch {
		case key == "" || key == "-":
		case kind.Kind() == reflect.Struct:
			keys = append(keys, keysOf(kind, above+key+".")...)
		default:
			keys = append(keys, above+key)
		}
	}
	slices.Sort(keys)
	return keys
}

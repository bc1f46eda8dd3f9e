package risk

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

type properties = map[string]any

// decode decodes properties as the engine reports them.
func decode(t *testing.T, encoded string) properties {
	t.Helper()
	if encoded == "" {
		return nil
	}
	var decoded properties
	require.NoErrorf(t, json.Unmarshal([]byte(encoded), &decoded), "%s", encoded)
	return decoded
}

func update(t *testing.T, resourceType, before, after string) engine.Step {
	t.Helper()
	return engine.Step{Op: "update", Type: resourceType, Before: decode(t, before), After: decode(t, after)}
}

const (
	ingress = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	egress  = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
)

// What becomes weaker or wider is reported, and its reverse is not.
func TestOfUpdates(t *testing.T) {
	for name, test := range map[string]struct {
		resourceType, before, after string
		level                       Level
		want                        string
	}{
		"backups":                    {database, `{"backupRetentionPeriod":30}`, `{"backupRetentionPeriod":7}`, Weakened, "keeps backups for 7 instead of 30 days"},
		"no backups":                 {database, `{"backupRetentionPeriod":7}`, `{}`, Weakened, "keeps backups for 0 instead of 7 days"},
		"deletion protection":        {database, `{"deletionProtection":true}`, `{"deletionProtection":false}`, Weakened, "ends the protection from deletion"},
		"encryption of the database": {database, `{"storageEncrypted":true}`, `{}`, Weakened, "ends the encryption of the storage"},
		"a standby":                  {database, `{"multiAz":true}`, `{"multiAz":false}`, Weakened, "has no standby in a second zone any more"},
		"a smaller database":         {database, `{"instanceClass":"db.t3.medium"}`, `{"instanceClass":"db.t3.small"}`, Weakened, "is smaller: db.t3.small instead of db.t3.medium"},
		"a database with less memory of the same size": {database, `{"instanceClass":"db.r6g.large"}`, `{"instanceClass":"db.m6g.large"}`, Weakened,
			"is smaller: db.m6g.large instead of db.r6g.large"},
		"a larger size by number": {database, `{"instanceClass":"db.m6g.4xlarge"}`, `{"instanceClass":"db.m6g.2xlarge"}`, Weakened,
			"is smaller: db.m6g.2xlarge instead of db.m6g.4xlarge"},
		"insights":           {database, `{"performanceInsightsEnabled":true}`, `{}`, Weakened, "ends Performance Insights"},
		"no final snapshot":  {database, `{"skipFinalSnapshot":false}`, `{"skipFinalSnapshot":true}`, Weakened, "takes no snapshot when it is deleted"},
		"backups go with it": {database, `{}`, `{"deleteAutomatedBackups":true}`, Weakened, "deletes the backups with the database"},
		"storage":            {database, `{"maxAllocatedStorage":500}`, `{"maxAllocatedStorage":100}`, Weakened, "its storage grows to 100 GiB instead of 500"},
		"a log of the database": {database, `{"enabledCloudwatchLogsExports":["postgresql","upgrade"]}`, `{"enabledCloudwatchLogsExports":["postgresql"]}`,
			Weakened, "no longer exports the log upgrade"},
		"a managed password": {database, `{"manageMasterUserPassword":true}`, `{}`, Weakened, "RDS no longer manages the password"},
		"a public database":  {database, `{"publiclyAccessible":false}`, `{"publiclyAccessible":true}`, Lost, "gives the database a public address"},
		"TLS of the database": {"aws:rds/parameterGroup:ParameterGroup", `{"parameters":[{"name":"rds.force_ssl","value":"1"}]}`,
			`{"parameters":[{"name":"rds.force_ssl","value":"0"}]}`, Weakened, "accepts connections without TLS"},
		"rotation": {"aws:secretsmanager/secretRotation:SecretRotation", `{"rotationRules":{"automaticallyAfterDays":7}}`,
			`{"rotationRules":{"automaticallyAfterDays":365}}`, Weakened, "rotates the password every 365 instead of 7 days"},
		"logs":                 {logGroup, `{"retentionInDays":90}`, `{"retentionInDays":7}`, Weakened, "keeps logs for 7 instead of 90 days"},
		"logs without a limit": {logGroup, `{"retentionInDays":0}`, `{"retentionInDays":90}`, Weakened, "keeps logs for 90 days instead of without a limit"},
		"a key of logs":        {logGroup, `{"kmsKeyId":"arn:aws:kms:x"}`, `{}`, Weakened, "ends the encryption with a key of its own"},
		"actions of an alarm":  {metricAlarm, `{}`, `{"actionsEnabled":false}`, Weakened, "notifies no one any more"},
		"topics of an alarm":   {metricAlarm, `{"alarmActions":["a"]}`, `{"alarmActions":[]}`, Weakened, "notifies fewer topics"},
		"an upper threshold": {metricAlarm, `{"comparisonOperator":"GreaterThanThreshold","threshold":80}`,
			`{"comparisonOperator":"GreaterThanThreshold","threshold":99}`, Weakened, "alarms at 99 instead of 80"},
		"a lower threshold": {metricAlarm, `{"comparisonOperator":"LessThanThreshold","threshold":5}`,
			`{"comparisonOperator":"LessThanThreshold","threshold":1}`, Weakened, "alarms at 1 instead of 5"},
		"a late alarm":          {metricAlarm, `{"evaluationPeriods":1}`, `{"evaluationPeriods":60}`, Weakened, "alarms after 60 periods instead of 1"},
		"missing data":          {metricAlarm, `{"treatMissingData":"breaching"}`, `{"treatMissingData":"notBreaching"}`, Weakened, "no longer alarms where there is no data"},
		"the rate limit":        {webACL, rateLimit(2000), rateLimit(2000000000), Weakened, "lets an address send 2000000000 requests instead of 2000"},
		"a rule of the web ACL": {webACL, `{"rules":[{"name":"a"},{"name":"b"}]}`, `{"rules":[{"name":"a"}]}`, Weakened, "is without the rule b"},
		"a rule that counts": {webACL, `{"rules":[{"name":"a","action":{"block":{}}}]}`, `{"rules":[{"name":"a","action":{"count":{}}}]}`, Weakened,
			"no longer blocks by the rule a"},
		"a group that counts": {webACL, `{"rules":[{"name":"a","overrideAction":{"none":{}}}]}`, `{"rules":[{"name":"a","overrideAction":{"count":{}}}]}`,
			Weakened, "no longer blocks by the rule a"},
		"a rule of a group that counts": {webACL, `{"rules":[{"name":"a","statement":{"managedRuleGroupStatement":{}}}]}`,
			`{"rules":[{"name":"a","statement":{"managedRuleGroupStatement":{"ruleActionOverrides":[{"name":"SQLi","actionToUse":{"count":{}}}]}}}]}`,
			Weakened, "only counts by the rule a/SQLi"},
		"redaction": {"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration", `{"redactedFields":[{},{}]}`, `{"redactedFields":[{}]}`, Weakened,
			"logs headers that it redacted"},
		"protection of the load balancer": {loadBalancer, `{"enableDeletionProtection":true}`, `{"enableDeletionProtection":false}`, Weakened,
			"ends the protection from deletion"},
		"access logs":               {loadBalancer, `{"accessLogs":{"enabled":true}}`, `{"accessLogs":{"enabled":false}}`, Weakened, "no longer logs requests"},
		"an internal load balancer": {loadBalancer, `{"internal":true}`, `{"internal":false}`, Widened, "opens the load balancer to the internet"},
		"an older TLS": {httpListener, `{"protocol":"HTTPS","sslPolicy":"ELBSecurityPolicy-TLS13-1-2-2021-06"}`,
			`{"protocol":"HTTPS","sslPolicy":"ELBSecurityPolicy-2016-08"}`, Weakened,
			"accepts weaker TLS: ELBSecurityPolicy-2016-08 instead of ELBSecurityPolicy-TLS13-1-2-2021-06"},
		"more ciphers": {httpListener, `{"sslPolicy":"ELBSecurityPolicy-TLS13-1-2-Res-2021-06"}`, `{"sslPolicy":"ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06"}`,
			Weakened, "accepts weaker TLS: ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06 instead of ELBSecurityPolicy-TLS13-1-2-Res-2021-06"},
		"no TLS": {httpListener, `{"protocol":"HTTPS"}`, `{"protocol":"HTTP"}`, Weakened, "answers without TLS"},
		"no redirect": {httpListener, `{"protocol":"HTTP","defaultActions":[{"type":"redirect"}]}`, `{"protocol":"HTTP","defaultActions":[{"type":"forward"}]}`,
			Weakened, "no longer redirects to HTTPS"},
		"a shell": {ecsService, `{"enableExecuteCommand":false}`, `{"enableExecuteCommand":true}`, Weakened, "lets people open a shell in its containers"},
		"the circuit breaker": {ecsService, `{"deploymentCircuitBreaker":{"enable":true,"rollback":true}}`, `{"deploymentCircuitBreaker":{"enable":true}}`,
			Weakened, "no longer rolls a failed rollout back"},
		"fewer tasks": {ecsService, `{"desiredCount":2}`, `{"desiredCount":1}`, Weakened, "has a desired count of 1 instead of 2"},
		"spot": {ecsService, `{"capacityProviderStrategies":[{"capacityProvider":"FARGATE"}]}`,
			`{"capacityProviderStrategies":[{"capacityProvider":"FARGATE_SPOT"}]}`, Weakened, "runs on Fargate Spot, whose tasks AWS may stop at any time"},
		"public tasks": {ecsService, `{"networkConfiguration":{"assignPublicIp":false}}`, `{"networkConfiguration":{"assignPublicIp":true}}`, Widened,
			"gives the tasks public addresses"},
		"scaling": {scalableTarget, `{"minCapacity":2}`, `{"minCapacity":1}`, Weakened, "scales down to 1 instead of 2"},
		"insights of the cluster": {"aws:ecs/cluster:Cluster", `{"settings":[{"name":"containerInsights","value":"enabled"}]}`,
			`{"settings":[{"name":"containerInsights","value":"disabled"}]}`, Weakened, "ends Container Insights"},
		"scans":        {repository, `{"imageScanningConfiguration":{"scanOnPush":true}}`, `{"imageScanningConfiguration":{"scanOnPush":false}}`, Weakened, "no longer scans images"},
		"mutable tags": {repository, `{"imageTagMutability":"IMMUTABLE"}`, `{"imageTagMutability":"MUTABLE"}`, Weakened, "lets tags be moved"},
		"images":       {"aws:ecr/lifecyclePolicy:LifecyclePolicy", kept(30), kept(3), Weakened, "keeps fewer images"},
		"objects kept forever": {"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", `{"rules":[]}`, expiry(30), Weakened,
			"deletes objects after 30 days, which it kept forever"},
		"objects":         {"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", expiry(90), expiry(7), Weakened, "deletes objects after 7 instead of 90 days"},
		"a forced delete": {bucketV2, `{"forceDestroy":false}`, `{"forceDestroy":true}`, Weakened, "can be deleted with its objects"},
		"a key":           {encryptionKey, `{"enableKeyRotation":true}`, `{"enableKeyRotation":false}`, Weakened, "no longer rotates"},
		"messages":        {queue, `{"messageRetentionSeconds":345600}`, `{"messageRetentionSeconds":60}`, Weakened, "keeps messages for 60 s instead of 345600"},
		"dead letters":    {queue, `{"redrivePolicy":"{}"}`, `{}`, Weakened, "has no dead-letter queue any more"},
		"public objects": {publicAccess, `{"blockPublicAcls":true,"blockPublicPolicy":true}`, `{"blockPublicAcls":true,"blockPublicPolicy":false}`, Lost,
			"no longer blocks public access to the bucket"},
		"a boundary": {role, `{"permissionsBoundary":"arn:b"}`, `{"permissionsBoundary":"arn:c"}`, Widened, "loses its permissions boundary, or gets another one"},
		"a wider range": {ingress, `{"ipProtocol":"tcp","fromPort":443,"toPort":443,"cidrIpv4":"10.0.0.0/16"}`,
			`{"ipProtocol":"tcp","fromPort":443,"toPort":443,"cidrIpv4":"0.0.0.0/0"}`, Widened, "opens port 443 to 0.0.0.0/0"},
		"more ports": {egress, `{"ipProtocol":"tcp","fromPort":443,"toPort":443,"cidrIpv4":"0.0.0.0/0"}`,
			`{"ipProtocol":"tcp","fromPort":1,"toPort":65535,"cidrIpv4":"0.0.0.0/0"}`, Widened, "allows connections to ports 1 to 65535 of 0.0.0.0/0"},
		"every protocol": {ingress, `{"ipProtocol":"tcp","fromPort":443,"toPort":443,"cidrIpv4":"10.0.0.0/16"}`, `{"ipProtocol":"-1","cidrIpv4":"10.0.0.0/16"}`,
			Widened, "opens every port to 10.0.0.0/16"},
	} {
		t.Run(name, func(t *testing.T) {
			found := Of(update(t, test.resourceType, test.before, test.after))
			require.Equal(t, test.want, found.String())
			require.Equal(t, test.level, found.Level)
			if name != "a boundary" { // another boundary is a risk in both directions
				require.Equal(t, Risk{}, Of(update(t, test.resourceType, test.after, test.before)), "the reverse is stricter")
			}
			same := Of(update(t, test.resourceType, test.before, test.before))
			require.Equal(t, Risk{}, same, "nothing changes")
		})
	}
}

func rateLimit(n int) string {
	encoded, _ := json.Marshal(properties{"rules": []any{properties{"name": "RateLimit", "statement": properties{"rateBasedStatement": properties{"limit": n}}}}})
	return string(encoded)
}

func kept(n int) string {
	policy, _ := json.Marshal(properties{"rules": []any{properties{"rulePriority": 1, "selection": properties{"countNumber": n}}}})
	encoded, _ := json.Marshal(properties{"policy": string(policy)})
	return string(encoded)
}

func expiry(days int) string {
	encoded, _ := json.Marshal(properties{"rules": []any{properties{"id": "expire", "expiration": properties{"days": days}}}})
	return string(encoded)
}

func TestOfDeletesAndReplacements(t *testing.T) {
	alarm := "aws:cloudwatch/metricAlarm:MetricAlarm"
	for name, test := range map[string]struct {
		resourceType, before string
		level                Level
		deleted, replaced    string
	}{
		"a database":      {database, `{}`, Lost, "deletes the database and its data", "deletes the database and its data"},
		"a queue":         {queue, `{}`, Lost, "deletes the queue and its messages", "deletes the queue and its messages"},
		"a bucket":        {bucketV2, `{}`, Lost, "deletes the bucket and its objects", "deletes the bucket and its objects"},
		"a secret":        {"aws:secretsmanager/secret:Secret", `{}`, Lost, "deletes the secret and its values", "deletes the secret and its values"},
		"a key":           {encryptionKey, `{}`, Lost, "deletes the key, and with it everything that it encrypted", "deletes the key, and with it everything that it encrypted"},
		"a zone":          {"aws:route53/zone:Zone", `{}`, Lost, "deletes the hosted zone, and with it the name servers that the registrar has", "deletes the hosted zone, and with it the name servers that the registrar has"},
		"a record":        {record, `{"name":"api.example.com","type":"A"}`, Lost, "deletes the DNS record, without which its name does not resolve", "deletes the DNS record, without which its name does not resolve"},
		"a validation":    {record, `{"name":"_1f.api.example.com","type":"CNAME"}`, Removed, "deletes it", "replaces it, and deletes the old one"},
		"a load balancer": {loadBalancer, `{}`, Lost, "deletes the load balancer and its address", "deletes the load balancer and its address"},
		"a role":          {role, `{}`, Lost, "deletes the role, and the access of those who assume it", "deletes the role, and the access of those who assume it"},
		"a service": {ecsService, `{}`, Lost, "deletes the service: its tasks stop",
			"replaces the service, and deletes the old one first: nothing serves meanwhile"},
		"public access":  {publicAccess, `{"blockPublicAcls":true}`, Lost, "no longer blocks public access to the bucket", ""},
		"an alarm":       {alarm, `{}`, Weakened, "deletes the alarm", ""},
		"a web ACL":      {webACL, `{}`, Weakened, "deletes the web ACL: nothing filters or limits requests", ""},
		"a CAA record":   {record, `{"name":"example.com","type":"CAA"}`, Weakened, "without the CAA record, every authority may issue certificates for the domain", ""},
		"a subscription": {endpointOfTopic, `{}`, Weakened, "deletes the subscription, which notifies no one any more", ""},
		"a NAT gateway": {natGateway, `{}`, Lost, "deletes the NAT gateway, through which private subnets reach the internet",
			"deletes the NAT gateway, through which private subnets reach the internet"},
		"a NAT instance": {scalingGroup, `{}`, Lost, "deletes the Auto Scaling group and its NAT instance, through which private subnets reach the internet",
			"deletes the Auto Scaling group and its NAT instance, through which private subnets reach the internet"},
		"its interface": {networkInterface, `{}`, Lost, "deletes the network interface, to which routes of private subnets lead",
			"deletes the network interface, to which routes of private subnets lead"},
		"an address": {publicAddress, `{}`, Lost, "deletes the public address, which cannot be had again", "deletes the public address, which cannot be had again"},
		"a default route": {route, `{"destinationCidrBlock":"0.0.0.0/0"}`, Lost, "deletes the route to the internet, which its subnets no longer reach",
			"deletes the route to the internet, which its subnets no longer reach"},
		"a default route of IPv6": {route, `{"destinationIpv6CidrBlock":"::/0"}`, Lost, "deletes the route to the internet, which its subnets no longer reach", ""},
		"another route":           {route, `{"destinationCidrBlock":"10.0.0.0/8"}`, Removed, "deletes it", "replaces it, and deletes the old one"},
		"a target group": {targetGroup, `{}`, Lost, "deletes the target group, to which the load balancer sends requests",
			"deletes the target group, to which the load balancer sends requests"},
		"a scaling policy":  {scalingPolicy, `{}`, Weakened, "no longer scales the service by this metric", ""},
		"a budget":          {budget, `{}`, Weakened, "deletes the budget, so that no one is notified of costs", ""},
		"a subnet":          {"aws:ec2/subnet:Subnet", `{}`, Removed, "deletes it", "replaces it, and deletes the old one"},
		"a port is closed":  {ingress, `{"fromPort":80}`, Removed, "deletes it", ""},
		"a task's revision": {taskDefinition, `{"cpu":"256"}`, Routine, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if test.level > Routine {
				found := Of(engine.Step{Op: "delete", Deletes: true, Type: test.resourceType, Before: decode(t, test.before)})
				require.Equal(t, test.deleted, found.String())
				require.Equal(t, test.level, found.Level)
			}
			if test.replaced != "" || test.level == Routine {
				same := decode(t, test.before)
				found := Of(engine.Step{Op: "replace", Replaces: true, Type: test.resourceType, Before: same, After: same})
				require.Equal(t, test.replaced, found.String())
				require.Equal(t, test.level, found.Level)
			}
			require.NotEqual(t, Lost, Of(engine.Step{Op: "create", Type: test.resourceType, After: decode(t, test.before)}).Level, "a create loses nothing")
		})
	}
}

// Statements are compared as sets, wherever in the document they are.
func TestOfPolicies(t *testing.T) {
	const read, write = `{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"}`, `{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:b/*"}`
	conditional := `{"Effect":"Allow","Action":"sqs:*","Principal":{"Service":"sns.amazonaws.com"},"Condition":{"StringEquals":{"aws:SourceAccount":["1"]}}}`
	deny := `{"Effect":"Deny","Action":"s3:*","Principal":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}`
	for name, test := range map[string]struct{ before, after, want, reverse string }{
		"one more action":             {`[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]`, "[" + read + "]", "allows more: s3:ListBucket", ""},
		"one more statement":          {"[" + read + "]", "[" + write + "," + read + "]", "allows more: s3:PutObject", ""},
		"another order":               {"[" + read + "," + write + "]", "[" + write + "," + read + "]", "", ""},
		"statements joined":           {"[" + read + "]", `[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"},{"Effect":"Allow","Action":"s3:listbucket","Resource":["*"]}]`, "", ""},
		"an asterisk":                 {"[" + write + "]", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:b/*"}`, "allows more: s3:*", ""},
		"a wider resource":            {"[" + write + "]", `[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]`, "allows more: s3:PutObject", ""},
		"without its condition":       {"[" + conditional + "]", `[{"Effect":"Allow","Action":"sqs:*","Principal":{"Service":"sns.amazonaws.com"}}]`, "allows more: sqs:*", ""},
		"one more value":              {"[" + conditional + "]", "[" + replace(conditional, `["1"]`, `["1","2"]`) + "]", "allows more: sqs:*", ""},
		"one more excluded value":     {"[" + replace(conditional, `StringEquals`, `StringNotEquals`, `["1"]`, `["1","2"]`) + "]", "[" + replace(conditional, `StringEquals`, `StringNotEquals`) + "]", "allows more: sqs:*", ""},
		"everyone":                    {"[" + conditional + "]", "[" + replace(conditional, `{"Service":"sns.amazonaws.com"}`, `{"AWS":"*"}`) + "]", "allows more: sqs:*", ""},
		"a refusal ends":              {"[" + deny + "," + read + "]", "[" + read + "]", "denies less: s3:*", ""},
		"a refusal has one more case": {"[" + deny + "]", "[" + replace(deny, `"Bool"`, `"StringEquals":{"aws:a":"b"},"Bool"`) + "]", "denies less: s3:*", ""},
		"all but some":                {`[{"Effect":"Allow","NotAction":["iam:*","s3:*"],"Resource":"*"}]`, `[{"Effect":"Allow","NotAction":["iam:*"],"Resource":"*"}]`, "allows more: every action but those that it names", "allows more: every action but those that it names"},
		"many":                        {`[]`, `[{"Effect":"Allow","Action":["a:1","a:2","a:3","a:4","a:5"],"Resource":"*"}]`, "allows more: a:1, a:2, a:3 and 2 more", ""},
		"not known yet":               {"[" + read + "]", engine.Unknown, "may broaden permissions: the policy is known only when it is deployed", "may broaden permissions: the policy is known only when it is deployed"},
	} {
		t.Run(name, func(t *testing.T) {
			step := func(before, after string) engine.Step {
				return engine.Step{Op: "update", Type: "aws:iam/rolePolicy:RolePolicy",
					Before: properties{"policy": document(before)}, After: properties{"policy": document(after)}}
			}
			require.Equal(t, test.want, Of(step(test.before, test.after)).String())
			require.Equal(t, test.reverse, Of(step(test.after, test.before)).String())
			if test.want != "" {
				require.Equal(t, Widened, Of(step(test.before, test.after)).Level)
			}
		})
	}
}

func replace(text string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(text) }

func document(statements string) string {
	if statements == engine.Unknown {
		return statements
	}
	return `{"Version":"2012-10-17","Statement":` + statements + `}`
}

// What is new allows something only if it has a statement that does.
func TestOfNewPermissions(t *testing.T) {
	create := func(resourceType string, after properties) engine.Step {
		return engine.Step{Op: "create", Type: resourceType, After: after}
	}
	allow, deny := document(`[{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}]`), document(`[{"Effect":"Deny","Action":"sqs:*","Resource":"*"}]`)
	for name, test := range map[string]struct {
		step engine.Step
		want string
	}{
		"a policy":               {create("aws:iam/rolePolicy:RolePolicy", properties{"policy": allow}), "allows more: sqs:SendMessage"},
		"a policy that denies":   {create("aws:sqs/queuePolicy:QueuePolicy", properties{"policy": deny}), ""},
		"a policy that denied":   {engine.Step{Op: "delete", Deletes: true, Type: "aws:sqs/queuePolicy:QueuePolicy", Before: properties{"policy": deny}}, "deletes the policy, which denied sqs:*"},
		"a component":            {engine.Step{Op: "delete", Deletes: true, Type: "v3-backend:infra:Queue"}, ""},
		"an attachment":          {create("aws:iam/rolePolicyAttachment:RolePolicyAttachment", properties{}), "may broaden permissions"},
		"an access key":          {create("aws:iam/accessKey:AccessKey", properties{}), "may broaden permissions"},
		"an opened port":         {create(ingress, properties{"ipProtocol": "tcp", "fromPort": 22.0, "toPort": 22.0, "cidrIpv4": "0.0.0.0/0"}), "opens port 22 to 0.0.0.0/0"},
		"a rule inside a group":  {create(securityGroup, properties{"ingress": []any{properties{"fromPort": 22.0}}}), "adds or changes a rule of ingress"},
		"a group without a rule": {create(securityGroup, properties{}), ""},
		"a database":             {create(database, properties{"backupRetentionPeriod": 0.0}), ""},
		"only a tag": {engine.Step{Op: "update", Type: identity, Before: properties{}, After: properties{},
			Differences: []engine.Difference{{Path: "tags.Owner"}}}, ""},
		"another audience": {engine.Step{Op: "update", Type: identity, Before: properties{}, After: properties{},
			Differences: []engine.Difference{{Path: "clientIdLists[1]"}}}, "may broaden permissions"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, Of(test.step).String()) })
	}
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		pattern, other string
		want           bool
	}{
		{"*", "", true}, {"a*", "a", true}, {"a*c", "abc", true}, {"a*c", "abd", false}, {"a?c", "abc", true}, {"a?c", "a*c", false},
		{"s3:*", "s3:Get*", true}, {"s3:Get*", "s3:*", false}, {"*a*b", "xaybzab", true}, {"a", "ab", false}, {"ab", "a", false}, {"", "", true},
	} {
		require.Equalf(t, test.want, matches(test.pattern, test.other), "%s and %s", test.pattern, test.other)
	}
}

package checks

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/list"
)

// instance returns a healthy database, changed as the test needs.
func instance(change func(*rdstypes.DBInstance)) *rdstypes.DBInstance {
	d := &rdstypes.DBInstance{
		DBInstanceIdentifier: aws.String("v3-backend-development-db"), DBInstanceStatus: aws.String("available"),
		DBInstanceClass: aws.String("db.t3.micro"), Engine: aws.String("postgres"), EngineVersion: aws.String("16.8"),
		AllocatedStorage: aws.Int32(20), StorageEncrypted: aws.Bool(true), PubliclyAccessible: aws.Bool(false),
		BackupRetentionPeriod: aws.Int32(1), InstanceCreateTime: ago(9 * day), LatestRestorableTime: ago(4 * time.Minute),
	}
	if change != nil {
		change(d)
	}
	return d
}

func freeStorage(gib float64) utilisation {
	return utilisation{databaseMetrics("v3-backend-development-db"): {freeStorageBytes: gib * bytesPerGiB, cpuPercent: 12.0}}
}

func TestEvaluateDatabase(t *testing.T) {
	status := func(s string) *rdstypes.DBInstance {
		return instance(func(d *rdstypes.DBInstance) { d.DBInstanceStatus = aws.String(s) })
	}
	optional := []rdstypes.PendingMaintenanceAction{{Action: aws.String("db-upgrade")}}
	forced := []rdstypes.PendingMaintenanceAction{{Action: aws.String("system-update"), AutoAppliedAfterDate: in(day)}}
	for name, test := range map[string]struct {
		database    *rdstypes.DBInstance
		maintenance []rdstypes.PendingMaintenanceAction
		metrics     utilisation
		want        verdict
	}{
		"available":           {instance(nil), nil, freeStorage(15), verdict{Healthy, "Available", "postgres 16.8, db.t3.micro"}},
		"no metrics":          {instance(nil), nil, nil, verdict{Healthy, "Available", ""}},
		"missing":             {nil, nil, nil, verdict{Error, "DatabaseMissing", "v3-backend-development-db"}},
		"creating":            {status("creating"), nil, nil, verdict{Error, "DatabaseUnavailable", "creating"}},
		"stopped":             {status("stopped"), nil, nil, verdict{Error, "DatabaseUnavailable", "stopped"}},
		"storage full":        {status("storage-full"), nil, nil, verdict{Error, "DatabaseUnavailable", "storage-full"}},
		"backing up":          {status("backing-up"), nil, nil, verdict{Warning, "DatabaseChanging", "backing-up"}},
		"public":              {instance(func(d *rdstypes.DBInstance) { d.PubliclyAccessible = aws.Bool(true) }), nil, nil, verdict{Error, "PubliclyAccessible", ""}},
		"in clear":            {instance(func(d *rdstypes.DBInstance) { d.StorageEncrypted = aws.Bool(false) }), nil, nil, verdict{Error, "NotEncrypted", ""}},
		"encryption unknown":  {instance(func(d *rdstypes.DBInstance) { d.StorageEncrypted = nil }), nil, nil, verdict{Unknown, "SettingsUnknown", ""}},
		"address unknown":     {instance(func(d *rdstypes.DBInstance) { d.PubliclyAccessible = nil }), nil, nil, verdict{Unknown, "SettingsUnknown", ""}},
		"14 % left":           {instance(nil), nil, freeStorage(2.8), verdict{Warning, "StorageLow", "14 %"}},
		"4 % left":            {instance(nil), nil, freeStorage(0.8), verdict{Error, "StorageFull", "4 %"}},
		"may be upgraded":     {instance(nil), optional, nil, verdict{Healthy, "Available", ""}},
		"will be interrupted": {instance(nil), forced, nil, verdict{Warning, "MaintenancePending", "1 maintenance"}},
	} {
		t.Run(name, func(t *testing.T) {
			requireVerdict(t, test.want, evaluateDatabase(test.database, test.maintenance, test.metrics, loaded(t, "dev")))
		})
	}
}

func TestEvaluateBackups(t *testing.T) {
	snapshot := func(name, status string) rdstypes.DBSnapshot {
		return rdstypes.DBSnapshot{DBSnapshotIdentifier: aws.String(name), Status: aws.String(status), SnapshotCreateTime: ago(time.Hour)}
	}
	good := []rdstypes.DBSnapshot{snapshot("rds:a", "available")}
	for name, test := range map[string]struct {
		database  *rdstypes.DBInstance
		snapshots []rdstypes.DBSnapshot
		env       string
		want      verdict
	}{
		"backed up":       {instance(nil), good, "dev", verdict{Healthy, "BackedUp", "kept for 1 day, 1 snapshot"}},
		"missing":         {nil, nil, "dev", verdict{Error, "DatabaseMissing", ""}},
		"off":             {instance(func(d *rdstypes.DBInstance) { d.BackupRetentionPeriod = aws.Int32(0) }), good, "dev", verdict{Error, "BackupsOff", ""}},
		"too short":       {instance(nil), good, "production", verdict{Error, "RetentionTooShort", "1 day, the environment's file has 30"}},
		"snapshot failed": {instance(nil), append(good, snapshot("b", "failed")), "dev", verdict{Warning, "SnapshotFailed", "1 snapshot has failed: b"}},
		"lags":            {instance(func(d *rdstypes.DBInstance) { d.LatestRestorableTime = ago(3 * time.Hour) }), good, "dev", verdict{Warning, "RestorableLags", "3h0m0s"}},
		"none yet":        {instance(func(d *rdstypes.DBInstance) { d.InstanceCreateTime = ago(time.Hour) }), nil, "dev", verdict{Healthy, "BackedUp", "0 snapshots"}},
		"none at all":     {instance(nil), nil, "dev", verdict{Warning, "NoSnapshots", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			requireVerdict(t, test.want, evaluateBackups(test.database, test.snapshots, loaded(t, test.env), now))
		})
	}
}

func TestEvaluateQueues(t *testing.T) {
	env := loaded(t, "dev")
	jobs := func(change map[string]string) queue {
		q := queue{
			"ApproximateNumberOfMessages": "3", "ApproximateNumberOfMessagesNotVisible": "1", "SqsManagedSseEnabled": "true",
			"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:` + env.DeadLetterQueueName() + `","maxReceiveCount":"3"}`,
		}
		for key, value := range change {
			q[key] = value
		}
		return q
	}
	old := utilisation{queueMetrics(env.QueueName()): {oldestMessageAge: 1800.0}}
	for name, test := range map[string]struct {
		queue   queue
		metrics utilisation
		want    verdict
	}{
		"flowing":       {jobs(nil), nil, verdict{Healthy, "Flowing", "3 messages waiting, 1 in flight"}},
		"missing":       {nil, nil, verdict{Error, "QueueMissing", env.QueueName()}},
		"no redrive":    {jobs(map[string]string{"RedrivePolicy": ""}), nil, verdict{Error, "NoDeadLetterQueue", ""}},
		"other redrive": {jobs(map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:other","maxReceiveCount":3}`}), nil, verdict{Warning, "OtherDeadLetterQueue", "other"}},
		"in clear":      {jobs(map[string]string{"SqsManagedSseEnabled": "false"}), nil, verdict{Warning, "NotEncrypted", ""}},
		"KMS":           {jobs(map[string]string{"SqsManagedSseEnabled": "false", "KmsMasterKeyId": "alias/x"}), nil, verdict{Healthy, "Flowing", ""}},
		"old messages":  {jobs(nil), old, verdict{Warning, "MessagesOld", "has waited 30 minutes"}},
		"many taken":    {jobs(map[string]string{"ApproximateNumberOfMessagesNotVisible": "96000"}), nil, verdict{Warning, "NearQuota", "96000 messages are in flight, the quota of SQS is 120000"}},
		"not so many":   {jobs(map[string]string{"ApproximateNumberOfMessagesNotVisible": "95999"}), nil, verdict{Healthy, "Flowing", ""}},
		"many messages": {jobs(map[string]string{"ApproximateNumberOfMessages": "1001"}), nil, verdict{Warning, "MessagesWaiting", "1001"}},
	} {
		t.Run(name, func(t *testing.T) { requireVerdict(t, test.want, evaluateQueue(test.queue, test.metrics, env)) })
	}
	name, tries := jobs(nil).deadLetterTarget()
	require.Equal(t, env.DeadLetterQueueName(), name)
	require.Equal(t, 3, tries, "a number in quotes is one too")

	requireVerdict(t, verdict{Healthy, "Empty", ""}, evaluateDeadLetters(jobs(map[string]string{"ApproximateNumberOfMessages": "0"}), env))
	requireVerdict(t, verdict{Warning, "DeadLetters", "3 messages"}, evaluateDeadLetters(jobs(nil), env))
	requireVerdict(t, verdict{Error, "QueueMissing", "dlq"}, evaluateDeadLetters(nil, env))
	requireVerdict(t, verdict{Warning, "NotEncrypted", ""}, evaluateDeadLetters(jobs(map[string]string{"ApproximateNumberOfMessages": "0", "SqsManagedSseEnabled": "false"}), env))
}

func TestEvaluateSecret(t *testing.T) {
	env := loaded(t, "dev")
	secret := func(text string) *configSecret { return &configSecret{text: text} }
	for name, test := range map[string]struct {
		secret *configSecret
		want   verdict
	}{
		"complete":  {secret(`{"SUBGRAPH_API_URL":"https://x/hunter2","SENTRY_DSN":"https://hunter2@x/1","NODE_ENV":"hunter2"}`), verdict{Healthy, "KeysPresent", "3 of 3"}},
		"malformed": {secret(`hunter2`), verdict{Error, "SecretMalformed", "not a JSON object"}},
		"keys missing": {secret(`{"NODE_ENV":"hunter2","SUBGRAPH_API_URL":""}`),
			verdict{Error, "SecretKeysMissing", "1 of 3 required keys are missing: SENTRY_DSN; SUBGRAPH_API_URL is empty"}},
		"keys unset": {secret(`{"NODE_ENV":"hunter2","SUBGRAPH_API_URL":"","SENTRY_DSN":"changeme"}`),
			verdict{Error, "SecretKeysUnset", "SUBGRAPH_API_URL is empty; SENTRY_DSN is a placeholder"}},
		"malformed values": {secret(`{"NODE_ENV":"hunter2\n","SUBGRAPH_API_URL":"hunter2","SENTRY_DSN":"https://hunter2@x/1"}`),
			verdict{Error, "SecretValuesMalformed", "SUBGRAPH_API_URL is not a URL"}},
		"padded values": {secret(`{"NODE_ENV":"hunter2\n","SUBGRAPH_API_URL":"https://x/hunter2","SENTRY_DSN":"https://hunter2@x/1"}`),
			verdict{Warning, "SecretValuesPadded", "NODE_ENV is padded with space"}},
		"a required placeholder": {secret(`{"NODE_ENV":"changeme","SUBGRAPH_API_URL":"https://x/hunter2","SENTRY_DSN":"https://hunter2@x/1"}`),
			verdict{Error, "SecretKeysUnset", "NODE_ENV is a placeholder"}},
		"an empty DATABASE_URL": {secret(`{"NODE_ENV":"x","SUBGRAPH_API_URL":"https://x/hunter2","SENTRY_DSN":"https://hunter2@x/1","DATABASE_URL":""}`),
			verdict{Healthy, "KeysPresent", "3 of 3"}},
		"a DATABASE_URL of space": {secret(`{"NODE_ENV":"x","SUBGRAPH_API_URL":"https://x/hunter2","SENTRY_DSN":"https://hunter2@x/1","DATABASE_URL":" "}`),
			verdict{Error, "SecretKeysUnset", "DATABASE_URL is empty"}},
		"a required key refers to another environment": {secret(`{"NODE_ENV":"x","SENTRY_DSN":"https://hunter2@x/1","SUBGRAPH_API_URL":"https://v3-backend-staging-db.x.us-east-1.rds.amazonaws.com"}`),
			verdict{Error, "SecretOfAnotherEnvironment", "SUBGRAPH_API_URL refers to the database of staging"}},
		"hidden values": {secret(`{"NODE_ENV":"hunter2\u200b","SUBGRAPH_API_URL":"https://x/hunter2","SENTRY_DSN":"https://hunter2@x/1"}`),
			verdict{Warning, "SecretValuesHidden", "NODE_ENV has characters that are easily overlooked: the invisible character U+200B"}},
		"a number that ECS converts": {secret(`{"NODE_ENV":17541103820,"SUBGRAPH_API_URL":"https://x/hunter2","SENTRY_DSN":"https://hunter2@x/1"}`),
			verdict{Warning, "SecretValuesConverted", "NODE_ENV is a number that ECS would pass on in another form"}},
		"null": {secret(`{"NODE_ENV":null,"SUBGRAPH_API_URL":"https://x/hunter2","SENTRY_DSN":"https://hunter2@x/1"}`),
			verdict{Error, "SecretKeysUnset", "NODE_ENV is empty; NODE_ENV is null: it counts as empty, but ECS would pass it on as <nil>"}},
		"an optional null": {secret(`{"NODE_ENV":"x","SUBGRAPH_API_URL":"https://x/hunter2","SENTRY_DSN":"https://hunter2@x/1","X":null}`),
			verdict{Warning, "SecretValuesConverted", "X is not known to the application"}},
		"a nested value": {secret(`{"NODE_ENV":{"hunter2":"hunter2"},"SUBGRAPH_API_URL":"https://x/hunter2","SENTRY_DSN":"https://hunter2@x/1"}`),
			verdict{Error, "SecretMalformed", "NODE_ENV is an object"}},
		"a byte order mark": {secret("\uFEFF" + `{"NODE_ENV":"x","SUBGRAPH_API_URL":"https://x/hunter2","SENTRY_DSN":"https://hunter2@x/1"}`),
			verdict{Error, "SecretMalformed", "begins with a byte order mark (U+FEFF), with which ECS starts no task"}},
		"everything": {secret(`{"NODE_ENV":"","SUBGRAPH_API_URL":"hunter2"}`),
			verdict{Error, "SecretKeysMissing", "1 of 3 required keys are missing: SENTRY_DSN; SUBGRAPH_API_URL is not a URL: it does not begin with a scheme and a host, such as https://host; NODE_ENV is empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := evaluateSecret(test.secret, env, SecretUse{})
			requireVerdict(t, test.want, got)
			require.NotContains(t, asText(t, got), "hunter2", "no value is ever in a finding")
		})
	}
}

func TestUtilisationOf(t *testing.T) {
	env := loaded(t, "dev")
	metrics := utilisationMetrics(env)
	at := func(ages ...time.Duration) []time.Time {
		return list.Map(ages, func(age time.Duration) time.Time { return now.Add(-age) })
	}
	results := []cwtypes.MetricDataResult{
		{Id: aws.String("m0"), Timestamps: at(5*time.Minute, 10*time.Minute), Values: []float64{12.34, 99}},
		{Id: aws.String("x0"), Timestamps: at(time.Hour, 2*time.Hour), Values: []float64{50, 99.96}},
		{Id: aws.String("m1"), Timestamps: at(3 * time.Hour), Values: []float64{20}},
		{Id: aws.String("x1"), Timestamps: at(3 * time.Hour), Values: []float64{30}},
		{Id: aws.String("m2")},
		// A page can end within a metric.
		{Id: aws.String("m0"), Timestamps: at(15 * time.Minute), Values: []float64{3.66}},
	}
	got := utilisationOf(metrics, results, now)
	require.Equal(t, utilisation{serviceMetrics(env.ServiceName("api")): {
		cpuPercent: 12.3, cpuPercent + "_24h": map[string]any{"average": 38.3, "maximum": 100.0},
		memoryPercent + "_24h": map[string]any{"average": 20.0, "maximum": 30.0},
	}}, got, "nothing where there are no values, and no latest value where it is old")
	_, ok := got.number("service/unknown", cpuPercent)
	require.False(t, ok)

	memory := slices.IndexFunc(metrics, func(m metric) bool { return m.detail == freeableMemory })
	low := utilisationOf(metrics, []cwtypes.MetricDataResult{
		{Id: aws.String(averageID(memory)), Timestamps: at(0), Values: []float64{5}}, {Id: aws.String(extremeID(memory)), Timestamps: at(0, 0), Values: []float64{4, 2}},
	}, now)
	require.Equal(t, map[string]any{"average": 5.0, "minimum": 2.0}, low.of(databaseMetrics(env.DatabaseIdentifier()))[freeableMemory+"_24h"])

	// One call has all of them, each with an ID of its own.
	ids := map[string]bool{}
	for _, query := range metricQueries(metrics) {
		ids[*query.Id] = true
	}
	require.Len(t, ids, len(metricQueries(metrics)))
	require.LessOrEqual(t, len(ids), 500, "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html")
}

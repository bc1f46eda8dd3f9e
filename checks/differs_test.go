package checks

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	budgettypes "github.com/aws/aws-sdk-go-v2/service/budgets/types"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/stretchr/testify/require"
)

// Whatever differs from the environment's file may do so because the file was changed and not deployed.
func TestChangedFileIsACause(t *testing.T) {
	env := loaded(t, "staging")
	api := env.Services.API
	scaled := func(low, high int) scalingState {
		return scalingState{targets: []scalingtypes.ScalableTarget{{
			ResourceId: aws.String(scalableID(env, api.Role)), MinCapacity: aws.Int32(int32(low)), MaxCapacity: aws.Int32(int32(high)),
		}}}
	}
	fixed := api
	fixed.Autoscaling = nil
	acl := declaredWebACL(env)
	acl.Rules[0].Statement.RateBasedStatement.Limit = aws.Int64(int64(env.Firewall.RateLimit) + 1)
	backups := func(days int) *rdstypes.DBInstance {
		return &rdstypes.DBInstance{BackupRetentionPeriod: aws.Int32(int32(days))}
	}
	var alarms []cwtypes.MetricAlarm
	for _, region := range env.AlarmRegions() {
		for _, what := range env.AlarmsIn(region) {
			alarms = append(alarms, cwtypes.MetricAlarm{
				AlarmName: aws.String(env.AlarmName(what)), StateValue: cwtypes.StateValueOk, ActionsEnabled: aws.Bool(true),
			})
		}
	}
	notified := slices.Clone(alarms)
	for i := range notified {
		notified[i].AlarmActions = []string{env.TopicARN(env.Region)}
	}
	subnet := ec2types.Subnet{
		AvailabilityZone: aws.String("a"), State: ec2types.SubnetStateAvailable, AvailableIpAddressCount: aws.Int32(100),
		Tags: []ec2types.Tag{{Key: aws.String("SubnetType"), Value: aws.String("Public")}},
	}
	unprotected := *env
	unprotected.Firewall.Enabled = false
	perZone, protected := *env, *env
	protected.Protected = true
	perZone.Network.NAT = "per-zone"
	instance := *env
	instance.Network.NAT = "instance"
	for reason, f := range map[string]Finding{
		"OtherBounds":           evaluateScaling(api, scaled(api.Tasks.Min, api.Tasks.Max+1), 1, env),
		"ScalingMissing":        evaluateScaling(api, scalingState{}, 1, env),
		"UnexpectedScaling":     evaluateScaling(fixed, scaled(1, 2), 1, env),
		"OtherLimit":            evaluateBudget(&budgettypes.Budget{BudgetLimit: &budgettypes.Spend{Amount: aws.String("1")}}, env),
		"OtherRetention":        evaluateLogGroup(&logstypes.LogGroup{RetentionInDays: aws.Int32(1)}, env),
		"RetentionTooShort":     evaluateBackups(backups(1), nil, env, now),
		"BackupsOff":            evaluateBackups(backups(0), nil, env, now),
		"OtherRateLimit":        evaluateWAF(acl, env),
		"Unprotected":           evaluateWAF(nil, env),
		"UnexpectedWebACL":      evaluateWAF(acl, &unprotected),
		"ContainerInsightsOff":  evaluateCluster(&ecstypes.Cluster{Status: aws.String("ACTIVE")}, env),
		"NoAlarmActions":        evaluateAlarms(foundAlarms{metric: alarms}, &protected, now),
		"AlarmsMissing":         evaluateAlarms(foundAlarms{metric: notified[1:]}, &protected, now),
		"TooFewZones":           evaluatePublicSubnets([]ec2types.Subnet{subnet}, env),
		"TooFewNATs":            evaluateNAT([]ec2types.NatGateway{{State: ec2types.NatGatewayStateAvailable}}, &perZone),
		"OtherNAT":              evaluateNATPath(natPath{gateways: []ec2types.NatGateway{{State: ec2types.NatGatewayStateAvailable}}}, &instance),
		"ServiceMissing":        evaluateTasks("worker", nil, nil, secretChanges{}, env),
		"TaskDefinitionMissing": evaluateTaskDefinition(nil, api.Role, nil, env),
		reasonTopicMissing:      evaluateNotifications(nil, false, env, env.Region),
		"SubscriptionMissing":   evaluateNotifications(nil, true, env, env.Region),
		"RecordMissing":         evaluateAlias(nil, "A", nil, env),
		"CertificateMissing":    evaluateCertificate(nil, validation{}, env, now),
		"DiffersFromFile":       evaluateCompliance("database", []rule{{what: "database.multiZone", want: true, got: false}}, env),
	} {
		t.Run(reason, func(t *testing.T) {
			require.Equal(t, reason, f.Reason)
			require.Contains(t, f.Hint.Cause, ", or Pulumi.staging.yaml was changed and not deployed")
		})
	}
}

package bake

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/awsx/cwmetrics"
	"github.com/balancer/v3-backend-infra/internal/moto"
)

// TestReaderOverTheWire reads what was put into an account that speaks AWS's wire formats. Moto does not compute percentiles.
func TestReaderOverTheWire(t *testing.T) {
	cfg := moto.Config(t, "us-east-1")
	ctx := t.Context()
	vpc, err := ec2.NewFromConfig(cfg).CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.20.0.0/16")})
	require.NoError(t, err)
	var subnets []string
	for zone, block := range map[string]string{"us-east-1a": "10.20.0.0/24", "us-east-1b": "10.20.1.0/24"} {
		subnet, err := ec2.NewFromConfig(cfg).CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: &block, AvailabilityZone: &zone})
		require.NoError(t, err)
		subnets = append(subnets, *subnet.Subnet.SubnetId)
	}
	balancers := elb.NewFromConfig(cfg)
	created, err := balancers.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: aws.String("alb"), Subnets: subnets})
	require.NoError(t, err)
	group, err := balancers.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{Name: aws.String("tg"), VpcId: vpc.Vpc.VpcId,
		Protocol: elbtypes.ProtocolEnumHttp, Port: aws.Int32(3000), TargetType: elbtypes.TargetTypeEnumIp})
	require.NoError(t, err)
	_, err = balancers.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: group.TargetGroups[0].TargetGroupArn,
		Targets: []elbtypes.TargetDescription{{Id: aws.String("10.20.0.9"), Port: aws.Int32(3000)}}})
	require.NoError(t, err)
	_, err = ecs.NewFromConfig(cfg).CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("cluster")})
	require.NoError(t, err)

	minute := time.Now().UTC().Truncate(time.Minute).Add(-5 * time.Minute)
	client := cwmetrics.NewClient(cfg)
	// Moto does not parse the timestamp of a metric in JSON, only in the older protocol of queries.
	put := func(namespace, name string, value float64, dimensions ...cwtypes.Dimension) {
		form := url.Values{"Action": {"PutMetricData"}, "Version": {"2010-08-01"}, "Namespace": {namespace}, "MetricData.member.1.MetricName": {name},
			"MetricData.member.1.Value": {fmt.Sprint(value)}, "MetricData.member.1.Timestamp": {minute.Add(10 * time.Second).Format(time.RFC3339)}}
		for i, d := range dimensions {
			form.Set(fmt.Sprintf("MetricData.member.1.Dimensions.member.%d.Name", i+1), *d.Name)
			form.Set(fmt.Sprintf("MetricData.member.1.Dimensions.member.%d.Value", i+1), *d.Value)
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, *cfg.BaseEndpoint, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20261130/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0")
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode, name)
	}
	ofGroup := []cwtypes.Dimension{
		{Name: aws.String("LoadBalancer"), Value: aws.String(suffix(*created.LoadBalancers[0].LoadBalancerArn, ":loadbalancer/"))},
		{Name: aws.String("TargetGroup"), Value: aws.String("targetgroup/" + suffix(*group.TargetGroups[0].TargetGroupArn, ":targetgroup/"))},
	}
	put("AWS/ApplicationELB", "RequestCount", 200, ofGroup...)
	put("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", 7, ofGroup...)
	put("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", 5, ofGroup[0])
	put("AWS/ApplicationELB", "HTTPCode_ELB_503_Count", 4, ofGroup[0])
	put("AWS/ECS", "MemoryUtilization", 62.5, cwtypes.Dimension{Name: aws.String("ClusterName"), Value: aws.String("cluster")},
		cwtypes.Dimension{Name: aws.String("ServiceName"), Value: aws.String("api")})
	for _, name := range []string{"quiet", "ringing"} {
		_, err = client.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{AlarmName: &name, Namespace: aws.String("n"), MetricName: aws.String("m"),
			Statistic: cwtypes.StatisticSum, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1),
			ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold})
		require.NoError(t, err)
	}
	_, err = client.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("ringing"), StateValue: cwtypes.StateValueAlarm, StateReason: aws.String("too many")})
	require.NoError(t, err)

	r := NewReader(cfg, BakeTarget{Cluster: "cluster", Services: []string{"api"}, TargetGroup: "tg", LoadBalancer: "alb",
		Alarms: []string{"quiet", "ringing", "none"}, Since: minute}, 1)
	read, err := r.Minutes(ctx, minute.Add(-time.Minute), minute.Add(2*time.Minute))
	require.NoError(t, err)
	require.Equal(t, []Minute{{Start: minute, Requests: 204, Errors: 12, Memory: map[string]float64{"api": 62.5}}}, withTraffic(read))
	inAlarm, missing, err := r.Alarms(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"none"}, missing)
	require.Len(t, inAlarm, 1)
	require.Equal(t, Alarm{"ringing", "too many", inAlarm[0].Since}, inAlarm[0])
	require.WithinDuration(t, time.Now(), inAlarm[0].Since, time.Minute)
	targets, err := r.Targets(ctx)
	require.NoError(t, err)
	require.Len(t, targets, 1)
	require.Equal(t, "10.20.0.9:3000", targets[0].ID)
	_, err = r.Stops(ctx, minute)
	require.EqualError(t, err, "ECS does not describe the service api: MISSING")

	_, err = NewReader(cfg, BakeTarget{TargetGroup: "none"}, 1).Targets(ctx)
	require.ErrorContains(t, err, "look up the target group none: ")
}

// withTraffic leaves out what moto returns for a period without data: zeros.
func withTraffic(minutes []Minute) (busy []Minute) {
	for _, m := range minutes {
		if m.Requests > 0 {
			busy = append(busy, m)
		}
	}
	return busy
}

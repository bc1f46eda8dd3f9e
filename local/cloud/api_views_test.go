package cloud

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/budgets"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	wafv2types "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
	"github.com/stretchr/testify/require"
)

// addOneOfEach adds one resource of each type that the API returns, related as in an environment.
func (sim *simulation) addOneOfEach() {
	tags := values{"Environment": "staging"}
	sim.put(typeLoadBalancer, "alb", values{"arn": "alb", "name": "alb", "arnSuffix": "app/alb/1", "dnsName": "alb.example", "vpcId": "vpc-1",
		"loadBalancerType": "application", "subnets": array("subnet-1"), "idleTimeout": 60.0, "tagsAll": tags,
		"accessLogs": values{"enabled": true, "bucket": "logs"}})
	sim.put(typeListener, "https", values{"arn": "https", "loadBalancerArn": "alb", "port": 443.0, "protocol": "HTTPS",
		"sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06", "certificateArn": "arn:aws:acm:cert",
		"defaultActions": array(values{"type": "forward", "targetGroupArn": "tg"})})
	sim.put(typeListener, "http", values{"arn": "http", "loadBalancerArn": "alb", "port": 80.0, "protocol": "HTTP",
		"defaultActions": array(values{"type": "redirect", "redirect": values{"statusCode": "HTTP_301", "protocol": "HTTPS", "port": "443"}})})
	sim.put(typeZone, "Z1", values{"name": "hyperchonk.com", "nameServers": array("ns-1.example"), "primaryNameServer": "ns-1.example"})
	sim.put(typeRecord, "r", values{"zoneId": "Z1", "fqdn": "staging-api.hyperchonk.com", "type": "A",
		"aliases": array(values{"name": "alb.example", "zoneId": "ZALB", "evaluateTargetHealth": true})})
	sim.put(typeHealthCheck, "hc", values{"fqdn": "staging-api.hyperchonk.com", "type": "HTTPS"})
	sim.put(typeQueue, "https://sqs/dlq", values{"url": "https://sqs/dlq", "name": "jobs-dlq", "arn": "arn:dlq"})
	sim.put(typeQueue, "https://sqs/jobs", values{"url": "https://sqs/jobs", "name": "jobs", "arn": "arn:jobs",
		"visibilityTimeoutSeconds": 300.0, "redrivePolicy": `{"deadLetterTargetArn":"arn:dlq","maxReceiveCount":3}`})
	sim.put(typeBucket, "logs", values{"bucket": "logs"})
	sim.put(typeBucketPublicAccessBlock, "logs", values{"bucket": "logs", "blockPublicAcls": true})
	sim.put(typeRole, "role", values{"name": "role", "arn": "arn:role", "path": "/", "assumeRolePolicy": `{"a":"b c"}`})
	sim.put(typeRolePolicy, "role:policy", values{"role": "role", "name": "policy", "policy": `{}`})
	sim.put(typePolicy, "arn:reading", values{"name": "reading", "arn": "arn:reading", "policy": `{}`})
	sim.put(typeRolePolicyAttachment, "role-1", values{"role": "role", "policyArn": "arn:reading"})
	sim.put(typeWebACL, "acl", values{"arn": "arn:acl", "name": "acl", "scope": "REGIONAL", "defaultAction": values{"allow": values{}},
		"rules": array(values{"name": "rate", "priority": 1.0, "statement": values{"rateBasedStatement": values{"limit": 2000.0}}})})
	sim.put(typeWebACLAssociation, "assoc", values{"resourceArn": "alb", "webAclArn": "arn:acl"})
	sim.put(typeBudget, sim.m.ID+":monthly", values{"name": "monthly", "limitAmount": "100", "budgetType": "COST", "timeUnit": "MONTHLY"})
	sim.put(typeMetricAlarm, "cpu", values{"name": "cpu", "threshold": 80.0, "actionsEnabled": true, "tagsAll": tags,
		"dimensions": values{"ServiceName": apiService}})
	sim.put(typeNATGateway, "nat-1", values{"subnetId": "subnet-1", "connectivityType": "public"})
	sim.put(typeScalingTarget, "st", values{"resourceId": "service/c/s", "serviceNamespace": "ecs", "minCapacity": 1.0, "maxCapacity": 2.0})
	sim.put(typeScalingPolicy, "sp", values{"name": "cpu", "resourceId": "service/c/s", "serviceNamespace": "ecs", "policyType": "TargetTrackingScaling",
		"targetTrackingScalingPolicyConfiguration": values{"targetValue": 60.0,
			"predefinedMetricSpecification": values{"predefinedMetricType": "ECSServiceAverageCPUUtilization"}}})
	sim.put(typeDBParameterGroup, "pg", values{"name": "pg", "parameters": array(values{"name": "rds.force_ssl", "value": "1"})})
}

// TestViews checks one fact of each operation.
func TestViews(t *testing.T) {
	a, _ := accountWith(t)
	require.NoError(t, a.Update(func(s *State) error {
		(&simulation{t: t, m: a.model(s)}).addOneOfEach()
		return nil
	}))
	cfg := a.Config("us-east-1")
	balancers, roles := elb.NewFromConfig(cfg), iam.NewFromConfig(cfg)
	for name, tc := range map[string]struct {
		ask  func(ctx context.Context) (any, error)
		want any
	}{
		"load balancer": {func(ctx context.Context) (any, error) {
			out, err := balancers.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{Names: []string{"alb"}})
			return *out.LoadBalancers[0].AvailabilityZones[0].ZoneName, err
		}, "us-east-1a"},
		"target groups of a load balancer": {func(ctx context.Context) (any, error) {
			out, err := balancers.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{LoadBalancerArn: aws.String("alb")})
			return out.TargetGroups[0].LoadBalancerArns, err
		}, []string{"alb"}},
		"listeners": {func(ctx context.Context) (any, error) {
			out, err := balancers.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: aws.String("alb")})
			return []string{string(out.Listeners[0].DefaultActions[0].RedirectConfig.StatusCode), *out.Listeners[1].Certificates[0].CertificateArn}, err
		}, []string{"HTTP_301", "arn:aws:acm:cert"}},
		"load balancer's attributes": {func(ctx context.Context) (any, error) {
			out, err := balancers.DescribeLoadBalancerAttributes(ctx, &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: aws.String("alb")})
			all := map[string]string{}
			for _, attribute := range out.Attributes {
				all[*attribute.Key] = *attribute.Value
			}
			return []string{all["access_logs.s3.bucket"], all["idle_timeout.timeout_seconds"]}, err
		}, []string{"logs", "60"}},
		"target group's attributes": {func(ctx context.Context) (any, error) {
			out, err := balancers.DescribeTargetGroupAttributes(ctx, &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: aws.String("tg")})
			return *out.Attributes[0].Value, err
		}, "30"},
		"tags": {func(ctx context.Context) (any, error) {
			out, err := balancers.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: []string{"alb"}})
			return *out.TagDescriptions[0].Tags[0].Value, err
		}, "staging"},
		"zone by name": {func(ctx context.Context) (any, error) {
			out, err := route53.NewFromConfig(cfg).ListHostedZonesByName(ctx, &route53.ListHostedZonesByNameInput{DNSName: aws.String("hyperchonk.com")})
			return *out.HostedZones[0].Id, err
		}, "/hostedzone/Z1"},
		"zone": {func(ctx context.Context) (any, error) {
			out, err := route53.NewFromConfig(cfg).GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: aws.String("Z1")})
			return out.DelegationSet.NameServers, err
		}, []string{"ns-1.example"}},
		"records": {func(ctx context.Context) (any, error) {
			out, err := route53.NewFromConfig(cfg).ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{
				HostedZoneId: aws.String("Z1"), StartRecordName: aws.String("staging-api.hyperchonk.com"),
			})
			return *out.ResourceRecordSets[0].AliasTarget.DNSName, err
		}, "alb.example."},
		"health check without a healthy target": {func(ctx context.Context) (any, error) {
			out, err := route53.NewFromConfig(cfg).GetHealthCheckStatus(ctx, &route53.GetHealthCheckStatusInput{HealthCheckId: aws.String("hc")})
			return *out.HealthCheckObservations[0].StatusReport.Status, err
		}, "Failure: HTTP Status Code 503, Service Unavailable"},
		"queue": {func(ctx context.Context) (any, error) {
			out, err := sqs.NewFromConfig(cfg).GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
				QueueUrl: aws.String("https://sqs/jobs"), AttributeNames: []sqstypes.QueueAttributeName{"VisibilityTimeout", "QueueArn"},
			})
			return out.Attributes, err
		}, map[string]string{"VisibilityTimeout": "300", "QueueArn": "arn:jobs"}},
		"bucket": {func(ctx context.Context) (any, error) {
			out, err := s3.NewFromConfig(cfg).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("logs")})
			return *out.BucketRegion, err
		}, "us-east-1"},
		"public access": {func(ctx context.Context) (any, error) {
			out, err := s3.NewFromConfig(cfg).GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: aws.String("logs")})
			return []bool{*out.PublicAccessBlockConfiguration.BlockPublicAcls, *out.PublicAccessBlockConfiguration.BlockPublicPolicy}, err
		}, []bool{true, false}},
		"encryption of a new bucket": {func(ctx context.Context) (any, error) {
			out, err := s3.NewFromConfig(cfg).GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: aws.String("logs")})
			return string(out.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm), err
		}, "AES256"},
		"role": {func(ctx context.Context) (any, error) {
			out, err := roles.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("role")})
			if err != nil {
				return nil, err
			}
			return url.QueryUnescape(*out.Role.AssumeRolePolicyDocument)
		}, `{"a":"b c"}`},
		"list of roles": {func(ctx context.Context) (any, error) {
			out, err := roles.ListRoles(ctx, &iam.ListRolesInput{})
			return []any{*out.Roles[0].RoleName, out.Roles[0].PermissionsBoundary == nil, out.IsTruncated}, err
		}, []any{"role", true, false}},
		"role's policies": {func(ctx context.Context) (any, error) {
			out, err := roles.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: aws.String("role")})
			return out.PolicyNames, err
		}, []string{"policy"}},
		"role's managed policies": {func(ctx context.Context) (any, error) {
			out, err := roles.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: aws.String("role")})
			if err != nil || len(out.AttachedPolicies) != 1 {
				return len(out.AttachedPolicies), err
			}
			return *out.AttachedPolicies[0].PolicyName, nil
		}, "reading"},
		"web ACL": {func(ctx context.Context) (any, error) {
			out, err := wafv2.NewFromConfig(cfg).GetWebACLForResource(ctx, &wafv2.GetWebACLForResourceInput{ResourceArn: aws.String("alb")})
			return *out.WebACL.Rules[0].Statement.RateBasedStatement.Limit, err
		}, int64(2000)},
		"web ACLs": {func(ctx context.Context) (any, error) {
			out, err := wafv2.NewFromConfig(cfg).ListWebACLs(ctx, &wafv2.ListWebACLsInput{Scope: wafv2types.ScopeRegional})
			return len(out.WebACLs), err
		}, 1},
		"budget": {func(ctx context.Context) (any, error) {
			out, err := budgets.NewFromConfig(cfg).DescribeBudget(ctx, &budgets.DescribeBudgetInput{
				AccountId: aws.String("123456789012"), BudgetName: aws.String("monthly"),
			})
			return []string{*out.Budget.BudgetLimit.Amount, *out.Budget.CalculatedSpend.ForecastedSpend.Amount}, err
		}, []string{"100", "80"}},
		"alarm": {func(ctx context.Context) (any, error) {
			out, err := cloudwatch.NewFromConfig(cfg).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNamePrefix: aws.String("c")})
			return string(out.MetricAlarms[0].StateValue), err
		}, "OK"},
		"metric of what is not there": {func(ctx context.Context) (any, error) {
			out, err := cloudwatch.NewFromConfig(cfg).GetMetricData(ctx, metricQuery("DBInstanceIdentifier", "none"))
			return len(out.MetricDataResults[0].Values), err
		}, 0},
		"metric": {func(ctx context.Context) (any, error) {
			out, err := cloudwatch.NewFromConfig(cfg).GetMetricData(ctx, metricQuery("DBInstanceIdentifier", "db"))
			return len(out.MetricDataResults[0].Values), err
		}, 12},
		"scaling": {func(ctx context.Context) (any, error) {
			out, err := scaling.NewFromConfig(cfg).DescribeScalingPolicies(ctx, &scaling.DescribeScalingPoliciesInput{ServiceNamespace: scalingtypes.ServiceNamespaceEcs})
			return *out.ScalingPolicies[0].TargetTrackingScalingPolicyConfiguration.TargetValue, err
		}, 60.0},
		"bounds": {func(ctx context.Context) (any, error) {
			out, err := scaling.NewFromConfig(cfg).DescribeScalableTargets(ctx, &scaling.DescribeScalableTargetsInput{ServiceNamespace: scalingtypes.ServiceNamespaceEcs})
			return *out.ScalableTargets[0].MaxCapacity, err
		}, int32(2)},
		"NAT by VPC": {func(ctx context.Context) (any, error) {
			out, err := ec2.NewFromConfig(cfg).DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{
				Filter: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{"vpc-1"}}},
			})
			return string(out.NatGateways[0].State), err
		}, "available"},
		"subnets of another VPC": {func(ctx context.Context) (any, error) {
			out, err := ec2.NewFromConfig(cfg).DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{
				Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{"vpc-2"}}},
			})
			return len(out.Subnets), err
		}, 0},
		"zones": {func(ctx context.Context) (any, error) {
			out, err := ec2.NewFromConfig(cfg).DescribeAvailabilityZones(ctx, &ec2.DescribeAvailabilityZonesInput{})
			return *out.AvailabilityZones[0].ZoneId, err
		}, "use1-az1"},
		"database": {func(ctx context.Context) (any, error) {
			out, err := rds.NewFromConfig(cfg).DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: aws.String("db")})
			return *out.DBInstances[0].DBInstanceStatus, err
		}, "available"},
		"database's parameters": {func(ctx context.Context) (any, error) {
			out, err := rds.NewFromConfig(cfg).DescribeDBParameters(ctx, &rds.DescribeDBParametersInput{DBParameterGroupName: aws.String("pg"), Source: aws.String("user")})
			return *out.Parameters[0].ParameterValue, err
		}, "1"},
		"repository": {func(ctx context.Context) (any, error) {
			out, err := ecr.NewFromConfig(cfg).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
			return *out.Repositories[0].RepositoryName, err
		}, imageRepository},
		"log groups": {func(ctx context.Context) (any, error) {
			out, err := cloudwatchlogs.NewFromConfig(cfg).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/aws/ecs/")})
			return len(out.LogGroups), err
		}, 1},
		"clusters": {func(ctx context.Context) (any, error) {
			out, err := ecs.NewFromConfig(cfg).DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{"v3-backend-staging-cluster", "none"}})
			return []int{len(out.Clusters), len(out.Failures)}, err
		}, []int{1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := tc.ask(t.Context())
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

// metricQuery requests an hour of CPU utilization in periods of five minutes.
func metricQuery(dimension, value string) *cloudwatch.GetMetricDataInput {
	end := time.Date(2025, 6, 3, 4, 0, 0, 0, time.UTC)
	return &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(end.Add(-time.Hour)), EndTime: aws.Time(end),
		MetricDataQueries: []cwtypes.MetricDataQuery{{Id: aws.String("cpu"), MetricStat: &cwtypes.MetricStat{
			Period: aws.Int32(300), Stat: aws.String("Average"), Metric: &cwtypes.Metric{
				Namespace: aws.String("AWS/RDS"), MetricName: aws.String("CPUUtilization"),
				Dimensions: []cwtypes.Dimension{{Name: aws.String(dimension), Value: aws.String(value)}},
			},
		}}},
	}
}

package cloud

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func elbOperations() []operation {
	return []operation{
		readOp(describeLoadBalancers), readOp(describeTargetGroups), readOp(describeListeners), readOp(describeTargetHealth),
		readOp(describeELBTags), readOp(describeLoadBalancerAttributes), readOp(describeTargetGroupAttributes),
		readOp(describeListenerCertificates),
	}
}

func describeLoadBalancers(m model, in *elb.DescribeLoadBalancersInput) (*elb.DescribeLoadBalancersOutput, error) {
	found, missing := m.selectResources(typeLoadBalancer, slices.Concat(in.LoadBalancerArns, in.Names), "name", "arn")
	if len(missing) > 0 {
		return nil, loadBalancerNotFound(missing[0])
	}
	found, next, err := page(found, in.Marker, in.PageSize, 400)
	if err != nil {
		return nil, err
	}
	out := &elb.DescribeLoadBalancersOutput{NextMarker: next}
	for _, r := range found {
		out.LoadBalancers = append(out.LoadBalancers, m.loadBalancerOf(r))
	}
	return out, nil
}

func loadBalancerNotFound(name string) error {
	return &types.LoadBalancerNotFoundException{Message: aws.String(fmt.Sprintf("Load balancers '[%s]' not found", name))}
}

func (m model) loadBalancerOf(r *Resource) types.LoadBalancer {
	b := types.LoadBalancer{
		LoadBalancerArn: aws.String(r.Text("arn")), LoadBalancerName: aws.String(r.Text("name")), DNSName: aws.String(r.Text("dnsName")),
		CanonicalHostedZoneId: aws.String(r.Text("zoneId")), VpcId: aws.String(r.Text("vpcId")), SecurityGroups: r.Strings("securityGroups"),
		CreatedTime: &r.Created, Type: types.LoadBalancerTypeEnum(r.Text("loadBalancerType")),
		IpAddressType: types.IpAddressType(r.Text("ipAddressType")), Scheme: types.LoadBalancerSchemeEnumInternetFacing,
		State: &types.LoadBalancerState{Code: types.LoadBalancerStateEnumActive},
	}
	if r.Bool("internal") {
		b.Scheme = types.LoadBalancerSchemeEnumInternal
	}
	if r.Pending {
		b.State.Code = types.LoadBalancerStateEnumProvisioning
	}
	for _, id := range r.Strings("subnets") {
		zone := types.AvailabilityZone{SubnetId: aws.String(id)}
		if subnet := m.Get(typeSubnet, id); subnet != nil {
			zone.ZoneName = aws.String(subnet.Text("availabilityZone"))
		}
		b.AvailabilityZones = append(b.AvailabilityZones, zone)
	}
	return b
}

func describeTargetGroups(m model, in *elb.DescribeTargetGroupsInput) (*elb.DescribeTargetGroupsOutput, error) {
	found, missing := m.selectResources(typeTargetGroup, slices.Concat(in.TargetGroupArns, in.Names), "name", "arn")
	if len(missing) > 0 {
		return nil, targetGroupNotFound(missing[0])
	}
	if in.LoadBalancerArn != nil {
		if m.findByName(typeLoadBalancer, *in.LoadBalancerArn, "arn") == nil {
			return nil, loadBalancerNotFound(*in.LoadBalancerArn)
		}
		found = slices.DeleteFunc(found, func(r *Resource) bool {
			return !slices.Contains(m.balancersOfGroup(r.Text("arn")), *in.LoadBalancerArn)
		})
	}
	found, next, err := page(found, in.Marker, in.PageSize, 400)
	if err != nil {
		return nil, err
	}
	out := &elb.DescribeTargetGroupsOutput{NextMarker: next}
	for _, r := range found {
		out.TargetGroups = append(out.TargetGroups, m.targetGroupOf(r))
	}
	return out, nil
}

func targetGroupNotFound(name string) error {
	return &types.TargetGroupNotFoundException{Message: aws.String(fmt.Sprintf("Target groups '[%s]' not found", name))}
}

func (m model) targetGroupOf(r *Resource) types.TargetGroup {
	g := types.TargetGroup{
		TargetGroupArn: aws.String(r.Text("arn")), TargetGroupName: aws.String(r.Text("name")), Port: int32p(numberOr(r, "port", 0)),
		Protocol: types.ProtocolEnum(r.Text("protocol")), ProtocolVersion: aws.String(r.Text("protocolVersion")),
		TargetType: types.TargetTypeEnum(r.Text("targetType")), VpcId: aws.String(r.Text("vpcId")),
		LoadBalancerArns: m.balancersOfGroup(r.Text("arn")), HealthCheckEnabled: aws.Bool(true),
		HealthCheckPath: aws.String("/"), HealthCheckPort: aws.String("traffic-port"), HealthCheckProtocol: types.ProtocolEnumHttp,
		HealthCheckIntervalSeconds: int32p(30), HealthCheckTimeoutSeconds: int32p(5), HealthyThresholdCount: int32p(5),
		UnhealthyThresholdCount: int32p(2), Matcher: &types.Matcher{HttpCode: aws.String("200")},
	}
	for _, check := range r.Blocks("healthCheck") {
		given := func(property string, set func(int)) {
			if n := blockNumber(check, property); n > 0 {
				set(n)
			}
		}
		given("interval", func(n int) { g.HealthCheckIntervalSeconds = int32p(n) })
		given("timeout", func(n int) { g.HealthCheckTimeoutSeconds = int32p(n) })
		given("healthyThreshold", func(n int) { g.HealthyThresholdCount = int32p(n) })
		given("unhealthyThreshold", func(n int) { g.UnhealthyThresholdCount = int32p(n) })
		if path := blockText(check, "path"); path != "" {
			g.HealthCheckPath = aws.String(path)
		}
		if matcher := blockText(check, "matcher"); matcher != "" {
			g.Matcher.HttpCode = aws.String(matcher)
		}
	}
	return g
}

// balancersOfGroup returns the load balancers whose listeners forward to a target group.
func (s *State) balancersOfGroup(group string) []string {
	var arns []string
	for _, listener := range s.ByType(typeListener) {
		arn := listener.Text("loadBalancerArn")
		if slices.Contains(groupsOf(listener), group) && !slices.Contains(arns, arn) {
			arns = append(arns, arn)
		}
	}
	return arns
}

func groupsOf(listener *Resource) []string {
	return slices.Concat(stringsAt(listener.Outputs, "defaultActions.targetGroupArn"),
		stringsAt(listener.Outputs, "defaultActions.forward.targetGroups.arn"))
}

func describeListeners(m model, in *elb.DescribeListenersInput) (*elb.DescribeListenersOutput, error) {
	found, missing := m.selectResources(typeListener, in.ListenerArns, "arn")
	if len(missing) > 0 {
		return nil, &types.ListenerNotFoundException{Message: aws.String(fmt.Sprintf("Listeners '[%s]' not found", missing[0]))}
	}
	if in.LoadBalancerArn != nil {
		if m.findByName(typeLoadBalancer, *in.LoadBalancerArn, "arn") == nil {
			return nil, loadBalancerNotFound(*in.LoadBalancerArn)
		}
		found = slices.DeleteFunc(found, func(r *Resource) bool { return r.Text("loadBalancerArn") != *in.LoadBalancerArn })
	}
	found, next, err := page(found, in.Marker, in.PageSize, 400)
	if err != nil {
		return nil, err
	}
	out := &elb.DescribeListenersOutput{NextMarker: next}
	for _, r := range found {
		out.Listeners = append(out.Listeners, listenerOf(r))
	}
	return out, nil
}

func listenerOf(r *Resource) types.Listener {
	l := types.Listener{
		ListenerArn: aws.String(r.ID), LoadBalancerArn: aws.String(r.Text("loadBalancerArn")), Port: int32p(numberOr(r, "port", 0)),
		Protocol: types.ProtocolEnum(r.Text("protocol")), SslPolicy: orNil(r.Text("sslPolicy")),
	}
	if arn := r.Text("certificateArn"); arn != "" {
		l.Certificates = []types.Certificate{{CertificateArn: aws.String(arn)}}
	}
	for _, block := range r.Blocks("defaultActions") {
		action := types.Action{Type: types.ActionTypeEnum(blockText(block, "type")), TargetGroupArn: orNil(blockText(block, "targetGroupArn"))}
		if action.TargetGroupArn != nil {
			action.ForwardConfig = &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: action.TargetGroupArn}}}
		}
		if redirect, ok := block["redirect"].(map[string]any); ok {
			action.RedirectConfig = &types.RedirectActionConfig{
				StatusCode: types.RedirectActionStatusCodeEnum(blockText(redirect, "statusCode")), Port: orNil(blockText(redirect, "port")),
				Protocol: orNil(blockText(redirect, "protocol")), Host: orNil(blockText(redirect, "host")),
				Path: orNil(blockText(redirect, "path")), Query: orNil(blockText(redirect, "query")),
			}
		}
		if fixed, ok := block["fixedResponse"].(map[string]any); ok {
			action.FixedResponseConfig = &types.FixedResponseActionConfig{
				StatusCode: aws.String(blockText(fixed, "statusCode")), ContentType: orNil(blockText(fixed, "contentType")),
				MessageBody: orNil(blockText(fixed, "messageBody")),
			}
		}
		l.DefaultActions = append(l.DefaultActions, action)
	}
	return l
}

func describeListenerCertificates(m model, in *elb.DescribeListenerCertificatesInput) (*elb.DescribeListenerCertificatesOutput, error) {
	r := m.Get(typeListener, deref(in.ListenerArn))
	if r == nil {
		return nil, &types.ListenerNotFoundException{Message: aws.String(fmt.Sprintf("Listeners '[%s]' not found", deref(in.ListenerArn)))}
	}
	out := &elb.DescribeListenerCertificatesOutput{}
	if arn := r.Text("certificateArn"); arn != "" {
		out.Certificates = []types.Certificate{{CertificateArn: aws.String(arn), IsDefault: aws.Bool(true)}}
	}
	return out, nil
}

// target is a task in a target group.
type target struct {
	*task
	port int
}

// targets returns the tasks that are registered with a target group.
func (m model) targets(group string) []target {
	var all []target
	for _, s := range m.ECS.services() {
		r := m.serviceResource(s.ARN)
		if r == nil {
			continue
		}
		for _, block := range r.Blocks("loadBalancers") {
			if blockText(block, "targetGroupArn") != group {
				continue
			}
			for _, t := range m.ECS.tasksOf(s) {
				if m.reached(t.Started) && !m.reached(t.Stopping) {
					all = append(all, target{t, blockNumber(block, "containerPort")})
				}
			}
		}
	}
	return all
}

func describeTargetHealth(m model, in *elb.DescribeTargetHealthInput) (*elb.DescribeTargetHealthOutput, error) {
	group := deref(in.TargetGroupArn)
	if m.findByName(typeTargetGroup, group, "arn") == nil {
		return nil, targetGroupNotFound(group)
	}
	out := &elb.DescribeTargetHealthOutput{}
	for _, t := range m.targets(group) {
		if len(in.Targets) > 0 && !slices.ContainsFunc(in.Targets, func(asked types.TargetDescription) bool { return deref(asked.Id) == t.Address }) {
			continue
		}
		described := types.TargetHealthDescription{
			HealthCheckPort: aws.String(strconv.Itoa(t.port)), TargetHealth: m.targetHealth(t.task),
			Target: &types.TargetDescription{Id: aws.String(t.Address), Port: int32p(t.port)},
		}
		if subnet := m.Get(typeSubnet, t.Subnet); subnet != nil {
			described.Target.AvailabilityZone = aws.String(subnet.Text("availabilityZone"))
		}
		out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, described)
	}
	return out, nil
}

// targetHealth returns the health of a task as a target.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
func (m model) targetHealth(t *task) *types.TargetHealth {
	health := func(state types.TargetHealthStateEnum, reason types.TargetHealthReasonEnum, description string) *types.TargetHealth {
		return &types.TargetHealth{State: state, Reason: reason, Description: aws.String(description)}
	}
	switch {
	case m.reached(t.Deactivating):
		return health(types.TargetHealthStateEnumDraining, types.TargetHealthReasonEnumDeregistrationInProgress, "Target deregistration is in progress")
	case m.reached(t.Unhealthy):
		return health(types.TargetHealthStateEnumUnhealthy, types.TargetHealthReasonEnumResponseCodeMismatch, "Health checks failed with these codes: [503]")
	case m.healthy(t):
		return &types.TargetHealth{State: types.TargetHealthStateEnumHealthy}
	}
	return health(types.TargetHealthStateEnumInitial, types.TargetHealthReasonEnumInitialHealthChecking, "Initial health checks in progress")
}

func describeELBTags(m model, in *elb.DescribeTagsInput) (*elb.DescribeTagsOutput, error) {
	out := &elb.DescribeTagsOutput{}
	for _, arn := range in.ResourceArns {
		var r *Resource
		for _, typ := range []string{typeLoadBalancer, typeTargetGroup, typeListener} {
			if found := m.Get(typ, arn); found != nil {
				r = found
			}
		}
		if r == nil {
			return nil, loadBalancerNotFound(arn)
		}
		described := types.TagDescription{ResourceArn: aws.String(arn)}
		for _, tag := range ecsTags(r) {
			described.Tags = append(described.Tags, types.Tag{Key: tag.Key, Value: tag.Value})
		}
		out.TagDescriptions = append(out.TagDescriptions, described)
	}
	return out, nil
}

// The attributes of a load balancer and of a target group, and the properties that hold them.
var (
	balancerAttributes = map[string]string{
		"deletion_protection.enabled":                     "enableDeletionProtection",
		"idle_timeout.timeout_seconds":                    "idleTimeout",
		"routing.http2.enabled":                           "enableHttp2",
		"routing.http.drop_invalid_header_fields.enabled": "dropInvalidHeaderFields",
		"routing.http.desync_mitigation_mode":             "desyncMitigationMode",
		"load_balancing.cross_zone.enabled":               "enableCrossZoneLoadBalancing",
	}
	groupAttributes = map[string]string{
		"deregistration_delay.timeout_seconds": "deregistrationDelay",
		"slow_start.duration_seconds":          "slowStart",
		"load_balancing.algorithm.type":        "loadBalancingAlgorithmType",
	}
)

// attributesOf returns properties of a resource under the API's names for them, sorted.
func attributesOf(r *Resource, names map[string]string) [][2]string {
	var all [][2]string
	for name, property := range names {
		all = append(all, [2]string{name, text(r.Outputs[property])})
	}
	slices.SortFunc(all, func(x, y [2]string) int { return strings.Compare(x[0], y[0]) })
	return all
}

func describeLoadBalancerAttributes(m model, in *elb.DescribeLoadBalancerAttributesInput) (*elb.DescribeLoadBalancerAttributesOutput, error) {
	r := m.Get(typeLoadBalancer, deref(in.LoadBalancerArn))
	if r == nil {
		return nil, loadBalancerNotFound(deref(in.LoadBalancerArn))
	}
	attributes := attributesOf(r, balancerAttributes)
	logs, bucket, prefix := false, "", ""
	for _, block := range r.Blocks("accessLogs") {
		logs, bucket, prefix = blockBool(block, "enabled"), blockText(block, "bucket"), blockText(block, "prefix")
	}
	attributes = append(attributes, [2]string{"access_logs.s3.enabled", strconv.FormatBool(logs)},
		[2]string{"access_logs.s3.bucket", bucket}, [2]string{"access_logs.s3.prefix", prefix})
	out := &elb.DescribeLoadBalancerAttributesOutput{}
	for _, a := range attributes {
		out.Attributes = append(out.Attributes, types.LoadBalancerAttribute{Key: aws.String(a[0]), Value: aws.String(a[1])})
	}
	return out, nil
}

func describeTargetGroupAttributes(m model, in *elb.DescribeTargetGroupAttributesInput) (*elb.DescribeTargetGroupAttributesOutput, error) {
	r := m.Get(typeTargetGroup, deref(in.TargetGroupArn))
	if r == nil {
		return nil, targetGroupNotFound(deref(in.TargetGroupArn))
	}
	out := &elb.DescribeTargetGroupAttributesOutput{}
	for _, a := range attributesOf(r, groupAttributes) {
		out.Attributes = append(out.Attributes, types.TargetGroupAttribute{Key: aws.String(a[0]), Value: aws.String(a[1])})
	}
	return out, nil
}

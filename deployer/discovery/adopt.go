package discovery

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
)

// Match is what an account that others have built has for a resource of the program.
type Match struct {
	// IDs are what it may be imported by; several are ambiguous. A name that only the provider can look up is one too.
	IDs []string
	// By is what makes it a match, in the words of the inputs.
	By string
}

// importFinder says how a type is found that this program has not made, so that its tags say nothing, or that Find need not find.
type importFinder struct {
	needs []string
	by    string
	find  func(context.Context, account, Query) ([]string, error)
}

// importFinders complete and replace rows where the resource is somebody else's work.
var importFinders = map[string]importFinder{
	"aws:ec2/vpc:Vpc":                         {by: "tag Name", find: adoptVPC},
	"aws:ec2/internetGateway:InternetGateway": {needs: []string{"vpcId"}, by: "attached to the VPC", find: adoptInternetGateway},
	"aws:ec2/routeTable:RouteTable":           {needs: []string{"vpcId"}, by: "its subnet", find: adoptRouteTable},
	"aws:ec2/eip:Eip":                         {by: "the subnet's NAT gateway", find: adoptAddress},
	"aws:ec2/natGateway:NatGateway":           {needs: []string{"subnetId"}, by: "its subnet", find: adoptNATGateway},
	"aws:ec2/vpcEndpoint:VpcEndpoint":         {needs: []string{"vpcId", "serviceName"}, by: "VPC and service", find: adoptEndpoint},
	"aws:ec2/flowLog:FlowLog":                 {needs: []string{"vpcId"}, by: "its VPC", find: adoptFlowLog},
	"aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": {
		needs: []string{"vpcId"}, by: "default of the VPC", find: adoptDefaultSecurityGroup},

	"aws:route53/zone:Zone":           {needs: []string{"name"}, by: "name", find: adoptZone},
	"aws:acm/certificate:Certificate": {needs: []string{"domainName"}, by: "domainName", find: adoptCertificate},

	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":                                     importByInputs("%s", "bucket"),
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": importByInputs("%s", "bucket"),
	"aws:s3/bucketOwnershipControls:BucketOwnershipControls":                                     importByInputs("%s", "bucket"),
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2":                       importByInputs("%s", "bucket"),
	"aws:s3/bucketPolicy:BucketPolicy":                                                           importByInputs("%s", "bucket"),

	"aws:secretsmanager/secretRotation:SecretRotation":                importByInputs("%s", "secretId"),
	"aws:sqs/queuePolicy:QueuePolicy":                                 importByInputs("%s", "queueUrl"),
	"aws:sqs/redriveAllowPolicy:RedriveAllowPolicy":                   importByInputs("%s", "queueUrl"),
	"aws:sns/topic:Topic":                                             {needs: []string{"name"}, by: "name", find: adoptTopic},
	"aws:sns/topicPolicy:TopicPolicy":                                 importByInputs("%s", "arn"),
	"aws:ecs/cluster:Cluster":                                         importByInputs("%s", "name"),
	"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders":       importByInputs("%s", "clusterName"),
	"aws:appautoscaling/target:Target":                                importByInputs("%s/%s/%s", "serviceNamespace", "resourceId", "scalableDimension"),
	"aws:appautoscaling/policy:Policy":                                importByInputs("%s/%s/%s/%s", "serviceNamespace", "resourceId", "scalableDimension", "name"),
	"aws:ecr/lifecyclePolicy:LifecyclePolicy":                         importByInputs("%s", "repository"),
	"aws:iam/rolePolicy:RolePolicy":                                   importByInputs("%s:%s", "role", "name"),
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment":               importByInputs("%s/%s", "role", "policyArn"),
	"aws:cloudwatch/metricAlarm:MetricAlarm":                          importByInputs("%s", "name"),
	"aws:cloudwatch/dashboard:Dashboard":                              importByInputs("%s", "dashboardName"),
	"aws:wafv2/webAclAssociation:WebAclAssociation":                   importByInputs("%s,%s", "webAclArn", "resourceArn"),
	"aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration": importByInputs("%s", "resourceArn"),
}

// FindCandidates returns what the account has for a resource of the program, whoever made it: tags are not asked, because another tool gives
// others. What is returned may turn out not to be there, as with Find.
func FindCandidates(ctx context.Context, cfg aws.Config, accountID string, w Query) (Match, error) {
	a, listed := importFinders[w.Type]
	if !listed {
		r := finders[w.Type]
		id, err := Find(ctx, cfg, accountID, w)
		if err != nil || id == "" {
			return Match{}, err
		}
		return Match{IDs: []string{id}, By: strings.Join(r.needs, ", ")}, nil
	}
	if !hasInputs(finder{needs: a.needs}, w) {
		return Match{}, nil
	}
	ids, err := a.find(ctx, account{cfg, accountID, cfg.Region}, w)
	if err != nil {
		return Match{}, fmt.Errorf("look for %s: %w", w.Type, err)
	}
	return Match{IDs: ids, By: a.by}, nil
}

// SkipReason says why resources of a type are not looked for; "" where they are.
func SkipReason(typ string) string {
	if _, listed := importFinders[typ]; listed {
		return ""
	}
	return finders[typ].skipReason
}

// importByInputs is how a resource is found whose import needs nothing but inputs.
func importByInputs(format string, properties ...string) importFinder {
	find := byInputs(format, properties...)
	return importFinder{needs: properties, by: strings.Join(properties, ", "), find: func(ctx context.Context, a account, w Query) ([]string, error) {
		id, err := find(ctx, a, w)
		return []string{id}, err
	}}
}

// ids are the IDs of what was found.
func ids[T any](found []T, id func(T) *string) []string {
	var ids []string
	for _, one := range found {
		ids = append(ids, aws.ToString(id(one)))
	}
	return ids
}

func adoptVPC(ctx context.Context, a account, w Query) ([]string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: filters("tag:Name", w.tag("Name"))})
	if err != nil {
		return nil, err
	}
	return ids(out.Vpcs, func(v types.Vpc) *string { return v.VpcId }), nil
}

func adoptInternetGateway(ctx context.Context, a account, w Query) ([]string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeInternetGateways(ctx, &ec2.DescribeInternetGatewaysInput{
		Filters: filters("attachment.vpc-id", w.text("vpcId")),
	})
	if err != nil {
		return nil, err
	}
	return ids(out.InternetGateways, func(g types.InternetGateway) *string { return g.InternetGatewayId }), nil
}

// adoptRouteTable finds the table of the subnet under which the program has it. The VPC's main table, which a subnet without one
// of its own uses, is not it.
func adoptRouteTable(ctx context.Context, a account, w Query) ([]string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{Filters: filters("vpc-id", w.text("vpcId"))})
	if err != nil {
		return nil, err
	}
	tables := slices.DeleteFunc(out.RouteTables, func(t types.RouteTable) bool {
		return !slices.ContainsFunc(t.Associations, func(at types.RouteTableAssociation) bool {
			return w.Parent != "" && aws.ToString(at.SubnetId) == w.Parent
		})
	})
	return ids(tables, func(t types.RouteTable) *string { return t.RouteTableId }), nil
}

// natGateways are those of a subnet that are not being deleted.
func natGateways(ctx context.Context, a account, subnet string) ([]types.NatGateway, error) {
	if subnet == "" {
		return nil, nil
	}
	out, err := ec2.NewFromConfig(a.aws).DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{Filter: filters("subnet-id", subnet)})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(out.NatGateways, func(g types.NatGateway) bool {
		return g.State != types.NatGatewayStateAvailable && g.State != types.NatGatewayStatePending
	}), nil
}

func adoptNATGateway(ctx context.Context, a account, w Query) ([]string, error) {
	gateways, err := natGateways(ctx, a, w.text("subnetId"))
	return ids(gateways, func(g types.NatGateway) *string { return g.NatGatewayId }), err
}

// adoptAddress finds the address of the NAT gateway in the subnet under which the program has both.
func adoptAddress(ctx context.Context, a account, w Query) ([]string, error) {
	gateways, err := natGateways(ctx, a, w.Parent)
	var ids []string
	for _, gateway := range gateways {
		for _, address := range gateway.NatGatewayAddresses {
			if address.AllocationId != nil {
				ids = append(ids, *address.AllocationId)
			}
		}
	}
	return ids, err
}

func adoptEndpoint(ctx context.Context, a account, w Query) ([]string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeVpcEndpoints(ctx, &ec2.DescribeVpcEndpointsInput{
		Filters: filters("vpc-id", w.text("vpcId"), "service-name", w.text("serviceName")),
	})
	if err != nil {
		return nil, err
	}
	return ids(out.VpcEndpoints, func(e types.VpcEndpoint) *string { return e.VpcEndpointId }), nil
}

func adoptFlowLog(ctx context.Context, a account, w Query) ([]string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeFlowLogs(ctx, &ec2.DescribeFlowLogsInput{Filter: filters("resource-id", w.text("vpcId"))})
	if err != nil {
		return nil, err
	}
	return ids(out.FlowLogs, func(l types.FlowLog) *string { return l.FlowLogId }), nil
}

func adoptDefaultSecurityGroup(ctx context.Context, a account, w Query) ([]string, error) {
	out, err := ec2.NewFromConfig(a.aws).DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{
		Filters: filters("vpc-id", w.text("vpcId"), "group-name", "default"),
	})
	if err != nil {
		return nil, err
	}
	return ids(out.SecurityGroups, func(g types.SecurityGroup) *string { return g.GroupId }), nil
}

// adoptZone finds every public zone of the name: a domain can have several, of which one is delegated.
func adoptZone(ctx context.Context, a account, w Query) ([]string, error) {
	out, err := route53.NewFromConfig(a.aws).ListHostedZonesByName(ctx, &route53.ListHostedZonesByNameInput{DNSName: aws.String(w.text("name"))})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, zone := range out.HostedZones {
		if strings.TrimSuffix(aws.ToString(zone.Name), ".") == w.text("name") && (zone.Config == nil || !zone.Config.PrivateZone) {
			ids = append(ids, strings.TrimPrefix(aws.ToString(zone.Id), "/hostedzone/"))
		}
	}
	return ids, nil
}

// adoptCertificate finds what is issued for the domain; where nothing is, what may become so.
func adoptCertificate(ctx context.Context, a account, w Query) ([]string, error) {
	var issued, pending []string
	pages := acm.NewListCertificatesPaginator(acm.NewFromConfig(a.aws), &acm.ListCertificatesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range page.CertificateSummaryList {
			switch {
			case aws.ToString(c.DomainName) != w.text("domainName"):
			case c.Status == acmtypes.CertificateStatusIssued:
				issued = append(issued, aws.ToString(c.CertificateArn))
			case c.Status == acmtypes.CertificateStatusPendingValidation:
				pending = append(pending, aws.ToString(c.CertificateArn))
			}
		}
	}
	if len(issued) > 0 {
		return issued, nil
	}
	return pending, nil
}

func adoptTopic(_ context.Context, a account, w Query) ([]string, error) {
	return []string{fmt.Sprintf("arn:aws:sns:%s:%s:%s", a.region, a.id, w.text("name"))}, nil
}

// HoldsData reports whether what a resource of the type holds is lost with it: rows, files, messages, images, or the name servers
// that a registrar knows.
func HoldsData(typ string) bool {
	switch typ {
	case "aws:rds/instance:Instance", typeBucket, "aws:sqs/queue:Queue", "aws:ecr/repository:Repository", "aws:route53/zone:Zone":
		return true
	}
	return false
}

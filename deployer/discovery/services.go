package discovery

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/hostedzone"
)

func findLoadBalancer(ctx context.Context, a account, q Query) ([]string, error) {
	in := &elb.DescribeLoadBalancersInput{Names: []string{q.text("name")}}
	return lookUp(ctx, elb.NewFromConfig(a.aws).DescribeLoadBalancers, in, func(out *elb.DescribeLoadBalancersOutput) []string {
		return ids(out.LoadBalancers, func(b elbtypes.LoadBalancer) *string { return b.LoadBalancerArn })
	})
}

func findTargetGroup(ctx context.Context, a account, q Query) ([]string, error) {
	in := &elb.DescribeTargetGroupsInput{Names: []string{q.text("name")}}
	return lookUp(ctx, elb.NewFromConfig(a.aws).DescribeTargetGroups, in, func(out *elb.DescribeTargetGroupsOutput) []string {
		return ids(out.TargetGroups, func(g elbtypes.TargetGroup) *string { return g.TargetGroupArn })
	})
}

// findListener finds a listener by its port: a load balancer has one listener a port.
func findListener(ctx context.Context, a account, q Query) ([]string, error) {
	in := &elb.DescribeListenersInput{LoadBalancerArn: aws.String(q.text("loadBalancerArn"))}
	return lookUp(ctx, elb.NewFromConfig(a.aws).DescribeListeners, in, func(out *elb.DescribeListenersOutput) []string {
		listeners := slices.DeleteFunc(out.Listeners, func(l elbtypes.Listener) bool { return !q.samePort("port", l.Port) })
		return ids(listeners, func(l elbtypes.Listener) *string { return l.ListenerArn })
	})
}

// findCertificate returns the newest managed certificate of the domain: its tags show later whether it is the program's. Of other
// certificates it returns the issued ones; where there are none, those that wait for their validation.
func findCertificate(ctx context.Context, a account, q Query) ([]string, error) {
	pages := acm.NewListCertificatesPaginator(acm.NewFromConfig(a.aws), &acm.ListCertificatesInput{})
	found, err := awsx.Pages(ctx, pages, func(page *acm.ListCertificatesOutput) []acmtypes.CertificateSummary {
		return slices.DeleteFunc(page.CertificateSummaryList, func(c acmtypes.CertificateSummary) bool {
			return aws.ToString(c.DomainName) != q.text("domainName")
		})
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b acmtypes.CertificateSummary) int {
		return aws.ToTime(b.CreatedAt).Compare(aws.ToTime(a.CreatedAt))
	})
	arn := func(c acmtypes.CertificateSummary) *string { return c.CertificateArn }
	if q.managed {
		return ids(found[:min(1, len(found))], arn), nil
	}
	for _, status := range []acmtypes.CertificateStatus{acmtypes.CertificateStatusIssued, acmtypes.CertificateStatusPendingValidation} {
		other := func(c acmtypes.CertificateSummary) bool { return c.Status != status }
		if matching := slices.DeleteFunc(slices.Clone(found), other); len(matching) > 0 {
			return ids(matching, arn), nil
		}
	}
	return nil, nil
}

func findRecord(_ context.Context, _ account, q Query) ([]string, error) {
	return []string{fmt.Sprintf("%s_%s_%s", q.text("zoneId"), strings.TrimSuffix(q.text("name"), "."), q.text("type"))}, nil
}

func findHealthCheck(ctx context.Context, a account, q Query) ([]string, error) {
	pages := route53.NewListHealthChecksPaginator(route53.NewFromConfig(a.aws), &route53.ListHealthChecksInput{})
	found, err := awsx.Pages(ctx, pages, func(page *route53.ListHealthChecksOutput) []string {
		others := func(check r53types.HealthCheck) bool {
			c := check.HealthCheckConfig
			return c == nil || aws.ToString(c.FullyQualifiedDomainName) != q.text("fqdn") ||
				aws.ToString(c.ResourcePath) != q.text("resourcePath")
		}
		return ids(slices.DeleteFunc(page.HealthChecks, others), func(c r53types.HealthCheck) *string { return c.Id })
	})
	return found[:min(1, len(found))], err
}

// findZone finds every public zone of the name: a domain can have several, of which one is delegated.
func findZone(ctx context.Context, a account, q Query) ([]string, error) {
	zones, err := hostedzone.Public(ctx, route53.NewFromConfig(a.aws), q.text("name"))
	var all []string
	for _, zone := range zones {
		all = append(all, hostedzone.ID(zone))
	}
	return all, err
}

func findIdentityProvider(ctx context.Context, a account, q Query) ([]string, error) {
	out, err := iam.NewFromConfig(a.aws).ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{})
	if err != nil {
		return nil, err
	}
	host := strings.TrimPrefix(q.text("url"), "https://")
	for _, provider := range out.OpenIDConnectProviderList {
		if strings.HasSuffix(aws.ToString(provider.Arn), ":oidc-provider/"+host) {
			return []string{aws.ToString(provider.Arn)}, nil
		}
	}
	return nil, nil
}

func findService(_ context.Context, _ account, q Query) ([]string, error) {
	cluster := q.text("cluster")
	if cluster == "" {
		return nil, nil
	}
	return []string{awsx.NameFromARN(cluster) + "/" + q.text("name")}, nil
}

func findWebACL(ctx context.Context, a account, q Query) ([]string, error) {
	in := &wafv2.ListWebACLsInput{Scope: waftypes.ScopeRegional}
	for {
		out, err := wafv2.NewFromConfig(a.aws).ListWebACLs(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, acl := range out.WebACLs {
			if aws.ToString(acl.Name) == q.text("name") {
				return []string{fmt.Sprintf("%s/%s/%s", aws.ToString(acl.Id), aws.ToString(acl.Name), waftypes.ScopeRegional)}, nil
			}
		}
		if in.NextMarker = out.NextMarker; in.NextMarker == nil || len(out.WebACLs) == 0 {
			return nil, nil
		}
	}
}

func findQueue(_ context.Context, a account, q Query) ([]string, error) {
	return []string{fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", a.aws.Region, a.id, q.text("name"))}, nil
}

func findTopic(_ context.Context, a account, q Query) ([]string, error) {
	return []string{fmt.Sprintf("arn:aws:sns:%s:%s:%s", a.aws.Region, a.id, q.text("name"))}, nil
}

func findPolicy(_ context.Context, a account, q Query) ([]string, error) {
	return []string{fmt.Sprintf("arn:aws:iam::%s:policy/%s", a.id, q.text("name"))}, nil
}

func findStateMachine(_ context.Context, a account, q Query) ([]string, error) {
	return []string{fmt.Sprintf("arn:aws:states:%s:%s:stateMachine:%s", a.aws.Region, a.id, q.text("name"))}, nil
}

func findBudget(_ context.Context, a account, q Query) ([]string, error) {
	return []string{a.id + ":" + q.text("name")}, nil
}

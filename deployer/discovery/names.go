package discovery

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/wafv2"
	waftypes "github.com/aws/aws-sdk-go-v2/service/wafv2/types"
)

func findLoadBalancer(ctx context.Context, a account, w Query) (string, error) {
	out, err := elb.NewFromConfig(a.aws).DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{Names: []string{w.text("name")}})
	if missing := (*elbtypes.LoadBalancerNotFoundException)(nil); errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return firstID(out.LoadBalancers, func(b elbtypes.LoadBalancer) *string { return b.LoadBalancerArn })
}

func findTargetGroup(ctx context.Context, a account, w Query) (string, error) {
	out, err := elb.NewFromConfig(a.aws).DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{Names: []string{w.text("name")}})
	if missing := (*elbtypes.TargetGroupNotFoundException)(nil); errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return firstID(out.TargetGroups, func(g elbtypes.TargetGroup) *string { return g.TargetGroupArn })
}

// findListener finds it by its port: a load balancer has one listener a port.
func findListener(ctx context.Context, a account, w Query) (string, error) {
	out, err := elb.NewFromConfig(a.aws).DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: aws.String(w.text("loadBalancerArn"))})
	if missing := (*elbtypes.LoadBalancerNotFoundException)(nil); errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, listener := range out.Listeners {
		if port, _ := w.Inputs["port"].(float64); float64(aws.ToInt32(listener.Port)) == port {
			return aws.ToString(listener.ListenerArn), nil
		}
	}
	return "", nil
}

// findCertificate finds the newest of the domain; whose it is, its tags say when it has been read.
func findCertificate(ctx context.Context, a account, w Query) (string, error) {
	newest, found := "", int64(0)
	pages := acm.NewListCertificatesPaginator(acm.NewFromConfig(a.aws), &acm.ListCertificatesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, c := range page.CertificateSummaryList {
			if created := aws.ToTime(c.CreatedAt).Unix(); aws.ToString(c.DomainName) == w.text("domainName") && (newest == "" || created > found) {
				newest, found = aws.ToString(c.CertificateArn), created
			}
		}
	}
	return newest, nil
}

// findRecord names zone, name and type, as an import wants it.
func findRecord(_ context.Context, _ account, w Query) (string, error) {
	return fmt.Sprintf("%s_%s_%s", w.text("zoneId"), strings.TrimSuffix(w.text("name"), "."), w.text("type")), nil
}

func findHealthCheck(ctx context.Context, a account, w Query) (string, error) {
	pages := route53.NewListHealthChecksPaginator(route53.NewFromConfig(a.aws), &route53.ListHealthChecksInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, check := range page.HealthChecks {
			if c := check.HealthCheckConfig; c != nil && aws.ToString(c.FullyQualifiedDomainName) == w.text("fqdn") &&
				aws.ToString(c.ResourcePath) == w.text("resourcePath") {
				return aws.ToString(check.Id), nil
			}
		}
	}
	return "", nil
}

func findZone(ctx context.Context, a account, w Query) (string, error) {
	out, err := route53.NewFromConfig(a.aws).ListHostedZonesByName(ctx, &route53.ListHostedZonesByNameInput{DNSName: aws.String(w.text("name"))})
	if err != nil {
		return "", err
	}
	for _, zone := range out.HostedZones {
		if strings.TrimSuffix(aws.ToString(zone.Name), ".") == w.text("name") && (zone.Config == nil || !zone.Config.PrivateZone) {
			return strings.TrimPrefix(aws.ToString(zone.Id), "/hostedzone/"), nil
		}
	}
	return "", nil
}

func findIdentityProvider(ctx context.Context, a account, w Query) (string, error) {
	out, err := iam.NewFromConfig(a.aws).ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{})
	if err != nil {
		return "", err
	}
	host := strings.TrimPrefix(w.text("url"), "https://")
	for _, provider := range out.OpenIDConnectProviderList {
		if strings.HasSuffix(aws.ToString(provider.Arn), ":oidc-provider/"+host) {
			return aws.ToString(provider.Arn), nil
		}
	}
	return "", nil
}

// findService names the cluster and the service, as an import wants it.
func findService(_ context.Context, _ account, w Query) (string, error) {
	cluster := w.text("cluster")
	if cluster == "" {
		return "", nil
	}
	return cluster[strings.LastIndexByte(cluster, '/')+1:] + "/" + w.text("name"), nil
}

func findWebACL(ctx context.Context, a account, w Query) (string, error) {
	in := &wafv2.ListWebACLsInput{Scope: waftypes.ScopeRegional}
	for {
		out, err := wafv2.NewFromConfig(a.aws).ListWebACLs(ctx, in)
		if err != nil {
			return "", err
		}
		for _, acl := range out.WebACLs {
			if aws.ToString(acl.Name) == w.text("name") {
				return fmt.Sprintf("%s/%s/%s", aws.ToString(acl.Id), aws.ToString(acl.Name), waftypes.ScopeRegional), nil
			}
		}
		if in.NextMarker = out.NextMarker; in.NextMarker == nil || len(out.WebACLs) == 0 {
			return "", nil
		}
	}
}

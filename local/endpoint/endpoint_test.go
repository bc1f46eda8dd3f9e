package endpoint

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/local/cloud"
	"github.com/balancer/v3-backend-infra/probe"
)

const (
	region = "us-east-1"
	domain = "staging-api.hyperchonk.com"
)

type manualClock struct{ now time.Time }

func (c *manualClock) Now() time.Time { return c.now }

func (c *manualClock) Wait(_ context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	return nil
}

type object = map[string]any

// fixture is an account with two load balancers, of which the first serves the domain.
type fixture struct {
	t       *testing.T
	account *cloud.Account
	clock   *manualClock
	server  *Server
	network probe.Network
	// dnsNames are the load balancers' own.
	dnsNames []string
}

func newFixture(t *testing.T, faults ...string) *fixture {
	t.Helper()
	// Creation takes no time; certificates are checked against the machine's clock.
	clk := &manualClock{now: time.Now().Add(-time.Hour)}
	account, err := cloud.Open(filepath.Join(t.TempDir(), "account.json"), cloud.Options{
		AccountID: "123456789012", Region: region, Clock: clk, Stacks: []cloud.Stack{{Name: "staging"}}, Faults: faults,
	})
	require.NoError(t, err)
	authority, err := OpenAuthority(t.TempDir(), testDomains, clk.now)
	require.NoError(t, err)
	s := &fixture{t: t, account: account, clock: clk, server: New(account, authority)}
	t.Cleanup(func() {
		require.NoError(t, s.server.Close())
		require.NoError(t, account.Close())
	})
	s.network = s.server.Network()
	s.build()
	return s
}

// create creates a resource as the provider would.
func (f *fixture) create(typ string, inputs object) *cloud.Resource {
	f.t.Helper()
	r, err := f.account.CreateResource(f.t.Context(), typ, inputs)
	require.NoError(f.t, err, typ)
	return r
}

func (f *fixture) build() {
	vpc := f.create("aws:ec2/vpc:Vpc", object{"cidrBlock": "10.20.0.0/16"})
	var subnets []any
	for zone, cidr := range map[string]string{"a": "10.20.0.0/24", "b": "10.20.1.0/24"} {
		subnets = append(subnets, f.create("aws:ec2/subnet:Subnet", object{
			"vpcId": vpc.ID, "cidrBlock": cidr, "availabilityZone": region + zone}).ID)
	}
	zone := f.create("aws:route53/zone:Zone", object{"name": "hyperchonk.com"})
	var groups []string
	for _, name := range []string{"staging", "other"} {
		host := name + "-api.hyperchonk.com"
		balancer := f.create("aws:lb/loadBalancer:LoadBalancer", object{"name": name, "subnets": subnets})
		f.dnsNames = append(f.dnsNames, balancer.Text("dnsName"))
		group := f.create("aws:lb/targetGroup:TargetGroup", object{
			"name": name, "port": 3000.0, "protocol": "HTTP", "targetType": "ip", "vpcId": vpc.ID, "deregistrationDelay": 30.0})
		f.create("aws:lb/listener:Listener", object{"loadBalancerArn": balancer.ID, "port": 443.0, "protocol": "HTTPS",
			"certificateArn": f.certificate(zone.ID, host), "defaultActions": []any{object{"type": "forward", "targetGroupArn": group.ID}}})
		f.create("aws:lb/listener:Listener", object{"loadBalancerArn": balancer.ID, "port": 80.0, "protocol": "HTTP",
			"defaultActions": []any{object{"type": "redirect", "redirect": object{"protocol": "HTTPS", "port": "443", "statusCode": "HTTP_301"}}}})
		f.create("aws:route53/record:Record", object{"zoneId": zone.ID, "name": host, "type": "A", "aliases": []any{
			object{"name": balancer.Text("dnsName"), "zoneId": balancer.Text("zoneId"), "evaluateTargetHealth": true}}})
		groups = append(groups, group.ID)
	}
	f.serve(groups[0], subnets)
}

func (f *fixture) certificate(zone, host string) string {
	certificate := f.create("aws:acm/certificate:Certificate", object{"domainName": host, "validationMethod": "DNS"})
	for _, option := range certificate.Blocks("domainValidationOptions") {
		f.create("aws:route53/record:Record", object{"zoneId": zone, "name": option["resourceRecordName"], "type": "CNAME",
			"ttl": 60.0, "records": []any{option["resourceRecordValue"]}})
	}
	f.create("aws:acm/certificateValidation:CertificateValidation", object{"certificateArn": certificate.ID})
	return certificate.ID
}

// serve runs the API behind a target group.
func (f *fixture) serve(group string, subnets []any) {
	images, err := f.account.Images()
	require.NoError(f.t, err)
	containers, err := json.Marshal([]object{{"name": "balancer-api",
		"image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@" + images[0].Digest}})
	require.NoError(f.t, err)
	definition := f.create("aws:ecs/taskDefinition:TaskDefinition", object{"family": "api", "containerDefinitions": string(containers),
		"cpu": "512", "memory": "1024", "networkMode": "awsvpc", "requiresCompatibilities": []any{"FARGATE"}})
	f.create("aws:ecs/cluster:Cluster", object{"name": "cluster"})
	f.create("aws:ecs/service:Service", object{"name": "api", "cluster": "cluster", "taskDefinition": definition.Text("arn"), "desiredCount": 1.0,
		"networkConfiguration": object{"subnets": subnets},
		"loadBalancers":        []any{object{"targetGroupArn": group, "containerName": "balancer-api", "containerPort": 3000.0}}})
}

func (f *fixture) client() *http.Client {
	transport := &http.Transport{DialContext: f.network.Dial, TLSClientConfig: &tls.Config{RootCAs: f.network.Roots}}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (f *fixture) get(url string) (*http.Response, string) {
	f.t.Helper()
	response, err := f.client().Get(url)
	require.NoError(f.t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(f.t, err)
	require.NoError(f.t, response.Body.Close())
	return response, string(body)
}

func TestHealthFollowsTheTasks(t *testing.T) {
	s := newFixture(t)
	response, body := s.get("https://" + domain + "/health")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Contains(t, body, "503 Service Temporarily Unavailable", "the load balancer has no target yet")

	s.clock.now = s.clock.now.Add(time.Minute)
	response, body = s.get("https://" + domain + "/health")
	require.Equal(t, http.StatusOK, response.StatusCode)
	var health struct {
		Status string
		Uptime int
		Memory struct{ Used, Total int }
	}
	require.NoError(t, json.Unmarshal([]byte(body), &health), "uptime and memory are whole numbers")
	require.Equal(t, "healthy", health.Status)
	require.InDelta(t, 30, health.Uptime, 1)
	require.Equal(t, 1024, health.Memory.Total, "in megabytes")
	require.Equal(t, 409, health.Memory.Used)

	response, body = s.get("https://" + domain + "/health/ready")
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.JSONEq(t, `{"status":"ready","database":"connected"}`, body)

	response, _ = s.get("https://" + domain + "/nowhere")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
}

func TestDatabaseUnavailable(t *testing.T) {
	s := newFixture(t, "database-unavailable")
	s.clock.now = s.clock.now.Add(time.Minute)
	response, body := s.get("https://" + domain + "/health/ready")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.JSONEq(t, `{"status":"unavailable","database":"disconnected"}`, body)
}

func TestGraphQL(t *testing.T) {
	s := newFixture(t)
	s.clock.now = s.clock.now.Add(time.Minute)
	for query, want := range map[string]string{
		`{"query":"query { __typename }"}`: `{"data":{"__typename":"Query"}}`,
		`{"query":"{ pools { id } }"}`:     `{"errors":[{"message":"the simulated API answers only { __typename }"}]}`,
	} {
		response, err := s.client().Post("https://"+domain+"/graphql", "application/json", strings.NewReader(query))
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.JSONEq(t, want, string(body))
	}
}

// TestFirewall sends a GraphQL request by GET that is longer than 2 KB: a web ACL blocks it before the application gets it, unless the rule
// only counts. An override with a misspelled name has no effect.
func TestFirewall(t *testing.T) {
	long := "https://staging-api.hyperchonk.com/graphql?query=" + strings.Repeat("a", 2048)
	for name, want := range map[string]int{
		"": http.StatusForbidden, "SizeRestrictions_QUERY": http.StatusForbidden, "SizeRestrictions_QUERYSTRING": http.StatusNotFound,
	} {
		s := newFixture(t)
		s.clock.now = s.clock.now.Add(time.Minute)
		response, _ := s.get(long)
		require.Equal(t, http.StatusNotFound, response.StatusCode, "without a web ACL the application answers")
		group := object{"name": "AWSManagedRulesCommonRuleSet", "vendorName": "AWS"}
		if name != "" {
			group["ruleActionOverrides"] = []any{object{"name": name, "actionToUse": object{"count": object{}}}}
		}
		acl := s.create("aws:wafv2/webAcl:WebAcl", object{
			"name": "waf", "scope": "REGIONAL", "defaultAction": object{"allow": object{}}, "visibilityConfig": object{},
			"rules": []any{object{"name": "common", "priority": 1.0, "statement": object{"managedRuleGroupStatement": group}}},
		})
		balancers, err := s.account.Balancers()
		require.NoError(t, err)
		for _, b := range balancers {
			if b.Name == "staging" {
				s.create("aws:wafv2/webAclAssociation:WebAclAssociation", object{"resourceArn": b.ARN, "webAclArn": acl.Text("arn")})
			}
		}
		blocked, body := s.get(long)
		require.Equal(t, want, blocked.StatusCode, name)
		require.Equal(t, want == http.StatusForbidden, strings.Contains(body, "<title>403 Forbidden</title>"))
		response, _ = s.get("https://staging-api.hyperchonk.com/health")
		require.Equal(t, http.StatusOK, response.StatusCode)
	}
}

func TestPlainHTTPIsRedirected(t *testing.T) {
	s := newFixture(t)
	response, _ := s.get("http://" + domain + "/health?a=b")
	require.Equal(t, http.StatusMovedPermanently, response.StatusCode)
	require.Equal(t, "https://"+domain+":443/health?a=b", response.Header.Get("Location"))
}

// certificateOf returns the certificate that a host presents for a server name.
func (f *fixture) certificateOf(host, serverName string) (*x509.Certificate, error) {
	conn, err := f.network.Dial(f.t.Context(), "tcp", net.JoinHostPort(host, "443"))
	if err != nil {
		return nil, err
	}
	client := tls.Client(conn, &tls.Config{ServerName: serverName, RootCAs: f.network.Roots})
	defer func() { _ = client.Close() }()
	if err := client.HandshakeContext(f.t.Context()); err != nil {
		return nil, err
	}
	return client.ConnectionState().PeerCertificates[0], nil
}

func TestCertificateBelongsToTheLoadBalancer(t *testing.T) {
	s := newFixture(t)
	certificate, err := s.certificateOf(s.dnsNames[0], domain)
	require.NoError(t, err)
	require.Equal(t, []string{domain}, certificate.DNSNames)
	require.Equal(t, "deployer local authority", certificate.Issuer.CommonName)

	_, err = s.certificateOf(s.dnsNames[1], domain)
	var wrong x509.HostnameError
	require.ErrorAs(t, err, &wrong, "another load balancer presents its own certificate for every name")
	require.Equal(t, []string{"other-api.hyperchonk.com"}, wrong.Certificate.DNSNames)
}

func TestBrokenCertificates(t *testing.T) {
	_, err := newFixture(t, "certificate-expired").certificateOf(domain, domain)
	var invalid x509.CertificateInvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, x509.Expired, invalid.Reason)

	_, err = newFixture(t, "certificate-wrong-name").certificateOf(domain, domain)
	var wrong x509.HostnameError
	require.ErrorAs(t, err, &wrong)
}

func TestNames(t *testing.T) {
	s := newFixture(t)
	byDomain, err := s.network.Resolver.LookupHost(t.Context(), domain)
	require.NoError(t, err)
	byName, err := s.network.Resolver.LookupHost(t.Context(), s.dnsNames[0])
	require.NoError(t, err)
	require.Equal(t, byName, byDomain)
	require.True(t, net.ParseIP(byDomain[0]).IsLoopback())
	other, err := s.network.Resolver.LookupHost(t.Context(), "other-api.hyperchonk.com")
	require.NoError(t, err)
	require.NotEqual(t, byDomain, other)

	servers, err := s.network.Resolver.LookupNS(t.Context(), "hyperchonk.com")
	require.NoError(t, err)
	require.Len(t, servers, 4)

	for name, ask := range map[string]func() error{
		"host": func() error {
			_, err := s.network.Resolver.LookupHost(t.Context(), "example.org")
			return err
		},
		"zone": func() error {
			_, err := s.network.Resolver.LookupNS(t.Context(), "example.org")
			return err
		},
	} {
		var missing *net.DNSError
		require.ErrorAs(t, ask(), &missing, name)
		require.True(t, missing.IsNotFound)
	}
}

func TestNamesUnderFaults(t *testing.T) {
	s := newFixture(t, "dns-missing", "not-delegated")
	_, err := s.network.Resolver.LookupHost(t.Context(), domain)
	require.Error(t, err)
	_, err = s.network.Resolver.LookupHost(t.Context(), s.dnsNames[0])
	require.NoError(t, err, "the load balancer's own name still resolves")
	servers, err := s.network.Resolver.LookupNS(t.Context(), "hyperchonk.com")
	require.NoError(t, err)
	require.Contains(t, servers[0].Host, "registrar-parking")
}

func TestOtherConnectionsAreRefused(t *testing.T) {
	s := newFixture(t)
	for _, address := range []string{domain + ":22", "127.0.0.1:443", "192.0.2.1:443"} {
		_, err := s.network.Dial(t.Context(), "tcp", address)
		require.ErrorIs(t, err, syscall.ECONNREFUSED, address)
	}
}

func TestServe(t *testing.T) {
	s := newFixture(t)
	s.clock.now = s.clock.now.Add(time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	address, err := s.server.Serve(ctx, "127.0.0.1:0")
	require.NoError(t, err)
	s.network.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address.String())
	}
	response, _ := s.get("https://" + domain + "/health")
	require.Equal(t, http.StatusOK, response.StatusCode)
	response, _ = s.get("https://other-api.hyperchonk.com/health")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	cancel()
	require.Eventually(t, func() bool {
		conn, err := s.network.Dial(t.Context(), "tcp", "")
		if err != nil {
			return true
		}
		return conn.Close() != nil
	}, 5*time.Second, 5*time.Millisecond)
}

// testDomains are those that the account's certificates name.
var testDomains = []string{"hyperchonk.com", cloud.ForeignDomain}

// The authority signs for its domains only, and is replaced where it permits others or soon expires.
func TestAuthorityIsConstrained(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "ca"), time.Now()
	open := func(domains []string, at time.Time) *Authority {
		authority, err := OpenAuthority(dir, domains, at)
		require.NoError(t, err)
		return authority
	}
	first := open(testDomains, now)
	for name, valid := range map[string]bool{
		"staging-api.hyperchonk.com": true, "hyperchonk.com": true, "old-api.balancer.example": true,
		"www.bank.com": false, "hyperchonk.com.evil.net": false, "nothyperchonk.com": false,
	} {
		issued, err := first.Issue(cloud.Certificate{ARN: name, Names: []string{name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)})
		require.NoError(t, err)
		leaf, err := x509.ParseCertificate(issued.Certificate[0])
		require.NoError(t, err)
		_, err = leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: first.Roots()})
		require.Equal(t, valid, err == nil, "%s: %v", name, err)
	}
	require.True(t, first.certificate.PermittedDNSDomainsCritical)
	require.Len(t, first.certificate.ExcludedIPRanges, 2)
	require.LessOrEqual(t, first.certificate.NotAfter.Sub(now), authorityLifetime)

	same := func(a *Authority) bool { return a.certificate.Equal(first.certificate) }
	require.True(t, same(open(testDomains[:1], now)), "it permits more")
	require.True(t, same(open(nil, now.Add(2*authorityLifetime))), "without domains it is used as it is")
	require.False(t, same(open(testDomains, now.Add(authorityLifetime-minAuthorityLifetime+time.Hour))), "it soon expires")
	first = open(testDomains, now)
	require.False(t, same(open(append(slices.Clone(testDomains), "example.org"), now)), "it does not permit a domain")
}

func TestAuthorityIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	first, err := OpenAuthority(dir, testDomains, time.Now())
	require.NoError(t, err)
	second, err := OpenAuthority(dir, testDomains, time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.True(t, first.certificate.Equal(second.certificate))
	info, err := os.Stat(filepath.Join(dir, keyFile))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.NoError(t, os.WriteFile(filepath.Join(dir, CertificateFile), []byte("nothing"), 0o600))
	_, err = OpenAuthority(dir, testDomains, time.Now())
	require.ErrorContains(t, err, "read the local authority in "+dir)
}

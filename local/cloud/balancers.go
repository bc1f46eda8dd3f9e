package cloud

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Balancer is a load balancer as clients see it.
type Balancer struct {
	ARN, Name, DNSName string
	Listeners          []Listener
}

// Listener is one port of a load balancer.
type Listener struct {
	Port int
	// Certificate is presented to clients; nil for plain HTTP.
	Certificate *Certificate
	// Redirect is where every request is redirected to; nil if requests are forwarded to Target.
	Redirect *Redirect
	// Target is the healthy task that answers; nil if there is none.
	Target *Target
	// BlockingRules are those of BlockableRules that the web ACL blocks by, instead of counting.
	BlockingRules []string
}

// BlockableRules returns the rules of AWSManagedRulesCommonRuleSet that are simulated.
func BlockableRules() []string {
	return []string{"SizeRestrictions_QUERYSTRING", "SizeRestrictions_BODY", "CrossSiteScripting_QUERYARGUMENTS", "GenericLFI_QUERYARGUMENTS"}
}

// blockingRules returns the rules that the web ACL of a load balancer blocks by. Overrides of other rules, or with misspelled names, have no
// effect, as in WAF.
func (m model) blockingRules(balancer *Resource) []string {
	association := m.Find(typeWebACLAssociation, "resourceArn", balancer.ID)
	if association == nil {
		return nil
	}
	acl := m.Find(typeWebACL, "arn", association.Text("webAclArn"))
	if acl == nil {
		return nil
	}
	blocking := []string{}
	for _, block := range acl.Blocks("rules") {
		group := ruleOfACL(block).Statement.ManagedRuleGroupStatement
		if group == nil || deref(group.Name) != "AWSManagedRulesCommonRuleSet" {
			continue
		}
		blocking = BlockableRules()
		for _, override := range group.RuleActionOverrides {
			if override.ActionToUse.Count != nil {
				blocking = slices.DeleteFunc(blocking, func(name string) bool { return name == deref(override.Name) })
			}
		}
	}
	return blocking
}

// Certificate is a certificate that ACM has issued.
type Certificate struct {
	ARN                 string
	Names               []string
	NotBefore, NotAfter time.Time
}

// Redirect is the response of a listener that forwards nothing. Its parts may hold #{host}, #{path}, #{port} and
// #{query}, as in https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RedirectActionConfig.html
type Redirect struct {
	Code                              int
	Protocol, Host, Port, Path, Query string
}

// Target is a healthy task behind a load balancer.
type Target struct {
	Started time.Time
	// Memory is in bytes.
	Memory int64
	// Database reports whether the application reaches its database.
	Database bool
}

// Balancers returns the account's load balancers, sorted by name.
func (a *Account) Balancers() ([]Balancer, error) {
	var all []Balancer
	err := a.View(func(s *State) error {
		m := a.model(s)
		for _, r := range s.ByType(typeLoadBalancer) {
			if !r.Pending {
				all = append(all, m.balancer(r))
			}
		}
		slices.SortFunc(all, func(x, y Balancer) int { return cmp.Compare(x.Name, y.Name) })
		return nil
	})
	return all, err
}

// Resolve returns the DNS name of the load balancer that a name resolves to, by an alias in the account's zones or by
// its own DNS name; "" if there is none.
func (a *Account) Resolve(name string) (dnsName string, err error) {
	err = a.View(func(s *State) error {
		if r := a.model(s).balancerOf(name); r != nil {
			dnsName = r.Text("dnsName")
		}
		return nil
	})
	return dnsName, err
}

// ForeignDomain is that of the certificate for another name. No site can have it.
// Source: https://www.rfc-editor.org/rfc/rfc2606
const ForeignDomain = "balancer.example"

// parkingNameServers are the name servers of a registrar that does not delegate to the zone.
var parkingNameServers = []string{"ns1.registrar-parking.example", "ns2.registrar-parking.example"}

// NameServers returns the name servers that public DNS returns for a zone; none if the zone does not exist.
func (a *Account) NameServers(zone string) (servers []string, err error) {
	err = a.View(func(s *State) error {
		r := s.Find(typeZone, "name", strings.TrimSuffix(zone, "."))
		switch {
		case r == nil:
		case a.Fault(faultNotDelegated):
			servers = slices.Clone(parkingNameServers)
		default:
			servers = r.Strings("nameServers")
		}
		return nil
	})
	return servers, err
}

func (m model) balancer(r *Resource) Balancer {
	b := Balancer{ARN: r.ID, Name: r.Text("name"), DNSName: r.Text("dnsName")}
	blocking := m.blockingRules(r)
	for _, listener := range m.ByType(typeListener) {
		if listener.Text("loadBalancerArn") == r.ID {
			l := m.listener(listener)
			l.BlockingRules = blocking
			b.Listeners = append(b.Listeners, l)
		}
	}
	return b
}

func (m model) listener(r *Resource) Listener {
	l := Listener{Port: numberOr(r, "port", 0)}
	if certificate := m.Get(typeCertificate, r.Text("certificateArn")); certificate != nil {
		from, to := m.validity(certificate)
		l.Certificate = &Certificate{
			ARN: certificate.ID, Names: certificate.Strings("subjectAlternativeNames"), NotBefore: from, NotAfter: to,
		}
		if m.faults[faultCertificateName] {
			l.Certificate.Names = []string{"old-api." + ForeignDomain}
		}
	}
	for _, action := range r.Blocks("defaultActions") {
		if redirect, ok := action["redirect"].(map[string]any); ok {
			l.Redirect = redirectOf(redirect)
		}
	}
	if healthy := m.healthyTargets(r); len(healthy) > 0 {
		t := healthy[0]
		l.Target = &Target{Started: t.Started, Database: m.databaseServes() && m.knowsPassword(t.task)}
		if d, found := m.definition(t.Definition); found {
			l.Target.Memory = int64(numberOr(d.Resource, "memory", 0)) << 20
		}
	}
	return l
}

func redirectOf(block map[string]any) *Redirect {
	code := 302
	if blockText(block, "statusCode") == "HTTP_301" {
		code = 301
	}
	return &Redirect{
		Code: code, Protocol: cmp.Or(blockText(block, "protocol"), "#{protocol}"), Host: cmp.Or(blockText(block, "host"), "#{host}"),
		Port: cmp.Or(blockText(block, "port"), "#{port}"), Path: cmp.Or(blockText(block, "path"), "/#{path}"),
		Query: cmp.Or(blockText(block, "query"), "#{query}"),
	}
}

package cloud

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

var refZone = refTo("zoneId", typeZone, "NoSuchHostedZone", "No hosted zone found with ID: %s")

// nameTypes are the types of ACM and Route 53: https://docs.aws.amazon.com/acm/latest/APIReference/CommonErrors.html
// and https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
var nameTypes = map[string]resourceType{
	typeCertificate: {
		name: "domainName",
		id:   "${arn}",
		replaceOnChange: []string{"domainName", "subjectAlternativeNames", "validationMethod", "keyAlgorithm",
			"certificateAuthorityArn", "validationOptions"},
		defaults: values{"keyAlgorithm": "RSA_2048", "type": "AMAZON_ISSUED", "status": "PENDING_VALIDATION",
			"renewalEligibility": "INELIGIBLE", "pendingRenewal": false, "validationEmails": array(),
			"renewalSummaries": array(), "notAfter": "", "notBefore": ""},
		computed: map[string]string{"arn": "arn:aws:acm:${region}:${account}:certificate/${uuid}"},
		rules:    []rule{oneOf("validationMethod", "DNS", "EMAIL", "NONE")},
		compute:  computeCertificate,
		inUse:    errorTemplate{"ResourceInUseException", "Certificate %s is in use."}, deleteTimeout: 20 * time.Minute,
	},
	typeCertificateValidation: {
		id:       "${certificateArn}",
		required: []string{"certificateArn"}, replaceOnChange: []string{"certificateArn", "validationRecordFqdns"},
		refs: []ref{refTo("certificateArn", typeCertificate, "ResourceNotFoundException",
			"Could not find certificate %s.")},
		validate:      validateCertificateRecords,
		creationDelay: 30 * time.Second,
	},
	typeZone: {
		name:            "name",
		id:              "Z${HEX20}",
		replaceOnChange: []string{"name", "delegationSetId"},
		defaults:        values{"comment": "Managed by Pulumi", "forceDestroy": false, "vpcs": array()},
		computed: map[string]string{
			"zoneId": "${id}", "arn": "arn:aws:route53:::hostedzone/${id}",
		},
		compute: func(_ *State, r *Resource) {
			var servers []any
			for i, top := range []string{"com", "net", "org", "co.uk"} {
				servers = append(servers, fmt.Sprintf("ns-%d.awsdns-%02d.%s", r.Serial%512+512*i, i*9+1, top))
			}
			r.Outputs["nameServers"], r.Outputs["primaryNameServer"] = servers, servers[0]
		},
		onDelete: func(s *State, r *Resource) error {
			for _, record := range s.ByType(typeRecord) {
				if record.Text("zoneId") == r.ID && !r.Bool("forceDestroy") {
					return errorf("HostedZoneNotEmpty",
						"The specified hosted zone contains non-required resource record sets and so cannot be deleted.")
				}
			}
			return nil
		},
		creationDelay: 15 * time.Second,
	},
	typeRecord: {
		name: "name",
		id:   "${zoneId}_${name}_${type}",
		importID: func(r *Resource) string {
			return r.Text("zoneId") + "_" + strings.TrimSuffix(r.Text("name"), ".") + "_" + r.Text("type")
		},
		required: []string{"zoneId", "type"}, replaceOnChange: []string{"zoneId", "name"},
		rules: []rule{oneOf("type", "A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA",
			"SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT"), validCAA},
		refs: []ref{refZone, refTo("healthCheckId", typeHealthCheck, "InvalidInput",
			"The health check %s does not exist")},
		compute: func(s *State, r *Resource) {
			zone := s.Get(typeZone, r.Text("zoneId")).Text("name")
			r.Outputs["fqdn"] = strings.TrimSuffix(strings.ToLower(r.Text("name")), ".")
			if !strings.HasSuffix(r.Text("fqdn"), zone) {
				r.Outputs["fqdn"] = r.Text("fqdn") + "." + zone
			}
		},
		conflict:      errorTemplate{"InvalidChangeBatch", "[Tried to create resource record set [name='%s'] but it already exists]"},
		creationDelay: 10 * time.Second,
	},
	typeHealthCheck: {
		id:       "${uuid}",
		required: []string{"type"}, replaceOnChange: []string{"type", "requestInterval", "measureLatency", "referenceName"},
		defaults: values{"enableSni": true, "failureThreshold": 3.0, "requestInterval": 30.0, "disabled": false,
			"measureLatency": false},
		computed: map[string]string{"arn": "arn:aws:route53:::healthcheck/${id}"},
	},
}

// computeCertificate computes the DNS records that validate the names.
func computeCertificate(_ *State, r *Resource) {
	names := append([]string{r.Text("domainName")}, r.Strings("subjectAlternativeNames")...)
	r.Outputs["subjectAlternativeNames"] = array()
	var options []any
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		r.Outputs["subjectAlternativeNames"] = append(r.Outputs["subjectAlternativeNames"].([]any), name)
		options = append(options, map[string]any{
			"domainName":         name,
			"resourceRecordName": fmt.Sprintf("_%s.%s.", random(r, "hex32."+name), strings.TrimPrefix(name, "*.")),
			"resourceRecordType": "CNAME",
			"resourceRecordValue": fmt.Sprintf("_%s.%s.acm-validations.aws.", random(r, "hex32.value."+name),
				random(r, "hex10."+name)),
		})
	}
	r.Outputs["domainValidationOptions"] = options
}

// caaValue matches a value of a CAA record.
// Source: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#CAAFormat
var caaValue = lazyregexp.New(`^(\d{1,3}) ([A-Za-z0-9]{1,15}) "([^"]*)"$`)

// validCAA rejects a CAA record with a value that Route 53 cannot read.
func validCAA(in values) (property, reason string) {
	if text(in["type"]) != "CAA" {
		return "", ""
	}
	for _, value := range stringsAt(map[string]any(in), "records") {
		if !caaValue.MatchString(value) {
			return "records", fmt.Sprintf("FATAL problem: CAARRDATAIllegalFormat encountered with '%s'", value)
		}
	}
	return "", ""
}

// amazonAuthorities are the names by which a CAA record allows ACM to issue a certificate.
// Source: https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html
var amazonAuthorities = []string{"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"}

// caaAllowsAmazon reports whether the CAA records allow ACM a certificate for a name. The record of the name counts,
// or of the nearest domain above that has one; for a wildcard issuewild counts, where there is one.
// Source: https://www.rfc-editor.org/rfc/rfc8659
func (s *State) caaAllowsAmazon(name string) bool {
	domain, wildcard := strings.CutPrefix(name, "*.")
	for ; domain != ""; _, domain, _ = strings.Cut(domain, ".") {
		for _, record := range s.ByType(typeRecord) {
			if record.Text("type") != "CAA" || record.Text("fqdn") != domain {
				continue
			}
			byTag := map[string][]string{}
			for _, value := range record.Strings("records") {
				parts := caaValue.FindStringSubmatch(value)
				byTag[strings.ToLower(parts[2])] = append(byTag[strings.ToLower(parts[2])], parts[3])
			}
			issuers := byTag["issue"]
			if wildcard && len(byTag["issuewild"]) > 0 {
				issuers = byTag["issuewild"]
			}
			return len(issuers) == 0 || slices.ContainsFunc(issuers,
				func(issuer string) bool { return slices.Contains(amazonAuthorities, issuer) })
		}
	}
	return true
}

// validateCertificateRecords checks that the validation records of a certificate exist in a hosted zone, and that no
// CAA record excludes ACM.
func validateCertificateRecords(s *State, r *Resource) error {
	certificate := s.Get(typeCertificate, r.Text("certificateArn"))
	for _, option := range certificate.Blocks("domainValidationOptions") {
		name := text(option["resourceRecordName"])
		if s.Find(typeRecord, "fqdn", strings.TrimSuffix(name, ".")) == nil {
			return errorf("RequestTimeout",
				"waiting for ACM Certificate (%s) to be issued: timeout while waiting for state to become "+
					"'ISSUED' (last state: 'PENDING_VALIDATION'): the record %s does not exist", certificate.ID, name)
		}
		if !s.caaAllowsAmazon(text(option["domainName"])) {
			return errorf("CAA_ERROR",
				"waiting for ACM Certificate (%s) to be issued: unexpected state 'FAILED', wanted target 'ISSUED'. "+
					"last error: CAA_ERROR", certificate.ID)
		}
	}
	return nil
}

// Issued reports whether ACM has issued the certificate, after its names were validated.
func (s *State) Issued(certificateARN string) bool {
	validation := s.Get(typeCertificateValidation, certificateARN)
	return validation != nil && !validation.Pending
}

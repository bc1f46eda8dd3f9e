package checks

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/hostedzone"
	"github.com/balancer/v3-backend-infra/probe"
)

// How many days before its end a certificate is reported. ACM renews from 60 days before the end, so with less than 30 left the
// renewal has failed.
// Source: https://docs.aws.amazon.com/acm/latest/userguide/managed-renewal.html
const (
	daysBeforeWarning = 30
	daysBeforeError   = 7
)

// readCertificate returns the certificate of the environment's domain, or nil where there is none. Of several it prefers one in
// use, then an issued one, then the newest.
func readCertificate(ctx context.Context, rc *runContext) (*acmtypes.CertificateDetail, error) {
	return cached(ctx, &rc.cache, certificateKey, func(ctx context.Context) (*acmtypes.CertificateDetail, error) {
		client := acm.NewFromConfig(rc.aws())
		listed, err := awsx.Pages(ctx, acm.NewListCertificatesPaginator(client, &acm.ListCertificatesInput{
			// By default only RSA certificates of up to 2048 bits are listed.
			Includes: &acmtypes.Filters{KeyTypes: acmtypes.KeyAlgorithm("").Values()},
		}), func(out *acm.ListCertificatesOutput) []acmtypes.CertificateSummary { return out.CertificateSummaryList })
		if err != nil {
			return nil, err
		}
		own := slices.DeleteFunc(listed, func(c acmtypes.CertificateSummary) bool {
			return !hostedzone.SameName(aws.ToString(c.DomainName), rc.env.Domain.Name)
		})
		details, err := forEach(ctx, own, func(ctx context.Context, summary acmtypes.CertificateSummary) ([]acmtypes.CertificateDetail, error) {
			out, err := client.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: summary.CertificateArn})
			if err != nil {
				return nil, ignoreCodes(err, "ResourceNotFoundException")
			}
			return []acmtypes.CertificateDetail{*out.Certificate}, nil
		})
		if err != nil || len(details) == 0 {
			return nil, err
		}
		best := slices.MaxFunc(details, compareCertificates)
		return &best, nil
	})
}

func compareCertificates(a, b acmtypes.CertificateDetail) int {
	rank := func(c acmtypes.CertificateDetail) int {
		switch {
		case len(c.InUseBy) > 0:
			return 2
		case c.Status == acmtypes.CertificateStatusIssued:
			return 1
		}
		return 0
	}
	return cmp.Or(rank(a)-rank(b), aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt)))
}

func checkCertificate(ctx context.Context, rc *runContext) ([]Finding, error) {
	certificate, err := readCertificate(ctx, rc)
	if err != nil {
		return nil, err
	}
	if certificate == nil || certificate.Status == acmtypes.CertificateStatusIssued {
		return []Finding{evaluateCertificate(certificate, validation{}, rc.env, rc.now)}, nil
	}
	// The cause is in the zone or at the registrar; what cannot be read is not reported as the cause.
	prefetch(ctx, rc, readZone)
	prefetch(ctx, rc, readDelegation)
	records, recordsErr := readRecords(ctx, rc)
	zone, zoneErr := readZone(ctx, rc)
	registrar, delegationErr := readDelegation(ctx, rc)
	return []Finding{evaluateCertificate(certificate, validation{
		records: records, recordsKnown: recordsErr == nil,
		delegated: isDelegated(zone, registrar), delegationKnown: zoneErr == nil && delegationErr == nil,
	}, rc.env, rc.now)}, nil
}

// validation is what ACM's validation of a domain depends on.
type validation struct {
	records                    []r53types.ResourceRecordSet
	recordsKnown               bool
	delegated, delegationKnown bool
}

func evaluateCertificate(
	certificate *acmtypes.CertificateDetail, v validation, env *environment.Environment, now time.Time,
) Finding {
	f := newFinding("certificate", "ACM-Certificate-"+env.Domain.Name)
	if certificate == nil {
		return f.error("CertificateMissing", missingFromHint(env, "the certificate"), "there is no certificate for %s", env.Domain.Name)
	}
	f = f.with("status", string(certificate.Status)).with("names", certificate.SubjectAlternativeNames).
		with("in_use", len(certificate.InUseBy) > 0)
	if certificate.RenewalSummary != nil {
		f = f.with("renewal", string(certificate.RenewalSummary.RenewalStatus))
	}
	days := 0
	if certificate.NotAfter != nil {
		days = probe.DaysLeft(*certificate.NotAfter, now)
		f = f.with("not_after", certificate.NotAfter.UTC().Format(time.RFC3339)).with("days_left", days)
	}
	renewal := Hint{
		Cause:    "ACM could not renew it: its validation record is missing, or the name servers changed",
		Solution: "check that the zone has the validation record and is delegated", Command: command(env, "status") + " --only dns,delegation",
	}
	switch {
	case certificate.Status == acmtypes.CertificateStatusPendingValidation:
		return evaluatePending(f, *certificate, v, env, now)
	case certificate.Status == acmtypes.CertificateStatusExpired || certificate.NotAfter != nil && now.After(*certificate.NotAfter):
		return f.error("CertificateExpired", renewal, "the certificate for %s has expired%s", env.Domain.Name, onDate(certificate.NotAfter))
	case certificate.Status == "" || certificate.Status == acmtypes.CertificateStatusIssued && certificate.NotAfter == nil:
		return f.unknown("CertificateUnknown", incompleteAnswer("DescribeCertificate", "a status or NotAfter"),
			"it is unknown whether the certificate for %s is valid", env.Domain.Name)
	case certificate.Status != acmtypes.CertificateStatusIssued:
		return f.error("CertificateNotIssued", deployHint(env, cmp.Or(string(certificate.FailureReason), "ACM has stopped trying")),
			"the certificate is %s", certificate.Status)
	case !coversName(*certificate, env.Domain.Name):
		return f.error("WrongNames", driftHint(env, "it was requested for another name"+undeployedFile(env)),
			"the certificate is for %s, not for %s", strings.Join(certificate.SubjectAlternativeNames, ", "), env.Domain.Name)
	case days < daysBeforeError:
		return f.error("CertificateExpiring", renewal, "the certificate has %d days left", days)
	case days < daysBeforeWarning:
		return f.warning("CertificateExpiring", renewal, "the certificate has %d days left", days)
	}
	return f.healthy("Issued", "issued for %s, %d days left", env.Domain.Name, days)
}

// evaluatePending handles a certificate that waits for validation, which takes minutes where DNS is set up correctly.
func evaluatePending(
	f findingBuilder, certificate acmtypes.CertificateDetail, v validation, env *environment.Environment, now time.Time,
) Finding {
	missing := missingValidation(certificate, v.records)
	if v.recordsKnown {
		f = f.with("missing_validation_records", missing)
	}
	if v.delegationKnown {
		f = f.with("delegated", v.delegated)
	}
	age := ""
	if waited := now.Sub(aws.ToTime(certificate.CreatedAt)).Truncate(time.Minute); certificate.CreatedAt != nil && waited > 0 {
		age = fmt.Sprintf(" for %s", waited)
	}
	switch {
	case v.delegationKnown && !v.delegated:
		return f.error("NotDelegated", Hint{
			Cause:    "the registrar does not have the zone's name servers, so that ACM cannot see the validation record",
			Solution: "enter the zone's name servers at the registrar", Command: "deployer outputs --env shared",
		}, "the certificate has been waiting for validation%s: the domain is not delegated", age)
	case v.recordsKnown && len(missing) > 0:
		return f.error("ValidationRecordMissing", deployHint(env, "the record was deleted or never created"),
			"the certificate has been waiting for validation%s: %d validation records are missing", age, len(missing))
	}
	return f.warning("PendingValidation", Hint{
		Cause:    "ACM has not checked it yet, or cannot see the validation record",
		Solution: "wait a few minutes; then compare the name servers", Command: command(env, "status") + " --only delegation,certificate",
	}, "the certificate has been waiting for validation%s", age)
}

// missingValidation returns the names of the validation records that are not in the zone.
func missingValidation(certificate acmtypes.CertificateDetail, records []r53types.ResourceRecordSet) []string {
	missing := []string{}
	for _, option := range certificate.DomainValidationOptions {
		if option.ResourceRecord == nil {
			continue
		}
		name := aws.ToString(option.ResourceRecord.Name)
		if findRecord(records, name, r53types.RRType(option.ResourceRecord.Type)) == nil && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// coversName reports whether the certificate is valid for the name, directly or by a wildcard.
func coversName(certificate acmtypes.CertificateDetail, name string) bool {
	_, parent, _ := strings.Cut(name, ".")
	names := append([]string{aws.ToString(certificate.DomainName)}, certificate.SubjectAlternativeNames...)
	return slices.ContainsFunc(names, func(n string) bool { return hostedzone.SameName(n, name) || hostedzone.SameName(n, "*."+parent) })
}

func onDate(end *time.Time) string {
	if end == nil {
		return ""
	}
	return " on " + end.UTC().Format(time.DateOnly)
}

// certificateSection returns the report's section about the certificate, from what the run has read.
func certificateSection(rc *runContext) []Certificate {
	certificate, ok := peek[*acmtypes.CertificateDetail](&rc.cache, certificateKey)
	if !ok || certificate == nil {
		return []Certificate{}
	}
	section := Certificate{Domain: aws.ToString(certificate.DomainName), Status: string(certificate.Status)}
	if certificate.NotAfter != nil {
		end, days := certificate.NotAfter.UTC(), probe.DaysLeft(*certificate.NotAfter, rc.now)
		section.NotAfter, section.DaysLeft = &end, &days
	}
	return []Certificate{section}
}

package cloud

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"
)

func acmOperations() []operation {
	return []operation{readOp(listCertificates), readOp(describeCertificate)}
}

// certificateLifetime is how long ACM issues certificates for: 13 months.
// https://docs.aws.amazon.com/acm/latest/userguide/acm-certificate-characteristics.html
const certificateLifetime = 395 * 24 * time.Hour

// validity returns the validity period of a certificate under the current faults. It starts at the beginning of a day
// and ends at the end of one.
func (m model) validity(r *Resource) (from, to time.Time) {
	const day = 24 * time.Hour
	from = r.Created.Truncate(day)
	to = from.Add(certificateLifetime - time.Second)
	switch {
	case m.faults[faultCertificateExpired]:
		to = m.now.Truncate(day).Add(-time.Second)
	case m.faults[faultCertificateExpiring]:
		to = m.now.Truncate(day).Add(11*day - time.Second)
	}
	if to.Before(from) {
		from = to.Add(-certificateLifetime)
	}
	return from, to
}

// certificateStatus returns ACM's status of a certificate.
func (m model) certificateStatus(r *Resource) types.CertificateStatus {
	_, to := m.validity(r)
	switch {
	case !m.Issued(r.ID):
		return types.CertificateStatusPendingValidation
	case to.Before(m.now):
		return types.CertificateStatusExpired
	}
	return types.CertificateStatusIssued
}

// inUseBy returns the load balancers that present the certificate.
func (s *State) inUseBy(certificate string) []string {
	var arns []string
	for _, listener := range s.ByType(typeListener) {
		if arn := listener.Text("loadBalancerArn"); listener.Text("certificateArn") == certificate && !slices.Contains(arns, arn) {
			arns = append(arns, arn)
		}
	}
	return arns
}

func listCertificates(m model, in *acm.ListCertificatesInput) (*acm.ListCertificatesOutput, error) {
	var found []types.CertificateSummary
	for _, r := range m.ByType(typeCertificate) {
		status := m.certificateStatus(r)
		if len(in.CertificateStatuses) > 0 && !slices.Contains(in.CertificateStatuses, status) {
			continue
		}
		summary := types.CertificateSummary{
			CertificateArn: aws.String(r.Text("arn")), DomainName: aws.String(r.Text("domainName")), Status: status, CreatedAt: &r.Created,
			InUse: aws.Bool(len(m.inUseBy(r.ID)) > 0), KeyAlgorithm: types.KeyAlgorithmRsa2048, Type: types.CertificateTypeAmazonIssued,
			SubjectAlternativeNameSummaries: r.Strings("subjectAlternativeNames"), RenewalEligibility: types.RenewalEligibilityEligible,
		}
		if status != types.CertificateStatusPendingValidation {
			from, to := m.validity(r)
			summary.IssuedAt, summary.NotBefore, summary.NotAfter = aws.Time(from), aws.Time(from), aws.Time(to)
		}
		found = append(found, summary)
	}
	found, next, err := page(found, in.NextToken, in.MaxItems, 1000)
	return &acm.ListCertificatesOutput{CertificateSummaryList: found, NextToken: next}, err
}

func describeCertificate(m model, in *acm.DescribeCertificateInput) (*acm.DescribeCertificateOutput, error) {
	r := m.findByName(typeCertificate, deref(in.CertificateArn), "arn")
	if r == nil {
		return nil, &types.ResourceNotFoundException{Message: aws.String(fmt.Sprintf("Could not find certificate %s.", deref(in.CertificateArn)))}
	}
	status := m.certificateStatus(r)
	d := &types.CertificateDetail{
		CertificateArn: aws.String(r.Text("arn")), DomainName: aws.String(r.Text("domainName")), Status: status, CreatedAt: &r.Created,
		Subject: aws.String("CN=" + r.Text("domainName")), SubjectAlternativeNames: r.Strings("subjectAlternativeNames"),
		KeyAlgorithm: types.KeyAlgorithmRsa2048, Type: types.CertificateTypeAmazonIssued, InUseBy: m.inUseBy(r.ID),
		RenewalEligibility: types.RenewalEligibilityIneligible,
	}
	if status != types.CertificateStatusPendingValidation {
		from, to := m.validity(r)
		d.IssuedAt, d.NotBefore, d.NotAfter, d.Issuer = aws.Time(from), aws.Time(from), aws.Time(to), aws.String("Amazon")
		d.Serial = aws.String(formatSerial(m.derive("serial", r.ID)))
		d.RenewalEligibility = types.RenewalEligibilityEligible
	}
	for _, option := range r.Blocks("domainValidationOptions") {
		name, validated := blockText(option, "resourceRecordName"), types.DomainStatusPendingValidation
		if status != types.CertificateStatusPendingValidation {
			validated = types.DomainStatusSuccess
		}
		d.DomainValidationOptions = append(d.DomainValidationOptions, types.DomainValidation{
			DomainName: aws.String(blockText(option, "domainName")), ValidationMethod: types.ValidationMethodDns, ValidationStatus: validated,
			ResourceRecord: &types.ResourceRecord{
				Name: aws.String(name), Type: types.RecordTypeCname, Value: aws.String(blockText(option, "resourceRecordValue")),
			},
		})
	}
	return &acm.DescribeCertificateOutput{Certificate: d}, nil
}

// formatSerial formats hexadecimal digits in pairs, as ACM does.
func formatSerial(digits string) string {
	var pairs []string
	for i := 0; i+2 <= len(digits); i += 2 {
		pairs = append(pairs, digits[i:i+2])
	}
	return strings.Join(pairs, ":")
}

package infra

import (
	"errors"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Certificate is the TLS certificate of the environment's domain. ACM renews it as long as its validation record is in
// the shared zone.
type Certificate struct {
	pulumi.ResourceState

	// ARN resolves once the certificate has been issued.
	ARN pulumi.StringOutput
}

// NewCertificate declares a Certificate. zoneID is the shared hosted zone.
func NewCertificate(
	ctx *pulumi.Context, name string, env *environment.Environment, zoneID pulumi.StringInput, opts ...pulumi.ResourceOption,
) (*Certificate, error) {
	c := &Certificate{}
	child, err := declare(ctx, "Certificate", name, c, opts)
	if err != nil {
		return nil, err
	}
	certificate, err := acm.NewCertificate(ctx, name, &acm.CertificateArgs{
		DomainName:       pulumi.String(env.Domain.Name),
		ValidationMethod: pulumi.String("DNS"),
		Tags:             withName(env.Tags(), env.Domain.Name),
	}, child)
	if err != nil {
		return nil, err
	}
	record, err := route53.NewRecord(ctx, name+"-validation", &route53.RecordArgs{
		ZoneId:  zoneID,
		Name:    validationField(certificate, func(o validationOption) *string { return o.ResourceRecordName }),
		Type:    validationField(certificate, func(o validationOption) *string { return o.ResourceRecordType }),
		Records: pulumi.StringArray{validationField(certificate, func(o validationOption) *string { return o.ResourceRecordValue })},
		Ttl:     pulumi.Int(300),
		// A certificate that replaces another for the same domain has the same record.
		AllowOverwrite: pulumi.Bool(true),
	}, child)
	if err != nil {
		return nil, err
	}
	validation, err := acm.NewCertificateValidation(ctx, name+"-validation", &acm.CertificateValidationArgs{
		CertificateArn:        certificate.Arn,
		ValidationRecordFqdns: pulumi.StringArray{record.Fqdn},
	}, child)
	if err != nil {
		return nil, err
	}
	c.ARN = validation.CertificateArn
	return c, finish(ctx, name, c, pulumi.Map{"arn": c.ARN})
}

type validationOption = acm.CertificateDomainValidationOption

// validationField returns a field of the record with which ACM validates the domain. A single name has a single record.
func validationField(certificate *acm.Certificate, of func(validationOption) *string) pulumi.StringOutput {
	return certificate.DomainValidationOptions.ApplyT(func(options []validationOption) (string, error) {
		if len(options) == 0 || of(options[0]) == nil {
			return "", errors.New("ACM has not returned the validation record yet: run the deployment again")
		}
		return *of(options[0]), nil
	}).(pulumi.StringOutput)
}

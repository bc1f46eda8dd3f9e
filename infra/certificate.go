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

// CertificateArgs are the arguments of a Certificate.
type CertificateArgs struct {
	Env *environment.Environment
	// ZoneID is the shared hosted zone.
	ZoneID pulumi.StringInput
}

// NewCertificate declares a Certificate.
func NewCertificate(
	ctx *pulumi.Context, name string, args *CertificateArgs, opts ...pulumi.ResourceOption,
) (*Certificate, error) {
	c := &Certificate{}
	child, err := declare(ctx, "Certificate", name, c, opts)
	if err != nil {
		return nil, err
	}
	domain := args.Env.Domain.Name
	certificate, err := acm.NewCertificate(ctx, name, &acm.CertificateArgs{
		DomainName:       pulumi.String(domain),
		ValidationMethod: pulumi.String("DNS"),
		Tags:             withName(args.Env.Tags(), domain),
	}, child)
	if err != nil {
		return nil, err
	}
	recordName, recordType, recordValue := validationRecord(certificate)
	record, err := route53.NewRecord(ctx, name+"-validation", &route53.RecordArgs{
		ZoneId:  args.ZoneID,
		Name:    recordName,
		Type:    recordType,
		Records: pulumi.StringArray{recordValue},
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

// validationRecord returns the record with which ACM validates the domain. A single name has a single record.
func validationRecord(certificate *acm.Certificate) (name, kind, value pulumi.StringOutput) {
	field := func(of func(acm.CertificateDomainValidationOption) *string) pulumi.StringOutput {
		return certificate.DomainValidationOptions.ApplyT(func(options []acm.CertificateDomainValidationOption) (string, error) {
			if len(options) == 0 || of(options[0]) == nil {
				return "", errors.New("ACM has not returned the validation record yet: run the deployment again")
			}
			return *of(options[0]), nil
		}).(pulumi.StringOutput)
	}
	name = field(func(o acm.CertificateDomainValidationOption) *string { return o.ResourceRecordName })
	kind = field(func(o acm.CertificateDomainValidationOption) *string { return o.ResourceRecordType })
	value = field(func(o acm.CertificateDomainValidationOption) *string { return o.ResourceRecordValue })
	return name, kind, value
}

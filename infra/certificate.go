package infra

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Certificate is the TLS certificate of the environment's domain. ACM renews it as long as its validation record
// stands in the shared zone.
type Certificate struct {
	pulumi.ResourceState

	// ARN is the certificate's, known once the certificate has been issued.
	ARN pulumi.StringOutput
}

// CertificateArgs is what a Certificate needs to know.
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
		Tags:             named(args.Env.Tags(), domain),
	}, child)
	if err != nil {
		return nil, err
	}
	// One name needs one record.
	option := certificate.DomainValidationOptions.Index(pulumi.Int(0))
	record, err := route53.NewRecord(ctx, name+"-validation", &route53.RecordArgs{
		ZoneId:  args.ZoneID,
		Name:    option.ResourceRecordName().Elem(),
		Type:    option.ResourceRecordType().Elem(),
		Records: pulumi.StringArray{option.ResourceRecordValue().Elem()},
		Ttl:     pulumi.Int(300),
		// A certificate that replaces another for the same domain asks for the very record that is there.
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

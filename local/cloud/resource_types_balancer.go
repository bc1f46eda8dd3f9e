package cloud

import (
	"slices"
	"strings"
	"time"
)

const (
	namePattern = `^[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?$`
	nameReason  = "must have at most 32 characters, only alphanumeric characters and hyphens, and neither begin nor end with a hyphen"
)

// balancerTypes are the types of Elastic Load Balancing:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
var balancerTypes = map[string]resourceType{
	typeLoadBalancer: {
		name:            "name",
		id:              "${arn}",
		replaceOnChange: []string{"name", "namePrefix", "internal", "loadBalancerType"},
		defaults: values{"loadBalancerType": "application", "internal": false, "ipAddressType": "ipv4",
			"idleTimeout": 60.0, "clientKeepAlive": 3600.0, "enableHttp2": true,
			"enableCrossZoneLoadBalancing": true, "enableDeletionProtection": false,
			"dropInvalidHeaderFields": false, "desyncMitigationMode": "defensive",
			"xffHeaderProcessingMode": "append", "preserveHostHeader": false},
		computed: map[string]string{
			"arn":       "arn:aws:elasticloadbalancing:${region}:${account}:loadbalancer/${arnSuffix}",
			"arnSuffix": "app/${name}/${hex16}",
			"dnsName":   "${name}-${num10}.${region}.elb.amazonaws.com",
		},
		rules: []rule{matchesPattern("name", namePattern, nameReason), noPrefix("name", "internal-")},
		refs: []ref{
			refTo("subnets", typeSubnet, "SubnetNotFound", "The subnet ID '%s' does not exist"),
			refTo("securityGroups", typeSecurityGroup, "InvalidConfigurationRequest",
				"Security group '%s' does not exist"),
			refTo("accessLogs.bucket", typeBucket, "InvalidConfigurationRequest",
				"Access Denied for bucket: %s. The bucket does not exist"),
		},
		compute: func(s *State, r *Resource) {
			r.Outputs["zoneId"] = "Z35SXDOTRQ7X7K"
			for _, id := range r.Strings("subnets") {
				r.Outputs["vpcId"] = s.Get(typeSubnet, id).Text("vpcId")
			}
		},
		validate: validateLoadBalancer,
		onCreate: func(s *State, r *Resource) { s.writeLogTestFile(r) },
		inUse:    errorTemplate{"ResourceInUse", "Load balancer '%s' is in use"},
		onDelete: func(_ *State, r *Resource) error {
			if r.Bool("enableDeletionProtection") {
				return errorf("OperationNotPermitted",
					"Load balancer '%s' cannot be deleted because deletion protection is enabled", r.ID)
			}
			return nil
		},
		creationDelay: time.Minute,
	},
	typeTargetGroup: {
		name: "name",
		id:   "${arn}",
		replaceOnChange: []string{"name", "namePrefix", "port", "protocol", "protocolVersion", "vpcId", "targetType",
			"ipAddressType"},
		defaults: values{"targetType": "instance", "deregistrationDelay": 300.0, "slowStart": 0.0,
			"protocolVersion": "HTTP1", "ipAddressType": "ipv4", "loadBalancingAlgorithmType": "round_robin",
			"loadBalancingCrossZoneEnabled": "use_load_balancer_configuration"},
		computed: map[string]string{
			"arn":       "arn:aws:elasticloadbalancing:${region}:${account}:${arnSuffix}",
			"arnSuffix": "targetgroup/${name}/${hex16}",
		},
		rules: []rule{matchesPattern("name", namePattern, nameReason), inRange("port", 1, 65535),
			inRange("deregistrationDelay", 0, 3600),
			oneOf("targetType", "instance", "ip", "lambda", "alb")},
		refs: []ref{refTo("vpcId", typeVPC, "ValidationError", "The VPC ID '%s' is not found")},
		validate: unique("name", "DuplicateTargetGroupName",
			"A target group with the same name '%s' exists, but with different settings"),
		inUse:         errorTemplate{"ResourceInUse", "Target group '%s' is currently in use by a listener or a rule"},
		deleteTimeout: 2 * time.Minute,
	},
	typeListener: {
		required: []string{"loadBalancerArn", "defaultActions"}, replaceOnChange: []string{"loadBalancerArn"},
		defaults: values{"protocol": "HTTP"},
		computed: map[string]string{"arn": "${id}"},
		rules: []rule{inRange("port", 1, 65535), oneOf("protocol", "HTTP", "HTTPS", "TCP", "TLS", "UDP"),
			oneOf("sslPolicy", tlsPolicies()...)},
		refs: []ref{
			refTo("loadBalancerArn", typeLoadBalancer, "LoadBalancerNotFound", "Load balancer '%s' not found"),
			refTo("certificateArn", typeCertificate, "CertificateNotFound", "Certificate '%s' not found"),
			refTo("defaultActions.targetGroupArn", typeTargetGroup, "TargetGroupNotFound", "Target group '%s' not found"),
			refTo("defaultActions.forward.targetGroups.arn", typeTargetGroup, "TargetGroupNotFound",
				"Target group '%s' not found"),
		},
		compute: func(s *State, r *Resource) {
			suffix := s.Get(typeLoadBalancer, r.Text("loadBalancerArn")).Text("arnSuffix")
			if r.Outputs["sslPolicy"] == nil && r.Text("protocol") == "HTTPS" {
				r.Outputs["sslPolicy"] = "ELBSecurityPolicy-2016-08"
			}
			r.ID = s.arn("elasticloadbalancing", "listener/"+suffix+"/"+random(r, "hex16"))
		},
		validate: validateListener,
	},
}

// tlsPolicies returns the security policies of listeners, without those of FIPS.
// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
func tlsPolicies() []string {
	var names []string
	for _, policy := range []string{
		"2016-08", "FS-2018-06", "FS-1-1-2019-08", "FS-1-2-2019-08", "FS-1-2-Res-2019-08", "FS-1-2-Res-2020-10",
		"TLS-1-0-2015-04", "TLS-1-1-2017-01", "TLS-1-2-2017-01", "TLS-1-2-Ext-2018-06",
		"TLS13-1-0-2021-06", "TLS13-1-1-2021-06", "TLS13-1-2-2021-06", "TLS13-1-2-Res-2021-06", "TLS13-1-2-Ext1-2021-06",
		"TLS13-1-2-Ext2-2021-06", "TLS13-1-3-2021-06", "TLS13-1-0-PQ-2025-09", "TLS13-1-2-PQ-2025-09", "TLS13-1-2-Res-PQ-2025-09",
		"TLS13-1-2-Ext1-PQ-2025-09", "TLS13-1-2-Ext2-PQ-2025-09", "TLS13-1-3-PQ-2025-09",
	} {
		names = append(names, "ELBSecurityPolicy-"+policy)
	}
	return names
}

func validateLoadBalancer(s *State, r *Resource) error {
	if len(s.zonesOf(r.Strings("subnets"))) < 2 {
		return errorf("ValidationError", "At least two subnets in two different Availability Zones must be specified")
	}
	for _, logs := range r.Blocks("accessLogs") {
		if !blockBool(logs, "enabled") {
			continue
		}
		if err := s.checkLogBucket(text(logs["bucket"])); err != nil {
			return err
		}
	}
	return unique("name", "DuplicateLoadBalancerName",
		"A load balancer with the same name '%s' exists, but with different settings")(s, r)
}

// checkLogBucket returns an error unless the load balancer may write access logs to a bucket: the bucket's policy must
// allow it, and only S3's own key may encrypt it
// (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html).
func (s *State) checkLogBucket(bucket string) error {
	denied := errorf("InvalidConfigurationRequest", "Access Denied for bucket: %s. Please check S3bucket permission",
		bucket)
	policy := s.Get(typeBucketPolicy, bucket)
	if policy == nil || !strings.Contains(policy.Text("policy"), "s3:PutObject") {
		return denied
	}
	if encryption := s.Get(typeBucketEncryption, bucket); encryption != nil &&
		slices.Contains(stringsAt(encryption.Outputs, "rules.applyServerSideEncryptionByDefault.sseAlgorithm"), "aws:kms") {
		return denied
	}
	return nil
}

// writeLogTestFile writes the file with which the load balancer tests its access to the bucket.
func (s *State) writeLogTestFile(r *Resource) {
	for _, bucket := range stringsAt(r.Inputs, "accessLogs.bucket") {
		s.Objects[bucket] = append(s.Objects[bucket], "AWSLogs/"+s.ID+"/ELBAccessLogTestFile")
	}
}

func validateListener(s *State, r *Resource) error {
	for _, other := range s.ByType(typeListener) {
		if other.ID != r.ID && other.Text("loadBalancerArn") == r.Text("loadBalancerArn") && other.Number("port") == r.Number("port") {
			return errorf("DuplicateListener", "A listener already exists on this port for this load balancer '%s'",
				r.Text("loadBalancerArn"))
		}
	}
	if r.Text("protocol") != "HTTPS" {
		return nil
	}
	certificate := r.Text("certificateArn")
	if certificate == "" {
		return errorf("ValidationError", "A certificate must be specified for HTTPS listeners")
	}
	if !s.Issued(certificate) {
		return errorf("UnsupportedCertificate",
			"The certificate '%s' must have a fully-qualified domain name, a supported signature, "+
				"and a supported key size: it has not been issued", certificate)
	}
	return nil
}

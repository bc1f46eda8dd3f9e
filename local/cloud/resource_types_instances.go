package cloud

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"
)

// publicImages declares the public parameters of Systems Manager that name images, without the architecture that ends them.
// Source: https://docs.aws.amazon.com/linux/al2023/ug/ec2.html
var publicImages = []string{
	"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default", "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default",
}

// instanceTypes declares the types of EC2 and of Auto Scaling from which an instance is launched:
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html
// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html
var instanceTypes = map[string]resourceType{
	typeNetworkInterface: {
		id:       "eni-${hex17}",
		required: []string{"subnetId"}, replaceOnChange: []string{"subnetId", "interfaceType"},
		defaults: values{"interfaceType": "interface", "sourceDestCheck": true, "description": ""},
		computed: map[string]string{
			"arn": "arn:aws:ec2:${region}:${account}:network-interface/${id}", "ownerId": "${account}", "macAddress": "02:${hex2.a}:${hex2.b}:${hex2.c}",
		},
		refs: []ref{refSubnet, refTo("securityGroups", typeSecurityGroup, "InvalidGroup.NotFound", "The security group '%s' does not exist")},
		compute: func(s *State, r *Resource) {
			address := s.addressIn(r.Text("subnetId"), r.Serial)
			r.Outputs["privateIp"], r.Outputs["privateIps"] = address, array(address)
		},
		onDelete: func(s *State, r *Resource) error {
			if s.groupOf(r.ID) != nil {
				return errorf("InvalidParameterValue", "Network interface '%s' is currently in use.", r.ID)
			}
			return nil
		},
	},
	typeLaunchTemplate: {
		name:            "name",
		id:              "lt-${hex17}",
		replaceOnChange: []string{"name", "namePrefix"},
		defaults:        values{"description": "", "disableApiStop": false, "disableApiTermination": false},
		computed:        map[string]string{"arn": "arn:aws:ec2:${region}:${account}:launch-template/${id}"},
		rules: []rule{
			matchesPattern("name", `^[a-zA-Z0-9().\-/_]{3,128}$`, "must have 3 to 128 letters, digits, or ().-/_"),
			isBase64("userData"),
		},
		compute:  func(_ *State, r *Resource) { r.Outputs["latestVersion"], r.Outputs["defaultVersion"] = 1.0, 1.0 },
		validate: unique("name", "InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use: %s"),
		onUpdate: func(_ model, before, r *Resource) (time.Duration, error) {
			// A change of the template creates another version; the old ones stay.
			version := before.Number("latestVersion")
			if !sameTemplate(before.Inputs, r.Inputs) {
				version++
			}
			r.Outputs["latestVersion"], r.Outputs["defaultVersion"] = version, version
			return 0, nil
		},
	},
	typeScalingGroup: {
		name:     "name",
		id:       "${name}",
		required: []string{"minSize", "maxSize"}, replaceOnChange: []string{"name", "namePrefix"},
		defaults: values{
			"defaultCooldown": 300.0, "healthCheckGracePeriod": 300.0, "healthCheckType": "EC2", "metricsGranularity": "1Minute",
			"serviceLinkedRoleArn": "", "protectFromScaleIn": false, "forceDelete": false, "waitForCapacityTimeout": "10m",
		},
		computed: map[string]string{
			"arn": "arn:aws:autoscaling:${region}:${account}:autoScalingGroup:${uuid}:autoScalingGroupName/${name}",
		},
		validate: validateScalingGroup,
		conflict: errorTemplate{"AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name %s already exists"},
		onUpdate: func(m model, before, r *Resource) (time.Duration, error) {
			// An instance refresh replaces the instances when the version of the template changes.
			if r.Outputs["instanceRefresh"] != nil && !sameLaunchTemplate(before, r) {
				m.terminate(r)
			}
			return 0, nil
		},
		creationDelay: 150 * time.Second,
	},
}

// sameTemplate reports whether two launch templates start equal instances: tags of the template itself are none of theirs.
func sameTemplate(x, y values) bool {
	strip := func(v values) string {
		v = maps.Clone(v)
		delete(v, "tags")
		return text(v)
	}
	return strip(x) == strip(y)
}

func sameLaunchTemplate(x, y *Resource) bool {
	return slices.Equal(stringsAt(x.Inputs, "launchTemplate.id"), stringsAt(y.Inputs, "launchTemplate.id")) &&
		slices.Equal(stringsAt(x.Inputs, "launchTemplate.version"), stringsAt(y.Inputs, "launchTemplate.version"))
}

func isBase64(property string) rule {
	return func(in values) (string, string) {
		if value, ok := in[property].(string); ok {
			if _, err := base64.StdEncoding.DecodeString(value); err != nil {
				return property, "Invalid BASE64 encoding of user data."
			}
		}
		return "", ""
	}
}

// validateScalingGroup returns Auto Scaling's error about a group that could start no instance. Auto Scaling checks the launch template with a
// dry run of the launch.
func validateScalingGroup(s *State, r *Resource) error {
	invalid := func(format string, args ...any) error {
		return errorf("ValidationError", "You must use a valid fully-formed launch template. "+format, args...)
	}
	if len(r.Strings("availabilityZones"))+len(r.Strings("vpcZoneIdentifiers")) == 0 {
		return errorf("ValidationError", "At least one Availability Zone or VPC Subnet is required.")
	}
	if low, high := r.Number("minSize"), r.Number("maxSize"); low > high {
		return errorf("ValidationError", "Max bound, %v, must be greater than or equal to min bound, %v", high, low)
	}
	template := s.launchTemplateOf(r)
	if template == nil {
		return invalid("The specified launch template, with template ID %s, does not exist.",
			strings.Join(stringsAt(r.Inputs, "launchTemplate.id"), ""))
	}
	if parameter, isParameter := strings.CutPrefix(template.Text("imageId"), "resolve:ssm:"); isParameter {
		base := parameter[:max(0, strings.LastIndex(parameter, "-"))]
		if !slices.Contains(publicImages, base) {
			return invalid("The parameter %s could not be found.", parameter)
		}
	}
	for _, id := range stringsAt(template.Inputs, "networkInterfaces.networkInterfaceId") {
		attached := s.Get(typeNetworkInterface, id)
		if attached == nil {
			return invalid("The networkInterface ID '%s' does not exist", id)
		}
		if zone := s.Get(typeSubnet, attached.Text("subnetId")).Text("availabilityZone"); !slices.Contains(r.Strings("availabilityZones"), zone) {
			return invalid("The network interface '%s' is in %s, which is not a zone of the group.", id, zone)
		}
	}
	return nil
}

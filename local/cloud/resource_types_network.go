package cloud

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

var (
	refVPC        = refTo("vpcId", typeVPC, "InvalidVpcID.NotFound", "The vpc ID '%s' does not exist")
	refSubnet     = refTo("subnetId", typeSubnet, "InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist")
	refRouteTable = refTo("routeTableId", typeRouteTable, "InvalidRouteTableID.NotFound",
		"The routeTable ID '%s' does not exist")
	refSecurityGroup = refTo("securityGroupId", typeSecurityGroup, "InvalidGroup.NotFound",
		"The security group '%s' does not exist")
)

// networkTypes are the types of EC2: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
var networkTypes = map[string]resourceType{
	typeVPC: {
		id:       "vpc-${hex17}",
		required: []string{"cidrBlock"}, replaceOnChange: []string{"cidrBlock", "instanceTenancy", "ipv4IpamPoolId", "ipv4NetmaskLength"},
		defaults: values{"enableDnsSupport": true, "enableDnsHostnames": false, "instanceTenancy": "default",
			"assignGeneratedIpv6CidrBlock": false, "enableNetworkAddressUsageMetrics": false},
		computed: map[string]string{
			"arn": "arn:aws:ec2:${region}:${account}:vpc/${id}", "ownerId": "${account}",
			"defaultSecurityGroupId": "sg-${hex17.group}", "defaultNetworkAclId": "acl-${hex17.acl}",
			"defaultRouteTableId": "rtb-${hex17.routes}", "mainRouteTableId": "rtb-${hex17.routes}", "dhcpOptionsId": "dopt-${hex17.dhcp}",
		},
		rules: []rule{cidrBetween("cidrBlock", 16, 28)},
		inUse: errorTemplate{"DependencyViolation", "The vpc '%s' has dependencies and cannot be deleted."}, deleteTimeout: 5 * time.Minute,
	},
	typeSubnet: {
		id:              "subnet-${hex17}",
		required:        []string{"vpcId", "cidrBlock"},
		replaceOnChange: []string{"vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId", "ipv6Native", "outpostArn"},
		defaults: values{"mapPublicIpOnLaunch": false, "assignIpv6AddressOnCreation": false,
			"enableDns64": false, "ipv6Native": false, "privateDnsHostnameTypeOnLaunch": "ip-name"},
		computed: map[string]string{
			"arn": "arn:aws:ec2:${region}:${account}:subnet/${id}", "ownerId": "${account}", "availabilityZone": "${region}a",
		},
		rules:    []rule{cidrBetween("cidrBlock", 16, 28)},
		refs:     []ref{refVPC},
		validate: validateSubnet,
		compute: func(s *State, r *Resource) {
			r.Outputs["availabilityZoneId"] = zoneID(s.Region, r.Text("availabilityZone"))
		},
		inUse: errorTemplate{"DependencyViolation", "The subnet '%s' has dependencies and cannot be deleted."}, deleteTimeout: 20 * time.Minute,
	},
	typeInternetGateway: {
		id: "igw-${hex17}",
		computed: map[string]string{"arn": "arn:aws:ec2:${region}:${account}:internet-gateway/${id}",
			"ownerId": "${account}"},
		refs: []ref{refVPC},
	},
	typeRouteTable: {
		id:       "rtb-${hex17}",
		required: []string{"vpcId"}, replaceOnChange: []string{"vpcId"},
		defaults: values{"propagatingVgws": array(), "routes": array()},
		computed: map[string]string{"arn": "arn:aws:ec2:${region}:${account}:route-table/${id}",
			"ownerId": "${account}"},
		refs:  []ref{refVPC},
		inUse: errorTemplate{"DependencyViolation", "The routeTable '%s' has dependencies and cannot be deleted."},
	},
	typeRoute: {
		name: "destinationCidrBlock",
		id:   "r-${routeTableId}-${destinationCidrBlock}",
		importID: func(r *Resource) string {
			return r.Text("routeTableId") + "_" + r.Text("destinationCidrBlock")
		},
		required: []string{"routeTableId"}, replaceOnChange: []string{"routeTableId", "destinationCidrBlock"},
		defaults: values{"origin": "CreateRoute", "state": "active", "instanceId": "", "instanceOwnerId": ""},
		refs: []ref{refRouteTable,
			refTo("gatewayId", typeInternetGateway, "InvalidInternetGatewayID.NotFound",
				"The internetGateway ID '%s' does not exist"),
			refTo("natGatewayId", typeNATGateway, "InvalidNatGatewayID.NotFound",
				"The natGateway ID '%s' does not exist"),
			refTo("networkInterfaceId", typeNetworkInterface, "InvalidNetworkInterfaceID.NotFound",
				"The networkInterface ID '%s' does not exist")},
		conflict: errorTemplate{"RouteAlreadyExists", "The route identified by %s already exists."},
		onUpdate: func(_ model, before, r *Resource) (time.Duration, error) { return 0, changedTarget(before, r) },
	},
	typeRouteTableAssociation: {
		name: "subnetId",
		id:   "rtbassoc-${subnetId}",
		importID: func(r *Resource) string {
			return r.Text("subnetId") + "/" + r.Text("routeTableId")
		},
		required: []string{"routeTableId"}, replaceOnChange: []string{"subnetId", "gatewayId"},
		refs: []ref{refRouteTable, refSubnet},
		conflict: errorTemplate{"Resource.AlreadyAssociated",
			"the specified association for subnet %s conflicts with an existing association"},
	},
	typeEIP: {
		id:              "eipalloc-${hex17}",
		replaceOnChange: []string{"domain", "address", "networkBorderGroup", "publicIpv4Pool"},
		defaults:        values{"domain": "vpc"},
		computed: map[string]string{
			"allocationId": "${id}", "arn": "arn:aws:ec2:${region}:${account}:elastic-ip/${id}", "publicIpv4Pool": "amazon",
			"networkBorderGroup": "${region}",
		},
		refs: []ref{refTo("networkInterface", typeNetworkInterface, "InvalidNetworkInterfaceID.NotFound",
			"The networkInterface ID '%s' does not exist")},
		compute: func(s *State, r *Resource) {
			r.Outputs["publicIp"] = fmt.Sprintf("203.0.113.%d", r.Serial%254+1)
			if used := s.Get(typeNetworkInterface, r.Text("networkInterface")); used != nil {
				r.Outputs["associationId"], r.Outputs["privateIp"] = "eipassoc-"+random(r, "hex17.association"), used.Text("privateIp")
			}
		},
	},
	typeNATGateway: {
		id:       "nat-${hex17}",
		required: []string{"subnetId"}, replaceOnChange: []string{"subnetId", "allocationId", "connectivityType", "privateIp"},
		defaults: values{"connectivityType": "public", "secondaryPrivateIpAddressCount": 0.0,
			"secondaryPrivateIpAddresses": array()},
		computed: map[string]string{"associationId": "eipassoc-${hex17.association}",
			"networkInterfaceId": "eni-${hex17.interface}"},
		refs: []ref{refSubnet,
			refTo("allocationId", typeEIP, "InvalidAllocationID.NotFound", "The allocation ID '%s' does not exist")},
		compute: func(s *State, r *Resource) {
			if eip := s.Get(typeEIP, r.Text("allocationId")); eip != nil {
				r.Outputs["publicIp"] = eip.Text("publicIp")
			}
			r.Outputs["privateIp"] = s.addressIn(r.Text("subnetId"), r.Serial)
		},
		creationDelay: 45 * time.Second,
	},
	typeVPCEndpoint: {
		id:       "vpce-${hex17}",
		required: []string{"vpcId"}, replaceOnChange: []string{"vpcId", "serviceName", "vpcEndpointType", "serviceRegion"},
		defaults: values{"vpcEndpointType": "Gateway", "state": "available", "privateDnsEnabled": false,
			"requesterManaged": false, "ipAddressType": "ipv4",
			"cidrBlocks": array("52.216.0.0/15", "54.231.0.0/16"), "networkInterfaceIds": array(),
			"securityGroupIds": array(), "subnetIds": array(), "dnsEntries": array(), "routeTableIds": array(),
			"policy": `{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}],"Version":"2008-10-17"}`},
		computed: map[string]string{
			"arn": "arn:aws:ec2:${region}:${account}:vpc-endpoint/${id}", "ownerId": "${account}",
			"prefixListId": "pl-${hex8.prefixes}", "serviceRegion": "${region}",
		},
		rules: []rule{isJSON("policy")},
		refs: []ref{refVPC,
			refTo("routeTableIds", typeRouteTable, "InvalidRouteTableId.NotFound",
				"The routeTable ID '%s' does not exist"),
			refTo("subnetIds", typeSubnet, "InvalidSubnetId.NotFound", "The subnet ID '%s' does not exist"),
			refTo("securityGroupIds", typeSecurityGroup, "InvalidSecurityGroupId.NotFound",
				"The security group ID '%s' does not exist")},
		creationDelay: 5 * time.Second,
	},
	typeFlowLog: {
		id: "fl-${hex17}",
		replaceOnChange: []string{"vpcId", "subnetId", "eniId", "destinationOptions", "logDestination", "logDestinationType", "iamRoleArn", "trafficType",
			"maxAggregationInterval", "logFormat"},
		defaults: values{"logDestinationType": "cloud-watch-logs", "maxAggregationInterval": 600.0,
			"logFormat": "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} " +
				"${bytes} ${start} ${end} ${action} ${log-status}"},
		computed: map[string]string{"arn": "arn:aws:ec2:${region}:${account}:vpc-flow-log/${id}"},
		rules: []rule{oneOf("trafficType", "ACCEPT", "REJECT", "ALL"),
			oneOf("maxAggregationInterval", "60", "600")},
		refs: []ref{refVPC,
			refTo("logDestination", typeLogGroup, "InvalidParameter", "LogDestination: %s is undefined", "arn"),
			refTo("iamRoleArn", typeRole, "InvalidParameter", "The role %s does not exist", "arn")},
	},
	typeSecurityGroup: {
		name:            "name",
		id:              "sg-${hex17}",
		replaceOnChange: []string{"name", "namePrefix", "description", "vpcId"},
		defaults: values{"description": "Managed by Pulumi", "ingress": array(), "egress": array(),
			"revokeRulesOnDelete": false},
		computed: map[string]string{"arn": "arn:aws:ec2:${region}:${account}:security-group/${id}",
			"ownerId": "${account}"},
		rules: []rule{
			matchesPattern("name", `^.{1,255}$`, "is not between 1 and 255 characters long"),
			noPrefix("name", "sg-"),
		},
		refs: []ref{refVPC},
		validate: func(s *State, r *Resource) error {
			for _, other := range s.ByType(typeSecurityGroup) {
				if other.ID != r.ID && other.Text("name") == r.Text("name") && other.Text("vpcId") == r.Text("vpcId") {
					return errorf("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'",
						r.Text("name"), r.Text("vpcId"))
				}
			}
			return nil
		},
		inUse:         errorTemplate{"DependencyViolation", "resource %s has a dependent object"},
		deleteTimeout: 15 * time.Minute,
	},
	typeDefaultSecurityGroup: {
		required: []string{"vpcId"}, replaceOnChange: []string{"vpcId"},
		defaults: values{"name": "default", "description": "default VPC security group", "ingress": array(),
			"egress": array(), "revokeRulesOnDelete": false},
		computed: map[string]string{"arn": "arn:aws:ec2:${region}:${account}:security-group/${id}",
			"ownerId": "${account}"},
		refs: []ref{refVPC},
		compute: func(s *State, r *Resource) {
			r.ID = s.Get(typeVPC, r.Text("vpcId")).Text("defaultSecurityGroupId")
		},
	},
	typeIngressRule: securityGroupRule("ingress"),
	typeEgressRule:  securityGroupRule("egress"),
}

func securityGroupRule(direction string) resourceType {
	return resourceType{
		id:       "sgr-${hex17}",
		required: []string{"securityGroupId", "ipProtocol"}, replaceOnChange: []string{"securityGroupId"},
		computed: map[string]string{
			"arn": "arn:aws:ec2:${region}:${account}:security-group-rule/${id}", "securityGroupRuleId": "${id}",
		},
		rules: []rule{inRange("fromPort", -1, 65535), inRange("toPort", -1, 65535), cidrBetween("cidrIpv4", 0, 32)},
		refs: []ref{refSecurityGroup,
			refTo("referencedSecurityGroupId", typeSecurityGroup, "InvalidGroup.NotFound",
				"The security group '%s' does not exist"),
			refTo("prefixListId", typeVPCEndpoint, "InvalidPrefixListID.NotFound",
				"The prefix list ID '%s' does not exist", "prefixListId")},
		validate: func(s *State, r *Resource) error {
			for _, other := range s.ByType(r.Type) {
				if other.ID != r.ID && sameRule(other, r) {
					return errorf("InvalidPermission.Duplicate", "the specified %s rule already exists in %s",
						direction, r.Text("securityGroupId"))
				}
			}
			return nil
		},
	}
}

func sameRule(x, y *Resource) bool {
	properties := []string{"securityGroupId", "ipProtocol", "fromPort", "toPort", "cidrIpv4", "cidrIpv6",
		"referencedSecurityGroupId", "prefixListId"}
	return !slices.ContainsFunc(properties,
		func(property string) bool { return x.Outputs[property] != y.Outputs[property] })
}

// cidrBetween checks an IPv4 range by the length of its prefix.
func cidrBetween(property string, shortest, longest int) rule {
	return func(in values) (string, string) {
		value, ok := in[property].(string)
		if !ok {
			return "", ""
		}
		prefix, err := netip.ParsePrefix(value)
		if err != nil || !prefix.Addr().Is4() || prefix.Masked() != prefix {
			return property, fmt.Sprintf("%q is not a valid IPv4 CIDR block", value)
		}
		if prefix.Bits() < shortest || prefix.Bits() > longest {
			return property, fmt.Sprintf("%q must have a prefix length from /%d to /%d", value, shortest, longest)
		}
		return "", ""
	}
}

// validateSubnet checks that a subnet is inside its VPC and overlaps no other one.
func validateSubnet(s *State, r *Resource) error {
	cidr := r.Text("cidrBlock")
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return errorf("InvalidParameterValue",
			"Value (%s) for parameter cidrBlock is invalid. This is not a valid CIDR block.", cidr)
	}
	vpc, err := netip.ParsePrefix(s.Get(typeVPC, r.Text("vpcId")).Text("cidrBlock"))
	if err != nil || !vpc.Contains(prefix.Addr()) || prefix.Bits() < vpc.Bits() {
		return errorf("InvalidSubnet.Range", "The CIDR '%s' is invalid.", cidr)
	}
	if zone := r.Text("availabilityZone"); zone != "" && !slices.Contains(availabilityZones(s.Region), zone) {
		return errorf("InvalidParameterValue",
			"Value (%s) for parameter availabilityZone is invalid. "+
				"Subnets can currently only be created in the following availability zones: %s.",
			zone, strings.Join(availabilityZones(s.Region), ", "))
	}
	for _, other := range s.ByType(typeSubnet) {
		taken, err := netip.ParsePrefix(other.Text("cidrBlock"))
		if err == nil && other.ID != r.ID && other.Text("vpcId") == r.Text("vpcId") && taken.Overlaps(prefix) {
			return errorf("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", cidr)
		}
	}
	return nil
}

// availabilityZones returns the zones of a region, four in each.
func availabilityZones(region string) []string {
	zones := make([]string, 0, 4)
	for _, letter := range "abcd" {
		zones = append(zones, region+string(letter))
	}
	return zones
}

// zoneID returns the zone's ID, which means the same in every account: use1-az1 for us-east-1a.
func zoneID(region, zone string) string {
	part := strings.Split(region, "-")
	if len(part) != 3 || len(zone) <= len(region) {
		return ""
	}
	return fmt.Sprintf("%s%c%s-az%d", part[0], part[1][0], part[2], zone[len(region)]-'a'+1)
}

// addressIn returns the n-th usable address of a subnet, modulo their number.
func (s *State) addressIn(subnet string, n int) string {
	r := s.Get(typeSubnet, subnet)
	if r == nil {
		return ""
	}
	prefix, err := netip.ParsePrefix(r.Text("cidrBlock"))
	if err != nil {
		return ""
	}
	// AWS reserves a subnet's first four addresses and its last one.
	usable := 1<<(32-prefix.Bits()) - 5
	address := prefix.Addr()
	for range 4 + n%usable {
		address = address.Next()
	}
	return address.String()
}

// routeTargets are the inputs of a route that can be its target.
var routeTargets = []string{"gatewayId", "natGatewayId", "vpcEndpointId", "networkInterfaceId", "transitGatewayId", "vpcPeeringConnectionId"}

// changedTarget returns the provider's error where the update of a route does not change its target. The engine asks for such an update
// where a creation began and was not seen to end.
// Source: https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/ec2/vpc_route.go (routeTargetAttribute)
func changedTarget(before, r *Resource) error {
	for _, target := range routeTargets {
		if now := text(r.Inputs[target]); now != "" && now != text(before.Inputs[target]) {
			return nil
		}
	}
	return errors.New("route target attribute not specified")
}

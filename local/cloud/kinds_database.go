package cloud

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// databaseKinds are those of RDS and the rotation of the password that it manages:
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
var databaseKinds = map[string]kind{
	typeDBSubnetGroup: {
		name:     "name",
		id:       "${name}",
		required: []string{"subnetIds"}, fixed: []string{"name", "namePrefix"},
		defaults: values{"description": "Managed by Pulumi", "supportedNetworkTypes": array("IPV4")},
		computed: map[string]string{"arn": "arn:aws:rds:${region}:${account}:subgrp:${name}"},
		rules: []rule{matches("name", `^[a-z0-9. _-]{1,255}$`,
			"only lowercase alphanumeric characters, hyphens, underscores, periods, and spaces allowed")},
		refs: []ref{to("subnetIds", typeSubnet, "InvalidSubnet", "Some input subnets in :[%s] are invalid.")},
		complete: func(s *State, r *Resource) {
			for _, id := range r.Strings("subnetIds") {
				r.Outputs["vpcId"] = s.Get(typeSubnet, id).Text("vpcId")
			}
		},
		admit: func(s *State, r *Resource) error {
			zones := s.zonesOf(r.Strings("subnetIds"))
			if len(zones) < 2 {
				return refuse("DBSubnetGroupDoesNotCoverEnoughAZs",
					"The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "+
						"Current AZ coverage: %s. Add subnets to cover at least 2 AZs.", strings.Join(zones, ", "))
			}
			return nil
		},
		taken: refusal{"DBSubnetGroupAlreadyExists", "The DB subnet group '%s' already exists."},
		inUse: refusal{"InvalidDBSubnetGroupStateFault",
			"Cannot delete the subnet group '%s' because at least one database instance is still using it."},
	},
	typeDBParameterGroup: {
		name:     "name",
		id:       "${name}",
		required: []string{"family"}, fixed: []string{"name", "namePrefix", "family", "description"},
		defaults: values{"description": "Managed by Pulumi", "skipDestroy": false},
		computed: map[string]string{"arn": "arn:aws:rds:${region}:${account}:pg:${name}"},
		rules: []rule{matches("name", `^[a-z][a-z0-9.-]{0,254}$`,
			"only lowercase alphanumeric characters, periods, and hyphens allowed, first a letter")},
		taken: refusal{"DBParameterGroupAlreadyExists", "Parameter group %s already exists"},
		inUse: refusal{"InvalidDBParameterGroupState",
			"One or more database instances are still members of this parameter group %s, so the group cannot be deleted"},
	},
	typeDatabase: {
		name: "identifier",
		id:   "${resourceId}",
		fixed: []string{"identifierPrefix", "engine", "username", "dbName", "storageEncrypted", "kmsKeyId",
			"availabilityZone", "characterSetName", "snapshotIdentifier", "timezone",
			"customIamInstanceProfile", "backupTarget", "replicateSourceDb"},
		required: []string{"instanceClass"},
		defaults: values{"autoMinorVersionUpgrade": true, "backupRetentionPeriod": 0.0,
			"copyTagsToSnapshot": false, "deletionProtection": false,
			"engineLifecycleSupport":           "open-source-rds-extended-support",
			"iamDatabaseAuthenticationEnabled": false, "licenseModel": "postgresql-license",
			"maintenanceWindow": "sun:06:00-sun:06:30", "backupWindow": "04:00-04:30",
			"monitoringInterval": 0.0, "multiAz": false, "networkType": "IPV4",
			"performanceInsightsEnabled": false, "publiclyAccessible": false, "storageEncrypted": false,
			"storageType": "gp2", "status": "available", "caCertIdentifier": "rds-ca-rsa2048-g1",
			"replicas": array(), "skipFinalSnapshot": false, "deleteAutomatedBackups": true, "port": 5432.0,
			"applyImmediately": false, "hostedZoneId": "Z2R2ITUGPM61AM"},
		computed: map[string]string{
			"resourceId": "db-${HEX26}", "arn": "arn:aws:rds:${region}:${account}:db:${identifier}",
			"endpoint": "${address}:${port}",
		},
		rules: []rule{
			matches("identifier", `^[a-z][a-z0-9-]{0,62}$`,
				"only lowercase alphanumeric characters and hyphens allowed, at most 63 of them, first a letter"),
			bounded("backupRetentionPeriod", 0, 35),
		},
		refs: []ref{
			to("dbSubnetGroupName", typeDBSubnetGroup, "DBSubnetGroupNotFoundFault",
				"DB subnet group '%s' does not exist."),
			to("parameterGroupName", typeDBParameterGroup, "DBParameterGroupNotFound",
				"DBParameterGroup not found: %s"),
			to("vpcSecurityGroupIds", typeSecurityGroup, "InvalidParameterValue", "Invalid security group '%s'"),
			to("monitoringRoleArn", typeRole, "InvalidParameterValue", "The role %s does not exist", "arn"),
		},
		complete: completeDatabase,
		admit:    admitDatabase,
		removed:  removeDatabase,
		takes:    2 * time.Minute,
	},
	typeSecretRotation: {
		id:       "${secretId}",
		required: []string{"secretId", "rotationRules"}, fixed: []string{"secretId"},
		defaults: values{"rotationEnabled": true, "rotateImmediately": true},
		admit: func(s *State, r *Resource) error {
			if s.findSecret(r.Text("secretId")) == nil {
				return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
			}
			return nil
		},
	},
}

// zonesOf are the availability zones of subnets, each once.
func (s *State) zonesOf(subnets []string) []string {
	var zones []string
	for _, id := range subnets {
		zones = append(zones, s.Get(typeSubnet, id).Text("availabilityZone"))
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}

func completeDatabase(s *State, r *Resource) {
	r.Outputs["address"] = s.databaseAddress(r.Text("identifier"))
	r.Outputs["engineVersionActual"] = r.Text("engineVersion")
	if major := r.Text("engineVersion"); major != "" && !strings.Contains(major, ".") {
		r.Outputs["engineVersionActual"] = major + ".8"
	}
	group := s.Get(typeDBSubnetGroup, r.Text("dbSubnetGroupName"))
	if group != nil && r.Outputs["availabilityZone"] == nil {
		r.Outputs["availabilityZone"] = s.zonesOf(group.Strings("subnetIds"))[0]
	}
	if r.Bool("manageMasterUserPassword") {
		r.Outputs["masterUserSecrets"] = array(map[string]any{
			"secretArn": fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:rds!db-%s-%s",
				s.Region, s.ID, random(r, "uuid.secret"), random(r, "hex6.secret")),
			"kmsKeyId":     fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", s.Region, s.ID, random(r, "uuid.key")),
			"secretStatus": "active",
		})
	}
}

// databaseAddress is where an instance of that name answers; the rest is the account's, whichever instance has the name.
func (s *State) databaseAddress(identifier string) string {
	return identifier + ".c" + s.derive("rds")[:11] + "." + s.Region + ".rds.amazonaws.com"
}

func admitDatabase(s *State, r *Resource) error {
	if group := s.Get(typeDBParameterGroup, r.Text("parameterGroupName")); group != nil {
		major, _, _ := strings.Cut(r.Text("engineVersion"), ".")
		if family := r.Text("engine") + major; major != "" && group.Text("family") != family {
			return refuse("InvalidParameterCombination",
				"The parameter group %s with DBParameterGroupFamily %s can't be used for this instance. "+
					"Please use a parameter group with DBParameterGroupFamily %s", group.ID, group.Text("family"), family)
		}
	}
	if ceiling := r.Number("maxAllocatedStorage"); ceiling > 0 && ceiling <= r.Number("allocatedStorage") {
		return refuse("InvalidParameterCombination", "Max storage size must be greater than storage size")
	}
	if group := s.Get(typeDBSubnetGroup, r.Text("dbSubnetGroupName")); group != nil {
		for _, id := range r.Strings("vpcSecurityGroupIds") {
			if s.Get(typeSecurityGroup, id).Text("vpcId") != group.Text("vpcId") {
				return refuse("InvalidVPCNetworkStateFault",
					"The DB instance and EC2 security group are in different VPCs.")
			}
		}
	}
	return isFree("identifier", "DBInstanceAlreadyExists", "DB instance %s already exists")(s, r)
}

// removeDatabase takes the final snapshot that was asked for.
func removeDatabase(s *State, r *Resource) error {
	if r.Bool("deletionProtection") {
		return refuse("InvalidParameterCombination",
			"Cannot delete protected DB Instance, please disable deletion protection and try again.")
	}
	if !r.Bool("skipFinalSnapshot") {
		name := r.Text("finalSnapshotIdentifier")
		if name == "" {
			return refuse("InvalidParameterCombination",
				"FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
		}
		if s.Snapshots[name] != nil {
			return refuse("DBSnapshotAlreadyExists",
				"Cannot create the snapshot because a snapshot with the identifier %s already exists.", name)
		}
		s.keepSnapshot(name, r)
	}
	return nil
}

package cloud

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/environment"
)

// databaseTypes are the types of RDS and the rotation of the password that it manages:
// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
var databaseTypes = map[string]resourceType{
	typeDBSubnetGroup: {
		name:     "name",
		id:       "${name}",
		required: []string{"subnetIds"}, replaceOnChange: []string{"name", "namePrefix"},
		defaults: values{"description": "Managed by Pulumi", "supportedNetworkTypes": array("IPV4")},
		computed: map[string]string{"arn": "arn:aws:rds:${region}:${account}:subgrp:${name}"},
		rules: []rule{matchesPattern("name", `^[a-z0-9. _-]{1,255}$`,
			"only lowercase alphanumeric characters, hyphens, underscores, periods, and spaces allowed")},
		refs: []ref{refTo("subnetIds", typeSubnet, "InvalidSubnet", "Some input subnets in :[%s] are invalid.")},
		compute: func(s *State, r *Resource) {
			for _, id := range r.Strings("subnetIds") {
				r.Outputs["vpcId"] = s.Get(typeSubnet, id).Text("vpcId")
			}
		},
		validate: func(s *State, r *Resource) error {
			zones := s.zonesOf(r.Strings("subnetIds"))
			if len(zones) < 2 {
				return errorf("DBSubnetGroupDoesNotCoverEnoughAZs",
					"The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "+
						"Current AZ coverage: %s. Add subnets to cover at least 2 AZs.", strings.Join(zones, ", "))
			}
			return nil
		},
		onUpdate: changeSubnetGroup,
		conflict: errorTemplate{"DBSubnetGroupAlreadyExists", "The DB subnet group '%s' already exists."},
		inUse: errorTemplate{"InvalidDBSubnetGroupStateFault",
			"Cannot delete the subnet group '%s' because at least one database instance is still using it."},
	},
	typeDBParameterGroup: {
		name:     "name",
		id:       "${name}",
		required: []string{"family"}, replaceOnChange: []string{"name", "namePrefix", "family", "description"},
		defaults: values{"description": "Managed by Pulumi", "skipDestroy": false},
		computed: map[string]string{"arn": "arn:aws:rds:${region}:${account}:pg:${name}"},
		rules: []rule{matchesPattern("name", `^[a-z][a-z0-9.-]{0,254}$`,
			"only lowercase alphanumeric characters, periods, and hyphens allowed, first a letter")},
		conflict: errorTemplate{"DBParameterGroupAlreadyExists", "Parameter group %s already exists"},
		inUse: errorTemplate{"InvalidDBParameterGroupState",
			"One or more database instances are still members of this parameter group %s, so the group cannot be deleted"},
		compute:       computeParameters,
		deleteTimeout: 3 * time.Minute,
	},
	typeDatabase: {
		name: "identifier",
		id:   "${resourceId}",
		replaceOnChange: []string{"identifierPrefix", "engine", "username", "dbName", "storageEncrypted", "kmsKeyId",
			"availabilityZone", "characterSetName", "snapshotIdentifier", "timezone",
			"customIamInstanceProfile", "backupTarget", "restoreToPointInTime", "s3Import"},
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
			matchesPattern("identifier", `^[a-z][a-z0-9-]{0,62}$`,
				"only lowercase alphanumeric characters and hyphens allowed, at most 63 of them, first a letter"),
			inRange("backupRetentionPeriod", 0, 35),
		},
		refs: []ref{
			refTo("dbSubnetGroupName", typeDBSubnetGroup, "DBSubnetGroupNotFoundFault",
				"DB subnet group '%s' does not exist."),
			refTo("parameterGroupName", typeDBParameterGroup, "DBParameterGroupNotFound",
				"DBParameterGroup not found: %s"),
			refTo("vpcSecurityGroupIds", typeSecurityGroup, "InvalidParameterValue", "Invalid security group '%s'"),
			refTo("monitoringRoleArn", typeRole, "InvalidParameterValue", "The role %s does not exist", "arn"),
		},
		compute:       computeDatabase,
		validate:      validateDatabase,
		onUpdate:      changeDatabase,
		onDelete:      removeDatabase,
		creationDelay: 2 * time.Minute,
	},
	typeSecretRotation: {
		id:       "${secretId}",
		required: []string{"secretId", "rotationRules"}, replaceOnChange: []string{"secretId"},
		defaults: values{"rotationEnabled": true, "rotateImmediately": true},
		validate: func(s *State, r *Resource) error {
			if s.findSecret(r.Text("secretId")) == nil {
				return errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
			}
			return nil
		},
	},
}

// computeParameters returns what RDS stores of the parameters. A value that equals the default of the family is not stored as a
// change, and reads back with the apply method pending-reboot, whatever was requested.
// Source: https://github.com/hashicorp/terraform-provider-aws/issues/18035
func computeParameters(_ *State, r *Resource) {
	var stored []any
	for _, parameter := range r.Blocks("parameters") {
		parameter = maps.Clone(parameter)
		if isFamilyDefault(r.Text("family"), text(parameter["name"]), text(parameter["value"])) {
			parameter["applyMethod"] = "pending-reboot"
		}
		stored = append(stored, parameter)
	}
	if stored != nil {
		r.Outputs["parameters"] = stored
	}
}

// isFamilyDefault reports whether a value is the default of a parameter in a family, of the parameters that are simulated.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
func isFamilyDefault(family, name, value string) bool {
	version, err := strconv.Atoi(strings.TrimPrefix(family, "postgres"))
	return err == nil && name == "rds.force_ssl" && (value == "1") == (version >= 15)
}

// zonesOf returns the distinct availability zones of subnets.
func (s *State) zonesOf(subnets []string) []string {
	var zones []string
	for _, id := range subnets {
		zones = append(zones, s.Get(typeSubnet, id).Text("availabilityZone"))
	}
	slices.Sort(zones)
	return slices.Compact(zones)
}

// changeSubnetGroup rejects the removal of a subnet in whose zone an instance of the group or its standby is.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBSubnetGroup.html
func changeSubnetGroup(m model, before, r *Resource) (time.Duration, error) {
	for _, id := range before.Strings("subnetIds") {
		zone := m.zonesOf([]string{id})[0]
		used := slices.ContainsFunc(m.ByType(typeDatabase), func(d *Resource) bool {
			return d.Text("dbSubnetGroupName") == r.ID && (d.Text("availabilityZone") == zone || m.standbyZone(d, before) == zone)
		})
		if used && !slices.Contains(r.Strings("subnetIds"), id) {
			return 0, errorf("InvalidParameterValue", "Some of the subnets to be deleted are currently in use: %s", id)
		}
	}
	return 0, nil
}

// standbyZone returns the zone of an instance's standby: the first of the subnet group that the instance is not in. It is "" without a
// standby.
func (s *State) standbyZone(r, group *Resource) string {
	if group == nil || !r.Bool("multiAz") {
		return ""
	}
	for _, zone := range s.zonesOf(group.Strings("subnetIds")) {
		if zone != r.Text("availabilityZone") {
			return zone
		}
	}
	return ""
}

func computeDatabase(s *State, r *Resource) {
	r.Outputs["address"] = s.databaseAddress(r.Text("identifier"))
	r.Outputs["engineVersionActual"] = r.Text("engineVersion")
	if major := r.Text("engineVersion"); major != "" && !strings.Contains(major, ".") {
		r.Outputs["engineVersionActual"] = major + newestMinor
	}
	group := s.Get(typeDBSubnetGroup, r.Text("dbSubnetGroupName"))
	if group != nil && r.Outputs["availabilityZone"] == nil {
		r.Outputs["availabilityZone"] = s.zonesOf(group.Strings("subnetIds"))[0]
	}
	if r.Bool("manageMasterUserPassword") {
		r.Outputs["masterUserSecrets"] = array(map[string]any{
			"secretArn":    s.arn("secretsmanager", "secret:rds!db-"+random(r, "uuid.secret")+"-"+random(r, "hex6.secret")),
			"kmsKeyId":     s.arn("kms", "key/"+random(r, "uuid.key")),
			"secretStatus": "active",
		})
	}
}

// databaseAddress returns the address of an instance with that name. The rest of it is the account's, the same for
// every instance.
func (s *State) databaseAddress(identifier string) string {
	return identifier + ".c" + s.derive("rds")[:11] + "." + s.Region + ".rds.amazonaws.com"
}

func validateDatabase(s *State, r *Resource) error {
	if class := r.Text("instanceClass"); class != "" && !environment.KnownInstanceClass(class) {
		return errorf("InvalidParameterValue", "Invalid DB Instance class: %s", class)
	}
	if version := r.Text("engineVersion"); version != "" {
		if _, known := upgradePaths[majorOf(version)]; !known {
			return errorf("InvalidParameterCombination", "Cannot find version %s for %s", version, r.Text("engine"))
		}
	}
	if group := s.Get(typeDBParameterGroup, r.Text("parameterGroupName")); group != nil {
		major := majorOf(r.Text("engineVersion"))
		if family := r.Text("engine") + major; major != "" && group.Text("family") != family {
			return errorf("InvalidParameterCombination",
				"The parameter group %s with DBParameterGroupFamily %s can't be used for this instance. "+
					"Please use a parameter group with DBParameterGroupFamily %s", group.ID, group.Text("family"), family)
		}
	}
	if ceiling := r.Number("maxAllocatedStorage"); ceiling > 0 && ceiling <= r.Number("allocatedStorage") {
		return errorf("InvalidParameterCombination", "Max storage size must be greater than storage size")
	}
	if group := s.Get(typeDBSubnetGroup, r.Text("dbSubnetGroupName")); group != nil {
		for _, id := range r.Strings("vpcSecurityGroupIds") {
			if s.Get(typeSecurityGroup, id).Text("vpcId") != group.Text("vpcId") {
				return errorf("InvalidVPCNetworkStateFault",
					"The DB instance and EC2 security group are in different VPCs.")
			}
		}
	}
	return unique("identifier", "DBInstanceAlreadyExists", "DB instance %s already exists")(s, r)
}

// removeDatabase takes the final snapshot if one is requested.
func removeDatabase(s *State, r *Resource) error {
	if r.Bool("deletionProtection") {
		return errorf("InvalidParameterCombination",
			"Cannot delete protected DB Instance, please disable deletion protection and try again.")
	}
	if !r.Bool("skipFinalSnapshot") {
		name := r.Text("finalSnapshotIdentifier")
		if name == "" {
			return errorf("InvalidParameterCombination",
				"FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
		}
		if s.Snapshots[name] != nil {
			return errorf("DBSnapshotAlreadyExists",
				"Cannot create the snapshot because a snapshot with the identifier %s already exists.", name)
		}
		s.addSnapshot(name, r)
	}
	return nil
}

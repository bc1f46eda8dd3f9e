package cloud

import (
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
)

// fixture creates resources in an account.
type fixture struct {
	*testing.T
	*Account
}

func newFixture(t *testing.T, faults ...string) fixture {
	return fixture{t, open(t, filepath.Join(t.TempDir(), "account.json"), faults...)}
}

func (f fixture) create(typ string, inputs values) *Resource {
	f.Helper()
	problems, err := CheckResource(typ, inputs)
	require.NoError(f, err)
	require.Empty(f, problems)
	r, err := f.CreateResource(context.Background(), typ, inputs)
	require.NoError(f, err)
	return r
}

func (f fixture) rejects(message, typ string, inputs values) {
	f.Helper()
	_, err := f.CreateResource(context.Background(), typ, inputs)
	require.EqualError(f, err, message)
}

// network creates a VPC with two subnets and a security group.
func (f fixture) network() (vpc, one, other, group *Resource) {
	f.Helper()
	vpc = f.create(typeVPC, values{"cidrBlock": "10.0.0.0/16"})
	one = f.create(typeSubnet, values{"vpcId": vpc.ID, "cidrBlock": "10.0.0.0/24", "availabilityZone": "us-east-1a"})
	other = f.create(typeSubnet, values{"vpcId": vpc.ID, "cidrBlock": "10.0.1.0/24", "availabilityZone": "us-east-1b"})
	return vpc, one, other, f.create(typeSecurityGroup, values{"vpcId": vpc.ID, "name": "api"})
}

// The provider tries to delete what is in use for a time, then returns AWS's error.
func TestDeleteOfWhatIsInUse(t *testing.T) {
	clk := &manualClock{now: time.Date(2026, 11, 30, 4, 0, 0, 0, time.UTC)}
	a, err := Open(filepath.Join(t.TempDir(), "account.json"), Options{AccountID: "123456789012", Region: "us-east-1", Clock: clk})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	f := fixture{t, a}
	vpc, _, _, group := f.network()
	endpoint := f.create(typeVPCEndpoint, values{"vpcId": vpc.ID, "serviceName": "s", "securityGroupIds": array(group.ID)})
	parameters := f.create(typeDBParameterGroup, values{"name": "db-16", "family": "postgres16"})
	f.create(typeDatabase, values{"identifier": "db", "engine": "postgres", "engineVersion": "16", "instanceClass": "db.t3.micro",
		"parameterGroupName": "db-16"})

	took := func(typ, id, want string) time.Duration {
		began := clk.Now()
		err := a.DeleteResource(t.Context(), typ, id, nil)
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
		return clk.Now().Sub(began)
	}
	require.Equal(t, 15*time.Minute, took(typeSecurityGroup, group.ID, "DependencyViolation"))
	require.Equal(t, 3*time.Minute, took(typeDBParameterGroup, parameters.ID, "InvalidDBParameterGroupState"))
	require.Zero(t, took(typeVPCEndpoint, endpoint.ID, ""))
	require.Zero(t, took(typeSecurityGroup, group.ID, ""))
}

// TestRoutes checks that a route table has one default route, whose target can be changed.
func TestRoutes(t *testing.T) {
	e := newFixture(t)
	vpc, one, _, _ := e.network()
	gateway := e.create(typeInternetGateway, values{"vpcId": vpc.ID})
	table := e.create(typeRouteTable, values{"vpcId": vpc.ID})
	address := e.create(typeEIP, values{})
	nat := e.create(typeNATGateway, values{"subnetId": one.ID, "allocationId": address.ID})
	route := values{"routeTableId": table.ID, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": gateway.ID}
	made := e.create(typeRoute, route)
	again := values{"routeTableId": table.ID, "destinationCidrBlock": "0.0.0.0/0", "natGatewayId": nat.ID}
	e.rejects("RouteAlreadyExists: The route identified by 0.0.0.0/0 already exists.", typeRoute, again)
	require.False(t, Replaces(typeRoute, "natGatewayId", route, again))
	updated, err := e.UpdateResource(t.Context(), typeRoute, made.ID, again)
	require.NoError(t, err)
	require.Equal(t, nat.ID, updated.Text("natGatewayId"))
}

// TestReplacesStrategy checks when the provider replaces a service for its launch type or capacity provider strategy.
func TestReplacesStrategy(t *testing.T) {
	strategy := func(provider string, more values) values {
		in := values{"capacityProviderStrategies": array(values{"capacityProvider": provider, "weight": 1.0})}
		maps.Copy(in, more)
		return in
	}
	force := values{"forceNewDeployment": true}
	for name, test := range map[string]struct {
		olds, news values
		want       bool
	}{
		"launch type to strategy": {values{"launchType": "FARGATE"}, strategy("FARGATE", force), true},
		"strategy to launch type": {strategy("FARGATE", force), values{"launchType": "FARGATE", "forceNewDeployment": true}, true},
		"another strategy":        {strategy("FARGATE", force), strategy("FARGATE_SPOT", force), false},
		"without a new deployment": {
			strategy("FARGATE", nil), strategy("FARGATE_SPOT", nil), true},
	} {
		require.Equal(t, test.want, Replaces(typeService, capacityStrategies, test.olds, test.news), name)
	}
}

func TestCapacityProviders(t *testing.T) {
	e := newFixture(t)
	cluster := e.create(typeCluster, values{"name": "c"})
	definition := e.create(typeTaskDefinition, values{"family": "api", "containerDefinitions": `[{"name":"api","image":"api"}]`})
	service := func(more values) values {
		in := values{"name": "api", "cluster": cluster.ID, "taskDefinition": definition.ID,
			"capacityProviderStrategies": array(values{"capacityProvider": "FARGATE", "weight": 1.0})}
		maps.Copy(in, more)
		return in
	}
	e.rejects("InvalidParameterException: The specified capacity provider strategy cannot contain a capacity provider that is not associated with "+
		"the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again.",
		typeService, service(nil))
	providers := e.create(typeClusterCapacityProviders, values{"clusterName": "c", "capacityProviders": array("FARGATE")})
	e.rejects("InvalidParameterException: Specifying both a launch type and capacity provider strategy is not supported. "+
		"Remove one and try again.", typeService, service(values{"launchType": "FARGATE"}))
	made := e.create(typeService, service(nil))
	require.Empty(t, made.Text("launchType"))
	offer := func(names ...any) error {
		_, err := e.UpdateResource(t.Context(), typeClusterCapacityProviders, providers.ID, values{"clusterName": "c", "capacityProviders": array(names...)})
		return err
	}
	require.NoError(t, offer("FARGATE", "FARGATE_SPOT"))
	require.EqualError(t, offer("FARGATE_SPOT"), "ResourceInUseException: The specified capacity provider is in use and cannot be removed.")
	require.NoError(t, offer("FARGATE"), "no service uses the other one")
	require.EqualError(t, e.DeleteResource(t.Context(), typeClusterCapacityProviders, providers.ID, nil),
		"ResourceInUseException: The specified capacity provider is in use and cannot be removed.")
	require.NoError(t, e.DeleteResource(t.Context(), typeService, made.ID, nil))
	require.NoError(t, e.DeleteResource(t.Context(), typeClusterCapacityProviders, providers.ID, nil))
}

func TestTLSPolicies(t *testing.T) {
	for policy, want := range map[string]bool{
		"ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09": true, "ELBSecurityPolicy-TLS13-1-2-2021-06": true,
		"ELBSecurityPolicy-2016-08": true, "ELBSecurityPolicy-TLS13-1-2-2021": false, "TLS13": false,
	} {
		problems, err := CheckResource(typeListener, values{"loadBalancerArn": "lb", "defaultActions": array(), "protocol": "HTTPS", "sslPolicy": policy})
		require.NoError(t, err)
		require.Equal(t, want, len(problems) == 0, "%s: %v", policy, problems)
	}
}

func TestSubnets(t *testing.T) {
	e := newFixture(t)
	vpc, one, _, _ := e.network()
	require.Equal(t, "arn:aws:ec2:us-east-1:123456789012:subnet/"+one.ID, one.Text("arn"))
	require.Equal(t, "use1-az1", one.Text("availabilityZoneId"))

	e.rejects("InvalidSubnet.Range: The CIDR '10.9.0.0/24' is invalid.", typeSubnet,
		values{"vpcId": vpc.ID, "cidrBlock": "10.9.0.0/24"})
	e.rejects("InvalidSubnet.Conflict: The CIDR '10.0.0.128/25' conflicts with another subnet", typeSubnet,
		values{"vpcId": vpc.ID, "cidrBlock": "10.0.0.128/25"})
	e.rejects("InvalidVpcID.NotFound: The vpc ID 'vpc-0' does not exist", typeSubnet,
		values{"vpcId": "vpc-0", "cidrBlock": "10.0.2.0/24"})
	require.EqualError(t, e.DeleteResource(context.Background(), typeVPC, vpc.ID, nil),
		"DependencyViolation: The vpc '"+vpc.ID+"' has dependencies and cannot be deleted.")
}

func TestSecurityGroups(t *testing.T) {
	e := newFixture(t)
	vpc, _, _, group := e.network()
	rule := values{"securityGroupId": group.ID, "ipProtocol": "tcp", "fromPort": 443.0, "toPort": 443.0,
		"cidrIpv4": "0.0.0.0/0"}
	e.create(typeIngressRule, rule)
	e.rejects("InvalidPermission.Duplicate: the specified ingress rule already exists in "+group.ID, typeIngressRule,
		rule)
	e.rejects("InvalidGroup.Duplicate: The security group 'api' already exists for VPC '"+vpc.ID+"'", typeSecurityGroup,
		values{"vpcId": vpc.ID, "name": "api"})

	standing := e.create(typeDefaultSecurityGroup, values{"vpcId": vpc.ID})
	require.Equal(t, vpc.Text("defaultSecurityGroupId"), standing.ID)
}

func TestChecksBeforeCreation(t *testing.T) {
	fargate := func(cpu, memory string) values {
		return values{"family": "api", "containerDefinitions": `[{"name":"a","image":"b"}]`, "cpu": cpu,
			"memory":                  memory,
			"requiresCompatibilities": array("FARGATE")}
	}
	tests := map[string]struct {
		typ    string
		inputs values
		want   string
	}{
		"a load balancer's name": {typeLoadBalancer, values{"name": strings.Repeat("a", 33)}, "at most 32 characters"},
		"a name AWS reserves":    {typeLoadBalancer, values{"name": "internal-api"}, `cannot begin with "internal-"`},
		"a target group's name": {typeTargetGroup, values{"name": "api_tg"},
			"only alphanumeric characters and hyphens"},
		"a pair of Fargate": {typeTaskDefinition, fargate("256", "4096"),
			"No Fargate configuration exists for given values: 256 CPU, 4096 memory"},
		"a pair between two":     {typeTaskDefinition, fargate("512", "1536"), "No Fargate configuration exists"},
		"a CPU of no size":       {typeTaskDefinition, fargate("300", "1024"), "No Fargate configuration exists"},
		"a range too wide":       {typeVPC, values{"cidrBlock": "10.0.0.0/8"}, "prefix length from /16 to /28"},
		"a range off its bounds": {typeVPC, values{"cidrBlock": "10.0.0.1/16"}, "not a valid IPv4 CIDR block"},
		"a policy":               {typeRole, values{"name": "a", "assumeRolePolicy": "{"}, "contains an invalid JSON"},
		"a missing input":        {typeRole, values{"name": "a"}, "missing required property"},
		"a retention":            {typeLogGroup, values{"name": "a", "retentionInDays": 10.0}, "to be one of"},
		"too many days of backups": {typeDatabase, values{"instanceClass": "db.t3.micro", "backupRetentionPeriod": 36.0},
			"range (0 - 35)"},
		"a span of no tasks": {typeScalingTarget,
			values{"minCapacity": 3.0, "maxCapacity": 2.0, "resourceId": "a", "scalableDimension": "b",
				"serviceNamespace": "ecs"}, "cannot be less than minimum"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			problems, err := CheckResource(test.typ, test.inputs)
			require.NoError(t, err)
			require.Len(t, problems, 1)
			require.Contains(t, problems[0].Reason, test.want)
		})
	}
	t.Run("what is not known yet is passed over", func(t *testing.T) {
		problems, err := CheckResource(typeTaskDefinition,
			values{"family": Unknown{}, "containerDefinitions": Unknown{}, "cpu": Unknown{}})
		require.NoError(t, err)
		require.Empty(t, problems)
	})
	t.Run("pairs that Fargate has", func(t *testing.T) {
		for _, pair := range [][2]string{{"256", "512"}, {"256", "2048"}, {"512", "1024"}, {"1024", "8192"},
			{"4096", "30720"}, {"16384", "122880"}} {
			problems, err := CheckResource(typeTaskDefinition, fargate(pair[0], pair[1]))
			require.NoError(t, err)
			require.Empty(t, problems, pair)
		}
	})
}

func TestUnsimulatedTypesAreRejectedByName(t *testing.T) {
	e := newFixture(t)
	_, err := e.CreateResource(context.Background(), "aws:lambda/function:Function", values{})
	require.EqualError(t, err, "the resource type aws:lambda/function:Function is not simulated by local mode")
	_, err = e.Invoke("aws:ec2/getAmi:getAmi", values{})
	require.EqualError(t, err, "the function aws:ec2/getAmi:getAmi is not simulated by local mode")
}

// TestEveryResourceTypeIsComplete checks the table for templates with unknown names and types without an ID.
func TestEveryResourceTypeIsComplete(t *testing.T) {
	for typ, k := range resourceTypes {
		require.True(t, k.id != "" || k.compute != nil, "%s has no ID", typ)
		for _, ref := range k.refs {
			require.Contains(t, resourceTypes, ref.typ, typ)
			require.NotEmpty(t, ref.missing.code, typ)
		}
		for property := range k.computed {
			require.NotContains(t, k.defaults, property, "%s: %s is both computed and a default", typ, property)
		}
	}
}

func (f fixture) database(inputs values) *Resource {
	f.Helper()
	_, one, other, group := f.network()
	subnets := f.create(typeDBSubnetGroup, values{"name": "db", "subnetIds": array(one.ID, other.ID)})
	all := values{"identifier": "db", "engine": "postgres", "engineVersion": "16", "instanceClass": "db.t3.micro",
		"username":          "balancer",
		"dbSubnetGroupName": subnets.ID, "vpcSecurityGroupIds": array(group.ID), "manageMasterUserPassword": true}
	for name, value := range inputs {
		all[name] = value
	}
	return f.create(typeDatabase, all)
}

func TestDatabase(t *testing.T) {
	e := newFixture(t)
	db := e.database(values{"deletionProtection": true, "finalSnapshotIdentifier": "db-final"})
	require.Equal(t, db.Text("address")+":5432", db.Text("endpoint"))
	require.Regexp(t, `^db\.c[0-9a-f]{11}\.us-east-1\.rds\.amazonaws\.com$`, db.Text("address"))
	require.Equal(t, "16.8", db.Text("engineVersionActual"))
	require.False(t, db.Pending, "the creation is waited for")

	secret := db.Blocks("masterUserSecrets")[0]
	require.Equal(t, "active", secret["secretStatus"])
	content, err := json.Marshal(db)
	require.NoError(t, err)
	require.NotContains(t, string(content), "assword\":\"", "RDS shows no password")
	e.create(typeSecretRotation, values{"secretId": secret["secretArn"],
		"rotationRules": values{"automaticallyAfterDays": 30.0}})

	require.EqualError(t, e.DeleteResource(context.Background(), typeDatabase, db.ID, nil),
		"InvalidParameterCombination: Cannot delete protected DB Instance, please disable deletion protection and try again.")
	found, err := e.ReadResource(context.Background(), typeDatabase, "db")
	require.NoError(t, err)
	require.Equal(t, db.ID, found.ID, "an import finds it by its identifier")

	inputs := found.Inputs
	inputs["deletionProtection"] = false
	updated, err := e.UpdateResource(context.Background(), typeDatabase, db.ID, inputs)
	require.NoError(t, err)
	require.Equal(t, db.Text("address"), updated.Text("address"), "random parts do not change")
	// The provider takes the name of the final snapshot from its state, whatever the last change of the instance named.
	state := values{"skipFinalSnapshot": false}
	require.ErrorContains(t, e.DeleteResource(context.Background(), typeDatabase, db.ID, state), "FinalDBSnapshotIdentifier is required")
	state["finalSnapshotIdentifier"] = "db-final-of-the-state"
	require.NoError(t, e.DeleteResource(context.Background(), typeDatabase, db.ID, state))
	require.NoError(t, e.View(func(s *State) error {
		require.Contains(t, s.Snapshots, "db-final-of-the-state")
		return nil
	}))
}

func TestProvisionFails(t *testing.T) {
	e := newFixture(t, "provision-fails")
	_, err := e.CreateResource(context.Background(), typeDatabase, values{"instanceClass": "db.t3.micro"})
	require.ErrorContains(t, err,
		"InsufficientDBInstanceCapacity: We currently do not have sufficient db.t3.micro capacity")
	_, due := e.PendingChange(typeDatabase)
	require.True(t, due, "the fault must also affect an existing database")
	_, due = e.PendingChange(typeService)
	require.False(t, due)
	_, due = newFixture(t).PendingChange(typeDatabase)
	require.False(t, due)
}

func TestListenerNeedsAnIssuedCertificate(t *testing.T) {
	e := newFixture(t)
	_, one, other, group := e.network()
	zone := e.create(typeZone, values{"name": "example.com"})
	require.Len(t, zone.Strings("nameServers"), 4)
	certificate := e.create(typeCertificate, values{"domainName": "api.example.com", "validationMethod": "DNS"})
	balancer := e.create(typeLoadBalancer, values{"name": "alb", "subnets": array(one.ID, other.ID),
		"securityGroups": array(group.ID)})
	target := e.create(typeTargetGroup, values{"name": "tg", "port": 3000.0, "protocol": "HTTP",
		"vpcId": one.Text("vpcId"), "targetType": "ip"})
	https := values{"loadBalancerArn": balancer.ID, "port": 443.0, "protocol": "HTTPS",
		"certificateArn": certificate.ID,
		"defaultActions": array(values{"type": "forward", "targetGroupArn": target.ID})}

	_, err := e.CreateResource(context.Background(), typeListener, https)
	require.ErrorContains(t, err, "UnsupportedCertificate")
	_, err = e.CreateResource(context.Background(), typeCertificateValidation, values{"certificateArn": certificate.ID})
	require.ErrorContains(t, err, "last state: 'PENDING_VALIDATION'")

	option := certificate.Blocks("domainValidationOptions")[0]
	e.create(typeRecord, values{"zoneId": zone.ID, "name": option["resourceRecordName"], "type": "CNAME", "ttl": 60.0,
		"records": array(option["resourceRecordValue"])})
	e.create(typeCertificateValidation, values{"certificateArn": certificate.ID})
	listener := e.create(typeListener, https)
	require.Contains(t, listener.ID, ":listener/app/alb/")
	require.ErrorContains(t, e.DeleteResource(context.Background(), typeTargetGroup, target.ID, nil), "ResourceInUse")
	require.ErrorContains(t, e.DeleteResource(context.Background(), typeCertificate, certificate.ID, nil), "ResourceInUseException")
	require.ErrorContains(t, e.DeleteResource(context.Background(), typeZone, zone.ID, nil), "HostedZoneNotEmpty")
}

func TestAccessLogs(t *testing.T) {
	e := newFixture(t)
	_, one, other, _ := e.network()
	bucket := e.create(typeBucket, values{"bucket": "logs", "forceDestroy": false})
	balancer := values{"name": "alb", "subnets": array(one.ID, other.ID),
		"accessLogs": values{"bucket": "logs", "enabled": true}}
	denied := "InvalidConfigurationRequest: Access Denied for bucket: logs. Please check S3bucket permission"
	e.rejects(denied, typeLoadBalancer, balancer)
	e.create(typeBucketPolicy, values{"bucket": "logs", "policy": `{"Statement":[{"Action":"s3:PutObject"}]}`})
	encrypt := func(algorithm string) values {
		return values{"bucket": "logs",
			"rules": array(values{"applyServerSideEncryptionByDefault": values{"sseAlgorithm": algorithm}})}
	}
	kms := e.create(typeBucketEncryption, encrypt("aws:kms"))
	e.rejects(denied, typeLoadBalancer, balancer)
	_, err := e.UpdateResource(context.Background(), typeBucketEncryption, kms.ID, encrypt("AES256"))
	require.NoError(t, err)
	e.create(typeLoadBalancer, balancer)
	require.EqualError(t, e.DeleteResource(context.Background(), typeBucket, bucket.ID, nil),
		"BucketNotEmpty: The bucket you tried to delete is not empty: logs")
}

func TestTaskDefinitions(t *testing.T) {
	e := newFixture(t)
	definition := values{"family": "api", "containerDefinitions": `[{"name":"api","image":"i"}]`, "skipDestroy": true}
	first, second := e.create(typeTaskDefinition, definition), e.create(typeTaskDefinition, definition)
	require.Equal(t, "arn:aws:ecs:us-east-1:123456789012:task-definition/api:1", first.ID)
	require.Equal(t, "arn:aws:ecs:us-east-1:123456789012:task-definition/api:2", second.Text("arn"))

	tagged, err := e.UpdateResource(context.Background(), typeTaskDefinition, first.ID, values{"family": "api",
		"containerDefinitions": definition["containerDefinitions"], "skipDestroy": true, "tags": values{"a": "b"}})
	require.NoError(t, err)
	require.Equal(t, 1.0, tagged.Number("revision"), "a tag does not create a revision")

	require.NoError(t, e.DeleteResource(context.Background(), typeTaskDefinition, first.ID, nil))
	require.NoError(t, e.View(func(s *State) error {
		require.True(t, s.Get(typeTaskDefinition, first.ID).Kept, "an old revision is kept for a rollback")
		return nil
	}))
	e.rejects("ClientException: Role is not valid: arn:aws:iam::123456789012:role/none", typeTaskDefinition,
		values{"family": "api",
			"containerDefinitions": definition["containerDefinitions"], "taskRoleArn": "arn:aws:iam::123456789012:role/none"})
}

func TestRolesAndManagedPolicies(t *testing.T) {
	e := newFixture(t)
	const boundary = "arn:aws:iam::123456789012:policy/boundary"
	bound := values{"name": "task", "assumeRolePolicy": "{}", "permissionsBoundary": boundary}
	e.rejects("NoSuchEntity: Scope ARN: "+boundary+" does not exist or is not attachable.", typeRole, bound)
	e.rejects("LimitExceeded: Cannot exceed quota for PolicySize: 6144", typePolicy,
		values{"name": "long", "policy": `"` + strings.Repeat("x", 6143) + `"`})

	require.Equal(t, boundary, e.create(typePolicy, values{"name": "boundary", "policy": "{}"}).ID)
	role := e.create(typeRole, bound)
	const anyService = `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:*:us-east-1:123456789012:*/x-*"}]}`
	const vendor = "MalformedPolicyDocument: Resource vendor must be fully qualified and cannot contain regexes."
	e.rejects(vendor, typePolicy, values{"name": "any", "policy": anyService})
	e.rejects(vendor, typeRolePolicy, values{"name": "any", "role": "task", "policy": anyService})
	e.rejects("MalformedPolicyDocument: Has prohibited field Resource", typeRole, values{"name": "any",
		"assumeRolePolicy": `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`})
	require.EqualError(t, e.DeleteResource(context.Background(), typePolicy, boundary, nil), "DeleteConflict: Cannot delete a policy attached to entities.")

	e.rejects("NoSuchEntity: Policy arn:aws:iam::123456789012:policy/none does not exist or is not attachable.",
		typeRolePolicyAttachment, values{"role": "task", "policyArn": "arn:aws:iam::123456789012:policy/none"})
	attached := e.create(typeRolePolicyAttachment, values{"role": "task", "policyArn": boundary})
	require.EqualError(t, e.DeleteResource(context.Background(), typeRole, role.ID, nil), "DeleteConflict: Cannot delete entity, must detach all policies first.")
	require.NoError(t, e.DeleteResource(context.Background(), typeRolePolicyAttachment, attached.ID, nil))
	require.NoError(t, e.DeleteResource(context.Background(), typeRole, role.ID, nil))
	require.NoError(t, e.DeleteResource(context.Background(), typePolicy, boundary, nil))
}

func TestServiceNeedsAListenerBeforeItsTargetGroup(t *testing.T) {
	e := newFixture(t)
	vpc, _, _, _ := e.network()
	cluster := e.create(typeCluster, values{"name": "cluster"})
	definition := e.create(typeTaskDefinition, values{"family": "api",
		"containerDefinitions": `[{"name":"api","image":"i"}]`})
	target := e.create(typeTargetGroup, values{"name": "tg", "port": 3000.0, "protocol": "HTTP", "vpcId": vpc.ID,
		"targetType": "ip"})
	e.rejects("InvalidParameterException: The target group with targetGroupArn "+target.ID+" does not have an associated load balancer.",
		typeService, values{"name": "api", "cluster": cluster.ID, "taskDefinition": definition.ID,
			"loadBalancers": array(values{"targetGroupArn": target.ID, "containerName": "api",
				"containerPort": 3000.0})})

	service := values{"name": "api", "cluster": cluster.ID, "taskDefinition": definition.ID}
	require.Equal(t, "arn:aws:ecs:us-east-1:123456789012:service/cluster/api", e.create(typeService, service).ID)
	e.rejects("InvalidParameterException: Creation of service api was not idempotent.", typeService, service)
	e.rejects("ValidationException: ECS service doesn't exist: service/cluster/other", typeScalingTarget,
		values{"resourceId": "service/cluster/other", "minCapacity": 1.0, "maxCapacity": 2.0})
	require.ErrorContains(t, e.DeleteResource(context.Background(), typeCluster, cluster.ID, nil), "ClusterContainsServicesException")
}

func TestNameConflicts(t *testing.T) {
	e := newFixture(t)
	_, one, other, _ := e.network()
	for typ, inputs := range map[string]values{
		typeRole:         {"name": "a", "assumeRolePolicy": "{}"},
		typePolicy:       {"name": "a", "policy": "{}"},
		typeLogGroup:     {"name": "a"},
		typeRepository:   {"name": "a"},
		typeBucket:       {"bucket": "aaa"},
		typeQueue:        {"name": "a"},
		typeOIDCProvider: {"url": "https://a.example", "clientIdLists": array("sts.amazonaws.com")},
		typeTargetGroup:  {"name": "a", "vpcId": one.Text("vpcId")},
		typeLoadBalancer: {"name": "a", "subnets": array(one.ID, other.ID)},
		typeWebACL:       {"name": "a", "scope": "REGIONAL", "defaultAction": values{}, "visibilityConfig": values{}},
		typeSamplingRule: {"ruleName": "a"},
		typeBudget:       {"name": "a", "budgetType": "COST", "timeUnit": "MONTHLY"},
	} {
		e.create(typ, inputs)
		_, err := e.CreateResource(context.Background(), typ, inputs)
		var refused *Error
		require.ErrorAs(t, err, &refused, typ)
		require.Regexp(t, "Already|Duplicate|InvalidRequest", refused.Code, typ)
	}
}

func TestInterruptedCreationIsCompletedByTheNextRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "account.json")
	slow, err := Open(path, Options{AccountID: testAccount, Region: testRegion, Clock: clock.Real()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, err := slow.CreateResource(ctx, typeCluster, values{"name": "cluster"})
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, r.Pending)
	require.NoError(t, slow.Close())
	e := fixture{t, open(t, path)}
	found, err := e.ReadResource(context.Background(), typeCluster, r.ID)
	require.NoError(t, err)
	require.False(t, found.Pending)
	require.NoError(t, e.View(func(s *State) error {
		require.False(t, s.Get(typeCluster, r.ID).Pending)
		return nil
	}))
}

func TestInvoke(t *testing.T) {
	e := newFixture(t)
	zone := e.create(typeZone, values{"name": "example.com"})
	e.create(typeRepository, values{"name": "balancer-api"})
	found, err := e.Invoke("aws:route53/getZone:getZone", values{"name": "example.com."})
	require.NoError(t, err)
	require.Equal(t, zone.ID, found["zoneId"])
	found, err = e.Invoke("aws:ecr/getRepository:getRepository", values{"name": "balancer-api"})
	require.NoError(t, err)
	require.Equal(t, "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api", found["repositoryUrl"])
	found, err = e.Invoke("aws:index/getAvailabilityZones:getAvailabilityZones", values{"state": "available"})
	require.NoError(t, err)
	require.Equal(t, array("us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"), found["names"])

	for token, args := range map[string]values{
		"aws:route53/getZone:getZone":            {"name": "none.example"},
		"aws:ecr/getRepository:getRepository":    {"name": "none"},
		"aws:secretsmanager/getSecret:getSecret": {"name": "none"},
	} {
		_, err := e.Invoke(token, args)
		require.Error(t, err, token)
	}
}

// TestCAARecordsDecideWhoIssues checks that ACM issues no certificate where the nearest CAA record names other authorities only.
func TestCAARecordsDecideWhoIssues(t *testing.T) {
	for name, c := range map[string]struct {
		domain  string
		records map[string][]any
		issued  bool
	}{
		"none":                   {"api.example.com", nil, true},
		"ACM at the root":        {"api.example.com", map[string][]any{"example.com": {`0 issue "amazon.com"`}}, true},
		"another at the root":    {"api.example.com", map[string][]any{"example.com": {`0 issue "letsencrypt.org"`}}, false},
		"both":                   {"api.example.com", map[string][]any{"example.com": {`0 issue "letsencrypt.org"`, `0 issue "amazonaws.com"`}}, true},
		"a nearer one":           {"api.example.com", map[string][]any{"example.com": {`0 issue "letsencrypt.org"`}, "api.example.com": {`0 issue "amazon.com"`}}, true},
		"a nearer other":         {"api.example.com", map[string][]any{"example.com": {`0 issue "amazon.com"`}, "api.example.com": {`0 issue ";"`}}, false},
		"wildcards of another":   {"*.example.com", map[string][]any{"example.com": {`0 issue "amazon.com"`, `0 issuewild "letsencrypt.org"`}}, false},
		"only about a complaint": {"api.example.com", map[string][]any{"example.com": {`0 iodef "mailto:a@example.com"`}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			e := newFixture(t)
			zone := e.create(typeZone, values{"name": "example.com"})
			for host, records := range c.records {
				e.create(typeRecord, values{"zoneId": zone.ID, "name": host, "type": "CAA", "ttl": 60.0, "records": records})
			}
			certificate := e.create(typeCertificate, values{"domainName": c.domain, "validationMethod": "DNS"})
			option := certificate.Blocks("domainValidationOptions")[0]
			e.create(typeRecord, values{"zoneId": zone.ID, "name": option["resourceRecordName"], "type": "CNAME", "ttl": 60.0,
				"records": array(option["resourceRecordValue"])})
			_, err := e.CreateResource(context.Background(), typeCertificateValidation, values{"certificateArn": certificate.ID})
			if c.issued {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "CAA_ERROR")
		})
	}
	problems, err := CheckResource(typeRecord, values{"zoneId": "Z", "name": "example.com", "type": "CAA", "ttl": 60.0, "records": array("amazon.com")})
	require.NoError(t, err)
	require.Len(t, problems, 1)
	require.Contains(t, problems[0].Reason, "CAARRDATAIllegalFormat")
}

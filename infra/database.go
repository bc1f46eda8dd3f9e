package infra

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/rds"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/secretsmanager"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Database is the PostgreSQL instance: private, encrypted, TLS only. RDS generates the master password, stores it in a
// secret and rotates it; neither the program nor its state has it.
type Database struct {
	pulumi.ResourceState

	// Host is the instance's host name; its port is environment.DatabasePort.
	Host pulumi.StringOutput
	// SecretARN is the secret with the master user and its password.
	SecretARN pulumi.StringOutput
}

// DatabaseArgs are the arguments of a Database.
type DatabaseArgs struct {
	Env             *environment.Environment
	VPCID           pulumi.StringInput
	SubnetIDs       pulumi.StringArrayInput
	SecurityGroupID pulumi.StringInput
	// DeployedVersion is the version of PostgreSQL that the stack has; "" where it has no database.
	DeployedVersion string
	// FinalSnapshot is the name of the instance's final snapshot that the stack has; "" where it has none yet.
	FinalSnapshot string
}

// NewDatabase declares a Database.
func NewDatabase(ctx *pulumi.Context, name string, args *DatabaseArgs, opts ...pulumi.ResourceOption) (*Database, error) {
	c := &Database{}
	child, err := declare(ctx, "Database", name, c, opts)
	if err != nil {
		return nil, err
	}
	env := args.Env
	subnets, err := rds.NewSubnetGroup(ctx, name, &rds.SubnetGroupArgs{
		Name:        pulumi.String(env.DatabaseIdentifier()),
		Description: pulumi.String("Private subnets of " + env.VPCName()),
		SubnetIds:   args.SubnetIDs,
		Tags:        withName(env.Tags(), env.DatabaseIdentifier()),
	}, child)
	if err != nil {
		return nil, err
	}
	// A group cannot change its family, and RDS deletes none that an instance uses: the group of another major version is created
	// first, and this one is deleted after the instance has moved. The provider would delete first whatever has an explicit name.
	createFirst := pulumi.DeleteBeforeReplace(false)
	parameters, err := rds.NewParameterGroup(ctx, name, &rds.ParameterGroupArgs{
		Name:        pulumi.String(env.ParameterGroupName()),
		Family:      pulumi.String(env.DatabaseFamily()),
		Description: pulumi.String("Connections with TLS only"),
		Parameters:  databaseParameters(),
		Tags:        withName(env.Tags(), env.ParameterGroupName()),
	}, child, createFirst)
	if err != nil {
		return nil, err
	}
	var logs []pulumi.Resource
	for _, kind := range environment.DatabaseLogs() {
		// RDS would create the log groups itself, without retention.
		group, err := newLogGroup(ctx, name+"-"+kind, "/aws/rds/instance/"+env.DatabaseIdentifier()+"/"+kind, env, child)
		if err != nil {
			return nil, err
		}
		logs = append(logs, group)
	}
	instance, err := rds.NewInstance(ctx, name, instanceArgs(args, subnets.Name, parameters.Name), child, pulumi.DependsOn(logs),
		// RDS ignores a change of it, which every preview would show again: an imported instance keeps what it has.
		// Source: https://github.com/hashicorp/terraform-provider-aws/issues/40870
		pulumi.IgnoreChanges([]string{"engineLifecycleSupport"}))
	if err != nil {
		return nil, err
	}
	c.Host, c.SecretARN = instance.Address, masterSecret(instance)
	if _, err := secretsmanager.NewSecretRotation(ctx, name, &secretsmanager.SecretRotationArgs{
		SecretId: c.SecretARN,
		RotationRules: secretsmanager.SecretRotationRotationRulesArgs{
			AutomaticallyAfterDays: pulumi.Int(env.Database.PasswordRotationDays),
		},
		// A new schedule must not rotate the password, which running tasks would not know.
		RotateImmediately: pulumi.Bool(false),
	}, child); err != nil {
		return nil, err
	}
	return c, finish(ctx, name, c, pulumi.Map{"host": c.Host, "secretArn": c.SecretARN})
}

// databaseParameters returns the parameters that the group sets. Their values are the defaults of the families since PostgreSQL 15, and
// RDS does not store a value that equals the default: it returns the apply method pending-reboot, whatever was requested. Any other
// method would be a difference in every preview. An instance has the parameters from its first start.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
// Source: https://github.com/hashicorp/terraform-provider-aws/issues/18035
func databaseParameters() rds.ParameterGroupParameterArray {
	return rds.ParameterGroupParameterArray{rds.ParameterGroupParameterArgs{
		Name: pulumi.String("rds.force_ssl"), Value: pulumi.String("1"), ApplyMethod: pulumi.String("pending-reboot"),
	}}
}

// instanceArgs returns the arguments of the instance. In a protected environment, a change that interrupts the database
// waits for the maintenance window; elsewhere it is applied immediately. Another major version is applied immediately everywhere:
// the deployment's migration and image are for that version, and the file named it for this deployment. Deleting the instance
// always takes a final snapshot.
func instanceArgs(args *DatabaseArgs, subnetGroup, parameterGroup pulumi.StringInput) *rds.InstanceArgs {
	env, d := args.Env, args.Env.Database
	instance := &rds.InstanceArgs{
		Identifier:               pulumi.String(env.DatabaseIdentifier()),
		Engine:                   pulumi.String("postgres"),
		EngineVersion:            pulumi.String(d.EngineVersion),
		AllowMajorVersionUpgrade: pulumi.Bool(true),
		AutoMinorVersionUpgrade:  pulumi.Bool(true),
		EngineLifecycleSupport:   pulumi.String(environment.DatabaseLifecycle),
		InstanceClass:            pulumi.String(d.InstanceClass),
		StorageType:              pulumi.String(environment.DatabaseStorage),
		AllocatedStorage:         pulumi.Int(d.StorageGiB),
		MaxAllocatedStorage:      pulumi.Int(d.MaxStorageGiB),
		StorageEncrypted:         pulumi.Bool(true),
		DbName:                   pulumi.String(d.Name),
		Port:                     pulumi.Int(environment.DatabasePort),
		Username:                 pulumi.String(d.User),
		ManageMasterUserPassword: pulumi.Bool(true),

		DbSubnetGroupName:   subnetGroup,
		ParameterGroupName:  parameterGroup,
		VpcSecurityGroupIds: pulumi.StringArray{args.SecurityGroupID},
		PubliclyAccessible:  pulumi.Bool(false),
		MultiAz:             pulumi.Bool(d.MultiZone),

		BackupRetentionPeriod:   pulumi.Int(d.BackupDays),
		BackupWindow:            pulumi.String(environment.BackupWindow),
		MaintenanceWindow:       pulumi.String(environment.MaintenanceWindow),
		ApplyImmediately:        pulumi.Bool(!env.Protected || changesMajor(args.DeployedVersion, d.EngineVersion)),
		CopyTagsToSnapshot:      pulumi.Bool(true),
		DeletionProtection:      pulumi.Bool(d.DeletionProtection),
		DeleteAutomatedBackups:  pulumi.Bool(!env.Protected),
		SkipFinalSnapshot:       pulumi.Bool(false),
		FinalSnapshotIdentifier: finalSnapshot(args),

		PerformanceInsightsEnabled:   pulumi.Bool(d.PerformanceInsights),
		EnabledCloudwatchLogsExports: pulumi.ToStringArray(environment.DatabaseLogs()),
		Tags:                         withName(env.Tags(), env.DatabaseIdentifier()),
	}
	if d.PerformanceInsights {
		instance.PerformanceInsightsRetentionPeriod = pulumi.Int(environment.InsightsDays)
	}
	return instance
}

// changesMajor reports whether an instance with the deployed version, "" for none, gets another major version.
func changesMajor(deployed, wanted string) bool {
	return deployed != "" && environment.MajorVersion(deployed) != environment.MajorVersion(wanted)
}

// finalSnapshot returns the name of the instance's final snapshot: the one that the stack has, which the deployer renews before the
// instance is deleted. A snapshot outlives its instance, and its name stays taken. So the first name has a digest of what a replacement
// changes: the network, and the values that RDS cannot update.
func finalSnapshot(args *DatabaseArgs) pulumi.StringOutput {
	if args.FinalSnapshot != "" {
		return pulumi.String(args.FinalSnapshot).ToStringOutput()
	}
	d := args.Env.Database
	return args.VPCID.ToStringOutput().ApplyT(func(vpcID string) string {
		digest := sha256.Sum256([]byte(vpcID + "\n" + d.Name + "\n" + d.User))
		return fmt.Sprintf("%s-final-%x", args.Env.DatabaseIdentifier(), digest[:5])
	}).(pulumi.StringOutput)
}

// NoMasterSecret is the error of a database whose password RDS does not manage, as of one that was created manually.
const NoMasterSecret = "the database has no managed secret for its master user"

// masterSecret returns the ARN of the secret of the master password.
func masterSecret(instance *rds.Instance) pulumi.StringOutput {
	return instance.MasterUserSecrets.ApplyT(func(secrets []rds.InstanceMasterUserSecret) (string, error) {
		if len(secrets) == 0 || secrets[0].SecretArn == nil {
			return "", errors.New(NoMasterSecret)
		}
		return *secrets[0].SecretArn, nil
	}).(pulumi.StringOutput)
}

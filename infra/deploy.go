package infra

import (
	"cmp"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Release has the parameters of one run of the program.
type Release struct {
	// Image is the image of every task definition: repository@sha256:…, never a tag.
	Image string
	// MigrationImage is that of the migration's task definition; "" means Image.
	MigrationImage string
	// RecordedImage is the stack's output "image" after this run. Until the services run Image, it is the previous
	// image, or "" for none.
	RecordedImage string
	// RecordedEnvironment is the stack's output "environment" after this run: what is deployed once the run is done. nil
	// means the environment that the program gets.
	RecordedEnvironment *environment.Environment
	// DatabaseVersion is the version of PostgreSQL that the stack has; "" where it has no database.
	DatabaseVersion string
	// FinalSnapshot is the name of the database's final snapshot that the stack has; "" where it has none yet.
	FinalSnapshot string
	// EndpointURL is an AWS-compatible endpoint, or "" for AWS itself.
	EndpointURL string
}

// The stack's outputs that a later deployment reads.
const (
	// OutputImage is the image that the services run, repository@sha256:….
	OutputImage = "image"
	// OutputEnvironment is the environment's description as it was deployed. environment.DecodeDeployed reads it.
	OutputEnvironment = "environment"
	// OutputSecret is the ARN of the configuration secret.
	OutputSecret = "secretArn"
)

// Deploy returns the program of an environment's stack.
func Deploy(env *environment.Environment, r Release) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		encoded, err := cmp.Or(r.RecordedEnvironment, env).Encode()
		if err != nil {
			return err
		}
		provider, err := newProvider(ctx, providerName, env.Region, env.Account, r.EndpointURL)
		if err != nil {
			return err
		}
		p := &components{
			ctx: ctx, env: env, image: r.Image, migrationImage: cmp.Or(r.MigrationImage, r.Image), databaseVersion: r.DatabaseVersion, finalSnapshot: r.FinalSnapshot,
			opt: pulumi.Providers(provider), lookups: lookUp(ctx, env, provider),
		}
		for _, region := range env.AlarmRegions()[1:] {
			if p.globalProvider, err = newProvider(ctx, providerNameIn(region), region, env.Account, r.EndpointURL); err != nil {
				return err
			}
		}
		if err := p.declare(); err != nil {
			return err
		}
		ctx.Export(OutputEnvironment, pulumi.Any(encoded))
		for name, value := range p.outputs(r) {
			ctx.Export(name, value)
		}
		return nil
	}
}

// components declares the components of an environment. It keeps those that others, or the stack's outputs, refer to.
type components struct {
	ctx *pulumi.Context
	env *environment.Environment
	// image is that of the services, migrationImage that of the migration.
	image, migrationImage string
	// databaseVersion is the version of PostgreSQL that the stack has.
	databaseVersion string
	// finalSnapshot is the name of the database's final snapshot that the stack has.
	finalSnapshot string
	opt           pulumi.ResourceOption
	lookups
	network     *Network
	groups      *SecurityGroups
	certificate *Certificate
	balancer    *Balancer
	database    *Database
	queue       *Queue
	cluster     *Cluster
	roles       *Roles
	// notifications is nil with basic monitoring.
	notifications *Notifications
	// globalProvider is the provider in environment.GlobalMetricsRegion where an alarm has to be there; nil means no other region.
	globalProvider *aws.Provider
}

// declare declares all components. Their order is for the reader; dependencies follow from the outputs that each
// component gets.
func (p *components) declare() error {
	for _, declare := range []func() error{
		p.declareNotifications, p.declareNetwork, p.declareData, p.declareIngress, p.declareTasks, p.declareMonitoring,
	} {
		if err := declare(); err != nil {
			return err
		}
	}
	return nil
}

func (p *components) declareNetwork() (err error) {
	if p.network, err = NewNetwork(p.ctx, "network", p.env, p.opt); err != nil {
		return err
	}
	p.groups, err = NewSecurityGroups(p.ctx, "groups", p.env, p.network.VPCID, p.opt)
	return err
}

func (p *components) declareData() (err error) {
	if p.database, err = NewDatabase(p.ctx, "database", &DatabaseArgs{
		Env: p.env, VPCID: p.network.VPCID, SubnetIDs: p.network.PrivateSubnetIDs, SecurityGroupID: p.groups.DatabaseID,
		DeployedVersion: p.databaseVersion, FinalSnapshot: p.finalSnapshot,
	}, p.opt); err != nil {
		return err
	}
	p.queue, err = NewQueue(p.ctx, "queue", p.env, p.opt)
	return err
}

func (p *components) declareIngress() (err error) {
	if p.certificate, err = NewCertificate(p.ctx, "certificate", p.env, p.zoneID, p.opt); err != nil {
		return err
	}
	logs, err := NewAccessLogs(p.ctx, "access-logs", p.env, p.opt)
	if err != nil {
		return err
	}
	if p.balancer, err = NewBalancer(p.ctx, "balancer", &BalancerArgs{
		Env: p.env, VPCID: p.network.VPCID, SubnetIDs: p.network.PublicSubnetIDs, SecurityGroupID: p.groups.LoadBalancerID,
		LogBucket: logs.BucketName, CertificateARN: p.certificate.ARN,
	}, p.opt); err != nil {
		return err
	}
	if p.env.Firewall.Enabled {
		if _, err = NewFirewall(p.ctx, "firewall", p.env, p.balancer.ARN, p.opt); err != nil {
			return err
		}
	}
	_, err = NewDNS(p.ctx, "dns", p.env, p.zoneID, p.balancer, p.opt)
	return err
}

func (p *components) declareTasks() (err error) {
	if p.cluster, err = NewCluster(p.ctx, "cluster", p.env, p.opt); err != nil {
		return err
	}
	if p.roles, err = NewRoles(p.ctx, "roles", &RolesArgs{
		Env: p.env, RepositoryARN: p.repositoryARN, ConfigSecretARN: p.secretARN, DatabaseSecretARN: p.database.SecretARN,
		QueueARN: p.queue.ARN, LogGroupARN: p.cluster.LogGroupARN,
	}, p.opt); err != nil {
		return err
	}
	task := TaskArgs{
		Env: p.env, Image: p.image, ExecutionRoleARN: p.roles.ExecutionARN, TaskRoleARN: p.roles.TaskARN,
		QueueURL: p.queue.URL, DatabaseHost: p.database.Host, DatabaseSecretARN: p.database.SecretARN, ConfigSecretARN: p.secretARN,
	}
	migration := task
	migration.Image = p.migrationImage
	if _, err = NewMigration(p.ctx, "migration", &migration, p.opt); err != nil {
		return err
	}
	for _, s := range p.env.Services.List() {
		args := &ServiceArgs{
			TaskArgs: task, Service: s, ClusterARN: p.cluster.ARN,
			SubnetIDs: p.network.PrivateSubnetIDs, SecurityGroupID: p.groups.TasksID,
			After: slices.Concat(p.network.Routed, p.groups.Rules, p.roles.Policies, []pulumi.Resource{p.cluster.Capacity}),
		}
		if s.Role == environment.API {
			args.Balancer = p.balancer
		}
		if _, err = NewService(p.ctx, string(s.Role), args, p.opt); err != nil {
			return err
		}
	}
	return nil
}

// declareNotifications declares the topic before anything that may refer to it.
func (p *components) declareNotifications() (err error) {
	p.notifications, err = NewNotifications(p.ctx, "notifications", p.env, p.env.Region, p.opt)
	return err
}

func (p *components) declareMonitoring() error {
	if _, err := NewRotation(p.ctx, "rotation", &RotationArgs{
		Env: p.env, ClusterARN: p.cluster.ARN, DatabaseSecretARN: p.database.SecretARN,
	}, p.opt); err != nil {
		return err
	}
	if _, err := NewSchedule(p.ctx, "schedule", &ScheduleArgs{
		Env: p.env, ClusterARN: p.cluster.ARN, TargetGroupARN: p.balancer.TargetGroupARN,
	}, p.opt); err != nil {
		return err
	}
	args := &MonitoringArgs{Env: p.env, Balancer: p.balancer, Notifications: p.notifications}
	if p.globalProvider != nil {
		var err error
		args.GlobalProvider = p.globalProvider
		if args.GlobalNotifications, err = NewNotifications(p.ctx, "notifications-"+environment.GlobalMetricsRegion, p.env,
			environment.GlobalMetricsRegion, pulumi.Providers(p.globalProvider)); err != nil {
			return err
		}
	}
	if _, err := NewMonitoring(p.ctx, "monitoring", args, p.opt); err != nil {
		return err
	}
	_, err := NewBudget(p.ctx, "budget", p.env, p.notifications, p.opt)
	return err
}

// outputs returns the stack's outputs. None depends on a service, so that all resolve before the rollout.
func (p *components) outputs(r Release) pulumi.Map {
	services := pulumi.StringMap{}
	for _, s := range p.env.Services.List() {
		services[string(s.Role)] = pulumi.String(p.env.ServiceName(s.Role))
	}
	return pulumi.Map{
		OutputImage:           pulumi.String(r.RecordedImage),
		"url":                 pulumi.String(p.env.URL()),
		"vpcId":               p.network.VPCID,
		"privateSubnetIds":    p.network.PrivateSubnetIDs,
		"taskSecurityGroupId": p.groups.TasksID,
		"loadBalancerDnsName": p.balancer.DNSName,
		"certificateArn":      p.certificate.ARN,
		"databaseEndpoint":    pulumi.Sprintf("%s:%d", p.database.Host, environment.DatabasePort),
		"databaseSecretArn":   p.database.SecretARN,
		"queueUrl":            p.queue.URL,
		"deadLetterQueueUrl":  p.queue.DeadLetterURL,
		OutputSecret:          p.secretARN,
		"clusterName":         pulumi.String(p.env.ClusterName()),
		"services":            services,
		"logGroup":            pulumi.String(p.env.LogGroupName()),
		"dashboardUrl":        pulumi.String(dashboardURL(p.env)),
	}
}

package infra

import (
	"cmp"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Release has the parameters of one run of the program.
type Release struct {
	// Image is the image of every task definition: repository@sha256:…, never a tag.
	Image string
	// RecordedImage is the stack's output "image" after this run. Until the services run Image, it is the previous
	// image, or "" for none.
	RecordedImage string
	// RecordedEnvironment is the stack's output "environment" after this run: what is deployed once the run is done. nil
	// means the environment that the program gets.
	RecordedEnvironment *environment.Environment
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
		provider, err := newProvider(ctx, env.Region, env.Account, r.EndpointURL)
		if err != nil {
			return err
		}
		declared, err := declareEnvironment(ctx, env, r.Image, lookUp(ctx, env, provider), pulumi.Providers(provider))
		if err != nil {
			return err
		}
		ctx.Export(OutputEnvironment, pulumi.Any(encoded))
		for name, value := range declared.outputs(env, r) {
			ctx.Export(name, value)
		}
		return nil
	}
}

// components are the components of an environment that others, or the stack's outputs, refer to.
type components struct {
	lookups
	network     *Network
	groups      *SecurityGroups
	certificate *Certificate
	balancer    *Balancer
	database    *Database
	queue       *Queue
	cluster     *Cluster
	roles       *Roles
}

// declareEnvironment declares all components. Their order is for the reader; dependencies follow from the outputs that
// each component gets.
func declareEnvironment(
	ctx *pulumi.Context, env *environment.Environment, image string, f lookups, opt pulumi.ResourceOption,
) (*components, error) {
	p := &components{lookups: f}
	for _, declare := range []func() error{
		func() error { return p.declareNetwork(ctx, env, opt) },
		func() error { return p.declareData(ctx, env, opt) },
		func() error { return p.declareIngress(ctx, env, opt) },
		func() error { return p.declareTasks(ctx, env, image, opt) },
		func() error { return p.declareMonitoring(ctx, env, opt) },
	} {
		if err := declare(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *components) declareNetwork(ctx *pulumi.Context, env *environment.Environment, opt pulumi.ResourceOption) (err error) {
	if p.network, err = NewNetwork(ctx, "network", env, opt); err != nil {
		return err
	}
	p.groups, err = NewSecurityGroups(ctx, "groups", env, p.network.VPCID, opt)
	return err
}

func (p *components) declareData(ctx *pulumi.Context, env *environment.Environment, opt pulumi.ResourceOption) (err error) {
	if p.database, err = NewDatabase(ctx, "database", &DatabaseArgs{
		Env: env, VPCID: p.network.VPCID, SubnetIDs: p.network.PrivateSubnetIDs, SecurityGroupID: p.groups.DatabaseID,
	}, opt); err != nil {
		return err
	}
	p.queue, err = NewQueue(ctx, "queue", env, opt)
	return err
}

func (p *components) declareIngress(ctx *pulumi.Context, env *environment.Environment, opt pulumi.ResourceOption) (err error) {
	if p.certificate, err = NewCertificate(ctx, "certificate", env, p.zoneID, opt); err != nil {
		return err
	}
	logs, err := NewAccessLogs(ctx, "access-logs", env, opt)
	if err != nil {
		return err
	}
	if p.balancer, err = NewBalancer(ctx, "balancer", &BalancerArgs{
		Env: env, VPCID: p.network.VPCID, SubnetIDs: p.network.PublicSubnetIDs, SecurityGroupID: p.groups.LoadBalancerID,
		LogBucket: logs.BucketName, CertificateARN: p.certificate.ARN,
	}, opt); err != nil {
		return err
	}
	if _, err = NewFirewall(ctx, "firewall", env, p.balancer.ARN, opt); err != nil {
		return err
	}
	_, err = NewDNS(ctx, "dns", &DNSArgs{
		Env: env, ZoneID: p.zoneID, BalancerDNSName: p.balancer.DNSName, BalancerZoneID: p.balancer.ZoneID,
	}, opt)
	return err
}

func (p *components) declareTasks(
	ctx *pulumi.Context, env *environment.Environment, image string, opt pulumi.ResourceOption,
) (err error) {
	if p.cluster, err = NewCluster(ctx, "cluster", env, opt); err != nil {
		return err
	}
	if p.roles, err = NewRoles(ctx, "roles", &RolesArgs{
		Env: env, RepositoryARN: p.repositoryARN, ConfigSecretARN: p.secretARN, DatabaseSecretARN: p.database.SecretARN,
		QueueARN: p.queue.ARN, LogGroupARN: p.cluster.LogGroupARN,
	}, opt); err != nil {
		return err
	}
	task := TaskArgs{
		Env: env, Image: image, ExecutionRoleARN: p.roles.ExecutionARN, TaskRoleARN: p.roles.TaskARN,
		QueueURL: p.queue.URL, DatabaseHost: p.database.Host, DatabaseSecretARN: p.database.SecretARN,
		ConfigSecretARN: p.secretARN,
	}
	if _, err = NewMigration(ctx, "migration", &task, opt); err != nil {
		return err
	}
	for _, s := range env.Services.List() {
		args := &ServiceArgs{
			TaskArgs: task, Service: s, ClusterARN: p.cluster.ARN,
			SubnetIDs: p.network.PrivateSubnetIDs, SecurityGroupID: p.groups.TasksID,
			After: append([]pulumi.Resource{p.network.Routed}, p.roles.Policies...),
		}
		if s.Role == environment.API {
			args.Balancer = p.balancer
		}
		if _, err = NewService(ctx, string(s.Role), args, opt); err != nil {
			return err
		}
	}
	return nil
}

func (p *components) declareMonitoring(ctx *pulumi.Context, env *environment.Environment, opt pulumi.ResourceOption) error {
	if _, err := NewMonitoring(ctx, "monitoring", &MonitoringArgs{
		Env: env, BalancerSuffix: p.balancer.Suffix, TargetGroupSuffix: p.balancer.TargetGroupSuffix,
	}, opt); err != nil {
		return err
	}
	_, err := NewBudget(ctx, "budget", env, opt)
	return err
}

// outputs returns the stack's outputs. None depends on a service, so that all resolve before the rollout.
func (p *components) outputs(env *environment.Environment, r Release) pulumi.Map {
	services := pulumi.StringMap{}
	for _, s := range env.Services.List() {
		services[string(s.Role)] = pulumi.String(env.ServiceName(s.Role))
	}
	return pulumi.Map{
		OutputImage:           pulumi.String(r.RecordedImage),
		"url":                 pulumi.String(env.URL()),
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
		"clusterName":         pulumi.String(env.ClusterName()),
		"services":            services,
		"logGroup":            pulumi.String(env.LogGroupName()),
		"dashboardUrl":        pulumi.String(dashboardURL(env)),
	}
}

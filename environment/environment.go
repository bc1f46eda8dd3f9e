package environment

import "time"

// Environment is the description of an environment: the value of the key v3-backend:environment in its
// Pulumi.<stack>.yaml.
type Environment struct {
	// Stack is the Pulumi stack, taken from the file's name: dev, staging, production.
	Stack string `yaml:"-"`
	// Name is the full name that resources carry: development, staging, production.
	Name string `yaml:"name"`
	// Prefix begins the name of every resource.
	Prefix string `yaml:"prefix"`
	// Account is the AWS account, twelve digits. No other account is ever changed.
	Account string `yaml:"account"`
	// Region is the AWS region, such as us-east-1.
	Region string `yaml:"region"`
	// Protected environments require a confirmation before they change, and are never destroyed.
	Protected bool `yaml:"protected"`

	Domain        Domain        `yaml:"domain"`
	Network       Network       `yaml:"network"`
	Image         Image         `yaml:"image"`
	Services      Services      `yaml:"services"`
	Database      Database      `yaml:"database"`
	Queue         Queue         `yaml:"queue"`
	Configuration Configuration `yaml:"configuration"`
	Monitoring    Monitoring    `yaml:"monitoring"`
	Firewall      Firewall      `yaml:"firewall"`
	Budget        Budget        `yaml:"budget"`
	Schedule      Scheduling    `yaml:"schedule"`
	Deployment    Deployment    `yaml:"deployment"`
	Delivery      Delivery      `yaml:"delivery"`
}

// Domain is the domain name of the environment.
type Domain struct {
	// Root is the hosted zone, shared by the account's environments: hyperchonk.com.
	Root string `yaml:"root"`
	// Name is the environment's own host name below Root: staging-api.hyperchonk.com.
	Name string `yaml:"name"`
}

// NAT is how private subnets reach the internet.
type NAT string

// A NAT instance is cheapest, and an outage while it is replaced; a single NAT gateway survives all but the loss of its zone; one per zone
// survives that, too.
const (
	NATInstance NAT = "instance"
	NATSingle   NAT = "single"
	NATPerZone  NAT = "per-zone"
)

// Network is the VPC.
type Network struct {
	// CIDR is the VPC's IPv4 range, which overlaps no other environment's.
	CIDR string `yaml:"cidr"`
	// Zones is the number of availability zones, each with a public and a private subnet.
	Zones int `yaml:"zones"`
	NAT   NAT `yaml:"nat"`
}

// Image is the application's one container image.
type Image struct {
	// Repository is the ECR repository's name in the environment's account and region.
	Repository string `yaml:"repository"`
	// Architecture is the CPU architecture of the tasks, which the image is built for.
	Architecture Architecture `yaml:"architecture"`
	// CriticalFindings is what preflight does about critical scan findings.
	CriticalFindings Severity `yaml:"criticalFindings"`
}

// An Architecture names one of a CPU.
type Architecture string

// Fargate runs tasks on Intel or AMD, and on Graviton for a fifth less. An image runs on what it was built for only.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-arm64.html
const (
	X86   Architecture = "x86_64"
	ARM64 Architecture = "arm64"
)

// Severity is the effect of a problem on a deployment.
type Severity string

// A problem is reported as a warning, or it fails the deployment.
const (
	Warn Severity = "warn"
	Fail Severity = "fail"
)

// Role is what a task does. All roles run the same image with different commands.
type Role string

// The roles of the image. Migration runs once per deployment; the others are services.
const (
	API       Role = "api"
	Worker    Role = "worker"
	Scheduler Role = "scheduler"
	Migration Role = "migration"
)

// Services are the long-running roles. Every environment has an API; the others are optional.
type Services struct {
	API       Service  `yaml:"api"`
	Worker    *Service `yaml:"worker"`
	Scheduler *Service `yaml:"scheduler"`
	// ExecuteCommand allows ECS Exec into the containers.
	ExecuteCommand bool `yaml:"executeCommand"`
}

// Service is one ECS service on Fargate.
type Service struct {
	Role Role `yaml:"-"`
	// CPU is in CPU units (1024 are one vCPU), Memory in MiB; Fargate supports only certain pairs.
	CPU    int   `yaml:"cpu"`
	Memory int   `yaml:"memory"`
	Tasks  Tasks `yaml:"tasks"`
	// Command replaces the image's command unless it is empty.
	Command []string `yaml:"command"`
	// HealthCheck is the container's health check in Docker's form, ["CMD-SHELL", "…"].
	HealthCheck []string `yaml:"healthCheck"`
	// Spot runs the tasks on Fargate Spot, whose capacity AWS may take back with two minutes' notice.
	Spot bool `yaml:"spot"`
	// Autoscaling is nil where the number of tasks is fixed.
	Autoscaling *Autoscaling `yaml:"autoscaling"`
}

// Tasks bounds the number of tasks of a service. A service without autoscaling runs Min.
type Tasks struct {
	Min int `yaml:"min"`
	Max int `yaml:"max"`
}

// Autoscaling has the targets: average utilization in percent, and requests per minute and task. Zero is no target.
type Autoscaling struct {
	CPUPercent     int `yaml:"cpuPercent"`
	MemoryPercent  int `yaml:"memoryPercent"`
	RequestsPerMin int `yaml:"requestsPerMinute"`
}

// Database is the PostgreSQL instance in RDS.
type Database struct {
	InstanceClass string `yaml:"instanceClass"`
	// EngineVersion is PostgreSQL's major version.
	EngineVersion string `yaml:"engineVersion"`
	// Name is the database inside the instance, User its master user.
	Name string `yaml:"name"`
	User string `yaml:"user"`
	// StorageGiB is the initial storage, which RDS extends up to MaxStorageGiB.
	StorageGiB          int  `yaml:"storageGiB"`
	MaxStorageGiB       int  `yaml:"maxStorageGiB"`
	MultiZone           bool `yaml:"multiZone"`
	BackupDays          int  `yaml:"backupDays"`
	DeletionProtection  bool `yaml:"deletionProtection"`
	PerformanceInsights bool `yaml:"performanceInsights"`
	// PasswordRotationDays is how often RDS rotates the managed master password.
	PasswordRotationDays int `yaml:"passwordRotationDays"`
	// Connections is the maximum number of connections of a task.
	Connections int `yaml:"connections"`
	// PoolTimeout is how long a query waits for a connection, in whole seconds.
	PoolTimeout time.Duration `yaml:"poolTimeout"`
}

// Queue is the queue of background jobs in SQS. A message that was received MaxReceives times goes to the dead-letter
// queue.
type Queue struct {
	VisibilityTimeout time.Duration `yaml:"visibilityTimeout"`
	RetentionDays     int           `yaml:"retentionDays"`
	MaxReceives       int           `yaml:"maxReceives"`
}

// Configuration lists the environment variables that the application reads.
type Configuration struct {
	// Required lists the variables without which the application does not start.
	Required []string `yaml:"required"`
	// Optional lists the others. Any other key of the configuration secret is misspelled or obsolete.
	Optional []string `yaml:"optional"`
}

// Level is a level of monitoring.
type Level string

// The levels of monitoring. Each includes the one before it.
const (
	// Basic has logs, and alarms without notifications.
	Basic Level = "basic"
	// Enhanced sends alarms to a topic and has Container Insights and flow logs.
	Enhanced Level = "enhanced"
	// Full has a dashboard, X-Ray and a Route 53 health check.
	Full Level = "full"
)

// Monitoring is what is monitored, and who is notified.
type Monitoring struct {
	Level            Level `yaml:"level"`
	LogRetentionDays int   `yaml:"logRetentionDays"`
	// Emails receive alarms and budget warnings.
	Emails []string `yaml:"emails"`
	// Webhooks are https URLs that receive the same from enhanced monitoring on. They confirm subscriptions of SNS themselves.
	Webhooks []string `yaml:"webhooks"`
}

// AtLeast reports whether m includes a level.
func (m Monitoring) AtLeast(level Level) bool {
	rank := map[Level]int{Basic: 0, Enhanced: 1, Full: 2}
	return rank[m.Level] >= rank[level]
}

// Firewall is the web ACL in front of the load balancer.
type Firewall struct {
	// Enabled is false where there is no web ACL.
	Enabled bool `yaml:"enabled"`
	// RateLimit is the maximum number of requests from one address in five minutes.
	RateLimit int `yaml:"rateLimit"`
}

// Budget is the monthly budget, in US dollars.
type Budget struct {
	MonthlyUSD int `yaml:"monthlyUSD"`
}

// Rollback is how a failed deployment is rolled back.
type Rollback string

// The deployment rolls back automatically, or a person runs rollback.
const (
	RollbackAutomatic Rollback = "automatic"
	RollbackManual    Rollback = "manual"
)

// Backup is how the database is backed up before a deployment.
type Backup string

// A deployment takes a snapshot first, or none.
const (
	BackupSnapshot Backup = "snapshot"
	BackupNone     Backup = "none"
)

// Deployment has the settings of the deployer.
type Deployment struct {
	Rollback Rollback `yaml:"rollback"`
	Backup   Backup   `yaml:"backup"`
	// VerifiedIn names environments, by stack or full name: only an image that one of them has verified is deployed. Without any, every
	// image is.
	VerifiedIn []string `yaml:"verifiedIn"`
	// SnapshotsKept is how many pre-deployment snapshots are kept.
	SnapshotsKept int           `yaml:"snapshotsKept"`
	Rollout       RolloutLimits `yaml:"rollout"`
	Migrations    Migrations    `yaml:"migrations"`
	Health        Health        `yaml:"health"`
}

// RolloutLimits bounds the wait for services, and declares what watches a new version.
type RolloutLimits struct {
	// Timeout includes the time for which ECS watches the alarms after the last task is healthy.
	Timeout time.Duration `yaml:"timeout"`
	// Alarms, of RolloutAlarms, end a rollout; the bake watches them too.
	Alarms []string `yaml:"alarms"`
	// Bake is how long the new version is watched after the health probes; 0 means not at all.
	Bake time.Duration `yaml:"bake"`
}

// Order is when migrations run.
type Order string

// Migrations run before the services (the default) or after them.
const (
	BeforeServices Order = "before"
	AfterServices  Order = "after"
)

// Migrations is the one-off task that migrates the database's schema.
type Migrations struct {
	Order   Order         `yaml:"order"`
	Command []string      `yaml:"command"`
	Timeout time.Duration `yaml:"timeout"`
	CPU     int           `yaml:"cpu"`
	Memory  int           `yaml:"memory"`
}

// Health is how often and how long the environment's domain is probed.
type Health struct {
	Tries    int           `yaml:"tries"`
	Interval time.Duration `yaml:"interval"`
}

// Delivery is what the pipelines do for the environment.
type Delivery struct {
	// Branch is deployed on a push, or manually where Trigger is Manual.
	Branch  string  `yaml:"branch"`
	Trigger Trigger `yaml:"trigger"`
	// Approval requires reviewers.
	Approval bool     `yaml:"approval"`
	Tests    []string `yaml:"tests"`
}

// Trigger is what starts a pipeline.
type Trigger string

// A deployment is started by a push or manually.
const (
	OnPush Trigger = "push"
	Manual Trigger = "manual"
)

// defaults returns the value that a file is decoded into, with what it may omit.
func defaults(stack string) Environment {
	return Environment{
		Stack:   stack,
		Network: Network{Zones: 2, NAT: NATSingle},
		Image:   Image{Architecture: X86, CriticalFindings: Warn},
		Services: Services{
			API:            Service{HealthCheck: []string{"CMD-SHELL", "wget -q -O /dev/null http://127.0.0.1:3000/health || exit 1"}},
			ExecuteCommand: true,
		},
		Database: Database{
			EngineVersion: "16", Name: "balancer", User: "balancer",
			StorageGiB: 20, MaxStorageGiB: 100, BackupDays: 7, PasswordRotationDays: 30,
			Connections: 10, PoolTimeout: 10 * time.Second,
		},
		Queue:      Queue{VisibilityTimeout: 5 * time.Minute, RetentionDays: 4, MaxReceives: 3},
		Monitoring: Monitoring{Level: Basic, LogRetentionDays: 14},
		Firewall:   Firewall{Enabled: true, RateLimit: 2000},
		Deployment: Deployment{
			Rollback: RollbackManual, Backup: BackupNone, SnapshotsKept: 5,
			Rollout: RolloutLimits{Timeout: 15 * time.Minute},
			Migrations: Migrations{
				Order: BeforeServices, Timeout: 15 * time.Minute, CPU: 512, Memory: 1024,
				Command: []string{"npx", "prisma", "migrate", "deploy"},
			},
			Health: Health{Tries: 6, Interval: 10 * time.Second},
		},
	}
}

// applyDefaults sets the defaults that depend on other values of the file.
func (e *Environment) applyDefaults(isSet func(path string) bool) {
	e.Services.API.applyDefaults(API, isSet)
	e.Services.Worker.applyDefaults(Worker, isSet)
	e.Services.Scheduler.applyDefaults(Scheduler, isSet)
}

func (s *Service) applyDefaults(role Role, isSet func(path string) bool) {
	if s == nil {
		return
	}
	s.Role = role
	path := "services." + string(role)
	if !isSet(path + ".tasks.min") {
		s.Tasks.Min = 1
	}
	if !isSet(path + ".tasks.max") {
		s.Tasks.Max = s.Tasks.Min
	}
	if role != API && !isSet(path+".healthCheck") {
		// Without a load balancer, all that can be checked is that the process exists.
		s.HealthCheck = []string{"CMD-SHELL", "kill -0 1"}
	}
}

// Get returns the service of a role, or nil.
func (s *Services) Get(role Role) *Service {
	switch role {
	case API:
		return &s.API
	case Worker:
		return s.Worker
	case Scheduler:
		return s.Scheduler
	}
	return nil
}

// List returns the services, the API first.
func (s Services) List() []Service {
	all := []Service{s.API}
	for _, optional := range []*Service{s.Worker, s.Scheduler} {
		if optional != nil {
			all = append(all, *optional)
		}
	}
	return all
}

// Clone returns a copy of e whose services can be changed.
func (e *Environment) Clone() *Environment {
	cloned := *e
	for _, service := range []**Service{&cloned.Services.Worker, &cloned.Services.Scheduler} {
		if *service != nil {
			copied := **service
			*service = &copied
		}
	}
	return &cloned
}

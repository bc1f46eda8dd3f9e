package environment

import (
	"fmt"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/suggest"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Limits and remedies that several rules share.
const (
	// AWS limits the names of load balancers and target groups to 32 characters, which leaves 14 for an environment.
	maxName              = 14
	maxTargetGroupName   = 32
	maxTasks             = 100
	maxVisibilityTimeout = 12 * time.Hour
	maxTimeout           = 6 * time.Hour
	minBake              = time.Minute // CloudWatch has one value a minute
	nameRemedy           = "use lower-case letters, digits and single hyphens between them, such as v3-backend"
)

var (
	// namePattern has no two hyphens in a row, which RDS rejects.
	namePattern       = lazyregexp.New(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	accountPattern    = lazyregexp.New(`^[0-9]{12}$`)
	regionPattern     = lazyregexp.New(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	domainPattern     = lazyregexp.New(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$`)
	repositoryPattern = lazyregexp.New(`^[a-z0-9]+([._/-][a-z0-9]+)*$`)
	variablePattern   = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)
	githubPattern     = lazyregexp.New(`^([A-Za-z0-9-]+/[A-Za-z0-9._-]+|[A-Za-z0-9-]+@[0-9]+/[A-Za-z0-9._-]+@[0-9]+)$`)
	classPattern      = lazyregexp.New(`^db\.[a-z0-9]+\.[a-z0-9]+$`)
	enginePattern     = lazyregexp.New(`^1[4-9]$`)
	minorPattern      = lazyregexp.New(`^(1[4-9])\.[0-9]+$`)
	// branchPattern excludes what Git rejects, and $, which begins a variable in a policy of IAM.
	branchPattern   = lazyregexp.New(`^[^\s$*?~^:\\\[]+$`)
	postgresPattern = lazyregexp.New(`^[a-z][a-z0-9_]{0,62}$`)
)

// logRetentions lists the days that CloudWatch Logs accepts.
// Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var logRetentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// problems returns every broken rule, without lines.
func (e *Environment) problems() problemList {
	var l problemList
	e.identityProblems(&l)
	e.networkProblems(&l)
	e.serviceProblems(&l)
	e.configurationProblems(&l)
	e.databaseProblems(&l)
	e.queueProblems(&l)
	e.monitoringProblems(&l)
	e.scheduleProblems(&l)
	e.deploymentProblems(&l)
	e.deliveryProblems(&l)
	e.productionProblems(&l)
	return l
}

func (e *Environment) identityProblems(l *problemList) {
	switch expectedName := fullName(e.Stack); {
	case !namePattern.MatchString(e.Stack):
		l.add("name", fileNameRemedy(e.Stack), "the file's name, %s, is not that of an environment", FileName(e.Stack))
	case e.Name == "":
		l.add("name", fmt.Sprintf("call it %q", expectedName), "it is missing")
	case !namePattern.MatchString(e.Name):
		l.add("name", nameRemedy, "%q is not valid", e.Name)
	case len(e.Name) > maxName:
		l.add("name", fmt.Sprintf("use at most %d characters", maxName), "%q has %d characters", e.Name, len(e.Name))
	case e.Name == "all":
		l.add("name", "choose another name", `"all" means every environment`)
	case strings.HasPrefix(e.Name, "production-"):
		l.add("name", "choose a name that begins otherwise, such as prod-"+strings.TrimPrefix(e.Name, "production-"),
			"%q begins with production's name: permissions for production's resources would match this environment's", e.Name)
	case e.Name != expectedName:
		l.add("name", fmt.Sprintf("call it %q, or rename the file to %s", expectedName, FileName(e.Name)),
			"the stack %s is the environment %q, not %q", e.Stack, expectedName, e.Name)
	}
	l.match("prefix", e.Prefix, namePattern, nameRemedy)
	if n := len(e.TargetGroupName()); n > maxTargetGroupName && len(e.Name) <= maxName {
		l.add("prefix", fmt.Sprintf("use a prefix that is %d shorter", n-maxTargetGroupName),
			"the target group's name would have %d characters, AWS allows %d", n, maxTargetGroupName)
	}
	l.match("account", e.Account, accountPattern, "give the AWS account's twelve digits, in quotes")
	l.region(e.Region)
	l.match("domain.root", e.Domain.Root, domainPattern, "give the hosted zone's name, such as example.com")
	l.match("domain.name", e.Domain.Name, domainPattern, "give the environment's host name, such as api.example.com")
	if domainPattern.MatchString(e.Domain.Root) && e.Domain.Name != "" && !strings.HasSuffix(e.Domain.Name, "."+e.Domain.Root) {
		l.add("domain.name", "give a name that ends in ."+e.Domain.Root+", or correct domain.root",
			"%q is outside its root domain %q", e.Domain.Name, e.Domain.Root)
	}
	l.match("image.repository", e.Image.Repository, repositoryPattern, "give the ECR repository's name, such as balancer-api")
	oneOf(l, "image.architecture", e.Image.Architecture, X86, ARM64)
	oneOf(l, "image.criticalFindings", e.Image.CriticalFindings, Warn, Fail)
}

// fileNameRemedy returns how to rename the file of a stack whose name no environment can have.
func fileNameRemedy(stack string) string {
	name := strings.ReplaceAll(strings.ToLower(stack), "_", "-")
	if !namePattern.MatchString(name) || name == SharedStack {
		return nameRemedy
	}
	return fmt.Sprintf("rename the file to %s, and call the environment %q", FileName(name), fullName(StackOf(name)))
}

// otherPartition matches the regions outside the partition aws. Their ARNs begin otherwise, and the program's all begin
// with arn:aws.
// Source: https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
var otherPartition = lazyregexp.New(`^(cn|us-gov|us-isob?|us-isof|eu-isoe|eusc-[a-z]+)-`)

func (l *problemList) region(region string) {
	const remedy = "give a region such as us-east-1"
	if otherPartition.MatchString(region) {
		l.add("region", remedy, "%s is outside the partition aws, the only one that is supported", region)
		return
	}
	l.match("region", region, regionPattern, remedy)
}

// fullName returns the environment of a stack: development of dev, the same name of the others.
func fullName(stack string) string {
	if stack == "dev" {
		return "development"
	}
	return stack
}

func (e *Environment) networkProblems(l *problemList) {
	prefix, err := netip.ParsePrefix(e.Network.CIDR)
	switch {
	case e.Network.CIDR == "":
		l.add("network.cidr", "give an IPv4 range such as 10.20.0.0/16", "it is missing")
	case err != nil || !prefix.Addr().Is4():
		l.add("network.cidr", "give an IPv4 range such as 10.20.0.0/16", "%q is not an IPv4 CIDR block", e.Network.CIDR)
	case prefix.Masked() != prefix:
		l.add("network.cidr", fmt.Sprintf("write %s", prefix.Masked()), "%s has bits set behind its mask", e.Network.CIDR)
	case prefix.Bits() < 16 || prefix.Bits() > 20:
		// AWS accepts /16 to /28; below /20 the subnets have too few addresses for a rollout beside the endpoints.
		l.add("network.cidr", "use a range from /16 to /20", "/%d is too large or too small for the VPC and its subnets", prefix.Bits())
	case !prefix.Addr().IsPrivate():
		l.add("network.cidr", "use a range of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16", "%s is not private", e.Network.CIDR)
	}
	l.within("network.zones", e.Network.Zones, 2, 3)
	oneOf(l, "network.nat", e.Network.NAT, NATInstance, NATSingle, NATPerZone)
	if e.Protected && e.Network.NAT == NATInstance {
		l.add("network.nat", "give single or per-zone", "a NAT instance disconnects all tasks from the internet while it is replaced, and the environment is protected")
	}
}

func (e *Environment) serviceProblems(l *problemList) {
	for _, s := range e.Services.List() {
		path := "services." + string(s.Role)
		l.fargate(path, s.CPU, s.Memory)
		l.within(path+".tasks.min", s.Tasks.Min, 1, maxTasks)
		switch {
		case s.Tasks.Max < s.Tasks.Min:
			l.add(path+".tasks.max", "give at least tasks.min", "%d is less than the minimum %d", s.Tasks.Max, s.Tasks.Min)
		case s.Tasks.Min >= 1 && s.Tasks.Min <= maxTasks:
			l.within(path+".tasks.max", s.Tasks.Max, 1, maxTasks)
		}
		if s.Role != API && len(s.Command) == 0 {
			l.add(path+".command", `give the command as a list, such as ["bun", "run", "worker"]`,
				"it is missing: without one, the %s would start a second API", s.Role)
		}
		if s.Role == Scheduler && s.Tasks.Max != 1 {
			l.add(path+".tasks", "give min: 1 and max: 1", "%d schedulers would run every job %[1]d times", s.Tasks.Max)
		}
		if len(s.HealthCheck) < 2 || s.HealthCheck[0] != "CMD" && s.HealthCheck[0] != "CMD-SHELL" {
			// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
			l.add(path+".healthCheck", `give it in Docker's form, such as ["CMD-SHELL", "kill -0 1"]`,
				"%q does not begin with CMD or CMD-SHELL and a command", s.HealthCheck)
		}
		e.spotProblems(l, path, s)
		autoscalingProblems(l, path, s)
	}
}

// MayUseSpot reports whether a service may be interrupted. A scheduler has one task, so that a job is missed when AWS takes its capacity back,
// and an API has no task left where AWS has no capacity for long.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
func (e *Environment) MayUseSpot(role Role) bool {
	return role != Scheduler && (role != API || !e.Protected)
}

// spotProblems checks that what must not be interrupted is not.
func (e *Environment) spotProblems(l *problemList, path string, s Service) {
	const remedy = "set it to false, or remove it"
	switch {
	case !s.Spot || e.MayUseSpot(s.Role):
	case s.Role == Scheduler:
		l.add(path+".spot", remedy, "AWS may stop the only task of the scheduler at any time, and no other one runs its jobs")
	default:
		l.add(path+".spot", remedy, "the environment is protected, and AWS may stop all tasks of its API at any time")
	}
}

func autoscalingProblems(l *problemList, path string, s Service) {
	if s.Autoscaling == nil {
		if s.Tasks.Max > s.Tasks.Min {
			l.add(path+".autoscaling", "give a target such as {cpuPercent: 60}, or give tasks.max the value of tasks.min",
				"it is missing: without it, tasks never grow from %d to %d", s.Tasks.Min, s.Tasks.Max)
		}
		return
	}
	path += ".autoscaling"
	a := *s.Autoscaling
	switch {
	case s.Tasks.Max == s.Tasks.Min:
		l.add(path, "give a larger tasks.max, or remove it", "there is nothing to scale between %d and %[1]d tasks", s.Tasks.Min)
	case a == Autoscaling{}:
		l.add(path, "give cpuPercent, memoryPercent or requestsPerMinute", "it has no target")
	case a.RequestsPerMin != 0 && s.Role != API:
		l.add(path+".requestsPerMinute", "remove it", "the %s has no load balancer that counts requests", s.Role)
	case a.RequestsPerMin < 0:
		l.add(path+".requestsPerMinute", "give how many requests a minute one task can take", "%d is out of range", a.RequestsPerMin)
	}
	if a.CPUPercent != 0 {
		l.within(path+".cpuPercent", a.CPUPercent, 10, 90)
	}
	if a.MemoryPercent != 0 {
		l.within(path+".memoryPercent", a.MemoryPercent, 10, 90)
	}
}

func (e *Environment) configurationProblems(l *problemList) {
	required := e.Configuration.Required
	if len(required) == 0 {
		l.add("configuration.required", "list the variables that the application needs", "it is missing")
	}
	l.variables("configuration.required", required, nil)
	l.variables("configuration.optional", e.Configuration.Optional, required)
}

// variables checks names of variables: each is listed once, and not among the others.
func (l *problemList) variables(path string, names, others []string) {
	for i, name := range names {
		path := fmt.Sprintf("%s[%d]", path, i)
		l.match(path, name, variablePattern, "use letters, digits and underscores")
		switch {
		case slices.Index(names, name) < i:
			l.add(path, "remove it", "%s is listed twice", name)
		case slices.Contains(others, name):
			l.add(path, "remove it from one of the two lists", "%s is required already", name)
		}
	}
}

func (e *Environment) databaseProblems(l *problemList) {
	d := e.Database
	l.match("database.instanceClass", d.InstanceClass, classPattern, "give an RDS instance class such as db.t3.small")
	if minor := minorPattern.FindStringSubmatch(d.EngineVersion); minor != nil {
		// RDS upgrades the minor version in the maintenance window. A deployment that asked for the older one would fail from then on.
		// Source: https://github.com/hashicorp/terraform-provider-aws/issues/39579
		l.add("database.engineVersion", fmt.Sprintf("give the major version alone: %q", minor[1]),
			"%q is a minor version, which RDS upgrades by itself and never downgrades", d.EngineVersion)
	} else {
		l.match("database.engineVersion", d.EngineVersion, enginePattern, `give a major version of PostgreSQL from 14 on, such as "16"`)
	}
	l.match("database.name", d.Name, postgresPattern, "use lower-case letters, digits and underscores")
	l.match("database.user", d.User, postgresPattern, "use lower-case letters, digits and underscores")
	l.within("database.storageGiB", d.StorageGiB, 20, 65536)
	if minimum := (d.StorageGiB*11 + 9) / 10; d.MaxStorageGiB < minimum {
		// RDS requires 10 % more than what is allocated.
		// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
		l.add("database.maxStorageGiB", fmt.Sprintf("give at least %d", minimum), "%d leaves no room to grow from %d", d.MaxStorageGiB, d.StorageGiB)
	}
	l.within("database.backupDays", d.BackupDays, 0, 35)
	l.within("database.passwordRotationDays", d.PasswordRotationDays, 1, 1000)
	l.within("database.connections", d.Connections, 1, 1000)
	l.duration("database.poolTimeout", d.PoolTimeout, time.Second, time.Hour)
	if d.PoolTimeout%time.Second != 0 {
		l.add("database.poolTimeout", "give whole seconds", "%s is not a whole number of seconds", d.PoolTimeout)
	}
}

// queueProblems checks the limits of SQS.
// Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
func (e *Environment) queueProblems(l *problemList) {
	l.duration("queue.visibilityTimeout", e.Queue.VisibilityTimeout, time.Second, maxVisibilityTimeout)
	l.within("queue.retentionDays", e.Queue.RetentionDays, 1, 14)
	l.within("queue.maxReceives", e.Queue.MaxReceives, 1, 1000)
}

func (e *Environment) monitoringProblems(l *problemList) {
	oneOf(l, "monitoring.level", e.Monitoring.Level, Basic, Enhanced, Full)
	if !slices.Contains(logRetentions, e.Monitoring.LogRetentionDays) {
		l.add("monitoring.logRetentionDays", "give one of "+joinNumbers(logRetentions),
			"CloudWatch has no retention of %d days", e.Monitoring.LogRetentionDays)
	}
	e.recipientProblems(l)
	if e.Protected && !e.Firewall.Enabled {
		l.add("firewall.enabled", "set it to true, or remove it", "the environment is protected, and nothing would filter or limit its requests")
	}
	l.within("firewall.rateLimit", e.Firewall.RateLimit, 10, 2_000_000_000)
	l.within("budget.monthlyUSD", e.Budget.MonthlyUSD, 1, 1_000_000)
}

// recipientProblems checks who is notified. Basic monitoring has no topic; any other level without a recipient would notify no one.
func (e *Environment) recipientProblems(l *problemList) {
	m := e.Monitoring
	for i, address := range m.Emails {
		path := fmt.Sprintf("monitoring.emails[%d]", i)
		switch parsed, err := mail.ParseAddress(address); {
		case err != nil || parsed.Address != address:
			l.add(path, "give an address such as ops@example.com", "%q is not an e-mail address", address)
		case slices.Index(m.Emails, address) < i:
			l.add(path, "remove it", "%s is listed twice", address)
		}
	}
	for i, endpoint := range m.Webhooks {
		path := fmt.Sprintf("monitoring.webhooks[%d]", i)
		if message, remedy := webhookProblem(endpoint); message != "" {
			l.add(path, remedy, "%s", message)
		} else if slices.Index(m.Webhooks, endpoint) < i {
			l.add(path, "remove it", "it is listed twice")
		}
	}
	switch {
	case m.AtLeast(Enhanced) && len(m.Emails)+len(m.Webhooks) == 0:
		l.add("monitoring.emails", "give at least one address, such as [ops@example.com], or an endpoint in monitoring.webhooks",
			"it is missing: with the level %s, alarms would notify no one", m.Level)
	case m.Level == Basic && len(m.Webhooks) > 0:
		l.add("monitoring.webhooks", "set monitoring.level to enhanced, or remove them", "basic monitoring has no topic that notifies webhooks")
	}
}

func (e *Environment) deploymentProblems(l *problemList) {
	d := e.Deployment
	oneOf(l, "deployment.rollback", d.Rollback, RollbackAutomatic, RollbackManual)
	oneOf(l, "deployment.backup", d.Backup, BackupSnapshot, BackupNone)
	for i, name := range d.VerifiedIn {
		path := fmt.Sprintf("deployment.verifiedIn[%d]", i)
		l.match(path, name, namePattern, "name another environment, such as staging")
		switch {
		case StackOf(name) == e.Stack:
			l.add(path, "name another environment, such as staging", "an image would have to be verified here before it is deployed here")
		case slices.IndexFunc(d.VerifiedIn, func(other string) bool { return StackOf(other) == StackOf(name) }) < i:
			l.add(path, "remove it", "%s is listed twice", name)
		}
	}
	l.within("deployment.snapshotsKept", d.SnapshotsKept, 1, 90)
	l.duration("deployment.rollout.timeout", d.Rollout.Timeout, time.Second, maxTimeout)
	e.rolloutAlarmProblems(l)
	if d.Rollout.Bake != 0 {
		l.duration("deployment.rollout.bake", d.Rollout.Bake, minBake, maxTimeout)
	}
	oneOf(l, "deployment.migrations.order", d.Migrations.Order, BeforeServices, AfterServices)
	if len(d.Migrations.Command) == 0 {
		l.add("deployment.migrations.command", `give the command as a list, such as ["npx", "prisma", "migrate", "deploy"]`, "it is empty")
	}
	l.duration("deployment.migrations.timeout", d.Migrations.Timeout, time.Second, maxTimeout)
	l.fargate("deployment.migrations", d.Migrations.CPU, d.Migrations.Memory)
	l.within("deployment.health.tries", d.Health.Tries, 1, 100)
	l.duration("deployment.health.interval", d.Health.Interval, time.Second, maxTimeout)
}

// rolloutAlarmProblems checks the alarms that end a rollout: each exists, once, and a new version can cause it.
func (e *Environment) rolloutAlarmProblems(l *problemList) {
	alarms, allowed := e.Deployment.Rollout.Alarms, e.RolloutAlarms()
	for i, what := range alarms {
		path, remedy := fmt.Sprintf("deployment.rollout.alarms[%d]", i), "give "+text.Join(allowed, "or")
		switch {
		case slices.Index(alarms, what) < i:
			l.add(path, "remove it", "%s is listed twice", what)
		case slices.Contains(allowed, what):
		case slices.Contains(e.Alarms(), what):
			l.add(path, remedy, "%s cannot judge a rollout: a new version is not its cause", what)
		default:
			l.add(path, suggest.Hint(what, allowed, remedy), "the environment has no alarm %q", what)
		}
	}
}

func (e *Environment) deliveryProblems(l *problemList) {
	l.match("delivery.branch", e.Delivery.Branch, branchPattern, "name the branch that is deployed")
	oneOf(l, "delivery.trigger", e.Delivery.Trigger, OnPush, Manual)
	for i, suite := range e.Delivery.Tests {
		oneOf(l, fmt.Sprintf("delivery.tests[%d]", i), suite, "unit", "integration", "security")
	}
}

// productionProblems checks the guarantees of production, which no edit of one line may remove.
func (e *Environment) productionProblems(l *problemList) {
	if e.Stack != "production" {
		return
	}
	for _, requirement := range []struct {
		path string
		set  bool
	}{
		{"protected", e.Protected},
		{"database.multiZone", e.Database.MultiZone},
		{"database.deletionProtection", e.Database.DeletionProtection},
		{"delivery.approval", e.Delivery.Approval},
	} {
		if !requirement.set {
			l.add(requirement.path, "set it to true", "production requires it")
		}
	}
	if e.Database.BackupDays < 7 {
		l.add("database.backupDays", "give at least 7", "production must keep its backups for more than %d days", e.Database.BackupDays)
	}
	if e.Deployment.Backup != BackupSnapshot {
		l.add("deployment.backup", "set it to snapshot", "production must be backed up before a deployment")
	}
	if e.Delivery.Trigger != Manual {
		l.add("delivery.trigger", "set it to manual", "production must not be deployed by a push")
	}
}

// FargateMemory returns the memory sizes, in MiB, that Fargate offers for a number of CPU units, or nil.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
func FargateMemory(cpu int) []int {
	every := func(from, to, step int) []int {
		var sizes []int
		for size := from; size <= to; size += step {
			sizes = append(sizes, size*1024)
		}
		return sizes
	}
	switch cpu {
	case 256:
		return []int{512, 1024, 2048}
	case 512:
		return every(1, 4, 1)
	case 1024:
		return every(2, 8, 1)
	case 2048:
		return every(4, 16, 1)
	case 4096:
		return every(8, 30, 1)
	case 8192:
		return every(16, 60, 4)
	case 16384:
		return every(32, 120, 8)
	}
	return nil
}

func (l *problemList) fargate(path string, cpu, memory int) {
	const units = "give 256, 512, 1024, 2048, 4096, 8192 or 16384"
	sizes := FargateMemory(cpu)
	switch {
	case cpu == 0:
		l.add(path+".cpu", units, "it is missing, or 0")
	case sizes == nil:
		l.add(path+".cpu", units, "Fargate has no task of %d CPU units", cpu)
	case memory == 0:
		l.add(path+".memory", fmt.Sprintf("with %d CPU units give %s", cpu, sizeList(sizes)), "it is missing, or 0")
	case !slices.Contains(sizes, memory):
		l.add(path+".memory", fmt.Sprintf("with %d CPU units give %s", cpu, sizeList(sizes)),
			"Fargate has no task of %d CPU units with %d MiB", cpu, memory)
	}
}

func joinNumbers(values []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ", "), "[]")
}

func sizeList(sizes []int) string {
	if len(sizes) <= 4 {
		return joinNumbers(sizes)
	}
	return fmt.Sprintf("%d to %d in steps of %d", sizes[0], sizes[len(sizes)-1], sizes[1]-sizes[0])
}

// verifiedInProblems returns what is wrong with deployment.verifiedIn among all environments. Records of deployments are stored by account.
func verifiedInProblems(env *Environment, all []*Environment) problemList {
	var l problemList
	for i, name := range env.Deployment.VerifiedIn {
		path := fmt.Sprintf("deployment.verifiedIn[%d]", i)
		other := namedStack(all, StackOf(name))
		switch {
		case other == nil:
			l.add(path, "name another environment", "there is no valid environment %s", name)
		case other.Account == "": // its own file has the problem
		case other.Account != env.Account || other.Prefix != env.Prefix:
			l.add(path, "name an environment of the account "+env.Account+" with the same prefix, or remove it",
				"%s keeps its records in the account %s, where they are not read from here", name, other.Account)
		}
	}
	if len(l) == 0 && !verifiable(env, all, nil) {
		l.add("deployment.verifiedIn", "remove the key from the environment that is deployed first",
			"the environments that it names wait for each other to verify an image")
	}
	return l
}

// verifiable reports whether an environment can deploy a new image at all: at once, or after one that it names. The environments in
// waiting wait for this one.
func verifiable(env *Environment, all, waiting []*Environment) bool {
	if len(env.Deployment.VerifiedIn) == 0 {
		return true
	}
	waiting = append(slices.Clone(waiting), env)
	return slices.ContainsFunc(env.Deployment.VerifiedIn, func(name string) bool {
		other := namedStack(all, StackOf(name))
		return other != nil && !slices.Contains(waiting, other) && verifiable(other, all, waiting)
	})
}

// namedStack returns the environment of a stack, or nil.
func namedStack(all []*Environment, stack string) *Environment {
	if i := slices.IndexFunc(all, func(e *Environment) bool { return e.Stack == stack }); i >= 0 {
		return all[i]
	}
	return nil
}

// conflicts compares an environment with others. Where a value is missing, it is no conflict. At names the place of a key in another's file.
func conflicts(env *Environment, others []*Environment, at func(other *Environment, path string) string) problemList {
	var l problemList
	for _, other := range others {
		before := len(l)
		if overlapping(env.Name, other.Name) || overlapping(env.Stack, other.Stack) {
			l.add("name", "give one of the two a name that begins otherwise", "%q and %q of %s begin with the same name: "+
				"permissions for the resources of the shorter one would match those of the other", env.Name, other.Name,
				at(other, "name"))
		}
		theirs, theirErr := netip.ParsePrefix(other.Network.CIDR)
		ours, ourErr := netip.ParsePrefix(env.Network.CIDR)
		if theirErr == nil && ourErr == nil && ours.Overlaps(theirs) {
			l.add("network.cidr", "give one of the two another range, so that they can be peered",
				"%s overlaps %s of %s", ours, theirs, at(other, "network.cidr"))
		}
		switch {
		case env.Domain.Name == "" || other.Domain.Name == "":
		case env.Domain.Name == other.Domain.Name:
			l.add("domain.name", "give one of the two another name",
				"%s is the domain of %s too", env.Domain.Name, at(other, "domain.name"))
		case below(env.Domain.Name, other.Domain.Name) || below(other.Domain.Name, env.Domain.Name):
			l.add("domain.name", "give one of the two another name, beside that of the other",
				"of %s and %s of %s, one is below the other: the role that deploys the upper one may change the records of both",
				env.Domain.Name, other.Domain.Name, at(other, "domain.name"))
		}
		if env.Delivery.Trigger == OnPush && other.Delivery.Trigger == OnPush && env.Delivery.Branch != "" && env.Delivery.Branch == other.Delivery.Branch {
			l.add("delivery.branch", "give one of the two another branch, or the trigger manual",
				"a push to %s deploys %s too", env.Delivery.Branch, at(other, "delivery.branch"))
		}
		for i := range l[before:] {
			l[before+i].Other = FileName(other.Stack)
		}
	}
	return l
}

// overlapping reports whether one name is the other up to a hyphen. Names of resources consist of an environment's
// name, a hyphen and a suffix, and permissions match them by the beginning.
func overlapping(a, b string) bool { return strings.HasPrefix(a, b+"-") || strings.HasPrefix(b, a+"-") }

// below reports whether a domain is a subdomain of another.
func below(domain, other string) bool { return strings.HasSuffix(domain, "."+other) }

package environment

import (
	"fmt"
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a file, where it stands, and what to do about it.
type Problem struct {
	Line    int    `json:"line"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
	// Excerpt shows the source around the line, where the YAML library gave one.
	Excerpt string `json:"-"`
}

// InvalidError holds every problem of one file.
type InvalidError struct {
	File     string
	Problems []Problem
}

// Error has a line for each problem: file, line, key, what is wrong, and the remedy.
func (e *InvalidError) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		where := fmt.Sprintf("%s:%d: ", e.File, p.Line)
		if p.Path != "" {
			where += p.Path + ": "
		}
		line := where + p.Message + "; " + p.Remedy
		if p.Excerpt != "" {
			line += "\n" + p.Excerpt
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// maxName is the longest environment name: names of load balancers and target groups end at 32 characters.
const maxName = 14

var (
	namePattern       = regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z0-9]$`)
	accountPattern    = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern     = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	domainPattern     = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$`)
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+([._/-][a-z0-9]+)*$`)
	variablePattern   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	githubPattern     = regexp.MustCompile(`^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$`)
	classPattern      = regexp.MustCompile(`^db\.[a-z0-9]+\.[a-z0-9]+$`)
	postgresName      = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
)

// logRetentions are the days that CloudWatch Logs takes.
// Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var logRetentions = []int{
	1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
}

// FargateMemory returns the memory sizes, in MiB, that Fargate has for a task of so many CPU units, or nil.
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

// problemList collects problems; its methods are the forms that many rules share.
type problemList []Problem

func (l *problemList) add(path, remedy, format string, args ...any) {
	*l = append(*l, Problem{Path: path, Message: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (l *problemList) match(path, value string, pattern *regexp.Regexp, remedy string) {
	switch {
	case value == "":
		l.add(path, remedy, "it is missing")
	case !pattern.MatchString(value):
		l.add(path, remedy, "%q is not valid", value)
	}
}

func (l *problemList) within(path string, value, low, high int) {
	if value < low || value > high {
		l.add(path, fmt.Sprintf("give a number from %d to %d", low, high), "%d is out of range", value)
	}
}

func oneOf[T ~string](l *problemList, path string, value T, allowed ...T) {
	if !slices.Contains(allowed, value) {
		l.add(path, fmt.Sprintf("give one of %v", allowed), "%q is not known", value)
	}
}

func (l *problemList) fargate(path string, cpu, memory int) {
	sizes := FargateMemory(cpu)
	switch {
	case sizes == nil:
		l.add(path+".cpu", "give 256, 512, 1024, 2048, 4096, 8192 or 16384", "Fargate has no task of %d CPU units", cpu)
	case !slices.Contains(sizes, memory):
		l.add(path+".memory", fmt.Sprintf("with %d CPU units give %s", cpu, sizeList(sizes)),
			"Fargate has no task of %d CPU units with %d MiB", cpu, memory)
	}
}

func sizeList(sizes []int) string {
	if len(sizes) <= 4 {
		return strings.Trim(fmt.Sprint(sizes), "[]")
	}
	return fmt.Sprintf("%d to %d in steps of %d", sizes[0], sizes[len(sizes)-1], sizes[1]-sizes[0])
}

// problems applies every rule and returns what is wrong; the lines are filled in by the document.
func (e *Environment) problems() []Problem {
	var l problemList
	e.identityProblems(&l)
	e.networkProblems(&l)
	e.serviceProblems(&l)
	e.databaseProblems(&l)
	e.operationProblems(&l)
	e.productionProblems(&l)
	return l
}

func (e *Environment) identityProblems(l *problemList) {
	l.match("name", e.Name, namePattern, "use lower-case letters, digits and inner hyphens")
	if len(e.Name) > maxName {
		l.add("name", fmt.Sprintf("use at most %d characters", maxName), "%q has %d characters", e.Name, len(e.Name))
	}
	if want := fullName(e.Stack); e.Name != "" && e.Name != want {
		l.add("name", fmt.Sprintf("call it %q, or rename the file to %s", want, FileName(e.Name)),
			"the stack %s is the environment %q, not %q", e.Stack, want, e.Name)
	}
	l.match("prefix", e.Prefix, namePattern, "use lower-case letters, digits and inner hyphens, such as v3-backend")
	if n := len(e.LoadBalancerName()); n > 32 && len(e.Name) <= maxName {
		l.add("prefix", "use a shorter prefix", "the load balancer's name would have %d characters, AWS allows 32", n)
	}
	l.match("account", e.Account, accountPattern, "give the AWS account's twelve digits, in quotes")
	l.match("region", e.Region, regionPattern, "give a region such as us-east-1")
	l.match("domain.root", e.Domain.Root, domainPattern, "give the hosted zone's name, such as example.com")
	l.match("domain.name", e.Domain.Name, domainPattern, "give the environment's host name, such as api.example.com")
	if e.Domain.Root != "" && e.Domain.Name != "" && !strings.HasSuffix(e.Domain.Name, "."+e.Domain.Root) {
		l.add("domain.name", "give a name that ends in ."+e.Domain.Root+", or correct domain.root",
			"%q is outside its root domain %q", e.Domain.Name, e.Domain.Root)
	}
	l.match("image.repository", e.Image.Repository, repositoryPattern, "give the ECR repository's name, such as balancer-api")
	oneOf(l, "image.criticalFindings", e.Image.CriticalFindings, Warn, Fail)
}

// fullName is the environment's name that belongs to a stack: dev is development, the others are called alike.
func fullName(stack string) string {
	if stack == "dev" {
		return "development"
	}
	return stack
}

func (e *Environment) networkProblems(l *problemList) {
	prefix, err := netip.ParsePrefix(e.Network.CIDR)
	switch {
	case err != nil || !prefix.Addr().Is4():
		l.add("network.cidr", "give an IPv4 range such as 10.20.0.0/16", "%q is not a CIDR block", e.Network.CIDR)
	case prefix.Masked() != prefix:
		l.add("network.cidr", fmt.Sprintf("write %s", prefix.Masked()), "%s has bits set behind its mask", e.Network.CIDR)
	case prefix.Bits() < 16 || prefix.Bits() > 20:
		// AWS takes /16 to /28; below /20 the subnets have too few addresses for a rollout beside the endpoints.
		l.add("network.cidr", "use a range from /16 to /20", "/%d does not suit the VPC and its subnets", prefix.Bits())
	case !prefix.Addr().IsPrivate():
		l.add("network.cidr", "use a range of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16", "%s is not private", e.Network.CIDR)
	}
	l.within("network.zones", e.Network.Zones, 2, 3)
	oneOf(l, "network.nat", e.Network.NAT, NATSingle, NATPerZone)
}

func (e *Environment) serviceProblems(l *problemList) {
	for _, s := range e.Services.List() {
		path := "services." + string(s.Role)
		l.fargate(path, s.CPU, s.Memory)
		l.within(path+".tasks.min", s.Tasks.Min, 1, 100)
		if s.Tasks.Max < s.Tasks.Min {
			l.add(path+".tasks.max", "give at least tasks.min", "%d is less than the minimum %d", s.Tasks.Max, s.Tasks.Min)
		}
		if s.Role != API && len(s.Command) == 0 {
			l.add(path+".command", `give the command as a list, such as ["bun", "run", "worker"]`,
				"it is missing: without one, the %s would start a second API", s.Role)
		}
		if s.Role == Scheduler && s.Tasks.Max != 1 {
			l.add(path+".tasks", "give min: 1 and max: 1", "a scheduler that runs %d times does everything %[1]d times", s.Tasks.Max)
		}
		autoscalingProblems(l, path, s)
	}
	l.fargate("deployment.migrations", e.Deployment.Migrations.CPU, e.Deployment.Migrations.Memory)
	if len(e.Configuration.Required) == 0 {
		l.add("configuration.required", "list the variables that the application needs", "it is missing")
	}
	for i, name := range e.Configuration.Required {
		l.match(fmt.Sprintf("configuration.required[%d]", i), name, variablePattern, "use letters, digits and underscores")
	}
}

func autoscalingProblems(l *problemList, path string, s Service) {
	switch {
	case s.Autoscaling == nil && s.Tasks.Max > s.Tasks.Min:
		l.add(path+".autoscaling", "say what it follows, such as {cpuPercent: 60}, or give tasks.max the value of tasks.min",
			"tasks may grow from %d to %d, but nothing makes them", s.Tasks.Min, s.Tasks.Max)
		return
	case s.Autoscaling == nil:
		return
	case s.Tasks.Max == s.Tasks.Min:
		l.add(path+".autoscaling", "give a larger tasks.max, or remove it", "there is nothing to scale between %d and %[1]d tasks", s.Tasks.Min)
	case s.Autoscaling.RequestsPerMin > 0 && s.Role != API:
		l.add(path+".autoscaling.requestsPerMinute", "remove it", "the %s has no load balancer that could count requests", s.Role)
	case *s.Autoscaling == Autoscaling{}:
		l.add(path+".autoscaling", "give cpuPercent, memoryPercent or requestsPerMinute", "it follows nothing")
	}
	for key, percent := range map[string]int{"cpuPercent": s.Autoscaling.CPUPercent, "memoryPercent": s.Autoscaling.MemoryPercent} {
		if percent != 0 {
			l.within(path+".autoscaling."+key, percent, 10, 90)
		}
	}
}

func (e *Environment) databaseProblems(l *problemList) {
	d := e.Database
	l.match("database.instanceClass", d.InstanceClass, classPattern, "give an RDS instance class such as db.t3.small")
	l.match("database.engineVersion", d.EngineVersion, regexp.MustCompile(`^1[4-9](\.[0-9]+)?$`), `give a PostgreSQL version from 14 on, in quotes, such as "16"`)
	l.match("database.name", d.Name, postgresName, "use lower-case letters, digits and underscores")
	l.match("database.user", d.User, postgresName, "use lower-case letters, digits and underscores")
	l.within("database.storageGiB", d.StorageGiB, 20, 65536)
	if d.MaxStorageGiB < d.StorageGiB*11/10 {
		// RDS wants at least 10 % of room above the allocated storage.
		l.add("database.maxStorageGiB", fmt.Sprintf("give at least %d", (d.StorageGiB*11+9)/10), "%d leaves no room to grow from %d", d.MaxStorageGiB, d.StorageGiB)
	}
	l.within("database.backupDays", d.BackupDays, 0, 35)
	l.within("database.passwordRotationDays", d.PasswordRotationDays, 1, 1000)
	if seconds := int(e.Queue.VisibilityTimeout.Seconds()); seconds < 1 || seconds > 43200 {
		l.add("queue.visibilityTimeout", "give a time from 1s to 12h", "%s is out of range", e.Queue.VisibilityTimeout)
	}
	l.within("queue.retentionDays", e.Queue.RetentionDays, 1, 14)
	l.within("queue.maxReceives", e.Queue.MaxReceives, 1, 1000)
}

func (e *Environment) operationProblems(l *problemList) {
	oneOf(l, "monitoring.level", e.Monitoring.Level, Basic, Enhanced, Full)
	if !slices.Contains(logRetentions, e.Monitoring.LogRetentionDays) {
		l.add("monitoring.logRetentionDays", "give one of "+strings.Trim(fmt.Sprint(logRetentions), "[]"),
			"CloudWatch does not keep logs for %d days", e.Monitoring.LogRetentionDays)
	}
	for i, address := range e.Monitoring.Emails {
		if _, err := mail.ParseAddress(address); err != nil {
			l.add(fmt.Sprintf("monitoring.emails[%d]", i), "give an address such as ops@example.com", "%q is no mail address", address)
		}
	}
	l.within("firewall.rateLimit", e.Firewall.RateLimit, 10, 2_000_000_000)
	l.within("budget.monthlyUSD", e.Budget.MonthlyUSD, 1, 1_000_000)
	oneOf(l, "deployment.rollback", e.Deployment.Rollback, RollbackAutomatic, RollbackManual)
	oneOf(l, "deployment.backup", e.Deployment.Backup, BackupSnapshot, BackupNone)
	l.within("deployment.snapshotsKept", e.Deployment.SnapshotsKept, 1, 90)
	oneOf(l, "deployment.migrations.order", e.Deployment.Migrations.Order, BeforeServices, AfterServices)
	if len(e.Deployment.Migrations.Command) == 0 {
		l.add("deployment.migrations.command", `give the command as a list, such as ["npx", "prisma", "migrate", "deploy"]`, "it is empty")
	}
	for path, d := range map[string]int{
		"deployment.rollout.timeout":    int(e.Deployment.Rollout.Timeout.Seconds()),
		"deployment.migrations.timeout": int(e.Deployment.Migrations.Timeout.Seconds()),
		"deployment.health.interval":    int(e.Deployment.Health.Interval.Seconds()),
	} {
		if d < 1 || d > 6*3600 {
			l.add(path, "give a time from 1s to 6h", "%d s is out of range", d)
		}
	}
	l.within("deployment.health.tries", e.Deployment.Health.Tries, 1, 100)
	oneOf(l, "delivery.trigger", e.Delivery.Trigger, OnPush, Manual)
	if e.Delivery.Branch == "" {
		l.add("delivery.branch", "name the branch that is deployed", "it is missing")
	}
	for i, suite := range e.Delivery.Tests {
		oneOf(l, fmt.Sprintf("delivery.tests[%d]", i), suite, "unit", "integration", "security")
	}
}

// productionProblems are the promises that production makes and that nobody may break by editing one line.
func (e *Environment) productionProblems(l *problemList) {
	if e.Stack != "production" {
		return
	}
	for path, kept := range map[string]bool{
		"protected":                   e.Protected,
		"database.deletionProtection": e.Database.DeletionProtection,
		"database.multiZone":          e.Database.MultiZone,
		"delivery.approval":           e.Delivery.Approval,
	} {
		if !kept {
			l.add(path, "set it to true", "production must not be without it")
		}
	}
	if e.Database.BackupDays < 7 {
		l.add("database.backupDays", "give at least 7", "production must keep its backups longer than %d days", e.Database.BackupDays)
	}
	if e.Deployment.Backup != BackupSnapshot {
		l.add("deployment.backup", "set it to snapshot", "production must be backed up before a deployment")
	}
	if e.Delivery.Trigger != Manual {
		l.add("delivery.trigger", "set it to manual", "production must not be deployed by a push")
	}
}

func (s *Shared) problems() []Problem {
	var l problemList
	l.match("prefix", s.Prefix, namePattern, "use lower-case letters, digits and inner hyphens, such as v3-backend")
	l.match("account", s.Account, accountPattern, "give the AWS account's twelve digits, in quotes")
	l.match("region", s.Region, regionPattern, "give a region such as us-east-1")
	l.match("rootDomain", s.RootDomain, domainPattern, "give the hosted zone's name, such as example.com")
	l.match("repository.name", s.Repository.Name, repositoryPattern, "give the ECR repository's name, such as balancer-api")
	l.within("repository.keepImages", s.Repository.KeepImages, 1, 1000)
	l.within("repository.untaggedDays", s.Repository.UntaggedDays, 1, 365)
	if len(s.GitHub.Repositories) == 0 {
		l.add("github.repositories", "list the repositories that may deploy, as OWNER/NAME", "it is missing")
	}
	for i, name := range s.GitHub.Repositories {
		l.match(fmt.Sprintf("github.repositories[%d]", i), name, githubPattern, "give OWNER/NAME")
	}
	for i, name := range s.GitHub.Environments {
		path := fmt.Sprintf("github.environments[%d]", i)
		l.match(path, name, namePattern, "give a GitHub environment such as staging")
		if name == "production" {
			l.add(path, "remove it", "production has a role of its own")
		}
	}
	return l
}

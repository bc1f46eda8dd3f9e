package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdspending"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// rule is one setting of the environment's file, with what AWS has.
type rule struct {
	what string
	// got is nil where AWS's answer lacks the value.
	want, got any
	// critical rules protect data or users: breaking one is an error.
	critical bool
}

// met compares as text, because AWS returns some numbers as strings.
func (r rule) met() bool { return fmt.Sprint(r.want) == fmt.Sprint(r.got) }

// area is a part of the environment that is compared with its file.
type area struct {
	name string
	// rules returns none where the environment does not have that part yet.
	rules func(context.Context, *runContext) ([]rule, error)
}

func areas() []area {
	return []area{
		{"network", networkRules}, {"https", comparing(readListeners, httpsRules)}, {"services", serviceRules},
		{"database", comparing(readDatabase, databaseRules)}, {"logs", comparing(readLogGroup, logRules)},
	}
}

// comparing returns the function of an area that reads one value and compares it with the environment's file.
func comparing[T any](
	read func(context.Context, *runContext) (T, error), compare func(T, *environment.Environment) []rule,
) func(context.Context, *runContext) ([]rule, error) {
	return func(ctx context.Context, rc *runContext) ([]rule, error) {
		found, err := read(ctx, rc)
		if err != nil {
			return nil, err
		}
		return compare(found, rc.env), nil
	}
}

// checkCompliance compares the environment with its own file, each area separately: one that cannot be read does not affect the
// others.
func checkCompliance(ctx context.Context, rc *runContext) ([]Finding, error) {
	return forEach(ctx, areas(), func(ctx context.Context, a area) ([]Finding, error) {
		rules, err := a.rules(ctx, rc)
		if err != nil {
			return []Finding{unknownFinding("compliance", complianceID(rc.env, a.name), err)}, nil
		}
		return []Finding{evaluateCompliance(a.name, rules, rc.env)}, nil
	})
}

func complianceID(env *environment.Environment, area string) string {
	return "Compliance-" + env.Name + "-" + area
}

// evaluateCompliance evaluates rules: a critical one that is broken is an error, any other a warning.
func evaluateCompliance(area string, rules []rule, env *environment.Environment) Finding {
	f := newFinding("compliance", complianceID(env, area)).with("rules", len(rules))
	if len(rules) == 0 {
		return f.error("NothingDeployed", deployHint(env, "the environment was never deployed"), "%s: nothing is deployed that could be compared with the environment's file", area)
	}
	var broken, unknown []string
	details := map[string]any{}
	critical := false
	for _, r := range rules {
		switch {
		case r.got == nil:
			unknown = append(unknown, r.what)
			continue
		case r.met():
			continue
		}
		broken = append(broken, fmt.Sprintf("%s is %v and should be %v", r.what, r.got, r.want))
		details[r.what] = map[string]any{"want": r.want, "got": r.got}
		critical = critical || r.critical
	}
	if len(unknown) > 0 {
		f = f.with("unknown", unknown)
	}
	switch {
	case len(broken) > 0:
	case len(unknown) > 0:
		return f.unknown("ValuesUnknown", incompleteAnswer("AWS", strings.Join(unknown, ", ")), "%s: %s is unknown", area, strings.Join(unknown, ", "))
	default:
		return f.healthy("MatchesFile", "%s: %s as in %s", area, text.Plural(len(rules), "value is", "values are"), environment.FileName(env.Stack))
	}
	f = f.with("broken", details)
	report := f.warning
	if critical {
		report = f.error
	}
	return report("DiffersFromFile", differsHint(env, "it was changed"),
		"%s: %d of %d values differ from %s: %s", area, len(broken), len(rules), environment.FileName(env.Stack), strings.Join(broken, "; "))
}

func networkRules(ctx context.Context, rc *runContext) ([]rule, error) {
	vpc, err := readVPC(ctx, rc)
	if err != nil || vpc == nil {
		return nil, err
	}
	subnets, gateways, err := readBoth(ctx, rc, readSubnets, readNATs)
	if err != nil {
		return nil, err
	}
	zones := map[string]bool{}
	for _, s := range subnets {
		zones[aws.ToString(s.AvailabilityZone)] = true
	}
	return []rule{
		{what: "network.cidr", want: rc.env.Network.CIDR, got: valueOf(vpc.CidrBlock)},
		{what: "network.zones", want: rc.env.Network.Zones, got: len(zones)},
		{what: "number of NAT gateways", want: rc.env.NATGateways(), got: natStates(gateways)[string(ec2types.NatGatewayStateAvailable)]},
	}, nil
}

func httpsRules(listeners []elbtypes.Listener, env *environment.Environment) []rule {
	if len(listeners) == 0 {
		return nil
	}
	http, https := evaluateHTTP(listeners, env), evaluateHTTPS(listeners, env)
	redirect := rule{what: "redirect from HTTP to HTTPS", want: true, got: http.Status == Healthy, critical: true}
	if http.Status == Unknown {
		redirect.got = nil
	}
	encrypted := rule{what: "HTTPS on port 443", want: true, got: https.Details["protocol"] == string(elbtypes.ProtocolEnumHttps), critical: true}
	if https.Details["protocol"] == "" {
		encrypted.got = nil
	}
	return []rule{redirect, encrypted}
}

func serviceRules(ctx context.Context, rc *runContext) ([]rule, error) {
	services, err := readServices(ctx, rc)
	if err != nil {
		return nil, err
	}
	return forEach(ctx, rc.env.Services.List(), func(ctx context.Context, s environment.Service) ([]rule, error) {
		service := findService(services, rc.env.ServiceName(s.Role))
		if service == nil {
			return nil, nil
		}
		definition, err := readTaskDefinition(ctx, rc, aws.ToString(service.TaskDefinition))
		if err != nil {
			return nil, err
		}
		rules := serviceRulesOf(s, *service, definition, rc.env)
		// Whether the environment is asleep is reported elsewhere, also where that cannot be read.
		if state, err := readSleep(ctx, rc); err == nil && state.marker != nil && service.DesiredCount == 0 {
			rules = slices.DeleteFunc(rules, func(r rule) bool { return r.what == tasksOf(s) })
		}
		return rules, nil
	})
}

// tasksOf names the number of a service's tasks in the file.
func tasksOf(s environment.Service) string { return "services." + string(s.Role) + ".tasks" }

func serviceRulesOf(
	s environment.Service, service ecstypes.Service, definition *ecstypes.TaskDefinition, env *environment.Environment,
) []rule {
	path := "services." + string(s.Role)
	tasks, desired := fmt.Sprintf("%d to %d", s.Tasks.Min, s.Tasks.Max), int(service.DesiredCount)
	got := fmt.Sprint(desired)
	if desired >= s.Tasks.Min && desired <= s.Tasks.Max {
		got = tasks
	}
	rules := []rule{
		{what: tasksOf(s), want: tasks, got: got},
		{what: path + ".spot", want: s.Spot, got: isSpot(service)},
		{what: "services.executeCommand of the " + string(s.Role), want: env.Services.ExecuteCommand, got: service.EnableExecuteCommand},
	}
	if definition != nil {
		rules = append(rules,
			rule{what: path + ".cpu", want: s.CPU, got: valueOf(definition.Cpu)},
			rule{what: path + ".memory", want: s.Memory, got: valueOf(definition.Memory)},
			rule{what: "image.architecture of the " + string(s.Role), want: env.Image.Architecture, got: architectureOf(definition)})
	}
	return rules
}

// isSpot reports whether a service runs on Fargate Spot; nil where the answer has neither its strategy nor its launch type.
func isSpot(service ecstypes.Service) any {
	if len(service.CapacityProviderStrategy) == 0 && service.LaunchType == "" {
		return nil
	}
	return slices.ContainsFunc(service.CapacityProviderStrategy, func(item ecstypes.CapacityProviderStrategyItem) bool {
		return aws.ToString(item.CapacityProvider) == environment.FargateSpot
	})
}

// architectureOf returns the architecture of a task definition in the words of the environment's file. Fargate runs one that names none on x86_64.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#runtime-platform
func architectureOf(definition *ecstypes.TaskDefinition) environment.Architecture {
	if p := definition.RuntimePlatform; p != nil && p.CpuArchitecture != "" {
		return environment.Architecture(strings.ToLower(string(p.CpuArchitecture)))
	}
	return environment.X86
}

func databaseRules(database *rdstypes.DBInstance, env *environment.Environment) []rule {
	if database == nil {
		return nil
	}
	expected := env.Database
	return []rule{
		{what: "database.instanceClass", want: expected.InstanceClass, got: presentOrPending(database, "instanceClass", expected.InstanceClass, valueOf(database.DBInstanceClass))},
		{what: "database.engineVersion", want: expected.EngineVersion, got: matchMajor(database.EngineVersion, expected.EngineVersion)},
		{what: "database.multiZone", want: expected.MultiZone, got: presentOrPending(database, "multiAz", expected.MultiZone, valueOf(database.MultiAZ)), critical: expected.MultiZone},
		{what: "database.backupDays", want: expected.BackupDays, got: valueOf(database.BackupRetentionPeriod), critical: true},
		{what: "database.deletionProtection", want: expected.DeletionProtection, got: valueOf(database.DeletionProtection), critical: expected.DeletionProtection},
		{what: "database.performanceInsights", want: expected.PerformanceInsights, got: valueOf(database.PerformanceInsightsEnabled)},
		{what: "encryption of the database", want: true, got: valueOf(database.StorageEncrypted), critical: true},
		{what: "public address of the database", want: false, got: valueOf(database.PubliclyAccessible), critical: true},
	}
}

// presentOrPending returns the expected value of a property where it was requested and waits for the maintenance window, and else what
// the instance has. The check of the database names what waits.
func presentOrPending(database *rdstypes.DBInstance, property string, expected, present any) any {
	for _, c := range rdspending.Of(database) {
		if c.Property == property && c.Requested == expected {
			return expected
		}
	}
	return present
}

// matchMajor returns the expected version where the actual one is of it, as 16.8 is of 16, and else the actual one, or nil for none.
func matchMajor(actual *string, expected string) any {
	if version := aws.ToString(actual); version == expected || strings.HasPrefix(version, expected+".") {
		return expected
	}
	return valueOf(actual)
}

// valueOf returns a value of AWS's answer, or nil where the answer lacks it.
func valueOf[T any](value *T) any {
	if value == nil {
		return nil
	}
	return *value
}

func logRules(group *logstypes.LogGroup, env *environment.Environment) []rule {
	if group == nil {
		return nil
	}
	// AWS returns no retention of a group that keeps its lines without end.
	return []rule{{what: "monitoring.logRetentionDays", want: env.Monitoring.LogRetentionDays, got: aws.ToInt32(group.RetentionInDays)}}
}

package checks

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// rule is one thing that the environment's file promises, and what is.
type rule struct {
	what      string
	want, got any
	// critical rules guard data or users: breaking one is an error.
	critical bool
}

// met reports whether what is, is what was promised. AWS tells some numbers as strings.
func (r rule) met() bool { return fmt.Sprint(r.want) == fmt.Sprint(r.got) }

// area is a part of the environment that is compared with its file.
type area struct {
	name string
	// rules reads what is and returns what was promised beside it. No rules at all says that there is nothing yet.
	rules func(context.Context, *runContext) ([]rule, error)
}

// areas are all of them.
func areas() []area {
	return []area{
		{"network", networkRules}, {"https", httpsRules}, {"services", serviceRules}, {"database", databaseRules}, {"logs", logRules},
	}
}

// checkCompliance compares the environment with its own file, each aspect for itself: what cannot be read of one says
// nothing about the others.
func checkCompliance(ctx context.Context, rc *runContext) ([]Finding, error) {
	return forEach(ctx, areas(), func(ctx context.Context, one area) ([]Finding, error) {
		rules, err := one.rules(ctx, rc)
		if err != nil {
			unknown := unknownFinding("compliance", err)
			unknown.Service = complianceID(rc.env, one.name)
			return []Finding{unknown}, nil
		}
		return []Finding{evaluateCompliance(one.name, rules, rc.env)}, nil
	})
}

func complianceID(env *environment.Environment, area string) string {
	return "Compliance-" + env.Name + "-" + area
}

// evaluateCompliance judges rules: any serious one that is broken is an error, any other a warning.
func evaluateCompliance(area string, rules []rule, env *environment.Environment) Finding {
	f := newFinding("compliance", complianceID(env, area)).with("rules", len(rules))
	if len(rules) == 0 {
		return f.error("NothingDeployed", deployHint(env, "the environment was never deployed"), "%s: there is nothing to compare with the environment's file", area)
	}
	var broken []string
	details := map[string]any{}
	critical := false
	for _, r := range rules {
		if r.met() {
			continue
		}
		broken = append(broken, fmt.Sprintf("%s is %v and should be %v", r.what, r.got, r.want))
		details[r.what] = map[string]any{"want": r.want, "got": r.got}
		critical = critical || r.critical
	}
	if len(broken) == 0 {
		return f.healthy("AsDescribed", "%s: %s as %s says", area, text.Plural(len(rules), "value is", "values are"), environment.FileName(env.Stack))
	}
	f = f.with("broken", details)
	report := f.warning
	if critical {
		report = f.error
	}
	return report("NotAsDescribed", driftHint(env, "it was changed past the program, or "+environment.FileName(env.Stack)+" was changed and not deployed"),
		"%s: %d of %d values are not as %s says: %s", area, len(broken), len(rules), environment.FileName(env.Stack), strings.Join(broken, "; "))
}

func networkRules(ctx context.Context, rc *runContext) ([]rule, error) {
	vpc, err := readVPC(ctx, rc)
	if err != nil || vpc == nil {
		return nil, err
	}
	prefetch(ctx, rc, readNATs)
	subnets, err := readSubnets(ctx, rc)
	if err != nil {
		return nil, err
	}
	gateways, err := readNATs(ctx, rc)
	if err != nil {
		return nil, err
	}
	zones := map[string]bool{}
	for _, s := range subnets {
		zones[aws.ToString(s.AvailabilityZone)] = true
	}
	nats := 0
	for _, g := range gateways {
		if g.State == ec2types.NatGatewayStateAvailable {
			nats++
		}
	}
	return []rule{
		{what: "network.cidr", want: rc.env.Network.CIDR, got: aws.ToString(vpc.CidrBlock)},
		{what: "network.zones", want: rc.env.Network.Zones, got: len(zones)},
		{what: "number of NAT gateways", want: expectedNATs(rc.env), got: nats},
	}, nil
}

func httpsRules(ctx context.Context, rc *runContext) ([]rule, error) {
	listeners, err := readListeners(ctx, rc)
	if err != nil || len(listeners) == 0 {
		return nil, err
	}
	redirects, encrypted := false, false
	if http := findListener(listeners, 80); http != nil {
		redirect := redirectOf(*http)
		redirects = redirect != nil && aws.ToString(redirect.Protocol) == string(elbtypes.ProtocolEnumHttps)
	}
	if https := findListener(listeners, 443); https != nil {
		encrypted = https.Protocol == elbtypes.ProtocolEnumHttps
	}
	return []rule{
		{what: "redirect from HTTP to HTTPS", want: true, got: redirects, critical: true},
		{what: "HTTPS on port 443", want: true, got: encrypted, critical: true},
	}, nil
}

func serviceRules(ctx context.Context, rc *runContext) ([]rule, error) {
	services, err := readServices(ctx, rc)
	if err != nil {
		return nil, err
	}
	return forEach(ctx, rc.env.Services.List(), func(ctx context.Context, one environment.Service) ([]rule, error) {
		service := findService(services, rc.env.ServiceName(one.Role))
		if service == nil {
			return nil, nil
		}
		definition, err := readTaskDefinition(ctx, rc, aws.ToString(service.TaskDefinition))
		if err != nil {
			return nil, err
		}
		return serviceRulesOf(one, *service, definition, rc.env), nil
	})
}

func serviceRulesOf(
	s environment.Service, service ecstypes.Service, definition *ecstypes.TaskDefinition, env *environment.Environment,
) []rule {
	path := "services." + string(s.Role)
	desired := int(service.DesiredCount)
	rules := []rule{
		{what: path + ".tasks", want: fmt.Sprintf("%d to %d", s.Tasks.Min, s.Tasks.Max), got: inRange(desired, s.Tasks)},
		{what: "services.executeCommand of the " + string(s.Role), want: env.Services.ExecuteCommand, got: service.EnableExecuteCommand},
	}
	if definition != nil {
		rules = append(rules,
			rule{what: path + ".cpu", want: s.CPU, got: aws.ToString(definition.Cpu)},
			rule{what: path + ".memory", want: s.Memory, got: aws.ToString(definition.Memory)})
	}
	return rules
}

// inRange is the range itself where the number is in it, so that it compares as equal, else the number.
func inRange(n int, tasks environment.Tasks) string {
	if n >= tasks.Min && n <= tasks.Max {
		return fmt.Sprintf("%d to %d", tasks.Min, tasks.Max)
	}
	return fmt.Sprint(n)
}

func databaseRules(ctx context.Context, rc *runContext) ([]rule, error) {
	database, err := readDatabase(ctx, rc)
	if err != nil || database == nil {
		return nil, err
	}
	return databaseRulesOf(*database, rc.env.Database), nil
}

func databaseRulesOf(database rdstypes.DBInstance, expected environment.Database) []rule {
	return []rule{
		{what: "database.instanceClass", want: expected.InstanceClass, got: aws.ToString(database.DBInstanceClass)},
		{what: "database.engineVersion", want: expected.EngineVersion, got: matchMajor(aws.ToString(database.EngineVersion), expected.EngineVersion)},
		{what: "database.multiZone", want: expected.MultiZone, got: aws.ToBool(database.MultiAZ), critical: expected.MultiZone},
		{what: "database.backupDays", want: expected.BackupDays, got: aws.ToInt32(database.BackupRetentionPeriod), critical: true},
		{what: "database.deletionProtection", want: expected.DeletionProtection, got: aws.ToBool(database.DeletionProtection), critical: expected.DeletionProtection},
		{what: "database.performanceInsights", want: expected.PerformanceInsights, got: aws.ToBool(database.PerformanceInsightsEnabled)},
		{what: "encryption of the database", want: true, got: aws.ToBool(database.StorageEncrypted), critical: true},
		{what: "public address of the database", want: false, got: aws.ToBool(database.PubliclyAccessible), critical: true},
	}
}

// matchMajor is the version promised where the one that runs is of it: 16 is kept by 16.8.
func matchMajor(actual, expected string) string {
	if actual == expected || strings.HasPrefix(actual, expected+".") {
		return expected
	}
	return actual
}

func logRules(ctx context.Context, rc *runContext) ([]rule, error) {
	group, err := readLogGroup(ctx, rc)
	if err != nil || group == nil {
		return nil, err
	}
	return []rule{{what: "monitoring.logRetentionDays", want: rc.env.Monitoring.LogRetentionDays, got: aws.ToInt32(group.RetentionInDays)}}, nil
}

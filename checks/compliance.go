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
)

// rule is one thing that the environment's file promises, and what is.
type rule struct {
	what      string
	want, got any
	// serious rules guard data or users: breaking one is an error.
	serious bool
}

// kept reports whether what is, is what was promised. AWS tells some numbers as strings.
func (r rule) kept() bool { return fmt.Sprint(r.want) == fmt.Sprint(r.got) }

// aspect is a part of the environment that is compared with its file.
type aspect struct {
	name string
	// rules reads what is and returns what was promised beside it. No rules at all says that there is nothing yet.
	rules func(context.Context, *estate) ([]rule, error)
}

// aspects are all of them.
func aspects() []aspect {
	return []aspect{
		{"network", networkRules}, {"https", httpsRules}, {"services", serviceRules}, {"database", databaseRules}, {"logs", logRules},
	}
}

// checkCompliance compares the environment with its own file, each aspect for itself: what cannot be read of one says
// nothing about the others.
func checkCompliance(ctx context.Context, e *estate) ([]Finding, error) {
	return batches(ctx, aspects(), 1, func(ctx context.Context, one []aspect) ([]Finding, error) {
		rules, err := one[0].rules(ctx, e)
		if err != nil {
			unknown := undetermined("compliance", err)
			unknown.Service = complianceID(e.env, one[0].name)
			return []Finding{unknown}, nil
		}
		return []Finding{evaluateCompliance(one[0].name, rules, e.env)}, nil
	})
}

func complianceID(env *environment.Environment, aspect string) string {
	return "Compliance-" + env.Name + "-" + aspect
}

// evaluateCompliance judges rules: any serious one that is broken is an error, any other a warning.
func evaluateCompliance(aspect string, rules []rule, env *environment.Environment) Finding {
	what := about("compliance", complianceID(env, aspect)).with("rules", len(rules))
	if len(rules) == 0 {
		return what.error("NothingDeployed", deployHint(env, "the environment was never deployed"), "%s: there is nothing to compare with the environment's file", aspect)
	}
	var broken []string
	details := map[string]any{}
	serious := false
	for _, r := range rules {
		if r.kept() {
			continue
		}
		broken = append(broken, fmt.Sprintf("%s is %v and should be %v", r.what, r.got, r.want))
		details[r.what] = map[string]any{"want": r.want, "got": r.got}
		serious = serious || r.serious
	}
	if len(broken) == 0 {
		return what.healthy("AsDescribed", "%s: %s as %s says", aspect, plural(len(rules), "value is", "values are"), environment.FileName(env.Stack))
	}
	what = what.with("broken", details)
	judge := what.warning
	if serious {
		judge = what.error
	}
	return judge("NotAsDescribed", driftHint(env, "it was changed past the program, or "+environment.FileName(env.Stack)+" was changed and not deployed"),
		"%s: %d of %d values are not as %s says: %s", aspect, len(broken), len(rules), environment.FileName(env.Stack), strings.Join(broken, "; "))
}

func networkRules(ctx context.Context, e *estate) ([]rule, error) {
	vpc, err := readVPC(ctx, e)
	if err != nil || vpc == nil {
		return nil, err
	}
	ahead(ctx, e, readNATs)
	subnets, err := readSubnets(ctx, e)
	if err != nil {
		return nil, err
	}
	gateways, err := readNATs(ctx, e)
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
		{what: "network.cidr", want: e.env.Network.CIDR, got: aws.ToString(vpc.CidrBlock)},
		{what: "network.zones", want: e.env.Network.Zones, got: len(zones)},
		{what: "number of NAT gateways", want: natWanted(e.env), got: nats},
	}, nil
}

func httpsRules(ctx context.Context, e *estate) ([]rule, error) {
	listeners, err := readListeners(ctx, e)
	if err != nil || len(listeners) == 0 {
		return nil, err
	}
	redirects, encrypted := false, false
	if http := listenerAt(listeners, 80); http != nil {
		redirect := redirectOf(*http)
		redirects = redirect != nil && aws.ToString(redirect.Protocol) == string(elbtypes.ProtocolEnumHttps)
	}
	if https := listenerAt(listeners, 443); https != nil {
		encrypted = https.Protocol == elbtypes.ProtocolEnumHttps
	}
	return []rule{
		{what: "redirect from HTTP to HTTPS", want: true, got: redirects, serious: true},
		{what: "HTTPS on port 443", want: true, got: encrypted, serious: true},
	}, nil
}

func serviceRules(ctx context.Context, e *estate) ([]rule, error) {
	services, err := readServices(ctx, e)
	if err != nil {
		return nil, err
	}
	return batches(ctx, e.env.Services.List(), 1, func(ctx context.Context, one []environment.Service) ([]rule, error) {
		service := serviceNamed(services, e.env.ServiceName(one[0].Role))
		if service == nil {
			return nil, nil
		}
		definition, err := readTaskDefinition(ctx, e, aws.ToString(service.TaskDefinition))
		if err != nil {
			return nil, err
		}
		return rulesOfService(one[0], *service, definition, e.env), nil
	})
}

func rulesOfService(
	s environment.Service, service ecstypes.Service, definition *ecstypes.TaskDefinition, env *environment.Environment,
) []rule {
	path := "services." + string(s.Role)
	desired := int(service.DesiredCount)
	rules := []rule{
		{what: path + ".tasks", want: fmt.Sprintf("%d to %d", s.Tasks.Min, s.Tasks.Max), got: within(desired, s.Tasks)},
		{what: "services.executeCommand of the " + string(s.Role), want: env.Services.ExecuteCommand, got: service.EnableExecuteCommand},
	}
	if definition != nil {
		rules = append(rules,
			rule{what: path + ".cpu", want: s.CPU, got: aws.ToString(definition.Cpu)},
			rule{what: path + ".memory", want: s.Memory, got: aws.ToString(definition.Memory)})
	}
	return rules
}

// within is the range itself where the number is in it, so that it compares as equal, else the number.
func within(n int, tasks environment.Tasks) string {
	if n >= tasks.Min && n <= tasks.Max {
		return fmt.Sprintf("%d to %d", tasks.Min, tasks.Max)
	}
	return fmt.Sprint(n)
}

func databaseRules(ctx context.Context, e *estate) ([]rule, error) {
	database, err := readDatabase(ctx, e)
	if err != nil || database == nil {
		return nil, err
	}
	return rulesOfDatabase(*database, e.env.Database), nil
}

func rulesOfDatabase(is rdstypes.DBInstance, promised environment.Database) []rule {
	return []rule{
		{what: "database.instanceClass", want: promised.InstanceClass, got: aws.ToString(is.DBInstanceClass)},
		{what: "database.engineVersion", want: promised.EngineVersion, got: sameMajor(aws.ToString(is.EngineVersion), promised.EngineVersion)},
		{what: "database.multiZone", want: promised.MultiZone, got: aws.ToBool(is.MultiAZ), serious: promised.MultiZone},
		{what: "database.backupDays", want: promised.BackupDays, got: aws.ToInt32(is.BackupRetentionPeriod), serious: true},
		{what: "database.deletionProtection", want: promised.DeletionProtection, got: aws.ToBool(is.DeletionProtection), serious: promised.DeletionProtection},
		{what: "database.performanceInsights", want: promised.PerformanceInsights, got: aws.ToBool(is.PerformanceInsightsEnabled)},
		{what: "encryption of the database", want: true, got: aws.ToBool(is.StorageEncrypted), serious: true},
		{what: "public address of the database", want: false, got: aws.ToBool(is.PubliclyAccessible), serious: true},
	}
}

// sameMajor is the version promised where the one that runs is of it: 16 is kept by 16.8.
func sameMajor(is, promised string) string {
	if is == promised || strings.HasPrefix(is, promised+".") {
		return promised
	}
	return is
}

func logRules(ctx context.Context, e *estate) ([]rule, error) {
	group, err := readLogGroup(ctx, e)
	if err != nil || group == nil {
		return nil, err
	}
	return []rule{{what: "monitoring.logRetentionDays", want: e.env.Monitoring.LogRetentionDays, got: aws.ToInt32(group.RetentionInDays)}}, nil
}

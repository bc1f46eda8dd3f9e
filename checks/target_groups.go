package checks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// targetCounts counts targets by state, and the reasons of unhealthy ones. Draining ones are counted separately, because they
// are being removed.
type targetCounts struct {
	healthy, unhealthy, initial, other, draining int
	reasons                                      map[string]int
}

func (c targetCounts) total() int { return c.healthy + c.unhealthy + c.initial + c.other }

func countTargets(targets []elbtypes.TargetHealthDescription) targetCounts {
	counts := targetCounts{reasons: map[string]int{}}
	for _, t := range targets {
		if t.TargetHealth == nil {
			counts.other++
			continue
		}
		switch t.TargetHealth.State {
		case elbtypes.TargetHealthStateEnumHealthy:
			counts.healthy++
		case elbtypes.TargetHealthStateEnumUnhealthy:
			counts.unhealthy++
		case elbtypes.TargetHealthStateEnumInitial:
			counts.initial++
		case elbtypes.TargetHealthStateEnumDraining, elbtypes.TargetHealthStateEnumUnhealthyDraining:
			counts.draining++
			continue
		default:
			counts.other++
		}
		if reason := string(t.TargetHealth.Reason); reason != "" {
			counts.reasons[reason]++
		}
	}
	return counts
}

// evaluateTargetGroup evaluates the API's target group by the state of its targets, without draining ones.
func evaluateTargetGroup(group *targetGroup, env *environment.Environment) Finding {
	f := newFinding("target_groups", "ALB-TargetGroup-"+env.TargetGroupName())
	if group == nil {
		return f.error("TargetGroupMissing", missingHint(env, "the group"), "the target group %s does not exist", env.TargetGroupName())
	}
	counts := countTargets(group.targets)
	wanted := counts.total()
	f = f.with("healthy", counts.healthy).with("unhealthy", counts.unhealthy).with("initial", counts.initial).
		with("draining", counts.draining).with("total", wanted).with("health_check", aws.ToString(group.HealthCheckPath))
	if len(counts.reasons) > 0 || counts.draining > 0 {
		f = f.with("targets", targetDetails(group.targets))
	}
	if len(counts.reasons) > 0 {
		f = f.with("reasons", counts.reasons)
	}
	switch {
	case wanted == 0:
		return f.error("NoTargets", Hint{
			Cause:    "no task of the API is running, or none was registered yet",
			Solution: "check ecs_service and ecs_tasks for the reason", Command: command(env, "status") + " --only ecs_service,ecs_tasks",
		}, "0/0 targets healthy: there are none")
	case counts.healthy == 0 && counts.initial == wanted:
		return f.warning("TargetsStarting", Hint{
			Cause: "the tasks have just started", Solution: "wait for their first health checks",
		}, "0/%d targets healthy, all of them are being checked for the first time", wanted)
	case counts.healthy == 0:
		return f.error("NoHealthyTargets", targetHint(counts.reasons, env), "0/%d targets healthy%s", wanted, reasonList(counts.reasons))
	case counts.unhealthy+counts.other > 0:
		return f.warning("TargetsUnhealthy", targetHint(counts.reasons, env), "%d/%d targets healthy%s", counts.healthy, wanted, reasonList(counts.reasons))
	case counts.initial > 0:
		return f.warning("TargetsStarting", Hint{
			Cause: "tasks have just started", Solution: "wait for their first health checks",
		}, "%d/%d targets healthy, %d being checked for the first time", counts.healthy, wanted, counts.initial)
	}
	return f.healthy("TargetsHealthy", "%d/%d targets healthy", counts.healthy, wanted)
}

// reasonList returns the end of a message, which counts the reasons.
func reasonList(reasons map[string]int) string {
	if len(reasons) == 0 {
		return ""
	}
	counts := list.Map(slices.Sorted(maps.Keys(reasons)), func(reason string) string { return fmt.Sprintf("%d %s", reasons[reason], reason) })
	return ": " + strings.Join(counts, ", ")
}

// targetHints explains the load balancer's reasons.
// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
var targetHints = []struct {
	reason elbtypes.TargetHealthReasonEnum
	hint   Hint
}{
	{elbtypes.TargetHealthReasonEnumResponseCodeMismatch, Hint{
		Cause:    "the application's response to /health has another code than 200",
		Solution: "check its logs: it is running, but reports a failure", Command: "logs"}},
	{elbtypes.TargetHealthReasonEnumTimeout, Hint{
		Cause:    "the application does not respond in time, or the security group blocks the balancer",
		Solution: "check its logs and the service's security group", Command: "logs"}},
	{elbtypes.TargetHealthReasonEnumFailedHealthChecks, Hint{
		Cause:    "the connection is refused, or the response is malformed",
		Solution: "check that the application listens on the container's port on all addresses", Command: "logs"}},
	{elbtypes.TargetHealthReasonEnumNotInUse, Hint{
		Cause:    "no listener forwards to the target group, or its zone is not the balancer's",
		Solution: "check what was changed", Command: "drift"}},
	{elbtypes.TargetHealthReasonEnumInvalidState, Hint{
		Cause:    "the task behind the target has stopped",
		Solution: "check ecs_service for the reason", Command: "status"}},
}

func targetHint(reasons map[string]int, env *environment.Environment) Hint {
	for _, known := range targetHints {
		if reasons[string(known.reason)] > 0 {
			hint := known.hint
			hint.Command = command(env, hint.Command)
			return hint
		}
	}
	return Hint{
		Cause:    "the load balancer gives no reason, or its health checks are off",
		Solution: "check the load balancer and the application's logs", Command: command(env, "logs"),
	}
}

func targetDetails(targets []elbtypes.TargetHealthDescription) []map[string]any {
	return list.Map(targets[:min(len(targets), maxTasksListed)], func(t elbtypes.TargetHealthDescription) map[string]any {
		detail := map[string]any{}
		if t.Target != nil {
			detail["target"] = fmt.Sprintf("%s:%d", aws.ToString(t.Target.Id), aws.ToInt32(t.Target.Port))
		}
		if t.TargetHealth != nil {
			detail["state"] = string(t.TargetHealth.State)
			if t.TargetHealth.Reason != "" {
				detail["reason"] = string(t.TargetHealth.Reason)
				detail["description"] = aws.ToString(t.TargetHealth.Description)
			}
		}
		return detail
	})
}

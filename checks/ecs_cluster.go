package checks

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func evaluateCluster(cluster *ecstypes.Cluster, env *environment.Environment) Finding {
	f := newFinding("ecs_cluster", "ECS-Cluster-"+env.ClusterName())
	if cluster == nil {
		return f.error("ClusterMissing", missingHint(env, "the cluster"), "the cluster %s does not exist", env.ClusterName())
	}
	status := aws.ToString(cluster.Status)
	f = f.with("status", status).with("active_services", cluster.ActiveServicesCount).
		with("running_tasks", cluster.RunningTasksCount).with("pending_tasks", cluster.PendingTasksCount)
	insights := ""
	if s := list.Find(cluster.Settings, func(s ecstypes.ClusterSetting) bool { return s.Name == ecstypes.ClusterSettingNameContainerInsights }); s != nil {
		insights = aws.ToString(s.Value)
	}
	setText(f.details, "container_insights", insights)
	if status != "ACTIVE" {
		return f.error("ClusterNotActive", deployHint(env, "the cluster is being deleted, or was deleted"), "the cluster is %s", status)
	}
	if env.Monitoring.AtLeast(environment.Enhanced) && (insights == "" || insights == "disabled") {
		return f.warning("ContainerInsightsOff", Hint{
			Cause: "the setting was changed outside the deployer", Solution: "restore the setting", Command: command(env, "drift"),
		}, "Container Insights are off, and monitoring is %s", env.Monitoring.Level)
	}
	return f.healthy("Active", "%s, %s running, %d pending", text.Plural(int(cluster.ActiveServicesCount), "service", "services"),
		text.Plural(int(cluster.RunningTasksCount), "task", "tasks"), cluster.PendingTasksCount)
}

package cloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// containerKinds are those of ECS, its autoscaling and ECR:
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
var containerKinds = map[string]kind{
	typeCluster: {
		name:     "name",
		id:       "${arn}",
		fixed:    []string{"name"},
		computed: map[string]string{"arn": "arn:aws:ecs:${region}:${account}:cluster/${name}"},
		rules: []rule{matches("name", `^[a-zA-Z0-9_-]{1,255}$`,
			"must consist of alphanumerics, hyphens, and underscores")},
		inUse: refusal{"ClusterContainsServicesException",
			"The Cluster cannot be deleted while Services are active."},
		takes: 5 * time.Second,
	},
	typeClusterCapacityProviders: {
		id:       "${clusterName}",
		required: []string{"clusterName"}, fixed: []string{"clusterName"},
		refs: []ref{to("clusterName", typeCluster, "ClusterNotFoundException", "Cluster not found: %s", "name")},
	},
	typeTaskDefinition: {
		name:     "arn",
		id:       "${arn}",
		required: []string{"family", "containerDefinitions"},
		fixed: []string{"family", "containerDefinitions", "cpu", "memory", "networkMode",
			"requiresCompatibilities", "executionRoleArn", "taskRoleArn", "volumes", "runtimePlatform",
			"ephemeralStorage", "pidMode", "ipcMode", "placementConstraints", "proxyConfiguration"},
		defaults: values{"skipDestroy": false, "trackLatest": false, "enableFaultInjection": false,
			"networkMode": "bridge"},
		computed: map[string]string{
			"arnWithoutRevision": "arn:aws:ecs:${region}:${account}:task-definition/${family}", "arn": "${arnWithoutRevision}:${revision}",
		},
		rules: []rule{
			matches("family", `^[a-zA-Z0-9_-]{1,255}$`,
				"must consist of alphanumerics, hyphens, and underscores, at most 255 of them"),
			isJSON("containerDefinitions"), fargatePair,
		},
		refs: []ref{
			to("executionRoleArn", typeRole, "ClientException", "Role is not valid: %s", "arn"),
			to("taskRoleArn", typeRole, "ClientException", "Role is not valid: %s", "arn"),
		},
		complete: completeRevision,
		admit:    admitTaskDefinition,
		removed: func(_ *State, r *Resource) error {
			r.Kept = r.Bool("skipDestroy")
			return nil
		},
	},
	typeService: {
		name: "name",
		imports: func(r *Resource) string {
			_, clusterAndName, _ := strings.Cut(r.ID, ":service/")
			return clusterAndName
		},
		required: []string{"name"}, fixed: []string{"name", "cluster", "launchType", "schedulingStrategy", "iamRole"},
		defaults: values{"deploymentMaximumPercent": 200.0, "deploymentMinimumHealthyPercent": 100.0,
			"enableEcsManagedTags": false, "enableExecuteCommand": false,
			"iamRole": "/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS", "launchType": "EC2",
			"schedulingStrategy": "REPLICA", "platformVersion": "LATEST", "waitForSteadyState": false,
			"desiredCount": 0.0, "availabilityZoneRebalancing": "DISABLED"},
		refs: []ref{
			to("cluster", typeCluster, "ClusterNotFoundException", "Cluster not found: %s", "arn", "name"),
			to("taskDefinition", typeTaskDefinition, "ClientException", "TaskDefinition not found: %s", "arn"),
			to("loadBalancers.targetGroupArn", typeTargetGroup, "InvalidParameterException",
				"The specified target group does not exist: %s"),
			to("networkConfiguration.subnets", typeSubnet, "InvalidParameterException",
				"The subnet ID '%s' does not exist"),
			to("networkConfiguration.securityGroups", typeSecurityGroup, "InvalidParameterException",
				"The security group '%s' does not exist"),
		},
		complete: func(s *State, r *Resource) {
			r.ID = fmt.Sprintf("arn:aws:ecs:%s:%s:service/%s/%s", s.Region, s.ID, last(r.Text("cluster")),
				r.Text("name"))
		},
		admit: admitService,
		taken: refusal{"InvalidParameterException", "Creation of service %s was not idempotent."},
		inUse: refusal{"InvalidParameterException", "The service %s is registered as a scalable target."},
	},
	typeScalingTarget: {
		id: "${resourceId}",
		imports: func(r *Resource) string {
			return r.Text("serviceNamespace") + "/" + r.Text("resourceId") + "/" + r.Text("scalableDimension")
		},
		required: []string{"minCapacity", "maxCapacity", "resourceId", "scalableDimension", "serviceNamespace"},
		fixed:    []string{"resourceId", "scalableDimension", "serviceNamespace"},
		computed: map[string]string{
			"arn": "arn:aws:application-autoscaling:${region}:${account}:scalable-target/${hex32}",
			"roleArn": "arn:aws:iam::${account}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/" +
				"AWSServiceRoleForApplicationAutoScaling_ECSService",
		},
		rules: []rule{func(in values) (string, string) {
			low, lowKnown := in["minCapacity"].(float64)
			high, highKnown := in["maxCapacity"].(float64)
			if lowKnown && highKnown && low > high {
				return "maxCapacity", "Maximum capacity cannot be less than minimum capacity"
			}
			return "", ""
		}},
		admit: func(s *State, r *Resource) error {
			if s.Get(typeService, fmt.Sprintf("arn:aws:ecs:%s:%s:%s", s.Region, s.ID, r.Text("resourceId"))) == nil {
				return refuse("ValidationException", "ECS service doesn't exist: %s", r.Text("resourceId"))
			}
			return nil
		},
	},
	typeScalingPolicy: {
		name:     "name",
		id:       "${serviceNamespace}/${resourceId}/${scalableDimension}/${name}",
		required: []string{"resourceId", "scalableDimension", "serviceNamespace"},
		fixed:    []string{"name", "resourceId", "scalableDimension", "serviceNamespace"},
		defaults: values{"policyType": "StepScaling", "alarmArns": array()},
		computed: map[string]string{"arn": "arn:aws:autoscaling:${region}:${account}:scalingPolicy:${uuid}:resource/ecs/${resourceId}:policyName/${name}"},
		refs: []ref{to("resourceId", typeScalingTarget, "ObjectNotFoundException",
			"No scalable target registered for service namespace: ecs, resource ID: %s, scalable dimension: ecs:service:DesiredCount")},
	},
	typeRepository: {
		name:     "name",
		id:       "${name}",
		fixed:    []string{"name", "encryptionConfigurations"},
		defaults: values{"imageTagMutability": "MUTABLE", "forceDelete": false},
		computed: map[string]string{
			"arn": "arn:aws:ecr:${region}:${account}:repository/${name}", "registryId": "${account}",
			"repositoryUrl": "${account}.dkr.ecr.${region}.amazonaws.com/${name}",
		},
		rules: []rule{amongst("imageTagMutability", "MUTABLE", "IMMUTABLE")},
		taken: refusal{"RepositoryAlreadyExistsException",
			"The repository with name '%s' already exists in the registry"},
		removed: func(s *State, r *Resource) error {
			if len(s.Registry.Images[r.ID]) > 0 && !r.Bool("forceDelete") {
				return refuse("RepositoryNotEmptyException",
					"The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", r.ID, s.ID)
			}
			delete(s.Registry.Images, r.ID)
			return nil
		},
	},
	typeLifecyclePolicy: {
		id:       "${repository}",
		required: []string{"repository", "policy"}, fixed: []string{"repository", "policy"},
		computed: map[string]string{"registryId": "${account}"},
		rules:    []rule{isJSON("policy")},
		refs: []ref{to("repository", typeRepository, "RepositoryNotFoundException",
			"The repository with name '%s' does not exist", "name")},
	},
}

// fargateMemory is the memory in MiB, from the least to the most, that a task of so many CPU units may have, and its
// step: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
var fargateMemory = map[int]struct{ least, most, step int }{
	256: {512, 2048, 512}, 512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024},
	4096: {8192, 30720, 1024}, 8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192},
}

// fargatePair refuses a pair of CPU and memory that Fargate does not have.
func fargatePair(in values) (property, reason string) {
	cpu, cpuErr := strconv.Atoi(text(in["cpu"]))
	memory, memoryErr := strconv.Atoi(text(in["memory"]))
	if cpuErr != nil || memoryErr != nil || !slices.Contains(at(in, "requiresCompatibilities"), "FARGATE") {
		return "", ""
	}
	size, known := fargateMemory[cpu]
	odd := memory%max(size.step, 1) != 0 || cpu == 256 && memory == 1536
	if !known || memory < size.least || memory > size.most || odd {
		return "cpu", fmt.Sprintf("ClientException: No Fargate configuration exists for given values: %d CPU, %d memory. "+
			"See the Amazon ECS documentation for the valid values.", cpu, memory)
	}
	return "", ""
}

// completeRevision numbers a family's task definitions; a number is never given twice.
func completeRevision(s *State, r *Resource) {
	newest := 0.0
	for _, other := range s.ByType(typeTaskDefinition) {
		if other.Text("family") == r.Text("family") {
			newest = max(newest, other.Number("revision"))
		}
	}
	r.Outputs["revision"] = newest + 1
	if _, number, found := strings.Cut(last(r.ID), ":"); found {
		revision, err := strconv.ParseFloat(number, 64)
		if err == nil {
			r.Outputs["revision"] = revision
		}
	}
}

func admitTaskDefinition(_ *State, r *Resource) error {
	var containers []struct{ Name, Image string }
	if err := json.Unmarshal([]byte(r.Text("containerDefinitions")), &containers); err != nil {
		return refuse("ClientException", "Invalid container definitions: %v", err)
	}
	if len(containers) == 0 {
		return refuse("ClientException", "Container list cannot be empty.")
	}
	for _, container := range containers {
		if container.Name == "" || container.Image == "" {
			return refuse("ClientException", "Container.name and Container.image should not be null or empty.")
		}
	}
	if slices.Contains(r.Strings("requiresCompatibilities"), "FARGATE") && r.Text("networkMode") != "awsvpc" {
		return refuse("ClientException", "Fargate only supports network mode 'awsvpc'.")
	}
	return nil
}

// admitService refuses a target group that no listener sends requests to, as ECS does, and a container that the task
// definition does not have.
func admitService(s *State, r *Resource) error {
	definition := s.Get(typeTaskDefinition, r.Text("taskDefinition"))
	for _, balancer := range r.Blocks("loadBalancers") {
		group, container := text(balancer["targetGroupArn"]), text(balancer["containerName"])
		if !s.listened(group) {
			return refuse("InvalidParameterException",
				"The target group with targetGroupArn %s does not have an associated load balancer.", group)
		}
		if definition != nil && !strings.Contains(definition.Text("containerDefinitions"), strconv.Quote(container)) {
			return refuse("InvalidParameterException", "The container %s does not exist in the task definition.",
				container)
		}
	}
	return nil
}

// listened reports whether a listener sends requests to the target group.
func (s *State) listened(targetGroup string) bool {
	return slices.ContainsFunc(s.ByType(typeListener), func(listener *Resource) bool {
		return slices.Contains(at(listener.Outputs, "defaultActions.targetGroupArn"), targetGroup) ||
			slices.Contains(at(listener.Outputs, "defaultActions.forward.targetGroups.arn"), targetGroup)
	})
}

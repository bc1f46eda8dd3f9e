package cloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// containerTypes are the types of ECS, its autoscaling and ECR:
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
var containerTypes = map[string]resourceType{
	typeCluster: {
		name:            "name",
		id:              "${arn}",
		replaceOnChange: []string{"name"},
		computed:        map[string]string{"arn": "arn:aws:ecs:${region}:${account}:cluster/${name}"},
		rules: []rule{matchesPattern("name", `^[a-zA-Z0-9_-]{1,255}$`,
			"must consist of alphanumerics, hyphens, and underscores")},
		inUse: errorTemplate{"ClusterContainsServicesException",
			"The Cluster cannot be deleted while Services are active."},
		deleteTimeout: 10 * time.Minute,
		creationDelay: 5 * time.Second,
	},
	typeClusterCapacityProviders: {
		id:       "${clusterName}",
		required: []string{"clusterName"}, replaceOnChange: []string{"clusterName"},
		refs:          []ref{refTo("clusterName", typeCluster, "ClusterNotFoundException", "Cluster not found: %s", "name")},
		inUse:         errorTemplate{"ResourceInUseException", "The specified capacity provider is in use and cannot be removed."},
		deleteTimeout: 10 * time.Minute,
		onUpdate: func(m model, _, r *Resource) (time.Duration, error) {
			return 0, keepUsedProviders(m.State, r, r.Strings("capacityProviders"))
		},
		onDelete: func(s *State, r *Resource) error { return keepUsedProviders(s, r, nil) },
	},
	typeTaskDefinition: {
		name:     "arn",
		id:       "${arn}",
		required: []string{"family", "containerDefinitions"},
		replaceOnChange: []string{"family", "containerDefinitions", "cpu", "memory", "networkMode",
			"requiresCompatibilities", "executionRoleArn", "taskRoleArn", "volumes", "runtimePlatform",
			"ephemeralStorage", "pidMode", "ipcMode", "placementConstraints", "proxyConfiguration", "enableFaultInjection"},
		defaults: values{"skipDestroy": false, "trackLatest": false, "enableFaultInjection": false,
			"networkMode": "bridge"},
		computed: map[string]string{
			"arnWithoutRevision": "arn:aws:ecs:${region}:${account}:task-definition/${family}", "arn": "${arnWithoutRevision}:${revision}",
		},
		rules: []rule{
			matchesPattern("family", `^[a-zA-Z0-9_-]{1,255}$`,
				"must consist of alphanumerics, hyphens, and underscores, at most 255 of them"),
			isJSON("containerDefinitions"), fargatePair,
		},
		refs: []ref{
			refTo("executionRoleArn", typeRole, "ClientException", "Role is not valid: %s", "arn"),
			refTo("taskRoleArn", typeRole, "ClientException", "Role is not valid: %s", "arn"),
		},
		compute:  computeRevision,
		validate: validateTaskDefinition,
		onDelete: func(_ *State, r *Resource) error {
			r.Kept = r.Bool("skipDestroy")
			return nil
		},
	},
	typeService: {
		name: "name",
		importID: func(r *Resource) string {
			_, clusterAndName, _ := strings.Cut(r.ID, ":service/")
			return clusterAndName
		},
		required: []string{"name"}, replaceOnChange: []string{"name", "cluster", "launchType", "schedulingStrategy", "iamRole", "deploymentController"},
		replaces: replacesStrategy,
		defaults: values{"deploymentMaximumPercent": 200.0, "deploymentMinimumHealthyPercent": 100.0,
			"enableEcsManagedTags": false, "enableExecuteCommand": false,
			"iamRole":            "/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
			"schedulingStrategy": "REPLICA", "platformVersion": "LATEST", "waitForSteadyState": false,
			"desiredCount": 0.0, "availabilityZoneRebalancing": "DISABLED"},
		refs: []ref{
			refTo("cluster", typeCluster, "ClusterNotFoundException", "Cluster not found: %s", "arn", "name"),
			refTo("taskDefinition", typeTaskDefinition, "ClientException", "TaskDefinition not found: %s", "arn"),
			refTo("loadBalancers.targetGroupArn", typeTargetGroup, "InvalidParameterException",
				"The specified target group does not exist: %s"),
			refTo("networkConfiguration.subnets", typeSubnet, "InvalidParameterException",
				"The subnet ID '%s' does not exist"),
			refTo("networkConfiguration.securityGroups", typeSecurityGroup, "InvalidParameterException",
				"The security group '%s' does not exist"),
		},
		compute: func(s *State, r *Resource) {
			r.ID = s.arn("ecs", "service/"+awsx.NameFromARN(r.Text("cluster"))+"/"+r.Text("name"))
			if r.Outputs["launchType"] == nil && len(r.Blocks(capacityStrategies)) == 0 {
				r.Outputs["launchType"] = "EC2"
			}
		},
		validate: validateService,
		onUpdate: forceDeployment,
		conflict: errorTemplate{"InvalidParameterException", "Creation of service %s was not idempotent."},
		inUse:    errorTemplate{"InvalidParameterException", "The service %s is registered as a scalable target."},
	},
	typeScalingTarget: {
		id: "${resourceId}",
		importID: func(r *Resource) string {
			return r.Text("serviceNamespace") + "/" + r.Text("resourceId") + "/" + r.Text("scalableDimension")
		},
		required:        []string{"minCapacity", "maxCapacity", "resourceId", "scalableDimension", "serviceNamespace"},
		replaceOnChange: []string{"resourceId", "scalableDimension", "serviceNamespace", "roleArn"},
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
		validate: func(s *State, r *Resource) error {
			if s.Get(typeService, s.arn("ecs", r.Text("resourceId"))) == nil {
				return errorf("ValidationException", "ECS service doesn't exist: %s", r.Text("resourceId"))
			}
			return nil
		},
	},
	typeScalingPolicy: {
		name:            "name",
		id:              "${serviceNamespace}/${resourceId}/${scalableDimension}/${name}",
		required:        []string{"resourceId", "scalableDimension", "serviceNamespace"},
		replaceOnChange: []string{"name", "resourceId", "scalableDimension", "serviceNamespace"},
		defaults:        values{"policyType": "StepScaling", "alarmArns": array()},
		computed:        map[string]string{"arn": "arn:aws:autoscaling:${region}:${account}:scalingPolicy:${uuid}:resource/ecs/${resourceId}:policyName/${name}"},
		refs: []ref{refTo("resourceId", typeScalingTarget, "ObjectNotFoundException",
			"No scalable target registered for service namespace: ecs, resource ID: %s, scalable dimension: ecs:service:DesiredCount")},
	},
	typeRepository: {
		name:            "name",
		id:              "${name}",
		replaceOnChange: []string{"name", "encryptionConfigurations"},
		defaults:        values{"imageTagMutability": "MUTABLE", "forceDelete": false},
		computed: map[string]string{
			"arn": "arn:aws:ecr:${region}:${account}:repository/${name}", "registryId": "${account}",
			"repositoryUrl": "${account}.dkr.ecr.${region}.amazonaws.com/${name}",
		},
		rules: []rule{oneOf("imageTagMutability", "MUTABLE", "IMMUTABLE")},
		conflict: errorTemplate{"RepositoryAlreadyExistsException",
			"The repository with name '%s' already exists in the registry"},
		onDelete: func(s *State, r *Resource) error {
			if len(s.Registry.Images[r.ID]) > 0 && !r.Bool("forceDelete") {
				return errorf("RepositoryNotEmptyException",
					"The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", r.ID, s.ID)
			}
			delete(s.Registry.Images, r.ID)
			return nil
		},
	},
	typeLifecyclePolicy: {
		id:       "${repository}",
		required: []string{"repository", "policy"}, replaceOnChange: []string{"repository", "policy"}, deleteFirst: true,
		computed: map[string]string{"registryId": "${account}"},
		rules:    []rule{isJSON("policy")},
		refs: []ref{refTo("repository", typeRepository, "RepositoryNotFoundException",
			"The repository with name '%s' does not exist", "name")},
	},
}

// fargateMemory is the memory in MiB that a task may have by its CPU units:
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
var fargateMemory = map[int]struct{ least, most, step int }{
	256: {512, 2048, 512}, 512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024},
	4096: {8192, 30720, 1024}, 8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192},
}

// fargatePair rejects a pair of CPU and memory that Fargate does not offer.
func fargatePair(in values) (property, reason string) {
	cpu, cpuErr := strconv.Atoi(text(in["cpu"]))
	memory, memoryErr := strconv.Atoi(text(in["memory"]))
	if cpuErr != nil || memoryErr != nil || !slices.Contains(stringsAt(in, "requiresCompatibilities"), "FARGATE") {
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

// computeRevision numbers the task definitions of a family; a number is never reused.
func computeRevision(s *State, r *Resource) {
	newest := 0.0
	for _, other := range s.ByType(typeTaskDefinition) {
		if other.Text("family") == r.Text("family") {
			newest = max(newest, other.Number("revision"))
		}
	}
	r.Outputs["revision"] = newest + 1
	if _, number, found := strings.Cut(awsx.NameFromARN(r.ID), ":"); found {
		revision, err := strconv.ParseFloat(number, 64)
		if err == nil {
			r.Outputs["revision"] = revision
		}
	}
}

func validateTaskDefinition(_ *State, r *Resource) error {
	var containers []struct{ Name, Image string }
	if err := json.Unmarshal([]byte(r.Text("containerDefinitions")), &containers); err != nil {
		return errorf("ClientException", "Invalid container definitions: %v", err)
	}
	if len(containers) == 0 {
		return errorf("ClientException", "Container list cannot be empty.")
	}
	for _, container := range containers {
		if container.Name == "" || container.Image == "" {
			return errorf("ClientException", "Container.name and Container.image should not be null or empty.")
		}
	}
	if slices.Contains(r.Strings("requiresCompatibilities"), "FARGATE") && r.Text("networkMode") != "awsvpc" {
		return errorf("ClientException", "Fargate only supports network mode 'awsvpc'.")
	}
	return nil
}

// capacityStrategies is the input of a service that names its capacity providers.
const capacityStrategies = "capacityProviderStrategies"

// keepUsedProviders rejects a change that leaves a cluster only some capacity providers, while a service uses another.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html
func keepUsedProviders(s *State, r *Resource, kept []string) error {
	for _, service := range s.ByType(typeService) {
		for _, strategy := range service.Blocks(capacityStrategies) {
			if awsx.NameFromARN(service.Text("cluster")) == r.Text("clusterName") && !slices.Contains(kept, text(strategy["capacityProvider"])) {
				return errorf("ResourceInUseException", "The specified capacity provider is in use and cannot be removed.")
			}
		}
	}
	return nil
}

// replacesStrategy reports whether a change of the capacity provider strategy replaces a service: it does between a launch
// type and a strategy, and wherever the provider may not force a deployment.
// Source: https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/ecs/service.go
func replacesStrategy(property string, olds, news values) bool {
	if property != capacityStrategies {
		return false
	}
	from, _ := olds[property].([]any)
	to, _ := news[property].([]any)
	force, _ := news["forceNewDeployment"].(bool)
	return !force || len(from) == 0 || len(to) == 0
}

// validateCapacity rejects a strategy beside a launch type, and a capacity provider that is not the cluster's.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
func validateCapacity(s *State, r *Resource) error {
	strategies := r.Blocks(capacityStrategies)
	if len(strategies) > 0 && r.Text("launchType") != "" {
		return errorf("InvalidParameterException", "Specifying both a launch type and capacity provider strategy is not supported. "+
			"Remove one and try again.")
	}
	for _, strategy := range strategies {
		provider := text(strategy["capacityProvider"])
		cluster := s.Find(typeClusterCapacityProviders, "clusterName", awsx.NameFromARN(r.Text("cluster")))
		if cluster == nil || !slices.Contains(cluster.Strings("capacityProviders"), provider) {
			// Source: https://github.com/dask/dask-cloudprovider/issues/328
			return errorf("InvalidParameterException", "The specified capacity provider strategy cannot contain a capacity provider that is "+
				"not associated with the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again.")
		}
	}
	return nil
}

// validateService rejects a target group without a listener, as ECS does, and a container that the task definition does
// not have.
func validateService(s *State, r *Resource) error {
	if err := validateCapacity(s, r); err != nil {
		return err
	}
	for _, block := range r.Blocks("alarms") {
		if len(stringsAt(block, "alarmNames")) == 0 { // the provider sends no empty list, and the API requires one
			return errorf("InvalidParameterException", "1 validation error(s) found.\n- missing required field, "+
				"DeploymentConfiguration.Alarms.AlarmNames.")
		}
	}
	definition := s.Get(typeTaskDefinition, r.Text("taskDefinition"))
	for _, balancer := range r.Blocks("loadBalancers") {
		group, container := text(balancer["targetGroupArn"]), text(balancer["containerName"])
		if len(s.balancersOfGroup(group)) == 0 {
			return errorf("InvalidParameterException",
				"The target group with targetGroupArn %s does not have an associated load balancer.", group)
		}
		if definition != nil && !strings.Contains(definition.Text("containerDefinitions"), strconv.Quote(container)) {
			return errorf("InvalidParameterException", "The container %s does not exist in the task definition.",
				container)
		}
	}
	return nil
}

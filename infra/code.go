package infra

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/balancer/v3-backend-infra/environment"
)

// applyCode sets the fields of a container that are code: image, command, health check, the keys of the configuration
// secret that it reads, the variables that are limits rather than addresses, and, beside containers with sidecarCPU units,
// its CPU units. The rest of a container is infrastructure. Full and code-only deployments both use it.
func (c *container) applyCode(env *environment.Environment, role environment.Role, image, configSecretARN string, sidecarCPU int) {
	c.Image = image
	// Without a number of its own, a container has the weight of two units when the CPU is busy.
	// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_cpu
	if c.CPU = 0; sidecarCPU > 0 {
		c.CPU = env.Code().Tasks[role].CPU - sidecarCPU
	}
	c.Command, c.HealthCheck, c.Secrets = nil, nil, nil
	if role == environment.Migration {
		c.Command = env.Deployment.Migrations.Command
	}
	if s := env.Services.Get(role); s != nil {
		c.Command = s.Command
		if len(s.HealthCheck) > 0 {
			c.HealthCheck = &healthCheck{Command: s.HealthCheck, Interval: 15, Timeout: 5, Retries: 3, StartPeriod: 60}
		}
	}
	// A missing key stops the task before it starts.
	// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
	for _, key := range env.SecretKeys() {
		c.Secrets = append(c.Secrets, secret{Name: key, ValueFrom: configSecretARN + ":" + key + "::"})
	}
	limits := map[string]int{
		environment.VarConnectionLimit: env.Database.Connections,
		environment.VarPoolTimeout:     int(env.Database.PoolTimeout.Seconds()),
	}
	for i, v := range c.Environment {
		if limit, ok := limits[v.Name]; ok {
			c.Environment[i].Value = strconv.Itoa(limit)
		}
	}
}

// ApplyCode sets the image and the code of env in the inputs of a role's task definition, as the state has them. A
// service that env does not have, and that a full deployment will remove, gets the image and its architecture only. ApplyCode returns an
// error if the inputs are not this program's.
func ApplyCode(inputs map[string]any, env *environment.Environment, role environment.Role, image, configSecretARN string) error {
	text, _ := inputs["containerDefinitions"].(string)
	var containers []json.RawMessage
	if err := json.Unmarshal([]byte(text), &containers); err != nil {
		return fmt.Errorf("read the containers of %s: %w", role, err)
	}
	decoded, totalCPU := make([]container, len(containers)), 0
	for i, raw := range containers {
		if err := json.Unmarshal(raw, &decoded[i]); err != nil {
			return fmt.Errorf("read the containers of %s: %w", role, err)
		}
		totalCPU += decoded[i].CPU
	}
	found := false
	for i, c := range decoded {
		if c.Name != env.ContainerName(role) {
			continue
		}
		found = true
		if c.Image = image; role == environment.Migration || env.Services.Get(role) != nil {
			c.applyCode(env, role, image, configSecretARN, totalCPU-c.CPU)
		}
		var err error
		if containers[i], err = withUnknownFields(c, containers[i]); err != nil {
			return fmt.Errorf("encode the containers of %s: %w", role, err)
		}
	}
	if !found {
		return fmt.Errorf("the task definition %s has no container %s", role, env.ContainerName(role))
	}
	encoded, err := json.Marshal(containers)
	if err != nil {
		return fmt.Errorf("encode the containers of %s: %w", role, err)
	}
	inputs["containerDefinitions"] = string(encoded)
	// The image determines the architecture, also of a service that env does not have.
	if platform, ok := inputs["runtimePlatform"].(map[string]any); ok {
		platform["cpuArchitecture"] = env.CPUArchitecture()
	}
	if task, ok := env.Code().Tasks[role]; ok {
		inputs["cpu"], inputs["memory"] = strconv.Itoa(task.CPU), strconv.Itoa(task.Memory)
	}
	return nil
}

// ImageOf returns the image in the inputs of a role's task definition, as the state has them; "" where they have none.
func ImageOf(inputs map[string]any, env *environment.Environment, role environment.Role) string {
	encoded, _ := inputs["containerDefinitions"].(string)
	var containers []container
	if err := json.Unmarshal([]byte(encoded), &containers); err != nil {
		return ""
	}
	for _, c := range containers {
		if c.Name == env.ContainerName(role) {
			return c.Image
		}
	}
	return ""
}

// withUnknownFields encodes a container, and appends the fields of an earlier encoding that this version of the program
// does not know.
func withUnknownFields(c container, earlier json.RawMessage) (json.RawMessage, error) {
	encoded, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(earlier, &fields); err != nil {
		return nil, err
	}
	for field := range reflect.TypeFor[container]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		delete(fields, name)
	}
	if len(fields) == 0 {
		return encoded, nil
	}
	unknown, err := json.Marshal(fields)
	return slices.Concat(encoded[:len(encoded)-1], []byte{','}, unknown[1:]), err
}

// TaskDefinitionType is the type of a task definition; its name in the program is its role.
const TaskDefinitionType = "aws:ecs/taskDefinition:TaskDefinition"

// TaskDefinitionOf returns the URN of the task definition of the service with this URN.
func TaskDefinitionOf(serviceURN string) string {
	return strings.Replace(serviceURN, "$"+ServiceType+"::", "$"+TaskDefinitionType+"::", 1)
}

// IsCodeType reports whether a code-only deployment changes resources of a type: task definitions and services.
func IsCodeType(typ string) bool { return typ == TaskDefinitionType || typ == ServiceType }

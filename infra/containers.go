package infra

import (
	"strconv"

	"github.com/balancer/v3-backend-infra/environment"
)

// task has everything that the containers of a task are rendered from.
type task struct {
	env   *environment.Environment
	role  environment.Role
	image string
	// Values that AWS generates.
	queueURL, databaseHost, databaseSecretARN, configSecretARN string
}

// container is a container definition of ECS, as far as the program uses it.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
type container struct {
	Name              string            `json:"name"`
	Image             string            `json:"image"`
	Essential         bool              `json:"essential"`
	CPU               int               `json:"cpu,omitempty"`
	MemoryReservation int               `json:"memoryReservation,omitempty"`
	Command           []string          `json:"command,omitempty"`
	PortMappings      []portMapping     `json:"portMappings,omitempty"`
	Environment       []variable        `json:"environment,omitempty"`
	Secrets           []secret          `json:"secrets,omitempty"`
	HealthCheck       *healthCheck      `json:"healthCheck,omitempty"`
	LinuxParameters   *linuxParameters  `json:"linuxParameters,omitempty"`
	StopTimeout       int               `json:"stopTimeout,omitempty"`
	LogConfiguration  *logConfiguration `json:"logConfiguration,omitempty"`
}

type portMapping struct {
	ContainerPort int    `json:"containerPort"`
	HostPort      int    `json:"hostPort"`
	Protocol      string `json:"protocol"`
}

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type secret struct {
	Name      string `json:"name"`
	ValueFrom string `json:"valueFrom"`
}

type healthCheck struct {
	Command     []string `json:"command"`
	Interval    int      `json:"interval"`
	Timeout     int      `json:"timeout"`
	Retries     int      `json:"retries"`
	StartPeriod int      `json:"startPeriod"`
}

type linuxParameters struct {
	InitProcessEnabled bool `json:"initProcessEnabled"`
}

type logConfiguration struct {
	LogDriver string            `json:"logDriver"`
	Options   map[string]string `json:"options"`
}

// The AWS Distro for OpenTelemetry collector forwards the application's traces to X-Ray. Its configuration for ECS receives
// what the X-Ray SDK sends, on the port of the X-Ray daemon, which AWS no longer supports after February 2027. The digest
// is of the index of all architectures. The task survives without the collector.
// Source: https://github.com/aws-observability/aws-otel-collector/blob/v0.49.0/config/ecs/ecs-default-config.yaml
const (
	tracingImage = "public.ecr.aws/aws-observability/aws-otel-collector:v0.49.0" +
		"@sha256:d2bdfff2c377c3d71d78bd5d9ce9862fd535b12134a5739d87a07801297cf9fd"
	tracingConfig = "--config=/etc/ecs/ecs-default-config.yaml"
	tracingPort   = 2000
	// tracingVariable has the URL at which the collector receives traces by OTLP over HTTP. Every SDK of OpenTelemetry reads it.
	// Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
	tracingVariable, tracingURL = "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"
	// tracingCPU is in CPU units, tracingMemory in MiB.
	tracingCPU, tracingMemory = 32, 64
)

// containerDefinitions renders the containers of a task of any role, so that a full deployment, a code-only deployment
// and a migration get the same task for the same image.
func containerDefinitions(t task) (string, error) {
	var sidecars []container
	sidecarCPU := 0
	if t.role != environment.Migration && t.env.Monitoring.AtLeast(environment.Full) {
		sidecarCPU = tracingCPU
		sidecars = append(sidecars, container{
			Name:              "aws-otel-collector",
			Image:             tracingImage,
			CPU:               tracingCPU,
			MemoryReservation: tracingMemory,
			Command:           []string{tracingConfig},
			PortMappings:      []portMapping{{ContainerPort: tracingPort, HostPort: tracingPort, Protocol: "udp"}},
			LogConfiguration:  awslogsConfig(t.env, "xray"),
		})
	}
	application := applicationContainer(t, sidecarCPU)
	if len(sidecars) > 0 {
		application.Environment = append(application.Environment, variable{Name: tracingVariable, Value: tracingURL})
	}
	containers := append([]container{application}, sidecars...)
	return marshal("the containers of "+t.env.TaskFamily(t.role), containers)
}

// applicationContainer returns the container of the application in one of its roles.
//
// Its root file system is writable: ECS Exec requires that, and the image, which this project does not build, runs as a
// user who could not write to a Fargate volume at /tmp. All environments have the same setting, so that production is
// not the first to fail with a stricter one.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
func applicationContainer(t task, sidecarCPU int) container {
	c := container{
		Name:             t.env.ContainerName(t.role),
		Essential:        true,
		Environment:      environmentVariables(t),
		LinuxParameters:  &linuxParameters{InitProcessEnabled: true},
		StopTimeout:      stopSeconds(t.role),
		LogConfiguration: awslogsConfig(t.env, string(t.role)),
	}
	if t.role == environment.API {
		c.PortMappings = []portMapping{{
			ContainerPort: environment.ContainerPort, HostPort: environment.ContainerPort, Protocol: "tcp",
		}}
	}
	c.applyCode(t.env, t.role, t.image, t.configSecretARN, sidecarCPU)
	return c
}

// stopSeconds returns how long a container may take to exit after SIGTERM. The API has been drained by then; a job may
// need the maximum that Fargate allows.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_timeout
func stopSeconds(role environment.Role) int {
	if role == environment.API {
		return drainSeconds
	}
	return 120
}

// environmentVariables returns environment.ProgramVariables in its order. applyCode sets the limits among them.
func environmentVariables(t task) []variable {
	values := map[string]string{
		environment.VarRegion:            t.env.Region,
		environment.VarQueueURL:          t.queueURL,
		environment.VarDatabaseHost:      t.databaseHost,
		environment.VarDatabasePort:      strconv.Itoa(environment.DatabasePort),
		environment.VarDatabaseName:      t.env.Database.Name,
		environment.VarDatabaseSecretARN: t.databaseSecretARN,
		environment.VarConfigSecretID:    t.env.SecretName(),
	}
	var all []variable
	for _, name := range environment.ProgramVariables() {
		all = append(all, variable{Name: name, Value: values[name]})
	}
	return all
}

// awslogsConfig sends a container's output to streams with a prefix in the environment's log group.
func awslogsConfig(env *environment.Environment, prefix string) *logConfiguration {
	return &logConfiguration{
		LogDriver: "awslogs",
		Options: map[string]string{
			"awslogs-group":         env.LogGroupName(),
			"awslogs-region":        env.Region,
			"awslogs-stream-prefix": prefix,
		},
	}
}

package checks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// Inspect reads what the containers of the environment's services get. deployed maps services to the revision of the last
// deployment. It returns an error only where nothing could be read.
func Inspect(
	ctx context.Context, env *environment.Environment, src Sources, opt Options, deployed map[string]string, clk clock.Clock,
) (Inspection, error) {
	ctx, rc, stop := newRun(ctx, env, src, opt, clk)
	defer stop()
	ctx = withComponent(ctx, "variables")
	prefetch(ctx, rc, readSecret)
	prefetch(ctx, rc, readPasswordRotation)
	prefetch(ctx, rc, readRunningTasks)

	found := Inspection{
		Environment: env.Name, Region: env.Region, Timestamp: rc.now.Truncate(time.Second), Containers: []Container{}, Findings: []Finding{},
	}
	services, err := readServices(ctx, rc)
	if err != nil {
		return found, err
	}
	tasks, err := readRunningTasks(ctx, rc)
	if err != nil {
		return found, err
	}
	secret, secretErr := readSecret(ctx, rc)
	changes := readSecretChanges(ctx, rc)
	found.Findings = append(found.Findings, secretFindings(ctx, rc)...)
	for _, s := range env.Services.List() {
		name := env.ServiceName(s.Role)
		service := findService(services, name)
		if service == nil {
			found.Findings = append(found.Findings, newFinding("variables", name).error("ServiceMissing",
				missingHint(env, "the service"), "the service %s does not exist", name))
			continue
		}
		reader := serviceReader{
			runContext: rc, role: s.Role, service: service, tasks: tasksOfService(tasks, name), deployed: deployed[name],
			secret: parseSecretValues(secret, secretErr, env), changes: changes,
		}
		containers, err := reader.read(ctx)
		if err != nil {
			found.Findings = append(found.Findings, unknownFinding("variables", name, err))
			continue
		}
		for _, c := range containers {
			found.Containers = append(found.Containers, c)
			found.Findings = append(found.Findings, evaluateContainer(c, env)...)
		}
	}
	if absent := notDeployed(ctx, rc, found.Findings); absent != nil && len(found.Containers) == 0 {
		found.Findings = []Finding{*absent}
	}
	found.Status = Aggregate(found.Findings).Status
	return found, nil
}

func secretFindings(ctx context.Context, rc *runContext) []Finding {
	findings, err := checkSecrets(ctx, rc)
	if err != nil {
		return []Finding{unknownFinding("secrets", "SecretsManager-Secret-"+rc.env.SecretName(), err)}
	}
	return findings
}

// serviceReader reads the containers of one service.
type serviceReader struct {
	*runContext
	role     environment.Role
	service  *ecstypes.Service
	tasks    []ecstypes.Task
	deployed string
	secret   secretValues
	changes  secretChanges
}

func (r serviceReader) read(ctx context.Context) ([]Container, error) {
	running, others := r.revisions()
	definition, err := readTaskDefinition(ctx, r.runContext, running)
	if err == nil && definition == nil {
		err = fmt.Errorf("ECS has no task definition %s, which its tasks run", awsx.NameFromARN(running))
	}
	if err != nil {
		return nil, err
	}
	latest, err := readTaskDefinition(ctx, r.runContext, r.env.TaskFamily(r.role))
	if err != nil {
		return nil, err
	}
	deployed, err := r.deployedDefinition(ctx, running, latest)
	if err != nil {
		return nil, err
	}
	var containers []Container
	for i := range definition.ContainerDefinitions {
		own := &definition.ContainerDefinitions[i]
		name := aws.ToString(own.Name)
		application := name == r.env.ContainerName(r.role)
		c := Container{
			Service: r.env.ServiceName(r.role), Role: string(r.role), Container: name,
			Running: awsx.NameFromARN(running), Others: others, Tasks: len(r.tasks), Deployed: awsx.NameFromARN(r.deployed), Differences: []Difference{},
		}
		c.Variables, c.Unused = resolve(own, r.secret, r.env, application)
		if application {
			c.Changed = r.lastChange(c.Variables)
			c.Stale = startedBefore(r.tasks, c.Changed)
			c.Differences = append(c.Differences, differences(programName(r.env), definedVariables(own, r.env), expectedVariables(r.env))...)
		}
		if latest != nil {
			c.Latest = revisionOf(latest)
		}
		for _, other := range []*ecstypes.TaskDefinition{deployed, latest} {
			if other != nil && revisionOf(other) != c.Running {
				c.Differences = append(differences(revisionOf(other), definedVariables(own, r.env), definedVariables(findContainer(other, name), r.env)), c.Differences...)
			}
		}
		containers = append(containers, c)
	}
	return containers, nil
}

// deployedDefinition returns the last deployment's task definition where it is neither the running nor the latest one, or nil,
// also where it was deleted.
func (r serviceReader) deployedDefinition(ctx context.Context, running string, latest *ecstypes.TaskDefinition) (*ecstypes.TaskDefinition, error) {
	revision := awsx.NameFromARN(r.deployed)
	if revision == "" || revision == awsx.NameFromARN(running) || latest != nil && revision == revisionOf(latest) {
		return nil, nil
	}
	return readTaskDefinition(ctx, r.runContext, revision)
}

func revisionOf(definition *ecstypes.TaskDefinition) string {
	return awsx.NameFromARN(aws.ToString(definition.TaskDefinitionArn))
}

// lastChange returns when a secret that the container reads at its start last changed. The database's password counts where
// DATABASE_URL is built from it.
func (r serviceReader) lastChange(variables []Variable) *time.Time {
	if slices.ContainsFunc(variables, func(v Variable) bool { return v.Origin == BuiltAtStart }) {
		return r.changes.latest()
	}
	return r.changes.configuration
}

// revisions returns the revision of the primary deployment if tasks run it, else the newest task's, else the one that the
// service would start; and the others that tasks run.
func (r serviceReader) revisions() (running string, others []string) {
	primary := aws.ToString(r.service.TaskDefinition)
	var revisions []string
	for _, t := range r.tasks {
		if arn := aws.ToString(t.TaskDefinitionArn); aws.ToString(t.LastStatus) == "RUNNING" && !slices.Contains(revisions, arn) {
			revisions = append(revisions, arn)
		}
	}
	running = primary
	if len(revisions) > 0 && !slices.Contains(revisions, primary) {
		running = revisions[0]
	}
	others = list.Map(list.Filter(revisions, func(arn string) bool { return arn != running }), awsx.NameFromARN)
	return running, others
}

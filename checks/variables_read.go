package checks

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
)

// Inspect finds out what the containers of the environment's services get. deployed are the revisions that the last
// deployment left, by service. An error is what kept it from finding out anything.
func Inspect(
	ctx context.Context, env *environment.Environment, src Sources, opt Options, deployed map[string]string, clk clock.Clock,
) (Inspection, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(opt.Timeout, defaultTimeout))
	defer cancel()
	told := &teller{trace: opt.Trace}
	defer told.end()
	src.AWS = observed(src.AWS, cmp.Or(opt.Concurrency, defaultConcurrency), told, clk.Now)
	e := &estate{env: env, now: clk.Now().UTC(), clk: clk, src: src}
	ctx = begin(ctx, "variables")
	ahead(ctx, e, readSecret)
	ahead(ctx, e, readPasswordRotation)
	ahead(ctx, e, readRunningTasks)

	found := Inspection{
		Environment: env.Name, Region: env.Region, Timestamp: e.now.Truncate(time.Second), Containers: []Container{}, Findings: []Finding{},
	}
	services, err := readServices(ctx, e)
	if err != nil {
		return found, err
	}
	tasks, err := readRunningTasks(ctx, e)
	if err != nil {
		return found, err
	}
	secret, secretErr := readSecret(ctx, e)
	renewed := readRenewal(ctx, e)
	found.Findings = append(found.Findings, secretFindings(ctx, e)...)
	for _, s := range env.Services.List() {
		name := env.ServiceName(s.Role)
		service := serviceNamed(services, name)
		if service == nil {
			found.Findings = append(found.Findings, about("variables", name).error("ServiceMissing",
				deployHint(env, "the environment was never deployed, or the service was deleted"), "there is no service %s", name))
			continue
		}
		reader := serviceReader{
			estate: e, role: s.Role, service: service, tasks: tasksOf(tasks, name), deployed: deployed[name],
			secret: shelfOf(secret, secretErr, env), renewed: renewed,
		}
		containers, err := reader.read(ctx)
		if err != nil {
			finding := undetermined("variables", err)
			finding.Service = name
			found.Findings = append(found.Findings, finding)
			continue
		}
		for _, c := range containers {
			found.Containers = append(found.Containers, c)
			found.Findings = append(found.Findings, judgeContainer(c, env)...)
		}
	}
	found.Status = Aggregate(found.Findings).Status
	return found, nil
}

// secretFindings judge the configuration secret itself.
func secretFindings(ctx context.Context, e *estate) []Finding {
	findings, err := checkSecrets(ctx, e)
	if err != nil {
		finding := undetermined("secrets", err)
		finding.Service = "SecretsManager-Secret-" + e.env.SecretName()
		return []Finding{finding}
	}
	return findings
}

// serviceReader reads what the containers of one service get.
type serviceReader struct {
	*estate
	role     environment.Role
	service  *ecstypes.Service
	tasks    []ecstypes.Task
	deployed string
	secret   shelf
	renewed  renewal
}

func (r serviceReader) read(ctx context.Context) ([]Container, error) {
	running, others := r.revisions()
	definition, err := readTaskDefinition(ctx, r.estate, running)
	if err == nil && definition == nil {
		err = fmt.Errorf("ECS does not know %s, which its tasks run", lastPart(running))
	}
	if err != nil {
		return nil, err
	}
	latest, err := readTaskDefinition(ctx, r.estate, r.env.TaskFamily(r.role))
	if err != nil {
		return nil, err
	}
	left, err := r.left(ctx, running, latest)
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
			Running: lastPart(running), Others: others, Tasks: len(r.tasks), Deployed: lastPart(r.deployed), Differences: []Difference{},
		}
		c.Variables, c.Unused = resolve(own, r.secret, r.env, application)
		if application {
			c.Changed = r.changeOf(c.Variables)
			c.Stale = startedBefore(r.tasks, c.Changed)
			c.Differences = append(c.Differences, differences(programSide(r.env), given(own, r.env), declared(r.env))...)
		}
		if latest != nil {
			c.Latest = revisionOf(latest)
		}
		for _, other := range []*ecstypes.TaskDefinition{left, latest} {
			if other != nil && revisionOf(other) != c.Running {
				c.Differences = append(differences(revisionOf(other), given(own, r.env), given(containerNamed(other, name), r.env)), c.Differences...)
			}
		}
		containers = append(containers, c)
	}
	return containers, nil
}

// left is the definition that the last deployment left, where that is neither the running nor the latest one. Nothing is
// said of one that was deleted since.
func (r serviceReader) left(ctx context.Context, running string, latest *ecstypes.TaskDefinition) (*ecstypes.TaskDefinition, error) {
	revision := lastPart(r.deployed)
	if revision == "" || revision == lastPart(running) || latest != nil && revision == revisionOf(latest) {
		return nil, nil
	}
	return readTaskDefinition(ctx, r.estate, revision)
}

func revisionOf(definition *ecstypes.TaskDefinition) string {
	return lastPart(aws.ToString(definition.TaskDefinitionArn))
}

// changeOf is when what a container reads at its start last changed. The database's password counts where DATABASE_URL is
// built from it.
func (r serviceReader) changeOf(variables []Variable) *time.Time {
	if slices.ContainsFunc(variables, func(v Variable) bool { return v.Origin == Built }) {
		return r.renewed.last()
	}
	return r.renewed.configuration
}

// revisions are the one that the service's primary deployment has running tasks of, or else the one that its newest task
// runs, or that it would start tasks of where it runs none; and the others that tasks still run.
func (r serviceReader) revisions() (running string, others []string) {
	primary := aws.ToString(r.service.TaskDefinition)
	var run []string
	for _, t := range r.tasks {
		if arn := aws.ToString(t.TaskDefinitionArn); aws.ToString(t.LastStatus) == "RUNNING" && !slices.Contains(run, arn) {
			run = append(run, arn)
		}
	}
	running = primary
	if len(run) > 0 && !slices.Contains(run, primary) {
		running = run[0]
	}
	for _, arn := range run {
		if arn != running {
			others = append(others, lastPart(arn))
		}
	}
	return running, others
}

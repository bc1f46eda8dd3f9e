package cloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/environment"
)

// faultEffect is how a fault affects the tasks of an image other than the last one that ran well in its service.
type faultEffect struct {
	fault string
	// exitAfter is how long the container runs; zero means that it does not exit.
	exitAfter time.Duration
	exitCode  int32
	reason    string
	// unhealthyAfter is when its targets have failed too many health checks, healthDelay how much longer it takes to
	// become healthy; zero means never and not at all.
	unhealthyAfter time.Duration
	healthDelay    time.Duration
	script         logScript
}

// startConditions are the conditions under which a task starts.
type startConditions struct {
	faults faultSet
	// knownGood is set if its image is the last one that ran well in the service, behindLB if it is behind a load
	// balancer.
	knownGood, behindLB bool
}

// effect returns the effect of the fault that applies; the zero value has none.
func (c startConditions) effect() faultEffect {
	for _, f := range faultEffects {
		if c.faults[f.fault] && !c.knownGood && (c.behindLB || f.unhealthyAfter == 0) {
			return f
		}
	}
	return faultEffect{}
}

// never is longer than any wait.
const never = 1000 * time.Hour

// faultEffects declares those of the faults that act on tasks, of which an account has one at most.
var faultEffects = []faultEffect{
	{fault: faultTaskCrash, exitAfter: 5 * time.Second, exitCode: 1, script: scriptCrash},
	{fault: faultOutOfMemory, exitAfter: 12 * time.Second, exitCode: 137,
		reason: "OutOfMemoryError: Container killed due to memory usage", script: scriptOutOfMemory},
	{fault: faultTargetsUnhealthy, unhealthyAfter: 30 * time.Second, script: scriptUnhealthy},
	{fault: faultRolloutStuck, healthDelay: never, script: scriptStuck},
	{fault: faultSlowStart, healthDelay: 4 * time.Minute, script: scriptSlow},
	{fault: faultLateErrors},
	{fault: faultMemoryLeak, exitAfter: leakTime, exitCode: 137, reason: "OutOfMemoryError: Container killed due to memory usage"},
	{fault: faultSlowResponses},
}

// start schedules the milestones of a service's task.
func (m model) start(t *task, d definition, c startConditions) {
	t.Pull = m.after(t.Created, provisionTime)
	t.Started = m.after(t.Pull, pullTime)
	t.Healthy = m.after(t.Started, healthTime)
	t.LogScript = logScriptOf(d)
	if reason := m.startFailure(d, c); reason != "" {
		m.failStart(t, m.after(t.Pull, 3*time.Second), reason)
		return
	}
	m.affect(t, c.effect(), t.Started)
}

// affect puts a task under a fault from a time on.
func (m model) affect(t *task, effect faultEffect, since time.Time) {
	t.Fault, t.FaultSince = effect.fault, since
	if effect.script != "" {
		t.LogScript = effect.script
	}
	if effect.exitAfter > 0 {
		m.scheduleExit(t, m.after(since, effect.exitAfter), effect.exitCode, effect.reason)
	}
	if effect.unhealthyAfter > 0 {
		t.Unhealthy = m.after(since, effect.unhealthyAfter)
	}
	t.Healthy = m.after(t.Healthy, effect.healthDelay)
}

// beginLateFaults makes the faults that begin after the rollout act on the tasks that already run an image that no deployment
// has verified, as one does that was killed in its bake: the next deployment of the image starts no task, and watches these.
func (m model) beginLateFaults(name string) {
	late := m.faults.late()
	for _, s := range m.ECS.services() {
		r := m.serviceResource(s.ARN)
		if r == nil || len(late) == 0 || name != "" && name != r.Tags()["Environment"] {
			continue
		}
		verified := ""
		if image := m.Registry.byTag(imageRepository, environment.RunningTag(r.Tags()["Environment"])); image != nil {
			verified = image.Digest
		}
		for _, t := range m.ECS.tasksOf(s) {
			if !m.active(t) || t.Started.IsZero() || t.Fault != "" || t.Digest == verified {
				continue
			}
			s.KnownGood = verified
			if launched := s.revision(t.Revision); launched != nil {
				launched.Faults = launched.Faults.union(late)
			}
			m.affect(t, startConditions{faults: late}.effect(), laterOf(t.Started, m.now))
		}
	}
}

// startOneOff schedules the milestones of a task of RunTask. A task with its own command runs it and exits; faults make
// a migration fail or hang.
func (m model) startOneOff(t *task, d definition, command []string) {
	m.start(t, d, startConditions{faults: faultSet{faultSecretKeyMissing: m.faults[faultSecretKeyMissing]}})
	if t.Started.IsZero() || len(command) == 0 {
		return
	}
	t.Healthy = time.Time{}
	end, exit := m.after(t.Started, oneOffTime), int32(0)
	t.LogScript = scriptCommand
	if slices.ContainsFunc(command, func(word string) bool { return strings.Contains(word, "migrate") }) {
		t.LogScript = scriptMigration
		switch {
		case m.faults[faultMigrationFails]:
			t.LogScript, exit = scriptMigrationFails, 1
		case m.faults[faultMigrationLocked]:
			t.LogScript, exit = scriptMigrationLock, 1
		case m.faults[faultMigrationHangs]:
			t.LogScript, end = scriptMigrationHangs, m.after(t.Started, never)
		default:
			m.migrate(t, d, command, end)
		}
	}
	m.scheduleExit(t, end, exit, "")
}

// startFailure returns ECS's reason why a task cannot start, or "".
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
func (m model) startFailure(d definition, c startConditions) string {
	for _, container := range d.containers {
		for _, secret := range container.Secrets {
			if reason := m.secretFailure(deref(secret.ValueFrom), c.faults); reason != "" {
				return reason
			}
		}
		if reason := m.logFailure(container); reason != "" {
			return reason
		}
		image := deref(container.Image)
		if _, found := m.resolveImage(image); !found {
			return fmt.Sprintf("CannotPullContainerError: pull image manifest has been retried 1 time(s): "+
				"failed to resolve ref %s: %[1]s: not found", image)
		}
		if reason := m.platformFailure(d, image); reason != "" {
			return reason
		}
		if c.faults[faultImagePullError] && !c.knownGood {
			host, rest, _ := strings.Cut(image, "/")
			return fmt.Sprintf("CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref %s: "+
				"pulling from host %s failed with status code [manifests %s]: 403 Forbidden", image, host, rest[strings.IndexByte(rest, '@')+1:])
		}
	}
	return ""
}

// platformFailure returns ECS's reason why the tasks of a definition cannot run an image of the account's own registry, or "".
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
func (m model) platformFailure(d definition, image string) string {
	digest, _ := m.resolveImage(image)
	found := m.Registry.byDigest(imageRepository, digest)
	architecture := "amd64"
	for _, platform := range d.Blocks("runtimePlatform") {
		if blockText(platform, "cpuArchitecture") == string(ecs.CPUArchitectureArm64) {
			architecture = "arm64"
		}
	}
	if found == nil || found.runsOn(architecture) {
		return ""
	}
	return "CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not contain descriptor matching platform 'linux/" +
		architecture + "'"
}

// secretFailure returns ECS's reason why a valueFrom of the form ARN:KEY:STAGE:VERSION cannot be resolved, or "".
func (m model) secretFailure(from string, faults faultSet) string {
	const prefix = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: " +
		"unable to retrieve secret from asm: service call has been retried 1 time(s): "
	parts := strings.Split(from, ":")
	if len(parts) < 7 {
		return ""
	}
	arn := strings.Join(parts[:7], ":")
	value, err := m.withFaults(faults).secretValue(arn)
	if err != nil {
		return fmt.Sprintf("%sfailed to fetch secret %s from secrets manager: ResourceNotFoundException: "+
			"Secrets Manager can't find the specified secret.", prefix, arn)
	}
	if len(parts) < 8 || parts[7] == "" {
		return ""
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(value), &object); err != nil {
		return prefix + err.Error()
	}
	if _, found := object[parts[7]]; !found {
		return prefix + "retrieved secret from Secrets Manager did not contain json key " + parts[7]
	}
	return ""
}

// secretKey returns the value that a valueFrom of the form ARN:KEY:STAGE:VERSION refers to; "" where there is none. What is no string gets the
// form that Go gives it.
// Source: https://github.com/aws/amazon-ecs-agent/blob/master/agent/asm/asm.go
func (m model) secretKey(from string) string {
	parts := strings.Split(from, ":")
	if len(parts) < 8 {
		return ""
	}
	value, _ := m.secretValue(strings.Join(parts[:7], ":"))
	var object map[string]any
	_ = json.Unmarshal([]byte(value), &object)
	if value, found := object[parts[7]]; found {
		return fmt.Sprint(value)
	}
	return ""
}

func (m model) logFailure(c ecs.ContainerDefinition) string {
	if c.LogConfiguration == nil || c.LogConfiguration.LogDriver != ecs.LogDriverAwslogs {
		return ""
	}
	if m.Find(typeLogGroup, "name", c.LogConfiguration.Options["awslogs-group"]) != nil ||
		c.LogConfiguration.Options["awslogs-create-group"] == "true" {
		return ""
	}
	return "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: " +
		"failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1"
}

func (m model) withFaults(faults faultSet) model {
	m.faults = faults
	return m
}

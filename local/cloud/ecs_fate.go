package cloud

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// fate is what a fault does to the tasks of an image other than the one that ran well in its service last.
type fate struct {
	fault string
	// dies is how long the container lives; zero is for ever.
	dies   time.Duration
	exit   int32
	reason string
	// sickens is when its targets have failed too many health checks, late how much longer it takes to become
	// healthy; zero is never and not at all.
	sickens time.Duration
	late    time.Duration
	story   story
}

// conditions are what a task finds when it starts.
type conditions struct {
	faults faultSet
	// proven says that its image is the one that ran well in the service last, balanced that it stands behind a load balancer.
	proven, balanced bool
}

// fate is what becomes of a task under the conditions; the zero fate is a long life.
func (c conditions) fate() fate {
	for _, f := range fates {
		if c.faults[f.fault] && !c.proven && (c.balanced || f.sickens == 0) {
			return f
		}
	}
	return fate{}
}

// never is longer than anybody waits.
const never = 1000 * time.Hour

// fates, the worst first: of several faults the first decides.
var fates = []fate{
	{fault: faultTaskCrash, dies: 5 * time.Second, exit: 1, story: storyCrash},
	{fault: faultOutOfMemory, dies: 12 * time.Second, exit: 137,
		reason: "OutOfMemoryError: Container killed due to memory usage", story: storyOutOfMemory},
	{fault: faultTargetsUnhealthy, sickens: 30 * time.Second, story: storyUnhealthy},
	{fault: faultRolloutStuck, late: never, story: storyStuck},
	{fault: faultSlowStart, late: 4 * time.Minute, story: storySlow},
}

// begin lets a task of a service start: it plans the task's marks.
func (m moment) begin(t *task, d definition, c conditions) {
	t.Pull = m.after(t.Created, provisioning)
	t.Started = m.after(t.Pull, pulling)
	t.Healthy = m.after(t.Started, becomingHealthy)
	t.Story = storyOf(d)
	if reason := m.refusal(d, c); reason != "" {
		m.refuses(t, m.after(t.Pull, 3*time.Second), reason)
		return
	}
	f := c.fate()
	if f.story != "" {
		t.Story = f.story
	}
	if f.dies > 0 {
		m.exits(t, m.after(t.Started, f.dies), f.exit, f.reason)
	}
	if f.sickens > 0 {
		t.Unhealthy = m.after(t.Started, f.sickens)
	}
	t.Healthy = m.after(t.Healthy, f.late)
}

// beginOneOff lets a task of RunTask start. One that has a command of its own does it and ends; a migration fails or
// hangs where a fault says so.
func (m moment) beginOneOff(t *task, d definition, command []string) {
	m.begin(t, d, conditions{faults: faultSet{faultSecretKeyMissing: m.faults[faultSecretKeyMissing]}})
	if t.Started.IsZero() || len(command) == 0 {
		return
	}
	t.Healthy = time.Time{}
	end, exit := m.after(t.Started, oneOff), int32(0)
	t.Story = storyCommand
	if slices.ContainsFunc(command, func(word string) bool { return strings.Contains(word, "migrate") }) {
		t.Story = storyMigration
		switch {
		case m.faults[faultMigrationFails]:
			t.Story, exit = storyMigrationFails, 1
		case m.faults[faultMigrationHangs]:
			t.Story, end = storyMigrationHangs, m.after(t.Started, never)
		case m.migrated(t):
			t.Story = storyMigrationIdle
		}
	}
	m.exits(t, end, exit, "")
}

// migrated reports whether the image has brought the cluster's database up to date before.
func (m moment) migrated(next *task) bool {
	return len(m.ECS.tasks(func(t *task) bool {
		return t.Cluster == next.Cluster && t.Digest == next.Digest && m.reached(t.Stopped) &&
			t.Story == storyMigration && t.Exit != nil && *t.Exit == 0
	})) > 0
}

// refusal says in ECS's words why a task cannot start, or nothing where it can.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
func (m moment) refusal(d definition, c conditions) string {
	for _, container := range d.containers {
		for _, secret := range container.Secrets {
			if reason := m.secretRefusal(deref(secret.ValueFrom), c.faults); reason != "" {
				return reason
			}
		}
		if reason := m.logRefusal(container); reason != "" {
			return reason
		}
		image := deref(container.Image)
		if _, found := m.digestOf(image); !found {
			return fmt.Sprintf("CannotPullContainerError: pull image manifest has been retried 1 time(s): "+
				"failed to resolve ref %s: %[1]s: not found", image)
		}
		if c.faults[faultImagePullError] && !c.proven {
			host, rest, _ := strings.Cut(image, "/")
			return fmt.Sprintf("CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref %s: "+
				"pulling from host %s failed with status code [manifests %s]: 403 Forbidden", image, host, rest[strings.IndexByte(rest, '@')+1:])
		}
	}
	return ""
}

// secretRefusal judges one valueFrom of the form ARN:KEY:STAGE:VERSION.
func (m moment) secretRefusal(from string, faults faultSet) string {
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
		return prefix + "invalid character in the secret: it is no JSON object"
	}
	if _, found := object[parts[7]]; !found {
		return prefix + "retrieved secret from Secrets Manager did not contain json key " + parts[7]
	}
	return ""
}

func (m moment) logRefusal(c ecs.ContainerDefinition) string {
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

func (m moment) withFaults(faults faultSet) moment {
	m.faults = faults
	return m
}

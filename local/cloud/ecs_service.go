package cloud

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const (
	// stoppedKept is how long ECS still describes a stopped task, in real time.
	stoppedKept = time.Hour
	// storyKept is how long the account remembers its log lines, deploymentsKept how many deployments of a service.
	storyKept       = 24 * time.Hour
	deploymentsKept = 50
	eventsKept      = 100
)

// advance lets everything happen that was to happen until now, in the order of time, and then sees to what the
// resources ask for anew. It gives the same whether it is called once or many times on the way.
func (m moment) advance() {
	for {
		next, found := m.ECS.next(m.now)
		if !found {
			break
		}
		m.at(next).step()
		m.ECS.Until = next
	}
	m.settleDatabases()
	m.follow()
	m.step()
	m.ECS.Until = m.now
	m.forgetOld()
	m.finishMade()
}

// next is the earliest mark that lies ahead, until now.
func (e *ECSState) next(now time.Time) (next time.Time, found bool) {
	consider := func(mark time.Time) {
		if mark.After(e.Until) && !mark.After(now) && (!found || mark.Before(next)) {
			next, found = mark, true
		}
	}
	for _, t := range e.Tasks {
		for _, mark := range t.marks() {
			consider(mark)
		}
	}
	for _, s := range e.Services {
		consider(s.Resume)
		if d := s.latest(); d != nil {
			consider(d.Started)
		}
	}
	return next, found
}

// step does what the service scheduler does at one instant.
func (m moment) step() {
	for _, s := range m.ECS.services() {
		r := m.serviceResource(s.ARN)
		if r == nil {
			continue
		}
		m.countFailures(s, r)
		m.judgeDeployment(s, r)
		m.scale(s, r)
		m.completeDeployment(s, r)
	}
}

func (s *State) clusterARN(name string) string {
	return fmt.Sprintf("arn:aws:ecs:%s:%s:cluster/%s", s.Region, s.ID, last(name))
}

// serviceResource is what asks for the service; its ID is the service's ARN.
func (s *State) serviceResource(arn string) *Resource { return s.Get(typeService, arn) }

// follow compares the services that the resources ask for with those that move, and starts and ends what it takes.
func (m moment) follow() {
	for _, r := range m.ByType(typeService) {
		s, known := m.ECS.Services[r.ID]
		if !known {
			s = &service{ARN: r.ID, Name: r.Text("name"), Cluster: m.clusterARN(r.Text("cluster")), Created: m.now}
			m.ECS.Services[r.ID] = s
		}
		shape, asked := shapeOf(r), m.asked(r)
		if s.Definition != asked || s.Shape != shape {
			s.Definition, s.Shape = asked, shape
			m.deploy(s, asked)
		}
	}
	for _, s := range m.ECS.services() {
		if m.serviceResource(s.ARN) != nil {
			continue
		}
		for _, t := range m.ECS.tasksOf(s) {
			m.stop(t, 0, ecs.TaskStopCodeServiceSchedulerInitiated,
				fmt.Sprintf("Scaling activity initiated by (deployment %s)", t.StartedBy))
		}
		delete(m.ECS.Services, s.ARN)
	}
}

// asked is the task definition that the service's resource names, as an ARN with a revision.
func (m moment) asked(r *Resource) string {
	if d, found := m.definition(r.Text("taskDefinition")); found {
		return d.ARN()
	}
	return r.Text("taskDefinition")
}

// shapeOf is what starts a deployment when it changes, the task definition apart. A desired count does not.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func shapeOf(r *Resource) string {
	shape := map[string]any{}
	for _, property := range []string{
		"networkConfiguration", "loadBalancers", "launchType", "capacityProviderStrategies", "platformVersion", "triggers",
	} {
		shape[property] = r.Inputs[property]
	}
	text, err := json.Marshal(shape)
	if err != nil {
		return ""
	}
	return string(text)
}

// desired is how many tasks the service is to have. Where it is autoscaled, the scaling target's bounds hold.
func (m moment) desired(r *Resource) int {
	count := int(r.Number("desiredCount"))
	id := "service/" + last(r.Text("cluster")) + "/" + r.Text("name")
	if target := m.Find(typeScalingTarget, "resourceId", id); target != nil && !suspended(target) {
		count = min(max(count, int(target.Number("minCapacity"))), int(target.Number("maxCapacity")))
	}
	return count
}

// bounds are how many tasks may run during a deployment at least and at most.
func (m moment) bounds(r *Resource) (least, most int) {
	desired := m.desired(r)
	return (desired*number(r, "deploymentMinimumHealthyPercent", 100) + 99) / 100,
		desired * number(r, "deploymentMaximumPercent", 200) / 100
}

// number is an output, or AWS's default where the program leaves it out.
func number(r *Resource, property string, otherwise int) int {
	switch value := r.Outputs[property].(type) {
	case float64:
		return int(value)
	case string:
		if n, err := strconv.Atoi(value); err == nil {
			return n
		}
	}
	return otherwise
}

func seconds(r *Resource, property string, otherwise int) time.Duration {
	return time.Duration(number(r, property, otherwise)) * time.Second
}

func latest(x, y time.Time) time.Time {
	if x.After(y) {
		return x
	}
	return y
}

// scale starts the tasks of the wanted revision that are missing and stops those that are too many, so that enough
// healthy ones run all the time and never too many at once.
func (m moment) scale(s *service, r *Resource) {
	wanted := s.revision(s.Primary)
	if wanted == nil || s.latest().Status == ecs.ServiceDeploymentStatusStopped {
		return
	}
	desired := m.desired(r)
	if wanted.State == ecs.DeploymentRolloutStateFailed {
		desired = 0
	}
	least, most := m.bounds(r)
	var current, other []*task
	present, healthy := 0, 0
	for _, t := range m.ECS.tasksOf(s) {
		if !m.reached(t.Stopped) && !m.draining(t) {
			present++
		}
		if m.healthy(t) {
			healthy++
		}
		switch {
		case !m.active(t):
		case t.Revision == wanted.ARN:
			current = append(current, t)
		default:
			other = append(other, t)
		}
	}
	for _, t := range other {
		if m.healthy(t) && healthy <= least {
			continue
		}
		if m.healthy(t) {
			healthy--
		}
		m.retire(s, r, t)
	}
	for len(current) > desired {
		m.retire(s, r, current[len(current)-1])
		current = current[:len(current)-1]
	}
	if missing := min(desired-len(current), most-present); missing > 0 && !s.Resume.After(m.now) {
		m.launch(s, r, wanted, missing)
	}
}

// retire stops a task that is no longer wanted.
func (m moment) retire(s *service, r *Resource, t *task) {
	drain := m.drain(r)
	if drain > 0 && m.running(t) {
		m.tell(s, "has begun draining connections on 1 tasks.")
	}
	m.stop(t, drain, ecs.TaskStopCodeServiceSchedulerInitiated,
		fmt.Sprintf("Scaling activity initiated by (deployment %s)", t.StartedBy))
	m.tell(s, "has stopped 1 running tasks: (task %s).", t.ID())
}

// drain is how long the service's targets finish their requests.
func (m moment) drain(r *Resource) time.Duration {
	group := m.targetGroup(r)
	if group == nil {
		return 0
	}
	return seconds(group, "deregistrationDelay", 300)
}

// targetGroup is where the service registers its tasks, or nil.
func (m moment) targetGroup(r *Resource) *Resource {
	for _, block := range r.Blocks("loadBalancers") {
		if group := m.Find(typeTargetGroup, "arn", block["targetGroupArn"]); group != nil {
			return group
		}
	}
	return nil
}

// launch starts tasks of a revision.
func (m moment) launch(s *service, r *Resource, wanted *revision, count int) {
	d, found := m.definition(wanted.Definition)
	if !found {
		return
	}
	digest, _ := m.digestOf(deref(d.main().Image))
	proven := digest != "" && s.Proven == digest
	if wanted.Faults[faultNoCapacity] && !proven {
		m.tell(s, "was unable to place a task. Reason: Capacity is unavailable at this time. "+
			"Please try again later or in a different availability zone.")
		s.Resume = m.in(time.Minute)
		return
	}
	var ids []string
	for range count {
		s.Started++
		t := &task{
			ARN: m.arn("ecs", "task/"+last(s.Cluster)+"/"+m.derive("task", s.ARN, s.Created, s.Started)), Cluster: s.Cluster,
			Definition: d.ARN(), Digest: digest, Group: "service:" + s.Name, StartedBy: wanted.Rollout,
			Service: s.ARN, Revision: wanted.ARN, Created: m.now, Exec: r.Bool("enableExecuteCommand"),
		}
		t.Subnet, t.Address = m.place(t.ARN, blockStrings(r.Blocks("networkConfiguration"), "subnets"))
		m.begin(t, d, conditions{
			faults: wanted.Faults, proven: proven, balanced: m.targetGroup(r) != nil,
		})
		if !t.Unhealthy.IsZero() {
			t.GivenUp = latest(t.Unhealthy, m.after(t.Started, seconds(r, "healthCheckGracePeriodSeconds", 0)))
		}
		m.ECS.Tasks[t.ARN] = t
		ids = append(ids, "(task "+t.ID()+")")
	}
	m.tell(s, "has started %d tasks: %s.", count, strings.Join(ids, " "))
}

// place gives a task an address in one of the subnets.
func (m moment) place(arn string, subnets []string) (subnet, address string) {
	if len(subnets) == 0 {
		return "", ""
	}
	sum := m.sum("address", arn)
	subnet = subnets[int(sum[0])%len(subnets)]
	return subnet, m.addressIn(subnet, int(binary.BigEndian.Uint16(sum[1:])))
}

// tell adds to the service's events.
func (m moment) tell(s *service, format string, args ...any) {
	e := event{At: m.now, Message: fmt.Sprintf("(service %s) ", s.Name) + fmt.Sprintf(format, args...)}
	s.Events = slices.Insert(s.Events, 0, e)
	s.Events = s.Events[:min(len(s.Events), eventsKept)]
}

// forgetOld drops what AWS does not remember either.
func (m moment) forgetOld() {
	for arn, t := range m.ECS.Tasks {
		if !t.Stopped.IsZero() && m.now.Sub(t.Stopped) > storyKept {
			delete(m.ECS.Tasks, arn)
		}
	}
	for _, s := range m.ECS.Services {
		if n := len(s.Deployments); n > deploymentsKept {
			s.Deployments = s.Deployments[n-deploymentsKept:]
		}
	}
}

package cloud

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

const (
	// stoppedRetention is how long ECS still describes a stopped task, in real time.
	stoppedRetention = time.Hour
	// taskRetention is how long the account keeps the logs of stopped tasks, maxDeployments how many deployments of a
	// service it keeps.
	taskRetention  = 24 * time.Hour
	maxDeployments = 50
	maxEvents      = 100
)

// advance simulates everything that happens until now in the order of time, and then reconciles the services with the
// resources. Calling it often gives the same result as calling it once.
func (m model) advance() {
	for {
		next, found := m.next()
		if !found {
			break
		}
		m.at(next).step()
		m.at(next).completeDatabaseChanges()
		m.at(next).runExecutions()
		m.ECS.Until = next
	}
	m.completeDatabaseChanges()
	if !m.reconciled {
		m.reconcileServices()
	}
	m.step()
	m.ECS.Until = m.now
	m.prune()
	m.finishPending()
}

// next returns the earliest milestone after Until and not after now.
func (m model) next() (next time.Time, found bool) {
	e := m.ECS
	consider := func(milestone time.Time) {
		if milestone.After(e.Until) && !milestone.After(m.now) && (!found || milestone.Before(next)) {
			next, found = milestone, true
		}
	}
	for _, t := range e.Tasks {
		for _, milestone := range t.milestones() {
			consider(milestone)
		}
	}
	for _, s := range e.Services {
		consider(s.RetryAt)
		if d := s.latestDeployment(); d != nil {
			consider(d.Started)
			consider(d.Alarms.Until)
		}
	}
	for _, x := range m.Executions {
		if x.Status == executionRunning {
			consider(x.Due)
		}
	}
	return next, found
}

// step runs the service scheduler at one instant.
func (m model) step() {
	for _, s := range m.ECS.services() {
		r := m.serviceResource(s.ARN)
		if r == nil {
			continue
		}
		m.countFailures(s, r)
		m.checkCircuitBreaker(s, r)
		m.checkAlarms(s, r)
		m.scale(s, r)
		m.completeDeployment(s, r)
	}
}

func (s *State) clusterARN(name string) string {
	return s.arn("ecs", "cluster/"+awsx.NameFromARN(name))
}

// serviceResource returns the resource that declares a service; its ID is the service's ARN.
func (s *State) serviceResource(arn string) *Resource { return s.Get(typeService, arn) }

// reconcileServices starts a deployment for each service whose resource has changed, and stops the services without a
// resource.
func (m model) reconcileServices() {
	for _, r := range m.ByType(typeService) {
		s, known := m.ECS.Services[r.ID]
		if !known {
			s = &service{ARN: r.ID, Name: r.Text("name"), Cluster: m.clusterARN(r.Text("cluster")), Created: m.now}
			m.ECS.Services[r.ID] = s
		}
		fingerprint, definition := deploymentFingerprint(r), m.requestedDefinition(r)
		if s.Definition != definition || s.Fingerprint != fingerprint {
			s.Definition, s.Fingerprint = definition, fingerprint
			m.deploy(s, definition)
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

// requestedDefinition returns the ARN, with a revision, of the task definition that the service's resource names.
func (m model) requestedDefinition(r *Resource) string {
	if d, found := m.definition(r.Text("taskDefinition")); found {
		return d.ARN()
	}
	return r.Text("taskDefinition")
}

// deploymentFingerprint returns the properties, besides the task definition, whose change starts a deployment. The
// desired count is not one of them.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func deploymentFingerprint(r *Resource) string {
	properties := map[string]any{}
	for _, property := range []string{
		"networkConfiguration", "loadBalancers", "launchType", "capacityProviderStrategies", "platformVersion", "triggers",
	} {
		properties[property] = r.Inputs[property]
	}
	text, err := json.Marshal(properties)
	if err != nil {
		return ""
	}
	return string(text)
}

// forceDeployment starts a deployment where the provider updates more than a service's tags and may force one.
// Source: https://github.com/hashicorp/terraform-provider-aws/blob/v5.100.0/internal/service/ecs/service.go
func forceDeployment(m model, before, r *Resource) (time.Duration, error) {
	changed := func(from, to values) bool {
		for property, value := range from {
			if property != "tags" && !reflect.DeepEqual(value, to[property]) {
				return true
			}
		}
		return false
	}
	known := m.ECS.Services[r.ID]
	if known != nil && r.Bool("forceNewDeployment") && (changed(before.Inputs, r.Inputs) || changed(r.Inputs, before.Inputs)) {
		known.Fingerprint = ""
	}
	return 0, nil
}

// desired returns the desired count of a service, within the bounds of its scaling target if it is autoscaled.
func (m model) desired(r *Resource) int {
	count := int(r.Number("desiredCount"))
	id := "service/" + awsx.NameFromARN(r.Text("cluster")) + "/" + r.Text("name")
	if target := m.Find(typeScalingTarget, "resourceId", id); target != nil && !suspended(target) {
		count = min(max(count, int(target.Number("minCapacity"))), int(target.Number("maxCapacity")))
	}
	return count
}

// bounds returns how many tasks may run during a deployment at least and at most.
func (m model) bounds(r *Resource) (least, most int) {
	desired := m.desired(r)
	return (desired*numberOr(r, "deploymentMinimumHealthyPercent", 100) + 99) / 100,
		desired * numberOr(r, "deploymentMaximumPercent", 200) / 100
}

// numberOr returns a numeric output, or AWS's default if the program omits it.
func numberOr(r *Resource, property string, fallback int) int {
	switch value := r.Outputs[property].(type) {
	case float64:
		return int(value)
	case string:
		if n, err := strconv.Atoi(value); err == nil {
			return n
		}
	}
	return fallback
}

func seconds(r *Resource, property string, fallback int) time.Duration {
	return time.Duration(numberOr(r, property, fallback)) * time.Second
}

func laterOf(x, y time.Time) time.Time {
	if x.After(y) {
		return x
	}
	return y
}

// scale starts the missing tasks of the primary revision and stops superfluous ones, within the minimum of healthy and
// the maximum of running tasks.
func (m model) scale(s *service, r *Resource) {
	primary := s.revision(s.Primary)
	if primary == nil || s.latestDeployment().Status == ecs.ServiceDeploymentStatusStopped {
		return
	}
	desired := m.desired(r)
	if primary.State == ecs.DeploymentRolloutStateFailed {
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
		case t.Revision == primary.ARN:
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
	if missing := min(desired-len(current), most-present); missing > 0 && !s.RetryAt.After(m.now) {
		m.launch(s, r, primary, missing)
	}
}

// retire stops a task that is no longer wanted.
func (m model) retire(s *service, r *Resource, t *task) {
	drain := m.drainTime(r)
	if drain > 0 && m.running(t) {
		m.addEvent(s, "has begun draining connections on 1 tasks.")
	}
	m.stop(t, drain, ecs.TaskStopCodeServiceSchedulerInitiated,
		fmt.Sprintf("Scaling activity initiated by (deployment %s)", t.StartedBy))
	m.addEvent(s, "has stopped 1 running tasks: (task %s).", t.ID())
}

// drainTime returns how long the service's targets drain.
func (m model) drainTime(r *Resource) time.Duration {
	group := m.targetGroup(r)
	if group == nil {
		return 0
	}
	return seconds(group, "deregistrationDelay", 300)
}

// targetGroup returns the target group with which the service registers its tasks, or nil.
func (m model) targetGroup(r *Resource) *Resource {
	for _, block := range r.Blocks("loadBalancers") {
		if group := m.Find(typeTargetGroup, "arn", block["targetGroupArn"]); group != nil {
			return group
		}
	}
	return nil
}

func (m model) launch(s *service, r *Resource, target *revision, count int) {
	d, found := m.definition(target.Definition)
	if !found {
		return
	}
	digest, _ := m.resolveImage(deref(d.mainContainer().Image))
	knownGood := digest != "" && s.KnownGood == digest
	if target.Faults[faultNoCapacity] && !knownGood {
		m.addEvent(s, "was unable to place a task. Reason: Capacity is unavailable at this time. "+
			"Please try again later or in a different availability zone.")
		s.RetryAt = m.in(time.Minute)
		return
	}
	var ids []string
	for range count {
		s.Started++
		t := &task{
			ARN: m.arn("ecs", "task/"+awsx.NameFromARN(s.Cluster)+"/"+m.derive("task", s.ARN, s.Created, s.Started)), Cluster: s.Cluster,
			Definition: d.ARN(), Digest: digest, Group: "service:" + s.Name, StartedBy: target.DeploymentID,
			Service: s.ARN, Revision: target.ARN, Created: m.now, Exec: r.Bool("enableExecuteCommand"),
		}
		if strategy := strategyOf(r); len(strategy) > 0 {
			t.Provider = deref(strategy[0].CapacityProvider)
		}
		t.Subnet, t.Address = m.assignAddress(t.ARN, blockStrings(r.Blocks("networkConfiguration"), "subnets"))
		m.start(t, d, startConditions{
			faults: target.Faults, knownGood: knownGood, behindLB: m.targetGroup(r) != nil,
		})
		if !t.Unhealthy.IsZero() {
			t.ReplaceAt = laterOf(t.Unhealthy, m.after(t.Started, seconds(r, "healthCheckGracePeriodSeconds", 0)))
		}
		m.ECS.Tasks[t.ARN] = t
		ids = append(ids, "(task "+t.ID()+")")
	}
	m.addEvent(s, "has started %d tasks: %s.", count, strings.Join(ids, " "))
}

// assignAddress picks an address in one of the subnets for a task.
func (m model) assignAddress(arn string, subnets []string) (subnet, address string) {
	if len(subnets) == 0 {
		return "", ""
	}
	sum := m.sum("address", arn)
	subnet = subnets[int(sum[0])%len(subnets)]
	return subnet, m.addressIn(subnet, int(binary.BigEndian.Uint16(sum[1:])))
}

func (m model) addEvent(s *service, format string, args ...any) {
	e := event{At: m.now, Message: fmt.Sprintf("(service %s) ", s.Name) + fmt.Sprintf(format, args...)}
	s.Events = slices.Insert(s.Events, 0, e)
	s.Events = s.Events[:min(len(s.Events), maxEvents)]
}

func (m model) prune() {
	for arn, t := range m.ECS.Tasks {
		if !t.Stopped.IsZero() && m.now.Sub(t.Stopped) > taskRetention {
			delete(m.ECS.Tasks, arn)
		}
	}
	for _, s := range m.ECS.Services {
		if n := len(s.Deployments); n > maxDeployments {
			s.Deployments = s.Deployments[n-maxDeployments:]
		}
	}
}

package cloud

import (
	"slices"
	"time"
)

const (
	// instanceStart is how long an instance is pending, instanceStop how long it is shutting down before the group launches the next one.
	instanceStart = 20 * time.Second
	instanceStop  = 40 * time.Second
	// terminatedListed is how long EC2 lists a terminated instance.
	terminatedListed = time.Hour
)

// An instance is an instance that a group has launched. The account stores when instances were terminated; the rest follows from the group.
type instance struct {
	id    string
	group *Resource
	// launched is when it began, terminated when it began to end; zero while it has not.
	launched, terminated time.Time
}

// groupOf returns the Auto Scaling group whose launch template names the network interface, or nil.
func (s *State) groupOf(networkInterface string) *Resource {
	for _, group := range s.ByType(typeScalingGroup) {
		if template := s.launchTemplateOf(group); template != nil &&
			slices.Contains(stringsAt(template.Inputs, "networkInterfaces.networkInterfaceId"), networkInterface) {
			return group
		}
	}
	return nil
}

func (s *State) launchTemplateOf(group *Resource) *Resource {
	for _, id := range stringsAt(group.Inputs, "launchTemplate.id") {
		return s.Get(typeLaunchTemplate, id)
	}
	return nil
}

// instancesOf returns the instances that a group of one has launched, the current one last. A terminated one is replaced.
func (m model) instancesOf(group *Resource) []instance {
	var all []instance
	launched := group.Created
	for n, ended := range append(slices.Clone(m.Terminations[group.Text("arn")]), time.Time{}) {
		all = append(all, instance{"i-" + m.derive("instance", group.Text("arn"), n)[:17], group, launched, ended})
		launched = m.after(ended, instanceStop)
	}
	return slices.DeleteFunc(all, func(i instance) bool { return !m.reached(i.launched) })
}

// instances returns the instances that EC2 lists.
func (m model) instances() []instance {
	var all []instance
	for _, group := range m.ByType(typeScalingGroup) {
		all = append(all, slices.DeleteFunc(m.instancesOf(group), func(i instance) bool {
			return !i.terminated.IsZero() && m.reached(m.after(i.terminated, terminatedListed))
		})...)
	}
	return all
}

// stateOfInstance returns the state of an instance as EC2 names it.
func (m model) stateOfInstance(i instance) string {
	switch {
	case m.reached(i.terminated) && m.reached(m.after(i.terminated, instanceStop)):
		return "terminated"
	case m.reached(i.terminated):
		return "shutting-down"
	case !m.reached(m.after(i.launched, instanceStart)):
		return "pending"
	}
	return "running"
}

// attachedTo returns the instance that a network interface is attached to, or nil. EC2 attaches it at launch, and detaches it when the instance
// is terminated.
func (m model) attachedTo(networkInterface string) *instance {
	group := m.groupOf(networkInterface)
	if group == nil {
		return nil
	}
	all := m.instancesOf(group)
	if len(all) == 0 || m.stateOfInstance(all[len(all)-1]) == "terminated" {
		return nil
	}
	return &all[len(all)-1]
}

// terminate ends the current instance of a group, which then launches another one.
func (m model) terminate(group *Resource) {
	if m.Terminations == nil {
		m.Terminations = map[string][]time.Time{}
	}
	arn := group.Text("arn")
	m.Terminations[arn] = append(m.Terminations[arn], m.now)
}

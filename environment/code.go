package environment

import (
	"slices"
	"time"
)

// A Code is the part of a description that a deployment of code applies: what the containers of each role run, how large
// their tasks are, how they are checked, and which variables they read. A task definition says all of it.
//
// The rest of a description is infrastructure, which only a full deployment or one of components changes, or steers the
// deployer itself and counts at once (see SteeredBy).
type Code struct {
	// Tasks has the code of each role, the migration's too.
	Tasks map[Role]TaskCode `json:"tasks"`
	// Required and Optional are the variables of Configuration.
	Required []string `json:"required"`
	Optional []string `json:"optional,omitempty"`
	// Connections and PoolTimeout bound a task's database connections.
	Connections int           `json:"connections"`
	PoolTimeout time.Duration `json:"poolTimeoutNanoseconds"`
}

// A TaskCode is the code of one role.
type TaskCode struct {
	// CPU is in CPU units, Memory in MiB.
	CPU         int      `json:"cpu"`
	Memory      int      `json:"memory"`
	Command     []string `json:"command,omitempty"`
	HealthCheck []string `json:"healthCheck,omitempty"`
}

// Code returns the code's part of e.
func (e *Environment) Code() Code {
	m := e.Deployment.Migrations
	c := Code{
		Tasks:    map[Role]TaskCode{Migration: {CPU: m.CPU, Memory: m.Memory, Command: m.Command}},
		Required: e.Configuration.Required, Optional: e.Configuration.Optional,
		Connections: e.Database.Connections, PoolTimeout: e.Database.PoolTimeout,
	}
	for _, s := range e.Services.List() {
		c.Tasks[s.Role] = TaskCode{CPU: s.CPU, Memory: s.Memory, Command: s.Command, HealthCheck: s.HealthCheck}
	}
	return c
}

// Matches reports whether c and other are the same code for the roles that both have.
func (c Code) Matches(other Code) bool {
	for role, a := range c.Tasks {
		b, both := other.Tasks[role]
		if both && (a.CPU != b.CPU || a.Memory != b.Memory || !slices.Equal(a.Command, b.Command) || !slices.Equal(a.HealthCheck, b.HealthCheck)) {
			return false
		}
	}
	return slices.Equal(c.Required, other.Required) && slices.Equal(c.Optional, other.Optional) &&
		c.Connections == other.Connections && c.PoolTimeout == other.PoolTimeout
}

// WithCode returns a copy of e that has the code c. A service of which c says nothing keeps its own.
func (e *Environment) WithCode(c Code) *Environment {
	changed := *e
	changed.Configuration = Configuration{Required: c.Required, Optional: c.Optional}
	changed.Database.Connections, changed.Database.PoolTimeout = c.Connections, c.PoolTimeout
	if m, ok := c.Tasks[Migration]; ok {
		migrations := &changed.Deployment.Migrations
		migrations.CPU, migrations.Memory, migrations.Command = m.CPU, m.Memory, m.Command
	}
	services := changed.Services.clone()
	for _, s := range services.pointers() {
		if t, ok := c.Tasks[s.Role]; ok {
			s.CPU, s.Memory, s.Command, s.HealthCheck = t.CPU, t.Memory, t.Command, t.HealthCheck
		}
	}
	changed.Services = services
	return &changed
}

// WithInfrastructure returns a copy of e with the sections of other that the functions copy, but for the code in them.
func (e *Environment) WithInfrastructure(other *Environment, copies ...func(to, from *Environment)) *Environment {
	changed, code := *e, e.Code()
	for _, copySection := range copies {
		copySection(&changed, other)
	}
	for role, task := range other.Code().Tasks {
		if _, known := code.Tasks[role]; !known {
			code.Tasks[role] = task
		}
	}
	return changed.WithCode(code)
}

// WithDeployerSettings returns a copy of e with what steers the deployer as file says it: it changes nothing in the account, and
// counts without a deployment. Whether an environment is protected is both: commands ask the file, and resources have
// protections of their own.
func (e *Environment) WithDeployerSettings(file *Environment) *Environment {
	changed := *e
	changed.Delivery = file.Delivery
	changed.Image.CriticalFindings = file.Image.CriticalFindings
	migrations := e.Deployment.Migrations
	changed.Deployment = file.Deployment
	changed.Deployment.Migrations.CPU, changed.Deployment.Migrations.Memory = migrations.CPU, migrations.Memory
	changed.Deployment.Migrations.Command = migrations.Command
	return &changed
}

// WithRoles returns a copy of e that has exactly the services of the roles. One that e does not have is taken from the
// first of the others that does.
func (e *Environment) WithRoles(roles map[Role]bool, others ...*Environment) *Environment {
	services := map[Role]Service{}
	for _, other := range append(others[:len(others):len(others)], e) { // the last one counts
		for _, s := range other.Services.List() {
			services[s.Role] = s
		}
	}
	changed := *e
	pick := func(role Role) *Service {
		if s, ok := services[role]; ok && roles[role] {
			return &s
		}
		return nil
	}
	changed.Services.Worker, changed.Services.Scheduler = pick(Worker), pick(Scheduler)
	return &changed
}

// clone returns services that share no memory with s.
func (s Services) clone() Services {
	for _, service := range []**Service{&s.Worker, &s.Scheduler} {
		if *service != nil {
			copied := **service
			*service = &copied
		}
	}
	return s
}

// pointers returns the services to change in place.
func (s *Services) pointers() []*Service {
	all := []*Service{&s.API}
	for _, optional := range []*Service{s.Worker, s.Scheduler} {
		if optional != nil {
			all = append(all, optional)
		}
	}
	return all
}

// Roles returns the roles of e's services.
func (e *Environment) Roles() map[Role]bool {
	roles := map[Role]bool{}
	for _, s := range e.Services.List() {
		roles[s.Role] = true
	}
	return roles
}

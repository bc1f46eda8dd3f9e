package environment

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
)

// A Code is the part of a description that a code-only deployment applies: what the containers of each role run, the
// sizes of their tasks, their health checks, and the variables that they read. All of it is in the task definitions.
//
// The rest of a description is infrastructure, which only a full deployment or one of components changes, or a setting
// of the deployer, which takes effect immediately (see WithDeployerSettings).
type Code struct {
	// Tasks has the code of each role, including the migration.
	Tasks map[Role]TaskCode `json:"tasks"`
	// Architecture is that of Image: an image runs on what it was built for. It is empty in records of versions that knew x86_64 only.
	Architecture Architecture `json:"architecture,omitempty"`
	// Required and Optional are the fields of Configuration.
	Required []string `json:"required"`
	Optional []string `json:"optional,omitempty"`
	// Connections and PoolTimeout are the fields of Database.
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

// Code returns the code of e.
func (e *Environment) Code() Code {
	m := e.Deployment.Migrations
	c := Code{
		Tasks:        map[Role]TaskCode{Migration: {CPU: m.CPU, Memory: m.Memory, Command: m.Command}},
		Architecture: e.Image.Architecture,
		Required:     e.Configuration.Required, Optional: e.Configuration.Optional,
		Connections: e.Database.Connections, PoolTimeout: e.Database.PoolTimeout,
	}
	for _, s := range e.Services.List() {
		c.Tasks[s.Role] = TaskCode{CPU: s.CPU, Memory: s.Memory, Command: s.Command, HealthCheck: s.HealthCheck}
	}
	return c
}

// Matches reports whether c and other are equal in the roles that both have.
func (c Code) Matches(other Code) bool {
	for role, a := range c.Tasks {
		b, both := other.Tasks[role]
		if both && (a.CPU != b.CPU || a.Memory != b.Memory || !slices.Equal(a.Command, b.Command) || !slices.Equal(a.HealthCheck, b.HealthCheck)) {
			return false
		}
	}
	return cmp.Or(c.Architecture, X86) == cmp.Or(other.Architecture, X86) && slices.Equal(c.Required, other.Required) && slices.Equal(c.Optional, other.Optional) &&
		c.Connections == other.Connections && c.PoolTimeout == other.PoolTimeout
}

// WithCode returns a copy of e with the code c. A service without code in c keeps its own.
func (e *Environment) WithCode(c Code) *Environment {
	changed := e.Clone()
	changed.Image.Architecture = cmp.Or(c.Architecture, X86)
	changed.Configuration = Configuration{Required: c.Required, Optional: c.Optional}
	changed.Database.Connections, changed.Database.PoolTimeout = c.Connections, c.PoolTimeout
	if m, ok := c.Tasks[Migration]; ok {
		migrations := &changed.Deployment.Migrations
		migrations.CPU, migrations.Memory, migrations.Command = m.CPU, m.Memory, m.Command
	}
	for role, t := range c.Tasks {
		if s := changed.Services.Get(role); s != nil {
			s.CPU, s.Memory, s.Command, s.HealthCheck = t.CPU, t.Memory, t.Command, t.HealthCheck
		}
	}
	return changed
}

// WithInfrastructure returns a copy of e with sections of other, except for the code in them.
func (e *Environment) WithInfrastructure(other *Environment, copies ...func(to, from *Environment)) *Environment {
	changed, code := *e, e.Code()
	for _, copySection := range copies {
		copySection(&changed, other)
	}
	for role, task := range other.Code().Tasks {
		if _, ok := code.Tasks[role]; !ok {
			code.Tasks[role] = task
		}
	}
	return changed.WithCode(code)
}

// WithDeployerSettings returns a copy of e with the deployer's settings of file. They change nothing in the account and
// take effect without a deployment. Protected is not copied: commands read it from the file, and resources have
// protections of their own.
func (e *Environment) WithDeployerSettings(file *Environment) *Environment {
	changed := *e
	changed.Delivery = file.Delivery
	changed.Image.CriticalFindings = file.Image.CriticalFindings
	migrations := e.Deployment.Migrations
	changed.Deployment = file.Deployment
	changed.Deployment.Rollout.Alarms = e.Deployment.Rollout.Alarms
	changed.Deployment.Migrations.CPU, changed.Deployment.Migrations.Memory = migrations.CPU, migrations.Memory
	changed.Deployment.Migrations.Command = migrations.Command
	return &changed
}

// WithRoles returns a copy of e that has exactly the services of the roles. It takes those that e does not have from
// other.
func (e *Environment) WithRoles(roles map[Role]bool, other *Environment) *Environment {
	pick := func(role Role) *Service {
		if !roles[role] {
			return nil
		}
		return cmp.Or(e.Services.Get(role), other.Services.Get(role))
	}
	changed := *e
	changed.Services.Worker, changed.Services.Scheduler = pick(Worker), pick(Scheduler)
	return changed.Clone()
}

// Encode returns a description as JSON values, defaults included, so that later versions' defaults do not change it.
// DecodeDeployed reads it.
func (e *Environment) Encode() (map[string]any, error) {
	text, err := yaml.MarshalWithOptions(e, yaml.JSON())
	if err != nil {
		return nil, fmt.Errorf("encode the environment %s: %w", e.Name, err)
	}
	var values map[string]any
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("encode the environment %s: %w", e.Name, err)
	}
	return values, nil
}

// DecodeDeployed reads a description that Encode wrote, in this version or another one. It ignores unknown keys and sets
// missing ones to their defaults. It does not validate what was deployed.
func DecodeDeployed(stack string, values any) (*Environment, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("read the deployed description of %s: %w", stack, err)
	}
	e := defaults(stack)
	if err := yaml.Unmarshal(text, &e); err != nil {
		return nil, fmt.Errorf("read the deployed description of %s: %w", stack, err)
	}
	e.applyDefaults(func(string) bool { return true })
	return &e, nil
}

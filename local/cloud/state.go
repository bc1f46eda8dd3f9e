package cloud

import (
	"cmp"
	"reflect"
	"slices"
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// State is everything that the account holds. Resources belong to the Pulumi provider; the other fields are what AWS
// has besides them.
type State struct {
	// ID is the account's twelve digits.
	ID     string `json:"id"`
	Region string `json:"region"`
	// Salt is random for each account. Secret values are derived from it, so that no two accounts share one.
	Salt string `json:"salt"`
	// Serial counts the resources ever created; identifiers are derived from it.
	Serial int `json:"serial"`
	// Resources are by key, Type::ID.
	Resources map[string]*Resource `json:"resources"`

	Registry  Registry             `json:"registry"`
	Secrets   map[string]*Secret   `json:"secrets"`
	ECS       ECSState             `json:"ecs"`
	Snapshots map[string]*Snapshot `json:"snapshots"`
	// Databases are the changes in progress, by the instance's resource ID.
	Databases map[string]*databaseChange `json:"databases,omitempty"`
	// PendingModified are the properties that wait for the maintenance window, by the instance's resource ID.
	PendingModified map[string]map[string]any `json:"pendingModified,omitempty"`
	// Migrations are what migrations have applied, by the instance's resource ID, oldest first; those of a deleted one stay for its snapshots.
	Migrations map[string][]appliedMigration `json:"migrations,omitempty"`
	// Rotations are the times at which RDS rotated the password, by the ARN of its secret, oldest first.
	Rotations map[string][]time.Time `json:"rotations,omitempty"`
	// Terminations are the times at which the instances of an Auto Scaling group were terminated, by the group's ARN, oldest first.
	Terminations map[string][]time.Time `json:"terminations,omitempty"`
	// Executions are those of state machines, oldest first.
	Executions []*execution `json:"executions,omitempty"`
	// Stopped are the times at which instances of RDS were stopped, by resource ID.
	Stopped map[string]time.Time `json:"stopped,omitempty"`
	// Parameters are those of Systems Manager, by name.
	Parameters map[string]*parameter `json:"parameters,omitempty"`
	// AlarmStates are the states that SetAlarmState has set last, by the alarm's ARN.
	AlarmStates map[string]alarmState `json:"alarmStates,omitempty"`
	// Metrics are the last published values, by namespace, name and dimensions.
	Metrics map[string]float64 `json:"metrics,omitempty"`
	// Objects are the keys of the objects in each bucket.
	Objects map[string][]string `json:"objects"`

	// containers are those of the task definitions that were decoded, by their JSON.
	containers map[string][]ecs.ContainerDefinition
	// byType has the resources of each type, sorted by ID, as long as they are only read; nil where they have to be searched.
	byType map[string][]*Resource
	// reconciled reports that the services were compared with their resources since these changed.
	reconciled bool
}

// Resource is a resource of the account, as the provider received it.
type Resource struct {
	// Type is Pulumi's type token, such as aws:ecs/service:Service.
	Type string `json:"type"`
	// Region is the region of a resource outside the account's own; "" means that one.
	Region string `json:"region,omitempty"`
	// ID is the provider's ID, unique within the type.
	ID string `json:"id"`
	// Inputs are the requested properties, Outputs all properties including those that AWS computes. Both use Pulumi's
	// property names. Values are those of JSON: numbers are float64.
	Inputs  map[string]any `json:"inputs"`
	Outputs map[string]any `json:"outputs"`
	Created time.Time      `json:"created"`
	// Serial is the account's serial at creation; random parts of identifiers are derived from it.
	Serial int `json:"serial"`
	// Kept is set when the stack has deleted the resource and AWS still has it: a task definition with skipDestroy.
	Kept bool `json:"kept,omitempty"`
	// Pending is set while AWS is creating it: a database in status creating, a certificate to be validated.
	Pending bool `json:"pending,omitempty"`
}

func newState(id, region string) *State {
	return &State{
		ID: id, Region: region,
		Resources: map[string]*Resource{},
		Secrets:   map[string]*Secret{},
		Snapshots: map[string]*Snapshot{},
		Databases: map[string]*databaseChange{}, PendingModified: map[string]map[string]any{},
		Migrations: map[string][]appliedMigration{},
		Rotations:  map[string][]time.Time{},
		ECS:        ECSState{Services: map[string]*service{}, Tasks: map[string]*task{}},
		Objects:    map[string][]string{},
	}
}

// elsewhere returns what the account has in another region.
func (s *State) elsewhere(region string) *State {
	other := newState(s.ID, region)
	other.Salt = s.Salt
	for id, r := range s.Resources {
		if r.Region == region {
			other.Resources[id] = r
		}
	}
	return other
}

func key(typ, id string) string { return typ + "::" + id }

// Get returns the resource, or nil.
func (s *State) Get(typ, id string) *Resource { return s.Resources[key(typ, id)] }

func (s *State) put(r *Resource) { s.Resources[key(r.Type, r.ID)], s.byType = r, nil }

func (s *State) remove(r *Resource) {
	delete(s.Resources, key(r.Type, r.ID))
	s.byType = nil
}

// ByType returns the resources of a type, sorted by ID.
func (s *State) ByType(typ string) []*Resource {
	if s.byType != nil {
		return slices.Clone(s.byType[typ])
	}
	var all []*Resource
	for _, r := range s.Resources {
		if r.Type == typ {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, byID)
	return all
}

func byID(x, y *Resource) int { return cmp.Compare(x.ID, y.ID) }

// index makes ByType fast until a resource is put or removed.
func (s *State) index() {
	s.byType = map[string][]*Resource{}
	for _, r := range s.Resources {
		s.byType[r.Type] = append(s.byType[r.Type], r)
	}
	for _, all := range s.byType {
		slices.SortFunc(all, byID)
	}
}

// Find returns the first resource of a type, by ID, whose output property has the value, or nil.
func (s *State) Find(typ, property string, value any) *Resource {
	for _, r := range s.ByType(typ) {
		if reflect.DeepEqual(r.Outputs[property], value) {
			return r
		}
	}
	return nil
}

// Text returns a string output, or "".
func (r *Resource) Text(property string) string {
	value, _ := r.Outputs[property].(string)
	return value
}

// Number returns a numeric output, or 0.
func (r *Resource) Number(property string) float64 {
	value, _ := r.Outputs[property].(float64)
	return value
}

// Bool returns a boolean output; unset means false.
func (r *Resource) Bool(property string) bool {
	value, _ := r.Outputs[property].(bool)
	return value
}

// Strings returns the strings of a list output.
func (r *Resource) Strings(property string) []string {
	list, _ := r.Outputs[property].([]any)
	var all []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// Blocks returns the objects of an output that is a list of objects or a single object.
func (r *Resource) Blocks(property string) []map[string]any {
	switch value := r.Outputs[property].(type) {
	case map[string]any:
		return []map[string]any{value}
	case []any:
		var all []map[string]any
		for _, item := range value {
			if block, ok := item.(map[string]any); ok {
				all = append(all, block)
			}
		}
		return all
	}
	return nil
}

// Tags returns the resource's tags.
func (r *Resource) Tags() map[string]string {
	all := map[string]string{}
	tags, _ := r.Outputs["tagsAll"].(map[string]any)
	for name, value := range tags {
		if s, ok := value.(string); ok {
			all[name] = s
		}
	}
	return all
}

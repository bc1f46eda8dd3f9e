package cloud

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// machineDefinition is a state machine in the part of the Amazon States Language that is simulated: JSONPath, states of
// the types Task, Choice, Wait, Succeed and Fail, and operations of AWS's services as tasks.
// https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
type machineDefinition struct {
	Comment, StartAt string
	TimeoutSeconds   int
	States           map[string]machineState
}

type machineState struct {
	Type, Comment, Next string
	End                 bool
	// Resource, Parameters, ResultSelector, ResultPath and Retry belong to a Task.
	Resource                   string
	Parameters, ResultSelector map[string]any
	ResultPath                 string
	Retry                      []machineRetry
	// Choices and Default belong to a Choice, Seconds to a Wait, Error and Cause to a Fail.
	Choices      []machineChoice
	Default      string
	Seconds      int
	Error, Cause string
}

type machineRetry struct {
	ErrorEquals                  []string
	IntervalSeconds, MaxAttempts int
	BackoffRate                  float64
}

// machineChoice is a comparison or, in And, several that must all be true.
type machineChoice struct {
	Variable, Next                 string
	And                            []machineChoice
	IsPresent                      *bool
	StringEquals                   *string
	TimestampGreaterThanEqualsPath *string
}

// awsTask is the prefix of the resource of a task that calls an operation of an AWS service.
const awsTask = "arn:aws:states:::aws-sdk:"

// parseMachine decodes and validates a definition. What is not simulated is an error, too.
func parseMachine(text string) (machineDefinition, error) {
	var d machineDefinition
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return d, err
	}
	if _, found := d.States[d.StartAt]; !found {
		return d, fmt.Errorf("MISSING_TRANSITION_TARGET: StartAt %q is not a state", d.StartAt)
	}
	for _, name := range slices.Sorted(maps.Keys(d.States)) {
		state := d.States[name]
		if err := state.validate(); err != nil {
			return d, fmt.Errorf("state %s: %w", name, err)
		}
		for _, target := range state.targets() {
			if _, found := d.States[target]; !found {
				return d, fmt.Errorf("MISSING_TRANSITION_TARGET: state %s names %q, which is not a state", name, target)
			}
		}
	}
	return d, nil
}

// targets returns the states that can follow.
func (s machineState) targets() []string {
	var all []string
	for _, choice := range s.Choices {
		all = append(all, choice.Next)
	}
	for _, next := range []string{s.Default, s.Next} {
		if next != "" {
			all = append(all, next)
		}
	}
	return all
}

func (s machineState) validate() error {
	switch s.Type {
	case "Succeed", "Fail":
	case "Choice":
		if len(s.Choices) == 0 {
			return fmt.Errorf("SCHEMA_VALIDATION_FAILED: a Choice needs Choices")
		}
	case "Task", "Wait":
		if s.Next == "" && !s.End {
			return fmt.Errorf("SCHEMA_VALIDATION_FAILED: a %s needs Next or End", s.Type)
		}
		if s.Type == "Task" {
			return validateTask(s)
		}
	default:
		return fmt.Errorf("local mode does not simulate states of the type %q", s.Type)
	}
	return nil
}

func validateTask(s machineState) error {
	if !strings.HasPrefix(s.Resource, awsTask) {
		return fmt.Errorf("local mode does not simulate the task %q", s.Resource)
	}
	if s.ResultPath != "" && !strings.HasPrefix(s.ResultPath, "$.") {
		return fmt.Errorf("local mode does not simulate the ResultPath %q", s.ResultPath)
	}
	return nil
}

// matches reports whether a choice applies. A comparison with something absent is an error, as in AWS.
func (c machineChoice) matches(data any) (bool, error) {
	if len(c.And) > 0 {
		for _, part := range c.And {
			if match, err := part.matches(data); !match || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	value, found, err := lookupPath(data, c.Variable)
	switch {
	case err != nil:
		return false, err
	case c.IsPresent != nil:
		return found == *c.IsPresent, nil
	case !found:
		return false, fmt.Errorf("States.Runtime: invalid path '%s': the condition path references an invalid value", c.Variable)
	case c.StringEquals != nil:
		return value == *c.StringEquals, nil
	case c.TimestampGreaterThanEqualsPath != nil:
		return timestampNotBefore(data, value, *c.TimestampGreaterThanEqualsPath)
	}
	return false, fmt.Errorf("States.Runtime: local mode does not simulate the comparison with %s", c.Variable)
}

// timestampNotBefore compares a timestamp with that at a path. Both must have the form of RFC 3339.
func timestampNotBefore(data, value any, path string) (bool, error) {
	other, _, err := lookupPath(data, path)
	if err != nil {
		return false, err
	}
	first, err := time.Parse(time.RFC3339Nano, text(value))
	if err != nil {
		return false, err
	}
	second, err := time.Parse(time.RFC3339Nano, text(other))
	return !first.Before(second), err
}

// pathStep is one step of a JSONPath: a name, and after it an index or a filter by equality in brackets.
var pathStep = lazyregexp.New(`^\.([A-Za-z]+)(?:\[(\d+)\]|\[\?\(@\.([A-Za-z]+)=='([^']*)'\)\])?`)

// lookupPath returns the value at a JSONPath such as $.a.b[0]. With a filter, as in $.a[?(@.b=='c')].d, the result is a
// list of all matches.
func lookupPath(data any, path string) (value any, found bool, err error) {
	rest, ok := strings.CutPrefix(path, "$")
	if !ok {
		return nil, false, fmt.Errorf("States.Runtime: %q is not a path", path)
	}
	current, several := []any{data}, false
	for rest != "" {
		step := pathStep.FindStringSubmatch(rest)
		if step == nil {
			return nil, false, fmt.Errorf("States.Runtime: local mode does not simulate the path %q", path)
		}
		rest = rest[len(step[0]):]
		several = several || step[3] != ""
		var next []any
		for _, item := range current {
			next = append(next, follow(item, step)...)
		}
		current = next
	}
	switch {
	case several:
		return append([]any{}, current...), true, nil
	case len(current) == 0:
		return nil, false, nil
	}
	return current[0], true, nil
}

// follow returns what one step leads to.
func follow(item any, step []string) []any {
	object, _ := item.(map[string]any)
	value, found := object[step[1]]
	if !found {
		return nil
	}
	list, _ := value.([]any)
	switch {
	case step[2] != "":
		i, err := strconv.Atoi(step[2])
		if err != nil || i >= len(list) {
			return nil
		}
		return []any{list[i]}
	case step[3] != "":
		return slices.DeleteFunc(slices.Clone(list), func(element any) bool {
			fields, _ := element.(map[string]any)
			return fields[step[3]] != step[4]
		})
	}
	return []any{value}
}

// fillTemplate replaces the fields whose name ends with .$ by what their path leads to.
func fillTemplate(template map[string]any, data any) (map[string]any, error) {
	filled := map[string]any{}
	for name, value := range template {
		field, isPath := strings.CutSuffix(name, ".$")
		if !isPath {
			filled[name] = value
			continue
		}
		found, present, err := lookupPath(data, text(value))
		if err != nil {
			return nil, err
		}
		if !present {
			return nil, fmt.Errorf("States.ParameterPathFailure: the JSONPath '%s' could not be found in the input", text(value))
		}
		filled[field] = found
	}
	return filled, nil
}

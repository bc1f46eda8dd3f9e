package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"
)

// The statuses of an execution.
const (
	executionRunning   = "RUNNING"
	executionSucceeded = "SUCCEEDED"
	executionFailed    = "FAILED"
	executionTimedOut  = "TIMED_OUT"
)

// maxExecutions is how many executions the account keeps, maxTransitions how many states one may enter without a wait.
const (
	maxExecutions  = 100
	maxTransitions = 100
)

// execution is an execution of a state machine. It runs the definition with which it was started.
type execution struct {
	ARN     string    `json:"arn"`
	Machine string    `json:"machine"`
	Text    string    `json:"definition"`
	Started time.Time `json:"started"`
	// State is the next state, Data its input, Due when it is entered, Attempts how often it has failed.
	State    string    `json:"state"`
	Data     any       `json:"data"`
	Due      time.Time `json:"due"`
	Attempts int       `json:"attempts,omitempty"`

	Status string    `json:"status"`
	Ended  time.Time `json:"ended,omitzero"`
	Error  string    `json:"error,omitempty"`
	Cause  string    `json:"cause,omitempty"`
}

// startExecution starts a state machine at a time.
func (m model) startExecution(machine *Resource, input any, at time.Time) {
	definition, err := parseMachine(machine.Text("definition"))
	if err != nil {
		return // validated when the machine was created
	}
	id := m.uuid("execution", machine.ID, at, len(m.Executions), text(input))
	m.Executions = append(m.Executions, &execution{
		ARN: m.arn("states", "execution:"+machine.Text("name")+":"+id), Machine: machine.ID, Text: machine.Text("definition"),
		Started: at, State: definition.StartAt, Data: input, Due: at, Status: executionRunning,
	})
	if n := len(m.Executions); n > maxExecutions {
		m.Executions = slices.Clone(m.Executions[n-maxExecutions:])
	}
}

// runExecutions runs the executions that are due until they wait or end.
func (m model) runExecutions() {
	for _, x := range m.Executions {
		if x.Status != executionRunning || !m.reached(x.Due) {
			continue
		}
		definition, err := parseMachine(x.Text)
		if err != nil {
			x.end(m.now, executionFailed, "States.Runtime", err.Error())
			continue
		}
		deadline := m.after(x.Started, time.Duration(definition.TimeoutSeconds)*time.Second)
		for range maxTransitions {
			if definition.TimeoutSeconds > 0 && m.reached(deadline) {
				x.end(m.now, executionTimedOut, "States.Timeout", "")
			}
			if x.Status != executionRunning || !m.reached(x.Due) {
				break
			}
			m.enter(x, definition.States[x.State])
		}
	}
}

// enter runs one state.
func (m model) enter(x *execution, state machineState) {
	next, err := state.Next, error(nil)
	switch state.Type {
	case "Succeed":
		x.end(m.now, executionSucceeded, "", "")
		return
	case "Fail":
		x.end(m.now, executionFailed, state.Error, state.Cause)
		return
	case "Wait":
		x.Due = m.in(time.Duration(state.Seconds) * time.Second)
	case "Choice":
		next, err = choose(state, x.Data)
	case "Task":
		if x.Data, err = m.runTask(state, x.Data); err != nil && m.retry(x, state) {
			return
		}
	}
	if err != nil {
		code, cause, _ := strings.Cut(err.Error(), ": ")
		x.end(m.now, executionFailed, code, cause)
		return
	}
	if x.State, x.Attempts = next, 0; state.End {
		x.end(m.now, executionSucceeded, "", "")
	}
}

func (x *execution) end(at time.Time, status, code, cause string) {
	x.Status, x.Ended, x.Error, x.Cause = status, at, code, cause
}

func choose(state machineState, data any) (next string, err error) {
	for _, choice := range state.Choices {
		if match, err := choice.matches(data); match || err != nil {
			return choice.Next, err
		}
	}
	if state.Default == "" {
		return "", errors.New("States.NoChoiceMatched: no choice matched")
	}
	return state.Default, nil
}

// retry schedules another attempt of a task that failed, if its first retrier allows one.
func (m model) retry(x *execution, state machineState) bool {
	if len(state.Retry) == 0 || x.Attempts >= state.Retry[0].MaxAttempts {
		return false
	}
	r := state.Retry[0]
	wait := float64(r.IntervalSeconds) * math.Pow(max(r.BackoffRate, 1), float64(x.Attempts))
	x.Attempts++
	x.Due = m.in(time.Duration(wait * float64(time.Second)))
	return true
}

// runTask calls an operation and returns the state's output; the input if it fails.
func (m model) runTask(state machineState, data any) (any, error) {
	parameters, err := fillTemplate(state.Parameters, data)
	if err != nil {
		return data, err
	}
	operation, found := machineOperation(state.Resource)
	if !found {
		return data, fmt.Errorf("States.Runtime: %s is not simulated", state.Resource)
	}
	result, err := m.invoke(operation, parameters)
	if err != nil {
		return data, err
	}
	if state.ResultSelector != nil {
		if result, err = fillTemplate(state.ResultSelector, result); err != nil {
			return data, err
		}
	}
	if name, nested := strings.CutPrefix(state.ResultPath, "$."); nested {
		object, _ := deepCopy(data).(map[string]any)
		if object == nil {
			object = map[string]any{}
		}
		object[name] = result
		return object, nil
	}
	return result, nil
}

// machineOperation returns the operation of a task's resource, as in aws-sdk:ecs:updateService.
func machineOperation(resource string) (operation, bool) {
	name, _ := strings.CutPrefix(resource, awsTask)
	service, action, _ := strings.Cut(name, ":")
	if action == "" || name == resource {
		return operation{}, false
	}
	wanted := "*" + service + "." + strings.ToUpper(action[:1]) + action[1:] + "Input"
	for input, o := range operations() {
		if input.String() == wanted {
			return o, true
		}
	}
	return operation{}, false
}

// invoke calls an operation with parameters in the form of JSON, and returns its response in that form: names in Pascal
// case, timestamps as text, and without what is unset.
func (m model) invoke(o operation, parameters any) (map[string]any, error) {
	encoded, err := json.Marshal(parameters)
	if err != nil {
		return nil, err
	}
	input := reflect.New(o.input.Elem())
	decoder := json.NewDecoder(strings.NewReader(string(encoded)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(input.Interface()); err != nil {
		return nil, fmt.Errorf("States.Runtime: the parameters are invalid: %w", err)
	}
	out, err := o.handle(m, input.Interface())
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return nil, fmt.Errorf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	}
	if err != nil {
		return nil, err
	}
	if encoded, err = json.Marshal(out); err != nil {
		return nil, err
	}
	var result map[string]any
	if err := json.Unmarshal(encoded, &result); err != nil {
		return nil, err
	}
	delete(result, "ResultMetadata")
	return withoutNulls(result).(map[string]any), nil
}

func withoutNulls(value any) any {
	switch v := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, item := range v {
			if item != nil {
				kept[name] = withoutNulls(item)
			}
		}
		return kept
	case []any:
		kept := make([]any, 0, len(v))
		for _, item := range v {
			kept = append(kept, withoutNulls(item))
		}
		return kept
	}
	return value
}

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
	case "Pass":
		x.Data, err = x.pass(state)
	case "Task":
		if x.Data, err = m.runTask(state, x.input()); err != nil && m.retry(x, state) {
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

// input returns what the templates of the current state can refer to.
func (x *execution) input() machineInput {
	return machineInput{x.Data, map[string]any{"Execution": map[string]any{
		"Id": x.ARN, "StartTime": x.Started.UTC().Format("2006-01-02T15:04:05.000Z"),
	}}}
}

// pass returns the output of a Pass state.
func (x *execution) pass(state machineState) (any, error) {
	in := x.input()
	if state.InputPath != "" {
		selected, err := in.evaluate(state.InputPath)
		if err != nil {
			return nil, err
		}
		in.data = selected
	}
	result := in.data
	if state.Parameters != nil {
		filled, err := in.fill(state.Parameters)
		if err != nil {
			return nil, err
		}
		result = filled
	}
	return state.ResultPath.put(x.Data, result), nil
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
func (m model) runTask(state machineState, in machineInput) (any, error) {
	parameters, err := in.fill(state.Parameters)
	if err != nil {
		return in.data, err
	}
	operation, found := machineOperation(state.Resource)
	if !found {
		return in.data, fmt.Errorf("States.Runtime: %s is not simulated", state.Resource)
	}
	result, err := m.invoke(operation, parameters)
	if err != nil {
		return in.data, err
	}
	if state.ResultSelector != nil {
		if result, err = (machineInput{result, in.context}).fill(state.ResultSelector); err != nil {
			return in.data, err
		}
	}
	return state.ResultPath.put(in.data, result), nil
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

// invoke calls an operation with parameters in the form of JSON, and returns its response in that form: names as Step Functions has them,
// timestamps as text, and without what is unset.
func (m model) invoke(o operation, parameters any) (map[string]any, error) {
	renamed, err := renameFields(parameters, o.input, func(field string) (from, to string) { return machineField(field), field })
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(renamed)
	if err != nil {
		return nil, err
	}
	input := reflect.New(o.input.Elem())
	if err := json.Unmarshal(encoded, input.Interface()); err != nil {
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
	named, err := renameFields(withoutNulls(result), reflect.TypeOf(out), func(field string) (from, to string) { return field, machineField(field) })
	if err != nil {
		return nil, err
	}
	return named.(map[string]any), nil
}

// machineField returns the name that Step Functions gives a field of an operation: that of AWS's SDK for Java, with a capital. The SDK writes
// an abbreviation at the beginning as a word, so that DBInstances is DbInstances.
// https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
func machineField(field string) string {
	for i := 1; i < len(field) && isUpper(field[i]); i++ {
		if i+1 < len(field) && !isUpper(field[i+1]) {
			break
		}
		field = field[:i] + strings.ToLower(field[i:i+1]) + field[i+1:]
	}
	return field
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

// renameFields returns a value in the form of JSON with the fields of a type renamed, at any depth. A field that the type does not have is an error.
func renameFields(value any, t reflect.Type, names func(field string) (from, to string)) (any, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := value.(type) {
	case []any:
		renamed := make([]any, len(v))
		for i, item := range v {
			var err error
			if renamed[i], err = renameFields(item, t.Elem(), names); err != nil {
				return nil, err
			}
		}
		return renamed, nil
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return v, nil
		}
		fields := map[string]reflect.StructField{}
		for field := range t.Fields() {
			from, _ := names(field.Name)
			fields[from] = field
		}
		renamed := map[string]any{}
		for name, item := range v {
			field, found := fields[name]
			if !found {
				return nil, fmt.Errorf("States.Runtime: the field %q is not supported by Step Functions", name)
			}
			_, to := names(field.Name)
			var err error
			if renamed[to], err = renameFields(item, field.Type, names); err != nil {
				return nil, err
			}
		}
		return renamed, nil
	}
	return value, nil
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

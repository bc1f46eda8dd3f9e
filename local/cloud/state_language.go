package cloud

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// machineDefinition is a state machine in the part of the Amazon States Language that is simulated: JSONPath, states of
// the types Task, Choice, Wait, Pass, Succeed and Fail, operations of AWS's services as tasks, and two intrinsic functions.
// https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
type machineDefinition struct {
	Comment, StartAt string
	TimeoutSeconds   int
	States           map[string]machineState
}

type machineState struct {
	Type, Comment, Next string
	End                 bool
	// Resource, ResultSelector and Retry belong to a Task, InputPath to a Pass, Parameters and ResultPath to both. A null ResultPath discards
	// the result.
	Resource                   string
	InputPath                  string
	Parameters, ResultSelector map[string]any
	ResultPath                 resultPath
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

// resultPath is where a state's result is put into its input: in place of it, at $.name, or nowhere.
type resultPath struct {
	name    string
	discard bool
}

// UnmarshalJSON reads a path, or null, which discards the result.
func (r *resultPath) UnmarshalJSON(encoded []byte) error {
	var path *string
	if err := json.Unmarshal(encoded, &path); err != nil {
		return err
	}
	if path == nil {
		r.discard = true
		return nil
	}
	name, nested := strings.CutPrefix(*path, "$.")
	if !nested || strings.ContainsAny(name, ".[") {
		return fmt.Errorf("local mode does not simulate the ResultPath %q", *path)
	}
	r.name = name
	return nil
}

// put returns a state's output.
func (r resultPath) put(data, result any) any {
	switch {
	case r.discard:
		return data
	case r.name == "":
		return result
	}
	object, _ := deepCopy(data).(map[string]any)
	if object == nil {
		object = map[string]any{}
	}
	object[r.name] = result
	return object
}

// machineChoice is a comparison or, in And, several that must all be true.
type machineChoice struct {
	Variable, Next                 string
	And                            []machineChoice
	IsPresent                      *bool
	StringEquals                   *string
	StringEqualsPath               *string
	StringMatches                  *string
	NumericEquals                  *float64
	NumericGreaterThan             *float64
	NumericLessThanPath            *string
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
	case "Task", "Wait", "Pass":
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
	case c.StringMatches != nil:
		return wildcard(*c.StringMatches).MatchString(text(value)), nil
	case c.NumericEquals != nil:
		return value == *c.NumericEquals, nil
	case c.NumericGreaterThan != nil:
		number, isNumber := value.(float64)
		return isNumber && number > *c.NumericGreaterThan, nil
	}
	path := cmp.Or(c.StringEqualsPath, c.NumericLessThanPath, c.TimestampGreaterThanEqualsPath)
	if path == nil {
		return false, fmt.Errorf("States.Runtime: local mode does not simulate the comparison with %s", c.Variable)
	}
	other, found, err := lookupPath(data, *path)
	switch {
	case err != nil:
		return false, err
	case !found:
		return false, fmt.Errorf("States.Runtime: invalid path '%s': the condition path references an invalid value", *path)
	case c.StringEqualsPath != nil:
		return value == other, nil
	case c.NumericLessThanPath != nil:
		number, isNumber := value.(float64)
		limit, isLimit := other.(float64)
		return isNumber && isLimit && number < limit, nil
	}
	return timestampNotBefore(value, other)
}

// wildcard returns an expression for a pattern in which * matches anything.
func wildcard(pattern string) *lazyregexp.Regexp {
	return lazyregexp.New("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
}

// timestampNotBefore compares two timestamps. Both must have the form of RFC 3339.
func timestampNotBefore(value, other any) (bool, error) {
	first, err := time.Parse(time.RFC3339Nano, text(value))
	if err != nil {
		return false, err
	}
	second, err := time.Parse(time.RFC3339Nano, text(other))
	return !first.Before(second), err
}

// pathStep is one step of a JSONPath: a name, and after it an index or a filter by equality in brackets.
var pathStep = lazyregexp.New(`^\.([A-Za-z]+)(?:\[(\d+)\]|\[\?\(@\.([A-Za-z.]+)=='([^']*)'\)\])?`)

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
			for name := range strings.SplitSeq(step[3], ".") {
				fields, _ := element.(map[string]any)
				element = fields[name]
			}
			return element != step[4]
		})
	}
	return []any{value}
}

// machineInput is what the paths in a template lead to: the state's input, or from $$ on the context object.
// https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
type machineInput struct{ data, context any }

// fill replaces the fields of a template whose name ends with .$ by what their path leads to or their function returns.
func (in machineInput) fill(template map[string]any) (map[string]any, error) {
	filled := map[string]any{}
	for name, value := range template {
		field, isPath := strings.CutSuffix(name, ".$")
		if !isPath {
			filled[name] = value
			continue
		}
		found, err := in.evaluate(text(value))
		if err != nil {
			return nil, err
		}
		filled[field] = found
	}
	return filled, nil
}

// evaluate returns the value of a path or of an intrinsic function, of which two are simulated.
// https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
func (in machineInput) evaluate(expression string) (any, error) {
	if arguments, ok := strings.CutPrefix(expression, "States.Format('"); ok {
		return in.format(arguments)
	}
	if path, ok := strings.CutPrefix(expression, "States.StringToJson("); ok {
		encoded, err := in.evaluate(strings.TrimSuffix(path, ")"))
		if err != nil {
			return nil, err
		}
		var value any
		if err := json.Unmarshal([]byte(text(encoded)), &value); err != nil {
			return nil, fmt.Errorf("States.IntrinsicFailure: %w", err)
		}
		return value, nil
	}
	data, path := in.data, expression
	if strings.HasPrefix(path, "$$") {
		data, path = in.context, path[1:]
	}
	found, present, err := lookupPath(data, path)
	if err == nil && !present {
		err = fmt.Errorf("States.ParameterPathFailure: the JSONPath '%s' could not be found in the input", expression)
	}
	return found, err
}

// format evaluates the arguments of States.Format after its first quote: a template with {}, in which a backslash escapes, and paths.
func (in machineInput) format(arguments string) (any, error) {
	var template strings.Builder
	for i := 0; i < len(arguments); i++ {
		switch c := arguments[i]; {
		case c == '\\' && i+1 < len(arguments):
			i++
			template.WriteByte(arguments[i])
		case strings.HasPrefix(arguments[i:], "{}"):
			template.WriteByte(0)
			i++
		case c == '{' || c == '}':
			return nil, fmt.Errorf("States.IntrinsicFailure: a brace that is not escaped: %s", arguments)
		case c == '\'':
			formatted, paths := template.String(), strings.TrimSuffix(arguments[i+1:], ")")
			for path := range strings.SplitSeq(strings.TrimPrefix(paths, ","), ",") {
				value, err := in.evaluate(strings.TrimSpace(path))
				if err != nil {
					return nil, err
				}
				formatted = strings.Replace(formatted, "\x00", text(value), 1)
			}
			return formatted, nil
		default:
			template.WriteByte(c)
		}
	}
	return nil, fmt.Errorf("States.IntrinsicFailure: States.Format('%s has no end", arguments)
}

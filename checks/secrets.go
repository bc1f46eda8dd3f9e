package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/balancer/v3-backend-infra/environment"
)

// SecretKind is what is wrong with a key of the configuration secret.
type SecretKind string

// The kinds of problems.
const (
	SecretMissing     SecretKind = "missing"
	SecretEmpty       SecretKind = "empty"
	SecretPlaceholder SecretKind = "placeholder"
)

// SecretProblem is a key of the configuration secret that is not as the application needs it.
type SecretProblem struct {
	Key  string     `json:"key" yaml:"key"`
	Kind SecretKind `json:"kind" yaml:"kind"`
}

// SecretProblems returns what is wrong with the keys, in their order. It names keys and never a value.
func SecretProblems(values map[string]string, keys []string) []SecretProblem {
	var problems []SecretProblem
	for _, key := range keys {
		value, there := values[key]
		switch {
		case !there:
			problems = append(problems, SecretProblem{key, SecretMissing})
		case strings.TrimSpace(value) == "":
			problems = append(problems, SecretProblem{key, SecretEmpty})
		case IsPlaceholder(value):
			problems = append(problems, SecretProblem{key, SecretPlaceholder})
		}
	}
	return problems
}

// placeholder is what people and templates write where a value is to come.
var placeholder = regexp.MustCompile(
	`(?i)^(?:<[^>]*>|todo|tbd|x{3,}|\.{3}|placeholder|none|null|undefined)$|change[-_ ]?me|replace[-_ ]?(?:me|with)|\byour[-_](?:[a-z]+[-_])*(?:dsn|key|url|token|secret|password|project|value|here)\b`)

// IsPlaceholder reports whether a value was left for somebody to fill in.
func IsPlaceholder(value string) bool { return placeholder.MatchString(strings.TrimSpace(value)) }

// ErrNotAnObject says that a secret's value is not a JSON object of plain values. It does not quote the value.
var ErrNotAnObject = errors.New("the secret is not a JSON object of strings, numbers and booleans")

// ParseSecret decodes a configuration secret. Numbers and booleans become the strings that containers get.
func ParseSecret(text string) (map[string]string, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil || object == nil {
		return nil, ErrNotAnObject
	}
	values := make(map[string]string, len(object))
	for key, value := range object {
		switch value := value.(type) {
		case nil:
			values[key] = ""
		case string:
			values[key] = value
		case json.Number, bool:
			values[key] = fmt.Sprint(value)
		default:
			return nil, ErrNotAnObject
		}
	}
	return values, nil
}

// configSecret is the configuration secret as it was read.
type configSecret struct {
	arn     string
	changed *time.Time
	text    string
}

// readSecret returns the configuration secret, nil when there is none or it is about to be deleted.
func readSecret(ctx context.Context, e *estate) (*configSecret, error) {
	return once(ctx, &e.memo, "secret", func(ctx context.Context) (*configSecret, error) {
		out, err := secretsmanager.NewFromConfig(e.aws()).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
			SecretId: aws.String(e.env.SecretName()),
		})
		// A secret that is marked for deletion answers InvalidRequestException.
		// Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
		if hasCode(err, "ResourceNotFoundException", "InvalidRequestException") {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return &configSecret{arn: aws.ToString(out.ARN), changed: out.CreatedDate, text: aws.ToString(out.SecretString)}, nil
	})
}

func checkSecrets(ctx context.Context, e *estate) ([]Finding, error) {
	secret, err := readSecret(ctx, e)
	if err != nil {
		return nil, err
	}
	return []Finding{evaluateSecret(secret, e.env)}, nil
}

func evaluateSecret(secret *configSecret, env *environment.Environment) Finding {
	what := about("secrets", "SecretsManager-Secret-"+env.SecretName())
	if secret == nil {
		return what.with("required_keys", env.SecretKeys()).error("SecretMissing", Hint{
			Cause:    "it was never made, or was deleted",
			Solution: "make it; where it is marked for deletion, restore it", Command: command(env, "secrets init"),
		}, "there is no secret %s", env.SecretName())
	}
	if secret.changed != nil {
		what = what.with("changed", secret.changed.UTC().Format(time.RFC3339))
	}
	values, err := ParseSecret(secret.text)
	if err != nil {
		return what.error("SecretMalformed", Hint{
			Cause:    "somebody wrote another form into it",
			Solution: "write it again as a JSON object of variables", Command: command(env, "secrets check"),
		}, "%v", err)
	}
	required := env.SecretKeys()
	what = what.with("keys", slices.Sorted(maps.Keys(values))).with("required_keys", required)
	problems := SecretProblems(values, required)
	if len(problems) == 0 {
		return what.healthy("KeysPresent", "%d of %d required keys are set", len(required), len(required))
	}
	what = what.with("problems", secretProblemDetails(problems))
	hint := Hint{
		Cause:    "a variable became required, or the secret was not filled in",
		Solution: "set each key that is named", Command: command(env, "secrets set"),
	}
	if missing := keysOf(problems, SecretMissing); len(missing) > 0 {
		hint.Cause += "; a task whose definition refers to a missing key does not start"
		return what.error("SecretKeysMissing", hint, "%d of %d required keys are missing: %s%s", len(missing), len(required),
			strings.Join(missing, ", "), alsoUnset(problems))
	}
	return what.error("SecretKeysUnset", hint, "%d of %d required keys have no value: %s", len(problems), len(required),
		strings.Join(allKeys(problems), ", "))
}

func alsoUnset(problems []SecretProblem) string {
	unset := slices.Concat(keysOf(problems, SecretEmpty), keysOf(problems, SecretPlaceholder))
	if len(unset) == 0 {
		return ""
	}
	return "; without a value: " + strings.Join(unset, ", ")
}

func keysOf(problems []SecretProblem, kind SecretKind) []string {
	var keys []string
	for _, p := range problems {
		if p.Kind == kind {
			keys = append(keys, p.Key)
		}
	}
	return keys
}

func allKeys(problems []SecretProblem) []string {
	var keys []string
	for _, p := range problems {
		keys = append(keys, p.Key)
	}
	return keys
}

func secretProblemDetails(problems []SecretProblem) map[string]any {
	details := map[string]any{}
	for _, p := range problems {
		details[p.Key] = string(p.Kind)
	}
	return details
}

package checks

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/environment"
)

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
			SecretId: aws.String(e.env.SecretName()), VersionStage: aws.String("AWSCURRENT"),
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
	if secret == nil {
		return checkAbsence(ctx, e)
	}
	return []Finding{evaluateSecret(secret, e.env)}, nil
}

func evaluateSecret(secret *configSecret, env *environment.Environment) Finding {
	what := about("secrets", "SecretsManager-Secret-"+env.SecretName())
	if secret == nil {
		return evaluateAbsence(nil, env)
	}
	if secret.changed != nil {
		what = what.with("changed", secret.changed.UTC().Format(time.RFC3339))
	}
	settings, err := configuration.ParseSecret(env.SecretName(), secret.text)
	if err != nil {
		return what.error("SecretMalformed", Hint{
			Cause:    "somebody wrote another form into it",
			Solution: "write it again as a JSON object of variables", Command: command(env, "secrets check"),
		}, "%v", err)
	}
	values := settings.Values
	required := env.SecretKeys()
	what = what.with("keys", slices.Sorted(maps.Keys(values))).with("required_keys", required)
	problems := JudgeSecret(values, env)
	if len(problems) == 0 {
		return what.healthy("KeysPresent", "%d of %d required keys are set", len(required), len(required))
	}
	return evaluateKeys(what.with("problems", secretProblemDetails(problems)), problems, env)
}

// evaluateKeys sums up the problems of a secret's keys: the worst gives the finding its reason, and the details have all.
func evaluateKeys(what subject, problems []KeyProblem, env *environment.Environment) Finding {
	required := env.SecretKeys()
	hint := Hint{
		Cause:    "a variable became required, or the secret was not filled in",
		Solution: "set each key that is named", Command: command(env, "secrets set"),
	}
	needed := slices.DeleteFunc(slices.Clone(problems), func(p KeyProblem) bool { return !slices.Contains(required, p.Key) })
	missing, unset := keysOf(needed, configuration.Missing), keysOf(needed, configuration.Empty, configuration.Placeholder)
	worse := said(problems, ForeignKey, configuration.Malformed, configuration.Padded)
	switch {
	case len(missing) > 0:
		hint.Cause += "; a task whose definition refers to a missing key does not start"
		return what.error("SecretKeysMissing", hint, "%d of %d required keys are missing: %s%s", len(missing), len(required),
			strings.Join(missing, ", "), listed("; without a value: ", unset)+also(worse))
	case len(unset) > 0:
		return what.error("SecretKeysUnset", hint, "%d of %d required keys have no value: %s", len(unset), len(required),
			strings.Join(unset, ", ")+also(worse))
	case len(keysOf(problems, ForeignKey)) > 0:
		hint.Cause = "it was copied from the other environment's secret"
		return what.error("SecretOfAnotherEnvironment", hint, "%s", said(problems, ForeignKey))
	case len(keysOf(problems, configuration.Malformed)) > 0:
		hint.Cause = "a value was not copied as a whole, or with more than belongs to it"
		return what.error("SecretValuesMalformed", hint, "%s", said(problems, configuration.Malformed))
	case len(keysOf(problems, configuration.Padded, configuration.Placeholder)) > 0:
		hint.Cause = "a value was not copied as a whole, or was left for somebody to fill in"
		return what.warning("SecretValuesPadded", hint, "%s", said(problems, configuration.Padded, configuration.Placeholder))
	}
	return what.warning("SecretKeysWithoutEffect", Hint{
		Cause:    "the name has a mistake, or the key was forgotten",
		Solution: "take the key out, or list it in configuration.optional of " + environment.FileName(env.Stack),
		Command:  command(env, "secrets set") + " --delete",
	}, "%s", said(problems, ShadowedKey, UnknownKey))
}

// said are the problems of some kinds in words.
func said(problems []KeyProblem, kinds ...configuration.Kind) string {
	var words []string
	for _, p := range problems {
		if slices.Contains(kinds, p.Kind) {
			words = append(words, p.String())
		}
	}
	return strings.Join(words, "; ")
}

func also(words string) string {
	if words == "" {
		return ""
	}
	return "; " + words
}

func listed(introduction string, keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return introduction + strings.Join(keys, ", ")
}

func keysOf(problems []KeyProblem, kinds ...configuration.Kind) []string {
	var keys []string
	for _, p := range problems {
		if slices.Contains(kinds, p.Kind) {
			keys = append(keys, p.Key)
		}
	}
	return keys
}

func secretProblemDetails(problems []KeyProblem) map[string]any {
	details := map[string]any{}
	for _, p := range problems {
		details[p.Key] = string(p.Kind)
	}
	return details
}

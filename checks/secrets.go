package checks

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

type configSecret struct {
	arn     string
	changed *time.Time
	text    string
}

// readSecret returns the configuration secret, or nil where there is none or it is marked for deletion.
func readSecret(ctx context.Context, rc *runContext) (*configSecret, error) {
	return cached(ctx, &rc.cache, "secret", func(ctx context.Context) (*configSecret, error) {
		out, err := secretsmanager.NewFromConfig(rc.aws()).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
			SecretId: aws.String(rc.env.SecretName()), VersionStage: aws.String("AWSCURRENT"),
		})
		// For a secret that is marked for deletion AWS returns InvalidRequestException.
		// Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
		if err != nil {
			return nil, ignoreCodes(err, "ResourceNotFoundException", "InvalidRequestException")
		}
		return &configSecret{arn: aws.ToString(out.ARN), changed: out.CreatedDate, text: aws.ToString(out.SecretString)}, nil
	})
}

func checkSecrets(ctx context.Context, rc *runContext) ([]Finding, error) {
	secret, err := readSecret(ctx, rc)
	if err != nil {
		return nil, err
	}
	if secret == nil {
		return checkMissingSecret(ctx, rc)
	}
	use, err := readSecretUse(ctx, rc)
	findings := []Finding{evaluateSecret(secret, rc.env, use)}
	if err != nil {
		findings = append(findings, unknownFinding("secrets", "ECS-References-"+rc.env.SecretName(), err))
	}
	return findings, nil
}

func evaluateSecret(secret *configSecret, env *environment.Environment, use SecretUse) Finding {
	f := newFinding("secrets", "SecretsManager-Secret-"+env.SecretName())
	setTime(f.details, "changed", secret.changed)
	settings, err := configuration.ParseSecret(env.SecretName(), secret.text)
	if err != nil {
		return f.error("SecretMalformed", malformedHint(secret.text, env), "%v", err)
	}
	values := settings.Values
	required := use.Required(env)
	f = f.with("keys", slices.Sorted(maps.Keys(values))).with("required_keys", required)
	problems := SecretProblems(settings, env, use)
	if len(problems) == 0 {
		return f.healthy("KeysPresent", "%d of %d required keys are set", len(required), len(required))
	}
	return evaluateKeys(f.with("problems", secretProblemDetails(problems)), problems, env)
}

// malformedHint returns how to repair a secret that ECS cannot read. A byte order mark goes with the next change of any key.
func malformedHint(text string, env *environment.Environment) Hint {
	if configuration.WithoutByteOrderMark(text) != text {
		return Hint{
			Cause:    "it was written from a file that an editor or PowerShell had saved with a byte order mark",
			Solution: "set any key, with the value that it has: the secret is written without the mark", Command: command(env, "secrets set"),
		}
	}
	return Hint{
		Cause:    "a value of another format was written",
		Solution: "write all of it again as a JSON object of variables", Command: command(env, "secrets init") + " --replace",
	}
}

// evaluateKeys sums up the problems of a secret's keys: an error where one of them prevents a deployment, as in preflight. The
// most severe one gives the finding its reason; the message names all.
func evaluateKeys(f findingBuilder, problems []KeyProblem, env *environment.Environment) Finding {
	blocking := list.Filter(problems, func(p KeyProblem) bool { return p.Stops })
	others := list.Filter(problems, func(p KeyProblem) bool { return !p.Stops })
	message := strings.Join(describeKeys(slices.Concat(blocking, others), env), "; ")
	if len(blocking) > 0 {
		reason, hint := worstReason(blocking, env)
		return f.error(reason, hint, "%s", message)
	}
	reason, hint := worstReason(others, env)
	return f.warning(reason, hint, "%s", message)
}

// describeKeys returns a text for each problem, and one for all missing keys of the environment's file.
func describeKeys(problems []KeyProblem, env *environment.Environment) []string {
	var missing, descriptions []string
	for _, p := range problems {
		if p.Kind == configuration.Missing && !p.RunningOnly {
			missing = append(missing, p.Key)
		} else {
			descriptions = append(descriptions, p.String())
		}
	}
	if len(missing) == 0 {
		return descriptions
	}
	return slices.Insert(descriptions, 0, fmt.Sprintf("%d of %d required keys are missing: %s", len(missing), len(env.SecretKeys()), strings.Join(missing, ", ")))
}

// worstReason returns the reason and the hint for the most severe problem. With a key for a loader nothing starts, and "set each key" would
// be wrong.
func worstReason(problems []KeyProblem, env *environment.Environment) (string, Hint) {
	if loader := list.Find(problems, func(p KeyProblem) bool { return p.Kind == LoaderKey }); loader != nil {
		return "SecretChangesLoader", Hint{
			Cause:    "a variable of the runtime was set in the secret instead of in the image",
			Solution: "delete " + loader.Key + ", and set the variable in the image with ENV", Command: deleteKey(env, loader.Key),
		}
	}
	const filled = "a variable became required, or the secret was not filled in"
	for _, of := range []struct {
		reason, cause string
		kinds         []configuration.Kind
	}{
		{"SecretKeysMissing", filled + "; a task whose definition refers to a missing key does not start", []configuration.Kind{configuration.Missing}},
		{"SecretKeysUnset", filled, []configuration.Kind{configuration.Empty, configuration.Placeholder}},
		{"SecretOfAnotherEnvironment", "it was copied from the other environment's secret", []configuration.Kind{ForeignKey}},
		{"SecretValuesMalformed", "a value was copied incompletely, or with additional characters", []configuration.Kind{configuration.Malformed}},
		{"SecretValuesIncomplete", "a value was copied incompletely", []configuration.Kind{configuration.Incomplete}},
		{"SecretValuesHidden", "a value was copied from a document or a chat", []configuration.Kind{configuration.Hidden}},
		{"SecretValuesPadded", "a value was copied with additional characters", []configuration.Kind{configuration.Padded}},
		{"SecretValuesSuspected", "a template's value was not replaced, or the value only looks like one", []configuration.Kind{configuration.Suspected}},
		{"SecretValuesConverted", "the secret was written with a number or null where ECS expects a string", []configuration.Kind{configuration.Converted}},
	} {
		if slices.ContainsFunc(problems, func(p KeyProblem) bool { return slices.Contains(of.kinds, p.Kind) }) {
			return of.reason, Hint{Cause: of.cause, Solution: "set each key in the message", Command: command(env, "secrets set")}
		}
	}
	if unknown := list.Find(problems, func(p KeyProblem) bool { return p.Kind == UnknownKey }); unknown != nil {
		return "SecretKeysWithoutEffect", Hint{
			Cause:    "the name is misspelled, or the key is obsolete",
			Solution: "delete " + unknown.Key + ", or list it in configuration.optional of " + environment.FileName(env.Stack),
			Command:  deleteKey(env, unknown.Key),
		}
	}
	return "SecretKeysShadowed", Hint{
		Cause:    "the key is left from another system, or the program's value has changed since it was written",
		Solution: "delete " + problems[0].Key + "; containers have the task definition's value either way", Command: deleteKey(env, problems[0].Key),
	}
}

func secretProblemDetails(problems []KeyProblem) map[string]any {
	details := map[string]any{}
	for _, p := range problems {
		kind := string(p.Kind)
		if before, several := details[p.Key].(string); several {
			kind = before + ", " + kind
		}
		details[p.Key] = kind
	}
	return details
}

// checkMissingSecret finds out why the configuration secret has no readable value.
func checkMissingSecret(ctx context.Context, rc *runContext) ([]Finding, error) {
	out, err := secretsmanager.NewFromConfig(rc.aws()).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{
		SecretId: aws.String(rc.env.SecretName()),
	})
	if err := ignoreCodes(err, "ResourceNotFoundException"); err != nil {
		return nil, err
	}
	return []Finding{evaluateMissingSecret(out, rc.env)}, nil
}

// evaluateMissingSecret distinguishes a secret that was never created, one marked for deletion, and one without a value.
// description is nil where there is no secret.
func evaluateMissingSecret(description *secretsmanager.DescribeSecretOutput, env *environment.Environment) Finding {
	f := newFinding("secrets", "SecretsManager-Secret-"+env.SecretName()).with("required_keys", env.SecretKeys())
	switch {
	case description == nil:
		return f.error("SecretMissing", Hint{
			Cause: "it was never created, or was deleted", Solution: "create it", Command: command(env, "secrets init"),
		}, "the secret %s does not exist", env.SecretName())
	case description.DeletedDate != nil:
		return f.error("SecretDeleted", Hint{
			Cause: "it was deleted; no task starts until it is restored", Solution: "restore it with its values",
			Command: "aws secretsmanager restore-secret --secret-id " + env.SecretName() + " --region " + env.Region,
		}, "the secret %s is marked for deletion, and permanently deleted after %s", env.SecretName(), description.DeletedDate.UTC().Format(time.DateOnly))
	}
	return f.error("SecretWithoutValue", Hint{
		Cause: "it was created, and no value was written", Solution: "write its value", Command: command(env, "secrets init"),
	}, "the secret %s has no value", env.SecretName())
}

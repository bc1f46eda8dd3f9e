package checks

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/environment"
)

// definitionOf returns a task definition with the API's container.
func definitionOf(containers ...*ecstypes.ContainerDefinition) *ecstypes.TaskDefinition {
	d := &ecstypes.TaskDefinition{TaskDefinitionArn: aws.String("arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-development-api:7")}
	for _, c := range containers {
		d.ContainerDefinitions = append(d.ContainerDefinitions, *c)
	}
	return d
}

// fromSecret lets variables come from the keys of the configuration secret, as the CDK's task definitions did, and removes the values
// that the program sets for them.
func fromSecret(keys ...string) func(*ecstypes.ContainerDefinition) {
	return func(c *ecstypes.ContainerDefinition) {
		c.Environment = slices.DeleteFunc(c.Environment, func(v ecstypes.KeyValuePair) bool { return slices.Contains(keys, aws.ToString(v.Name)) })
		for _, key := range keys {
			c.Secrets = append(c.Secrets, ecstypes.Secret{Name: aws.String(key), ValueFrom: aws.String(configARN + ":" + key + "::")})
		}
	}
}

// A secret is judged by what the task definitions that run refer to, and by the file: the finding of status and secrets check, the
// problems of preflight and the variables agree.
func TestSecretIsJudgedByWhatRuns(t *testing.T) {
	env := loaded(t, "dev")
	const complete = `"SUBGRAPH_API_URL":"https://x","SENTRY_DSN":"https://k@x/1","NODE_ENV":"x"`
	const refers = ", and the task definition v3-backend-development-api:7 refers to it"
	cdk := fromSecret("DATABASE_URL", "AWS_REGION")
	old := func(c *ecstypes.ContainerDefinition) {
		cdk(c)
		c.Environment = slices.DeleteFunc(c.Environment, func(v ecstypes.KeyValuePair) bool { return aws.ToString(v.Name) == environment.VarDatabaseSecretARN })
	}
	for name, test := range map[string]struct {
		change       func(*ecstypes.ContainerDefinition)
		secret       string
		status       Status
		problem      string
		variable     string
		notAVariable bool
	}{
		"the CDK's, an empty URL":      {old, complete + `,"AWS_REGION":"us-east-1","DATABASE_URL":""`, Error, "DATABASE_URL is empty" + refers, "DATABASE_URL", false},
		"the CDK's, no URL":            {old, complete + `,"AWS_REGION":"us-east-1"`, Error, "DATABASE_URL is missing" + refers, "DATABASE_URL", false},
		"the CDK's, no region":         {old, complete + `,"DATABASE_URL":"postgresql://u:p@h/b"`, Error, "AWS_REGION is missing" + refers, "AWS_REGION", false},
		"the CDK's, a bad URL":         {old, complete + `,"AWS_REGION":"us-east-1","DATABASE_URL":"hunter2"`, Error, "DATABASE_URL is not a URL", "DATABASE_URL", false},
		"the CDK's, a placeholder":     {old, complete + `,"AWS_REGION":"<region>","DATABASE_URL":"postgresql://u:p@h/b"`, Error, "AWS_REGION is a placeholder" + refers, "AWS_REGION", false},
		"the CDK's, complete":          {old, complete + `,"AWS_REGION":"us-east-1","DATABASE_URL":"postgresql://u:p@h/b"`, Healthy, "", "", false},
		"an empty URL that is built":   {cdk, complete + `,"AWS_REGION":"us-east-1","DATABASE_URL":""`, Healthy, "", "", false},
		"shadowed by the same value":   {nil, complete + `,"AWS_REGION":"us-east-1"`, Healthy, "", "", false},
		"shadowed by another value":    {nil, complete + `,"AWS_REGION":"eu-west-1"`, Warning, "AWS_REGION has no effect: the task definition sets another value", "AWS_REGION", true},
		"shadowed manually":            {setting("LOG_LEVEL", "debug"), complete + `,"LOG_LEVEL":"info"`, Warning, "LOG_LEVEL has no effect", "LOG_LEVEL", true},
		"a further key, missing":       {fromSecret("EXTRA"), complete, Error, "EXTRA is missing" + refers, "EXTRA", false},
		"a further key, a placeholder": {fromSecret("EXTRA"), complete + `,"EXTRA":"changeme"`, Warning, "EXTRA is a placeholder" + refers, "EXTRA", false},
		"another name": {func(c *ecstypes.ContainerDefinition) {
			c.Secrets = append(c.Secrets, ecstypes.Secret{Name: aws.String("REPLICA_URL"), ValueFrom: aws.String(configARN + ":REPLICA::")})
		}, complete + `,"REPLICA":"hunter2"`, Warning, "REPLICA is not a URL", "REPLICA_URL", false},
	} {
		t.Run(name, func(t *testing.T) {
			container := apiContainer(env, test.change)
			var use SecretUse
			use.add(definitionOf(container, &ecstypes.ContainerDefinition{Name: aws.String("xray-daemon")}), "balancer-api", env)
			secret := &configSecret{text: "{" + test.secret + "}"}
			settings, err := configuration.ParseSecret("s", secret.text)
			require.NoError(t, err)
			requireVerdict(t, verdict{test.status, "", test.problem}, withoutReason(evaluateSecret(secret, env, use)))
			problems := SecretProblems(settings, env, use)
			require.Equal(t, test.status == Error, slices.ContainsFunc(problems, func(p KeyProblem) bool { return p.Stops }))
			variables, unused := resolve(container, parseSecretValues(secret, nil, env), env, true)
			broken := slices.IndexFunc(variables, func(v Variable) bool { return !v.OK() })
			require.Equal(t, test.status != Healthy && !test.notAVariable, broken >= 0)
			if broken >= 0 {
				require.Equal(t, test.variable, variables[broken].Name)
				require.Equal(t, test.status == Error, variables[broken].Broken())
			}
			require.Equal(t, test.notAVariable, slices.ContainsFunc(unused, func(u UnusedKey) bool { return u.Key == test.variable }))
			require.NotContains(t, asText(t, problems), "hunter2")
		})
	}
}

func withoutReason(f Finding) Finding {
	f.Reason = ""
	return f
}

// Before the first deployment the file knows what the program is going to set.
func TestShadowedKeysWithoutServices(t *testing.T) {
	env := loaded(t, "dev")
	const complete = `"SUBGRAPH_API_URL":"https://x","SENTRY_DSN":"https://k@x/1","NODE_ENV":"x"`
	for secret, want := range map[string]verdict{
		`"AWS_REGION":"us-east-1"`: {Healthy, "KeysPresent", ""},
		`"AWS_REGION":"eu-west-1"`: {Warning, "SecretKeysShadowed", "AWS_REGION has no effect"},
		`"DATABASE_PORT":"5432"`:   {Healthy, "KeysPresent", ""},
		`"DATABASE_HOST":"h"`:      {Warning, "SecretKeysShadowed", "DATABASE_HOST has no effect"},
	} {
		got := evaluateSecret(&configSecret{text: "{" + complete + "," + secret + "}"}, env, SecretUse{})
		requireVerdict(t, want, got)
		if want.status == Warning {
			require.Contains(t, got.Hint.Cause, "left from another system")
			require.Contains(t, got.Hint.Solution, "containers have the task definition's value either way")
		}
	}
}

// A full deployment replaces the task definitions, so that what only they refer to does not stop it.
func TestRunningOnly(t *testing.T) {
	env := loaded(t, "dev")
	var use SecretUse
	use.add(definitionOf(apiContainer(env, fromSecret("EXTRA"))), "balancer-api", env)
	require.Equal(t, append(env.SecretKeys(), "EXTRA"), use.Required(env))
	require.Equal(t, [2]bool{true, false}, shadowing(use.shadowed("DATABASE_HOST", "x", env)))
	use.add(definitionOf(apiContainer(env, setting("DATABASE_HOST", ""))), "balancer-api", env)
	require.Equal(t, [2]bool{false, false}, shadowing(use.shadowed("DATABASE_HOST", "x", env)), "entrypoint builds the URL with it")
	var only []string
	for _, p := range SecretProblems(&configuration.Settings{Values: map[string]string{}}, env, use) {
		if p.RunningOnly {
			only = append(only, fmt.Sprint(p))
		}
	}
	require.Equal(t, []string{"EXTRA is missing, and the task definition v3-backend-development-api:7 refers to it"}, only)
}

func shadowing(shadowed, same bool) [2]bool { return [2]bool{shadowed, same} }

func TestReadSecretUse(t *testing.T) {
	env := loaded(t, "dev")
	const arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-development-api:7"
	service := ecstypes.Service{ServiceName: aws.String(env.ServiceName("api")), TaskDefinition: aws.String(arn), Status: aws.String("ACTIVE")}
	answers := func(definition error) func(any) (any, error) {
		return func(in any) (any, error) {
			switch in := in.(type) {
			case *ecs.ListServicesInput:
				return &ecs.ListServicesOutput{ServiceArns: []string{"api"}}, nil
			case *ecs.DescribeServicesInput:
				return &ecs.DescribeServicesOutput{Services: []ecstypes.Service{service}}, nil
			case *ecs.ListTasksInput:
				return &ecs.ListTasksOutput{}, nil
			case *ecs.DescribeTaskDefinitionInput:
				require.Equal(t, arn, aws.ToString(in.TaskDefinition))
				return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: definitionOf(apiContainer(env, fromSecret("EXTRA")))}, definition
			}
			return nil, unanswered(in)
		}
	}
	use, err := readSecretUse(t.Context(), readingFrom(t, answers(nil)))
	require.NoError(t, err)
	require.Equal(t, append(env.SecretKeys(), "EXTRA"), use.Required(env))
	_, err = readSecretUse(t.Context(), readingFrom(t, answers(errors.New("denied"))))
	require.ErrorContains(t, err, "read v3-backend-development-api:7, which runs: ")
	service.Status = aws.String("INACTIVE")
	use, err = readSecretUse(t.Context(), readingFrom(t, answers(errors.New("denied"))))
	require.NoError(t, err)
	require.Equal(t, env.SecretKeys(), use.Required(env))
}

// A reference gets what ECS makes of a value that is no string, entrypoint what is written.
func TestConvertedValues(t *testing.T) {
	env := loaded(t, "dev")
	container := apiContainer(env, fromSecret("MAX_BLOCK", "NOTHING"))
	secret := parseSecretValues(&configSecret{text: `{"MAX_BLOCK":17541103820,"NOTHING":null,"START":17541103820,"NODE_ENV":"production"}`}, nil, env)
	all, _ := resolve(container, secret, env, true)
	got := map[string]string{}
	for _, v := range all {
		got[v.Name] = fmt.Sprintf("%s %s %v", v.Value.Reveal(), v.State, v.Broken())
	}
	require.Equal(t, "1.754110382e+10 converted false", got["MAX_BLOCK"])
	require.Equal(t, "<nil> empty true", got["NOTHING"])
	require.Equal(t, "17541103820 set false", got["START"])
	text, err := json.Marshal(all)
	require.NoError(t, err)
	require.NotContains(t, string(text), "1754")
	require.Contains(t, string(text), `"value":"production","masked":false,"source":"secret"`, "where an application runs is no secret")
}

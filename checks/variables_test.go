package checks

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/list"
)

const configARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:balancer-dev-config-AbCdEf"

// apiContainer returns the application as the program declares it, changed as a test needs.
func apiContainer(env *environment.Environment, change func(*ecstypes.ContainerDefinition)) *ecstypes.ContainerDefinition {
	c := &ecstypes.ContainerDefinition{Name: aws.String("balancer-api")}
	values := map[string]string{
		environment.VarRegion: "us-east-1", environment.VarQueueURL: "https://sqs.us-east-1.amazonaws.com/1/q",
		environment.VarDatabaseHost: "h", environment.VarDatabasePort: "5432", environment.VarDatabaseName: "balancer",
		environment.VarConnectionLimit: strconv.Itoa(env.Database.Connections), environment.VarPoolTimeout: strconv.Itoa(int(env.Database.PoolTimeout.Seconds())),
		environment.VarDatabaseSecretARN: "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf", environment.VarConfigSecretID: env.SecretName(),
	}
	for _, name := range environment.ProgramVariables() {
		c.Environment = append(c.Environment, ecstypes.KeyValuePair{Name: aws.String(name), Value: aws.String(cmp.Or(values[name], "1"))})
	}
	for _, key := range env.SecretKeys() {
		c.Secrets = append(c.Secrets, ecstypes.Secret{Name: aws.String(key), ValueFrom: aws.String(configARN + ":" + key + "::")})
	}
	if change != nil {
		change(c)
	}
	return c
}

func setting(name, value string) func(*ecstypes.ContainerDefinition) {
	return func(c *ecstypes.ContainerDefinition) {
		for i := range c.Environment {
			if aws.ToString(c.Environment[i].Name) == name {
				c.Environment[i].Value = aws.String(value)
				return
			}
		}
		c.Environment = append(c.Environment, ecstypes.KeyValuePair{Name: aws.String(name), Value: aws.String(value)})
	}
}

// referring lets the first required key come from another place.
func referring(valueFrom string) func(*ecstypes.ContainerDefinition) {
	return func(c *ecstypes.ContainerDefinition) { c.Secrets[0].ValueFrom = aws.String(valueFrom) }
}

func TestResolve(t *testing.T) {
	env := loaded(t, "dev")
	const complete = `"SUBGRAPH_API_URL":"https://x/hunter2","SENTRY_DSN":"https://hunter2@x/1","NODE_ENV":"hunter2"`
	const foreignHost = "v3-backend-production-db.x.us-east-1.rds.amazonaws.com"
	const foreign = "postgresql://u:hunter2@" + foreignHost + "/b"
	for name, test := range map[string]struct {
		container *ecstypes.ContainerDefinition
		secret    string
		variable  string
		origin    Origin
		state     State
		broken    bool
	}{
		"a value":                {apiContainer(env, nil), complete, "AWS_REGION", FromTaskDefinition, Set, false},
		"a key":                  {apiContainer(env, nil), complete, "SENTRY_DSN", FromReference, Set, false},
		"a key that is missing":  {apiContainer(env, nil), `"NODE_ENV":"x"`, "SENTRY_DSN", FromReference, "missing", true},
		"a key that is empty":    {apiContainer(env, nil), `"SENTRY_DSN":" "`, "SENTRY_DSN", FromReference, "empty", true},
		"a placeholder":          {apiContainer(env, nil), `"SENTRY_DSN":"changeme"`, "SENTRY_DSN", FromReference, "placeholder", true},
		"no URL":                 {apiContainer(env, nil), `"SENTRY_DSN":"hunter2"`, "SENTRY_DSN", FromReference, "malformed", true},
		"padded":                 {apiContainer(env, nil), `"NODE_ENV":"x\n"`, "NODE_ENV", FromReference, "padded", false},
		"a key at the start":     {apiContainer(env, nil), complete + `,"EXTRA":"hunter2"`, "EXTRA", FromSecretAtStart, Set, false},
		"built":                  {apiContainer(env, nil), complete, "DATABASE_URL", BuiltAtStart, Set, false},
		"built of nothing":       {apiContainer(env, setting("DATABASE_HOST", "")), complete, "DATABASE_URL", BuiltAtStart, "missing", true},
		"the secret's URL wins":  {apiContainer(env, nil), complete + `,"DATABASE_URL":"postgresql://u:hunter2@h/b"`, "DATABASE_URL", FromSecretAtStart, Set, false},
		"another's host":         {apiContainer(env, setting("DATABASE_HOST", foreignHost)), complete, "DATABASE_HOST", FromTaskDefinition, Foreign, true},
		"built for another's":    {apiContainer(env, setting("DATABASE_HOST", foreignHost)), complete, "DATABASE_URL", BuiltAtStart, Foreign, true},
		"another's in any key":   {apiContainer(env, nil), complete + `,"REPLICA":"` + foreign + `"`, "REPLICA", FromSecretAtStart, Foreign, true},
		"another's secret":       {apiContainer(env, referring("arn:aws:secretsmanager:us-east-1:1:secret:balancer-production-config-AbCdEf:SENTRY_DSN::")), complete, env.SecretKeys()[0], FromReference, Foreign, true},
		"another's, at start":    {apiContainer(env, setting("CONFIG_SECRET_ID", "balancer-production-config")), complete, "CONFIG_SECRET_ID", FromTaskDefinition, Foreign, true},
		"the whole secret":       {apiContainer(env, referring(configARN)), complete, env.SecretKeys()[0], FromReference, WholeSecret, true},
		"the whole, with colons": {apiContainer(env, referring(configARN+":::")), complete, env.SecretKeys()[0], FromReference, WholeSecret, true},
		"empty, so the secret's": {apiContainer(env, setting("DATABASE_URL", "")), complete + `,"DATABASE_URL":"postgresql://u:hunter2@h/b"`, "DATABASE_URL", FromSecretAtStart, Set, false},
		"empty, so built":        {apiContainer(env, setting("DATABASE_URL", "")), complete + `,"DATABASE_URL":""`, "DATABASE_URL", BuiltAtStart, Set, false},
		"empty key, so built":    {apiContainer(env, nil), complete + `,"DATABASE_URL":""`, "DATABASE_URL", BuiltAtStart, Set, false},
		"empty, not built": {apiContainer(env, func(c *ecstypes.ContainerDefinition) {
			setting("DATABASE_URL", "")(c)
			setting("DATABASE_SECRET_ARN", "")(c)
		}), complete, "DATABASE_URL", FromTaskDefinition, "empty", true},
		"of space":               {apiContainer(env, setting("DATABASE_URL", " ")), complete, "DATABASE_URL", FromTaskDefinition, "empty", true},
		"a part of the secret":   {apiContainer(env, setting("DATABASE_HOST", "")), complete + `,"DATABASE_HOST":"hunter2"`, "DATABASE_URL", BuiltAtStart, Set, false},
		"a foreign part":         {apiContainer(env, setting("DATABASE_HOST", "")), complete + `,"DATABASE_HOST":"` + foreignHost + `"`, "DATABASE_URL", BuiltAtStart, Foreign, true},
		"another's database":     {apiContainer(env, nil), complete + `,"DATABASE_URL":"` + foreign + `"`, "DATABASE_URL", FromSecretAtStart, Foreign, true},
		"another's, in the task": {apiContainer(env, setting("DATABASE_URL", foreign)), complete, "DATABASE_URL", FromTaskDefinition, Foreign, true},
		"the definition wins":    {apiContainer(env, setting("EXTRA", "x")), complete + `,"EXTRA":"hunter2"`, "EXTRA", FromTaskDefinition, Set, false},
		"an ARN as the secret's": {apiContainer(env, setting("CONFIG_SECRET_ID", configARN)), `"EXTRA":"hunter2"`, "EXTRA", FromSecretAtStart, Set, false},
		"nowhere": {apiContainer(env, func(c *ecstypes.ContainerDefinition) { c.Secrets = nil; setting("CONFIG_SECRET_ID", "other")(c) }), complete,
			"NODE_ENV", FromNowhere, "missing", true},
		"another secret":   {apiContainer(env, referring("arn:aws:ssm:us-east-1:1:parameter/x")), complete, env.SecretKeys()[0], FromReference, Unread, false},
		"an older version": {apiContainer(env, referring(configARN+":"+env.SecretKeys()[0]+":AWSPREVIOUS:")), complete, env.SecretKeys()[0], FromReference, Unread, false},
	} {
		t.Run(name, func(t *testing.T) {
			all, _ := resolve(test.container, parseSecretValues(&configSecret{text: "{" + test.secret + "}"}, nil, env), env, true)
			var found *Variable
			for i := range all {
				if all[i].Name == test.variable {
					require.Nil(t, found, "each variable is there once")
					found = &all[i]
				}
			}
			require.NotNil(t, found)
			require.Equal(t, test.origin, found.Origin)
			require.Equal(t, test.state, found.State)
			require.Equal(t, test.broken, found.Broken())
			require.NotContains(t, asText(t, all), "hunter2")
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", all, all, all), "hunter2")
		})
	}
}

// What the infra program sets is shown, which is what vars is for; what was set manually is masked, whatever its name.
func TestShownValues(t *testing.T) {
	env := loaded(t, "dev")
	all, _ := resolve(apiContainer(env, func(c *ecstypes.ContainerDefinition) {
		for _, name := range []string{"DB_PASS", "MNEMONIC", "HOOK", "NODE_OPTIONS"} {
			setting(name, "hunter2")(c)
		}
		setting("LOG_LEVEL", "debug")(c)
	}), parseSecretValues(nil, nil, env), env, true)
	var shown []string
	for _, v := range all {
		if v.Origin == FromTaskDefinition && !v.Masked {
			shown = append(shown, v.Name)
		}
	}
	require.ElementsMatch(t, append(environment.ProgramVariables(), "LOG_LEVEL"), shown)
	require.NotContains(t, asText(t, all), "hunter2")
}

func TestKeysWithoutEffect(t *testing.T) {
	env := loaded(t, "dev")
	secret := parseSecretValues(&configSecret{text: `{"NODE_ENV":"x","EXTRA":"y","AWS_REGION":"z"}`}, nil, env)
	_, unused := resolve(apiContainer(env, nil), secret, env, true)
	require.Equal(t, []UnusedKey{
		{"AWS_REGION", "the task definition sets another value, and has precedence"}, {"EXTRA", "the environment's file does not list it for the application"},
	}, unused)
	sidecar, none := resolve(&ecstypes.ContainerDefinition{Name: aws.String("xray-daemon")}, secret, env, false)
	require.Empty(t, sidecar, "what the application needs, a sidecar does not")
	require.Empty(t, none)
}

func TestSecretThatIsNotRead(t *testing.T) {
	env := loaded(t, "dev")
	for name, secret := range map[string]secretValues{
		"denied":    parseSecretValues(nil, errors.New("denied"), env),
		"malformed": parseSecretValues(&configSecret{text: "hunter2"}, nil, env),
	} {
		t.Run(name, func(t *testing.T) {
			all, _ := resolve(apiContainer(env, nil), secret, env, true)
			findings := evaluateContainer(Container{Service: "s", Container: "c", Variables: all}, env)
			require.Len(t, findings, 1)
			requireUnknown(t, findings[0])
			require.NotContains(t, asText(t, findings), "hunter2")
		})
	}
	all, _ := resolve(apiContainer(env, nil), parseSecretValues(nil, nil, env), env, true)
	findings := evaluateContainer(Container{Service: "s", Container: "c", Variables: all}, env)
	require.Equal(t, Error, findings[0].Status)
	require.Contains(t, findings[0].Message, "there is no value in the secret balancer-dev-config")
}

// What a required variable is, that comes from a place which is not read, is not known: it never counts as healthy.
func TestRequiredFromOtherSources(t *testing.T) {
	env := loaded(t, "dev")
	key := env.SecretKeys()[0]
	shelf := parseSecretValues(&configSecret{text: `{"SUBGRAPH_API_URL":"https://x","SENTRY_DSN":"https://k@x/1","NODE_ENV":"x"}`}, nil, env)
	for _, valueFrom := range []string{"arn:aws:ssm:us-east-1:1:parameter/x", configARN + ":" + key + ":AWSPREVIOUS:", configARN + ":" + key + "::0-1"} {
		all, _ := resolve(apiContainer(env, referring(valueFrom)), shelf, env, true)
		findings := evaluateContainer(Container{Service: "s", Container: "c", Variables: all}, env)
		require.Len(t, findings, 1, valueFrom)
		require.Equal(t, Unknown, findings[0].Status)
		require.Equal(t, "VariablesNotRead", findings[0].Reason)
		require.Contains(t, findings[0].Message, key)
	}
}

// A key that entrypoint would fetch from a secret that this program may not read is not known to be missing.
func TestRequiredAtStartFromAnUnreadableSecret(t *testing.T) {
	env := loaded(t, "dev")
	container := apiContainer(env, func(c *ecstypes.ContainerDefinition) { c.Secrets = nil })
	all, _ := resolve(container, parseSecretValues(nil, errors.New("denied"), env), env, true)
	findings := evaluateContainer(Container{Service: "s", Container: "c", Variables: all}, env)
	require.Len(t, findings, 1)
	requireUnknown(t, findings[0])
}

func requireUnknown(t *testing.T, f Finding) {
	t.Helper()
	require.Equal(t, Unknown, f.Status)
	require.Contains(t, f.Message, "NODE_ENV")
}

func TestValueIsMaskedInEveryForm(t *testing.T) {
	v := Value{"hunter2", true}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		require.NotContains(t, fmt.Sprintf(verb, v), "hunter2", verb)
		require.NotContains(t, fmt.Sprintf(verb, struct{ V Value }{v}), "hunter2", verb)
		require.NotContains(t, fmt.Sprintf(verb, &v), "hunter2", verb)
	}
	encoded, err := json.Marshal(map[string]any{"v": v, "p": &v})
	require.NoError(t, err)
	require.JSONEq(t, `{"v":"********","p":"********"}`, string(encoded))
	require.Equal(t, "hunter2", v.Unmasked().String())
	require.Empty(t, Value{sensitive: true}.String(), "that there is nothing is no secret")
}

func TestDifferencesFromTheProgram(t *testing.T) {
	env := loaded(t, "dev")
	require.Empty(t, differences("program", definedVariables(apiContainer(env, nil), env), expectedVariables(env)))
	require.Empty(t, differences("program", definedVariables(apiContainer(env, referring(configARN+":"+env.SecretKeys()[0]+":AWSCURRENT:")), env), expectedVariables(env)))
	changed := apiContainer(env, func(c *ecstypes.ContainerDefinition) {
		for name, value := range map[string]string{
			"AWS_REGION": "eu-west-1", "BY_HAND": "x", "DATABASE_PORT": "5433", "DATABASE_CONNECTION_LIMIT": "99", "DATABASE_POOL_TIMEOUT": "99",
			"DATABASE_HOST": "", "NODE_ENV": "in plain view",
		} {
			setting(name, value)(c)
		}
		c.Secrets = []ecstypes.Secret{
			{Name: aws.String("SENTRY_DSN"), ValueFrom: aws.String(strings.ReplaceAll(configARN, "-dev-", "-staging-") + ":SENTRY_DSN::")},
			{Name: aws.String("DATABASE_SECRET_ARN"), ValueFrom: aws.String(configARN + ":DATABASE_SECRET_ARN::")},
		}
	})
	require.Equal(t, []Difference{
		{"program", "AWS_REGION", "changed"}, {"program", "BY_HAND", "added"}, {"program", "DATABASE_CONNECTION_LIMIT", "changed"},
		{"program", "DATABASE_HOST", "changed"}, {"program", "DATABASE_POOL_TIMEOUT", "changed"}, {"program", "DATABASE_PORT", "changed"},
		{"program", "DATABASE_SECRET_ARN", "changed"}, {"program", "NODE_ENV", "changed"}, {"program", "SENTRY_DSN", "changed"},
		{"program", "SUBGRAPH_API_URL", "removed"},
	}, differences("program", definedVariables(changed, env), expectedVariables(env)))
}

func TestDifferencesFromRevisions(t *testing.T) {
	const family = "arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-development-api:"
	const name = "v3-backend-development-api:"
	for title, test := range map[string]struct {
		deployed string
		calls    int
		want     []Difference
	}{
		"not known":     {"", 2, []Difference{{name + "9", "BY_HAND", "removed"}}},
		"what runs":     {name + "7", 2, []Difference{{name + "9", "BY_HAND", "removed"}}},
		"the latest":    {family + "9", 2, []Difference{{name + "9", "BY_HAND", "removed"}}},
		"neither":       {name + "8", 3, []Difference{{name + "9", "BY_HAND", "removed"}, {name + "8", "AWS_REGION", "changed"}}},
		"deleted since": {name + "6", 3, []Difference{{name + "9", "BY_HAND", "removed"}}},
	} {
		t.Run(title, func(t *testing.T) {
			env := loaded(t, "dev")
			calls := 0
			rc := readingFrom(t, func(in any) (any, error) {
				asked, ok := in.(*ecs.DescribeTaskDefinitionInput)
				if !ok {
					return nil, unanswered(in)
				}
				calls++
				revision := map[string]struct {
					number string
					change func(*ecstypes.ContainerDefinition)
				}{
					family + "7": {"7", nil}, name + "8": {"8", setting("AWS_REGION", "eu-west-1")}, "v3-backend-development-api": {"9", setting("BY_HAND", "x")},
				}[aws.ToString(asked.TaskDefinition)]
				if revision.number == "" {
					return nil, &smithy.GenericAPIError{Code: "ClientException", Message: "Unable to describe task definition."}
				}
				return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: &ecstypes.TaskDefinition{
					TaskDefinitionArn: aws.String(family + revision.number), ContainerDefinitions: []ecstypes.ContainerDefinition{*apiContainer(env, revision.change)},
				}}, nil
			})
			containers, err := serviceReader{
				runContext: rc, role: environment.API, service: &ecstypes.Service{TaskDefinition: aws.String(family + "7")},
				deployed: test.deployed, secret: parseSecretValues(nil, nil, env),
			}.read(t.Context())
			require.NoError(t, err)
			require.Len(t, containers, 1)
			require.Equal(t, test.want, containers[0].Differences)
			require.Equal(t, awsx.NameFromARN(test.deployed), containers[0].Deployed)
			require.Equal(t, test.calls, calls)
		})
	}
}

func TestCompare(t *testing.T) {
	container := func(variables ...Variable) Inspection {
		return Inspection{Environment: "e", Containers: []Container{{Role: "api", Container: "balancer-api", Variables: variables}}}
	}
	secret := func(name, value string) Variable {
		return Variable{Name: name, Value: Value{value, true}, State: Set}
	}
	plain := Variable{Name: "PLAIN", Value: Public("a"), State: Set}
	unread := Variable{Name: "UNREAD", State: Unread}
	whole := Variable{Name: "WHOLE", State: WholeSecret, Origin: FromReference}
	foreign := Variable{Name: "FOREIGN", State: Foreign, Origin: FromReference}
	missing := Variable{Name: "GONE", State: "missing", Required: true}
	compared := Compare(
		container(secret("A", "hunter2"), secret("B", "hunter2"), secret("C", "hunter2"), plain, unread, missing, whole, foreign),
		container(secret("A", "hunter2"), secret("B", "hunter3"), secret("D", "hunter2"), plain, unread, secret("GONE", "hunter2"), whole, foreign))
	got := map[string]ComparisonResult{}
	for _, v := range compared.Containers[0].Variables {
		got[v.Name] = v.Result
	}
	require.Equal(t, map[string]ComparisonResult{
		"A": Equal, "B": Different, "C": OnlyHere, "D": OnlyThere, "PLAIN": Equal, "UNREAD": NotKnown, "GONE": OnlyThere, "WHOLE": NotKnown, "FOREIGN": NotKnown,
	}, got)
	require.NotContains(t, asText(t, compared), "hunter")
}

func TestSecretProblemsOfOtherKeys(t *testing.T) {
	env := loaded(t, "dev")
	env.Configuration.Optional = []string{"LOG_LEVEL", "OTHER_URL"}
	values := map[string]string{
		"NODE_ENV": "x", "SENTRY_DSN": "https://a@b/1", "SUBGRAPH_API_URL": "https://a",
		"LOG_LEVEL": "", "OTHER_URL": "hunter2", "AWS_REGION": "x", "SENTRI_DSN": "x", "FEATURE": "changeme", "OFF_URL": "",
		"DATABASE_URL": "postgresql://u:hunter2@v3-backend-staging-db.x.us-east-1.rds.amazonaws.com/b",
	}
	problems := SecretProblems(&configuration.Settings{Values: values}, env, SecretUse{})
	var kinds []string
	for _, p := range problems {
		kinds = append(kinds, fmt.Sprintf("%s %s %v", p.Key, string(p.Kind), p.Stops))
	}
	require.Equal(t, []string{
		"AWS_REGION shadowed false", "DATABASE_URL foreign true", "FEATURE placeholder false", "FEATURE unknown false", "OFF_URL unknown false",
		"OTHER_URL malformed false", "SENTRI_DSN malformed false", "SENTRI_DSN unknown false",
	}, kinds)
	require.NotContains(t, asText(t, problems), "hunter2")
	text, err := json.Marshal(values)
	require.NoError(t, err)
	requireVerdict(t, verdict{Error, "SecretOfAnotherEnvironment", "DATABASE_URL refers to the database of staging"},
		evaluateSecret(&configSecret{text: string(text)}, env, SecretUse{}))
	delete(values, "DATABASE_URL")
	text, err = json.Marshal(values)
	require.NoError(t, err)
	requireVerdict(t, verdict{Warning, "SecretKeysUnset", "OTHER_URL is not a URL: "},
		evaluateSecret(&configSecret{text: string(text)}, env, SecretUse{}))
	delete(values, "OTHER_URL")
	delete(values, "FEATURE")
	values["SENTRI_DSN"] = "https://a@b/1"
	text, err = json.Marshal(values)
	require.NoError(t, err)
	requireVerdict(t, verdict{Warning, "SecretKeysWithoutEffect", "SENTRI_DSN is not known"}, evaluateSecret(&configSecret{text: string(text)}, env, SecretUse{}))
}

// A key that must go is never to be set: the remedy names the key and deletes it, also beside a key that is missing.
func TestRemedyOfKey(t *testing.T) {
	env := loaded(t, "dev")
	for name, test := range map[string]struct {
		key, sentry, remedy string
	}{
		"a loader's":           {"LD_PRELOAD", "https://a@b/1", "delete it with `deployer secrets set LD_PRELOAD --env dev --delete`, and set the variable in the image with ENV"},
		"one missing as well":  {"NODE_OPTIONS", "", "delete it with `deployer secrets set NODE_OPTIONS --env dev --delete`, and set the variable in the image with ENV"},
		"without effect":       {"DATABASE_HOST", "https://a@b/1", "delete it with `deployer secrets set DATABASE_HOST --env dev --delete`, which changes nothing for the containers; Pulumi.dev.yaml has what the program sets"},
		"not known":            {"UNKNOWN", "https://a@b/1", "delete it with `deployer secrets set UNKNOWN --env dev --delete`, or list it in configuration.optional of Pulumi.dev.yaml"},
		"required, incomplete": {"SUBGRAPH_API_URL", "https://a@b", "set it with `deployer secrets set SUBGRAPH_API_URL --env dev`; tasks read it when they start"},
	} {
		t.Run(name, func(t *testing.T) {
			values := map[string]string{"NODE_ENV": "x", "SENTRY_DSN": test.sentry, "SUBGRAPH_API_URL": "https://a"}
			if values[test.key] = "x"; strings.HasSuffix(test.key, "_URL") {
				values[test.key] = "changeme"
			}
			problems := SecretProblems(&configuration.Settings{Values: values}, env, SecretUse{})
			of := list.Find(problems, func(p KeyProblem) bool { return p.Key == test.key })
			require.NotNil(t, of)
			require.Equal(t, test.remedy, of.Remedy(env))
			if _, hint := worstReason(problems, env); of.Kind == LoaderKey {
				require.Equal(t, "deployer secrets set "+test.key+" --env dev --delete", hint.Command)
			}
		})
	}
}

// Preflight goes by whether a problem stops, status, validate and secrets check by the finding: what the first lets pass
// the last phase of the same deployment must not fail at.
func TestSecretStopsWherePreflightDoes(t *testing.T) {
	env := loaded(t, "dev")
	env.Configuration.Optional = []string{"OTHER_URL"}
	const proxy = "postgresql://u:hunter2@v3-backend-production-proxy.proxy-x.us-east-1.rds.amazonaws.com/b"
	for name, test := range map[string]struct {
		key, value string
		want       Status
	}{
		"required, empty":              {"NODE_ENV", "", Error},
		"required, a placeholder":      {"NODE_ENV", "changeme", Error},
		"required, no URL":             {"SENTRY_DSN", "hunter2", Error},
		"required, like a placeholder": {"SUBGRAPH_API_URL", "https://api.example.com/v1/users/{user_id}", Warning},
		"required, an incomplete DSN":  {"SENTRY_DSN", "https://sentry.io", Warning},
		"required, padded":             {"NODE_ENV", "x ", Warning},
		"optional, empty":              {"OTHER_URL", "", Healthy},
		"optional, a placeholder":      {"OTHER_URL", "https://your-host/", Warning},
		"optional, no URL":             {"OTHER_URL", "hunter2", Warning},
		"optional, foreign":            {"OTHER_URL", proxy, Error},
		"not known":                    {"UNKNOWN", "x", Warning},
		"not known, no URL":            {"UNKNOWN_URL", "hunter2", Warning},
		"not known, foreign":           {"UNKNOWN", proxy, Error},
		"without effect":               {"DATABASE_HOST", "changeme", Warning},
		"for a loader":                 {"LD_PRELOAD", "/tmp/x.so", Error},
		"for a loader, empty":          {"NODE_OPTIONS", "", Error},
		"DATABASE_URL, empty":          {"DATABASE_URL", "", Healthy},
		"DATABASE_URL, placeholder":    {"DATABASE_URL", "postgresql://u:changeme@h/b", Error},
	} {
		t.Run(name, func(t *testing.T) {
			values := map[string]string{"NODE_ENV": "x", "SENTRY_DSN": "https://a@b/1", "SUBGRAPH_API_URL": "https://a"}
			values[test.key] = test.value
			problems := SecretProblems(&configuration.Settings{Values: values}, env, SecretUse{})
			text, err := json.Marshal(values)
			require.NoError(t, err)
			require.Equal(t, test.want, evaluateSecret(&configSecret{text: string(text)}, env, SecretUse{}).Status)
			require.Equal(t, test.want == Error, slices.ContainsFunc(problems, func(p KeyProblem) bool { return p.Stops }))
			require.Equal(t, test.want != Healthy, len(problems) > 0)
			require.NotContains(t, asText(t, problems), "hunter2")
		})
	}
}

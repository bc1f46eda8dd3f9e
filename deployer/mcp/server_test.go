package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/google/jsonschema-go/jsonschema"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
	"github.com/tiktoken-go/tokenizer"

	"github.com/balancer/v3-backend-infra/deployer/hint"
)

// returns returns a function for a tool, with a fixed result.
func returns[In, Out any](doc *Out, err error) func(context.Context, In) (*Out, error) {
	return func(context.Context, In) (*Out, error) { return doc, err }
}

// functions returns documents with whatever fill puts into them.
func functions(fill func(any)) Functions {
	var (
		status  Status
		health  Health
		drift   Drift
		preview Preview
		history History
		tasks   Tasks
		logs    Logs
		images  Images
		vars    Vars
		cost    Cost
		outputs Outputs
		lock    Lock
	)
	for _, doc := range []any{&status, &health, &drift, &preview, &history, &tasks, &logs, &images, &vars, &cost, &outputs, &lock} {
		fill(doc)
	}
	return Functions{
		Status: returns[StatusArguments](&status, nil), Health: returns[EnvironmentArguments](&health, nil),
		Drift: returns[DriftArguments](&drift, nil), Preview: returns[PreviewArguments](&preview, nil),
		History: returns[HistoryArguments](&history, nil), Tasks: returns[TasksArguments](&tasks, nil),
		Logs: returns[LogsArguments](&logs, nil), Images: returns[ImagesArguments](&images, nil),
		Vars: returns[VarsArguments](&vars, nil), Cost: returns[CostArguments](&cost, nil),
		Outputs: returns[OutputsArguments](&outputs, nil), Lock: returns[EnvironmentArguments](&lock, nil),
	}
}

// empty leaves documents as they are.
func empty(any) {}

// connect returns a client of a server over the SDK's transport in memory.
func connect(t *testing.T, o Options, f Functions) *sdk.ClientSession {
	server, err := NewServer(o, f)
	require.NoError(t, err)
	ours, theirs := sdk.NewInMemoryTransports()
	ended := make(chan error, 1)
	go func() { ended <- server.Run(context.WithoutCancel(t.Context()), ours) }()
	session, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), theirs, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, session.Close())
		require.NoError(t, <-ended)
	})
	return session
}

var options = Options{
	Version: "1", Environments: []string{"dev", "staging"}, Components: []string{"vpc", "ecs_service"},
	Services: []string{"api", "worker"}, Tasks: []string{"api", "worker", "migration"}, Sources: []string{"api", "worker", "migration", "xray"},
}

// call calls a tool, and returns its text.
func call(t *testing.T, s *sdk.ClientSession, tool string, arguments map[string]any) (*sdk.CallToolResult, string) {
	result, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: tool, Arguments: arguments})
	require.NoError(t, err)
	require.Len(t, result.Content, 1)
	return result, result.Content[0].(*sdk.TextContent).Text
}

func TestToolsOnlyReadAndDescribeThemselves(t *testing.T) {
	list, err := connect(t, options, functions(empty)).ListTools(t.Context(), nil)
	require.NoError(t, err)
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
		require.True(t, tool.Annotations.ReadOnlyHint, tool.Name)
		require.False(t, *tool.Annotations.DestructiveHint, tool.Name)
		require.NotEmpty(t, tool.Title)
		require.NotEmpty(t, tool.Description)
		require.NotContains(t, asJSON(t, tool), `"null"`, "%s: some clients accept one type only", tool.Name)

		input, output := tool.InputSchema.(map[string]any), tool.OutputSchema.(map[string]any)
		require.Equal(t, "object", output["type"])
		require.Equal(t, false, input["additionalProperties"])
		require.Contains(t, input["required"], "env")
		for name, property := range input["properties"].(map[string]any) {
			require.NotEmpty(t, property.(map[string]any)["description"], "%s: %s", tool.Name, name)
		}
	}
	require.Equal(t, Tools(), names)
	require.ElementsMatch(t, []string{
		"status", "health", "drift", "preview", "history", "tasks", "logs", "images", "vars", "cost", "outputs", "lock",
	}, names)
}

func TestArgumentsAreValidated(t *testing.T) {
	fixed := options
	fixed.Environments = []string{"staging"}
	for _, test := range []struct {
		options   Options
		tool      string
		arguments map[string]any
		// want is part of the error; "" where the arguments are valid.
		want string
	}{
		{options, "status", map[string]any{"env": "dev"}, ""},
		{options, "status", nil, `required: missing properties: ["env"]`},
		{options, "status", map[string]any{"env": "production"}, "enum: production does not equal any of: [dev staging]"},
		{options, "status", map[string]any{"env": "dev", "only": []string{"vps"}}, "enum: vps does not equal any of"},
		{options, "status", map[string]any{"env": "dev", "no_mask": true}, `unexpected additional properties ["no_mask"]`},
		{options, "tasks", map[string]any{"env": "dev", "service": []string{"xray"}}, "enum: xray does not equal any of"},
		{options, "logs", map[string]any{"env": "dev", "service": []string{"xray"}}, ""},
		{options, "history", map[string]any{"env": "dev", "limit": 0}, "is less than 1"},
		{options, "history", map[string]any{"env": "dev", "limit": 1, "offset": 1}, "offset 1: the list of deployments has 0"},
		{options, "history", map[string]any{"env": "dev", "id": "20261130-191128-7b63"}, ""},
		{options, "history", map[string]any{"env": "dev", "id": "../staging/20261130-191128-7b63"}, "does not match"},
		{options, "history", map[string]any{"env": "dev", "id": "20261130-191128-7b63\x00"}, "does not match regular expression"},
		{options, "tasks", map[string]any{"env": "dev", "service": []string{"api", "api"}}, "are equal"},
		{options, "logs", map[string]any{"env": "dev", "service": []string{"api", "worker", "api"}}, "are equal"},
		{options, "vars", map[string]any{"env": "dev", "service": []string{"api", "api"}}, "are equal"},
		{options, "vars", map[string]any{"env": "dev", "only": []string{"*"}}, ""},
		{fixed, "status", nil, ""},
		{fixed, "status", map[string]any{"env": "dev"}, `unexpected additional properties ["env"]`},
	} {
		result, text := call(t, connect(t, test.options, functions(empty)), test.tool, test.arguments)
		require.Equal(t, test.want != "", result.IsError, "%s %v: %s", test.tool, test.arguments, text)
		var got failure
		require.NoError(t, yaml.Unmarshal([]byte(text), &got))
		require.Contains(t, got.Error, test.want)
		require.Equal(t, result.IsError, got.Hint != "", "%s %v: %s", test.tool, test.arguments, text)
	}
}

// What a client sends is repeated in part, whichever check rejects it.
func TestRejectedArgumentsAreShort(t *testing.T) {
	long, fixed, f := strings.Repeat("x\"1é", 15_000), options, functions(empty)
	fixed.Environments = []string{"staging"}
	f.Logs = func(_ context.Context, in LogsArguments) (*Logs, error) {
		return nil, hint.With(errors.New(in.Since+" is not a time"), "give 2h instead of "+in.Since)
	}
	many := map[string]any{"env": "dev"}
	for i := range 3000 {
		many[strings.Repeat("y", i)] = long[:10]
	}
	again := func(tool string) []Call { return []Call{{tool, map[string]any{"env": "dev"}}} }
	inDev := func(name string, value any) map[string]any { return map[string]any{"env": "dev", name: value} }
	huge := json.RawMessage(`{"env":"dev","limit":` + strings.Repeat("9", 60_000) + `}`)
	for name, test := range map[string]struct {
		options   Options
		tool      string
		arguments any
		want      failure
	}{
		"not in the enum": {options, "status", inDev("only", []string{long}), failure{
			"does not equal any of: [vpc ecs_service]", "arguments of status are env, limit, offset, only; its schema has", again("status"),
		}},
		"fixed environment": {fixed, "status", map[string]any{"only": []string{long}}, failure{
			"does not equal any of: [vpc", "the arguments of status are limit, offset, only", []Call{{"status", nil}},
		}},
		"environment":      {options, "tasks", map[string]any{"env": long}, failure{"equal any of: [dev staging]", "are env, limit", nil}},
		"pattern":          {options, "history", inDev("id", long), failure{"does not match", "are env, id", again("history")}},
		"unknown argument": {options, "lock", inDev(long, 1), failure{"unexpected additional", "are env;", again("lock")}},
		"many":             {options, "lock", many, failure{"unexpected additional", "are env;", again("lock")}},
		"none": {fixed, "lock", map[string]any{long: long}, failure{
			"unexpected additional", "lock has no arguments", []Call{{"lock", nil}},
		}},
		"type":           {options, "cost", inDev("only", inDev(long, long)), failure{`has type "object"`, "are env,", again("cost")}},
		"list":           {options, "cost", []string{long}, failure{"cannot unmarshal", "are env,", nil}},
		"text":           {options, "cost", long, failure{"cannot unmarshal", "are env,", nil}},
		"number":         {options, "cost", huge, failure{"", "are env,", again("cost")}},
		"the tool's own": {options, "logs", inDev("since", long), failure{"x", "give 2h", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			params := &sdk.CallToolParams{Name: test.tool, Arguments: test.arguments}
			result, err := connect(t, test.options, f).CallTool(t.Context(), params)
			require.NoError(t, err)
			require.True(t, result.IsError)
			text := result.Content[0].(*sdk.TextContent).Text
			requireSameInBothForms(t, result, text)
			require.Less(t, len(text), 4000)
			var got failure
			require.NoError(t, yaml.Unmarshal([]byte(text), &got), text)
			require.Contains(t, got.Error, test.want.Error)
			require.Contains(t, got.Hint, test.want.Hint)
			require.Equal(t, test.want.Next, got.Next)
		})
	}
}

func TestAnUnknownToolIsNamed(t *testing.T) {
	params := &sdk.CallToolParams{Name: strings.Repeat("statos", 10_000)}
	_, err := connect(t, options, functions(empty)).CallTool(t.Context(), params)
	require.ErrorContains(t, err, `unknown tool "statos`)
	require.ErrorContains(t, err, "the tools are cost, drift,")
	require.Less(t, len(err.Error()), 500)
}

// Errors that a command prints for a person name arguments instead of flags; commands stay as they are.
func TestErrorsNameArguments(t *testing.T) {
	r := &registry{arguments: map[string][]string{
		"logs": {"env", "filter", "limit", "service", "since", "until"},
		"vars": {"env", "only", "service"}, "preview": {"image_tag"},
	}}
	for _, test := range []struct{ tool, text, want string }{
		{"logs", `--since "abc" is not a time`, `since "abc" is not a time`},
		{"logs", "there is no time between --since 1h and --until (now)", "there is no time between since 1h and until (now)"},
		{"logs", "`deployer logs --since 24h`, or a later --since", "`deployer logs --since 24h`, or a later since"},
		{"logs", "deployer logs --since 24h", "deployer logs --since 24h"},
		{"logs", "--filter: a", "filter: a"},
		{"vars", `--filter: "[" is not a pattern`, `only: "[" is not a pattern`},
		{"vars", "--service: dev has no service", "service: dev has no service"},
		{"vars", "leave --no-mask out", "leave --no-mask out"},
		{"preview", "--image-tag x: no such image", "image_tag x: no such image"},
		{"preview", "x--image-tag, --image-tags, ---", "x--image-tag, --image-tags, ---"},
		{"lock", "--since", "--since"},
		{"preview", "run it again with a longer --timeout", "run it again with a longer --timeout of the server"},
		{"vars", "name a profile with --profile", "name a profile with --profile of the server"},
		{"preview", "with --timeout 5m or --region=us-east-1, and again", "with --timeout 5m of the server or --region=us-east-1 of the server, and again"},
		{"status", "aws ecs --region us-east-1 list-tasks --local", "aws ecs --region us-east-1 list-tasks --local"},
		{"vars", "`deployer vars --profile me`", "`deployer vars --profile me`"},
	} {
		require.Equal(t, test.want, r.withArguments(test.tool, test.text))
	}
	f := functions(empty)
	noTime := hint.With(errors.New("--since x is not a time"), "give --since 2h, or `deployer logs --since 3h`")
	f.Logs = returns[LogsArguments]((*Logs)(nil), noTime)
	f.Vars = returns[VarsArguments](&Vars{Notes: Notes{Warnings: []string{"--filter: nothing matches"}}}, nil)
	_, text := call(t, connect(t, options, f), "logs", map[string]any{"env": "dev"})
	require.Contains(t, text, "since x is not a time")
	require.Contains(t, text, "give since 2h, or `deployer logs --since 3h`")
	require.NotContains(t, text, "--since x")
	_, text = call(t, connect(t, options, f), "vars", map[string]any{"env": "dev"})
	require.Contains(t, text, "only: nothing matches")

	advice := "see --only, --limit and --timeout, or `deployer status --only vpc`"
	const want = "see only, limit and --timeout of the server, or `deployer status --only vpc`"
	findings := []Finding{{Status: "unknown", Hint: &Hint{Cause: advice, Solution: advice, Command: "deployer status --only vpc"}}}
	f.Status = returns[StatusArguments](&Status{Findings: findings}, nil)
	f.Drift = returns[DriftArguments](&Drift{Remedies: []string{advice}, Error: advice}, nil)
	probe := Probe{Problem: &Problem{"DNS", advice, advice}, Warnings: []Problem{{"TLS", advice, advice}}}
	f.Health = returns[EnvironmentArguments](&Health{Probes: []Probe{probe}}, nil)
	for tool, times := range map[string]int{"status": 2, "drift": 2, "health": 4} {
		_, text = call(t, connect(t, options, f), tool, map[string]any{"env": "dev"})
		got := want
		if tool == "health" { // which has neither argument
			got = "see --only, --limit and --timeout of the server, or `deployer status --only vpc`"
		}
		require.Equal(t, times, strings.Count(text, got), text)
	}
}

func TestFixedEnvironmentIsPassed(t *testing.T) {
	fixed, f := options, functions(empty)
	fixed.Environments = []string{"staging"}
	var got StatusArguments
	f.Status = func(_ context.Context, in StatusArguments) (*Status, error) {
		got = in
		return &Status{}, nil
	}
	call(t, connect(t, fixed, f), "status", map[string]any{"only": []string{"vpc"}})
	require.Equal(t, StatusArguments{Target: Target{"staging"}, Only: []string{"vpc"}}, got)
}

// An error is a result that the model reads, with its hint and the calls that the hint stands for.
func TestErrorsAreResults(t *testing.T) {
	f := functions(empty)
	f.Tasks = returns[TasksArguments]((*Tasks)(nil), hint.With(errors.New("the cluster does not exist"),
		"`deployer status --env dev --local` shows what exists, `deployer up --env dev` deploys"))
	result, text := call(t, connect(t, options, f), "tasks", map[string]any{"env": "dev"})
	require.True(t, result.IsError)
	requireSameInBothForms(t, result, text)
	var got failure
	require.NoError(t, yaml.Unmarshal([]byte(text), &got))
	require.Equal(t, failure{
		"the cluster does not exist", "`deployer status --env dev --local` shows what exists, `deployer up --env dev` deploys",
		[]Call{{"status", map[string]any{"env": "dev"}}},
	}, got)

	f.Tasks = returns[TasksArguments]((*Tasks)(nil), errors.New(strings.Repeat("the engine printed a lot: ", 5000)))
	result, text = call(t, connect(t, options, f), "tasks", map[string]any{"env": "dev"})
	require.Contains(t, text, "the engine printed a lot")
	requireSameInBothForms(t, result, text)
}

// The schema of a tool's results, as a client reads it, has its documents and its errors, and no part of a document:
// clients reject structured content that does not conform, and would report that instead of the error.
func TestErrorsConformToTheSchema(t *testing.T) {
	s := connect(t, options, functions(fillWith(rand.New(rand.NewPCG(1, 15)), 2)))
	listed, err := s.ListTools(t.Context(), nil)
	require.NoError(t, err)
	require.NotEmpty(t, listed.Tools)
	for _, tool := range listed.Tools {
		var schema jsonschema.Schema
		require.NoError(t, json.Unmarshal([]byte(asJSON(t, tool.OutputSchema)), &schema))
		require.Equal(t, "object", schema.Type, "the protocol requires it")
		resolved, err := schema.Resolve(nil)
		require.NoError(t, err)
		for _, arguments := range []map[string]any{{"env": "dev"}, {"env": "nowhere"}, {"env": "dev", "sideways": true}} {
			result, text := call(t, s, tool.Name, arguments)
			require.Equal(t, len(arguments) > 1 || arguments["env"] != "dev", result.IsError, text)
			require.NoError(t, resolved.Validate(result.StructuredContent), "%s: %s", tool.Name, text)
		}
		for _, invalid := range []map[string]any{{}, {"hint": "try again"}, {"error": "denied", "sideways": true}, {"error": 1}} {
			require.Error(t, resolved.Validate(invalid), "%s: %v", tool.Name, invalid)
		}
	}
}

// Two calls never run at the same time: the engine and the simulated account serve one.
func TestOneCallAtATime(t *testing.T) {
	f := functions(empty)
	running, finish := make(chan struct{}, 2), make(chan struct{})
	f.Lock = func(ctx context.Context, _ EnvironmentArguments) (*Lock, error) {
		running <- struct{}{}
		select {
		case <-finish:
		case <-ctx.Done():
		}
		return &Lock{}, ctx.Err()
	}
	s := connect(t, options, f)
	ended := make(chan error, 2)
	first, cancel := context.WithCancel(t.Context())
	start := func(ctx context.Context) {
		go func() {
			_, err := s.CallTool(ctx, &sdk.CallToolParams{Name: "lock", Arguments: map[string]any{"env": "dev"}})
			ended <- err
		}()
	}
	start(first)
	<-running
	start(t.Context())
	select {
	case <-running:
		t.Fatal("the second call runs beside the first")
	case err := <-ended:
		t.Fatal("a call has ended", err)
	default:
	}
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	<-running // the cancelled call has ended
	close(finish)
	require.NoError(t, <-ended)
}

// hostile returns a text that YAML has to quote, that a tokenizer splits into many tokens, or that is long.
func hostile(r *rand.Rand) string {
	parts := []string{
		"plain text ", "a: b", "- x", "*alias &anchor !tag", "[a, {b}]", "# no comment", "'\"`",
		"\n", "\t", "null", "true", "1e3", "0x10", "é", "漢字", "🧨",
		"sha256:5cb5385d137731b4162ce5437099a60f", "SGVsbG8gd29ybGQh", "\u0000", "\u2028", "\\", " ", "----", "%", "@", "|", ">", "~",
	}
	var b strings.Builder
	for range r.IntN(40) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

// fillWith returns a function that fills documents with lists of up to a length.
func fillWith(r *rand.Rand, items int) func(any) {
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				if !slices.Contains([]string{"Next", "Truncated"}, v.Type().Field(i).Name) {
					fill(v.Field(i))
				}
			}
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), r.IntN(items+1), items+1))
			for i := range v.Len() {
				fill(v.Index(i))
			}
		case reflect.String:
			v.SetString(hostile(r))
		case reflect.Int:
			v.SetInt(r.Int64N(1000))
		case reflect.Float64:
			v.SetFloat(float64(r.IntN(1000)) / 4)
		case reflect.Bool:
			v.SetBool(r.IntN(2) == 0)
		case reflect.Interface:
			lines := []any{hostile(r), hostile(r), hostile(r)}
			v.Set(reflect.ValueOf([]any{hostile(r), 1.5, map[string]any{"key": hostile(r), "lines": lines}}))
		case reflect.Map:
			v.Set(reflect.MakeMap(v.Type()))
			for _, key := range []string{"HIGH", "LOW"} {
				value := reflect.New(v.Type().Elem()).Elem()
				fill(value)
				v.SetMapIndex(reflect.ValueOf(key), value)
			}
		}
	}
	return func(doc any) { fill(reflect.ValueOf(doc).Elem()) }
}

// Whatever a tool returns, its text and its structured content are the same document, it is valid, and it has at most MaxTokens.
func TestEveryResultIsBoundedAndTheSameInBothForms(t *testing.T) {
	for seed, items := range []int{0, 2, 25} {
		r := rand.New(rand.NewPCG(uint64(seed), 15))
		s := connect(t, options, functions(fillWith(r, items)))
		for _, tool := range Tools() {
			result, text := call(t, s, tool, map[string]any{"env": "dev"})
			if result.IsError {
				t.Fatalf("%s: %s", tool, text)
			}
			requireSameInBothForms(t, result, text)
			require.True(t, utf8.ValidString(text))
		}
	}
}

// requireSameInBothForms requires the text and the structured content of a result to be the same document, of at most MaxTokens
// together.
func requireSameInBothForms(t *testing.T, result *sdk.CallToolResult, text string) {
	var read any
	require.NoError(t, yaml.Unmarshal([]byte(text), &read), text)
	require.JSONEq(t, asJSON(t, result.StructuredContent), asJSON(t, read), text)
	requireShort(t, asJSON(t, result))
}

func asJSON(t *testing.T, value any) string {
	encoded, err := json.Marshal(value)
	require.NoError(t, err)
	return string(encoded)
}

// vocabularies returns those of the other tests of reports.
func vocabularies(t *testing.T) []tokenizer.Codec {
	var found []tokenizer.Codec
	for _, encoding := range []tokenizer.Encoding{tokenizer.Cl100kBase, tokenizer.O200kBase} {
		codec, err := tokenizer.Get(encoding)
		require.NoError(t, err)
		found = append(found, codec)
	}
	return found
}

// requireShort requires a text to have at most MaxTokens.
func requireShort(t *testing.T, text string) {
	for _, codec := range vocabularies(t) {
		n, err := codec.Count(text)
		require.NoError(t, err)
		require.LessOrEqual(t, n, MaxTokens, "%s: %s", codec.GetName(), text)
	}
}

// The package is given what it reads: nothing that it imports, however deep, can change an environment or even reach AWS.
func TestImportsNothingThatChanges(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	for _, imported := range strings.Fields(string(out)) {
		if ours, found := strings.CutPrefix(imported, "github.com/balancer/v3-backend-infra/"); found {
			require.Contains(t, []string{"deployer/mcp", "deployer/hint", "internal/lazyregexp"}, ours)
		}
		for _, forbidden := range []string{"github.com/aws/", "github.com/pulumi/", "github.com/urfave/cli"} {
			require.False(t, strings.HasPrefix(imported, forbidden), imported)
		}
	}
}

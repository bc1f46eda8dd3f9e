package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/goccy/go-yaml"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	"github.com/tiktoken-go/tokenizer"

	"github.com/balancer/v3-backend-infra/deployer/mcp"
)

// maxDiagnosis declares how many calls find the cause of a fault.
const maxDiagnosis = 5

// causes has, for each fault, what names its cause. Those of a deployment are diagnosed after it failed, by scripts.
var causes = map[string]string{
	"secret-key-missing":   `refers to keys that the secret balancer-staging-config does not have`,
	"database-unavailable": `v3-backend-staging-db is storage-full|the storage is used up`,
	"certificate-expired":  `ACM could not renew it`,
	"not-delegated":        `enter the zone's name servers at the registrar`,
	"dead-letters":         `messages failed as often as the queue allows`,
	"port-open":            `a rule was added outside the deployer`,
	"drift":                `retentionInDays`,

	"provision-fails":    `InsufficientDBInstanceCapacity`,
	"migration-fails":    `column ."?chain."? of relation .*already exists`,
	"task-crash":         `Error: Cannot find module|exit code 1 \(application error\)`,
	"targets-unhealthy":  `the task failed the load balancer's health check`,
	"image-pull-error":   `CannotPullContainerError`,
	"task-out-of-memory": `Reached heap limit|ran out of memory`,
	"rollout-stuck":      `waiting for the leader's lock`,
	"no-capacity":        `Capacity is unavailable|has no capacity`,

	"late-errors":    `Cannot read properties of undefined`,
	"memory-leak":    `Reached heap limit|ran out of memory`,
	"slow-responses": `slow query`,
}

// connectTo starts the real binary as a server, and returns the SDK's client of it.
func connectTo(ctx context.Context, cmd *exec.Cmd) (*sdk.ClientSession, error) {
	return sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(ctx, &sdk.CommandTransport{Command: cmd}, nil)
}

// An answered call, with its document as text, and the calls that this suggests.
type answered struct {
	line, text string
	next       []mcp.Call
}

// ask calls a tool.
func ask(ctx context.Context, s *sdk.ClientSession, call mcp.Call) (answered, error) {
	result, err := s.CallTool(ctx, &sdk.CallToolParams{Name: call.Tool, Arguments: call.Arguments})
	if err != nil {
		return answered{}, err
	}
	arguments := []byte("{}")
	if len(call.Arguments) > 0 {
		if arguments, err = json.Marshal(call.Arguments); err != nil {
			return answered{}, err
		}
	}
	a := answered{line: call.Tool + " " + string(arguments), text: result.Content[0].(*sdk.TextContent).Text}
	var notes struct{ Next []mcp.Call }
	if err := yaml.Unmarshal([]byte(a.text), &notes); err != nil {
		return a, fmt.Errorf("%s is not YAML: %w\n%s", a.line, err, a.text)
	}
	a.next = notes.Next
	whole, err := json.Marshal(result)
	if err != nil {
		return a, err
	}
	for _, encoding := range []tokenizer.Encoding{tokenizer.Cl100kBase, tokenizer.O200kBase} {
		codec, err := tokenizer.Get(encoding)
		if err != nil {
			return a, err
		}
		if n, err := codec.Count(string(whole)); err != nil || n > mcp.MaxTokens {
			return a, fmt.Errorf("%s has %d tokens in %s: %w", a.line, n, encoding, err)
		}
	}
	return a, nil
}

// diagnose follows one rule: begin with status, then make the calls that the documents suggest, in their order, each once. It
// returns the calls up to the one whose document names the cause; an error where maxDiagnosis are not enough.
func diagnose(ctx context.Context, s *sdk.ClientSession, cause *regexp.Regexp) ([]answered, error) {
	var made []answered
	queue, seen := []mcp.Call{{Tool: "status"}}, map[string]bool{}
	for len(queue) > 0 && len(made) < maxDiagnosis {
		call := queue[0]
		queue = queue[1:]
		if key := fmt.Sprint(call); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		a, err := ask(ctx, s, call)
		if err != nil {
			return made, err
		}
		made = append(made, a)
		if cause.MatchString(a.text) {
			return made, nil
		}
		queue = append(queue, a.next...)
	}
	var texts []string
	for _, a := range made {
		texts = append(texts, "--- "+a.line+"\n"+a.text)
	}
	return made, fmt.Errorf("%d calls do not find %s:\n%s", len(made), cause, strings.Join(texts, "\n"))
}

// faultsOfStatus declares the faults that an environment has without a deployment.
var faultsOfStatus = []string{
	"secret-key-missing", "database-unavailable", "certificate-expired", "not-delegated", "dead-letters", "port-open", "drift",
}

// testDiagnosis finds the causes of faults that an environment has, with the real binary.
func (d deployed) testDiagnosis(t *testing.T) {
	for _, fault := range faultsOfStatus {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			d := d.copied(t)
			cmd := exec.Command("deployer", "mcp", "--env", "staging", "--local", "--fault", fault)
			cmd.Env = append(os.Environ(), "DEPLOYER_DIR="+d.root, "DEPLOYER_STATE_DIR="+d.dir)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			s, err := connectTo(t.Context(), cmd)
			require.NoError(t, err)
			_, err = diagnose(t.Context(), s, regexp.MustCompile(causes[fault]))
			require.NoError(t, err)
			require.NoError(t, s.Close())
			require.Empty(t, errs.String(), "a call prints nothing")
		})
	}
}

// diagnoses finds the cause of a fault of the deployment before: diagnoses FAULT.
func diagnoses(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || causes[args[0]] == "" {
		ts.Fatalf("usage: diagnoses FAULT, one of the table causes")
	}
	var made []answered
	inScript(ts, func(ctx context.Context, s *sdk.ClientSession) (err error) {
		made, err = diagnose(ctx, s, regexp.MustCompile(causes[args[0]]))
		return err
	})
	var lines []string
	for _, a := range made {
		lines = append(lines, recordID.ReplaceAllString(a.line, "ID"))
	}
	ts.Logf("%s", strings.Join(lines, "\n"))
	if args[0] != documentedFault {
		return
	}
	page, err := os.ReadFile(filepath.Join(ts.Getenv("ROOT"), "docs", "mcp.md"))
	ts.Check(err)
	var documented []string
	for _, m := range documentedCall.FindAllString(string(page), -1) {
		documented = append(documented, recordID.ReplaceAllString(m, "ID"))
	}
	if !slices.Equal(documented, lines) {
		ts.Fatalf("docs/mcp.md has the calls\n%s", strings.Join(documented, "\n"))
	}
}

// inScript connects to a server for staging in the account of a script.
func inScript(ts *testscript.TestScript, do func(context.Context, *sdk.ClientSession) error) {
	cmd := exec.Command("deployer", "mcp", "--env", "staging", "--local")
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "DEPLOYER_DIR", "DEPLOYER_STATE_DIR", "DEPLOYER_PULUMI"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	ctx := context.Background()
	s, err := connectTo(ctx, cmd)
	ts.Check(err)
	err = do(ctx, s)
	ts.Check(errors.Join(err, s.Close()))
}

// calls prints the document of a call for staging: calls TOOL [ARGUMENTS].
func calls(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: calls TOOL [ARGUMENTS as JSON]")
	}
	call := mcp.Call{Tool: args[0]}
	if len(args) == 2 {
		ts.Check(json.Unmarshal([]byte(args[1]), &call.Arguments))
	}
	inScript(ts, func(ctx context.Context, s *sdk.ClientSession) error {
		a, err := ask(ctx, s, call)
		_, _ = ts.Stdout().Write([]byte(a.text))
		return err
	})
}

// documentedFault declares the fault of the example in docs/mcp.md.
const documentedFault = "migration-fails"

var (
	// documentedCall matches a call in the example, at the start of a line.
	documentedCall = regexp.MustCompile(`(?m)^[a-z]+ \{.*\}$`)
	recordID       = regexp.MustCompile(`[0-9]{8}-[0-9]{6}-[0-9a-f]{4}`)
)

// Every fault of the table is diagnosed, by testDiagnosis or by a script.
func TestEveryCauseIsDiagnosed(t *testing.T) {
	require.GreaterOrEqual(t, len(causes), 10)
	var scripts string
	for _, name := range []string{"faults", "faults_rollout", "faults_bake", "faults_late"} {
		content, err := os.ReadFile("testdata/script/" + name + ".txtar")
		require.NoError(t, err)
		scripts += string(content)
	}
	for fault := range causes {
		require.True(t, slices.Contains(faultsOfStatus, fault) || strings.Contains(scripts, "\ndiagnoses "+fault+"\n"), fault)
	}
}

// testHiddenSearch searches log lines for parts of a value that is hidden in them, with the real binary: whatever the limit, the
// answer is that of a search for words that no line has.
func (d deployed) testHiddenSearch(t *testing.T) {
	t.Parallel()
	d = d.copied(t)
	const logged = "sync-pools" // what the worker logs as it starts
	d.changeSecret(t, func(values map[string]any) { values["SENTRY_DSN"] = logged })
	cmd := exec.Command("deployer", "mcp", "--env", "staging", "--local")
	cmd.Env = append(os.Environ(), "DEPLOYER_DIR="+d.root, "DEPLOYER_STATE_DIR="+d.dir)
	s, err := connectTo(t.Context(), cmd)
	require.NoError(t, err)
	search := func(filter string, limit int) (lines []mcp.Line, text string) {
		result, err := s.CallTool(t.Context(), &sdk.CallToolParams{
			Name: "logs", Arguments: map[string]any{"filter": filter, "limit": limit, "service": []string{"worker"}, "since": "7d"},
		})
		require.NoError(t, err)
		text = result.Content[0].(*sdk.TextContent).Text
		require.False(t, result.IsError, text)
		encoded, err := json.Marshal(result.StructuredContent)
		require.NoError(t, err)
		var doc mcp.Logs
		require.NoError(t, json.Unmarshal(encoded, &doc))
		return doc.Lines, text
	}
	for _, limit := range []int{1, 2, 200} {
		_, none := search("sync-px", limit)
		for _, part := range []string{"sync", "sync-po", logged, "pools"} {
			_, text := search(part, limit)
			require.Equal(t, none, text, "%s, limit %d", part, limit)
		}
	}
	lines, text := search("[hidden]", 1)
	require.Len(t, lines, 1, "a line is found as it is shown")
	require.Contains(t, lines[0].Untrusted, `"job":"[hidden]"`)
	require.NotContains(t, text, logged)
	lines, text = search("po", 1)
	require.Len(t, lines, 1, "a newer line that has it only in the hidden value takes no place of limit")
	require.Contains(t, lines[0].Untrusted, "worker polls")
	require.NotContains(t, text, "truncated", "the worker has one such line")
	_, text = search("o", 1)
	require.Contains(t, text, "lines: 1 of at least 1")
	require.NoError(t, s.Close())
}

// changeSecret changes the values of the configuration secret of staging.
func (d deployed) changeSecret(t *testing.T, change func(map[string]any)) {
	account, env := d.open(t, "staging")
	client := secretsmanager.NewFromConfig(account.AWS())
	read, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(env.SecretName())})
	require.NoError(t, err)
	var values map[string]any
	require.NoError(t, json.Unmarshal([]byte(*read.SecretString), &values))
	change(values)
	content, err := json.Marshal(values)
	require.NoError(t, err)
	_, err = client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(env.SecretName()), SecretString: aws.String(string(content)),
	})
	require.NoError(t, err)
	require.NoError(t, account.Close())
}

// tools calls every tool with every argument, in an account with secrets in its logs, with faults and without, and searches what
// the client gets for each secret.
func (p prepared) tools(t *testing.T) {
	s := p.stage(t)
	s.run(0, strings.Fields("migrate --command printenv --env staging --local --yes"), "")
	for _, faults := range []string{"", drillFaults} {
		cmd := exec.Command("deployer", strings.Fields("mcp --local --debug --verbose"+faults)...)
		cmd.Dir, cmd.Env = s.work, s.environment()
		var errs bytes.Buffer
		cmd.Stderr = &errs
		session, err := connectTo(t.Context(), cmd)
		require.NoError(t, err)
		list, err := session.ListTools(t.Context(), nil)
		require.NoError(t, err)
		s.search("the list of tools", fmt.Sprint(list.Tools))
		require.Len(t, list.Tools, len(mcp.Tools()))
		for _, tool := range list.Tools {
			for _, arguments := range argumentsOf(tool, faults != "") {
				result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: tool.Name, Arguments: arguments})
				require.NoError(t, err)
				whole, err := json.Marshal(result)
				require.NoError(t, err)
				where := fmt.Sprintf("%s %v%s", tool.Name, arguments, faults)
				s.search(where, string(whole))
				s.search(where+" as text", result.Content[0].(*sdk.TextContent).Text)
				if tool.Name == "logs" && fmt.Sprint(arguments["since"]) == "1h" && faults == "" {
					require.Contains(t, string(whole), "[hidden]", "the environment that the migration printed has secrets")
				}
				if filter, _ := arguments["filter"].(string); filter == hunter {
					require.NotContains(t, string(whole), `"untrusted"`, "a line is found by a part of a value that it hides")
				}
			}
		}
		require.NoError(t, session.Close())
		s.search("standard error of mcp", errs.String())
	}
	s.withoutSecret(t)
	s.searchFiles(s.work)
}

// withoutSecret reads log lines with secrets where the configuration secret, whose values are to be hidden in them, cannot be
// read.
func (s stage) withoutSecret(t *testing.T) {
	file := filepath.Join(s.state, "local", "account.json")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	var account map[string]any
	require.NoError(t, json.Unmarshal(content, &account))
	account["secrets"].(map[string]any)["balancer-staging-config"].(map[string]any)["versions"] = []any{}
	content, err = json.Marshal(account)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, content, 0o600))

	cmd := exec.Command("deployer", "mcp", "--env", "staging", "--local")
	cmd.Dir, cmd.Env = s.work, s.environment()
	session, err := connectTo(t.Context(), cmd)
	require.NoError(t, err)
	for _, tool := range []string{"logs", "status", "tasks", "history", "vars"} {
		result, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: tool})
		require.NoError(t, err)
		text := result.Content[0].(*sdk.TextContent).Text
		s.search(tool+" without the secret", text)
		if tool == "logs" {
			require.True(t, result.IsError)
			require.Contains(t, text, "cannot be hidden")
		}
	}
	require.NoError(t, session.Close())
}

// ofTheEngine declares the tools that run the engine, for a second or two.
var ofTheEngine = []string{"drift", "preview"}

// argumentsOf returns calls of a tool for staging: without further arguments, and with each of them; of the tools that run the
// engine one with all of them, and none where they are brief.
func argumentsOf(tool *sdk.Tool, brief bool) []map[string]any {
	plain := map[string]any{"env": "staging"}
	if slices.Contains(ofTheEngine, tool.Name) {
		whole := map[string]any{"env": "staging", "only": []string{"a"}, "limit": 200}
		if tool.Name == "preview" {
			whole["image_tag"] = otherTag
		}
		return []map[string]any{plain, whole}[:map[bool]int{true: 1, false: 2}[brief]]
	}
	all := []map[string]any{plain, {"env": "dev"}, {"env": "staging", "no_mask": true}}
	properties, _ := tool.InputSchema.(map[string]any)["properties"].(map[string]any)
	for name := range properties {
		for _, value := range map[string][]any{
			"only": {[]string{"*"}, []string{"environment", "secret", "database"}, []string{"ecs_tasks", "secrets"},
				[]string{"["}, 1},
			"service": {[]string{"api"}, []string{"migration"}, []string{"api", "api"}, "api"},
			"since":   {"1h", "2026-11-01", "abc"},
			"until":   {"1s", "9999d"},
			"filter":  {"a", hunter, "DSN"},
			"id": {"20261123-161530-1f3a", "../../account", "../../state/.pulumi/stacks/v3-backend/staging",
				strings.Repeat("x", 60_000), "20261123-161530-1f3a\x00"},
			"limit":  {1, 200},
			"offset": {1},
		}[name] {
			all = append(all, map[string]any{"env": "staging", name: value})
		}
	}
	return all
}

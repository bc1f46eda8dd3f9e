package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fakePlugin replaces AWS's Session Manager plugin: it writes its arguments to the file PLUGIN_GIVEN, and exits with the code
// PLUGIN_EXIT, or with 7 once it is interrupted, which another file shows, where PLUGIN_WAIT is set.
func fakePlugin() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		_, _ = fmt.Fprintln(os.Stdout, os.Getenv("PLUGIN_VERSION"))
		return
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	given, _ := json.Marshal(plugged{Args: os.Args[1:], Response: os.Getenv("AWS_SSM_START_SESSION_RESPONSE")})
	if os.WriteFile(os.Getenv("PLUGIN_GIVEN")+".new", given, 0o600) != nil ||
		os.Rename(os.Getenv("PLUGIN_GIVEN")+".new", os.Getenv("PLUGIN_GIVEN")) != nil {
		os.Exit(99)
	}
	if os.Getenv("PLUGIN_WAIT") != "" {
		<-interrupted
		_ = os.WriteFile(os.Getenv("PLUGIN_GIVEN")+".interrupted", nil, 0o600)
		os.Exit(7)
	}
	code, _ := strconv.Atoi(os.Getenv("PLUGIN_EXIT"))
	os.Exit(code)
}

type plugged struct {
	Args     []string
	Response string
}

const sessionToken = "AAEAAVbuT0kEnOfThesEssIon"

// containers answers the deployer's requests to ECS, for one task.
type containers struct {
	task map[string]any
	// refusal is the code of an error with which ExecuteCommand answers.
	refusal string
	// asked is the last ExecuteCommand.
	asked map[string]any
}

func oneTask(enabled bool, agent string) map[string]any {
	return map[string]any{
		"taskArn":    "arn:aws:ecs:us-east-1:123456789012:task/v3-backend-staging-cluster/0123456789abcdef0123456789abcdef",
		"clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/v3-backend-staging-cluster", "lastStatus": "RUNNING",
		"startedAt": 1795435200, "enableExecuteCommand": enabled, "containers": []any{map[string]any{
			"name": "balancer-api", "runtimeId": "0123456789abcdef0123456789abcdef-42", "managedAgents": []any{map[string]any{
				"name": "ExecuteCommandAgent", "lastStatus": agent,
			}},
		}},
	}
}

func (c *containers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	answer := map[string]any{}
	switch operation {
	case "": // STS, the only service that uses XML
		_, _ = fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/t</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`)
		return
	case "GetParameter": // which exists while the environment is asleep
		w.WriteHeader(http.StatusBadRequest)
		answer["__type"] = "ParameterNotFound"
	case "ListTasks":
		answer["taskArns"] = []any{c.task["taskArn"]}
	case "DescribeTasks":
		answer["tasks"] = []any{c.task}
	case "ExecuteCommand":
		_ = json.NewDecoder(r.Body).Decode(&c.asked)
		if c.refusal != "" {
			w.WriteHeader(http.StatusBadRequest)
			answer["__type"], answer["message"] = c.refusal, "User is not authorized to perform: ecs:ExecuteCommand"
			break
		}
		answer["session"] = map[string]any{"sessionId": "ecs-1", "streamUrl": "wss://example.com/1", "tokenValue": sessionToken}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(answer)
}

// An execRun is a run of `deployer exec` or `deployer tunnel` against an account with a task.
type execRun struct {
	cmd    *exec.Cmd
	output bytes.Buffer
	given  string
}

func newExecRun(t *testing.T, account http.Handler, environ []string, command string, args ...string) *execRun {
	server := httptest.NewServer(account)
	t.Cleanup(server.Close)
	r := &execRun{given: filepath.Join(t.TempDir(), "given")}
	r.cmd = exec.Command("deployer", append([]string{command, "--endpoint-url", server.URL, "--dir", projectRoot(t), "--state-dir", t.TempDir(), "--debug"}, args...)...)
	r.cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_PROFILE=",
		"PLUGIN_GIVEN="+r.given, "PLUGIN_VERSION=1.2.707.0")
	r.cmd.Env = append(r.cmd.Env, environ...)
	r.cmd.Stdout, r.cmd.Stderr = &r.output, &r.output
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return r
}

func (r *execRun) code() int {
	_ = r.cmd.Wait()
	return r.cmd.ProcessState.ExitCode()
}

func (r *execRun) plugged(t *testing.T) (p plugged) {
	content, err := os.ReadFile(r.given)
	require.NoError(t, err, r.output.String())
	require.NoError(t, json.Unmarshal(content, &p))
	return p
}

// The plugin gets what the AWS CLI gives it, but the token only where no one else can read it.
func TestExecRunsThePlugin(t *testing.T) {
	c := &containers{task: oneTask(true, "RUNNING")}
	r := newExecRun(t, c, []string{"PLUGIN_EXIT=5"}, "exec", "--env", "staging", "--yes", "--", "sh", "-c", "ls /app")
	require.NoError(t, r.cmd.Start())
	require.Equal(t, 5, r.code(), r.output.String())

	given := r.plugged(t)
	require.Len(t, given.Args, 6)
	require.Equal(t, []string{"AWS_SSM_START_SESSION_RESPONSE", "us-east-1", "StartSession", ""}, given.Args[:4])
	require.JSONEq(t, `{"Target":"ecs:v3-backend-staging-cluster_0123456789abcdef0123456789abcdef_0123456789abcdef0123456789abcdef-42"}`, given.Args[4])
	require.Regexp(t, "^http://127.0.0.1:", given.Args[5])
	require.JSONEq(t, `{"SessionId":"ecs-1","StreamUrl":"wss://example.com/1","TokenValue":"`+sessionToken+`"}`, given.Response)
	require.NotContains(t, r.output.String()+strings.Join(given.Args, " "), sessionToken)
	require.Equal(t, "sh -c 'ls /app'", c.asked["command"])
	require.Equal(t, "balancer-api", c.asked["container"])
	require.Equal(t, true, c.asked["interactive"])
}

// Ctrl-C reaches every process on the terminal: it interrupts the session, not the deployer.
func TestExecPassesInterruptsToTheSession(t *testing.T) {
	r := newExecRun(t, &containers{task: oneTask(true, "RUNNING")}, []string{"PLUGIN_WAIT=yes"}, "exec", "--env", "staging", "--yes")
	require.NoError(t, r.cmd.Start())
	require.Eventually(t, func() bool { _, err := os.Stat(r.given); return err == nil }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, syscall.Kill(-r.cmd.Process.Pid, syscall.SIGINT))
	require.Equal(t, 7, r.code(), r.output.String())
	require.NotContains(t, r.output.String(), "stopping")
}

func TestExecErrors(t *testing.T) {
	for name, test := range map[string]struct {
		containers containers
		environ    []string
		args       []string
		want       []string
	}{
		"no plugin": {containers{task: oneTask(true, "RUNNING")}, []string{"PATH=/nowhere"}, []string{"--env", "staging", "--yes"},
			[]string{"session-manager-plugin is not on PATH", "hint: install the current one: https://docs.aws.amazon.com/"}},
		"no plugin and no agent": {containers{task: oneTask(true, "PENDING")}, []string{"PATH=/nowhere"}, []string{"--env", "staging", "--yes"},
			[]string{"session-manager-plugin is not on PATH", "the ExecuteCommandAgent of balancer-api in task 0123456789abcdef0123456789abcdef is PENDING"}},
		"an old plugin": {containers{task: oneTask(true, "RUNNING")}, []string{"PLUGIN_VERSION=1.2.30.0"}, []string{"--env", "staging", "--yes"},
			[]string{`is version "1.2.30.0", which passes the session's token as an argument that every user of this machine can read`}},
		"not enabled": {containers{task: oneTask(false, "RUNNING")}, nil, []string{"--env", "staging"},
			[]string{"v3-backend-staging-api-service: task 0123456789abcdef0123456789abcdef was started without execute command",
				"hint: services.executeCommand is true, but the task is older than that: `deployer up --env staging --endpoint-url http://"}},
		"not in production": {containers{task: oneTask(false, "RUNNING")}, nil, []string{"--env", "production"},
			[]string{"hint: set services.executeCommand in Pulumi.production.yaml to true, and run `deployer up --env production --endpoint-url http://", " --image-tag TAG`: only tasks"}},
		"not allowed": {containers{task: oneTask(true, "RUNNING"), refusal: "AccessDeniedException"}, nil, []string{"--env", "staging", "--yes"},
			[]string{"these credentials may not open a session", "hint: a person's role needs ecs:ExecuteCommand"}},
		"protected": {containers{task: oneTask(true, "RUNNING")}, nil, []string{"--env", "production"},
			[]string{"production is protected, and there is no terminal to ask at"}},
		"another task":      {containers{task: oneTask(true, "RUNNING")}, nil, []string{"--env", "staging", "--task", "ffff"}, []string{"no task whose ID begins with ffff runs"}},
		"another container": {containers{task: oneTask(true, "RUNNING")}, nil, []string{"--env", "staging", "--container", "web"}, []string{"has no container web; it has balancer-api"}},
		"another service":   {containers{task: oneTask(true, "RUNNING")}, nil, []string{"--env", "staging", "--service", "migration"}, []string{`staging has no service "migration"`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newExecRun(t, &test.containers, test.environ, "exec", test.args...)
			require.NoError(t, r.cmd.Start())
			require.Equal(t, codeNotRun, r.code(), r.output.String())
			for _, want := range test.want {
				require.Contains(t, r.output.String(), want)
			}
			require.NoFileExists(t, r.given)
		})
	}
}

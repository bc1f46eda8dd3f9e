package command

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A databaseAccount is an account with a task and a database.
type databaseAccount struct {
	containers
	// status is the database's; "" where there is none.
	status string
	// started is the last StartSession.
	started map[string]any
}

const (
	databaseHost   = "v3-backend-staging-db.x.us-east-1.rds.amazonaws.com"
	passwordSecret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf"
)

func (a *databaseAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("X-Amz-Target") == "AmazonSSM.StartSession":
		_ = json.NewDecoder(r.Body).Decode(&a.started)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if a.refusal != "" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"__type": %q, "Message": "refused"}`, a.refusal)
			return
		}
		_, _ = fmt.Fprintf(w, `{"SessionId": "me-1", "StreamUrl": "wss://example.com/2", "TokenValue": %q}`, sessionToken)
	case r.Header.Get("X-Amz-Target") == "" && r.FormValue("Action") == "DescribeDBInstances":
		if a.status == "" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>DBInstanceNotFound</Code><Message>not found</Message></Error></ErrorResponse>`)
			return
		}
		_, _ = fmt.Fprintf(w, `<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance>
<DBInstanceStatus>%s</DBInstanceStatus><DBName>balancer</DBName><MasterUsername>balancer</MasterUsername>
<MasterUserSecret><SecretArn>%s</SecretArn></MasterUserSecret><Endpoint><Address>%s</Address><Port>5432</Port></Endpoint>
</DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>`, a.status, passwordSecret, databaseHost)
	default:
		a.containers.ServeHTTP(w, r)
	}
}

func newDatabaseAccount() *databaseAccount {
	return &databaseAccount{containers: containers{task: oneTask(true, "RUNNING")}, status: "available"}
}

// freePort returns a port of loopback on which nothing listens.
func freePort(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// The plugin gets the session that forwards the port to the database; the address has no password, and Ctrl-C closes the tunnel.
func TestTunnel(t *testing.T) {
	account, port := newDatabaseAccount(), freePort(t)
	r := newExecRun(t, account, []string{"PLUGIN_WAIT=yes"}, "tunnel", "--env", "staging", "--port", port)
	var out strings.Builder
	r.cmd.Stdout = &out
	require.NoError(t, r.cmd.Start())
	require.Eventually(t, func() bool { _, err := os.Stat(r.given); return err == nil }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, syscall.Kill(r.cmd.Process.Pid, syscall.SIGINT)) // not the plugin: the deployer interrupts it
	require.Equal(t, codeInterrupted, r.code(), r.output.String())
	require.FileExists(t, r.given+".interrupted", "SIGTERM would leave the session open")

	require.Equal(t, "postgresql://balancer@127.0.0.1:"+port+"/balancer?sslmode=require\n", out.String())
	require.Contains(t, r.output.String(), "deployer: opening port "+port+" of 127.0.0.1 to v3-backend-staging-db through task 0123456789abcdef0123456789abcdef; Ctrl-C closes it\n")
	require.Contains(t, r.output.String(), "the password: aws secretsmanager get-secret-value --region us-east-1 --secret-id '"+passwordSecret+
		"' --query SecretString --output text | jq -r .password\n")
	require.Contains(t, r.output.String(), "deployer: the tunnel is closed\n")
	require.Equal(t, map[string]any{
		"Target":       "ecs:v3-backend-staging-cluster_0123456789abcdef0123456789abcdef_0123456789abcdef0123456789abcdef-42",
		"DocumentName": "AWS-StartPortForwardingSessionToRemoteHost",
		"Parameters": map[string]any{
			"host": []any{databaseHost}, "portNumber": []any{"5432"}, "localPortNumber": []any{port},
		},
	}, account.started)
	given := r.plugged(t)
	require.Equal(t, []string{"AWS_SSM_START_SESSION_RESPONSE", "us-east-1", "StartSession", ""}, given.Args[:4])
	require.JSONEq(t, `{"SessionId":"me-1","StreamUrl":"wss://example.com/2","TokenValue":"`+sessionToken+`"}`, given.Response)
	require.NotContains(t, r.output.String()+out.String()+strings.Join(given.Args, " "), sessionToken)
}

// How a tunnel ends without Ctrl-C: the time limit is its planned end, the plugin's end is a failure, whatever its exit code.
func TestTunnelEnds(t *testing.T) {
	for name, test := range map[string]struct {
		environ []string
		args    []string
		code    int
		want    string
	}{
		"time limit": {[]string{"PLUGIN_WAIT=yes"}, []string{"--timeout", "3s"}, codeDone, "deployer: the tunnel is closed: the time limit of 3s has passed"},
		"session":    {[]string{"PLUGIN_EXIT=0"}, nil, codeFailed, "the session has ended, and the tunnel with it; the exit code of the plugin is 0"},
		"plugin":     {[]string{"PLUGIN_EXIT=5"}, nil, codeFailed, "the exit code of the plugin is 5"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newExecRun(t, newDatabaseAccount(), test.environ, "tunnel", append([]string{"--env", "staging", "--port", freePort(t)}, test.args...)...)
			require.NoError(t, r.cmd.Start())
			require.Equal(t, test.code, r.code(), r.output.String())
			require.Contains(t, r.output.String(), test.want)
			r.plugged(t)
		})
	}
}

func TestTunnelErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	busy := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	for name, test := range map[string]struct {
		change  func(*databaseAccount)
		environ []string
		args    []string
		want    []string
	}{
		"no plugin": {nil, []string{"PATH=/nowhere"}, nil,
			[]string{"session-manager-plugin is not on PATH", "hint: install the current one: https://docs.aws.amazon.com/"}},
		"the port is taken": {nil, nil, []string{"--port", busy},
			[]string{"port " + busy + " of 127.0.0.1 is in use", "`deployer tunnel --env staging --endpoint-url http://", " --port 15432`"}},
		"all at once": {func(a *databaseAccount) { a.status, a.task = "", oneTask(true, "PENDING") }, []string{"PATH=/nowhere"}, []string{"--port", busy}, []string{
			"session-manager-plugin is not on PATH", "is in use", "the ExecuteCommandAgent of balancer-api", "the database v3-backend-staging-db does not exist",
		}},
		"not enabled": {func(a *databaseAccount) { a.task = oneTask(false, "RUNNING") }, nil, nil,
			[]string{"v3-backend-staging-cluster: task 0123456789abcdef0123456789abcdef was started without execute command", "renews the tasks"}},
		"off in the file": {nil, nil, []string{"--env", "production", "--yes"}, []string{
			"services.executeCommand is false in Pulumi.production.yaml", "hint: set services.executeCommand in Pulumi.production.yaml to true",
		}},
		"no task":     {func(a *databaseAccount) { a.task["lastStatus"] = "PENDING" }, nil, nil, []string{"no task runs", "--only ecs_service,ecs_tasks"}},
		"no database": {func(a *databaseAccount) { a.status = "" }, nil, nil, []string{"the database v3-backend-staging-db does not exist"}},
		"stopped":     {func(a *databaseAccount) { a.status = "stopped" }, nil, nil, []string{"the database v3-backend-staging-db is stopped", "--only database"}},
		"not allowed": {func(a *databaseAccount) { a.refusal = "AccessDeniedException" }, nil, nil, []string{
			"these credentials may not open a tunnel", "ssm:StartSession on the tasks of v3-backend-staging-cluster and on the document AWS-StartPortForwardingSessionToRemoteHost",
		}},
		"not connected": {func(a *databaseAccount) { a.refusal = "TargetNotConnected" }, nil, nil, []string{"TargetNotConnected", "ssmmessages"}},
		"no port":       {nil, nil, []string{"--port", "70000"}, []string{"--port 70000 is not a port"}},
	} {
		t.Run(name, func(t *testing.T) {
			account := newDatabaseAccount()
			if test.change != nil {
				test.change(account)
			}
			args := []string{"--port", freePort(t)}
			if !slices.Contains(test.args, "--env") {
				args = append(args, "--env", "staging")
			}
			r := newExecRun(t, account, test.environ, "tunnel", append(args, test.args...)...)
			require.NoError(t, r.cmd.Start())
			require.Equal(t, codeNotRun, r.code(), r.output.String())
			for _, want := range test.want {
				require.Contains(t, r.output.String(), want)
			}
			require.NoFileExists(t, r.given)
		})
	}
}

// Production asks for its name, where its file allows sessions.
func TestTunnelAsksForAProtectedEnvironment(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{"Pulumi.yaml", "Pulumi.shared.yaml", "Pulumi.production.yaml"} {
		content, err := os.ReadFile(projectRoot(t) + "/" + file)
		require.NoError(t, err)
		changed := strings.ReplaceAll(string(content), "executeCommand: false", "executeCommand: true")
		require.NoError(t, os.WriteFile(root+"/"+file, []byte(changed), 0o600))
	}
	account := newDatabaseAccount()
	r := newExecRun(t, account, nil, "tunnel", "--env", "production", "--port", freePort(t), "--dir", root)
	require.NoError(t, r.cmd.Start())
	require.Equal(t, codeNotRun, r.code(), r.output.String())
	require.Contains(t, r.output.String(), "production is protected, and there is no terminal to ask at")
	require.Nil(t, account.started)
}

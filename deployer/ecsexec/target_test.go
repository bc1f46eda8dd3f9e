package ecsexec

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// task returns a task with a session's agent in its container, started so many minutes after noon.
func task(id string, minute int, change ...func(*types.Task)) types.Task {
	t := types.Task{
		TaskArn: aws.String("arn:aws:ecs:us-east-1:123456789012:task/cluster/" + id), ClusterArn: aws.String("arn:aws:ecs:us-east-1:123456789012:cluster/cluster"),
		LastStatus: aws.String("RUNNING"), StartedAt: aws.Time(noon.Add(time.Duration(minute) * time.Minute)), EnableExecuteCommand: true,
		Containers: []types.Container{
			{Name: aws.String("xray-daemon")},
			{Name: aws.String("balancer-api"), RuntimeId: aws.String(id + "-77"), ManagedAgents: []types.ManagedAgent{
				{Name: types.ManagedAgentNameExecuteCommandAgent, LastStatus: aws.String("RUNNING")},
			}},
		},
	}
	for _, c := range change {
		c(&t)
	}
	return t
}

func status(s string) func(*types.Task) { return func(t *types.Task) { t.LastStatus = &s } }
func disabled(t *types.Task)            { t.EnableExecuteCommand = false }
func agentless(t *types.Task)           { t.Containers[1].ManagedAgents = nil }
func agentIs(s, why string) func(*types.Task) {
	return func(t *types.Task) {
		t.Containers[1].ManagedAgents[0].LastStatus, t.Containers[1].ManagedAgents[0].Reason = &s, &why
	}
}

func TestChoose(t *testing.T) {
	api := Selector{Containers: []string{"balancer-api"}}
	for name, test := range map[string]struct {
		tasks   []types.Task
		want    Selector
		task    string
		cause   Cause
		message string
	}{
		"the newest":               {tasks: []types.Task{task("aa", 1), task("bb", 3), task("cc", 2)}, want: api, task: "bb"},
		"the newest that runs":     {tasks: []types.Task{task("aa", 1), task("bb", 3, status("PENDING"))}, want: api, task: "aa"},
		"the newest with an agent": {tasks: []types.Task{task("aa", 1), task("bb", 3, agentless)}, want: api, task: "aa"},
		"by the start of its ID":   {tasks: []types.Task{task("aa", 1), task("bb", 3)}, want: Selector{Task: "a", Containers: api.Containers}, task: "aa"},
		"first container it has":   {tasks: []types.Task{task("aa", 1)}, want: Selector{Containers: []string{"balancer-worker", "balancer-api"}}, task: "aa"},
		"none":                     {want: api, cause: NoTask, message: "no task runs"},
		"none of that ID":          {tasks: []types.Task{task("aa", 1)}, want: Selector{Task: "f0"}, cause: NoTask, message: "no task whose ID begins with f0 runs"},
		"several of that ID":       {tasks: []types.Task{task("aa", 1), task("ab", 1)}, want: Selector{Task: "a"}, cause: NoTask, message: "the IDs of 2 tasks begin with a"},
		"started without":          {tasks: []types.Task{task("aa", 1, disabled)}, want: api, cause: NotEnabled, message: "task aa was started without execute command"},
		"no such container":        {tasks: []types.Task{task("aa", 1)}, want: Selector{Containers: []string{"web"}}, cause: NoContainer, message: "task aa has no container web; it has xray-daemon, balancer-api"},
		"the agent is not there":   {tasks: []types.Task{task("aa", 1, agentless)}, want: api, cause: NoAgent, message: "the ExecuteCommandAgent of balancer-api in task aa is missing"},
		"the agent has stopped":    {tasks: []types.Task{task("aa", 1, agentIs("STOPPED", "no route"))}, want: api, cause: NoAgent, message: "is STOPPED: no route"},
		"the newest task's reason": {tasks: []types.Task{task("aa", 1, disabled), task("bb", 2, agentless)}, want: api, cause: NoAgent, message: "task bb"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Choose(test.tasks, test.want)
			if test.task != "" {
				require.NoError(t, err)
				require.Equal(t, test.task, got.Task)
				require.Equal(t, "ecs:cluster_"+test.task+"_"+test.task+"-77", got.Name())
				require.Equal(t, "balancer-api", got.Container)
				return
			}
			var unfit *UnavailableError
			require.ErrorAs(t, err, &unfit)
			require.Equal(t, test.cause, unfit.Cause)
			require.ErrorContains(t, err, test.message)
		})
	}
}

func TestStartSessionQuotesTheCommand(t *testing.T) {
	for want, words := range map[string][]string{
		"/bin/sh":                 {"/bin/sh"},
		"ls -la /app":             {"ls", "-la", "/app"},
		"sh -c 'echo $HOME | wc'": {"sh", "-c", "echo $HOME | wc"},
		`echo 'it'"'"'s' ''`:      {"echo", "it's", ""},
	} {
		var sent struct{ Command string }
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			require.NoError(t, json.NewDecoder(r.Body).Decode(&sent))
		}))
		_, err := StartSession(t.Context(), ecs.New(ecs.Options{
			Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""),
		}), Target{Cluster: "c", TaskARN: "arn", Container: "api"}, words)
		server.Close()
		require.NoError(t, err)
		require.Equal(t, want, sent.Command)
	}
}

func TestNewerThan(t *testing.T) {
	for version, newer := range map[string]bool{
		"1.2.707.0": true, "1.2.497.1": true, "1.3.0.0": true, "2.0.0.0": true, "1.2.497.0": false, "1.2.30.0": false, "1.1.999.0": false, "": false, "new": false, "1.2": false,
	} {
		require.Equal(t, newer, newerThan(version, lastInsecureVersion), version)
	}
}

package command

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// stoppedAccount has a task that runs and one that stopped, for a reason that a terminal and GitHub's runner would act on. It refuses to
// describe images.
type stoppedAccount struct{ containers }

func (a *stoppedAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	reply := func(answer map[string]any) { _ = json.NewEncoder(w).Encode(answer) }
	var asked struct {
		DesiredStatus string
		Tasks         []string
	}
	switch operation {
	case "ListTasks":
		_ = json.NewDecoder(r.Body).Decode(&asked)
		reply(map[string]any{"taskArns": []any{asked.DesiredStatus}})
	case "DescribeTasks":
		_ = json.NewDecoder(r.Body).Decode(&asked)
		stopped := asked.Tasks[0] == "STOPPED"
		container := map[string]any{"name": "balancer-api", "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api@sha256:" + strings.Repeat("ab", 32)}
		task := map[string]any{
			"taskArn":           "arn:aws:ecs:us-east-1:123456789012:task/v3-backend-staging-cluster/" + strings.Repeat(map[bool]string{true: "5", false: "e"}[stopped], 32),
			"taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-staging-api:41", "lastStatus": "RUNNING", "healthStatus": "UNHEALTHY",
			"desiredStatus": "RUNNING", "createdAt": 1795435200, "startedAt": 1795435201, "containers": []any{container},
		}
		if stopped {
			task["lastStatus"], task["desiredStatus"], task["stoppedAt"] = "STOPPED", "STOPPED", 1795435202
			task["stoppedReason"] = "::error::forged\x1b]52;c;e\x07 by a \u202etask"
			container["exitCode"] = 137
		}
		reply(map[string]any{"tasks": []any{task}})
	case "DescribeImages":
		w.WriteHeader(http.StatusBadRequest)
		reply(map[string]any{"__type": "AccessDeniedException", "message": "not authorized to perform: ecr:DescribeImages"})
	default:
		a.containers.ServeHTTP(w, r)
	}
}

// Over HTTP, as AWS answers: reasons are harmless, and without the permission for the tags the tasks are listed all the same.
func TestTasksCommand(t *testing.T) {
	for _, format := range []string{"table", "json"} {
		r := newExecRun(t, &stoppedAccount{}, nil, "tasks", "--env", "staging", "--format", format)
		var out strings.Builder
		r.cmd.Stdout = &out
		require.NoError(t, r.cmd.Start())
		require.Equal(t, codeDone, r.code(), r.output.String())
		require.Contains(t, r.output.String(), "deployer: warning: read the tags of balancer-api: ")
		require.NotRegexp(t, "[\x1b\x07\u202e]|(^|\\s)::error::", out.String())
		require.Contains(t, out.String(), "by a \\")
		if format == "json" {
			require.Contains(t, out.String(), `"digest": "sha256:`+strings.Repeat("ab", 32))
			continue
		}
		lines := strings.Split(out.String(), "\n")
		require.Regexp(t, "^eeeeeeee  api +41 +abababababab +.* unhealthy$", lines[1])
		require.Regexp(t, "^55555555  api +41 +abababababab +.* exit 137$", lines[2])
		require.Regexp(t, "^  stopped .* after 1.0s: ", lines[3])
	}
}

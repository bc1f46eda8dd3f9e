package command

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/moto"
)

// TestStatusOfResourcesOfTheCLI judges resources that the AWS CLI created, a client that shares no code with ours: missing,
// correct, and broken.
func TestStatusOfResourcesOfTheCLI(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS CLI is not installed, so nothing that it creates is judged")
	}
	endpoint := moto.Start(t)
	environ := append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_DEFAULT_REGION=us-east-1", "AWS_PAGER=")
	cli := func(args ...string) {
		cmd := exec.Command("aws", append([]string{"--endpoint-url", endpoint}, args...)...)
		cmd.Env = environ
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "aws %v: %s", args, out)
	}
	judged := func(code int) map[string]string {
		cmd := exec.Command("deployer", "status", "--env", "dev", "--endpoint-url", endpoint, "--json", "--dir", projectRoot(t),
			"--state-dir", t.TempDir(), "--only", "ecs_cluster,queue,dead_letter_queue,log_groups,secrets")
		cmd.Env = environ
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, _ := cmd.Output()
		require.Equal(t, code, cmd.ProcessState.ExitCode(), "%s%s", out, stderr.String())
		var report checks.Report
		require.NoError(t, json.Unmarshal(out, &report))
		reasons := map[string]string{}
		for _, f := range report.Services {
			if f.Status != checks.Healthy {
				reasons[f.Component] = f.Reason
			}
		}
		return reasons
	}

	require.Equal(t, map[string]string{"stack": "NotDeployed"}, judged(codeFailed), "nothing is there yet")

	const prefix = "v3-backend-development-"
	cli("ecs", "create-cluster", "--cluster-name", prefix+"cluster")
	cli("logs", "create-log-group", "--log-group-name", "/aws/ecs/v3-backend-development")
	cli("logs", "put-retention-policy", "--log-group-name", "/aws/ecs/v3-backend-development", "--retention-in-days", "7")
	cli("sqs", "create-queue", "--queue-name", prefix+"background-jobs-dlq", "--attributes", "SqsManagedSseEnabled=true")
	cli("sqs", "create-queue", "--queue-name", prefix+"background-jobs", "--attributes",
		`{"SqsManagedSseEnabled":"true","RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:`+moto.Account+`:`+prefix+`background-jobs-dlq\",\"maxReceiveCount\":\"3\"}"}`)
	cli("secretsmanager", "create-secret", "--name", "balancer-dev-config", "--secret-string",
		`{"SUBGRAPH_API_URL":"https://subgraph.example.org","SENTRY_DSN":"https://k@sentry.example.org/1","NODE_ENV":"development"}`)
	require.Empty(t, judged(codeDone))

	cli("sqs", "send-message", "--queue-url", endpoint+"/"+moto.Account+"/"+prefix+"background-jobs-dlq", "--message-body", "dead")
	cli("secretsmanager", "put-secret-value", "--secret-id", "balancer-dev-config", "--secret-string",
		`{"SUBGRAPH_API_URL":"https://subgraph.example.org","NODE_ENV":"development"}`)
	broken := judged(codeFailed)
	require.Contains(t, broken, "dead_letter_queue")
	require.Equal(t, "SecretKeysMissing", broken["secrets"])
}

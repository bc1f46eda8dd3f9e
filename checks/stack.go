package checks

import (
	"context"
	"time"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func readStack(ctx context.Context, rc *runContext) (StackInfo, error) {
	return cached(ctx, &rc.cache, "stack", func(ctx context.Context) (StackInfo, error) { return rc.src.Stack(ctx) })
}

func checkStack(ctx context.Context, rc *runContext) ([]Finding, error) {
	if rc.src.Stack == nil {
		return nil, &omittedError{"Pulumi's state cannot be read from here"}
	}
	stack, err := readStack(ctx, rc)
	if err != nil {
		return nil, &omittedError{"Pulumi's state cannot be read: " + err.Error()}
	}
	return []Finding{evaluateStack(stack, rc.env, rc.now)}, nil
}

// stackService returns the name of findings about the environment's stack.
func stackService(env *environment.Environment) string { return "Pulumi-Stack-" + env.Stack }

func evaluateStack(stack StackInfo, env *environment.Environment, now time.Time) Finding {
	f := newFinding("stack", stackService(env)).with("resources", stack.Resources)
	if stack.Updated.IsZero() && stack.Resources == 0 {
		return f.error("StateEmpty", Hint{
			Cause:    "another stack or tool created the environment's resources, or Pulumi's state was lost",
			Solution: "list what the stack can take over", Command: command(env, "import"),
		}, "the stack has no resources, although the account has some of the environment's")
	}
	age := now.Sub(stack.Updated).Truncate(time.Second)
	if !stack.Updated.IsZero() {
		f = f.with("updated", stack.Updated.UTC().Format(time.RFC3339)).with("result", stack.Result)
	}
	setText(f.details, "image", stack.Image)
	switch {
	case stack.Result == "in-progress":
		return f.warning("UpdateInProgress", Hint{
			Cause: "another deployment is running", Solution: "wait for it", Command: command(env, "status") + " --only stack",
		}, "an update of the stack is in progress")
	case len(stack.Pending) > 0:
		return f.with("pending", stack.Pending).error("PendingOperations", Hint{
			Cause:    "a deployment was killed or lost its connection during these operations, so that their result is not known",
			Solution: "deploy again: it finds what was created", Command: command(env, "up") + " " + tagPlaceholder,
		}, "%s whose result is not known", text.Plural(len(stack.Pending), "operation", "operations"))
	case stack.Result == "failed":
		return f.warning("LastUpdateFailed", Hint{
			Cause: "the last deployment failed", Solution: "check the reason, and deploy again", Command: command(env, "history"),
		}, "the last update failed %s ago", age)
	}
	return f.healthy("UpToDate", "%s, updated %s ago", text.Plural(stack.Resources, "resource", "resources"), age)
}

package ui_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/docs/schema"
)

// maximal returns a report with every possible key.
func maximal() checks.Report {
	at, left := time.Date(2025, 6, 3, 4, 43, 14, 0, time.UTC), -3
	return checks.Report{
		Environment: "development", Region: "us-east-1", Timestamp: at,
		Summary: checks.Summary{Status: checks.Error, Healthy: 1, Warning: 1, Error: 1, Unknown: 1, Total: 4},
		Services: []checks.Finding{
			{Service: "VPC-a", Component: "vpc", Status: checks.Healthy, Reason: "Available", Message: "m"},
			{
				Service: "ECS-Service-a", Component: "ecs_service", Status: checks.Warning, Reason: "TasksNotRunning", Message: "0/1 tasks running",
				Details: map[string]any{"desired": 1, "rollout": map[string]any{"state": "COMPLETED"}, "names": []string{"a"}, "none": nil},
				Hint:    &checks.Hint{Cause: "c", Solution: "s", Command: "deployer up"},
			},
			{Service: "a", Component: "queue", Status: checks.Error, Reason: "QueueMissing", Message: "m", Hint: &checks.Hint{Cause: "c", Solution: "s"}},
			{Service: "a", Component: "waf", Status: checks.Unknown, Reason: "AccessDenied", Message: "m", Hint: &checks.Hint{Cause: "c", Solution: "s"}},
		},
		LoadBalancers: []checks.LoadBalancer{{
			Name: "alb", DNSName: "alb.amazonaws.com", State: "active",
			Listeners:    []checks.Listener{{Port: 443, Protocol: "HTTPS", Action: "forward", TLSPolicy: "p"}},
			TargetGroups: []checks.TargetGroup{{Name: "tg", Healthy: 0, Total: 1}},
		}},
		Certificates: []checks.Certificate{{Domain: "dev-api.hyperchonk.com", Status: "EXPIRED", NotAfter: &at, DaysLeft: &left}},
		Debugging: checks.Debugging{StuckServices: []checks.StuckService{{
			Service: "ECS-Service-a", Issue: "Missing secret keys", Issues: []string{"ResourceInitializationError: …"},
		}}},
		Omitted: []checks.Omission{{Component: "stack", Why: "there is no engine"}},
	}
}

// changed returns the maximal report as JSON after change was applied to it.
func changed(t *testing.T, change func(report map[string]any)) []byte {
	encoded, err := json.Marshal(ui.EnvironmentReport{Report: maximal()})
	require.NoError(t, err)
	var report map[string]any
	require.NoError(t, json.Unmarshal(encoded, &report))
	change(report)
	encoded, err = json.Marshal(report)
	require.NoError(t, err)
	return encoded
}

func TestReportsFitTheSchema(t *testing.T) {
	for name, report := range map[string]any{
		"every key there is":     maximal(),
		"could not be checked":   ui.FailedReport("production", "", time.Unix(0, 0), ui.Failure{Message: "m", Hint: "h"}),
		"several environments":   []ui.EnvironmentReport{{Report: maximal()}, ui.FailedReport("dev", "us-east-1", time.Unix(0, 0), ui.Failure{Message: "m"})},
		"no environment is left": []ui.EnvironmentReport{},
	} {
		t.Run(name, func(t *testing.T) {
			encoded, err := json.Marshal(report)
			require.NoError(t, err)
			require.NoError(t, schema.ValidateStatus(encoded))
		})
	}
}

func TestSchemaRefuses(t *testing.T) {
	service := func(report map[string]any, i int) map[string]any {
		return report["services"].([]any)[i].(map[string]any)
	}
	for name, change := range map[string]func(map[string]any){
		"a key that it does not know":       func(r map[string]any) { r["extra"] = 1 },
		"a report without summary":          func(r map[string]any) { delete(r, "summary") },
		"another status":                    func(r map[string]any) { service(r, 0)["status"] = "fine" },
		"another component":                 func(r map[string]any) { service(r, 0)["component"] = "lambda" },
		"a warning without a hint":          func(r map[string]any) { delete(service(r, 1), "hint") },
		"advice about what is healthy":      func(r map[string]any) { service(r, 0)["hint"] = service(r, 1)["hint"] },
		"a reason of several words":         func(r map[string]any) { service(r, 0)["reason"] = "not running" },
		"a negative count":                  func(r map[string]any) { r["summary"].(map[string]any)["healthy"] = -1 },
		"a list that is null":               func(r map[string]any) { r["load_balancers"] = nil },
		"a time that is none":               func(r map[string]any) { r["timestamp"] = "yesterday" },
		"findings of what cannot be judged": func(r map[string]any) { r["error"] = map[string]any{"message": "m"} },
	} {
		t.Run(name, func(t *testing.T) { require.Error(t, schema.ValidateStatus(changed(t, change))) })
	}
}

// The schema is written manually for its readers; its lists must match the code.
func TestSchemaListsWhatTheCodeHas(t *testing.T) {
	source, err := os.ReadFile("../../docs/schema/status.v1.json")
	require.NoError(t, err)
	var read struct {
		Defs struct {
			Component struct{ Enum []string }
			Status    struct{ Enum []checks.Status }
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(source, &read))
	require.Equal(t, checks.Components(), read.Defs.Component.Enum)
	require.Equal(t, []checks.Status{checks.Healthy, checks.Warning, checks.Error, checks.Unknown}, read.Defs.Status.Enum)
}

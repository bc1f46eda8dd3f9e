package cloud

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"
)

const rotatedSecret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-abcdef"

// addRotation adds the program's rule and its state machine, whose definition the program's tests keep.
func (sim *simulation) addRotation() *Resource {
	sim.t.Helper()
	definition, err := os.ReadFile("../../infra/testdata/rotation.json")
	require.NoError(sim.t, err)
	machine := sim.put(typeStateMachine, "arn:machine", values{"arn": "arn:machine", "name": "rotation", "definition": string(definition)})
	require.NoError(sim.t, workflowTypes[typeStateMachine].validate(sim.m.State, machine))
	sim.put(typeEventRule, "rotation", values{"name": "rotation", "state": "ENABLED", "eventPattern": `{"source":["aws.secretsmanager"],
		"detail-type":["Secret Label Updated"],"resources":["` + rotatedSecret + `"],"detail":{"labelUpdated":["AWSCURRENT"]}}`})
	sim.put(typeEventTarget, "rotation-api", values{"rule": "rotation", "arn": "arn:machine", "input": `{"services":["` + apiService + `"]}`})
	return machine
}

func (sim *simulation) lastExecution() *execution {
	sim.t.Helper()
	require.NotEmpty(sim.t, sim.m.Executions)
	return sim.m.Executions[len(sim.m.Executions)-1]
}

// withDatabase makes the tasks of a definition read the database's secret.
func (sim *simulation) withDatabase(arn string) string {
	d := sim.m.Get(typeTaskDefinition, arn)
	var containers []map[string]any
	require.NoError(sim.t, json.Unmarshal([]byte(d.Text("containerDefinitions")), &containers))
	containers[0]["environment"] = array(values{"name": databaseSecretVariable, "value": rotatedSecret})
	encoded, err := json.Marshal(containers)
	require.NoError(sim.t, err)
	d.Outputs["containerDefinitions"] = string(encoded)
	return arn
}

// knowing counts the running tasks that have the current password, and all of them.
func (sim *simulation) knowing() (current, all int) {
	for _, t := range sim.m.ECS.tasksOf(sim.service()) {
		if sim.m.running(t) {
			if all++; sim.m.knowsPassword(t) {
				current++
			}
		}
	}
	return current, all
}

func TestRotationRestartsTheService(t *testing.T) {
	sim := newSimulation(t)
	sim.addRotation()
	sim.startService(sim.withDatabase(sim.define(1, imageOne)), 2, nil)
	sim.after(5 * time.Minute)
	first := sim.service().Primary

	sim.m.rotatePasswords()
	current, all := sim.knowing()
	require.Zero(t, current)
	require.Equal(t, 2, all)
	sim.after(5 * time.Minute)
	current, all = sim.knowing()
	require.Equal(t, 2, current)
	require.Equal(t, 2, all)
	require.Equal(t, executionSucceeded, sim.lastExecution().Status)
	require.NotEqual(t, first, sim.service().Primary)
	require.Len(t, sim.service().Deployments, 2, "it restarts once")
	require.Equal(t, "v3-backend-staging-api:1", sim.m.serviceResource(sim.arn()).Text("taskDefinition")[len("arn:aws:ecs:us-east-1:123456789012:task-definition/"):])
}

// TestRotationMachine runs the program's definition in each situation of the service.
func TestRotationMachine(t *testing.T) {
	const api = `{"services":["` + apiService + `"]}`
	for name, test := range map[string]struct {
		// faults apply to the restart; prepare is called with a service that has run for five minutes.
		faults  []string
		prepare func(sim *simulation)
		wait    time.Duration
		status  string
		code    string
		// deployments is the number of the service's deployments afterwards; the first one included.
		deployments int
	}{
		"never rotated": {nil, func(*simulation) {}, time.Minute, executionSucceeded, "", 1},
		"no service": {nil, func(sim *simulation) {
			delete(sim.m.Resources, key(typeService, sim.arn()))
			sim.m.rotatePasswords()
		}, time.Minute, executionSucceeded, "", 0},
		"restarted since": {nil, func(sim *simulation) {
			sim.m.Rotations[rotatedSecret] = append(sim.m.Rotations[rotatedSecret], sim.m.now)
			sim.after(time.Second)
			sim.m.deploy(sim.service(), sim.service().Definition)
			sim.after(5 * time.Minute)
		}, time.Minute, executionSucceeded, "", 2},
		"older deployment in progress": {nil, func(sim *simulation) {
			sim.m.deploy(sim.service(), sim.service().Definition)
			sim.after(5 * time.Second)
			sim.m.Rotations[rotatedSecret] = append(sim.m.Rotations[rotatedSecret], sim.m.now)
		}, 10 * time.Minute, executionSucceeded, "", 3},
		"newer deployment in progress": {nil, func(sim *simulation) {
			sim.m.Rotations[rotatedSecret] = append(sim.m.Rotations[rotatedSecret], sim.m.now)
			sim.after(time.Second)
			sim.m.deploy(sim.service(), sim.service().Definition)
		}, 10 * time.Minute, executionSucceeded, "", 2},
		"restart fails": {[]string{faultSecretKeyMissing}, func(sim *simulation) {
			sim.m.Rotations[rotatedSecret] = append(sim.m.Rotations[rotatedSecret], sim.m.now)
		}, time.Hour, executionFailed, "RestartFailed", 2},
		"restart never ends": {[]string{faultRolloutStuck}, func(sim *simulation) {
			sim.m.Rotations[rotatedSecret] = append(sim.m.Rotations[rotatedSecret], sim.m.now)
			sim.service().KnownGood = ""
		}, 3 * time.Hour, executionTimedOut, "States.Timeout", 2},
		"last deployment failed": {nil, func(sim *simulation) {
			sim.service().revision(sim.service().Primary).State = ecs.DeploymentRolloutStateFailed
			sim.m.Rotations[rotatedSecret] = append(sim.m.Rotations[rotatedSecret], sim.m.now)
		}, time.Minute, executionFailed, "DeploymentFailed", 1},
		"no cluster": {nil, func(sim *simulation) {
			sim.m.Rotations[rotatedSecret] = append(sim.m.Rotations[rotatedSecret], sim.m.now)
			delete(sim.m.Resources, key(typeCluster, "cluster"))
		}, time.Hour, executionFailed, "ClusterNotFoundException", 1},
	} {
		t.Run(name, func(t *testing.T) {
			sim := newSimulation(t)
			machine := sim.addRotation()
			sim.startService(sim.withDatabase(sim.define(1, imageOne)), 2, nil)
			sim.after(5 * time.Minute)
			test.prepare(sim)
			faults, err := newFaultSet(test.faults)
			require.NoError(t, err)
			sim.m.faults = faults
			var input any
			require.NoError(t, json.Unmarshal([]byte(api), &input))
			sim.m.Executions = nil
			sim.m.startExecution(machine, input, sim.m.in(time.Second))
			sim.after(test.wait)
			x := sim.lastExecution()
			require.Equal(t, test.status, x.Status, "%s: %s", x.Error, x.Cause)
			require.Equal(t, test.code, x.Error, x.Cause)
			for metric, status := range map[string]string{"ExecutionsFailed": executionFailed, "ExecutionsTimedOut": executionTimedOut} {
				alarm := sim.put(typeMetricAlarm, metric, values{"metricName": metric, "dimensions": values{"StateMachineArn": machine.ID}})
				require.Equal(t, status == x.Status, sim.m.at(x.Ended).failedExecution(alarm) != nil, metric)
			}
			if test.deployments > 0 {
				require.Len(t, sim.service().Deployments, test.deployments)
			}
		})
	}
}

// TestExecutionDoesNotDependOnPolls checks that one advance gives the same result as many.
func TestExecutionDoesNotDependOnPolls(t *testing.T) {
	run := func(steps int) string {
		sim := newSimulation(t)
		sim.addRotation()
		sim.startService(sim.withDatabase(sim.define(1, imageOne)), 2, nil)
		sim.after(5 * time.Minute)
		sim.m.rotatePasswords()
		for range steps {
			sim.after(10 * time.Minute / time.Duration(steps))
		}
		encoded, err := json.Marshal(sim.m.Executions)
		require.NoError(t, err)
		return string(encoded)
	}
	require.Equal(t, run(1), run(60))
}

func TestEventPatterns(t *testing.T) {
	event := map[string]any{"source": "aws.secretsmanager", "resources": array("one", "two"), "detail": map[string]any{"labelUpdated": "AWSCURRENT"}}
	for pattern, want := range map[string]bool{
		`{"source":["aws.secretsmanager"]}`:                    true,
		`{"source":["aws.rds","aws.secretsmanager"]}`:          true,
		`{"source":["aws.rds"]}`:                               false,
		`{"resources":["two"]}`:                                true,
		`{"resources":["three"]}`:                              false,
		`{"detail":{"labelUpdated":["AWSCURRENT"]}}`:           true,
		`{"detail":{"labelUpdated":["AWSPENDING"]}}`:           false,
		`{"detail":{"other":["AWSCURRENT"]}}`:                  false,
		`{"other":{"labelUpdated":["AWSCURRENT"]}}`:            false,
		`{"source":["aws.secretsmanager"],"resources":["no"]}`: false,
	} {
		var parsed map[string]any
		require.NoError(t, json.Unmarshal([]byte(pattern), &parsed))
		require.Equal(t, want, matchesEvent(parsed, event), pattern)
	}
}

func TestMachineDefinitionsAreValidated(t *testing.T) {
	for definition, want := range map[string]string{
		`{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`:                                                            "",
		`{"StartAt":"B","States":{"A":{"Type":"Succeed"}}}`:                                                            `StartAt "B" is not a state`,
		`{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":1,"Next":"B"}}}`:                                        `names "B", which is not a state`,
		`{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":1}}}`:                                                   "needs Next or End",
		`{"StartAt":"A","States":{"A":{"Type":"Choice"}}}`:                                                             "needs Choices",
		`{"StartAt":"A","States":{"A":{"Type":"Map","End":true}}}`:                                                     `does not simulate states of the type "Map"`,
		`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:lambda:1","End":true}}}`:                      "does not simulate the task",
		`{"StartAt":"A","QueryLanguage":"JSONata","States":{"A":{"Type":"Succeed"}}}`:                                  "QueryLanguage",
		`{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Next":"B"}],"Default":"A"}}}`:                      `names "B"`,
		`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"` + awsTask + `ecs:x","ResultPath":"$","End":true}}}`: `the ResultPath "$"`,
	} {
		_, err := parseMachine(definition)
		if want == "" {
			require.NoError(t, err, definition)
			continue
		}
		require.ErrorContains(t, err, want, definition)
	}
}

func TestPaths(t *testing.T) {
	var data any
	require.NoError(t, json.Unmarshal([]byte(`{"a":{"b":[{"k":"x","v":[1]},{"k":"y","v":[2]}],"t":"2026-11-30T06:00:00Z"}}`), &data))
	for path, want := range map[string]any{
		"$.a.b[1].k":              "y",
		"$.a.b[2].k":              nil,
		"$.a.c":                   nil,
		"$.a.b[?(@.k=='y')].v":    array(array(2.0)),
		"$.a.b[?(@.k=='z')].v":    []any{},
		"$.a.b[?(@.k=='x')].v[0]": array(1.0),
	} {
		value, found, err := lookupPath(data, path)
		require.NoError(t, err, path)
		require.Equal(t, want, value, path)
		require.Equal(t, want != nil, found, path)
	}
	for _, path := range []string{"a", "$..a", "$.a[*]"} {
		_, _, err := lookupPath(data, path)
		require.ErrorContains(t, err, "States.Runtime", path)
	}
	missing := machineChoice{Variable: "$.none", StringEquals: new(string)}
	_, err := missing.matches(data)
	require.ErrorContains(t, err, "invalid path '$.none'", "a comparison with something absent fails the execution")
}

package engine

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/running"
)

// replay feeds the recorded events of a real engine to a progress, one a second, and returns what it reported.
func replay(t *testing.T, name string, refreshing bool) (*progress, []string) {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name+".jsonl"))
	require.NoError(t, err)
	defer file.Close()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := newProgress(newTally([]Resource{
		{URN: strings.Replace(urnTwo, "two", "one", 1), Type: "test:index:Thing"}, {URN: urnTwo, Type: "test:index:Thing"},
		{URN: "urn:pulumi:dev::proj::pulumi:pulumi:Stack::proj-dev", Type: "pulumi:pulumi:Stack"},
	}), refreshing, func() time.Time { return now })
	var reported []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event apitype.EngineEvent
		require.NoError(t, json.Unmarshal(lines.Bytes(), &event))
		now = now.Add(time.Second)
		for _, e := range p.onEvent(event) {
			reported = append(reported, fmt.Sprintf("%s %s %s %d/%d %s[%s]", e.Status, e.Op, e.Name, e.Done, e.Total, e.Message,
				running.Describe(e.Running, now)))
		}
	}
	require.NoError(t, lines.Err())
	p.ended = now
	return p, reported
}

func TestProgressOfAFailure(t *testing.T) {
	const message = "creating RDS DB Instance (v3-backend-staging-db): operation error RDS: CreateDBInstance, " +
		"https response error StatusCode: 400, RequestID: 7d7e, InsufficientDBInstanceCapacity: no capacity"
	p, reported := replay(t, "fails", false)
	require.Equal(t, []string{
		"started update one 0/2 [test:index:Thing one 0s]",
		"done update one 1/2 []",
		"started create-replacement two 1/2 [test:index:Thing two 0s]",
		"failed create-replacement two 1/2 " + message + "[]",
	}, reported)
	failure := p.failure("up")
	require.Equal(t, []ResourceError{{URN: urnTwo, Type: "test:index:Thing", Name: "two", Message: message}},
		failure.Resources, "the generic message is not repeated")
	require.Equal(t, map[string]int{"update": 1}, failure.Summary.Changes)
}

// What only lost its connection, because the engine ended after another failure, is not named beside the cause.
func TestFailureWithoutClosedConnections(t *testing.T) {
	const closing = "rpc error: code = Canceled desc = grpc: the client connection is closing"
	messages := func() *progress {
		p := newProgress(newTally(nil), false, time.Now)
		p.messages[urnTwo] = []string{closing}
		return p
	}
	alone := messages()
	require.Len(t, alone.failure("up").Resources, 1, "it is all that is known")
	beside := messages()
	beside.failed = []ResourceError{{URN: urnOne, Message: "no capacity"}}
	require.Equal(t, beside.failed, beside.failure("up").Resources)
	other := messages()
	other.messages[urnTwo] = append(other.messages[urnTwo], "access denied")
	other.failed = beside.failed
	require.Len(t, other.failure("up").Resources, 2)
}

func TestProgressOfAnInterruption(t *testing.T) {
	p, reported := replay(t, "interrupted", false)
	require.Equal(t, []string{"started create one 0/2 [test:index:Thing one 0s]", "done create one 1/2 []"}, reported)
	failure := p.failure("up")
	require.Empty(t, failure.Resources)
	require.Equal(t, map[string]int{"create": 1}, failure.Summary.Changes)
}

func TestPlanOfAPreview(t *testing.T) {
	p, reported := replay(t, "preview", false)
	require.Equal(t, []string{
		"started update one 0/2 [test:index:Thing one 0s]",
		"done update one 1/2 []",
		"started create-replacement two 1/2 [test:index:Thing two 0s]",
		"done create-replacement two 1/2 []",
		"started delete-replaced two 2/2 [test:index:Thing two 0s]",
		"done delete-replaced two 2/2 []",
	}, reported)
	plan := p.plan()
	require.Equal(t, []string{"update one", "replace two"}, stepNames(plan))
	require.Equal(t, map[string]int{"update": 1, "replace": 1}, plan.Changes)
	require.Equal(t, []Difference{
		{Path: "fixed", Kind: "update", Replaces: true, Old: "a", New: "b"},
		{Path: "value", Kind: "update", Old: "a", New: "b"},
	}, plan.Steps[1].Differences)
	require.True(t, plan.Steps[1].Replaces)
}

// What the account keeps is no change when the state forgets it. A refresh that does not find it reports that it is gone.
func TestPlanLeavesOutWhatIsKept(t *testing.T) {
	const revision = "urn:pulumi:dev::proj::aws:ecs/taskDefinition:TaskDefinition::migration"
	kept := map[string]any{"skipDestroy": true}
	for name, test := range map[string]struct {
		op      apitype.OpType
		refresh bool
		old     apitype.StepEventStateMetadata
		want    []string
	}{
		"deleted":                      {apitype.OpDelete, false, apitype.StepEventStateMetadata{}, []string{"delete migration"}},
		"not kept":                     {apitype.OpDelete, false, apitype.StepEventStateMetadata{Inputs: map[string]any{"skipDestroy": false}}, []string{"delete migration"}},
		"its provider does nothing":    {apitype.OpDelete, false, apitype.StepEventStateMetadata{Inputs: kept}, nil},
		"retained":                     {apitype.OpDelete, false, apitype.StepEventStateMetadata{RetainOnDelete: true}, nil},
		"replaced by an earlier run":   {apitype.OpDeleteReplaced, false, apitype.StepEventStateMetadata{Delete: true, Inputs: kept}, nil},
		"updated":                      {apitype.OpUpdate, false, apitype.StepEventStateMetadata{Inputs: kept}, []string{"update migration"}},
		"deleted outside the deployer": {apitype.OpDelete, true, apitype.StepEventStateMetadata{Inputs: kept}, []string{"delete migration"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgress(newTally(nil), test.refresh, time.Now)
			m := apitype.StepEventMetadata{URN: revision, Type: string(resource.URN(revision).Type()), Op: test.op, Old: &test.old}
			m.Old.Custom = true
			begins := m
			if test.refresh {
				begins.Op = apitype.OpRefresh
			}
			p.onStepStart(begins)
			p.onStepDone(m)
			require.Equal(t, test.want, stepNames(p.plan()))
			require.Equal(t, len(test.want), p.summary().Changed(), "the count agrees")
		})
	}
}

func TestPlanOfADrift(t *testing.T) {
	p, _ := replay(t, "drift", true)
	plan := p.plan()
	require.Equal(t, []string{"delete two", "update one"}, stepNames(plan))
	require.True(t, plan.Steps[0].Deletes)
	require.Equal(t, []Difference{
		{Path: "secret", Kind: "update", Old: Masked, New: Masked},
		{Path: "tags.Name", Kind: "delete", Old: "a"},
		{Path: "value", Kind: "update", Old: "a", New: "drifted"},
	}, plan.Steps[1].Differences)
}

// Running changes have begun and not ended, the longest first.
func TestRunningOperations(t *testing.T) {
	const database = "urn:pulumi:dev::proj::aws:rds/instance:Instance::database"
	const policy = "urn:pulumi:dev::proj::aws:iam/rolePolicy:RolePolicy::task"
	const component = "urn:pulumi:dev::proj::v3:index:Network::network"
	metadata := func(op apitype.OpType, urn string, custom bool) apitype.StepEventMetadata {
		return apitype.StepEventMetadata{Op: op, URN: urn, Type: string(resource.URN(urn).Type()), New: &apitype.StepEventStateMetadata{Custom: custom}}
	}
	begins := func(op apitype.OpType, urn string, custom bool) apitype.EngineEvent {
		return apitype.EngineEvent{ResourcePreEvent: &apitype.ResourcePreEvent{Metadata: metadata(op, urn, custom)}}
	}
	ends := func(op apitype.OpType, urn string) apitype.EngineEvent {
		return apitype.EngineEvent{ResOutputsEvent: &apitype.ResOutputsEvent{Metadata: metadata(op, urn, true)}}
	}
	fails := func(op apitype.OpType, urn string) apitype.EngineEvent {
		return apitype.EngineEvent{ResOpFailedEvent: &apitype.ResOpFailedEvent{Metadata: metadata(op, urn, true)}}
	}
	const create, destroy, same = apitype.OpCreate, apitype.OpDelete, apitype.OpSame
	for name, test := range map[string]struct {
		events []apitype.EngineEvent
		want   string
	}{
		"a change":                {[]apitype.EngineEvent{begins(create, database, true)}, "rds/instance database 1m00s"},
		"the longest first":       {[]apitype.EngineEvent{begins(create, database, true), begins(create, policy, true)}, "rds/instance database 2m00s, iam/rolePolicy task 1m00s"},
		"the last has ended":      {[]apitype.EngineEvent{begins(create, database, true), begins(create, policy, true), ends(create, policy)}, "rds/instance database 3m00s"},
		"the last has failed":     {[]apitype.EngineEvent{begins(create, database, true), begins(create, policy, true), fails(create, policy)}, "rds/instance database 3m00s"},
		"a delete":                {[]apitype.EngineEvent{begins(destroy, database, true), begins(destroy, policy, true), ends(destroy, policy)}, "rds/instance database 3m00s"},
		"unchanged":               {[]apitype.EngineEvent{begins(same, database, true)}, ""},
		"a component":             {[]apitype.EngineEvent{begins(create, component, false)}, ""},
		"a provider":              {[]apitype.EngineEvent{begins(destroy, "urn:pulumi:dev::proj::pulumi:providers:aws::aws", true)}, ""},
		"all have ended":          {[]apitype.EngineEvent{begins(create, policy, true), ends(create, policy)}, ""},
		"a replacement's create":  {[]apitype.EngineEvent{begins(apitype.OpCreateReplacement, database, true)}, "rds/instance database 1m00s"},
		"a replacement's deletes": {[]apitype.EngineEvent{begins(apitype.OpDeleteReplaced, database, true)}, "rds/instance database 1m00s"},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			p := newProgress(newTally(nil), false, func() time.Time { return now })
			for _, e := range test.events {
				p.onEvent(e)
				now = now.Add(time.Minute)
			}
			require.Equal(t, test.want, running.Describe(p.operations(), now))
			p.interrupt()
			require.Equal(t, test.want, running.Describe(p.underWay, p.interrupted))
		})
	}
}

func TestInterruptionNamesWhatWasUnderWay(t *testing.T) {
	const database = "rds/instance database 4m31s"
	for name, test := range map[string]struct {
		err  InterruptedError
		want string
	}{
		"nothing":   {InterruptedError{Failure: Failure{Run: "up"}}, "up: interrupted, after 0 changes"},
		"partly":    {InterruptedError{Failure: Failure{Run: "up", Done: 63, Total: 141}}, "up: interrupted, after 0 changes; 63 of 141 resources are done"},
		"has ended": {InterruptedError{Failure: Failure{Run: "up", UnderWay: database}}, "up: interrupted, after 0 changes; under way at that time: " + database},
		"abandoned": {InterruptedError{Failure: Failure{Run: "up", UnderWay: database}, RunningPID: 7},
			"up: interrupted, after 0 changes; the engine (process 7) was asked to stop and has not ended yet; still running: " + database},
	} {
		t.Run(name, func(t *testing.T) { require.EqualError(t, &test.err, test.want) })
	}
}

func TestDiagnostics(t *testing.T) {
	diagnostic := func(severity, urn, message string) apitype.EngineEvent {
		return apitype.EngineEvent{DiagnosticEvent: &apitype.DiagnosticEvent{Severity: severity, URN: urn, Message: message}}
	}
	p := newProgress(newTally(nil), false, time.Now)
	require.Equal(t, []Event{{URN: urnOne, Type: "test:index:Thing", Name: "one", Status: Note, Message: "old", Warning: true}},
		p.onEvent(diagnostic("warning", urnOne, "warning: old\n")))
	require.Len(t, p.onEvent(diagnostic("info", "", "waiting")), 1)
	require.Empty(t, p.onEvent(diagnostic("info", "", "\n")))
	require.Equal(t, []string{"old"}, p.summary().Warnings)

	require.Empty(t, p.onEvent(diagnostic("error", urnTwo, "error: bad size")))
	require.Empty(t, p.onEvent(diagnostic("error", urnTwo, "1 error occurred:\n\t* bad size\n\n")))
	require.Empty(t, p.onEvent(diagnostic("error", "", "error: update failed")))
	require.Equal(t, []ResourceError{{URN: urnTwo, Type: "test:index:Thing", Name: "two", Message: "bad size"}},
		p.failure("up").Resources, "once, although the step did not fail")

	plugin := apitype.EngineEvent{ProgressEvent: &apitype.ProgressEvent{Type: apitype.PluginDownload, ID: "aws",
		Message: "Downloading provider: aws"}}
	require.Equal(t, []Event{{Status: Note, Message: "Downloading provider: aws"}}, p.onEvent(plugin))
	require.Empty(t, p.onEvent(plugin), "once is enough")
}

func TestRefreshBeforeAnUpdateIsNotCounted(t *testing.T) {
	m := func(op apitype.OpType) apitype.StepEventMetadata {
		return apitype.StepEventMetadata{Op: op, URN: urnOne, Type: "test:index:Thing"}
	}
	p := newProgress(newTally(nil), false, time.Now)
	for _, e := range []apitype.EngineEvent{
		{ResourcePreEvent: &apitype.ResourcePreEvent{Metadata: m(apitype.OpRefresh)}},
		{ResOutputsEvent: &apitype.ResOutputsEvent{Metadata: m(apitype.OpUpdate)}},
		{ResourcePreEvent: &apitype.ResourcePreEvent{Metadata: m(apitype.OpSame)}},
		{ResOutputsEvent: &apitype.ResOutputsEvent{Metadata: m(apitype.OpSame)}},
		{ResOutputsEvent: &apitype.ResOutputsEvent{Metadata: m(apitype.OpSame)}},
	} {
		p.onEvent(e)
	}
	require.Equal(t, map[string]int{"same": 1}, p.summary().Changes)
	require.True(t, p.plan().Empty())
}

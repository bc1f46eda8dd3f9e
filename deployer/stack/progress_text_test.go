package stack

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/infra"
)

// Progress names what happens in the account: no components, and no deletion of revisions, which stay.
func TestProgressText(t *testing.T) {
	event := func(op, typ, name string) engine.Event {
		return engine.Event{URN: "urn", Op: op, Type: typ, Name: name, Status: engine.Started}
	}
	component := event("create", "v3-backend:infra:Certificate", "certificate")
	component.Component = true
	for want, e := range map[string]engine.Event{
		"creating rds/instance database":                event("create", "aws:rds/instance:Instance", "database"),
		"deleting the old lb/targetGroup api":           event("delete-replaced", "aws:lb/targetGroup:TargetGroup", "api"),
		"creating ecs/taskDefinition api":               event("create", infra.TaskDefinitionType, "api"),
		"creating a revision of ecs/taskDefinition api": event("create-replacement", infra.TaskDefinitionType, "api"),
	} {
		require.Equal(t, want, progressText(e))
	}
	for _, e := range []engine.Event{component, event("delete-replaced", infra.TaskDefinitionType, "api"), event("delete", infra.TaskDefinitionType, "api")} {
		require.Empty(t, progressText(e))
	}
}

// Where only the validation of a certificate failed, the hint is about it.
func TestExplainPending(t *testing.T) {
	validation := engine.ResourceError{Type: "aws:acm/certificateValidation:CertificateValidation", Message: "timeout"}
	other := engine.ResourceError{Type: "aws:rds/instance:Instance", Message: "no capacity"}
	failed := func(resources ...engine.ResourceError) error {
		return &engine.FailedError{Failure: engine.Failure{Run: "up", Resources: resources}}
	}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"the validation":           {failed(validation), true},
		"another resource":         {failed(other), false},
		"both":                     {failed(validation, other), false},
		"nothing":                  {failed(), false},
		"expired credentials":      {&release.ExpiredError{Err: failed(validation)}, false},
		"no failure of the engine": {errors.New("broken"), false},
	} {
		t.Run(name, func(t *testing.T) {
			err := explainPending(test.err, "staging")
			require.ErrorIs(t, err, test.err)
			require.Equal(t, test.want, hint.Of(err) != "" && hint.Of(err) != hint.Of(test.err))
		})
	}
	require.NoError(t, explainPending(nil, "staging"))
}

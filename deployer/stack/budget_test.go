package stack

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

func TestBudgetFailureIsTheOnlyOne(t *testing.T) {
	refused := engine.ResourceError{URN: "urn", Type: budgetType, Name: "budget", Message: "AccessDeniedException: Account 1 is a linked account."}
	database := engine.ResourceError{URN: "urn", Type: instanceType, Name: "database", Message: "InsufficientDBInstanceCapacity"}
	for name, test := range map[string]struct {
		err  error
		only bool
	}{
		"nothing":       {nil, false},
		"another error": {errors.New("no credentials"), false},
		"the budget":    {&engine.FailedError{Failure: engine.Failure{Resources: []engine.ResourceError{refused}}}, true},
		"a budget that exists": {&engine.FailedError{Failure: engine.Failure{Resources: []engine.ResourceError{
			{URN: "urn", Type: budgetType, Name: "budget", Message: "DuplicateRecordException: the budget already exists."}}}}, false},
		"another resource": {&engine.FailedError{Failure: engine.Failure{Resources: []engine.ResourceError{database}}}, false},
		"both":             {&engine.FailedError{Failure: engine.Failure{Resources: []engine.ResourceError{refused, database}}}, false},
		"the engine":       {&engine.FailedError{Failure: engine.Failure{Resources: []engine.ResourceError{refused, {Message: "out of memory"}}}}, false},
		"pending":          {&engine.FailedError{Failure: engine.Failure{Resources: []engine.ResourceError{refused}, Pending: []engine.Pending{{}}}}, false},
		"killed":           {&engine.FailedError{Failure: engine.Failure{Resources: []engine.ResourceError{refused}, Killed: true}}, false},
		"a lost state": {&engine.FailedError{Failure: engine.Failure{
			Resources: []engine.ResourceError{refused}, StateWrite: &engine.StateWriteFailure{}}}, false},
		"interrupted": {&engine.InterruptedError{Failure: engine.Failure{Resources: []engine.ResourceError{refused}}}, false},
	} {
		reason, only := budgetFailure(test.err)
		require.Equal(t, test.only, only, name)
		if only {
			require.Equal(t, refused.Message, reason)
		}
	}
}

package stack

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

// deployedState returns the state of a deployed environment with services, and the description that it has, if any.
func deployedState(t *testing.T, described *environment.Environment, domain string, services ...string) engine.State {
	t.Helper()
	state := engine.State{Outputs: map[string]engine.Output{infra.OutputImage: {Value: "balancer-api@sha256:1"}}}
	if described != nil {
		values, err := described.Encode()
		require.NoError(t, err)
		state.Outputs[infra.OutputEnvironment] = engine.Output{Value: values}
	}
	state.Resources = append(state.Resources, engine.Resource{
		URN:    "urn:pulumi:staging::v3-backend::v3-backend:infra:DNS$aws:route53/record:Record::dns-a",
		Inputs: map[string]any{"name": domain},
	})
	for _, name := range services {
		state.Resources = append(state.Resources, engine.Resource{Type: infra.ServiceType, Name: name})
	}
	return state
}

func TestDeployedEnvironment(t *testing.T) {
	file, err := environment.Load("../..", "staging")
	require.NoError(t, err)
	deployed, err := environment.Load("../..", "staging")
	require.NoError(t, err)
	deployed.Monitoring.Level, deployed.Services.Scheduler = environment.Full, nil

	found, err := deployedEnvironment(deployedState(t, deployed, deployed.Domain.Name, "api", "worker"), file)
	require.NoError(t, err)
	require.Equal(t, environment.Full, found.Monitoring.Level)
	require.Nil(t, found.Services.Scheduler)

	// A deployment that ended half-way removed a service, added one and moved the domain.
	found, err = deployedEnvironment(deployedState(t, deployed, "moved.hyperchonk.com", "api", "scheduler"), file)
	require.NoError(t, err)
	require.Equal(t, "moved.hyperchonk.com", found.Domain.Name)
	require.Nil(t, found.Services.Worker)
	require.Equal(t, file.Services.Scheduler.Command, found.Services.Scheduler.Command)

	// An earlier version of this program wrote no description, and a later one may write another form.
	for _, output := range []any{nil, "nonsense"} {
		state := deployedState(t, nil, "old.hyperchonk.com", "api", "worker")
		if output != nil {
			state.Outputs[infra.OutputEnvironment] = engine.Output{Value: output}
		}
		found, err := deployedEnvironment(state, file)
		require.Equal(t, output == nil, err == nil, "an output that cannot be read is an error")
		require.Equal(t, "old.hyperchonk.com", found.Domain.Name)
		require.Nil(t, found.Services.Scheduler)
		require.Equal(t, file.Monitoring, found.Monitoring)
	}
	found, err = deployedEnvironment(engine.State{}, file)
	require.NoError(t, err)
	require.Same(t, file, found, "nothing was deployed")
}

func TestMissingComponents(t *testing.T) {
	urn := func(kind, resource string) string {
		return "urn:pulumi:staging::v3-backend::v3-backend:infra:" + kind + "$aws:" + resource
	}
	certificate, listener, rule, topic, alarm := urn("Certificate", "certificate"), urn("Balancer", "listener"), urn("Firewall", "rule"),
		urn("Monitoring", "topic"), urn("Budget", "budget")
	resources := []engine.Resource{
		{URN: certificate}, {URN: topic}, {URN: listener, Dependencies: []string{certificate}},
		{URN: rule, Dependencies: []string{listener}}, {URN: alarm, Dependencies: []string{topic}},
	}
	steps := func(ops map[string]string) (all []engine.Step) {
		for urn, op := range ops {
			all = append(all, engine.Step{URN: urn, Op: op})
		}
		return all
	}
	for name, test := range map[string]struct {
		ops  map[string]string
		want []string
	}{
		"nothing changes":                    {nil, []string{}},
		"an update alone":                    {map[string]string{certificate: "update", listener: "update"}, []string{}},
		"a dependent of a replacement":       {map[string]string{certificate: "replace", listener: "update"}, []string{"balancer"}},
		"a dependent of that":                {map[string]string{certificate: "replace", listener: "replace", rule: "update"}, []string{"balancer", "firewall"}},
		"a dependent without changes":        {map[string]string{certificate: "replace", rule: "update"}, []string{}},
		"a removal, deleted later":           {map[string]string{topic: "delete", alarm: "update"}, []string{}},
		"a change of another":                {map[string]string{certificate: "replace", alarm: "replace"}, []string{}},
		"a replacement that others wait for": {map[string]string{listener: "replace", rule: "update"}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, missingComponents([]string{"certificate", "monitoring"}, steps(test.ops), resources))
		})
	}
}

package infra

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

const (
	instanceType       = "aws:rds/instance:Instance"
	parameterGroupType = "aws:rds/parameterGroup:ParameterGroup"
)

// familyDefaults are the defaults, in the families of RDS, of the parameters that a program may set.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
var familyDefaults = map[string]map[string]string{
	"postgres14": {"rds.force_ssl": "0"},
	"postgres15": {"rds.force_ssl": "1"},
	"postgres16": {"rds.force_ssl": "1"},
	"postgres17": {"rds.force_ssl": "1"},
	"postgres18": {"rds.force_ssl": "1"},
}

// TestParametersEqualToADefault checks that a parameter whose value is the family's default has the apply method that RDS returns for
// it. Any other is a difference in every preview.
func TestParametersEqualToADefault(t *testing.T) {
	for family, defaults := range familyDefaults {
		for _, name := range []string{"dev", "staging", "production"} {
			env, err := environment.Load("..", name)
			require.NoError(t, err)
			env.Database.EngineVersion = family[len("postgres"):]
			group := find(t, record(t, env.Stack, Deploy(env, Release{Image: testImage})), parameterGroupType, "database")
			require.Equal(t, family, group.get("family"))
			parameters, _ := group.get("parameters").([]any)
			require.NotEmpty(t, parameters)
			for i := range parameters {
				parameter, _ := group.get("parameters", i, "name").(string)
				require.Contains(t, defaults, parameter, "which default has it?")
				if group.get("parameters", i, "value") == defaults[parameter] {
					require.Equal(t, "pending-reboot", group.get("parameters", i, "applyMethod"), "%s of %s", parameter, family)
				}
			}
		}
	}
}

// TestMajorUpgrade checks what RDS and the engine need to upgrade an instance: the permission, a parameter group that is created before
// the instance leaves the old one, and a change that does not wait for the maintenance window.
func TestMajorUpgrade(t *testing.T) {
	for _, test := range []struct {
		name, stack, deployed, wanted string
		immediately                   bool
	}{
		{"the first deployment of a protected environment", "production", "", "17", false},
		{"another change of a protected environment", "production", "17", "17", false},
		{"a minor version that is deployed", "production", "17.4", "17", false},
		{"a major upgrade of a protected environment", "production", "16", "17", true},
		{"a major upgrade over several versions", "production", "14.9", "18", true},
		{"another change of an environment that is not protected", "staging", "17", "17", true},
		{"a major upgrade of an environment that is not protected", "dev", "16", "17", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			env, err := environment.Load("..", test.stack)
			require.NoError(t, err)
			env.Database.EngineVersion = test.wanted
			all := record(t, env.Stack, Deploy(env, Release{Image: testImage, DatabaseVersion: test.deployed}))
			instance := find(t, all, instanceType, "database")
			require.Equal(t, test.immediately, instance.get("applyImmediately"))
			require.Equal(t, true, instance.get("allowMajorVersionUpgrade"))
			require.Equal(t, "open-source-rds-extended-support-disabled", instance.get("engineLifecycleSupport"))
			require.Contains(t, instance.ignored, "engineLifecycleSupport", "an imported instance keeps its own")
			group := find(t, all, parameterGroupType, "database")
			require.True(t, group.createFirst)
			require.Equal(t, env.DatabaseIdentifier()+"-postgres"+test.wanted, group.get("name"), "two groups exist at once")
		})
	}
}

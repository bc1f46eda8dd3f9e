package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// A variable holds for every command, and contradicts no flag.
func TestVariablesContradictNothing(t *testing.T) {
	t.Setenv("DEPLOYER_DIR", projectRoot(t))
	t.Setenv("DEPLOYER_FORMAT", "yaml")
	t.Setenv("DEPLOYER_INTERVAL", "5s")
	_, _, errs := runLine(t, "status", "--env", "nowhere", "--json")
	require.Contains(t, errs, "there is no environment")
}

// changedProject returns a copy of the project's files with a text replaced in some of them.
func changedProject(t *testing.T, changes map[string][2]string) string {
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(projectRoot(t), "Pulumi*.yaml"))
	require.NoError(t, err)
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		text, name := string(source), filepath.Base(file)
		if change, changed := changes[name]; changed {
			require.Contains(t, text, change[0])
			text = strings.Replace(text, change[0], change[1], 1)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// What is wrong with one file does not hide the others; of two that conflict, neither is valid.
func TestFilesThatAreNotValid(t *testing.T) {
	staging, err := environment.Load(projectRoot(t), "staging")
	require.NoError(t, err)
	dev, err := environment.Load(projectRoot(t), "dev")
	require.NoError(t, err)
	broken := map[string][2]string{"Pulumi.dev.yaml": {"config:", "confg:"}}
	overlapping := map[string][2]string{"Pulumi.dev.yaml": {dev.Network.CIDR, staging.Network.CIDR}}
	for name, test := range map[string]struct {
		changes          map[string][2]string
		line             string
		code             int
		out, not, errors string
	}{
		"env list":             {broken, "env list", codeNotRun, "staging", "dev ", "Pulumi.dev.yaml:2: confg: unknown key; did you mean config?"},
		"env list as JSON":     {broken, "env list --format json", codeNotRun, `"stack": "staging"`, `"dev"`, "confg: unknown key"},
		"env new":              {broken, "env new qa --from staging --dry-run", codeDone, "name: qa", "", "warning: not compared, because its address range cannot be read: Pulumi.dev.yaml"},
		"env new from it":      {broken, "env new qa --from dev --dry-run", codeNotRun, "", "name", "confg: unknown key"},
		"env validate":         {overlapping, "env validate", codeNotRun, "Pulumi.production.yaml is valid", "Pulumi.dev.yaml is valid", "overlaps"},
		"env validate all,dev": {nil, "env validate --env all,dev", codeDone, "Pulumi.dev.yaml is valid", "", ""},
		"up":                   {overlapping, "up --env dev --image-tag x --local", codeNotRun, "", "", "network.cidr: " + staging.Network.CIDR + " overlaps"},
		"an unknown class": {
			map[string][2]string{"Pulumi.dev.yaml": {dev.Database.InstanceClass, "db.t9.huge"}}, "env validate --env dev", codeDone,
			"Pulumi.dev.yaml is valid", "", `warning: Pulumi.dev.yaml: database.instanceClass: "db.t9.huge" is not among the instance classes`,
		},
		"an unknown region": {
			map[string][2]string{"Pulumi.dev.yaml": {"us-east-1", "us-esat-1"}}, "env validate --env dev", codeDone,
			"Pulumi.dev.yaml is valid", "", "did you mean us-east-1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DEPLOYER_DIR", changedProject(t, test.changes))
			t.Setenv("DEPLOYER_STATE_DIR", t.TempDir())
			code, out, errs := runLine(t, strings.Fields(test.line)...)
			require.Equal(t, test.code, code, errs)
			require.Contains(t, out, test.out)
			require.Contains(t, errs, test.errors)
			if test.not != "" {
				require.NotContains(t, out, test.not)
			}
		})
	}
}

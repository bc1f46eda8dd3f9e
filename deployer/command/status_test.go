package command

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/ui"
)

func TestWorstCode(t *testing.T) {
	with := func(s checks.Status) ui.EnvironmentReport {
		return ui.EnvironmentReport{Report: checks.Report{Summary: checks.Summary{Status: s}}}
	}
	lost := ui.EnvironmentReport{Failure: &ui.Failure{Message: "m"}}
	for name, test := range map[string]struct {
		reports []ui.EnvironmentReport
		want    int
	}{
		"all healthy":             {[]ui.EnvironmentReport{with(checks.Healthy), with(checks.Healthy)}, 0},
		"a warning":               {[]ui.EnvironmentReport{with(checks.Healthy), with(checks.Warning)}, 2},
		"an unknown":              {[]ui.EnvironmentReport{with(checks.Unknown), with(checks.Healthy)}, 2},
		"errors before warnings":  {[]ui.EnvironmentReport{with(checks.Warning), with(checks.Error), with(checks.Unknown)}, 1},
		"not run before errors":   {[]ui.EnvironmentReport{with(checks.Error), lost, with(checks.Healthy)}, 3},
		"not run, and that alone": {[]ui.EnvironmentReport{lost}, 3},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, exitCode(worstCode(test.reports))) })
	}
}

func TestLocaleAllowsSymbols(t *testing.T) {
	for name, test := range map[string]struct {
		variables map[string]string
		want      bool
	}{
		"no variable":          {nil, true},
		"UTF-8":                {map[string]string{"LANG": "en_GB.UTF-8"}, true},
		"its other spelling":   {map[string]string{"LANG": "C.utf8"}, true},
		"none":                 {map[string]string{"LANG": "C"}, false},
		"Latin":                {map[string]string{"LANG": "de_DE.ISO-8859-1"}, false},
		"LC_ALL goes first":    {map[string]string{"LANG": "en_GB.UTF-8", "LC_ALL": "POSIX"}, false},
		"LC_CTYPE before LANG": {map[string]string{"LANG": "C", "LC_CTYPE": "en_GB.UTF-8"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, unicode(func(name string) string { return test.variables[name] }))
		})
	}
}

package command

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/ui"
)

// As JSON every migration that was stopped is listed, also where another one was not stopped.
func TestStopResult(t *testing.T) {
	first := release.StoppedMigration{
		Migration: history.Migration{Task: "0a1b", ExitCode: 137}, StartedBy: "ada", Begun: []string{"20260101_users", "20260102_orders"},
	}
	second := release.StoppedMigration{Migration: history.Migration{Task: "2c3d", ExitCode: 143}, StartedBy: "the deployment 20261130-1"}
	const one = `{"task":"0a1b","startedBy":"ada","begun":["20260101_users","20260102_orders"],"exitCode":137}`
	const other = `{"task":"2c3d","startedBy":"the deployment 20261130-1","begun":[],"exitCode":143}`
	for name, test := range map[string]struct {
		stopped []release.StoppedMigration
		err     error
		want    string
	}{
		"none":           {nil, nil, `{"stopped":[]}`},
		"one":            {[]release.StoppedMigration{first}, nil, `{"stopped":[` + one + `]}`},
		"several":        {[]release.StoppedMigration{first, second}, nil, `{"stopped":[` + one + `,` + other + `]}`},
		"one of several": {[]release.StoppedMigration{second}, hint.With(errors.New("denied"), "again"), `{"stopped":[` + other + `],"error":"denied","hint":"again"}`},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			require.NoError(t, ui.JSON(&out, newStopResult(test.stopped, test.err, nil)))
			require.JSONEq(t, test.want, out.String())
		})
	}
}

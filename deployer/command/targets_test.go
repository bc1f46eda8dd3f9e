package command

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/target"
)

func testTargets(t *testing.T, selected string) *targets {
	return &targets{options: target.Options{Dir: projectRoot(t)}, selected: selected, terminal: &terminal{}}
}

func TestNamesOfEnvironments(t *testing.T) {
	for given, want := range map[string][]string{
		"staging":                 {"staging"},
		"dev,staging":             {"dev", "staging"},
		" dev , development,dev ": {"dev"},
		"prod,production":         {"prod"},
		"all":                     {"dev", "production", "staging"},
		"staging,all":             {"staging", "dev", "production"},
		"nowhere,staging":         {"nowhere", "staging"},
	} {
		t.Run(given, func(t *testing.T) {
			names, err := testTargets(t, given).names()
			require.NoError(t, err)
			require.Equal(t, want, names)
		})
	}
	_, err := testTargets(t, " , ").names()
	require.EqualError(t, err, "--env names no environment")
}

func TestForEachEnvironment(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		selected    string
		interrupted bool
		want        []string
		err         error
		printed     string
	}{
		"one":                     {selected: "staging", want: []string{"staging"}},
		"one that fails":          {selected: "dev", err: broken},
		"several, of which one":   {selected: "dev,staging", want: []string{"failed: development", "staging"}, printed: "deployer: development: broken\n"},
		"a list of one":           {selected: "dev,", want: []string{"failed: development"}, printed: "deployer: development: broken\n"},
		"several, interrupted":    {selected: "dev,staging", interrupted: true, err: broken},
		"a signal after the last": {selected: "staging,production", interrupted: true, want: []string{"staging", "production"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, interrupt := context.WithCancelCause(t.Context())
			defer interrupt(nil)
			if test.interrupted {
				interrupt(errInterrupted)
			}
			var printed bytes.Buffer
			all := testTargets(t, test.selected)
			all.terminal.err = &printed
			found, err := forEachEnvironment(ctx, all, func(_ context.Context, name string) (string, error) {
				if name == "dev" {
					return "", broken
				}
				return name, nil
			}, func(name string, _ error) string { return "failed: " + name })
			require.Equal(t, test.err, err)
			require.Equal(t, test.want, found)
			require.Equal(t, test.printed, printed.String())
		})
	}
}

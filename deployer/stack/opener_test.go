package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/target"
)

// The key is printed at the end of every run until the file has it.
func TestPrintKey(t *testing.T) {
	const (
		config = "config:\n  proj:name: x\n"
		key    = "secretsprovider: awskms://alias/x\nencryptedkey: bm9uZQ==\n"
	)
	for name, test := range map[string]struct {
		tracked, work string
		want          string
		own, warned   bool
	}{
		"the file lacks it":  {tracked: config, work: key + config, want: key},
		"the file has it":    {tracked: key + config, work: key + config},
		"a key of its own":   {tracked: config, work: key + config, own: true},
		"a passphrase":       {tracked: config, work: "encryptionsalt: v1:x\n" + config},
		"no run yet":         {tracked: config},
		"settings not valid": {tracked: "config: [\n", work: key + config, warned: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			work := filepath.Join(dir, "work")
			require.NoError(t, os.MkdirAll(filepath.Join(work, "dev"), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), []byte("name: proj\nruntime: go\n"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "Pulumi.dev.yaml"), []byte(test.tracked), 0o600))
			if test.work != "" {
				require.NoError(t, os.WriteFile(filepath.Join(work, "dev", "Pulumi.dev.yaml"), []byte(test.work), 0o600))
			}
			var printed strings.Builder
			var warnings []error
			o := &Opener{Options: target.Options{Dir: dir}, Instructions: &printed, Warn: func(err error) { warnings = append(warnings, err) }}
			to := &target.Target{Ref: target.Ref{Stack: "dev"}, State: target.Backend{WorkDir: work, OwnEncryption: test.own}}
			for range 2 {
				printed.Reset()
				o.PrintKey(to)
				if test.want == "" {
					require.Empty(t, printed.String())
				} else {
					require.Equal(t, "commit these two lines at the top of Pulumi.dev.yaml, so that every machine can read the stack's secrets:\n"+
						test.want, printed.String())
				}
			}
			require.Equal(t, test.warned, len(warnings) > 0)
		})
	}
}

// A change of code after a destroy names the destroy: deployments before it did reach the services.
func TestNoCode(t *testing.T) {
	started := time.Date(2026, 11, 23, 16, 15, 30, 0, time.UTC)
	destroy := func(outcome history.Outcome, deleted int) history.Deployment {
		return history.Deployment{Kind: history.Destroy, Outcome: outcome, Deleted: deleted, Started: started}
	}
	full := history.Deployment{Kind: history.Full, Outcome: history.Succeeded}
	for name, test := range map[string]struct {
		exists, reached bool
		records         []history.Deployment
		want            string
	}{
		"deployed":                     {true, true, []history.Deployment{full}, ""},
		"no records":                   {true, true, nil, ""},
		"never deployed":               {false, false, nil, "dev was never deployed, so there are no services whose code could change"},
		"no service yet":               {true, false, []history.Deployment{full}, "no deployment of dev has reached its services, so there is no code to change"},
		"destroyed":                    {true, false, []history.Deployment{destroy(history.Succeeded, 9), full}, "dev was destroyed on 2026-11-23 16:15 UTC, so there are no services whose code could change"},
		"destroyed, the stack is gone": {false, false, []history.Deployment{destroy(history.Succeeded, 9), full}, "dev was destroyed on 2026-11-23 16:15 UTC, so there are no services whose code could change"},
		"an interrupted destroy": {true, true, []history.Deployment{destroy(history.Interrupted, 9), full},
			"the destroy of dev on 2026-11-23 16:15 UTC did not reach its end, so that services, or what they need, may be gone"},
		"a destroy that deleted nothing": {true, true, []history.Deployment{destroy(history.Interrupted, 0), full}, ""},
		"deployed again":                 {true, true, []history.Deployment{full, destroy(history.Succeeded, 9), full}, ""},
		"deployed again, halfway": {true, false, []history.Deployment{full, destroy(history.Succeeded, 9), full},
			"no deployment of dev has reached its services since it was destroyed on 2026-11-23 16:15 UTC, so there is no code to change"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, noCode("dev", test.exists, test.reached, test.records))
		})
	}
}

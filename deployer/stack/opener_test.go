package stack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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

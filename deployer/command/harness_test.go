package command

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	_ "github.com/balancer/v3-backend-infra/deployer/noquery" // as in main.go
)

// The tests run the real binary: this test binary is the deployer when it is called by that name.
func TestMain(m *testing.M) {
	// A deployment spends two thirds of its time waiting for simulated AWS: more of them than cores keep the cores busy.
	_ = flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0)))
	testscript.Main(suite{m}, map[string]func(){"deployer": func() { os.Exit(recordedMain()) }, "browser": browser, "session-manager-plugin": fakePlugin})
}

// A suite is all tests of the package; it removes what they share.
type suite struct{ *testing.M }

// Run runs the tests.
func (s suite) Run() int {
	defer func() {
		for _, dir := range []string{sharedStaging.dir, unbaked.dir} {
			if dir != "" {
				_ = os.RemoveAll(dir)
			}
		}
	}()
	return s.M.Run()
}

// engineRoot returns a directory with everything that is in the project's root, but without bakes in the files of environments: in most tests
// of deployments, a bake is only five seconds of waiting. bake.txtar has the files as they are. It skips a test that runs the real engine in
// short mode, and where the engine was not built.
func engineRoot(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the engine: left out by -short")
	}
	root := projectRoot(t)
	if _, err := os.Stat(filepath.Join(root, "bin", "pulumi")); err != nil {
		t.Skip("bin/pulumi is missing: `make bin/pulumi` builds the engine that this test runs")
	}
	unbaked.once.Do(func() { unbaked.dir, unbaked.err = withoutBakes(root) })
	require.NoError(t, unbaked.err)
	return unbaked.dir
}

// unbaked declares the directory that engineRoot returns. It is created once and never changed.
var unbaked struct {
	once sync.Once
	dir  string
	err  error
}

// bakeSetting matches the setting of a bake in a file of an environment.
var bakeSetting = regexp.MustCompile(`, bake: [0-9a-z]+`)

// withoutBakes returns a new directory with links to what is in the project's root, and with the files of environments without bakes.
func withoutBakes(root string) (string, error) {
	dir, err := os.MkdirTemp("", "project-")
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(root)
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasPrefix(name, ".git") && name != ".github" || name == ".deployer" {
			continue
		}
		if matched, _ := filepath.Match("Pulumi.*.yaml", name); !matched {
			err = errors.Join(err, os.Symlink(filepath.Join(root, name), filepath.Join(dir, name)))
			continue
		}
		content, readErr := os.ReadFile(filepath.Join(root, name))
		err = errors.Join(err, readErr, os.WriteFile(filepath.Join(dir, name), bakeSetting.ReplaceAll(content, nil), 0o600))
	}
	return dir, err
}

func projectRoot(t *testing.T) string {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	return root
}

// sharedStaging is the state directory after the first deployment of staging with the real binary. It is created once, when a
// test first needs it, and never changed.
var sharedStaging struct {
	once   sync.Once
	dir    string
	output string
	err    error
}

// deployedStaging copies the state directory in which staging is deployed to dir, and returns what the deployment printed with
// --debug.
func deployedStaging(root, dir string) (output string, err error) {
	s := &sharedStaging
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "deployed-"); s.err != nil {
			return
		}
		cmd := exec.Command("deployer", "up", "--env", "staging", "--image-tag", "1.41.7-9f8e7d6c5", "--local", "--yes", "--debug")
		cmd.Env = append(os.Environ(), "DEPLOYER_DIR="+root, "DEPLOYER_STATE_DIR="+s.dir)
		out, err := cmd.CombinedOutput()
		if s.output = string(out); err != nil {
			s.err = fmt.Errorf("deploy staging: %w\n%s", err, out)
		}
	})
	if s.err != nil {
		return "", s.err
	}
	return s.output, os.CopyFS(dir, os.DirFS(s.dir))
}

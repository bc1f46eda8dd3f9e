package command

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hunter is in every secret that the test itself gives to the account, to a command or to the process: no part of those may be
// printed.
const hunter = "hunter2"

// Values that are hard to mask: they contain characters that formats escape, and a part is as secret as the whole.
const (
	hardDSN = "https://" + hunter + "-key:p%40s&w!rd@sentry.example.org/7"
	hardKey = "-----BEGIN KEY-----\n" + hunter + " \"quoted\" <&> ü\\\n-----END KEY-----"
)

// TestNothingLeaks runs every command of the deployer in each of its formats, with --debug and --verbose, with and without
// faults, and searches its output and its files for every secret of the simulated account, in any encoding.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	root := engineRoot(t)
	account := prepare(t, root)
	table := drills()
	for _, leaf := range leavesOf(verbs(), "") {
		runs := table[leaf.path]
		delete(table, leaf.path)
		t.Run(strings.ReplaceAll(leaf.path, " ", "-"), func(t *testing.T) {
			require.NotEmpty(t, runs, "the command %q has no row in drills: add its runs, so that its output is searched", leaf.path)
			t.Parallel()
			s := account.stage(t)
			for _, d := range runs {
				if d.before != "" {
					s.run(0, strings.Fields(d.before+" --local --yes --debug"), "")
				}
				for _, args := range d.lines(leaf) {
					s.run(d.ends, args, d.in)
				}
				if d.faults {
					s.run(anyOutcome, d.withFaults(leaf), "")
				}
			}
			s.searchFiles(s.work)
		})
	}
	require.Empty(t, table, "these are no commands")
	t.Run("no-mask", account.noMask)
	t.Run("tools", account.tools)
}

// leaf is a command that runs, by its full name.
type leaf struct {
	verb
	path string
}

func leavesOf(all []verb, parent string) []leaf {
	var found []leaf
	for _, v := range all {
		path := strings.TrimSpace(parent + " " + v.name)
		if v.run != nil {
			found = append(found, leaf{v, path})
		}
		found = append(found, leavesOf(v.verbs, path)...)
	}
	return found
}

// prepared is an account in which staging is deployed, and what must not be found.
type prepared struct {
	root, state string
	needles     []needle
}

func prepare(t *testing.T, root string) prepared {
	state := t.TempDir()
	output, err := deployedStaging(root, state)
	require.NoError(t, err)
	p := prepared{root: root, state: state}
	values, err := readSecrets(context.Background(), root, state)
	require.NoError(t, err)
	require.Greater(t, len(values), 4, "the search would prove nothing")
	s := stage{t: t, prepared: p, work: t.TempDir(), state: state}
	for key, value := range map[string]string{"SENTRY_DSN": hardDSN, "SIGNING_KEY": hardKey} {
		output := s.exec(strings.NewReader(value), []string{"secrets", "set", key, "--env", "staging", "--local"})
		require.Zero(t, output.code, output.err)
		values["staging/"+key] = value
	}
	values["a part of a value"] = hunter
	phrase, err := os.ReadFile(filepath.Join(state, "local", "passphrase"))
	require.NoError(t, err)
	values["the passphrase of the stacks"] = string(phrase)
	p.needles = needlesOf(values)
	s.prepared = p
	require.Contains(t, output, "staging-api.hyperchonk.com", "a deployment without output would prove nothing")
	s.search("the output of up", output)
	s.searchFiles(state)
	return p
}

// stage returns an account for one command, and a directory for everything that it writes.
func (p prepared) stage(t *testing.T) stage {
	work := t.TempDir()
	s := stage{t: t, prepared: p, work: work, state: filepath.Join(work, "state")}
	require.NoError(t, os.CopyFS(s.state, os.DirFS(p.state)))
	require.NoError(t, os.WriteFile(filepath.Join(work, "bad.env"), []byte(badEnv), 0o600))
	return s
}

type stage struct {
	t *testing.T
	prepared
	work, state string
}

// answer is the output and the exit code of a command.
type answer struct {
	out, err string
	code     int
}

// exec runs the deployer as a user would.
func (s stage) exec(in *strings.Reader, args []string) answer {
	cmd := exec.Command("deployer", args...)
	cmd.Dir, cmd.Stdin, cmd.Env = s.work, in, s.environment()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	_ = cmd.Run()
	require.NotNil(s.t, cmd.ProcessState, "the deployer did not start")
	return answer{out.String(), err.String(), cmd.ProcessState.ExitCode()}
}

// environment returns the variables of a command, with secrets of the user's.
func (s stage) environment() []string {
	return append(os.Environ(), "DEPLOYER_DIR="+s.root, "DEPLOYER_STATE_DIR="+s.state, "HOME="+s.work, "TMPDIR="+s.work,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY="+hunter, "AWS_SESSION_TOKEN="+hunter,
		"GITHUB_TOKEN="+hunter, "PULUMI_ACCESS_TOKEN="+hunter, "GITHUB_STEP_SUMMARY="+filepath.Join(s.work, "summary.md"))
}

// run runs a command and searches its output. A command with an unexpected exit code would prove nothing.
func (s stage) run(ends outcome, args []string, in string) {
	line := strings.Join(args, " ")
	got := s.exec(strings.NewReader(in), args)
	found := s.search("standard output of "+line, got.out)
	found = s.search("standard error of "+line, got.err) || found
	if ends == anyOutcome || found {
		return
	}
	assert.Equal(s.t, ends == rejected, got.code == codeNotRun, "%s ended with %d: %s", line, got.code, got.err)
}

// search reports whether a text contains a secret, and fails the test where it does, without repeating it.
func (s stage) search(where, text string) (found bool) {
	for _, n := range s.needles {
		if i := strings.Index(text, n.text); i >= 0 {
			found = true
			s.t.Errorf("%s, line %d: %s, %s", where, 1+strings.Count(text[:i], "\n"), n.of, n.form)
		}
	}
	return found
}

// ofTheAccount has the files of the simulated account, which stands for Secrets Manager, and the passphrase that encrypts the state.
var ofTheAccount = []string{"account.json", "account.json.lock", "passphrase", "ca"}

// searchFiles searches the files below a directory, but for those that are as they were in the prepared account.
func (s stage) searchFiles(below string) {
	err := filepath.WalkDir(below, func(path string, d fs.DirEntry, err error) error {
		local, inState := strings.CutPrefix(path, filepath.Join(s.state, "local")+string(filepath.Separator))
		switch {
		case err != nil:
			return err
		case path == filepath.Join(s.work, "bad.env"), inState && slices.Contains(ofTheAccount, local):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(s.state, path)
		before, err := os.ReadFile(filepath.Join(s.prepared.state, relative))
		if s.state != s.prepared.state && err == nil && bytes.Equal(before, content) {
			return nil
		}
		s.search("the file "+relative, relative+"\n"+string(content))
		return nil
	})
	require.NoError(s.t, err)
}

// noMask verifies that vars --no-mask shows values in its result, which also proves that the search finds them, and nowhere else,
// and that it rejects a protected environment.
func (p prepared) noMask(t *testing.T) {
	s := p.stage(t)
	for _, form := range varsVerb().formats {
		args := []string{"vars", "--no-mask", "--local", "--debug", "--format", form, "--env"}
		shown := s.exec(strings.NewReader(""), append(args, "staging"))
		for _, of := range []string{"a part of a value", "/password"} {
			require.True(t, p.holds(shown.out, of), "--format %s --no-mask does not show %s", form, of)
		}
		s.search("standard error of vars --no-mask", shown.err)

		hidden := s.exec(strings.NewReader(""), append(args, "production"))
		require.Equal(t, codeNotRun, hidden.code)
		require.Contains(t, hidden.err, "production is protected")
		s.search("vars --no-mask --env production", hidden.out+hidden.err)
	}
	s.searchFiles(s.work)
}

// holds reports whether a text contains a secret whose name ends with name.
func (p prepared) holds(text, name string) bool {
	return slices.ContainsFunc(p.needles, func(n needle) bool { return strings.HasSuffix(n.of, name) && strings.Contains(text, n.text) })
}

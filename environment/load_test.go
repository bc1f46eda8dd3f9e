package environment

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/problem"
)

// root is the project's root, where the real environments are.
const root = ".."

func TestEveryNameFindsItsEnvironment(t *testing.T) {
	for name, want := range map[string]string{
		"dev": "development", "development": "development",
		"staging": "staging",
		"prod":    "production", "production": "production",
	} {
		e, err := Load(root, name)
		require.NoError(t, err, name)
		require.Equal(t, want, e.Name)
		require.Equal(t, StackOf(name), e.Stack)
	}
}

func TestListLeavesOutShared(t *testing.T) {
	stacks, err := List(root)
	require.NoError(t, err)
	require.Equal(t, []string{"dev", "production", "staging"}, stacks)
}

func TestUnknownEnvironmentListsTheOthers(t *testing.T) {
	for name, want := range map[string]string{
		"qa":             `there is no environment "qa": Pulumi.qa.yaml does not exist`,
		"":               `there is no environment "": Pulumi..yaml does not exist`,
		"../dev":         `there is no environment "../dev": Pulumi.../dev.yaml does not exist`,
		"staging.yaml\n": `there is no environment "staging.yaml\n": ` + "Pulumi.staging.yaml\n.yaml does not exist",
		"shared":         `shared is the stack that all environments share, not an environment`,
	} {
		_, err := Load(root, name)
		var missing *NotFoundError
		require.ErrorAs(t, err, &missing, name)
		require.EqualError(t, err, want)
		require.Equal(t, "the environments are dev, production, staging", missing.Hint())
	}
}

func TestAliasIsNamedByTheFileThatIsMissing(t *testing.T) {
	_, err := Load(t.TempDir(), "prod")
	require.EqualError(t, err, `there is no environment "prod": Pulumi.production.yaml does not exist`)
	var missing *NotFoundError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, "this directory has no Pulumi.<name>.yaml; run from the project's root, or name it with --dir", missing.Hint())
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, FileName("staging")), 0o700))
	nowhere := filepath.Join(dir, "nowhere")
	for name, read := range map[string]func() error{
		filepath.Join(dir, FileName("staging")): func() error { _, err := Load(dir, "staging"); return err },
		nowhere:                                 func() error { _, err := List(nowhere); return err },
	} {
		var unreadable *UnreadableError
		require.ErrorAs(t, read(), &unreadable)
		require.Equal(t, name, unreadable.File)
		require.Equal(t, "read "+name+": "+unreadable.Err.Error(), unreadable.Error())
		require.Contains(t, unreadable.Hint(), name)
	}
}

func TestFileThatAnAliasHides(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName("prod")), nil, 0o600))
	_, err := List(dir)
	require.EqualError(t, err, "Pulumi.prod.yaml: prod means the environment production, so this file is never read; "+
		"rename it to Pulumi.production.yaml or remove it")
}

// TestDecodeOfJSONEqualsLoad checks both ways of loading: Pulumi passes the block to the program as JSON.
func TestDecodeOfJSONEqualsLoad(t *testing.T) {
	for _, stack := range []string{"dev", "staging", "production"} {
		want, err := Load(root, stack)
		require.NoError(t, err)
		got, err := Decode(stack, blockAsJSON(t, stack, Key))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	want, err := LoadShared(root)
	require.NoError(t, err)
	got, err := DecodeShared(blockAsJSON(t, SharedStack, SharedKey))
	require.NoError(t, err)
	require.NoError(t, got.Resolve(root))
	require.Equal(t, want, got)
}

func blockAsJSON(t *testing.T, stack, key string) []byte {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, FileName(stack)))
	require.NoError(t, err)
	var file struct{ Config map[string]any }
	require.NoError(t, yaml.Unmarshal(source, &file))
	value, err := json.Marshal(file.Config[key])
	require.NoError(t, err)
	return value
}

// TestDecodeNamesTheKey checks that a value without a file has no lines.
func TestDecodeNamesTheKey(t *testing.T) {
	_, err := Decode("staging", []byte(`{"name": "staging", "services": {"api": {"cpu": "512"}}}`))
	require.ErrorContains(t, err, `the configuration v3-backend:environment: services.api.cpu: `+
		`expected a whole number, got the text "512"; give a whole number, in digits and without quotes`)
	_, err = Decode("staging", nil)
	require.EqualError(t, err, "the configuration v3-backend:environment: it is empty; "+
		"copy another environment's file and change its values")
}

func TestLoadAll(t *testing.T) {
	envs, err := LoadAll(root)
	require.NoError(t, err)
	require.Len(t, envs, 3)
}

func TestLoadAllComparesEnvironments(t *testing.T) {
	dir := t.TempDir()
	for stack, file := range map[string]string{
		"staging": "valid-minimal", "production": "valid-production", "qa": "invalid-name-other", "broken": "invalid-empty",
	} {
		source, err := os.ReadFile(filepath.Join("testdata", file+".yaml"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, FileName(stack)), source, 0o600))
	}
	envs, err := LoadAll(dir)
	require.Len(t, envs, 3)
	require.EqualError(t, err, `Pulumi.broken.yaml: it is empty; copy another environment's file and change its values
Pulumi.qa.yaml:8: network.cidr: 10.20.0.0/16 overlaps 10.20.0.0/16 of Pulumi.production.yaml:9; give one of the two another range, so that they can be peered
    8 |     network: {cidr: 10.20.0.0/16}
Pulumi.staging.yaml:7: domain.name: staging-api.example.com is the domain of Pulumi.qa.yaml:7 too; give one of the two another name
    7 |     domain: {root: example.com, name: staging-api.example.com}
Pulumi.staging.yaml:8: network.cidr: 10.20.0.0/16 overlaps 10.20.0.0/16 of Pulumi.production.yaml:9; give one of the two another range, so that they can be peered
Pulumi.staging.yaml:8: network.cidr: 10.20.0.0/16 overlaps 10.20.0.0/16 of Pulumi.qa.yaml:8; give one of the two another range, so that they can be peered
    8 |     network: {cidr: 10.20.0.0/16}
Pulumi.staging.yaml:15: delivery.branch: a push to staging deploys Pulumi.qa.yaml:15 too; give one of the two another branch, or the trigger manual
   15 |     delivery: {branch: staging, trigger: push}`)
}

// conflictsByFile reports each conflict in the file of the later environment.
func conflictsByFile(envs []*Environment) []*problem.Error {
	var byFile []*problem.Error
	for i, later := range envs {
		if l := append(conflicts(later, envs[:i], locator(nil)), verifiedInProblems(later, envs)...); len(l) > 0 {
			byFile = append(byFile, &problem.Error{Source: FileName(later.Stack), Problems: l})
		}
	}
	return byFile
}

func TestConflicts(t *testing.T) {
	env := func(stack, cidr string) *Environment {
		return &Environment{Stack: stack, Network: Network{CIDR: cidr}, Domain: Domain{Name: stack + ".example.com"}}
	}
	named := func(e *Environment, name string) *Environment { e.Name = name; return e }
	at := func(e *Environment, domain string) *Environment { e.Domain.Name = domain; return e }
	push := func(e *Environment, branch string, trigger Trigger) *Environment {
		e.Delivery = Delivery{Branch: branch, Trigger: trigger}
		return e
	}
	for name, test := range map[string]struct {
		envs []*Environment
		want int
	}{
		"one branch, two pushes":      {[]*Environment{push(env("a", "10.10.0.0/16"), "main", OnPush), push(env("b", "10.20.0.0/16"), "main", OnPush)}, 1},
		"one branch, one push":        {[]*Environment{push(env("a", "10.10.0.0/16"), "main", Manual), push(env("b", "10.20.0.0/16"), "main", OnPush)}, 0},
		"one branch, manual":          {[]*Environment{push(env("a", "10.10.0.0/16"), "main", Manual), push(env("b", "10.20.0.0/16"), "main", Manual)}, 0},
		"two branches":                {[]*Environment{push(env("a", "10.10.0.0/16"), "main", OnPush), push(env("b", "10.20.0.0/16"), "develop", OnPush)}, 0},
		"a name within another":       {[]*Environment{env("qa", "10.10.0.0/16"), env("qa-2", "10.20.0.0/16")}, 1},
		"another around a name":       {[]*Environment{env("qa-2", "10.10.0.0/16"), env("qa", "10.20.0.0/16")}, 1},
		"within a full name":          {[]*Environment{named(env("dev", "10.10.0.0/16"), "development"), named(env("development-2", "10.20.0.0/16"), "development-2")}, 1},
		"names that differ":           {[]*Environment{env("qa", "10.10.0.0/16"), env("qa2", "10.20.0.0/16"), env("preview-1", "10.30.0.0/16"), env("preview-2", "10.40.0.0/16")}, 0},
		"a domain below another":      {[]*Environment{env("a", "10.10.0.0/16"), at(env("b", "10.20.0.0/16"), "x.a.example.com")}, 1},
		"a domain above another":      {[]*Environment{at(env("b", "10.20.0.0/16"), "x.a.example.com"), env("a", "10.10.0.0/16")}, 1},
		"domains that only end alike": {[]*Environment{env("a", "10.10.0.0/16"), at(env("b", "10.20.0.0/16"), "x-a.example.com")}, 0},
		"none":                        {nil, 0},
		"apart":                       {[]*Environment{env("a", "10.10.0.0/16"), env("b", "10.20.0.0/16")}, 0},
		"neighbours":                  {[]*Environment{env("a", "10.10.0.0/20"), env("b", "10.10.16.0/20")}, 0},
		"the same":                    {[]*Environment{env("a", "10.10.0.0/16"), env("b", "10.10.0.0/16")}, 1},
		"inside":                      {[]*Environment{env("a", "10.10.0.0/16"), env("b", "10.10.32.0/20")}, 1},
		"around":                      {[]*Environment{env("a", "10.10.32.0/20"), env("b", "10.10.0.0/16"), env("c", "10.30.0.0/16")}, 1},
	} {
		require.Len(t, conflictsByFile(test.envs), test.want, name)
	}
}

func TestVerifiedIn(t *testing.T) {
	env := func(stack, account string, verifiedIn ...string) *Environment {
		return &Environment{Stack: stack, Account: account, Deployment: Deployment{VerifiedIn: verifiedIn}}
	}
	for name, test := range map[string]struct {
		envs []*Environment
		want string
	}{
		"off":               {[]*Environment{env("dev", "1"), env("production", "2")}, ""},
		"one after another": {[]*Environment{env("dev", "1"), env("production", "1", "staging"), env("staging", "1", "development")}, ""},
		"one of two":        {[]*Environment{env("dev", "1"), env("production", "1", "staging", "dev"), env("staging", "1", "production", "dev")}, ""},
		"another account":   {[]*Environment{env("production", "1", "staging"), env("staging", "2")}, "staging keeps its records in the account 2"},
		"not there":         {[]*Environment{env("production", "1", "staging")}, "there is no valid environment staging"},
		"a circle":          {[]*Environment{env("production", "1", "staging"), env("staging", "1", "production")}, "wait for each other"},
		"a circle of three": {[]*Environment{env("a", "1", "b"), env("b", "1", "c"), env("c", "1", "a")}, "wait for each other"},
	} {
		t.Run(name, func(t *testing.T) {
			var found []string
			for _, e := range test.envs {
				for _, p := range verifiedInProblems(e, test.envs) {
					found = append(found, p.Message)
				}
			}
			if test.want == "" {
				require.Empty(t, found)
				return
			}
			require.Contains(t, strings.Join(found, "; "), test.want)
		})
	}
}

// TestLoadAndCompare checks that only the problems of one file are reported.
func TestLoadAndCompare(t *testing.T) {
	dir := t.TempDir()
	put := func(stack, source string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, FileName(stack)), []byte(source), 0o600))
	}
	for _, stack := range []string{"dev", "staging", "production"} {
		source, err := os.ReadFile(filepath.Join(root, FileName(stack)))
		require.NoError(t, err)
		put(stack, string(source))
		if stack == "staging" {
			put("qa", strings.ReplaceAll(strings.ReplaceAll(string(source), "name: staging", "name: qa"), "cidr: 10.20.0.0/16", "cidr: 10.20.128.0/17"))
		}
	}
	put("broken", "")
	env, err := LoadAndCompare(dir, "dev")
	require.NoError(t, err)
	require.Equal(t, "dev", env.Stack)
	for name, other := range map[string]string{"qa": "staging", "staging": "qa"} {
		_, err := LoadAndCompare(dir, name)
		require.ErrorContains(t, err, FileName(name)+":", "the problem is in the file that was named")
		require.ErrorContains(t, err, "of "+FileName(other)+":13; give one of the two another range")
		require.Regexp(t, `delivery\.branch: a push to staging deploys `+FileName(other)+`:[0-9]+ too; give one of the two another branch`, err.Error())
		_, err = Load(dir, name)
		require.NoError(t, err, "a deployment reads one file only")
	}
	_, err = LoadAndCompare(dir, "broken")
	require.ErrorContains(t, err, "it is empty")
	_, err = LoadAndCompare(dir, "nowhere")
	var missing *NotFoundError
	require.ErrorAs(t, err, &missing)
}

func TestLoadFile(t *testing.T) {
	source, err := os.ReadFile("../Pulumi.dev.yaml")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "before.yaml")
	require.NoError(t, os.WriteFile(path, source, 0o600))
	env, err := LoadFile(path)
	require.NoError(t, err)
	committed, err := Load("..", "dev")
	require.NoError(t, err)
	require.Equal(t, committed, env)

	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(source), "nat: instance", "nat: double", 1)), 0o600))
	_, err = LoadFile(path)
	require.ErrorContains(t, err, path+":")
	require.ErrorContains(t, err, "network.nat")
	_, err = LoadFile(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorContains(t, err, "no such file")
}

// TestSharedKnowsBranchesAndDomains checks what GitHub's roles need from the environments' files, and that it is required by CheckEnvironments
// only: another environment's file must not stop a command.
func TestSharedKnowsBranchesAndDomains(t *testing.T) {
	shared, err := LoadShared(root)
	require.NoError(t, err)
	require.NoError(t, shared.CheckEnvironments())
	for name, want := range map[string]Delivered{
		"development": {"develop", "dev-api.hyperchonk.com"}, "staging": {"staging", "staging-api.hyperchonk.com"}, "production": {"main", "api.hyperchonk.com"},
	} {
		got, ok := shared.GitHub.Delivered(name)
		require.True(t, ok, name)
		require.Equal(t, want, got)
	}
	dir := t.TempDir()
	for _, stack := range []string{SharedStack, "dev"} {
		source, err := os.ReadFile(filepath.Join(root, FileName(stack)))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, FileName(stack)), source, 0o600))
	}
	shared, err = LoadShared(dir)
	require.NoError(t, err)
	require.EqualError(t, shared.CheckEnvironments(), `Pulumi.shared.yaml: github.environments[1]: there is no environment "staging"; `+
		"create it with `deployer env new staging --from ENV`, or remove it from the list")
	require.Equal(t, "api.hyperchonk.com", shared.ProductionDomain())
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName("staging")), nil, 0o600))
	shared, err = LoadShared(dir)
	require.NoError(t, err)
	require.ErrorContains(t, shared.CheckEnvironments(), FileName("staging")+":")
}

// keyLine matches a key with its value in a line of an environment's file.
var keyLine = regexp.MustCompile(`^( +)([A-Za-z]+): *([^ #].*)$`)

// TestAllProblemsAtOnce mistypes each key of each file, and its value, beside a broken rule: both are reported, and nothing that only follows.
func TestAllProblemsAtOnce(t *testing.T) {
	seen := 0
	for _, stack := range []string{"dev", "staging", "production"} {
		source, err := os.ReadFile(filepath.Join(root, FileName(stack)))
		require.NoError(t, err)
		lines := strings.Split(string(source), "\n")
		for i, line := range lines {
			match := keyLine.FindStringSubmatch(line)
			if match == nil || match[2] == "budget" || match[2] == "monthlyUSD" {
				continue
			}
			for _, wrong := range []string{match[1] + match[2] + "x: " + match[3], match[1] + match[2] + ": !odd x"} {
				changed := slices.Clone(lines)
				changed[i] = wrong
				text := regexp.MustCompile(`monthlyUSD: [0-9]+`).ReplaceAllString(strings.Join(changed, "\n"), "monthlyUSD: 0")
				_, err := decode(stack, inFile(FileName(stack), []byte(text), Key))
				var problems *problem.Error
				require.ErrorAs(t, err, &problems)
				paths := map[int]bool{}
				for _, p := range problems.Problems {
					paths[p.Line] = true
				}
				seen++
				assert.True(t, paths[i+1], "%s: %s", wrong, err)
				assert.Len(t, problems.Problems, 2, "%s: %s", wrong, err)
			}
		}
	}
	require.Greater(t, seen, 200)
}

// What is wrong in one file is reported together with its conflicts; the others are compared with it all the same.
func TestBrokenFilesAreCompared(t *testing.T) {
	dir := t.TempDir()
	for _, stack := range []string{"dev", "staging", "production"} {
		source, err := os.ReadFile(filepath.Join(root, FileName(stack)))
		require.NoError(t, err)
		text := string(source)
		if stack == "dev" {
			text = strings.NewReplacer("protected:", "protectd:", "nat: instance", "nat: sinlge", "cpu: 256", "cpu: 300", "10.10.0.0/16", "10.20.0.0/16").Replace(text)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, FileName(stack)), []byte(text), 0o600))
	}
	valid, err := LoadAll(dir)
	require.Len(t, valid, 2)
	for _, want := range []string{
		"Pulumi.dev.yaml:8: protectd: unknown key; did you mean protected? the keys here are ",
		`network.nat: "sinlge" is not a valid value; did you mean single? give instance, single or per-zone`,
		"services.api.cpu: ",
		"Pulumi.staging.yaml:13: network.cidr: 10.20.0.0/16 overlaps 10.20.0.0/16 of Pulumi.dev.yaml:13; ",
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = LoadAndCompare(dir, "dev")
	require.ErrorContains(t, err, "protectd: unknown key")
	require.ErrorContains(t, err, "Pulumi.dev.yaml:13: network.cidr: 10.20.0.0/16 overlaps 10.20.0.0/16 of Pulumi.staging.yaml:13; ")
}

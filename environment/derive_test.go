package environment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// project returns a copy of the project's environment files, with more beside them.
func project(t *testing.T, more map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, stack := range []string{"dev", "staging", "production"} {
		source, err := os.ReadFile(filepath.Join(root, FileName(stack)))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, FileName(stack)), source, 0o600))
	}
	for stack, source := range more {
		require.NoError(t, os.WriteFile(filepath.Join(dir, FileName(stack)), []byte(source), 0o600))
	}
	return dir
}

func TestDeriveChangesFourValuesAndTheTitle(t *testing.T) {
	dir := project(t, nil)
	derived, err := Derive(dir, "qa", "staging", "")
	require.NoError(t, err)
	before, err := os.ReadFile(filepath.Join(dir, FileName("staging")))
	require.NoError(t, err)
	require.Equal(t, strings.NewReplacer(
		"# Staging.", "# Qa.", "name: staging\n", "name: qa\n", "staging-api.", "qa-api.", "10.20.0.0/16", "10.40.0.0/16",
		"branch: staging", "branch: qa",
	).Replace(string(before)), string(derived.Source))
	require.Equal(t, "qa", derived.Name)
	require.Empty(t, derived.Omitted)
	require.NoFileExists(t, filepath.Join(dir, FileName("qa")))
}

func TestDeriveOfEveryEnvironmentIsValid(t *testing.T) {
	dir := project(t, nil)
	for _, from := range []string{"dev", "development", "staging", "prod"} {
		derived, err := Derive(dir, "preview-2", from, "")
		require.NoError(t, err, from)
		require.NoError(t, os.WriteFile(filepath.Join(dir, FileName("preview-2")), derived.Source, 0o600))
		_, err = LoadAll(dir)
		require.NoError(t, err, from)
		require.NoError(t, os.Remove(filepath.Join(dir, FileName("preview-2"))))
	}
}

// TestDeriveOmitsWhatIsSpecific checks that encrypted values and comments on changed values are omitted.
func TestDeriveOmitsWhatIsSpecific(t *testing.T) {
	const old = `# Old, for load tests: who uses old asks first.
secretsprovider: awskms://alias/v3-backend-pulumi
encryptedkey: AQICAHh-of-old
# The region is the account's.
config:
  aws:region: us-east-1
  v3-backend:image: repository@sha256:1
  v3-backend:token:
    secure: v1:abc
  # All that the program reads.
  v3-backend:environment:
    name: "old" # the name of the load tests
    prefix: v3-backend
    account: "123456789012" # the only one
    region: us-east-1
    domain: {root: hyperchonk.com, name: old-api.hyperchonk.com} # for testers
    network:
      # Small.
      cidr: '10.99.0.0/20' # peered with the testers
    image: {repository: balancer-api}
    services:
      api: {cpu: 256, memory: 512}
    database: {instanceClass: db.t3.micro}
    configuration:
      required: [DATABASE_URL, NODE_ENV]
    budget: {monthlyUSD: 50}
    delivery: {branch: old, trigger: push}
encryptionsalt: v1:salt
`
	const want = `# New, for load tests: who uses new asks first.
secretsprovider: awskms://alias/v3-backend-pulumi
# The region is the account's.
config:
  aws:region: us-east-1
  # All that the program reads.
  v3-backend:environment:
    name: new
    prefix: v3-backend
    account: "123456789012" # the only one
    region: us-east-1
    domain: {root: hyperchonk.com, name: new-api.hyperchonk.com} # for testers
    network:
      # Small.
      cidr: 10.40.0.0/20
    image: {repository: balancer-api}
    services:
      api: {cpu: 256, memory: 512}
    database: {instanceClass: db.t3.micro}
    configuration:
      required: [DATABASE_URL, NODE_ENV]
    budget: {monthlyUSD: 50}
    delivery: {branch: new, trigger: push}
`
	derived, err := Derive(project(t, map[string]string{"old": old}), "new", "old", "")
	require.NoError(t, err)
	require.Equal(t, want, string(derived.Source))
	require.Equal(t, []string{"encryptedkey", "encryptionsalt", "v3-backend:image", "v3-backend:token"}, derived.Omitted)
}

func TestDeriveRejects(t *testing.T) {
	dir := project(t, nil)
	for name, test := range map[string]struct{ name, from, cidr, want string }{
		"an alias":              {"prod", "staging", "", `"prod" is another name of the environment production`},
		"a full name":           {"development", "staging", "", `"development" is another name of the environment dev`},
		"the shared stack":      {"shared", "staging", "", `"shared" is the stack that all environments share, not an environment`},
		"all":                   {"all", "staging", "", `"all" means every environment`},
		"taken":                 {"dev", "staging", "", `Pulumi.dev.yaml exists already and is not changed`},
		"too long":              {"performance-test", "staging", "", `"performance-test" has 16 characters`},
		"capitals":              {"QA", "staging", "", `"QA" is not a valid environment name`},
		"a way out":             {"../qa", "staging", "", `"../qa" is not a valid environment name`},
		"nothing":               {"", "staging", "", `"" is not a valid environment name`},
		"an unknown model":      {"qa", "moon", "", `there is no environment "moon"`},
		"a range that is taken": {"qa", "staging", "10.30.128.0/17", "network.cidr: 10.30.128.0/17 overlaps 10.30.0.0/16 of Pulumi.production.yaml"},
		"no range":              {"qa", "staging", "10.30", `"10.30" is not an IPv4 CIDR block`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Derive(dir, test.name, test.from, test.cidr)
			require.ErrorContains(t, err, test.want)
		})
	}
}

// A file that is not valid does not prevent a new environment from another. One whose range is unknown is named.
func TestDeriveBesideABrokenFile(t *testing.T) {
	invalid, err := os.ReadFile("../Pulumi.dev.yaml")
	require.NoError(t, err)
	dir := project(t, map[string]string{"broken": "", "dev": strings.Replace(string(invalid), "zones: 2", "zones: 9", 1)})
	derived, err := Derive(dir, "qa", "staging", "")
	require.NoError(t, err)
	require.Len(t, derived.NotCompared, 1)
	require.ErrorContains(t, derived.NotCompared[0], "Pulumi.broken.yaml")
	dev, err := load(dir, "dev")
	require.NoError(t, err)
	require.NotEmpty(t, dev.problems)
	require.NotEqual(t, dev.env.Network.CIDR, derived.Network.CIDR, "the range of an invalid file is known")
	_, err = Derive(dir, "qa", "broken", "")
	require.ErrorContains(t, err, "Pulumi.broken.yaml")
}

func TestFreeRange(t *testing.T) {
	env := func(cidr string) *Environment { return &Environment{Network: Network{CIDR: cidr}} }
	var full []*Environment
	full = append(full, env("10.0.0.0/9"), env("10.128.0.0/10"))
	for name, test := range map[string]struct {
		taken []*Environment
		want  string
	}{
		"tens":    {[]*Environment{env("10.10.0.0/16"), env("10.20.0.0/16")}, "10.30.0.0/18"},
		"a gap":   {[]*Environment{env("10.10.0.0/16"), env("10.30.0.0/16")}, "10.20.0.0/18"},
		"half of": {full, "10.200.0.0/18"},
		"crowded": {append(full, env("10.192.0.0/10")), "172.16.0.0/18"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := freeRange("10.99.0.0/18", test.taken)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
	_, err := freeRange("10.99.0.0/18", []*Environment{env("0.0.0.0/0")})
	require.ErrorContains(t, err, "no private /18 range is free")
}

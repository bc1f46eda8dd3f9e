package command

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
)

// TestSwallowedFlags gives every flag of every command another flag as its value: no command runs without the flag that it was given.
func TestSwallowedFlags(t *testing.T) {
	var try func(words []string, list []verb)
	try = func(words []string, list []verb) {
		for _, v := range list {
			words := append(slices.Clone(words), v.name)
			try(words, v.verbs)
			if v.run == nil {
				continue
			}
			flags := append(slices.Clone(v.flags), flagsOfAll(v.formats)...)
			for _, f := range flags {
				if !takesValue(flags, "--"+f.Names()[0]) {
					continue
				}
				for _, next := range append(spellings(flags), "--help", "-h", "--yes=true", "--") {
					for _, name := range f.Names() {
						given := "--" + name
						var printed bytes.Buffer
						code := run(t.Context(), "development", slices.Concat([]string{"deployer"}, words, []string{given, next}), streams{out: &printed, err: &printed})
						next, _, _ := strings.Cut(next, "=")
						require.Equal(t, codeNotRun, code, "%v %s %s: %s", words, given, next, printed.String())
						require.Contains(t, printed.String(), "--"+f.Names()[0]+" has no value: "+next+" follows, which is a flag", words)
					}
				}
			}
		}
	}
	try(nil, verbs())
}

// spellings returns some flags of a command as they are written: its own, and a global one with its short name.
func spellings(flags []cli.Flag) []string {
	return []string{"--" + flags[0].Names()[0], "-" + flags[len(flags)-1].Names()[0], "--yes", "-y"}
}

func TestFlagValues(t *testing.T) {
	app := application("development", streams{})
	for args, want := range map[string]string{
		"up --unverified --dry-run":            "--unverified has no value: --dry-run follows, which is a flag",
		"up --unverified reason --dry-run":     "",
		"up --unverified=--dry-run":            "", // up itself rejects it
		"logs --filter -debug":                 "--filter has no value: -debug follows, which is a flag",
		"logs --filter=-debug":                 "",
		"logs --filter -ERROR":                 "",
		"--env --local status":                 "--env has no value: --local follows, which is a flag",
		"exec --service -- ls":                 "--service has no value: -- follows, which is a flag",
		"exec --service api -- ls --yes":       "",
		"sleep --env dev --env staging":        "--env is given twice: dev and staging",
		"--env dev sleep --env=staging":        "--env is given twice: dev and staging",
		"sleep --env dev --env dev":            "",
		"status --only vpc --only alarms":      "",
		"up -t one --image-tag two":            "--image-tag is given twice: one and two",
		"up --format json --format text":       "",
		"restart --service=":                   "--service is given, and its value is empty",
		"restart --service |":                  "--service is given, and its value is empty",
		"restart --service api":                "",
		"up --code-only --image-tag=":          "--image-tag is given, and its value is empty",
		"up -t=":                               "--image-tag is given, and its value is empty",
		"up --image-tag x --component=,":       "--component is given, and its value is empty",
		"up --image-tag x --component network": "",
		"rollback --to=":                       "--to is given, and its value is empty",
		"migrate --command=":                   "--command is given, and its value is empty",
		"exec --task=":                         "--task is given, and its value is empty",
		"exec --container=":                    "--container is given, and its value is empty",
		"logs --service=":                      "--service is given, and its value is empty",
		"status --region=":                     "", // as without it
	} {
		t.Run(args, func(t *testing.T) {
			words := append([]string{"deployer"}, strings.Fields(args)...)
			for i := range words {
				words[i] = strings.TrimSuffix(words[i], "|") // an empty word
			}
			_, err := permute(app, words)
			if want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, want)
			require.NotEmpty(t, hint.Of(err))
		})
	}
}

// A reason that begins with a hyphen is a flag that was meant, wherever it comes from.
func TestReasonIsNoFlag(t *testing.T) {
	for _, reason := range []string{"--dry-run", "-y", "--dryrun"} {
		require.ErrorContains(t, upOptions{unverified: reason, unverifiedSet: true}.check(), "begins with -")
	}
	require.NoError(t, upOptions{unverified: "ends an outage", unverifiedSet: true}.check())
}

func TestQuestion(t *testing.T) {
	for want, o := range map[string]upOptions{
		"restart worker in":        {codeOnly: true, restart: true, service: "worker"},
		"restart every service in": {codeOnly: true, restart: true},
		"deploy 1.2 (sha256:A) to": {},
	} {
		require.Equal(t, want, o.question("1.2 (sha256:A)"))
	}
	require.Equal(t, "deploy to", upOptions{}.question(""))
}

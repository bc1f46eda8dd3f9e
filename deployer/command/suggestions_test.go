package command

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runLine runs a command line against the project's files, and returns the exit code and what it printed.
func runLine(t *testing.T, words ...string) (code int, out, errs string) {
	var printed, failed bytes.Buffer
	code = run(t.Context(), "development", append([]string{"deployer"}, words...), streams{in: &bytes.Buffer{}, out: &printed, err: &failed})
	return code, printed.String(), failed.String()
}

// A mistake on the command line is answered with what was probably meant.
func TestSuggestions(t *testing.T) {
	t.Setenv("DEPLOYER_DIR", projectRoot(t))
	for line, want := range map[string][2]string{
		// Commands, by the names of other tools and with typing errors.
		"deploy":               {`unknown command "deploy"`, "did you mean `deployer up --image-tag TAG`? `deployer --help` lists the commands"},
		"ps --local --env dev": {`unknown command "ps"`, "did you mean `deployer tasks"},
		"stop":                 {`unknown command "stop"`, "`deployer --help` lists the commands"},
		"secrets unset":        {`unknown command "unset"`, "did you mean `deployer secrets set KEY --delete`? "},
		"releases":             {`unknown command "releases"`, "did you mean `deployer history`? "},
		"ssh":                  {`unknown command "ssh"`, "did you mean `deployer exec`? "},
		"tail":                 {`unknown command "tail"`, "did you mean `deployer logs`? "},
		"stauts":               {`unknown command "stauts"`, "did you mean `deployer status`? "},
		"dploy":                {`unknown command "dploy"`, "did you mean `deployer up --image-tag TAG`? "},
		"destroi --env dev":    {`unknown command "destroi"`, "did you mean `deployer destroy --env dev --dry-run`? "},
		"rm":                   {`unknown command "rm"`, "did you mean `deployer destroy --dry-run`? "},
		"restore":              {`unknown command "restore"`, "did you mean `deployer snapshot restore`? "},
		"secrets put":          {`unknown command "put"`, "did you mean `deployer secrets set KEY`? "},
		"env create":           {`unknown command "create"`, "did you mean `deployer env new NAME --from ENVIRONMENT`? "},
		"secrets lst":          {`unknown command "lst"`, "did you mean `deployer secrets check`? `deployer secrets --help` lists the commands"},
		"nonsense":             {`unknown command "nonsense"`, "`deployer --help` lists the commands"},
		"lock kep":             {`unknown command "kep"`, "`deployer lock --help` lists the commands"}, // keep is hidden
		"help nonsense":        {`unknown command "nonsense"`, "`deployer --help` lists the commands"},
		"upp":                  {`unknown command "upp"`, "did you mean `deployer up --image-tag TAG`? "},
		"scale":                {`unknown command "scale"`, "did you mean `deployer up --image-tag TAG`? "},
		"abort":                {`unknown command "abort"`, "did you mean `deployer rollback`? "},
		"vars set A=b":         {`"set" was given`, "did you mean `deployer secrets set KEY`? "},
		// Flags.
		"up --en dev":          {"unknown flag --en", "did you mean --env? "},
		"up --stop":            {"unknown flag --stop", "--stop is a flag of migrate; "},
		"up --image-tagg x":    {"unknown flag --image-tagg", "did you mean --image-tag? `deployer up --help` lists the flags"},
		"up -image-tagg x":     {"unknown flag --image-tagg", "did you mean --image-tag? "},
		"up --tag x":           {"unknown flag --tag", "did you mean --image-tag? "},
		"up -l":                {"unknown flag -l", "did you mean --local? "},
		"up --sideways":        {"unknown flag --sideways", "`deployer up --help` lists the flags"},
		"up -version":          {"unknown flag --version", "`deployer --version` prints the version"},
		"history --json":       {"unknown flag --json", "did you mean --format json? "},
		"url --json":           {"unknown flag --json", "--json is a flag of status; "},
		"status --image-tag x": {"unknown flag --image-tag", "--image-tag is a flag of up, preview and migrate; "},
		"--image-tag x up":     {"unknown flag --image-tag", "--image-tag is a flag of up, preview and migrate; `deployer --help` lists the flags"},
		"--versiom":            {"unknown flag --versiom", "did you mean --version? "},
		"up --env":             {"--env has no value", "give a value after it; "},
		"secrets set --ky x":   {"it is not repeated, since it may be a secret", "`deployer secrets set --help` lists the flags"},
		// Values.
		"url --timeout 5":                             {`--timeout: "5" is not a time: it has no unit`, "give the unit: 5s for seconds or 5m for minutes"},
		"url --timeout 5x":                            {`--timeout: "5x" is not a time`, "give a number with its unit, as in 90s, 5m or 1h30m"},
		"logs --limit x":                              {`--limit: "x" is not a whole number`, "give one in digits"},
		"cost --data-gb x":                            {`--data-gb: "x" is not a number`, "give one such as 1.5"},
		"up --yes=5":                                  {`--yes: "5" is not true or false`, "give the flag alone"},
		"url --env stagin":                            {`there is no environment "stagin"`, "did you mean staging? the environments are dev, production, staging"},
		"url --env prd":                               {`there is no environment "prd"`, "did you mean prod? "},
		"status --env dev --only nta":                 {`unknown component "nta"`, "did you mean nat? the components are stack, "},
		"status --env dev --only a,b":                 {`unknown components a, b`, "the components are stack, "},
		"status --format jsn":                         {`--format: unknown format "jsn"`, "did you mean json? give one of yaml+summary, "},
		"vars --env dev --category ap":                {`--category: unknown category "ap"`, "the categories are database, "},
		"logs --env dev --service workr":              {`--service: no container writes logs by the name "workr"`, "did you mean worker? give some of "},
		"up --env dev --image-tag x --skip migrte":    {`--skip: unknown phase "migrte"`, "did you mean migrate? the phases are "},
		"up --env dev --image-tag x --component queu": {`--component: unknown component "queu"`, "did you mean queue? the components are "},
		"completion zhs":                              {`unknown shell "zhs"`, "did you mean zsh? "},
		// Arguments that were meant for a flag.
		"up dev":            {`up takes no argument, "dev" was given`, "did you mean `deployer up --env dev --image-tag TAG`? `deployer up --help` shows the usage"},
		"up stagin --local": {`"stagin" was given`, "did you mean `deployer up --env staging --local --image-tag TAG`? "},
		"status all":        {`"all" was given`, "did you mean `deployer status --env all`? "},
		"up all":            {`"all" was given`, "`deployer up --help` shows the usage"},
		"restart api":       {`"api" was given`, "did you mean `deployer restart --service api`? "},
		"status nat":        {`"nat" was given`, "did you mean `deployer status --only nat`? "},
		"up network":        {`"network" was given`, "did you mean `deployer up --component network --image-tag TAG`? "},
		"up 1.41.8":         {`"1.41.8" was given`, "did you mean `deployer up --image-tag 1.41.8`? "},
		"up dev --dry-run --image-tag latest --skip migrate": {`"dev" was given`, "did you mean `deployer up --env dev --image-tag latest --skip migrate --dry-run`? "},
		"up dev --code-only --restart":                       {`"dev" was given`, "did you mean `deployer up --env dev --code-only --restart`? "},
		"up latest":                                          {`"latest" was given`, "did you mean `deployer up --image-tag latest`? "},
		"secrets init dev":                                   {"takes no argument", "`deployer secrets init --help` shows the usage"}, // it may be a secret
		// One environment.
		"history --env all":                {"--env all: this command takes one environment", "run it once for each; "},
		"env validate --env dev,staging,x": {"--env dev,staging,x: this command takes one environment", "run it once for each; "},
		// Flags that contradict each other, or would be ignored.
		"status --env dev --json --yaml":             {"--yaml and --json contradict each other", "leave one of them out"},
		"status --env dev --json --summary --yaml":   {"--yaml, --summary and --json contradict each other", "leave one of them out"},
		"status --env dev --json --format yaml":      {"--json and --format yaml contradict each other", "leave one of them out"},
		"status --env dev -f json --summary":         {"--summary and --format json contradict each other", "leave one of them out"},
		"status --env dev --only vpc,nat --skip nat": {"--only and --skip both name nat", "leave it out of one of them"},
		"status --env dev --interval 5s":             {"--interval does nothing without --watch", "add --watch, or leave --interval out"},
		"status --env dev --only=":                   {"--only is given, and its value is empty", "give a value, or leave --only out"},
		// Arguments that are missing.
		"secrets set --env dev":              {"KEY is missing", "`deployer secrets set --help` shows the usage"},
		"local push":                         {"TAG is missing", "`deployer local push --help` shows the usage"},
		"completion":                         {"SHELL is missing", "`deployer completion --help` shows the usage"},
		"env new --from dev":                 {"NAME is missing", "`deployer env new --help` shows the usage"},
		"up --image-tag x --env dev,staging": {"--env dev,staging: this command takes one environment", "run it once for each; "},
		"env validate --env dev,staging":     {"--env dev,staging: this command takes one environment", "run it once for each; "},
		"cost --env dev --against stagng":    {"no environment and no file has this name", ""},
	} {
		t.Run(line, func(t *testing.T) {
			code, out, errs := runLine(t, strings.Fields(line)...)
			require.Equal(t, codeNotRun, code, errs)
			require.Empty(t, out)
			lines := strings.Split(errs, "\n")
			require.Contains(t, lines[0], want[0])
			require.Contains(t, lines[1], "hint: ")
			require.Contains(t, lines[1], want[1])
			require.Equal(t, strings.Contains(want[1], "did you mean"), strings.Contains(lines[1], "did you mean"), lines[1])
		})
	}
}

// A value from a variable is explained like one on the command line.
func TestInvalidVariable(t *testing.T) {
	t.Setenv("DEPLOYER_TIMEOUT", "5")
	_, _, errs := runLine(t, "url", "--env", "dev")
	require.Equal(t, "deployer: --timeout: \"5\", which is in the environment variable \"DEPLOYER_TIMEOUT\", is not a time: it has no unit\n"+
		"hint: give the unit: 5s for seconds or 5m for minutes\n", errs)
}

// The names of other tools lead to commands that exist, and hide none.
func TestOtherNames(t *testing.T) {
	for other, meant := range otherCommands {
		_, exists := findVerb(strings.Fields(other))
		assert.False(t, exists, "%s is a command itself", other)
		command, _, _ := strings.Cut(meant, " KEY")
		_, exists = findVerb(strings.Fields(command))
		assert.True(t, exists, "%s: there is no command %s", other, meant)
	}
	for other, meant := range otherFlags {
		found := commandsWith(meant)
		assert.True(t, len(found) > 0 || flagOf(flagsOfAll([]string{"json"}), "--"+meant) != nil, "%s: no command has --%s", other, meant)
		assert.Nil(t, flagOf(flagsOfAll([]string{"json"}), dashed(other)), other)
	}
}

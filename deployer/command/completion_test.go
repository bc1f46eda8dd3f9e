package command

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// completed has command lines that are completed at their end, and the choices.
var completed = map[string]string{
	"deployer u":                              "up url",
	"deployer up --env |":                     "dev production staging",
	"deployer up -e s":                        "staging",
	"deployer status --env dev,":              "dev,production dev,staging",
	"deployer cost --env |":                   "dev production staging shared all",
	"deployer --env dev up --sk":              "--skip",
	"deployer up --skip |":                    "backup provision migrate rollout health bake validate",
	"deployer up --skip migrate,h":            "migrate,health",
	"deployer up --skip migrate --sk":         "--skip", // a list continues
	"deployer url --env dev --en":             "--endpoint-url",
	"deployer status --skip ecs_s":            "ecs_service",
	"deployer status --only ecs_t":            "ecs_tasks",
	"deployer status --format |":              "yaml+summary yaml summary verbose json markdown html",
	"deployer up --format |":                  "text json",
	"deployer up --component ne":              "network",
	"deployer up --fault task-":               "task-crash task-out-of-memory",
	"deployer logs --service m":               "migration",
	"deployer restart --service |":            "api worker scheduler",
	"deployer vars --category |":              "database api aws secrets",
	"deployer vars --compare p":               "production",
	"deployer env new qa --from s":            "staging",
	"deployer secrets |":                      "check init set diff",
	"deployer secrets set --env dev SE":       "SENTRY_DSN",
	"deployer secrets set NO":                 "NODE_ENV",
	"deployer secrets set NODE_ENV |":         "",
	"deployer completion |":                   "bash zsh fish",
	"deployer up --image-tag |":               "",
	"deployer rollback --to |":                "",
	"deployer logs --since |":                 "",
	"deployer exec -- |":                      "",
	"deployer up |":                           "",
	"deployer nonsense |":                     "",
	"deployer url --output Pulumi.s":          "Pulumi.shared.yaml Pulumi.staging.yaml",
	"deployer secrets init --from-file Makef": "Makefile",
	"deployer url --dir deployer/comm":        "deployer/command",
	"deployer lock k":                         "", // keep is hidden
	"deployer --vers":                         "--version",
}

// TestCompletion checks what the deployer offers for a command line.
func TestCompletion(t *testing.T) {
	t.Setenv("DEPLOYER_DIR", projectRoot(t))
	for line, want := range completed {
		words := strings.Fields(line)
		words[len(words)-1] = strings.TrimSuffix(words[len(words)-1], "|")
		var found []string
		for _, c := range choices(words[1:]) {
			found = append(found, c.word)
		}
		answer := strings.Join(found, " ")
		if strings.HasPrefix(answer, ":") {
			continue // names of files, which the shell reads
		}
		require.Equal(t, want, answer, line)
	}
	require.Equal(t, []choice{{"--env=staging", ""}}, choices([]string{"up", "--env=s"}))
	require.Contains(t, choices([]string{""}), choice{"up", "deploy an image: infrastructure, migrations, services, health"})
	require.Equal(t, []choice{{completeFiles, ""}}, choices([]string{"url", "--output", "x"}))
	require.Equal(t, []choice{{completeDirectories, ""}}, choices([]string{"url", "--state-dir", ""}))
}

// completionOf completes command lines with the function that the deployer printed for a shell. Each script prints one line of choices for
// each line that it reads, words apart by tabs.
var completionOf = map[string]string{
	"bash": `source "$1"; while IFS= read -r line; do
  IFS=$'\t' read -ra COMP_WORDS <<< "${line}"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  [[ ${COMP_WORDS[COMP_CWORD]} == "|" ]] && COMP_WORDS[COMP_CWORD]=""
  _deployer; echo "${COMPREPLY[*]}"
done`,
	"zsh": `compdef() { :; }; _describe() { reply+=("${(@)${(P)2}%%:*}"); }; _files() { [[ $1 == -/ ]] && reply+=(${words[CURRENT]}*(/N)) || reply+=(${words[CURRENT]}*(N)); }
source "$1"; while IFS= read -r line; do
  words=("${(@s:	:)line}"); CURRENT=${#words}; [[ ${words[CURRENT]} == "|" ]] && words[CURRENT]=""
  reply=(); _deployer; echo "${reply[*]}"
done`,
	"fish": `source $argv[1]; while read -l line
  set -l words (string replace -a \t ' ' -- $line | string replace -r '\|$' '')
  set -l found (complete -C "$words" | string split -f1 \t | string trim -r -c /)
  echo (string join -- ' ' $found)
end`,
}

// TestCompletionInShells completes the same command lines in each shell that is installed.
func TestCompletionInShells(t *testing.T) {
	for shell, program := range completionOf {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip(shell + " is not installed: its completion is not tested")
			}
			script := t.TempDir() + "/completion"
			require.NoError(t, os.WriteFile(script, []byte(completionScripts()[shell]), 0o600))
			var input strings.Builder
			var lines []string
			for line := range completed {
				if shell == "fish" && strings.Contains(completed[line], "Pulumi.") {
					continue // which files fish offers first depends on its version
				}
				lines = append(lines, line)
				input.WriteString(strings.Join(strings.Fields(line), "\t") + "\n")
			}
			arguments := []string{"-c", program, shell, script}
			if shell == "fish" {
				arguments = []string{"-c", program, script}
			}
			cmd := exec.Command(path, arguments...)
			cmd.Dir, cmd.Stdin = projectRoot(t), strings.NewReader(input.String())
			cmd.Env = append(os.Environ(), "DEPLOYER_DIR="+projectRoot(t))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
			require.Len(t, answers, len(lines), "%s", out)
			for i, line := range lines {
				require.ElementsMatch(t, strings.Fields(completed[line]), strings.Fields(answers[i]), line)
			}
		})
	}
	t.Run("bash separates at =", func(t *testing.T) {
		script := t.TempDir() + "/completion"
		require.NoError(t, os.WriteFile(script, []byte(bashCompletion), 0o600))
		cmd := exec.Command("bash", "-c", `source "$0"; COMP_WORDS=(deployer up --env = s); COMP_CWORD=4; _deployer; echo "${COMPREPLY[*]}"
COMP_WORDS=(deployer up --env =); COMP_CWORD=3; _deployer; echo "${COMPREPLY[*]}"`, script)
		cmd.Env = append(os.Environ(), "DEPLOYER_DIR="+projectRoot(t))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err)
		require.Equal(t, "staging\ndev production staging\n", string(out))
	})
}

package command

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
)

func completionVerb() verb {
	return verb{
		name: "completion", args: "SHELL", usage: "print the completion script for bash, zsh or fish",
		examples: []string{"source <(deployer completion bash)", "deployer completion fish | source"},
		run: func(_ context.Context, s *services, c *cli.Context) error {
			script, err := completion(c)
			if err != nil {
				return err
			}
			s.terminal.printf("%s", script)
			return nil
		},
	}
}

// completion returns a script that asks the program itself, by means of the flag library.
func completion(c *cli.Context) (string, error) {
	switch shell := c.Args().First(); shell {
	case "bash":
		return bashCompletion, nil
	case "zsh":
		return zshCompletion, nil
	case "fish":
		return c.App.ToFishCompletion()
	default:
		return "", hint.With(fmt.Errorf("unknown shell %q", shell), "give bash, zsh or fish")
	}
}

const bashCompletion = `_deployer() {
  local IFS=$'\n' words=("${COMP_WORDS[@]:0:$COMP_CWORD}") current="${COMP_WORDS[COMP_CWORD]}"
  [[ "$current" == -* ]] && words+=("$current")
  COMPREPLY=($(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$current"))
}
complete -o default -F _deployer deployer
`

const zshCompletion = `#compdef deployer
_deployer() {
  local -a options
  local current="${words[CURRENT]}"
  if [[ "$current" == -* ]]; then
    options=("${(@f)$(${words[@]:0:$CURRENT-1} "$current" --generate-bash-completion 2>/dev/null)}")
  else
    options=("${(@f)$(${words[@]:0:$CURRENT-1} --generate-bash-completion 2>/dev/null)}")
  fi
  _describe 'values' options
}
compdef _deployer deployer
`

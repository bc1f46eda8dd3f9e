package command

import (
	"context"

	"github.com/urfave/cli/v2"
)

func urlVerb() verb {
	return verb{
		name: "url", usage: "print the environment's base URL",
		examples: []string{`curl -f "$(deployer url --env staging)/health"`},
		run: func(_ context.Context, s *services, _ *cli.Context) error {
			env, err := s.targets.environment(s.targets.selected)
			if err != nil {
				return err
			}
			s.terminal.printf("%s\n", env.URL())
			return nil
		},
	}
}

package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"
)

func urlVerb() verb {
	return verb{
		name: "url", usage: "the environment's base URL, alone on a line",
		examples: []string{`curl -f "$(deployer url --env staging)/health"`},
		run: func(_ context.Context, s settings, _ *cli.Context) error {
			env, err := s.environment()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(s.out, env.URL())
			return err
		},
	}
}

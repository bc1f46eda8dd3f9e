package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func imagesVerb() verb {
	return verb{
		name: "images", usage: "the images that can be deployed, and where each one runs",
		about: `The repository is one an account; --env chooses it where environments have several. Where an image runs is asked
of the tasks of every environment that it serves.`,
		examples: []string{"deployer images", "deployer images --limit 5", "deployer images --env production --format json"},
		formats:  []string{"text", "json"},
		flags:    []cli.Flag{&cli.IntFlag{Name: "limit", Value: 20, Usage: "at most so many `IMAGES`, the newest; those that run are always among them; 0 is all"}},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return images{settings: s, limit: c.Int("limit")}.run(ctx)
		},
	}
}

// images lists a repository.
type images struct {
	settings
	limit int
}

func (i images) run(ctx context.Context) error {
	if i.limit < 0 {
		return hint.With(fmt.Errorf("--limit %d: there is no such number of images", i.limit), "0 is all of them")
	}
	envs, unread, err := i.environments()
	if err != nil {
		return err
	}
	p, err := i.open(ctx, accountOf(envs[0]))
	if err != nil {
		return err
	}
	defer i.leave(p)
	if err := p.verify(ctx, envs[0].Account, envs[0].Stack); err != nil {
		return err
	}
	stored, err := release.StoredImages(ctx, ecr.NewFromConfig(p.aws), envs[0])
	if err != nil {
		return err
	}
	for _, env := range envs {
		uses, err := release.RunningImages(ctx, ecs.NewFromConfig(p.aws), env)
		if err != nil {
			unread = append(unread, ui.UnreadableEnvironment{Environment: env.Stack, Error: err.Error()})
			continue
		}
		release.AddRuns(stored, env, uses)
	}
	return ui.Images(i.out, ui.ImageList{
		Repository: envs[0].RepositoryURL(), Images: i.limited(stored), Total: len(stored), Unreadable: unread,
	}, i.format, i.style())
}

// limited are the newest images, and those that run.
func (i images) limited(stored []release.StoredImage) []release.StoredImage {
	shown := []release.StoredImage{}
	for n, image := range stored {
		if i.limit == 0 || n < i.limit || len(image.Runs) > 0 {
			shown = append(shown, image)
		}
	}
	return shown
}

// environments are those that the repository serves; the one that --env names says which repository it is. A file that
// is not valid only leaves its environment out.
func (i images) environments() ([]*environment.Environment, []ui.UnreadableEnvironment, error) {
	stacks, err := environment.List(i.dir)
	if err != nil {
		return nil, nil, err
	}
	var envs []*environment.Environment
	unread := []ui.UnreadableEnvironment{}
	repositories := map[string]bool{}
	for _, stack := range stacks {
		env, err := environment.Load(i.dir, stack)
		if err != nil {
			unread = append(unread, ui.UnreadableEnvironment{Environment: stack, Error: err.Error()})
			continue
		}
		envs = append(envs, env)
		repositories[env.RepositoryURL()] = true
	}
	if i.name != "" {
		asked, err := i.environment()
		if err != nil {
			return nil, nil, err
		}
		return sameRepository(asked, envs), unread, nil
	}
	switch {
	case len(envs) == 0 && len(unread) > 0:
		return nil, nil, errors.New(unread[0].Error)
	case len(envs) == 0:
		return nil, nil, hint.With(fmt.Errorf("no environment is described in %s", i.dir), "run from the project's root or name it with --dir")
	case len(repositories) > 1:
		return nil, nil, hint.With(errors.New("the environments have several image repositories: whose?"), "give --env; the environments are "+strings.Join(stacks, ", "))
	}
	return envs, unread, nil
}

// sameRepository are the environments with the repository of one of them, that one first.
func sameRepository(asked *environment.Environment, envs []*environment.Environment) []*environment.Environment {
	same := []*environment.Environment{asked}
	for _, env := range envs {
		if env.Stack != asked.Stack && env.RepositoryURL() == asked.RepositoryURL() {
			same = append(same, env)
		}
	}
	return same
}

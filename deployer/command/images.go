package command

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
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func imagesVerb() verb {
	return verb{
		name: "images", usage: "list the images that can be deployed, where each one runs, and where it was verified healthy",
		long: `The environments of an account share an image repository; --env selects one where there are several. To find where an
image runs, the tasks of every environment of the repository are read; where it was verified healthy, the newest 20 records of each.`,
		examples: []string{"deployer images", "deployer images --limit 5", "deployer images --env production --format json"},
		formats:  []string{"text", "json"},
		flags:    []cli.Flag{&cli.IntFlag{Name: "limit", Value: 20, Usage: "list the newest `N` images, and always those that run; 0 lists all"}},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return imagesOptions{targets: s.targets, shared: s.shared, terminal: s.terminal, format: s.flags.format, limit: c.Int("limit")}.run(ctx)
		},
	}
}

// verifiedHistoryLimit is how many deployments of each environment are read to find the images that they verified.
const verifiedHistoryLimit = 20

type imagesOptions struct {
	targets  *targets
	shared   *sharedStack
	terminal *terminal
	format   string
	// limit is the number of the newest images; 0 is all.
	limit int
}

func (o imagesOptions) run(ctx context.Context) error {
	if o.limit < 0 {
		return hint.With(fmt.Errorf("--limit %d: the number of images cannot be negative", o.limit), "0 is all of them")
	}
	envs, unread, err := o.environments()
	if err != nil {
		return err
	}
	return o.targets.use(ctx, envs[0].Stack, o.shared.openReadOnly, func(t *target.Target) error { return o.list(ctx, t, envs, unread) })
}

// list prints the images of a repository, with the environments that it serves.
func (o imagesOptions) list(ctx context.Context, t *target.Target, envs []*environment.Environment, unread []ui.UnreadableEnvironment) error {
	stored, err := release.StoredImages(ctx, ecr.NewFromConfig(t.AWS), envs[0])
	if err != nil {
		return err
	}
	for _, env := range envs {
		uses, err := release.RunningImages(ctx, ecs.NewFromConfig(t.AWS), env)
		if err != nil {
			unread = append(unread, ui.UnreadableEnvironment{Environment: env.Stack, Error: err.Error()})
			continue
		}
		release.AddRuns(stored, env, uses)
		records, err := t.Records.List(ctx, env.Stack, verifiedHistoryLimit)
		o.terminal.warn(err) // only which images it verified is not known
		release.AddVerified(stored, env, records)
	}
	return ui.Images(o.terminal.out, ui.ImageList{
		Repository: envs[0].RepositoryURL(), Images: o.limited(stored), Total: len(stored), Unreadable: unread,
	}, o.format, o.terminal.style())
}

// limited returns the newest images, and those that run.
func (o imagesOptions) limited(stored []release.StoredImage) []release.StoredImage {
	shown := []release.StoredImage{}
	for n, image := range stored {
		if o.limit == 0 || n < o.limit || len(image.Runs) > 0 {
			shown = append(shown, image)
		}
	}
	return shown
}

// environments returns those that the repository serves; the one that --env names selects the repository. A file that is not valid
// excludes only its environment.
func (o imagesOptions) environments() ([]*environment.Environment, []ui.UnreadableEnvironment, error) {
	stacks, err := environment.List(o.targets.options.Dir)
	if err != nil {
		return nil, nil, err
	}
	var envs []*environment.Environment
	unread := []ui.UnreadableEnvironment{}
	repositories := map[string]bool{}
	for _, stack := range stacks {
		env, err := environment.Load(o.targets.options.Dir, stack)
		if err != nil {
			unread = append(unread, ui.UnreadableEnvironment{Environment: stack, Error: err.Error()})
			continue
		}
		envs = append(envs, env)
		repositories[env.RepositoryURL()] = true
	}
	if o.targets.selected != "" {
		asked, err := o.targets.environment(o.targets.selected)
		if err != nil {
			return nil, nil, err
		}
		return sameRepository(asked, envs), unread, nil
	}
	switch {
	case len(envs) == 0 && len(unread) > 0:
		return nil, nil, errors.New(unread[0].Error)
	case len(envs) == 0:
		return nil, nil, hint.With(fmt.Errorf("%s has no file of an environment", o.targets.options.Dir), "run from the project's root or name it with --dir")
	case len(repositories) > 1:
		return nil, nil, hint.With(errors.New("the environments have several image repositories: which one?"), "give --env; the environments are "+strings.Join(stacks, ", "))
	}
	return envs, unread, nil
}

// sameRepository returns the environments with the repository of one of them, that one first.
func sameRepository(asked *environment.Environment, envs []*environment.Environment) []*environment.Environment {
	same := []*environment.Environment{asked}
	for _, env := range envs {
		if env.Stack != asked.Stack && env.RepositoryURL() == asked.RepositoryURL() {
			same = append(same, env)
		}
	}
	return same
}

package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
)

func envNewVerb() verb {
	return verb{
		name: "new", args: "NAME", usage: "create the file of a new environment from another one",
		changes: true,
		long: `Writes Pulumi.NAME.yaml: the other environment's file with the name NAME, the domain NAME-api., the branch NAME and
a free address range. An existing file is never overwritten. No other command writes a file of the project.`,
		examples: []string{
			"deployer env new qa --from staging",
			"deployer env new qa --from staging --dry-run",
			"deployer env new preview-2 --from dev --cidr 10.120.0.0/16",
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "copy sizes and rules from this `ENVIRONMENT`"},
			&cli.StringFlag{Name: "cidr", Usage: "the VPC's `RANGE`, instead of the next free one"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print the file, and write nothing"},
		},
		required: []string{"--from ENVIRONMENT"},
		run: func(_ context.Context, s *services, c *cli.Context) error {
			return envNewOptions{targets: s.targets, terminal: s.terminal, newName: c.Args().First(), from: c.String("from"), cidr: c.String("cidr"), dryRun: c.Bool("dry-run")}.run()
		},
	}
}

type envNewOptions struct {
	targets  *targets
	terminal *terminal

	newName, from, cidr string
	dryRun              bool
}

func (o envNewOptions) run() error {
	if o.from == "" {
		known, err := environment.List(o.targets.options.Dir)
		if err != nil {
			return err
		}
		return hint.With(errors.New("--from is missing: which environment is copied?"), "the environments are "+strings.Join(known, ", "))
	}
	derived, err := environment.Derive(o.targets.options.Dir, o.newName, o.from, o.cidr)
	if err != nil {
		return err
	}
	if len(derived.Omitted) > 0 {
		o.terminal.warn(fmt.Errorf("omitted, because it applies only to %s: %s", environment.StackOf(o.from), strings.Join(derived.Omitted, ", ")))
	}
	for _, broken := range derived.NotCompared {
		o.terminal.warn(fmt.Errorf("not compared, because its address range cannot be read: %w", broken))
	}
	if o.dryRun {
		_, err := o.terminal.out.Write(derived.Source)
		return err
	}
	if err := writeNew(filepath.Join(o.targets.options.Dir, environment.FileName(derived.Stack)), derived.Source); err != nil {
		return err
	}
	// Each step names its account itself; the directories are those of this run.
	files := flagsInForce{}
	if o.terminal.flags != nil {
		files.files = o.terminal.flags.files
	}
	o.terminal.print(files.addTo(o.nextSteps(derived.Environment)))
	return nil
}

// writeNew writes a file where there is none, and deletes one that could not be written whole.
func writeNew(path string, content []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return hint.With(fmt.Errorf("%s exists already and is not changed", filepath.Base(path)), "choose another name, or change that file")
	}
	if err != nil {
		return fmt.Errorf("write the environment's file: %w", err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the environment's file: %w", err), os.Remove(path))
	}
	return nil
}

// nextSteps returns what was created, and what is left to do until the environment runs.
func (o envNewOptions) nextSteps(env *environment.Environment) string {
	lines := []string{
		fmt.Sprintf("%s was written: %s, network %s, branch %s", environment.FileName(env.Stack), env.Domain.Name, env.Network.CIDR, env.Delivery.Branch),
		"Next:",
		"  check its sizes, its budget and who is notified (monitoring.emails); commit it",
	}
	if shared, err := environment.LoadShared(o.targets.options.Dir); err == nil && !slices.Contains(shared.GitHub.Environments, env.Name) {
		lines = append(lines,
			fmt.Sprintf("  for GitHub: create the environment %s there, add %[1]s to github.environments in %s, and run", env.Name, environment.FileName(environment.SharedStack)),
			"    deployer bootstrap")
	}
	lines = append(lines,
		"  try it on this machine:", "    deployer up --env "+env.Stack+" --image-tag latest --local",
		"  in AWS:", "    deployer secrets init --env "+env.Stack, "    deployer up --env "+env.Stack+" --image-tag TAG")
	return strings.Join(lines, "\n") + "\n"
}

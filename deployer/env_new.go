package main

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
		name: "new", args: "NAME", usage: "describe a new environment after another one",
		about: `Writes Pulumi.NAME.yaml: the other environment's file with the name NAME, the domain NAME-api., the branch NAME and
a free address range. A file that is there is never written over. This is the one command that writes a file of
the project, because it was asked for.`,
		examples: []string{
			"deployer env new qa --from staging",
			"deployer env new qa --from staging --dry-run",
			"deployer env new preview-2 --from dev --cidr 10.120.0.0/16",
		},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "the `ENVIRONMENT` whose sizes and rules it has"},
			&cli.StringFlag{Name: "cidr", Usage: "the VPC's `RANGE`, instead of the next free one"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print the file, and write nothing"},
		},
		run: func(_ context.Context, s settings, c *cli.Context) error {
			return envNew{settings: s, newName: c.Args().First(), from: c.String("from"), cidr: c.String("cidr"), dryRun: c.Bool("dry-run")}.run()
		},
	}
}

// envNew describes a new environment.
type envNew struct {
	settings
	newName, from, cidr string
	dryRun              bool
}

func (n envNew) run() error {
	if n.from == "" {
		known, err := environment.List(n.dir)
		if err != nil {
			return err
		}
		return hint.With(errors.New("--from is missing: whose sizes and rules is it to have?"), "the environments are "+strings.Join(known, ", "))
	}
	derived, err := environment.Derive(n.dir, n.newName, n.from, n.cidr)
	if err != nil {
		return err
	}
	if len(derived.Omitted) > 0 {
		n.warn(fmt.Errorf("left out, because it holds for %s only: %s", environment.StackOf(n.from), strings.Join(derived.Omitted, ", ")))
	}
	if n.dryRun {
		_, err := n.out.Write(derived.Source)
		return err
	}
	if err := writeNew(filepath.Join(n.dir, environment.FileName(derived.Stack)), derived.Source); err != nil {
		return err
	}
	_, err = fmt.Fprint(n.out, n.nextSteps(derived.Environment))
	return err
}

// writeNew writes a file where there is none; one that could not be written whole does not stay.
func writeNew(path string, content []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return hint.With(fmt.Errorf("%s is there already and is left as it is", filepath.Base(path)), "choose another name, or change that file")
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

// nextSteps says what was made, and what is left to do until the environment runs.
func (n envNew) nextSteps(env *environment.Environment) string {
	lines := []string{
		fmt.Sprintf("%s was written: %s, network %s, branch %s", environment.FileName(env.Stack), env.Domain.Name, env.Network.CIDR, env.Delivery.Branch),
		"Next:",
		"  look at its sizes and its budget; commit it",
	}
	if shared, err := environment.LoadShared(n.dir); err == nil && !slices.Contains(shared.GitHub.Environments, env.Name) {
		lines = append(lines,
			fmt.Sprintf("  for GitHub: make the environment %s there, add %[1]s to github.environments in %s, and run", env.Name, environment.FileName(environment.SharedStack)),
			"    deployer bootstrap")
	}
	lines = append(lines,
		"  try it on this machine:", "    deployer up --env "+env.Stack+" --image-tag latest --local",
		"  in AWS:", "    deployer secrets init --env "+env.Stack, "    deployer up --env "+env.Stack+" --image-tag TAG")
	return strings.Join(lines, "\n") + "\n"
}

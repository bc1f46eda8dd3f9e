package stack

import (
	"context"
	"fmt"
	"slices"

	"github.com/balancer/v3-backend-infra/deployer/database"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
)

// The resources that contain the database's identity: the instance's ID is RDS's resource ID, the rotation's the ARN of the
// secret. An instance that replaced another one has other values of both.
// Source: https://github.com/hashicorp/terraform-provider-aws/issues/31232
const (
	instanceType = "aws:rds/instance:Instance"
	rotationType = "aws:secretsmanager/secretRotation:SecretRotation"
)

// SetDatabaseIdentity implements database.Stack. The program would replace an instance that is not the state's; so the state learns of
// the new one first, and then reads it from the account.
func (s *Stack) SetDatabaseIdentity(ctx context.Context, resourceID, secretARN string, progress database.Progress) error {
	state, err := s.handle.State(ctx)
	if err != nil {
		return err
	}
	ids, urns := map[string]string{}, []string{}
	for typ, id := range map[string]string{instanceType: resourceID, rotationType: secretARN} {
		urn, err := singleResource(state, s.env.Stack, typ)
		if err != nil {
			return err
		}
		ids[urn], urns = id, append(urns, urn)
	}
	report := func(line string) { progress("%s", line) }
	return s.recovery.run(ctx, report, func() error {
		_, err := s.handle.ReplaceIDs(ctx, ids)
		if err == nil {
			_, err = s.handle.Refresh(ctx, engine.Update{Message: "adopt the restored database", Targets: urns},
				func(e engine.Event) { reportEvent(e, onlyLines(report)) })
		}
		return err
	})
}

// UpdateDependents implements database.Stack. The program describes what is deployed, so that nothing that waits in the environment's file
// disagrees with what the targets leave out.
func (s *Stack) UpdateDependents(ctx context.Context, progress database.Progress) error {
	state, err := s.handle.State(ctx)
	if err != nil {
		return err
	}
	instance, err := singleResource(state, s.env.Stack, instanceType)
	if err != nil {
		return err
	}
	_, err = s.update(ctx, engine.Update{
		Program: s.deployedProgram(), Message: "use the restored database",
		Targets: []string{instance}, TargetDependents: true,
	}, onlyLines(func(line string) { progress("%s", line) }), nil)
	return err
}

// onlyLines returns a ProgressFunc that passes on what begins and fails.
func onlyLines(report func(string)) release.ProgressFunc {
	return func(line string, _ ...release.Activity) {
		if line != "" {
			report(line)
		}
	}
}

// singleResource returns the one resource of a type in a state.
func singleResource(state engine.State, name, typ string) (urn string, err error) {
	same := slices.DeleteFunc(slices.Clone(state.Resources), func(r engine.Resource) bool { return r.Type != typ })
	if len(same) != 1 {
		return "", hint.With(fmt.Errorf("the stack %s has %d resources %s, one is expected", name, len(same), typ),
			"`deployer preview --env "+name+"` shows what it lacks; `deployer up --env "+name+" --image-tag TAG` creates it")
	}
	return same[0].URN, nil
}

// databaseVersion returns the version of PostgreSQL that a state has, as the program that created or changed the instance set it; ""
// where the state has no database.
func databaseVersion(state engine.State) string {
	for _, r := range state.Resources {
		if version, ok := r.Inputs["engineVersion"].(string); ok && r.Type == instanceType && !r.PendingDeletion {
			return version
		}
	}
	return ""
}

package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsinstance"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// fixedProblems returns what the file changes of the values that cannot change any more, compared with the description of what is deployed.
func fixedProblems(env, deployed *environment.Environment) []Problem {
	return list.Map(env.FixedChanges(deployed), func(w environment.Warning) Problem {
		return Problem{Check: "environment", Message: w.Path + ": " + w.Message, Hint: w.Remedy, Stops: true}
	})
}

// recordedProblems compares the file with the stack, without creating one. It is for deployments that do not come as far as opening it.
func (d *deployment) recordedProblems(ctx context.Context, stopping bool) []Problem {
	if d.deps.Deployed == nil || !d.appliesFile() {
		return nil
	}
	deployed, err := d.deps.Deployed(ctx)
	switch {
	case err != nil && stopping: // whatever the reason is, it is not the first to be mended
		return nil
	case err != nil:
		return []Problem{{Check: "stack", Message: fmt.Sprintf("it could not be read, so that the file is not compared with what is deployed: %v", err), Hint: hint.Of(err)}}
	case deployed == nil:
		return nil
	}
	return fixedProblems(d.deps.Env, deployed)
}

// appliesFile reports whether the deployment applies the file's description of the infrastructure, or of components of it.
func (d *deployment) appliesFile() bool {
	return d.request.Kind == history.Full || d.request.Kind == history.Components
}

// fixedInDatabase returns what the file changes of the values that an existing database cannot change. The provider would replace it, or
// RDS would reject the change halfway through the deployment.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
func fixedInDatabase(env *environment.Environment, found *rdstypes.DBInstance) []Problem {
	id, file, d := env.DatabaseIdentifier(), environment.FileName(env.Stack), env.Database
	var problems []Problem
	for _, fixed := range []struct {
		key, what  string
		was        *string
		now        string
		workaround string
	}{
		{"database.name", "the database", found.DBName, d.Name, "the application can create another database in the instance"},
		{"database.user", "the master user", found.MasterUsername, d.User, "a migration can create another user"},
	} {
		if fixed.was == nil || *fixed.was == fixed.now {
			continue
		}
		problems = append(problems, blocking("database", hint.With(
			fmt.Errorf("%s has %s %s, %s asks for %s: RDS sets it when it creates the instance, and another name would replace the instance", id,
				fixed.what, *fixed.was, file, fixed.now),
			fmt.Sprintf("set %s back to %s; %s", fixed.key, *fixed.was, fixed.workaround)))...)
	}
	// RDS accepts a limit that exceeds the storage by a tenth at least. A database that has grown beyond that keeps the limit that it has.
	// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
	allocated, limit := int(aws.ToInt32(found.AllocatedStorage)), int(aws.ToInt32(found.MaxAllocatedStorage))
	if least := (allocated*11 + 9) / 10; d.MaxStorageGiB != limit && d.MaxStorageGiB < least {
		problems = append(problems, blocking("database", hint.With(
			fmt.Errorf("%s has %d GiB of storage, %s limits it to %d GiB: RDS asks for a tenth more than there is", id, allocated, file, d.MaxStorageGiB),
			fmt.Sprintf("set database.maxStorageGiB to %d or more", least)))...)
	}
	return problems
}

// removedZones rejects fewer zones than the network has while the database is in one of the last: RDS does not give its subnet free.
func (p *preflight) removedZones(ctx context.Context, client *ec2.Client, vpc *string) []Problem {
	subnets, err := awsx.Pages(ctx, ec2.NewDescribeSubnetsPaginator(client, &ec2.DescribeSubnetsInput{
		Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{aws.ToString(vpc)}}},
	}), func(page *ec2.DescribeSubnetsOutput) []ec2types.Subnet { return page.Subnets })
	if err != nil {
		return blocking("network", fmt.Errorf("describe the subnets of %s: %w", p.env.VPCName(), err))
	}
	zones := list.Map(subnets, func(s ec2types.Subnet) string { return aws.ToString(s.AvailabilityZone) })
	slices.Sort(zones)
	zones = slices.Compact(zones)
	if len(zones) <= p.env.Network.Zones {
		return nil
	}
	id := p.env.DatabaseIdentifier()
	instance, err := rdsinstance.Find(ctx, p.aws, id)
	switch {
	case err != nil:
		return blocking("network", fmt.Errorf("find the zone of %s: %w", id, err))
	case instance == nil:
		return nil
	}
	return zonesInUse(p.env, zones, instance)
}

// zonesInUse returns the problem of a database that is in a zone, of the network's in order, that the file no longer has.
func zonesInUse(env *environment.Environment, zones []string, database *rdstypes.DBInstance) []Problem {
	removed := zones[min(env.Network.Zones, len(zones)):]
	used := list.Filter([]string{aws.ToString(database.AvailabilityZone), aws.ToString(database.SecondaryAvailabilityZone)},
		func(zone string) bool { return slices.Contains(removed, zone) })
	if len(used) == 0 {
		return nil
	}
	return blocking("network", hint.With(
		fmt.Errorf("%s has %d zones, %s asks for %d: %s is in %s, and RDS does not release that subnet", env.VPCName(), len(zones),
			environment.FileName(env.Stack), env.Network.Zones, env.DatabaseIdentifier(), strings.Join(used, " and ")),
		fmt.Sprintf("set network.zones back to %d; docs/changes.md describes how to move the database first", len(zones))))
}

package release

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

func TestFixedInDatabase(t *testing.T) {
	env := staging(t)
	env.Database.MaxStorageGiB = 100
	for name, test := range map[string]struct {
		found      types.DBInstance
		want, hint string
	}{
		"the same":               {found: types.DBInstance{DBName: aws.String("balancer"), MasterUsername: aws.String("balancer"), AllocatedStorage: aws.Int32(20), MaxAllocatedStorage: aws.Int32(100)}},
		"AWS returns less":       {},
		"another name":           {types.DBInstance{DBName: aws.String("old")}, "v3-backend-staging-db has the database old, Pulumi.staging.yaml asks for balancer: RDS sets it when it creates the instance, and another name would replace the instance", "set database.name back to old; the application can create another database in the instance"},
		"another user":           {types.DBInstance{MasterUsername: aws.String("root")}, "v3-backend-staging-db has the master user root, Pulumi.staging.yaml asks for balancer: RDS sets it when it creates the instance, and another name would replace the instance", "set database.user back to root; a migration can create another user"},
		"it has grown":           {types.DBInstance{AllocatedStorage: aws.Int32(95), MaxAllocatedStorage: aws.Int32(200)}, "v3-backend-staging-db has 95 GiB of storage, Pulumi.staging.yaml limits it to 100 GiB: RDS asks for a tenth more than there is", "set database.maxStorageGiB to 105 or more"},
		"it has grown as it may": {found: types.DBInstance{AllocatedStorage: aws.Int32(95), MaxAllocatedStorage: aws.Int32(100)}},
		"it may grow further":    {found: types.DBInstance{AllocatedStorage: aws.Int32(90), MaxAllocatedStorage: aws.Int32(95)}},
	} {
		t.Run(name, func(t *testing.T) {
			problems := fixedInDatabase(env, &test.found)
			if test.want == "" {
				require.Empty(t, problems)
				return
			}
			require.Equal(t, []Problem{{Check: "database", Message: test.want, Hint: test.hint, Stops: true}}, problems)
		})
	}
}

func TestRemovedZones(t *testing.T) {
	for name, test := range map[string]struct {
		zones            []string
		primary, standby string
		err              error
		want             string
	}{
		"the same zones":              {zones: []string{"a", "b"}, primary: "a", standby: "b"},
		"a third one is added later":  {zones: []string{"a"}, primary: "a"},
		"the database is in another":  {zones: []string{"c", "a", "b"}, primary: "a", standby: "b"},
		"the database is there":       {[]string{"c", "a", "b", "c"}, "c", "a", nil, "v3-backend-staging-db is in c, and RDS does not release that subnet"},
		"its standby is there":        {[]string{"a", "b", "c"}, "a", "c", nil, "v3-backend-staging-vpc has 3 zones, Pulumi.staging.yaml asks for 2: v3-backend-staging-db is in c"},
		"there is no database":        {zones: []string{"a", "b", "c"}, err: &types.DBInstanceNotFoundFault{}},
		"the database cannot be read": {[]string{"a", "b", "c"}, "", "", errors.New("AccessDenied"), "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			env := staging(t)
			answers := func(in any) (any, error) {
				switch in.(type) {
				case *ec2.DescribeVpcsInput:
					return &ec2.DescribeVpcsOutput{Vpcs: []ec2types.Vpc{{VpcId: aws.String("vpc-1"), CidrBlock: &env.Network.CIDR}}}, nil
				case *ec2.DescribeSubnetsInput:
					out := &ec2.DescribeSubnetsOutput{}
					for _, zone := range test.zones {
						out.Subnets = append(out.Subnets, ec2types.Subnet{AvailabilityZone: &zone})
					}
					return out, nil
				case *rds.DescribeDBInstancesInput:
					return &rds.DescribeDBInstancesOutput{DBInstances: []types.DBInstance{
						{AvailabilityZone: &test.primary, SecondaryAvailabilityZone: &test.standby},
					}}, test.err
				}
				return nil, errors.New("unexpected call")
			}
			p := &preflight{env: env, aws: fakeAWS(answers), changesNetwork: true}
			problems := p.network(t.Context())
			if test.want == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.True(t, problems[0].Stops)
			require.Contains(t, problems[0].Message, test.want)
			p.changesNetwork = false
			require.Empty(t, p.network(t.Context()), "the deployment does not change the network")
		})
	}
}

// What cannot be compared with an opened stack is compared with the recorded description: in a dry run, and beside other problems.
func TestRecordedProblems(t *testing.T) {
	deployed := staging(t)
	deployed.Prefix = "other"
	for name, test := range map[string]struct {
		kind     history.Kind
		deployed *environment.Environment
		err      error
		stopping bool
		want     string
		stops    bool
	}{
		"another prefix":                        {kind: history.Full, deployed: deployed, want: "prefix: it was deployed with other", stops: true},
		"of some components":                    {kind: history.Components, deployed: deployed, want: "prefix: it was deployed with other", stops: true},
		"code does not apply the file":          {kind: history.CodeOnly, deployed: deployed},
		"there is no stack":                     {kind: history.Full},
		"the stack is not readable":             {kind: history.Full, err: errBroken, want: "not compared with what is deployed: broken"},
		"and that is the least of its problems": {kind: history.Full, err: errBroken, stopping: true},
	} {
		t.Run(name, func(t *testing.T) {
			d := &deployment{request: Request{Kind: test.kind}, deps: Deps{Env: staging(t), Deployed: func(context.Context) (*environment.Environment, error) {
				return test.deployed, test.err
			}}}
			problems := d.recordedProblems(t.Context(), test.stopping)
			if test.want == "" {
				require.Empty(t, problems)
				return
			}
			require.Len(t, problems, 1)
			require.Contains(t, problems[0].Message, test.want)
			require.Equal(t, test.stops, problems[0].Stops)
		})
	}
}

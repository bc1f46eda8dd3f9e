package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/environment"
)

// ReadRoles returns the finding about the roles whose names begin with a prefix, as those of the environments do.
func ReadRoles(ctx context.Context, cfg aws.Config, prefix, account string) Finding {
	boundary := environment.BoundaryARN(prefix, account)
	unbounded, err := rolesOutside(ctx, iam.NewFromConfig(cfg), prefix, boundary)
	return Roles(prefix, boundary, unbounded, err)
}

// rolesOutside returns the names of the roles with a prefix that do not have a boundary. Lists do not contain boundaries.
// Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
func rolesOutside(ctx context.Context, client *iam.Client, prefix, boundary string) ([]string, error) {
	var names []string
	for pages := iam.NewListRolesPaginator(client, &iam.ListRolesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, role := range page.Roles {
			if name := aws.ToString(role.RoleName); strings.HasPrefix(name, prefix+"-") {
				names = append(names, name)
			}
		}
	}
	outside, errs := make([]bool, len(names)), make([]error, len(names))
	parallel(len(names), func(i int) {
		out, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: &names[i]})
		if errs[i] = err; err == nil {
			has := out.Role.PermissionsBoundary
			outside[i] = has == nil || aws.ToString(has.PermissionsBoundaryArn) != boundary
		}
	})
	var found []string
	for i, name := range names {
		if outside[i] {
			found = append(found, name)
		}
	}
	return found, errors.Join(errs...)
}

// Roles evaluates the roles that have a prefix, and not the boundary of the roles that the program declares. A deployment may pass
// the roles of its environment's names to its tasks, whatever they allow.
func Roles(prefix, boundary string, unbounded []string, err error) Finding {
	a := about{component: ComponentRoles}
	switch {
	case err != nil:
		return a.unknown(err, "allow iam:ListRoles and iam:GetRole to the role", "they could not be read")
	case len(unbounded) > 0:
		return a.finding(checks.Warning,
			fmt.Sprintf("deploy again where the program created them; else delete them, give them names that do not begin with %s-, or "+
				"`aws iam put-role-permissions-boundary --permissions-boundary %s --role-name NAME`", prefix, boundary),
			"not within the boundary %s, although a deployment may pass roles of these names to its tasks: %s",
			environment.BoundaryName(prefix), strings.Join(unbounded, ", "))
	}
	return a.healthy("those named %s-… are within the boundary %s", prefix, environment.BoundaryName(prefix))
}

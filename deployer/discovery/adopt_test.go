package discovery

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
)

// Every type is looked for in a foreign account, or it is said why not.
func TestEveryTypeIsAdoptedOrExcused(t *testing.T) {
	for typ, r := range finders {
		_, adopted := importFinders[typ]
		require.True(t, adopted || r.find != nil || SkipReason(typ) != "", "%s is neither looked for nor excused", typ)
	}
	for typ := range importFinders {
		require.Contains(t, finders, typ, "the program makes no such thing any more")
		require.Empty(t, SkipReason(typ))
	}
}

// What something is imported by, as the provider's reference says for its type.
func TestAdoptByInputs(t *testing.T) {
	for name, c := range map[string]struct {
		wanted Query
		match  Match
	}{
		"a role": {wantedWith("aws:iam/role:Role", map[string]any{"name": "r"}), Match{[]string{"r"}, "name"}},
		"a role's policy": {wantedWith("aws:iam/rolePolicy:RolePolicy", map[string]any{"role": "r", "name": "p"}),
			Match{[]string{"r:p"}, "role, name"}},
		"an attachment": {wantedWith("aws:iam/rolePolicyAttachment:RolePolicyAttachment", map[string]any{"role": "r", "policyArn": "arn:p"}),
			Match{[]string{"r/arn:p"}, "role, policyArn"}},
		"a scalable target": {wantedWith("aws:appautoscaling/target:Target", map[string]any{
			"serviceNamespace": "ecs", "resourceId": "service/c/s", "scalableDimension": "ecs:service:DesiredCount"}),
			Match{[]string{"ecs/service/c/s/ecs:service:DesiredCount"}, "serviceNamespace, resourceId, scalableDimension"}},
		"a topic": {wantedWith("aws:sns/topic:Topic", map[string]any{"name": "alarms"}),
			Match{[]string{"arn:aws:sns:eu-west-1:123456789012:alarms"}, "name"}},
		"not known yet":    {wantedWith("aws:s3/bucketPolicy:BucketPolicy", map[string]any{"bucket": "unknown"}), Match{}},
		"never looked for": {wantedWith("aws:ecs/taskDefinition:TaskDefinition", map[string]any{"family": "api"}), Match{}},
	} {
		t.Run(name, func(t *testing.T) {
			match, err := FindCandidates(t.Context(), aws.Config{Region: "eu-west-1"}, "123456789012", c.wanted)
			require.NoError(t, err)
			require.Equal(t, c.match, match)
		})
	}
}

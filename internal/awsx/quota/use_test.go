package quota

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompare(t *testing.T) {
	const request = "release what is not needed, or request a higher quota: `aws service-quotas request-service-quota-increase --region eu-west-1 "
	denied := errors.New("AccessDenied")
	for name, test := range map[string]struct {
		use        Use
		limit      float64
		unread     error
		certain    bool
		want, hint string
	}{
		"room":                                {use: Use{Quota: ElasticIPs(), Used: 4, Added: 1}, limit: 5},
		"used up":                             {Use{Quota: ElasticIPs(), Place: "eu-west-1", Used: 5, Added: 1}, 5, nil, true, "Elastic IPs in eu-west-1: 5 used, 1 added by this deployment, 5 allowed by the quota L-0263D0A3", request + "--service-code ec2 --quota-code L-0263D0A3 --desired-value 6`"},
		"one a zone":                          {Use{Quota: NATGateways(), Place: "eu-west-1b", Used: 5, Added: 1}, 5, nil, true, "NAT gateways in eu-west-1b: 5 used, 1 added by this deployment, 5 allowed by the quota L-FE5A380F", request + "--service-code vpc --quota-code L-FE5A380F --desired-value 6`"},
		"nothing is added to what is over it": {use: Use{Quota: VPCs(), Used: 5}, limit: 5},
		"the default may not be the account's": {Use{Quota: VPCs(), Place: "eu-west-1", Used: 5, Added: 1}, 5, denied, false, "VPCs in eu-west-1: 5 used, 1 added by this deployment, 5 allowed by the quota L-F678F1CE, " +
			"which is AWS's default, since the account's value could not be read: AccessDenied", request + "--service-code vpc --quota-code L-F678F1CE --desired-value 6`"},
		"room in the default":    {use: Use{Quota: VPCs(), Used: 4, Added: 1}, limit: 5, unread: denied},
		"parts of a vCPU":        {Use{Quota: FargateVCPUs(), Place: "eu-west-1", Used: 5.75, Added: 0.5}, 6, nil, true, "vCPUs of Fargate tasks on demand in eu-west-1: 5.75 used, 0.5 added by this deployment, 6 allowed by the quota L-3032A538", request + "--service-code fargate --quota-code L-3032A538 --desired-value 7`"},
		"room for a slower pace": {Use{Quota: FargateVCPUs(), Place: "eu-west-1", Used: 5, Added: 1, Peak: 4.5}, 6, nil, false, "vCPUs of Fargate tasks on demand in eu-west-1: 5 used, up to 4.5 added while tasks are replaced, 6 allowed by the quota L-3032A538: the rollout takes longer", request + "--service-code fargate --quota-code L-3032A538 --desired-value 10`"},
		"room for all at once":   {use: Use{Quota: FargateVCPUs(), Used: 1, Added: 1, Peak: 4.5}, limit: 6},
	} {
		t.Run(name, func(t *testing.T) {
			excess := test.use.compare(test.limit, test.unread, "eu-west-1", "this deployment")
			if test.want == "" {
				require.Nil(t, excess)
				return
			}
			require.Equal(t, &Excess{test.want, test.hint, test.certain}, excess)
		})
	}
}

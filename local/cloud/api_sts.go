package cloud

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// otherAccount is the account of the credentials under the fault wrong-account.
const otherAccount = "999999999999"

func stsOperations() []operation {
	return []operation{readOp(getCallerIdentity)}
}

func getCallerIdentity(m model, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	id := m.ID
	if m.faults[faultWrongAccount] {
		id = otherAccount
	}
	return &sts.GetCallerIdentityOutput{
		Account: aws.String(id), Arn: aws.String("arn:aws:iam::" + id + ":user/local"), UserId: aws.String("AIDALOCALMODE0000000"),
	}, nil
}

package release

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
)

// AWS's description is why a scan has no result; of a scan whose result is to come it adds nothing.
func TestScanMessageHasTheDescription(t *testing.T) {
	for _, test := range []struct {
		status            types.ScanStatus
		description, want string
	}{
		{types.ScanStatusInProgress, "The scan is in progress.", "t is being scanned"},
		{types.ScanStatusPending, "The scan is pending.", "t waits for its scan"},
		{types.ScanStatusFailed, "an error of ECR", "t could not be scanned: an error of ECR"},
		{types.ScanStatusFailed, "", "t could not be scanned"},
	} {
		image := &Image{Findings: ecrimage.Findings{Status: test.status, Description: test.description}}
		problems := evaluateScan("t", image, true, time.Now())
		require.Len(t, problems, 1)
		require.Equal(t, test.want, problems[0].Message)
	}
}

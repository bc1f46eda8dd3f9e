package ecrimage

import (
	"cmp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/balancer/v3-backend-infra/internal/text"
)

// NotScanned returns that a scan has no result, with AWS's description of why, else its status; "" for both where no scan began.
func NotScanned(status types.ScanStatus, description string) string {
	state := strings.ReplaceAll(strings.ToLower(string(status)), "_", " ")
	if cause := cmp.Or(text.FirstLine(description), state); cause != "" {
		return "not scanned: " + cause
	}
	return "not scanned"
}

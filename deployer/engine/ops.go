package engine

import (
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// changes reports whether an operation changes something in the account or takes something out of the state.
func changes(op string) bool {
	return !slices.Contains([]apitype.OpType{
		"", apitype.OpSame, apitype.OpRead, apitype.OpReadReplacement, apitype.OpReadDiscard, apitype.OpRefresh,
	}, apitype.OpType(op))
}

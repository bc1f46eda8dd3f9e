package engine

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// isChange reports whether an operation changes something in the account, or removes something from the state.
func isChange(op string) bool {
	return !slices.Contains([]apitype.OpType{
		"", apitype.OpSame, apitype.OpRead, apitype.OpReadReplacement, apitype.OpReadDiscard, apitype.OpRefresh,
	}, apitype.OpType(op))
}

// isProgramType reports whether a type is neither the stack nor a provider.
func isProgramType(typ string) bool {
	return typ != string(resource.RootStackType) && !strings.HasPrefix(typ, "pulumi:providers:")
}

// typeAndName returns the type and name in a URN, or nothing for the stack.
func typeAndName(urn string) (typ, name string) {
	u := resource.URN(urn)
	if !u.IsValid() || u.Type() == resource.RootStackType {
		return "", ""
	}
	return string(u.Type()), u.Name()
}

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
	return typ != string(resource.RootStackType) && !isProvider(typ)
}

// typeAndName returns the type and name in a URN, or nothing for the stack.
func typeAndName(urn string) (typ, name string) {
	u := resource.URN(urn)
	if !u.IsValid() || u.Type() == resource.RootStackType {
		return "", ""
	}
	return string(u.Type()), u.Name()
}

// ShortType returns the readable part of a type token: rds/instance for aws:rds/instance:Instance.
func ShortType(token string) string {
	parts := strings.Split(token, ":")
	if len(parts) == 3 && parts[0] == "aws" {
		return parts[1]
	}
	return token
}

// replaceStrings replaces each string in a value, in place.
func replaceStrings(value any, replace func(string) string) any {
	switch v := value.(type) {
	case string:
		return replace(v)
	case map[string]any:
		for key, inner := range v {
			v[key] = replaceStrings(inner, replace)
		}
	case []any:
		for i, inner := range v {
			v[i] = replaceStrings(inner, replace)
		}
	}
	return value
}

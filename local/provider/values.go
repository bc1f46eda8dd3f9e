package provider

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/balancer/v3-backend-infra/local/cloud"
)

// maskedSecret replaces secret values in the account. The value itself stays with the engine, which encrypts it.
const maskedSecret = "(secret)"

// toAccount converts the engine's properties to the account's. It masks secrets and marks unknown values.
func toAccount(properties resource.PropertyMap) map[string]any {
	values := make(map[string]any, len(properties))
	for key, value := range properties {
		if !internal(key) {
			values[string(key)] = valueToAccount(value)
		}
	}
	return values
}

// internal reports whether a property is the engine's own, such as __defaults.
func internal(key resource.PropertyKey) bool { return len(key) > 1 && key[:2] == "__" }

func valueToAccount(value resource.PropertyValue) any {
	switch {
	case value.IsSecret(), value.IsOutput() && value.OutputValue().Secret:
		return maskedSecret
	case value.IsOutput() && value.OutputValue().Known:
		return valueToAccount(value.OutputValue().Element)
	case value.ContainsUnknowns() && !value.IsArray() && !value.IsObject():
		return cloud.Unknown{}
	case value.IsArray():
		items := make([]any, len(value.ArrayValue()))
		for i, item := range value.ArrayValue() {
			items[i] = valueToAccount(item)
		}
		return items
	case value.IsObject():
		return toAccount(value.ObjectValue())
	case value.IsResourceReference():
		return valueToAccount(value.ResourceReferenceValue().ID)
	case value.IsAsset(), value.IsArchive():
		return nil
	}
	return value.V
}

// fromAccount converts the account's properties to the engine's. Masked values are taken from the properties that the
// engine knows.
func fromAccount(values map[string]any, known resource.PropertyMap) resource.PropertyMap {
	properties := make(resource.PropertyMap, len(values))
	for name, value := range values {
		key := resource.PropertyKey(name)
		properties[key] = valueFromAccount(value, known[key])
	}
	return properties
}

func valueFromAccount(value any, known resource.PropertyValue) resource.PropertyValue {
	switch v := value.(type) {
	case string:
		if v == maskedSecret && known.IsSecret() {
			return known
		}
	case []any:
		items := make([]resource.PropertyValue, len(v))
		for i, item := range v {
			var was resource.PropertyValue
			if known.IsArray() && i < len(known.ArrayValue()) {
				was = known.ArrayValue()[i]
			}
			items[i] = valueFromAccount(item, was)
		}
		return resource.NewProperty(items)
	case map[string]any:
		var was resource.PropertyMap
		if known.IsObject() {
			was = known.ObjectValue()
		}
		return resource.NewProperty(fromAccount(v, was))
	}
	return resource.NewPropertyValue(value)
}

package environment

import (
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"
)

// Encode returns a description as JSON values, defaults included, so that later versions' defaults do not change it.
// DecodeDeployed reads it.
func (e *Environment) Encode() (map[string]any, error) {
	text, err := yaml.MarshalWithOptions(e, yaml.JSON())
	if err != nil {
		return nil, fmt.Errorf("encode the environment %s: %w", e.Name, err)
	}
	var values map[string]any
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, fmt.Errorf("encode the environment %s: %w", e.Name, err)
	}
	return values, nil
}

// DecodeDeployed reads a description that Encode wrote, in this version or another one. It ignores unknown keys and sets
// missing ones to their defaults. It does not validate what was deployed.
func DecodeDeployed(stack string, values any) (*Environment, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("read the deployed description of %s: %w", stack, err)
	}
	e := defaults(stack)
	if err := yaml.Unmarshal(text, &e); err != nil {
		return nil, fmt.Errorf("read the deployed description of %s: %w", stack, err)
	}
	e.applyDefaults(func(string) bool { return true })
	return &e, nil
}

// Package schema contains the published JSON schemas of the deployer's output.
package schema

import (
	"bytes"
	_ "embed" // the schemas
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed status.v1.json
var statusV1 []byte

// Status returns the schema of `deployer status --json`.
func Status() (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(statusV1))
	if err != nil {
		return nil, fmt.Errorf("read status.v1.json: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("status.v1.json", document); err != nil {
		return nil, fmt.Errorf("add status.v1.json: %w", err)
	}
	compiled, err := compiler.Compile("status.v1.json")
	if err != nil {
		return nil, fmt.Errorf("compile status.v1.json: %w", err)
	}
	return compiled, nil
}

// ValidateStatus validates the output of `deployer status --json` against its schema. The error names every mismatch.
func ValidateStatus(printed []byte) error {
	compiled, err := Status()
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(printed))
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	return compiled.Validate(document)
}

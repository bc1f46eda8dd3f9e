package checks

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/balancer/v3-backend-infra/configuration"
)

// Value is the value of a variable. A sensitive one is masked however it is printed or encoded; only Reveal returns it.
type Value struct {
	text      string
	sensitive bool
}

// Public returns a value that is not masked.
func Public(text string) Value { return Value{text: text} }

// Sensitive reports whether the value is masked.
func (v Value) Sensitive() bool { return v.sensitive }

// Reveal returns the value itself.
func (v Value) Reveal() string { return v.text }

// Unmasked returns a copy that is not masked.
func (v Value) Unmasked() Value { return Value{text: v.text} }

func (v Value) String() string {
	if v.sensitive && v.text != "" {
		return configuration.Mask
	}
	return v.text
}

// Format prints the same for every verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.String()) }

// MarshalJSON encodes the result of String.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.String()) }

// MarshalYAML encodes the result of String.
func (v Value) MarshalYAML() (any, error) { return v.String(), nil }

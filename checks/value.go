package checks

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/balancer/v3-backend-infra/configuration"
)

// Value is what a variable is set to. A sensitive one is masked in whatever way it is printed or encoded; Reveal alone
// gives it away.
type Value struct {
	text      string
	sensitive bool
}

// Public is a value that everybody may see.
func Public(text string) Value { return Value{text: text} }

// Sensitive reports whether the value is masked.
func (v Value) Sensitive() bool { return v.sensitive }

// Reveal is the value itself, for comparing and for those who may see it.
func (v Value) Reveal() string { return v.text }

// Unmasked is the value unmasked.
func (v Value) Unmasked() Value { return Value{text: v.text} }

func (v Value) String() string {
	if v.sensitive && v.text != "" {
		return configuration.Mask
	}
	return v.text
}

// Format prints a value in the same way, whatever the verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.String()) }

// MarshalJSON encodes what String prints.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.String()) }

// MarshalYAML encodes what String prints.
func (v Value) MarshalYAML() (any, error) { return v.String(), nil }

package ui

import (
	"fmt"
	"io"
)

// KeyDifference says what became of a key of a secret: added, removed, changed or same. It has no value.
type KeyDifference struct {
	Key    string `json:"key"`
	Result string `json:"result"`
}

// KeyDifferences shows how one version of a secret differs from another.
func KeyDifferences(w io.Writer, before, after string, differences []KeyDifference, format string) error {
	if format == "json" {
		return JSON(w, map[string]any{"from": before, "to": after, "keys": differences})
	}
	if _, err := fmt.Fprintf(w, "from %s\nto   %s\n", before, after); err != nil {
		return err
	}
	signs := map[string]string{"added": "+", "removed": "-", "changed": "~", "same": " "}
	for _, d := range differences {
		if _, err := fmt.Fprintf(w, "%s %s (%s)\n", signs[d.Result], d.Key, d.Result); err != nil {
			return err
		}
	}
	return nil
}

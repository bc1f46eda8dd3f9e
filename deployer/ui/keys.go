package ui

import "io"

// KeyDifference is how a key of a secret differs: added, removed, changed or same. It contains no value.
type KeyDifference struct {
	Key    string `json:"key"`
	Result string `json:"result"`
}

// KeyDifferences shows how one version of a secret differs from another.
func KeyDifferences(w io.Writer, before, after string, differences []KeyDifference, format string) error {
	if format == "json" {
		return JSON(w, map[string]any{"from": before, "to": after, "keys": differences})
	}
	var d document
	d.addf("", "from %s\nto   %s", before, after)
	signs := map[string]string{"added": "+", "removed": "-", "changed": "~", "same": " "}
	for _, difference := range differences {
		d.addf("", "%s %s (%s)", signs[difference.Result], difference.Key, difference.Result)
	}
	return d.writeTo(w)
}

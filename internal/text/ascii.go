package text

import "strings"

// asciiForms are the symbols of the deployer's own texts, each with what replaces it where only ASCII can be shown.
var asciiForms = strings.NewReplacer(
	ellipsis, "...", "→", "->", "✓", "ok", "✗", "x", "±", "+-", "×", "x", "–", "-", "—", "-", "•", "*", "➖", "-",
	"✅", "ok", "⚠", "!", "❌", "x", "❓", "?", "\ufe0f", "",
)

// ASCII replaces the symbols of the deployer's own texts. Other characters, such as those of a name, stay.
func ASCII(s string) string { return asciiForms.Replace(s) }

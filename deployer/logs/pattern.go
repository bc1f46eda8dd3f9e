package logs

import (
	"regexp"
	"strings"
)

// plainTerm matches a word that CloudWatch accepts without quotes, with a ? or - before it.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
var plainTerm = regexp.MustCompile(`^[-?]?[A-Za-z0-9_]+$`)

// Pattern returns CloudWatch's filter pattern for what a user wrote. A pattern stays; of words, those that need quotes get them, so
// that `GET /health` finds lines with both.
func Pattern(text string) string {
	text = strings.TrimSpace(text)
	if strings.Contains(text, `"`) || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") || strings.HasPrefix(text, "%") {
		return text
	}
	words := strings.Fields(text)
	for i, word := range words {
		if plainTerm.MatchString(word) {
			continue
		}
		sign := ""
		if len(word) > 1 && (word[0] == '-' || word[0] == '?') {
			sign, word = word[:1], word[1:]
		}
		words[i] = sign + `"` + word + `"`
	}
	return strings.Join(words, " ")
}

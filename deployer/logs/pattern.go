package logs

import (
	"regexp"
	"strings"
)

// plainTerm is a word that CloudWatch takes without quotes, ? and - before it included.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
var plainTerm = regexp.MustCompile(`^[-?]?[A-Za-z0-9_]+$`)

// Pattern is the filter pattern of CloudWatch for what a person wrote: patterns as they are, in words the ones quoted that
// need it, so that `GET /health` finds lines with both.
func Pattern(text string) string {
	text = strings.TrimSpace(text)
	if strings.ContainsAny(text, `"`) || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") || strings.HasPrefix(text, "%") {
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

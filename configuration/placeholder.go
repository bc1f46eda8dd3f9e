package configuration

import (
	"encoding/json"
	"regexp"
	"strings"
)

// placeholderNouns are the words that templates have after your-.
const placeholderNouns = `(?:dsn|key|url|token|secret|password|project|value|domain|host|here)`

// placeholderPattern matches placeholders: as the whole value, in angle brackets within a URL, or as whole words, so
// that it does not match exchange-me or replacement. After a hyphen or in a path, your- needs one of the nouns, and in
// a path it must begin a segment: grow-your-business, /your-account and /reset-your-password are names.
var placeholderPattern = regexp.MustCompile(`(?i)` + strings.Join([]string{
	`^(?:<[^>]*>|todo|tbd|fixme|x{3,}|\.{3}|…|placeholder|null|undefined|your (?:[a-z]+ )*` + placeholderNouns + `)$`,
	`^[a-z][a-z0-9+.:-]*://\S*<[^<>&=]+>`,
	`(?:^|[^a-z0-9])(?:change[-_ ]?me[0-9]*|replace[-_ ]?(?:me|with))(?:[^a-z0-9]|$)`,
	`(?:^|[^a-z0-9_/-])your[-_][a-z]`,
	`/your[-_]` + placeholderNouns + `(?:[^a-z0-9_-]|$)`,
	`^(?:[a-z][a-z0-9+.:-]*://)?(?:[^/]*[^a-z0-9/])?your[-_]?(?:[a-z]+[-_])*` + placeholderNouns + `(?:[^a-z0-9]|$)`,
	`^(?:insert|enter|add|put|paste)[-_ ](?:[a-z0-9]+[-_ ])+here$`,
}, "|"))

// unfilledPattern matches what template engines and tools that redact leave, in values without space. A text can contain the same
// on purpose, such as a message with {{name}}.
var unfilledPattern = regexp.MustCompile(strings.Join([]string{
	// Shells, GitHub's expressions, Kubernetes, Azure's token replacement.
	`\$\{[A-Za-z_][A-Za-z0-9_.-]*(?::?[-?+=][^}]*)?\}`, `\$\{\{[^}]*\}\}`, `^\$\([A-Za-z_][A-Za-z0-9_.-]*\)$`, `^\$[A-Z_][A-Z0-9_]*$`,
	`^#\{[A-Za-z_][A-Za-z0-9_.-]*\}#?$`,
	// Mustache, Handlebars, Jinja and Helm; a single pair of braces is a URI template unless it names several words.
	`\{\{[^{}]+\}\}`, `\{(?i:[a-z]+[-_ ])+(?i:` + placeholderNouns + `|id)\}`,
	// Windows, where a hexadecimal escape of a URL must not match, and names between underscores.
	`^%[A-Za-z_][A-Za-z0-9_-]{2,}%$`, `%[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+%`,
	`(?:^|[^A-Za-z0-9_])__+[A-Z][A-Z0-9]*(?:[-_][A-Z0-9]+)*__+(?:[^A-Za-z0-9_]|$)`, `^__+[a-z0-9]+(?:[-_][a-z0-9]+)+__+$`,
	// Redaction: ***, •••, sk-xxxx.
	`\*{3,}`, `•{3,}`, `(?i)(?:^|[^a-z0-9])x{4,}(?:[^a-z0-9]|$)`, `(?i)^redacted$`,
	// Sentry's documentation.
	// Source: https://docs.sentry.io/concepts/key-terms/dsn-explainer/
	`(?i)://examplePublicKey(?:[:@]|$)`, `(?i)@o0\.ingest\.`,
}, "|"))

// bracketed matches a name in brackets where it is all of a URL's segment, user or password, as in The Graph's
// /api/[api-key]/subgraphs and Supabase's :[YOUR-PASSWORD]@, but neither in an IPv6 address nor in filter[name]=.
// Source: https://thegraph.com/docs/en/subgraphs/querying/introduction/
var bracketed = regexp.MustCompile(`(?:^|[/:@=,.&?-])\[([A-Za-z][A-Za-z0-9]*(?:[-_ .][A-Za-z0-9]+)*)\](?:[/:@,.&?#-]|$)`)

// word matches what distinguishes a name from a class of characters such as [a-z].
var word = regexp.MustCompile(`[A-Za-z]{3}`)

// IsPlaceholder reports whether a value is a placeholder that was never replaced, or has been redacted. A JSON object or list is
// none, whatever it contains.
func IsPlaceholder(value string) bool {
	value = strings.TrimSpace(value)
	if strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
		if json.Valid([]byte(value)) {
			return false
		}
	}
	if placeholderPattern.MatchString(value) || hasBracketedName(value) {
		return true
	}
	return withoutSpace(value) && unfilledPattern.MatchString(value)
}

// hasBracketedName reports whether a name in brackets is the whole value, or a part of a URL.
func hasBracketedName(value string) bool {
	if strings.ContainsRune(value, '\\') || !strings.HasPrefix(value, "[") && !strings.Contains(value, "://") {
		return false
	}
	if !strings.Contains(value, "://") && !strings.HasSuffix(value, "]") {
		return false
	}
	for _, match := range bracketed.FindAllStringSubmatch(value, -1) {
		if word.MatchString(match[1]) {
			return true
		}
	}
	return false
}

// withoutSpace reports whether a value has no space except inside the braces of a template: {{ api key }}.
func withoutSpace(value string) bool {
	depth := 0
	for _, c := range value {
		switch c {
		case '{':
			depth++
		case '}':
			depth--
		case ' ', '\t', '\n', '\r':
			if depth <= 0 {
				return false
			}
		}
	}
	return true
}

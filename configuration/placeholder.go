package configuration

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// placeholderNouns lists the words that templates have after your-.
const placeholderNouns = `(?:dsn|key|url|token|secret|password|project|value|domain|host|here)`

// credentialNouns lists the words with which the names of credentials end: API_KEY, project-id.
const credentialNouns = `(?:key|token|secret|dsn|password|(?:project|account|client|app|tenant|user)[-_ ]?id)`

// Begin and end of a part of a URL, or of the whole value.
const partBegin, partEnd = `(?:^|[/:@=.,?&-])`, `(?:[/:@.,?&#-]|$)`

// placeholderPattern matches placeholders: as the whole value, in angle brackets within a URL, or as whole words, so
// that it does not match exchange-me or replacement. After a hyphen or in a path, your- needs one of the nouns, and in
// a path it must begin a segment: grow-your-business, /your-account and /reset-your-password are names.
var placeholderPattern = lazyregexp.New(`(?i)` + strings.Join([]string{
	`^(?:<+[^<>]*>+|todo|tbd|fixme|x{3,}|\.{3}|…|placeholder|null|undefined|your (?:[a-z]+ )*` + placeholderNouns + `)$`,
	`^[a-z][a-z0-9+.:-]*://\S*` + partBegin + `<+[^<>&=]+>`, `^[a-z][a-z0-9+.:-]*://<[^<>&=]+>`,
	`(?:^|[^a-z0-9])(?:change[-_ ]?me[0-9]*|replace[-_ ]?(?:me|with))(?:[^a-z0-9]|$)`,
	`(?:^|[/:@=])(?:please[-_])?change[-_]?this(?:[-_][a-z]+)*[0-9]*(?:[/@?&]|$)`, `^change this$`,
	`(?:^|[^a-z0-9_/-])your[-_][a-z]`,
	`/your[-_]` + placeholderNouns + `(?:[^a-z0-9_-]|$)`, `/your[-_](?:[a-z0-9]+[-_])*` + credentialNouns + `(?:[/?#&]|$)`,
	`^(?:[a-z][a-z0-9+.:-]*://)?(?:[^/]*[^a-z0-9/])?your[-_]?(?:[a-z]+[-_])*` + placeholderNouns + `(?:[^a-z0-9]|$)`,
	`^(?:insert|enter|add|put|paste)[-_ ](?:[a-z0-9]+[-_ ])+here$`,
	`(?:^|[/:@=])(?:[a-z0-9]+[-_])*` + credentialNouns + `[-_](?:goes[-_])?here(?:[/@?&]|$)`,
}, "|"))

// unfilledPattern matches what template engines and tools that redact leave, in values without space. A text can contain the same
// on purpose, such as a message with {{name}}.
var unfilledPattern = lazyregexp.New(strings.Join([]string{
	// Shells, GitHub's expressions, Kubernetes, Azure's token replacement.
	partBegin + reference, partBegin + `\$\{\{[^}]*\}\}`, `^\$\([A-Za-z_][A-Za-z0-9_.-]*\)$`,
	`(?:^|[/:@=])\$(?:[A-Z0-9]+_)+(?:KEY|TOKEN|SECRET|DSN|PASSWORD|URL|HOST|ID)(?:[/@?&]|$)`,
	`^#\{[A-Za-z_][A-Za-z0-9_.-]*\}#?$`,
	// Mustache, Handlebars, Jinja and Helm.
	partBegin + `\{\{[^{}]+\}\}`,
	// Windows, where a hexadecimal escape of a URL must not match, and names between underscores.
	`%[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+%`,
	`(?:^|[^A-Za-z0-9_])__+[A-Z][A-Z0-9]*(?:[-_][A-Z0-9]+)*__+(?:[^A-Za-z0-9_]|$)`, `^__+[a-z0-9]+(?:[-_][a-z0-9]+)+__+$`,
	// Capitals, which no path that serves has, and Sentry's documentation has as the user.
	`/YOUR(?:[-_][A-Z0-9]+)+(?:[/?#&]|$)`, `^https?://[A-Z0-9]+(?:_[A-Z0-9]+)*_(?:KEY|TOKEN|SECRET|DSN|ID)(?::[^/@]*)?@`,
	// Redaction: ***, •••, sk-xxxx.
	`(?:^|[/:@=])\*{3,}(?:[/:@?&]|$)`, `\*{8,}`, `•{3,}`, `(?i)(?:^|[^a-z0-9])x{4,}(?:[^a-z0-9]|$)`, `(?i)^redacted$`,
	// Source: https://docs.sentry.io/concepts/key-terms/dsn-explainer/
	`(?i)://examplePublicKey(?:[:@]|$)`, `(?i)@o0\.ingest\.`,
}, "|"))

// reference matches a variable of a shell.
const reference = `\$\{[A-Za-z_][A-Za-z0-9_.-]*(?::?[-?+=][^}]*)?\}`

// ambiguousPattern matches what can be a placeholder or, in values without space, a template that the application fills in, a password, or
// the name of a file.
var ambiguousPattern = lazyregexp.New(strings.Join([]string{
	reference, `\{\{[^{}]+\}\}`, `^\$[A-Z_][A-Z0-9_]*$`, `^%[A-Za-z_][A-Za-z0-9_-]{2,}%$`, `\*{3,}`, `^[a-z][a-z0-9+.:-]*://\S*<[^<>&=]+>`,
	// A single pair of braces, or a colon as in routes, with several words.
	`\{(?i:[a-z]+[-_ ])+(?i:` + placeholderNouns + `|id)\}`, `\{[a-z]+(?:[A-Z][a-z]*)*(?:Key|Token|Secret|Dsn|DSN|Password|Id|ID)\}`,
	`/:(?:[a-z]+(?:[A-Z][a-z]*)*(?:Key|Token|Secret|Id|ID)|(?i:[a-z]+[-_])+(?i:key|token|secret|id))(?:[/?#]|$)`,
	`://\S*/[A-Z0-9]+(?:_[A-Z0-9]+)*_(?:KEY|TOKEN|SECRET|DSN|ID)(?:[/?#]|$)`,
	`/(?i:your[-_](?:[a-z]+[-_])+` + placeholderNouns + `)(?:[/?#&]|$)`,
}, "|"))

// bracketed matches a name in brackets where it is all of a URL's segment, user or password, as in The Graph's
// /api/[api-key]/subgraphs and Supabase's :[YOUR-PASSWORD]@, but neither in an IPv6 address nor in filter[name]=.
// Source: https://thegraph.com/docs/en/subgraphs/querying/introduction/
var bracketed = lazyregexp.New(`(?:^|[/:@=,.&?-])\[([A-Za-z][A-Za-z0-9]*(?:[-_ .][A-Za-z0-9]+)*)\](?:[/:@,.&?#-]|$)`)

// bracketedPlaceholder matches the names in brackets that are nothing but placeholders.
var bracketedPlaceholder = lazyregexp.New(`(?i)^(?:(?:[a-z0-9]+[-_ ]?)*` + credentialNouns + `|object object|redacted|filtered|removed|hidden|masked)$`)

// word matches what distinguishes a name from a class of characters such as [a-z].
var word = lazyregexp.New(`[A-Za-z]{3}`)

// IsPlaceholder reports whether a value is a placeholder that was never replaced, or has been redacted, and nothing else. A JSON object or
// list is none, whatever it contains.
func IsPlaceholder(value string) bool {
	value = strings.TrimSpace(value)
	switch {
	case isJSON(value):
		return false
	case placeholderPattern.MatchString(value), withoutSpace(value) && unfilledPattern.MatchString(value):
		return true
	}
	return slices.ContainsFunc(bracketedNames(value), bracketedPlaceholder.MatchString)
}

// mayBePlaceholder reports whether a value resembles a placeholder, but can be meant as it is.
func mayBePlaceholder(value string) bool {
	value = strings.TrimSpace(value)
	return !isJSON(value) && (withoutSpace(value) && ambiguousPattern.MatchString(value) || len(bracketedNames(value)) > 0)
}

func isJSON(value string) bool {
	return (strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[")) && json.Valid([]byte(value))
}

// bracketedNames returns the names in brackets that are the whole value, or a part of a URL.
func bracketedNames(value string) []string {
	if strings.ContainsRune(value, '\\') || !strings.HasPrefix(value, "[") && !strings.Contains(value, "://") {
		return nil
	}
	if !strings.Contains(value, "://") && !strings.HasSuffix(value, "]") {
		return nil
	}
	var names []string
	for _, match := range bracketed.FindAllStringSubmatch(value, -1) {
		if word.MatchString(match[1]) {
			names = append(names, match[1])
		}
	}
	return names
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

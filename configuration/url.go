package configuration

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// urlVariable matches the names of variables whose values are URLs.
var urlVariable = lazyregexp.New(`(?:^|_)(?:URL|URI|DSN)$`)

// urlScheme matches the beginning of a URL with a host.
var urlScheme = lazyregexp.New(`^([A-Za-z][A-Za-z0-9+.-]*)://`)

// parts are the parts of a URL with a host, as they are written. net/url rejects what browsers' parsers and libpq accept, such as ^ or
// a second host.
type parts struct {
	scheme string
	// user is the user and the password, host the hosts and ports; delimiter is the character after them, one of / ? #, or 0.
	user, host string
	delimiter  rune
	rest       string
}

// splitURL splits a URL as the URL Standard does: the host ends at the first of / ? #, and begins after the last @ before that.
// Source: https://url.spec.whatwg.org/#authority-state
func splitURL(value string) (p parts, ok bool) {
	match := urlScheme.FindStringSubmatch(value)
	if match == nil {
		return p, false
	}
	p.scheme = strings.ToLower(match[1])
	authority := value[len(match[0]):]
	if end := strings.IndexAny(authority, "/?#"); end >= 0 {
		p.delimiter, p.rest = rune(authority[end]), authority[end+1:]
		authority = authority[:end]
	}
	at := strings.LastIndexByte(authority, '@')
	p.user, p.host = authority[:max(at, 0)], authority[at+1:]
	return p, true
}

// isDatabase reports whether libpq reads the URL, too: the URL has to mean the same to it.
func (p parts) isDatabase() bool { return p.scheme == "postgresql" || p.scheme == "postgres" }

// urlFault returns why a value is not a URL, and which character to encode, or "". It quotes no part of the value but that character.
func urlFault(value string) string {
	if strings.ContainsFunc(value, unicode.IsControl) {
		return "it contains a line break, a tab or another control character: remove it"
	}
	p, ok := splitURL(value)
	if !ok {
		return "it does not begin with a scheme and a host, such as https://host"
	}
	if p.isDatabase() {
		if fault := p.databaseFault(); fault != "" {
			return fault
		}
	}
	return p.hostFault()
}

// databaseFault returns which character of a database's URL has another meaning to the URL Standard, which Prisma follows, than to
// libpq, or is invalid to one of them. Passwords that RDS or people create contain such characters.
// Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS,
// https://www.prisma.io/docs/orm/reference/connection-urls#special-characters and conninfo_uri_parse_options in libpq's fe-connect.c
func (p parts) databaseFault() string {
	switch {
	case strings.Contains(p.user, "@"):
		return encode('@')
	// What was to be the host is behind the delimiter, since the password has it.
	case p.user == "" && p.delimiter != 0 && misplacedAt(p.delimiter, p.rest):
		return encode(p.delimiter)
	case p.delimiter == '#' || strings.ContainsRune(p.rest, '#'):
		return encode('#')
	case slices.ContainsFunc([]string{p.user, p.host, p.rest}, badEscape):
		return encode('%')
	}
	return ""
}

// misplacedAt reports whether an @ after the delimiter ends a password, and does not belong to the value of a parameter.
func misplacedAt(delimiter rune, rest string) bool {
	if delimiter == '?' && parameter.MatchString(rest) {
		return false
	}
	if delimiter == '/' {
		rest, _, _ = strings.Cut(rest, "?")
	}
	return strings.Contains(rest, "@")
}

// dsnFault returns what a DSN of Sentry lacks, or "". DSNs of other schemes are databases'.
// Source: https://docs.sentry.io/concepts/key-terms/dsn-explainer/
func dsnFault(value string) string {
	p, ok := splitURL(value)
	path, _, _ := strings.Cut(p.rest, "?")
	switch {
	case !ok || p.scheme != "https" && p.scheme != "http":
		return ""
	case p.user == "" || strings.HasPrefix(p.user, ":"):
		return "it has no key before the host: https://KEY@HOST/PROJECT"
	case p.delimiter != '/' || strings.Trim(path, "/") == "":
		return "it has no project after the host: https://KEY@HOST/PROJECT"
	}
	return ""
}

// parameter matches the beginning of parameters.
var parameter = lazyregexp.New(`^[A-Za-z_]+=`)

// badEscape reports whether a % is not followed by two hexadecimal digits.
func badEscape(text string) bool {
	for _, after := range strings.Split(text, "%")[1:] {
		if len(after) < 2 {
			return true
		}
		if _, err := strconv.ParseUint(after[:2], 16, 8); err != nil {
			return true
		}
	}
	return false
}

// characterNames are the names of the characters that delimit the parts of a URL.
var characterNames = map[rune]string{'@': "at sign", '/': "slash", '?': "question mark", '#': "number sign", '%': "percent sign"}

// encode returns the remedy for a character in a user, a password or a name.
func encode(c rune) string {
	return fmt.Sprintf("the %s (%c) in its user, password or name has to be encoded as %%%02X", characterNames[c], c, c)
}

// hostFault returns what is wrong with the hosts and ports, or "". libpq accepts several, and none where a parameter has it.
// Source: https://url.spec.whatwg.org/#forbidden-host-code-point
func (p parts) hostFault() string {
	hosts := []string{p.host}
	if p.isDatabase() {
		hosts = strings.Split(p.host, ",")
		if p.host == "" && hostParameter.MatchString(p.rest) {
			return ""
		}
	}
	for _, host := range hosts {
		name, port, found := cutPort(host)
		switch {
		case name == "":
			return "it has no host"
		case !isURLHost(name):
			return "its host contains a character that no host has"
		case found && port != "" && !isPort(port):
			return "its port is not a number from 0 to 65535" + p.portRemedy()
		}
	}
	return ""
}

// portRemedy explains a port that may be the beginning of a password.
func (p parts) portRemedy() string {
	if p.user == "" && p.delimiter != 0 && p.isDatabase() {
		return "; if it belongs to a password, " + encode(p.delimiter)
	}
	return ""
}

// hostParameter matches a host among the parameters of a database's URL: a socket's directory, or a name.
var hostParameter = lazyregexp.New(`(?:^|[?&])(?:host|hostaddr)=[^&]`)

// cutPort separates a host from its port, which follows the last colon outside of an IPv6 address.
func cutPort(host string) (name, port string, found bool) {
	colon := strings.LastIndexByte(host, ':')
	if colon < 0 || colon < strings.LastIndexByte(host, ']') {
		return host, "", false
	}
	return host[:colon], host[colon+1:], true
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// isURLHost reports whether a name can be a URL's host: an IPv6 address in brackets, or a name without the characters that delimit
// the parts of a URL.
func isURLHost(name string) bool {
	if inner, is := strings.CutPrefix(name, "["); is {
		inner, is = strings.CutSuffix(inner, "]")
		address, err := netip.ParseAddr(inner)
		return is && err == nil && address.Is6()
	}
	return !strings.ContainsFunc(name, func(c rune) bool { return slices.Contains([]rune(`"#%/:<>?@[\]^|{}`), c) || unicode.IsSpace(c) })
}

// DatabaseHost returns the host of a DATABASE_URL in lower case, or "". Of several hosts it returns the first.
func DatabaseHost(databaseURL string) string {
	p, ok := splitURL(strings.TrimSpace(databaseURL))
	if !ok || p.hostFault() != "" {
		return ""
	}
	first, _, _ := strings.Cut(p.host, ",")
	name, _, _ := cutPort(first)
	return strings.ToLower(strings.Trim(name, "[]"))
}

package sanitize

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

const (
	// Hidden replaces a secret value.
	Hidden = "[hidden]"
	// MinSecret is the length in bytes of the shortest value that is replaced. A shorter one would be found in ordinary words, and hides
	// too little to be worth that.
	MinSecret = 8
	// minURLPart is the length of the shortest part of a URL that is replaced by itself, as the API keys in paths and parameters are.
	minURLPart = 20
)

// A Redactor replaces secret values in text. The zero value knows none; it is safe for concurrent use.
type Redactor struct {
	mu       sync.RWMutex
	forms    map[string]bool
	replacer *strings.Replacer
}

// Add adds secret values: each as it is and as programs encode it, its lines, and the credentials in a URL.
func (r *Redactor) Add(values ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.forms == nil {
		r.forms = map[string]bool{}
	}
	for _, value := range values {
		for _, part := range parts(value) {
			for _, form := range forms(part) {
				if len(form) >= MinSecret {
					r.forms[form] = true
				}
			}
		}
	}
	// Of several forms that match at one place the first of the list counts.
	longestFirst := slices.SortedFunc(maps.Keys(r.forms), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	var pairs []string
	for _, form := range longestFirst {
		pairs = append(pairs, form, Hidden)
	}
	r.replacer = strings.NewReplacer(pairs...)
}

// urlPassword matches the password in a URL. It may be of any secret, such as the DATABASE_URL that is composed in the container.
var urlPassword = lazyregexp.New(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"']*):[^\s/@"']+@`)

// Redact returns s with Hidden in place of the known secret values, and of the password of every URL.
func (r *Redactor) Redact(s string) string {
	r.mu.RLock()
	replacer := r.replacer
	r.mu.RUnlock()
	if replacer != nil {
		s = replacer.Replace(s)
	}
	return urlPassword.ReplaceAllString(s, "$1:"+Hidden+"@")
}

// parts returns a value, its lines, and the parts of a URL that grant access: the password, else the user, and what is long in the path
// and the parameters.
func parts(value string) []string {
	value = strings.TrimSpace(value)
	all := []string{value}
	for line := range strings.Lines(value) {
		all = append(all, strings.TrimSpace(line))
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" {
		return all
	}
	if password, has := u.User.Password(); has {
		all = append(all, password)
	} else if u.User != nil {
		all = append(all, u.User.Username())
	}
	long := strings.Split(u.Path, "/")
	for _, values := range u.Query() {
		long = append(long, values...)
	}
	return append(all, slices.DeleteFunc(long, func(part string) bool { return len(part) < minURLPart })...)
}

// forms returns the encodings in which programs print a text.
func forms(value string) []string {
	if len(value) < MinSecret {
		return nil
	}
	once, _ := json.Marshal(value)
	twice, _ := json.Marshal(string(once))
	unescaped := &strings.Builder{}
	encoder := json.NewEncoder(unescaped)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	all := []string{
		value, strings.Trim(string(once), `"`), strings.Trim(string(twice), `\"`), strings.Trim(unescaped.String(), "\"\n"),
		strings.Trim(strconv.Quote(value), `"`), strings.Trim(strconv.QuoteToASCII(value), `"`),
		url.QueryEscape(value), url.PathEscape(value), strings.TrimPrefix(url.UserPassword("", value).String(), ":"),
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			all = append(all, inBase64(encoding, value, offset))
		}
	}
	return all
}

// inBase64 returns the characters of a value at an offset in an encoded text: those that have only bits of the value.
func inBase64(encoding *base64.Encoding, value string, offset int) string {
	encoded := encoding.EncodeToString([]byte(strings.Repeat("x", offset) + value))
	return encoded[(offset*8+5)/6 : (offset+len(value))*8/6]
}

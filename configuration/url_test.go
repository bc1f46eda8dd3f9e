package configuration

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestURLFault(t *testing.T) {
	const at = "the at sign (@) in its user, password or name has to be encoded as %40"
	const slash = "the slash (/) in its user, password or name has to be encoded as %2F"
	const question = "the question mark (?) in its user, password or name has to be encoded as %3F"
	const number = "the number sign (#) in its user, password or name has to be encoded as %23"
	const percent = "the percent sign (%) in its user, password or name has to be encoded as %25"
	const port = "its port is not a number from 0 to 65535"
	const host = "its host contains a character that no host has"
	const control = "it contains a line break, a tab or another control character: remove it"
	const noScheme = "it does not begin with a scheme and a host, such as https://host"
	for value, want := range map[string]string{
		// What the URL Standard and libpq accept, and net/url rejects in part.
		"postgresql://app:a^b{c}|d@db.example.com:5432/app":     "",
		"postgresql://app:a[b]<c>`d\"e\\f@db.example.com/app":   "",
		"postgresql://app:a b~!$&'()*+,;=:-._ö@db.example.com/": "",
		"postgres://app:p%40%2F@db/app?sslmode=require":         "",
		"postgresql://app@db":                                   "",
		"postgresql://app:p@db:/app":                            "",
		"postgresql://app:p@[::1]:5432/app":                     "",
		"postgresql://app:p@a:5432,b:5433,c/app":                "",
		"postgresql:///app?host=/var/run/postgresql":            "",
		"postgresql://app:p@/app?user=a&host=db":                "",
		"postgresql://db/app?user=me@example.com":               "",
		"postgresql://db?user=me@example.com&password=p":        "",
		"https://abc@o1.ingest.sentry.io/1":                     "",
		"https://h/100%/x":                                      "",
		"https://h/a b?c={d}|#e":                                "",
		"https://a@b@h/":                                        "",
		"redis://:p^q@h:6379/0":                                 "",
		"http://[::1]:3000":                                     "",
		"https://größe.example":                                 "",
		"HTTPS://H":                                             "",
		// Characters to encode.
		"postgresql://app:hunter@2@db:5432/app":     at,
		"postgresql://app:hunter/2@db:5432/app":     slash,
		"postgresql://app:hunter/2@db:5432/app?a=b": slash,
		"postgresql://app:hunter?2@db:5432/app":     question,
		"postgresql://app:hunter#2@db:5432/app":     number,
		"postgresql://app:12#hunter2@db:5432/app":   number,
		"postgresql://app:hunter%2@db:5432/app":     percent,
		"postgresql://app:hunter2%@db:5432/app":     percent,
		"postgresql://app:p@db:5432/hunter2#x":      number,
		"postgresql://app:p@db:5432/app?a=b%zz":     percent,
		"postgresql://app:p@db:5432/app?a=b#c":      number,
		"postgresql://app:hunter/2":                 port + "; if it belongs to a password, " + slash,
		"https://u:hunter#2@h/":                     port,
		"https://u:hunter2":                         port,
		"https://h:65536/":                          port,
		"https://h:-1/":                             port,
		"https://hunt er2/x":                        host,
		"https://hunter2^/x":                        host,
		"https://[hunter2]/x":                       host,
		"https://[::1/x":                            host,
		"https://[127.0.0.1]/x":                     host,
		"postgresql://app:p@a,b^/app":               host,
		"postgresql://app:p@a,/app":                 "it has no host",
		"postgresql:///app":                         "it has no host",
		"https:///x":                                "it has no host",
		"https://u:p@/x?host=h":                     "it has no host",
		"hunter2":                                   noScheme,
		"example.com/x":                             noScheme,
		"//h/x":                                     noScheme,
		"jdbc:postgresql://h/x":                     noScheme,
		"host=db user=app password=hunter2":         noScheme,
		"postgresql://app:p@db:5432/app\nhunter2":   control,
		"https://h/a\tb":                            control,
	} {
		require.Equal(t, want, urlFault(value), value)
	}
}

// FuzzURLFault checks that no fault quotes more than one character of a value, and that what net/url builds is accepted.
func FuzzURLFault(f *testing.F) {
	for _, seed := range []string{"postgresql://app:a^b{c}|d@db:5432/app", "postgresql://a:b@c@d/e", "https://[::1]:1/", "x://", "postgresql://h?a=%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		require.Regexp(t, `^(?:|the [a-z ]+ \([@/?#%]\) in its .* encoded as %[0-9A-F]{2}|`+
			`it (?:has|does|contains) [a-z ,:/]+(?:: remove it)?|its (?:host|port) [a-z0-9 ]+(?:; if it belongs to a password, the [a-z ]+ \([/?#]\) in .*)?)$`,
			urlFault(value))
		if built, err := (Database{User: "u", Password: value, Host: "h", Port: "5432", Name: "n"}).URL("s"); err == nil {
			require.Empty(t, urlFault(built))
			require.Equal(t, "h", DatabaseHost(built))
		}
	})
}

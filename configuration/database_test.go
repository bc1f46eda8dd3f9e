package configuration

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDatabaseURL(t *testing.T) {
	database := Database{User: "balancer", Password: "p", Host: "db.example.com", Port: "5432", Name: "balancer"}
	built, err := database.URL("s")
	require.NoError(t, err)
	require.Equal(t, "postgresql://balancer:p@db.example.com:5432/balancer?sslmode=require", built)

	database = Database{User: "a@b:c", Password: "p%/@:?#[]&=+ $'\"ö", Host: "::1", Port: "1", Name: "a/b c?", Connections: "10", PoolTimeout: "0"}
	built, err = database.URL("s")
	require.NoError(t, err)
	require.Equal(t, "postgresql://a%40b%3Ac:p%25%2F%40%3A%3F%23%5B%5D&=+%20$%27%22%C3%B6@[::1]:1/a%2Fb%20c%3F?connection_limit=10&pool_timeout=0&sslmode=require", built)
}

func TestDatabaseURLNamesWhatIsWrong(t *testing.T) {
	_, err := Database{Password: "hunter2\x00", Host: "hunter2/x", Port: "65536", Connections: "0", PoolTimeout: "hunter2"}.URL("s")
	require.EqualError(t, err, `s: username is empty or contains a NUL byte; let RDS rotate the secret
s: password is empty or contains a NUL byte; let RDS rotate the secret
s: DATABASE_HOST is not a host name; set the name of the database's endpoint
s: DATABASE_NAME is not a database name; set it
s: DATABASE_PORT is not a number in its range; set a number from 1 to 65535
s: DATABASE_CONNECTION_LIMIT is not a number in its range; set a number from 1 to 10000
s: DATABASE_POOL_TIMEOUT is not a number in its range; set a number from 0 to 86400`)
	for _, port := range []string{"", "0", "+1", "05432", " 5432", "5432/x"} {
		_, err := Database{User: "u", Password: "p", Host: "h", Port: port, Name: "n"}.URL("s")
		require.ErrorContains(t, err, "DATABASE_PORT", port)
	}
}

func TestParseCredentials(t *testing.T) {
	user, password, err := ParseCredentials("s", `{"username":"u","password":"p","host":"x","port":5432}`)
	require.NoError(t, err)
	require.Equal(t, []string{"u", "p"}, []string{user, password})
	for text, want := range map[string]string{
		`{"username":"hunter2"}`: "s: password is missing; check it: RDS writes username and password into it",
		`{}`:                     "s: username is missing; check it: RDS writes username and password into it\ns: password is missing; check it: RDS writes username and password into it",
		`{"username":"u","password":{"hunter2":1}}`: "s: is not a JSON object of strings; check it: RDS writes username and password into it",
		"hunter2": "s: is not a JSON object of strings; check it: RDS writes username and password into it",
		"":        "s: is not a JSON object of strings; check it: RDS writes username and password into it",
	} {
		_, _, err := ParseCredentials("s", text)
		require.EqualError(t, err, want, text)
	}
}

// FuzzDatabaseURL checks that every URL has the parts that it was built from and requires TLS, and that no error quotes a
// value.
func FuzzDatabaseURL(f *testing.F) {
	f.Add("balancer", "p%/@:?#[]&=+ $'\"", "db.example.com", "5432", "balancer", "10", "5")
	f.Add("ö\n", "\\", "::1", "1", "a/../b", "", "")
	f.Add("u", "hunter2\x00", "h/x", "x", "", "-1", "1e3")
	f.Add("\xff", "\xfe", "H_-.h", "65535", "\xff?", "0", "0")
	f.Fuzz(func(t *testing.T, user, password, host, port, name, connections, timeout string) {
		built, err := Database{user, password, host, port, name, connections, timeout}.URL("s")
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				require.Regexp(t, `^s: (?:username|password|DATABASE_[A-Z_]+) is (?:empty or contains a NUL byte|not a host name|not a database name|not a number in its range); [a-zA-Z0-9' ]+$`, line)
			}
			return
		}
		parsed, err := url.Parse(built)
		require.NoError(t, err)
		gotPassword, _ := parsed.User.Password()
		require.Equal(t, []string{user, password, host, port, "/" + name},
			[]string{parsed.User.Username(), gotPassword, parsed.Hostname(), parsed.Port(), parsed.Path})
		query := parsed.Query()
		require.Equal(t, []string{"require", connections, timeout},
			[]string{query.Get("sslmode"), query.Get("connection_limit"), query.Get("pool_timeout")})
		require.Equal(t, strings.ToLower(host), DatabaseHost(built))
	})
}

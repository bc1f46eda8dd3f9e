package configuration

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// Database has the parts of a DATABASE_URL.
type Database struct {
	User, Password string
	Host, Port     string
	// Name is the database inside the instance.
	Name string
	// Connections is the maximum number of connections of a task, PoolTimeout how many seconds a query waits for one.
	// Empty means the client's default.
	// Source: https://www.prisma.io/docs/orm/overview/databases/postgresql
	Connections, PoolTimeout string
}

// hostName matches a DNS name, which needs no escaping in a URL.
var hostName = lazyregexp.New(`^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

func isHost(text string) bool {
	address, err := netip.ParseAddr(text)
	return err == nil && address.Zone() == "" || hostName.MatchString(text)
}

// URL returns a DATABASE_URL that requires TLS, with user and password escaped. source is the origin of the parts; the
// error names the variable of each invalid one.
func (d Database) URL(source string) (string, error) {
	r := newReader(source, "")
	for _, secret := range []struct{ key, value string }{{"username", d.User}, {"password", d.Password}} {
		if secret.value == "" || strings.ContainsRune(secret.value, 0) {
			r.addProblem(0, secret.key, "is empty or contains a NUL byte", "let RDS rotate the secret")
		}
	}
	if !isHost(d.Host) {
		r.addProblem(0, "DATABASE_HOST", "is not a host name", "set the name of the database's endpoint")
	}
	if d.Name == "" || strings.ContainsRune(d.Name, 0) {
		r.addProblem(0, "DATABASE_NAME", "is not a database name", "set it")
	}
	r.checkNumber("DATABASE_PORT", d.Port, 1, 65535)
	parameters := url.Values{"sslmode": {"require"}}
	if d.Connections != "" {
		r.checkNumber("DATABASE_CONNECTION_LIMIT", d.Connections, 1, 10_000)
		parameters.Set("connection_limit", d.Connections)
	}
	if d.PoolTimeout != "" {
		r.checkNumber("DATABASE_POOL_TIMEOUT", d.PoolTimeout, 0, 86_400)
		parameters.Set("pool_timeout", d.PoolTimeout)
	}
	if _, err := r.result(); err != nil {
		return "", err
	}
	built := url.URL{
		Scheme: "postgresql", User: url.UserPassword(d.User, d.Password), Host: net.JoinHostPort(d.Host, d.Port),
		Path: "/" + d.Name, RawPath: "/" + url.PathEscape(d.Name), RawQuery: parameters.Encode(),
	}
	return built.String(), nil
}

func (r *reader) checkNumber(key, value string, low, high int) {
	number, err := strconv.Atoi(value)
	if err != nil || strconv.Itoa(number) != value || number < low || number > high {
		r.addProblem(0, key, "is not a number in its range", fmt.Sprintf("set a number from %d to %d", low, high))
	}
}

// ParseCredentials returns the user and the password in a secret that RDS manages. It ignores the other keys of secrets
// that were created manually.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
func ParseCredentials(source, text string) (user, password string, err error) {
	const remedy = "check it: RDS writes username and password into it"
	r := newReader(source, "")
	var secret struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if json.Unmarshal([]byte(text), &secret) != nil {
		r.addProblem(0, "", "is not a JSON object of strings", remedy)
	} else {
		for _, part := range []struct{ key, value string }{{"username", secret.Username}, {"password", secret.Password}} {
			if part.value == "" {
				r.addProblem(0, part.key, "is missing", remedy)
			}
		}
	}
	if _, err := r.result(); err != nil {
		return "", "", err
	}
	return secret.Username, secret.Password, nil
}

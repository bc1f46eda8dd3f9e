package probe

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseBody(t *testing.T) {
	for text, want := range map[string]Body{
		`{"status":"ok"}`: {"ok", ""},
		`{"status":"ready","database":"connected","uptime":7}`:      {"ready", "connected"},
		`{"status":"ok","database":{"status":"up"}}`:                {"ok", "up"},
		`{"status":"ok","database":{"connected":false}}`:            {"ok", "down"},
		`{"status":"ok","db":true}`:                                 {"ok", "up"},
		`{"status":"ok","a":null,"b":[[1]],"c":1e400,"d":{"e":[]}}`: {"ok", ""},
		`{"status":"ok","database":7,"a":null,"b":[[1]]}`:           {"ok", ""},
		`{"status":true}`:                       {"up", ""},
		`{"healthy":false}`:                     {"down", ""},
		`{"ok":true,"database":{"ok":true}}`:    {"up", "up"},
		`{"status":{"code":"UP"},"ready":true}`: {"up", ""},
		`{"status":200,"ok":true}`:              {"up", ""},
		// Terminus
		`{"status":"ok","info":{"database":{"status":"up"}},"error":{},"details":{"database":{"status":"up"}}}`:                             {"ok", "up"},
		`{"status":"error","info":{},"error":{"prisma":{"status":"down","message":"x"}},"details":{"prisma":{"status":"down"}}}`:            {"error", "down"},
		`{"status":"error","info":{"database":{"status":"up"}},"error":{"redis":{"status":"down"}},"details":{"database":{"status":"up"}}}`: {"error", "up"},
		// Spring
		`{"status":"UP","components":{}}`: {"UP", ""},
		`{"status":"DOWN","components":{"db":{"status":"DOWN","details":{"error":"x"}},"ping":{"status":"UP"}}}`:             {"DOWN", "DOWN"},
		`{"status":"UP","details":{"db":{"status":"UP","details":{"database":"PostgreSQL","validationQuery":"isValid()"}}}}`: {"UP", "UP"},
		// MicroProfile
		`{"status":"UP","checks":[]}`: {"UP", ""},
		`{"status":"DOWN","checks":[{"name":"Database connections health check","status":"DOWN"},{"name":"x","status":"UP"}]}`: {"DOWN", "DOWN"},
		// The draft of the IETF
		`{"status":"pass","checks":{"postgres:responseTime":[{"status":"pass","observedValue":4}],"cpu":[{"status":"warn"}]}}`: {"pass", "pass"},
		`{"status":"fail","checks":{"database:connections":[{"status":"pass"},{"status":"fail"}]}}`:                            {"fail", "fail"},
		`{"status":"ok","database":"connected","db":{"status":"down"}}`:                                                        {"ok", "down"},
		`{"status":"ok","dbt":"x","databases":"down"}`:                                                                         {"ok", ""},
		`{}`: {"", ""},
	} {
		got := parseBody([]byte(text))
		require.NotNil(t, got, text)
		require.Equal(t, want, *got, text)
	}
	for _, text := range []string{"", "<html>", "ok", `"ok"`, "true", "null", `[{"status":"ok"}]`, `{"status":"ok"`} {
		require.Nil(t, parseBody([]byte(text)), text)
	}
}

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
		// What is about a database, and no verdict.
		`{"status":"ok","db_version":"16"}`:                                        {"ok", ""},
		`{"status":"ok","database_name":"balancer","database-host":"db.internal"}`: {"ok", ""},
		`{"status":"ok","sql":"SELECT 1","database":"postgresql"}`:                 {"ok", ""},
		`{"status":"ok","dbUrl":"db.down.internal","dbReadOnly":false}`:            {"ok", ""},
		`{"status":"ok","db":{"type":"postgres","version":"16","pool":{"max":9}}}`: {"ok", ""},
		`{"status":"ok","db":{"readOnly":false,"error":null,"status":"up"}}`:       {"ok", "up"},
		`{"status":"ok","db":{"error":"","errors":[],"latency":3}}`:                {"ok", ""},
		`{"status":"ok","database":"OK (3 ms)"}`:                                   {"ok", "OK (3 ms)"},
		`{"status":"ok","database":"true"}`:                                        {"ok", "true"},
		// Unhealthy ones.
		`{"status":"ok","database":"false"}`:                                                          {"ok", "false"},
		`{"status":"ok","database":"not connected"}`:                                                  {"ok", "not connected"},
		`{"status":"ok","database":"connection refused"}`:                                             {"ok", "connection refused"},
		`{"status":"ok","db":{"error":"refused"}}`:                                                    {"ok", "error"},
		`{"status":"ok","db":{"error":{"code":1}}}`:                                                   {"ok", "error"},
		`{"status":"ok","databaseStatus":"down"}`:                                                     {"ok", "down"},
		`{"status":"ok","db_state":"down"}`:                                                           {"ok", "down"},
		`{"status":"ok","isDatabaseConnected":false}`:                                                 {"ok", "down"},
		`{"status":"ok","DBConnected":false}`:                                                         {"ok", "down"},
		`{"status":"ok","postgreSQLHealth":"fail"}`:                                                   {"ok", "fail"},
		`{"status":"ok","database":{"primary":{"status":"up"},"replica":{"status":"down"}}}`:          {"ok", "down"},
		`{"status":"ok","database":{"primary":"up","replica":"down"}}`:                                {"ok", "down"},
		`{"status":"ok","db_replica":{"status":"down"},"db":"up"}`:                                    {"ok", "down"},
		`{"status":"ok","checks":[{"id":"db","status":"down"}]}`:                                      {"ok", "down"},
		`{"status":"ok","checks":[{"name":"db","status":"up"},{"name":"db","status":"down"}]}`:        {"ok", "down"},
		`{"status":"ok","database":"up","checks":{"database":{"status":"down"}}}`:                     {"ok", "down"},
		`{"status":"Healthy","entries":{"postgres":{"data":{},"duration":"1","status":"Unhealthy"}}}`: {"Healthy", "Unhealthy"},
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

func TestIsHealthy(t *testing.T) {
	for status, want := range map[string]bool{
		"": true, "OK": true, "Connected": true, "ok (3 ms)": true, "UP": true, "true": true, "up: 3 connections": true,
		"down": false, "not ready": false, "ok, but degraded": false, "postgresql": false, "starting": false, "error": false, "( )": false,
	} {
		require.Equal(t, want, isHealthy(status), status)
	}
}

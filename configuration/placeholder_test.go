package configuration

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIsPlaceholder(t *testing.T) {
	for kind, values := range map[string][]string{
		"words": {
			"xxx", "...", "…", "null", "<…>", "REPLACE_ME", "replace-with-dsn", "changeme", "TODO", "fixme", "PLEASE_CHANGE_ME", "changeme123",
			"https://change-me.example.com/x", "https://u:replace_with_password@h", "insert-key-here", "PASTE_API_KEY_HERE", "put the token here",
		},
		"yours": {
			"your-api-key", "YOUR_TOKEN", "postgres://u:p@your-db-host/x", "https://your-domain.example.com", "your-db-host", "a@yourdomain.com",
			"https://key@sentry.io/your-project", "put-your-api-key-here", "YOUR API KEY", "https://put-your-key-here@sentry.io/1",
			"https://yourdomain.com", "your-sentry-dsn-here", "your_pool_id_here",
		},
		"yours, in paths": {
			"https://gateway.thegraph.com/api/YOUR_API_KEY/subgraphs/id/C4", "https://eth-mainnet.g.alchemy.com/v2/your-api-key",
			"https://mainnet.infura.io/v3/YOUR-PROJECT-ID", "https://mainnet.infura.io/v3/your_project_id", "https://x.example.com/v1/YOUR_ACCOUNT/y",
		},
		"change this": {
			"change_this", "changeThis", "CHANGE-THIS", "please_change_this", "change_this_password", "change this", "postgresql://u:change_this@db/app",
			"API_KEY_HERE", "https://x.example.com/v2/api-key-goes-here",
		},
		"angle brackets": {"<<API_KEY>>", "https://x.example.com/<<API_KEY>>/y", "<api-key>", "https://<host>/x", "postgresql://u:p@db/<name>?a=b"},
		"brackets": {
			"[api-key]", "[API KEY]", "[object Object]", "https://gateway.thegraph.com/api/[api-key]/subgraphs/id/C4ayEZP2yTXRAB8vSaTrgN4m9anTe9Mdm2ViyiAuV9TV",
			"https://gateway-arbitrum.network.thegraph.com/api/[API_KEY]/subgraphs/id/C4", "postgresql://postgres:[YOUR-PASSWORD]@db.x.supabase.co:5432/postgres",
			"https://x.example.com/?key=[token]", "[Filtered]",
		},
		"Sentry": {
			"https://examplePublicKey@o0.ingest.sentry.io/0", "https://examplePublicKey@o4504.ingest.us.sentry.io/1", "https://0a1b@o0.ingest.us.sentry.io/0",
			"___PUBLIC_DSN___", "https://__KEY__@sentry.io/1", "https://PUBLIC_KEY@sentry.io/PROJECT_ID", "https://PUBLIC_KEY:SECRET_KEY@sentry.io/1",
		},
		"templates": {
			"${API_KEY}", "https://${HOST}/x", "${API_KEY:-none}", "${{ secrets.API_KEY }}", "$API_KEY", "$(API_KEY)", "#{API_KEY}#", "{{API_KEY}}",
			"{{ .Values.apiKey }}", "https://{{host}}/x", "%API_KEY%", "https://gateway.thegraph.com/api/$API_KEY/subgraphs/id/C4", "https://%API_HOST%/x", "__API_KEY__", "__api_key__", "__DSN__",
		},
		"redaction": {
			"***", "********", "•••••", "[REDACTED]", "<redacted>", "REDACTED", "[Filtered]", "xxxx", "sk-xxxxxxxx", "xoxb-xxxx-xxxx", "postgresql://app:****@db/app",
			"https://xxxxxxxx@sentry.io/1", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "sk-live-****************abcd",
		},
	} {
		for _, value := range values {
			require.True(t, IsPlaceholder(value), "%s: %s", kind, value)
		}
	}
}

// TestMayBePlaceholder checks what is a warning: a placeholder, or a template that the application fills in, or a password.
func TestMayBePlaceholder(t *testing.T) {
	for kind, values := range map[string][]string{
		"templates": {
			"https://api.example.com/v1/users/{user_id}", "https://gateway.thegraph.com/api/{apiKey}/subgraphs/id/C4", "https://mainnet.infura.io/v3/{PROJECT_ID}",
			"https://gateway.thegraph.com/api/:apiKey/subgraphs/id/C4", "https://gateway.thegraph.com/api/:api_key/x", "https://gateway.thegraph.com/api/{api-key}/x",
			"https://gateway.thegraph.com/api/API_KEY/subgraphs/id/C4", "https://x.example.com/help/your-first-project", "https://[subdomain].example.com/",
		},
		"passwords": {
			"postgresql://app:a***b@db/app", "$HUNTER2", "P@ss***word", "[x-y-pass]", "postgresql://app:[x-y-pass]@db/app", "postgresql://app:a${b}c@db/app",
			"a{{b}}c", "%hunter2%", "postgresql://app:a<b>c@db/app",
		},
	} {
		for _, value := range values {
			require.False(t, IsPlaceholder(value), "%s: %s", kind, value)
			require.True(t, mayBePlaceholder(value), "%s: %s", kind, value)
		}
	}
}

func TestIsNoPlaceholder(t *testing.T) {
	for kind, values := range map[string][]string{
		"words": {
			"x", "", "production", "nullable", "s3cr3t<x>", "replacement", "none", "flavour-key", "Reset your password now", "xxl", "Add the route here and there",
		},
		"paths": {
			"https://app.example.com/reset-your-password", "https://a.example.com/?next=/manage-your-project", "https://example.com/your-account",
			"https://example.com/your-project-plans", "https://exchange-metrics.example.com/v1", "https://exchange-me.example.com",
			"https://change-metrics.example.com", "https://example.com/grow-your-business", "https://a.example.com/?if=a<b&c>d", "https://site.xxx/",
		},
		"URLs": {
			"https://abc@o1.ingest.sentry.io/1", "https://api.studio.thegraph.com/query/24/balancer-v2/version/latest", "https://example.com/none-of-it",
			"https://gateway.thegraph.com/api/0123456789abcdef0123456789abcdef/subgraphs/id/C4ayEZP2yTXRAB8vSaTrgN4m9anTe9Mdm2ViyiAuV9TV",
			"https://x.example.com/?filter[name]=a&filter[id]=b", "https://x.example.com/a%20b%20c", "https://x.example.com/%C3%A4%DF%AB", "https://x.example.com/__health",
		},
		"JSON": {
			`{}`, `[]`, `{"a":"b"}`, `["key"]`, `[1,2]`, `{"a":{"b":"${C}"}}`, `{"key":"<x>","mask":"***"}`, "{\n  \"api-key\": \"{{x}}\"\n}",
		},
		"globs and schedules": {"*", "**", "**/*.ts", "src/[a-z]*.ts", "[a-z]*", "[abc]?", "https://*.example.com", "https://[a-z]*.example.com", "*/5 * * * *", "{a,b}"},
		"IPv6":                {"[::1]", "[::1]:3000", "http://[::1]:3000/x", "postgresql://u:p@[fe80::1]:5432/b", "[2001:db8::cafe]", "https://[dead:beef::]/"},
		"regular expressions": {
			"^[a-z]+$", ".*", `\d{3}`, `[abc]+`, `^https://[a-z-]+\.example\.com$`, `https://[a-z0-9-]+\.example\.com`, `^\$\{x`, `(?i)^x{3,}$`, `[[:alpha:]]`, `^(foo|bar)$`,
		},
		"templates of the application": {
			"https://tiles.example.com/{z}/{x}/{y}.png", "https://s3.example.com/{bucket}/{key}", "Hello {{name}}, welcome", "${time} ${level} ${message}", "%d %s", "%Y-%m-%d", "$1,000",
			"pa$word", "a$(b", "__main__", "_id", "100%", "50%-70%",
		},
		"random": {
			"aHVudGVyMmh1bnRlcjJodW50ZXIy", "TUlJRXZRSUJBREFOQmdrcWhraUc5dzBCQVFFRkFBU0NCS2N3Z2dTakFnRUFBb0lCQVFD", "xxXX0a+xxx/Y==", "deadbeef", "sk-live-0axxxxb1",
			"-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "p*s*w*rd", "a[b]c", "x[key]=1",
		},
	} {
		for _, value := range values {
			require.False(t, IsPlaceholder(value), "%s: %s", kind, value)
			require.False(t, mayBePlaceholder(value), "%s: %s", kind, value)
		}
	}
}

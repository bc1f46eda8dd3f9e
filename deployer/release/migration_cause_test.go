package release

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMigrationHint checks the hints about what Prisma and the entrypoint write.
// Source: https://github.com/prisma/prisma/issues/8038
// Source: https://github.com/prisma/prisma/issues/27636
func TestMigrationHint(t *testing.T) {
	const unchanged = "; the migration changed nothing"
	for _, test := range []struct {
		name  string
		log   string
		code  int32
		began bool
		want  string
	}{
		{"unreachable", "Error: P1001: Can't reach database server at `db.example.com`:`5432`\n\nPlease make sure your database server is running.", 1, false,
			"the database did not answer in time"},
		{"unreachable, in two lines", "Error: P1001\n\nCan't reach database server at `db.example.com:5432`", 1, false, "the database did not answer in time"},
		{"the lock", "Error: P1002\n\nThe database server at `db:5432` was reached but timed out.\n\nContext: Timed out trying to acquire a postgres advisory lock " +
			"(SELECT pg_advisory_lock(72707369)). Elapsed: 10000ms. See https://pris.ly/d/migrate-advisory-locking for details.", 1, false,
			"another session holds Prisma's advisory lock"},
		{"slow", "Error: P1002\n\nThe database server at `db:5432` was reached but timed out.", 1, false, "the database did not answer in time"},
		{"password", "Error: P1000: Authentication failed against database server at `db`", 1, false, "the database rejected user or password"},
		{"no such database", "Error: P1003: Database `balancer` does not exist on the database server", 1, false, "the database in DATABASE_URL does not exist"},
		{"connection string", "Error: P1013: The provided database string is invalid.", 1, false, "the connection string is not valid"},
		{"baseline", "Error: P3005\n\nThe database schema is not empty. Read more about how to baseline an existing production database: https://pris.ly/d/migrate-baseline",
			1, false, "the schema is not empty and has no history of migrations"},
		{"an earlier failure", "Error: P3009\n\nmigrate found failed migrations in the target database, new migrations will not be applied.", 1, false,
			"an earlier migration failed and blocks this one"},
		{"a schema of another version", "Error: Prisma schema validation - (get-config wasm)\nError code: P1012\nerror: The datasource property `url` is no longer supported " +
			"in schema files.", 1, false, "the image's Prisma schema is not valid"},
		{"a variable is missing", "Error: Prisma schema validation - (get-config wasm)\nError code: P1012\nerror: Environment variable not found: DIRECT_DATABASE_URL.\n" +
			"  -->  schema.prisma:4", 1, false, "the migration's container has no variable DIRECT_DATABASE_URL, which the image's Prisma schema requires"},
		{"a variable is missing, in Prisma's configuration", "Failed to load config file \"/app\" as a TypeScript/JavaScript module. Error: PrismaConfigEnvError: " +
			"Missing required environment variable: DATABASE_URL", 1, false, "the migration's container has no variable DATABASE_URL"},
		{"a variable is empty", "Error: Prisma schema validation\nError code: P1012\nerror: Error validating datasource `db`: You must provide a nonempty URL. The environment " +
			"variable `DATABASE_URL` resolved to an empty string.", 1, false, "the connection string is not valid"},
		{"another protocol", "Error: P1012\n\nerror: Error validating datasource `db`: the URL must start with the protocol `postgresql://` or `postgres://`.", 1, false,
			"the connection string is not valid"},
		{"no OpenSSL", "prisma:warn Prisma failed to detect the libssl/openssl version to use, and may not work as expected.\nError: Could not parse schema engine " +
			"response: SyntaxError: Unexpected token E in JSON at position 0", 1, false, "the image has no OpenSSL library"},
		{"no engine", "Error: Can't write to /app/node_modules/@prisma/engines please make sure you install \"prisma\" with the right permissions.", 1, false,
			"the image has no schema engine of Prisma"},
		{"no right", "Error: Database error: Error querying the database: db error: ERROR: permission denied for table _prisma_migrations", 1, false,
			"the user in DATABASE_URL may not change the schema"},
		{"no URL in Prisma's configuration", "Error: The datasource.url property is required in your Prisma config file when using prisma migrate deploy.", 1, false,
			"the image's Prisma schema is not valid"},
		{"TLS", "Error: P1011: Error opening a TLS connection: certificate verify failed", 1, false, "the connection to the database could not be encrypted"},
		{"closed", "Error: P1017: Server has closed the connection.", 1, false, "the database closed the connection"},
		{"resolved already", "Error: P3008\n\nThe migration `1_x` is already recorded as applied in the database.", 1, false, "the migration is already recorded as applied"},
		{"another provider", "Error: P3019\n\nThe datasource provider `postgresql` specified in your schema does not match the one specified in the migration_lock.toml, `sqlite`.",
			1, false, "the image's migrations were created for another database"},
		{"no connection left", "Error: Schema engine error:\nFATAL: sorry, too many clients already", 1, false, "the database has no free connection"},
		{"reserved connections", "Error: P1001: Can't reach database server\nFATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute", 1, false,
			"the database has no free connection"},
		{"connections of a role", "Error: Schema engine error:\nFATAL: too many connections for role \"balancer\"", 1, false, "the database has no free connection"},
		{"closed in the middle", "Applying migration `1_x`\nError: P1017: Server has closed the connection.", 1, true, ""},
		{"the entrypoint without secrets", "entrypoint: Secrets Manager did not respond", 75, false, "the secrets could not be fetched"},
		{"no such command", "sh: prisma: not found", 127, false, "the image has no such command"},
		{"no migrations in the image", "Error: P3015", 1, false, "the image lacks the file of a migration"},
		{"the lock, before notices of npm", "Error: P1002\nThe database server was reached but timed out.\nContext: Timed out trying to acquire a postgres advisory lock" +
			strings.Repeat("\nnpm notice", 20), 1, false, "another session holds Prisma's advisory lock"},
		{"the entrypoint", "entrypoint: the secret balancer-staging-config lacks SENTRY_DSN", 78, false, "the container's configuration must be changed"},
		{"a migration that failed", "Applying migration `1_x`\nError: P3018\n\nA migration failed to apply.", 1, true, ""},
		{"the connection is lost in the middle", "Error: P1001: Can't reach database server at `db`:`5432`", 1, true, ""},
		{"a migration that failed, without its first line", "Error: P3018\n\nA migration failed to apply.", 1, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := migrationHint(staging(t), test.code, strings.Split(test.log, "\n"), test.began)
			if test.want == "" {
				require.Equal(t, partlyChanged, got)
				return
			}
			require.True(t, strings.HasPrefix(got, test.want), got)
			require.True(t, strings.HasSuffix(got, unchanged), got)
			require.NotContains(t, got, "--env ENV")
			require.NotContains(t, got, partlyChanged)
		})
	}
}

// Only a migration that began may have changed the schema.
func TestMigrationHintWithoutAKnownCause(t *testing.T) {
	const unknown, killed = "its log names no migration that began", "it was killed, usually for want of memory"
	for _, test := range []struct {
		name  string
		log   string
		code  int32
		began bool
		want  string
	}{
		{"something else", "panic: out of ideas", 1, false, unknown},
		{"no code of an error", "P10012 rows", 1, false, unknown},
		{"no log", "", 1, false, "no log shows whether a migration began"},
		{"killed before", "Datasource \"db\"", 137, false, killed},
		{"killed in the middle", "Applying migration `1_x`", 137, true, killed},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := migrationHint(staging(t), test.code, strings.Split(test.log, "\n"), test.began)
			require.True(t, strings.HasPrefix(got, test.want), got)
			require.Equal(t, test.began, strings.HasSuffix(got, partlyChanged), got)
		})
	}
	require.NotContains(t, timeoutHint(false), partlyChanged)
	require.Contains(t, timeoutHint(true), partlyChanged)
}

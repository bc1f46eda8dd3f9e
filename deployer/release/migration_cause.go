package release

import (
	"strings"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// applyingMigration begins the line with which Prisma starts to change the schema.
// Source: https://github.com/prisma/prisma/blob/main/packages/migrate/src/commands/MigrateDeploy.ts
const applyingMigration = "Applying migration"

// partlyChanged is what to do about a migration that began and failed.
const partlyChanged = "the schema may be partly changed: correct the migration or mark it resolved (`prisma migrate resolve`), then run the same command again"

// A migrationCause is an error that ends a migration before it has changed anything.
type migrationCause struct {
	// pattern matches its log lines, joined.
	pattern *lazyregexp.Regexp
	// hint may refer to what the pattern captured ($1).
	hint string
}

// migrationCauses are the errors of Prisma before it applies the first migration, the more specific first.
// Source: https://www.prisma.io/docs/orm/reference/error-reference
// Source: https://github.com/prisma/prisma/issues/8038
// Source: https://github.com/prisma/orm/issues/7120
// Source: https://github.com/prisma/orm/issues/25817
// Source: https://github.com/prisma/orm/issues/6282
// Source: https://github.com/umami-software/umami/issues/2886
var migrationCauses = []migrationCause{
	{lazyregexp.New(`(?i)remaining connection slots are reserved|too many (clients already|(database )?connections)|\bP2037\b`),
		"the database has no free connection: close those that are not needed, or lower database.connections in the environment's " +
			"file, then run the same command again (`deployer status --env ENV --only database` shows how many there are)"},
	{lazyregexp.New(`(?s)\bP1002\b.*advisory lock`), "another session holds Prisma's advisory lock: a migration that runs elsewhere, or one whose connection is " +
		"still open. Find it with `select * from pg_locks where locktype = 'advisory'`, then run the same command again"},
	{lazyregexp.New(`\bP100[128]\b`), "the database did not answer in time: check its status (`deployer status --env ENV --only database,security_groups`) and the " +
		"host in DATABASE_URL, then run the same command again"},
	{lazyregexp.New(`\bP1000\b`), "the database rejected user or password: DATABASE_URL in the configuration secret may be outdated " +
		"(`deployer vars --env ENV --category database`); without it, the password is the one that RDS manages"},
	{lazyregexp.New(`\bP10(03|10)\b`), "the database in DATABASE_URL does not exist, or its user may not use it: correct it with `deployer secrets set DATABASE_URL --env ENV`"},
	{lazyregexp.New(`(?:Environment variable not found|Missing required environment variable): DATABASE_URL\b`),
		"the migration's container has no variable DATABASE_URL, which the entrypoint builds: let the image's ENTRYPOINT be the " +
			"entrypoint and deployment.migrations.command not bypass it, or set the variable with " +
			"`deployer secrets set DATABASE_URL --env ENV`"},
	{lazyregexp.New(`(?:Environment variable not found|Missing required environment variable): (\w+)`),
		"the migration's container has no variable $1, which the image's Prisma schema requires: list it in " +
			"configuration.required of the environment's file and set it with `deployer secrets set $1 --env ENV`, or build the image " +
			"with a schema that does not need it"},
	{lazyregexp.New(`\bP1013\b|URL must start with the protocol|must provide a nonempty URL`),
		"the connection string is not valid: correct it with `deployer secrets set DATABASE_URL --env ENV`"},
	{lazyregexp.New(`\bP1012\b|datasource\.url property is required`),
		"the image's Prisma schema is not valid for its version of Prisma: correct what the log names (`prisma validate`), then " +
			"build and deploy the image"},
	{lazyregexp.New(`\bP1011\b`), "the connection to the database could not be encrypted: correct sslmode and certificate in " +
		"DATABASE_URL (`deployer secrets set DATABASE_URL --env ENV`), or the certificates in the image"},
	{lazyregexp.New(`\bP1017\b`), "the database closed the connection: it was restarted, failed over, or is a connection " +
		"pooler that does not support migrations; check its status (`deployer status --env ENV --only database`), then run the same " +
		"command again"},
	{lazyregexp.New(`\bP3008\b`), "the migration is already recorded as applied: `prisma migrate resolve` has nothing to do; " +
		"correct deployment.migrations.command in the environment's file if it calls it"},
	{lazyregexp.New(`\bP3019\b`), "the image's migrations were created for another database than its schema names: correct " +
		"the provider in migration_lock.toml or the schema, then build and deploy the image"},
	{lazyregexp.New(`\bP3005\b`), "the schema is not empty and has no history of migrations: mark those that it has as applied (`prisma migrate resolve --applied NAME`), " +
		"as for a database that was not created by migrations"},
	{lazyregexp.New(`\bP3015\b`), "the image lacks the file of a migration that is in its directory: build the image with the directory `prisma/migrations`, and deploy it"},
	{lazyregexp.New(`\bP3009\b`), "an earlier migration failed and blocks this one: correct what it left, mark it resolved (`prisma migrate resolve`), then run the same command again"},
	{lazyregexp.New(`permission denied for (table|relation|schema|database)|must be owner of`),
		"the user in DATABASE_URL may not change the schema: grant it the rights that the log names, or set a DATABASE_URL of the " +
			"owner (`deployer secrets set DATABASE_URL --env ENV`)"},
	{lazyregexp.New(`Can't write to \S+@prisma/engines`),
		"the image has no schema engine of Prisma, and its user may not download one: copy `node_modules/@prisma/engines` from the " +
			"build stage, then build and deploy the image"},
	// Prisma warns of it also where it continues.
	{lazyregexp.New(`(?i)Could not parse schema engine response|loading shared library libssl|failed to detect the libssl`),
		"the image has no OpenSSL library that Prisma can use: install openssl in the image, then build and deploy it"},
}

// failedMigration matches the error of a migration that began and failed.
var failedMigration = lazyregexp.New(`\bP3018\b`)

// migrationExits maps exit codes with which a migration ends before it changes anything, to what to do. docs/configuration.md describes when
// the entrypoint exits with 75 and 78.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
var migrationExits = map[int32]string{
	75:  "the secrets could not be fetched, as its log explains: check the route from the private subnets to AWS, then run the same command again",
	78:  "the container's configuration must be changed, as its log explains: `deployer secrets check --env ENV`",
	126: "the command of the migration cannot be executed: correct deployment.migrations.command in the environment's file, or the image",
	127: "the image has no such command: correct deployment.migrations.command in the environment's file, or the image",
}

// exitKilled holds the exit code of a container that was killed.
const exitKilled = 137

// migrationHint returns what to do about a migration that exited with a code other than 0. lines are its last log lines; began reports
// that it started to change the schema.
func migrationHint(env *environment.Environment, exitCode int32, lines []string, began bool) string {
	log := strings.Join(lines, "\n")
	began = began || failedMigration.MatchString(log)
	killed := ""
	if exitCode == exitKilled {
		killed = "it was killed, usually for want of memory: raise deployment.migrations.memory in the environment's file; "
	}
	if began {
		return killed + partlyChanged
	}
	const unchanged = "; the migration changed nothing"
	inEnvironment := strings.NewReplacer("--env ENV", "--env "+env.Stack)
	if next, known := migrationExits[exitCode]; known {
		return inEnvironment.Replace(next) + unchanged
	}
	for _, cause := range migrationCauses {
		if match := cause.pattern.FindStringSubmatchIndex(log); match != nil {
			return inEnvironment.Replace(string(cause.pattern.ExpandString(nil, cause.hint, log, match))) + unchanged
		}
	}
	if strings.TrimSpace(log) == "" {
		return killed + "no log shows whether a migration began: compare the schema with the migrations before you run the same command again"
	}
	return killed + "its log names no migration that began: correct what the log shows, then run the same command again"
}

// timeoutHint returns what to do about a migration that exceeds its time limit.
func timeoutHint(began bool) string {
	const next = "check its locks in the database; raise deployment.migrations.timeout in the environment's file to allow more time"
	if began {
		return next + "; " + partlyChanged
	}
	return next + "; its log names no migration that began"
}

package cloud

import (
	"slices"
	"strings"
	"time"
)

// logScript names the lines that a container writes to its log.
type logScript string

const (
	scriptAPI            logScript = "api"
	scriptWorker         logScript = "worker"
	scriptScheduler      logScript = "scheduler"
	scriptCrash          logScript = "crash"
	scriptOutOfMemory    logScript = "out-of-memory"
	scriptUnhealthy      logScript = "unhealthy"
	scriptStuck          logScript = "stuck"
	scriptSlow           logScript = "slow"
	scriptCommand        logScript = "command"
	scriptMigration      logScript = "migration"
	scriptMigrationIdle  logScript = "migration-idle"
	scriptMigrationFails logScript = "migration-fails"
	scriptMigrationHangs logScript = "migration-hangs"
	scriptMigrationLock  logScript = "migration-locked"
)

// LogLine is a line of a container's log.
type LogLine struct {
	Time    time.Time
	Message string
}

// scriptLine is a line of a script, written a time after the container's start.
type scriptLine struct {
	after time.Duration
	text  string
}

// prismaPreamble is how Prisma Migrate begins, whatever its outcome.
var prismaPreamble = []scriptLine{
	{1 * time.Second, "Environment variables loaded"},
	{2 * time.Second, "Prisma schema loaded from prisma/schema.prisma"},
	{3 * time.Second, `Datasource "db": PostgreSQL database "balancer", schema "public"`},
}

// startPreamble is how the application begins, whatever its outcome.
var startPreamble = []scriptLine{
	{0, "balancer starting"},
	{1 * time.Second, "configuration loaded"},
}

// serverReady declares how the API continues.
var serverReady = []scriptLine{
	{3 * time.Second, "database connected"},
	{4 * time.Second, "server ready at http://0.0.0.0:3000/graphql"},
}

// logScripts are what containers write; migrationLines adds to those of migrations how Prisma begins and what it applies.
var logScripts = map[logScript][]scriptLine{
	scriptAPI: slices.Concat(startPreamble, serverReady),
	scriptWorker: slices.Concat(startPreamble, []scriptLine{
		{3 * time.Second, "database connected"},
		{4 * time.Second, "worker polls the background jobs"},
		{5 * time.Second, `{"level":"info","msg":"job done","job":"sync-pools","ms":412}`},
		{6 * time.Second, `{"level":"warn","msg":"subgraph is behind","chain":"MAINNET","blocks":12}`},
	}),
	scriptScheduler: slices.Concat(startPreamble, []scriptLine{
		{3 * time.Second, "database connected"},
		{4 * time.Second, "scheduler started, 14 jobs"},
	}),
	scriptCrash: slices.Concat(startPreamble, []scriptLine{
		{3 * time.Second, "Error: Cannot find module '/app/dist/pools/sync.js'"},
		{3 * time.Second, "    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15)"},
		{4 * time.Second, "process exits with code 1"},
	}),
	scriptOutOfMemory: slices.Concat(startPreamble, []scriptLine{
		{6 * time.Second, "loading 120000 pools into the cache"},
		{11 * time.Second, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"},
	}),
	scriptUnhealthy: slices.Concat(startPreamble, []scriptLine{
		{4 * time.Second, "server ready at http://0.0.0.0:3000/graphql"},
		{12 * time.Second, "GET /health 503 subgraph does not answer"},
		{22 * time.Second, "GET /health 503 subgraph does not answer"},
	}),
	scriptStuck: slices.Concat(startPreamble, []scriptLine{
		{3 * time.Second, "waiting for the leader's lock"},
	}),
	scriptSlow: slices.Concat(startPreamble, []scriptLine{
		{3 * time.Second, "warming the cache, this takes about 4 minutes"},
		{4 * time.Minute, "server ready at http://0.0.0.0:3000/graphql"},
	}),
	scriptCommand: {
		{1 * time.Second, "command started"},
		{19 * time.Second, "command done"},
	},
	scriptMigrationIdle: {
		{7 * time.Second, "No pending migrations to apply."},
	},
	scriptMigrationFails: {
		{9 * time.Second, "Applying migration `20250602093012_add_pool_snapshots`"},
		{12 * time.Second, "Error: P3018"},
		{12 * time.Second, "A migration failed to apply. New migrations cannot be applied before the error is recovered from. " +
			"Read more about how to resolve migration issues in a production database: https://pris.ly/d/migrate-resolve"},
		{12 * time.Second, "Migration name: 20250602093012_add_pool_snapshots"},
		{12 * time.Second, "Database error code: 42701"},
		{12 * time.Second, `ERROR: column "chain" of relation "PoolSnapshot" already exists`},
	},
	scriptMigrationLock: {
		{16 * time.Second, "Error: P1002"},
		{16 * time.Second, "The database server at `db:5432` was reached but timed out."},
		{16 * time.Second, "Please try again."},
		{16 * time.Second, "Please make sure your database server is running at `db:5432`."},
		{16 * time.Second, "Context: Timed out trying to acquire a postgres advisory lock (SELECT pg_advisory_lock(72707369)). Elapsed: 10000ms. " +
			"See https://pris.ly/d/migrate-advisory-locking for details."},
		// npx writes these after the command has failed.
		{17 * time.Second, "npm notice"},
		{17 * time.Second, "npm notice New major version of npm available! 10.8.2 -> 11.4.1"},
		{17 * time.Second, "npm notice Changelog: https://github.com/npm/cli/releases/tag/v11.4.1"},
		{17 * time.Second, "npm notice To update run: npm install -g npm@11.4.1"},
		{17 * time.Second, "npm notice"},
	},
	scriptMigrationHangs: {
		{7 * time.Second, "waiting for the advisory lock 72707369"},
	},
}

// lateLines declares what a service's container also writes under a fault that begins after the rollout, each a time after the fault
// began.
var lateLines = map[string][]scriptLine{
	faultLateErrors: {
		{lateErrorsAfter, `{"level":"error","msg":"TypeError: Cannot read properties of undefined (reading 'poolId')",` +
			`"operation":"GetPools","status":500}`},
	},
	faultMemoryLeak: {
		{2 * time.Minute, `{"level":"warn","msg":"the cache of prices has 180000 entries"}`},
		{leakTime - time.Second, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"},
	},
	faultSlowResponses: {
		{10 * time.Second, `{"level":"warn","msg":"slow query","operation":"GetPools","ms":3214}`},
	},
}

// logScriptOf returns the script of a service's task, which depends on its command.
func logScriptOf(d definition) logScript {
	command := strings.Join(d.mainContainer().Command, " ")
	switch {
	case strings.Contains(command, "worker"):
		return scriptWorker
	case strings.Contains(command, "scheduler"):
		return scriptScheduler
	}
	return scriptAPI
}

// commandOutput returns what echo and printenv print as the command of a one-off task, a line each: the words, and the variables of the
// main container with the values of its secrets. Other commands print nothing of their own.
func (m model) commandOutput(t *task) []scriptLine {
	d, found := m.definition(t.Definition)
	if !found || len(t.Command) == 0 {
		return nil
	}
	var lines []string
	switch t.Command[0] {
	case "echo":
		lines = strings.Split(strings.Join(t.Command[1:], " "), "\n")
	case "printenv":
		for _, v := range d.mainContainer().Environment {
			lines = append(lines, deref(v.Name)+"="+deref(v.Value))
		}
		for _, secret := range d.mainContainer().Secrets {
			lines = append(lines, strings.Split(deref(secret.Name)+"="+m.secretKey(deref(secret.ValueFrom)), "\n")...)
		}
	}
	var script []scriptLine
	for _, line := range lines {
		script = append(script, scriptLine{time.Second, line})
	}
	return script
}

// stream returns the log group and stream of a task's main container, or "" if it does not log to CloudWatch.
func (m model) stream(t *task) (group, stream string) {
	d, found := m.definition(t.Definition)
	if !found || d.mainContainer().LogConfiguration == nil {
		return "", ""
	}
	options := d.mainContainer().LogConfiguration.Options
	return options["awslogs-group"], options["awslogs-stream-prefix"] + "/" + deref(d.mainContainer().Name) + "/" + t.ID()
}

// logLines returns the lines that a task has written so far.
func (m model) logLines(t *task) []LogLine {
	if t.Started.IsZero() {
		return nil
	}
	var written []LogLine
	script := logScripts[t.LogScript]
	switch {
	case t.LogScript == scriptCommand:
		script = append(m.commandOutput(t), script...)
	case strings.HasPrefix(string(t.LogScript), string(scriptMigration)):
		script = migrationLines(t)
	}
	write := func(since time.Time, script []scriptLine) {
		for _, entry := range script {
			at := m.after(since, entry.after)
			if at.After(m.now) || m.reached(t.Stopping) && at.After(t.Stopping) {
				break
			}
			written = append(written, LogLine{Time: at, Message: entry.text})
		}
	}
	write(t.Started, script)
	write(t.FaultSince, lateLines[t.Fault])
	slices.SortStableFunc(written, func(a, b LogLine) int { return a.Time.Compare(b.Time) })
	return written
}

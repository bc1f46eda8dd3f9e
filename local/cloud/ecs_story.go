package cloud

import (
	"slices"
	"strings"
	"time"
)

// story names what a container writes into its log.
type story string

const (
	storyAPI            story = "api"
	storyWorker         story = "worker"
	storyScheduler      story = "scheduler"
	storyCrash          story = "crash"
	storyOutOfMemory    story = "out-of-memory"
	storyUnhealthy      story = "unhealthy"
	storyStuck          story = "stuck"
	storySlow           story = "slow"
	storyCommand        story = "command"
	storyMigration      story = "migration"
	storyMigrationIdle  story = "migration-idle"
	storyMigrationFails story = "migration-fails"
	storyMigrationHangs story = "migration-hangs"
)

// LogLine is one line that a container wrote.
type LogLine struct {
	Time    time.Time
	Message string
}

// line is a line of a story: how long after the container's start it is written.
type line struct {
	after time.Duration
	text  string
}

// prisma is how Prisma Migrate begins, whatever comes of it.
var prisma = []line{
	{1 * time.Second, "Environment variables loaded"},
	{2 * time.Second, "Prisma schema loaded from prisma/schema.prisma"},
	{3 * time.Second, `Datasource "db": PostgreSQL database "balancer", schema "public"`},
	{5 * time.Second, "42 migrations found in prisma/migrations"},
}

// starting is how the application begins, whatever comes of it.
var starting = []line{
	{0, "balancer starting"},
	{1 * time.Second, "configuration loaded"},
}

var stories = map[story][]line{
	storyAPI: slices.Concat(starting, []line{
		{3 * time.Second, "database connected"},
		{4 * time.Second, "server ready at http://0.0.0.0:3000/graphql"},
	}),
	storyWorker: slices.Concat(starting, []line{
		{3 * time.Second, "database connected"},
		{4 * time.Second, "worker polls the background jobs"},
		{5 * time.Second, `{"level":"info","msg":"job done","job":"sync-pools","ms":412}`},
		{6 * time.Second, `{"level":"warn","msg":"subgraph is behind","chain":"MAINNET","blocks":12}`},
	}),
	storyScheduler: slices.Concat(starting, []line{
		{3 * time.Second, "database connected"},
		{4 * time.Second, "scheduler started, 14 jobs"},
	}),
	storyCrash: slices.Concat(starting, []line{
		{3 * time.Second, "Error: Cannot find module '/app/dist/pools/sync.js'"},
		{3 * time.Second, "    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15)"},
		{4 * time.Second, "process exits with code 1"},
	}),
	storyOutOfMemory: slices.Concat(starting, []line{
		{6 * time.Second, "loading 120000 pools into the cache"},
		{11 * time.Second, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"},
	}),
	storyUnhealthy: slices.Concat(starting, []line{
		{4 * time.Second, "server ready at http://0.0.0.0:3000/graphql"},
		{12 * time.Second, "GET /health 503 subgraph does not answer"},
		{22 * time.Second, "GET /health 503 subgraph does not answer"},
	}),
	storyStuck: slices.Concat(starting, []line{
		{3 * time.Second, "waiting for the leader's lock"},
	}),
	storySlow: slices.Concat(starting, []line{
		{3 * time.Second, "warming the cache, this takes about 4 minutes"},
		{4 * time.Minute, "server ready at http://0.0.0.0:3000/graphql"},
	}),
	storyCommand: {
		{1 * time.Second, "command started"},
		{19 * time.Second, "command done"},
	},
	storyMigration: slices.Concat(prisma, []line{
		{9 * time.Second, "Applying migration `20250602093012_add_pool_snapshots`"},
		{14 * time.Second, "Applying migration `20250603101544_index_swaps_by_block`"},
		{18 * time.Second, "All migrations have been successfully applied."},
	}),
	storyMigrationIdle: slices.Concat(prisma, []line{
		{7 * time.Second, "No pending migrations to apply."},
	}),
	storyMigrationFails: slices.Concat(prisma, []line{
		{9 * time.Second, "Applying migration `20250602093012_add_pool_snapshots`"},
		{12 * time.Second, "Error: P3018"},
		{12 * time.Second, "A migration failed to apply. New migrations cannot be applied before the error is recovered from. " +
			"Read more about how to resolve migration issues in a production database: https://pris.ly/d/migrate-resolve"},
		{12 * time.Second, "Migration name: 20250602093012_add_pool_snapshots"},
		{12 * time.Second, "Database error code: 42701"},
		{12 * time.Second, `ERROR: column "chain" of relation "PoolSnapshot" already exists`},
	}),
	storyMigrationHangs: slices.Concat(prisma, []line{
		{7 * time.Second, "waiting for the advisory lock 72707369"},
	}),
}

// storyOf tells a service's tasks apart by their command.
func storyOf(d definition) story {
	command := strings.Join(d.main().Command, " ")
	switch {
	case strings.Contains(command, "worker"):
		return storyWorker
	case strings.Contains(command, "scheduler"):
		return storyScheduler
	}
	return storyAPI
}

// stream is where a task's main container writes, or "" where it logs elsewhere.
func (m moment) stream(t *task) (group, stream string) {
	d, found := m.definition(t.Definition)
	if !found || d.main().LogConfiguration == nil {
		return "", ""
	}
	options := d.main().LogConfiguration.Options
	return options["awslogs-group"], options["awslogs-stream-prefix"] + "/" + deref(d.main().Name) + "/" + t.ID()
}

// lines are what a task has written so far.
func (m moment) lines(t *task) []LogLine {
	if t.Started.IsZero() {
		return nil
	}
	var written []LogLine
	for _, l := range stories[t.Story] {
		at := m.after(t.Started, l.after)
		if at.After(m.now) || m.reached(t.Stopping) && at.After(t.Stopping) {
			break
		}
		written = append(written, LogLine{Time: at, Message: l.text})
	}
	return written
}

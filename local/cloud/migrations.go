package cloud

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// databaseHostVariable is the variable of a container that has its database's address.
const databaseHostVariable = "DATABASE_HOST"

// appliedMigration records that a database has the migrations of an image.
type appliedMigration struct {
	Digest string    `json:"digest"`
	At     time.Time `json:"at"`
}

// baseMigrations are the migrations of every image that a new database lacks in its last steps; foundMigrations is how many there are in all.
// Each image that is migrated after the first one brings another.
var baseMigrations = []string{"20250602093012_add_pool_snapshots", "20250603101544_index_swaps_by_block"}

const foundMigrations = 42

// migrate decides what a task applies that runs Prisma's command, until a time: to a new database all, to another one what the image brings,
// and nothing where the database has that already, or where the command only asks.
func (m model) migrate(t *task, d definition, command []string, end time.Time) {
	database := m.databaseOfTask(d)
	applied := m.applied(database, m.now)
	t.MigrationsFound = foundMigrations + max(0, len(applied)-1)
	switch {
	case onlyAsks(command) || slices.Contains(applied, t.Digest):
		t.LogScript = scriptMigrationIdle
		return
	case len(applied) == 0:
		t.Migrations = baseMigrations
	default:
		t.MigrationsFound++
		_, hex, _ := strings.Cut(t.Digest, ":")
		t.Migrations = []string{fmt.Sprintf("20250604%06d_release_%.8s", len(applied), hex)}
	}
	if t.Database = database; database != "" {
		m.Migrations[database] = append(m.Migrations[database], appliedMigration{t.Digest, end})
	}
}

// onlyAsks reports whether Prisma's command changes no schema.
// Source: https://www.prisma.io/docs/orm/reference/prisma-cli-reference#migrate-status
func onlyAsks(command []string) bool {
	return slices.ContainsFunc([]string{"status", "resolve", "diff"}, func(word string) bool { return slices.Contains(command, word) })
}

// applied returns the digests of the images whose migrations a database had at a time.
func (s *State) applied(database string, at time.Time) []string {
	var digests []string
	for _, one := range s.Migrations[database] {
		if !one.At.After(at) {
			digests = append(digests, one.Digest)
		}
	}
	return digests
}

// abandonMigration forgets what a migration that is stopped has not applied yet.
func (m model) abandonMigration(t *task) {
	m.Migrations[t.Database] = slices.DeleteFunc(m.Migrations[t.Database], func(one appliedMigration) bool {
		return one.Digest == t.Digest && one.At.After(m.now)
	})
}

// restoreMigrations gives a restored database the migrations that the snapshot has.
func (m model) restoreMigrations(from *Snapshot, database string) {
	for _, one := range m.Migrations[from.ResourceID] {
		if !one.At.After(from.Created) {
			m.Migrations[database] = append(m.Migrations[database], one)
		}
	}
}

// databaseOfTask returns the resource ID of the database that a container's variables name; "" where they name none of the account's.
func (m model) databaseOfTask(d definition) string {
	for _, v := range d.mainContainer().Environment {
		if deref(v.Name) != databaseHostVariable {
			continue
		}
		if r := m.Find(typeDatabase, "address", deref(v.Value)); r != nil {
			return r.ID
		}
	}
	return ""
}

// migrationLines returns a migration's script: how Prisma begins, and what it applies.
func migrationLines(t *task) []scriptLine {
	found := scriptLine{5 * time.Second, fmt.Sprintf("%d migrations found in prisma/migrations", max(t.MigrationsFound, foundMigrations))}
	lines := slices.Concat(prismaPreamble, []scriptLine{found}, logScripts[t.LogScript])
	if t.LogScript != scriptMigration {
		return lines
	}
	for i, name := range t.Migrations {
		lines = append(lines, scriptLine{time.Duration(9+5*i) * time.Second, "Applying migration `" + name + "`"})
	}
	return append(lines, scriptLine{18 * time.Second, "All migrations have been successfully applied."})
}

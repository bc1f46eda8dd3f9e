package cloud

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"
)

// A database keeps what was applied to it: an image's migrations once, those of another image in addition, and a new database has none. A
// migration that is stopped has not applied its own, and a restored database has those of its snapshot.
func TestMigrationsOfADatabase(t *testing.T) {
	a, clk := accountWith(t)
	require.NoError(t, a.Update(func(s *State) error {
		w := &simulation{t: t, m: a.model(s)}
		m := w.m
		serve := func(id, address string) definition {
			w.put(typeDatabase, id, values{"identifier": id, "address": address})
			return definition{containers: []ecs.ContainerDefinition{{
				Environment: []ecs.KeyValuePair{{Name: aws.String(databaseHostVariable), Value: aws.String(address)}},
			}}}
		}
		run := func(d definition, digest string, command ...string) *task {
			task := &task{Digest: digest}
			m.migrate(task, d, command, m.now.Add(time.Minute))
			return task
		}
		deploy := []string{"npx", "prisma", "migrate", "deploy"}
		first := serve("first", "first.example.com")
		require.Equal(t, baseMigrations, run(first, "sha256:aaaaaaaaaaaa", deploy...).Migrations)
		require.Empty(t, m.applied("first", m.now), "it has not ended")
		m.now = clk.now.Add(2 * time.Minute)
		require.Equal(t, scriptMigrationIdle, run(first, "sha256:aaaaaaaaaaaa", deploy...).LogScript)
		require.Equal(t, scriptMigrationIdle, run(first, "sha256:bbbbbbbbbbbb", "npx", "prisma", "migrate", "status").LogScript)
		stopped := run(first, "sha256:cccccccccccc", deploy...)
		m.abandonMigration(stopped)
		snapshot := &Snapshot{ResourceID: "first", Created: m.now}

		m.now = m.now.Add(time.Hour)
		second := run(first, "sha256:bbbbbbbbbbbb", deploy...)
		require.Equal(t, []string{"20250604000001_release_bbbbbbbb"}, second.Migrations)
		require.Equal(t, foundMigrations+1, second.MigrationsFound)
		var log []string
		for _, line := range migrationLines(&task{LogScript: scriptMigration, Migrations: second.Migrations, MigrationsFound: second.MigrationsFound}) {
			log = append(log, line.text)
		}
		require.Contains(t, strings.Join(log, "\n"), "43 migrations found in prisma/migrations\nApplying migration `20250604000001_release_bbbbbbbb`\nAll migrations")

		require.Equal(t, baseMigrations, run(serve("new", "new.example.com"), "sha256:bbbbbbbbbbbb", deploy...).Migrations)
		m.now = m.now.Add(time.Hour)
		m.restoreMigrations(snapshot, "restored")
		require.Equal(t, []string{"sha256:aaaaaaaaaaaa"}, m.applied("restored", m.now))
		require.Len(t, m.applied("first", m.now), 2)
		return nil
	}))
}

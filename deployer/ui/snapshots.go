package ui

import (
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/balancer/v3-backend-infra/deployer/database"
)

// Snapshots shows a database's snapshots. A name has 48 characters and must be copied whole: it has a line of its own, and
// below it when and by whom the snapshot was created.
func Snapshots(w io.Writer, all []database.Snapshot, now time.Time, format string, _ Style) error {
	if format == "json" {
		if all == nil {
			all = []database.Snapshot{}
		}
		return JSON(w, all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no snapshots")
		return err
	}
	t := newTable("snapshot", "status", "size", "engine")
	for _, s := range all {
		engine, status := s.Version, s.Status
		if !s.Encrypted {
			engine += "\nnot encrypted"
		}
		if status == "creating" {
			status = fmt.Sprintf("%d %% done", s.Progress)
		}
		t.AppendRow(table.Row{
			s.Name + "\n  " + s.Created.Format("2006-01-02 15:04 UTC") + ", " + Age(now.Sub(s.Created)) + "\n  " + createdBy(s),
			status, fmt.Sprintf("%d GiB", s.SizeGiB), engine,
		})
	}
	return writeTable(w, t)
}

func createdBy(s database.Snapshot) string {
	switch {
	case s.Deployment != "":
		return "by deployment " + s.Deployment
	case s.Type == "manual":
		return "manually"
	}
	return s.Type + ", by RDS"
}

package ui

import (
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/balancer/v3-backend-infra/deployer/database"
)

// Snapshots shows a database's snapshots. A name is 48 characters long and has to be copied whole: so it has a line of
// its own, and when and by whom it was taken stands below it.
func Snapshots(w io.Writer, all []database.Snapshot, now time.Time, format string, style Style) error {
	if format == "json" {
		if all == nil {
			all = []database.Snapshot{}
		}
		return JSON(w, all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "there is no snapshot")
		return err
	}
	t := style.newTable("snapshot", "status", "size", "engine")
	for _, s := range all {
		engine := s.Version
		if !s.Encrypted {
			engine += "\nnot encrypted"
		}
		t.AppendRow(table.Row{
			s.Name + "\n  " + s.Created.Format("2006-01-02 15:04 UTC") + ", " + Age(now.Sub(s.Created)) + "\n  " + createdBy(s),
			snapshotStatus(s), fmt.Sprintf("%d GiB", s.SizeGiB), engine,
		})
	}
	return renderTable(w, t)
}

func snapshotStatus(s database.Snapshot) string {
	if s.Status == "creating" {
		return fmt.Sprintf("%d %% done", s.Progress)
	}
	return s.Status
}

// createdBy is who took a snapshot.
func createdBy(s database.Snapshot) string {
	switch {
	case s.Deployment != "":
		return "by deployment " + s.Deployment
	case s.Type == "manual":
		return "by hand"
	}
	return s.Type + ", by RDS"
}

// Age is how long ago something was, as people say it.
func Age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

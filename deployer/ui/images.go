package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/deployer/release"
)

// ImageList is what a repository has, and where it runs.
type ImageList struct {
	Repository string                `json:"repository"`
	Images     []release.StoredImage `json:"images"`
	// Total is how many images there are, also those that are not listed.
	Total int `json:"total"`
	// Unreadable are the environments of which nobody knows what runs there.
	Unreadable []UnreadableEnvironment `json:"unread"`
}

// UnreadableEnvironment is an environment that could not be asked, and why.
type UnreadableEnvironment struct {
	Environment string `json:"environment"`
	Error       string `json:"error"`
}

// Images shows the images of a repository, the newest first.
func Images(w io.Writer, list ImageList, format string, style Style) error {
	if format == "json" {
		return JSON(w, list)
	}
	runningSeveral := runningSeveralImages(list.Images)
	t := style.newTable("tags", "digest", "pushed", "size", "scan", "runs in")
	for _, image := range list.Images {
		t.AppendRow(table.Row{
			strings.Join(image.Names(), ", "), shortDigest(image.Digest), image.Pushed.Format("06-01-02 15:04"),
			fmt.Sprintf("%d MB", (image.SizeBytes+500_000)/1_000_000), scanSummary(image), environmentsRunning(image, runningSeveral),
		})
	}
	// With the columns between them these widths make 80.
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 1, WidthMax: 20, WidthMaxEnforcer: text.WrapSoft}, {Number: 5, WidthMax: 8, WidthMaxEnforcer: text.WrapSoft},
		{Number: 6, WidthMax: 10, WidthMaxEnforcer: text.WrapSoft},
	})
	if err := renderTable(w, t); err != nil {
		return err
	}
	if left := list.Total - len(list.Images); left > 0 {
		if _, err := fmt.Fprintf(w, "%d older images are not shown; --limit 0 shows all\n", left); err != nil {
			return err
		}
	}
	for _, environment := range list.Unreadable {
		if _, err := fmt.Fprintf(w, "what runs in %s is not known: %s\n", environment.Environment, environment.Error); err != nil {
			return err
		}
	}
	return nil
}

// shortDigest are the first of a digest: enough to recognise it.
func shortDigest(digest string) string {
	_, digits, _ := strings.Cut(digest, ":")
	return digits[:min(len(digits), 12)]
}

// scanSummary says what a scan found, the worst first: there is no room for more.
func scanSummary(image release.StoredImage) string {
	if !image.Scanned {
		return "none yet"
	}
	for _, severity := range []string{"CRITICAL", "HIGH", "MEDIUM", "LOW"} {
		if n := image.Findings[severity]; n > 0 {
			return fmt.Sprintf("%d %s", n, strings.ToLower(severity))
		}
	}
	return "clean"
}

// runningSeveralImages are the environments that run more than one of the images.
func runningSeveralImages(images []release.StoredImage) map[string]bool {
	counts, several := map[string]int{}, map[string]bool{}
	for _, image := range images {
		var here []string
		for _, run := range image.Runs {
			if !slices.Contains(here, run.Environment) {
				here = append(here, run.Environment)
				counts[run.Environment]++
			}
		}
	}
	for name, n := range counts {
		several[name] = n > 1
	}
	return several
}

// environmentsRunning names the environments that run an image, with the services where they do not all run it.
func environmentsRunning(image release.StoredImage, several map[string]bool) string {
	var lines []string
	for _, run := range image.Runs {
		line := run.Environment
		if several[run.Environment] {
			line += " " + string(run.Role)
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

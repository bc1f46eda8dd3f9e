package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecrimage"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// ImageList is the images of a repository and the environments that run them.
type ImageList struct {
	Repository string                `json:"repository"`
	Images     []release.StoredImage `json:"images"`
	// Total counts all images, also those that are not listed.
	Total int `json:"total"`
	// Unreadable are the environments whose running images are unknown.
	Unreadable []UnreadableEnvironment `json:"unread"`
}

// UnreadableEnvironment is an environment that could not be read, and why.
type UnreadableEnvironment struct {
	Environment string `json:"environment"`
	Error       string `json:"error"`
}

// Images shows the images of a repository, the newest first.
func Images(w io.Writer, list ImageList, format string, style Style) error {
	return show(w, list, format, style, func(d *document) { d.images(list) })
}

func (d *document) images(list ImageList) {
	mixed := mixedEnvironments(list.Images)
	t := newTable("tags", "digest", "pushed (UTC)", "size", "scan", "runs in", "verified in")
	for _, image := range list.Images {
		t.addRow([]any{
			strings.Join(image.Names(), ", "), strings.TrimPrefix(awsx.ShortDigest(image.Digest), "sha256:"), image.Pushed.Format("2006-01-02 15:04"),
			fmt.Sprintf("%d MB", (image.SizeBytes+500_000)/1_000_000), scanSummary(image), environmentsRunning(image, mixed),
			strings.Join(image.Verified, ", "),
		})
	}
	t.setColumns(slices.Concat(alignRight(4), wrapped(1, 5, 6, 7)))
	d.table(t)
	if left := list.Total - len(list.Images); left > 0 {
		d.addf("", "%s not shown; --limit 0 shows all", text.Plural(left, "older image is", "older images are"))
	}
	for _, unreadable := range list.Unreadable {
		d.addf("", "what runs in %s is not known: %s", unreadable.Environment, unreadable.Error)
	}
}

// scanSummary counts the findings of the highest severity: there is no room for more. Of a scan without a result it returns why.
func scanSummary(image release.StoredImage) string {
	if !image.Scanned {
		return ecrimage.NotScanned(image.ScanStatus, image.ScanDescription)
	}
	for _, severity := range []string{"CRITICAL", "HIGH", "MEDIUM", "LOW"} {
		if n := image.Findings[severity]; n > 0 {
			return unbroken(fmt.Sprintf("%d %s", n, strings.ToLower(severity)))
		}
	}
	return "clean"
}

// mixedEnvironments returns the environments that run more than one of the images.
func mixedEnvironments(images []release.StoredImage) map[string]bool {
	seen, mixed := map[string]bool{}, map[string]bool{}
	for _, image := range images {
		here := map[string]bool{}
		for _, run := range image.Runs {
			here[run.Environment] = true
		}
		for name := range here {
			mixed[name] = seen[name]
			seen[name] = true
		}
	}
	return mixed
}

// environmentsRunning returns the environments that run an image, with the services where those run several.
func environmentsRunning(image release.StoredImage, mixed map[string]bool) string {
	var lines []string
	for _, run := range image.Runs {
		line := run.Environment
		if mixed[run.Environment] {
			line += " " + string(run.Role)
		}
		line = unbroken(line)
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, ", ")
}

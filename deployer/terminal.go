package main

import (
	"cmp"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/balancer/v3-backend-infra/deployer/ui"
)

// style is how results are shown on standard output.
func (s settings) style() ui.Style {
	return styleOf(s.out, s.noColor)
}

func styleOf(stream any, noColor bool) ui.Style {
	file, ok := stream.(*os.File)
	if !ok || !terminal(file) {
		return ui.Style{NoEmoji: !unicode(os.Getenv)}
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width == 0 {
		width = 80
	}
	kind := os.Getenv("TERM")
	return ui.Style{
		Color: !noColor && kind != "dumb", Width: width,
		NoEmoji: !unicode(os.Getenv) || kind == "dumb" || kind == "linux",
	}
}

// unicode reports whether the user's locale has signs beyond ASCII. No locale at all says nothing against it.
func unicode(variable func(string) string) bool {
	locale := strings.ToLower(cmp.Or(variable("LC_ALL"), variable("LC_CTYPE"), variable("LANG")))
	return locale == "" || strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
}

// progressOptions is how progress is shown on standard error.
func (s settings) progressOptions() ui.ProgressOptions {
	return ui.ProgressOptions{
		Style: styleOf(s.err, s.noColor), Live: isTerminal(s.err) && os.Getenv("TERM") != "dumb" && !s.debug,
		Quiet: s.quiet, Verbose: s.verbose || s.debug, Actions: os.Getenv("GITHUB_ACTIONS") == "true", Now: time.Now,
	}
}

package main

import (
	"os"
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
		return ui.Style{}
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		width = 80
	}
	return ui.Style{Colour: !noColor && os.Getenv("TERM") != "dumb", Width: width}
}

// progressOptions is how progress is shown on standard error.
func (s settings) progressOptions() ui.ProgressOptions {
	return ui.ProgressOptions{
		Style: styleOf(s.err, s.noColor), Live: isTerminal(s.err) && os.Getenv("TERM") != "dumb" && !s.debug,
		Quiet: s.quiet, Verbose: s.verbose || s.debug, Actions: os.Getenv("GITHUB_ACTIONS") == "true", Now: time.Now,
	}
}

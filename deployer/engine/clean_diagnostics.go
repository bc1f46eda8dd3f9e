package engine

import (
	"regexp"
	"strings"
)

var (
	// markup is what the engine and terminals colour text with.
	markup = regexp.MustCompile(`<\{%[^%]*%\}>|\x1b\[[0-9;]*[A-Za-z]`)
	// severityPrefix is what the engine puts in front of its own words.
	severityPrefix = regexp.MustCompile(`^(?:error|warning|info): `)
	// errorListHeader is how Terraform's providers wrap errors: "2 errors occurred:\n\t* one\n\t* two".
	errorListHeader = regexp.MustCompile(`\d+ errors? occurred:\n(?:\s*\n)*\t\* `)
	// errorListItem begins one of the others.
	errorListItem = regexp.MustCompile(`\n\t\* `)
	// providerNoise is what Pulumi's bridge to those providers puts around an error.
	providerNoise = regexp.MustCompile(`^\s*sdk-v2/\S+: sdk\.helper_schema: |: provider=\w+@[\w.+-]+$`)
	// unhandledPrefix is how the engine begins the error that a program ended with.
	unhandledPrefix = regexp.MustCompile(`^(?:an unhandled error occurred: |go inline source runtime error, |an unhandled panic occurred: |program failed: )+`)
	// stackTrace begins a stack trace.
	stackTrace = regexp.MustCompile(`(?m)^(?:Stack Trace:|goroutine \d+ \[.*\]:|panic: |={20,})`)
	// genericMessages messages say that something failed, and not what.
	genericMessages = regexp.MustCompile(`^(?:update|preview|destroy|refresh) (?:failed|canceled)$|resource monitor shut down|^context canceled$`)
)

// cleanDiagnostic turns a diagnostic into plain text: no colours, no wrapping of one error as a list of errors, no stack trace.
func cleanDiagnostic(message string) string {
	message = markup.ReplaceAllString(message, "")
	message = severityPrefix.ReplaceAllString(strings.TrimSpace(message), "")
	if at := stackTrace.FindStringIndex(message); at != nil && at[0] > 0 {
		message = message[:at[0]]
	}
	message = providerNoise.ReplaceAllString(strings.TrimSpace(message), "")
	message = unhandledPrefix.ReplaceAllString(message, "")
	message = errorListHeader.ReplaceAllString(message, "")
	message = errorListItem.ReplaceAllString(message, "\n")
	return strings.TrimSpace(message)
}

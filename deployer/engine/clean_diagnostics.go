package engine

import (
	"regexp"
	"strings"
)

var (
	// markup is the colour codes of the engine and of terminals.
	markup = regexp.MustCompile(`<\{%[^%]*%\}>|\x1b\[[0-9;]*[A-Za-z]`)
	// severityPrefix precedes the engine's own messages.
	severityPrefix = regexp.MustCompile(`^(?:error|warning|info): `)
	// errorListHeader precedes the errors of Terraform's providers: "2 errors occurred:\n\t* one\n\t* two".
	errorListHeader = regexp.MustCompile(`\d+ errors? occurred:\n(?:\s*\n)*\t\* `)
	// errorListItem precedes each further error of such a list.
	errorListItem = regexp.MustCompile(`\n\t\* `)
	// providerNoise is what Pulumi's bridge to those providers adds to an error.
	providerNoise = regexp.MustCompile(`^\s*sdk-v2/\S+: sdk\.helper_schema: |: provider=\w+@[\w.+-]+$`)
	// unhandledPrefix precedes the error that a program returned.
	unhandledPrefix = regexp.MustCompile(`^(?:an unhandled error occurred: |go inline source runtime error, |an unhandled panic occurred: |program failed: )+`)
	// stackTrace is the start of a stack trace.
	stackTrace = regexp.MustCompile(`(?m)^(?:Stack Trace:|goroutine \d+ \[.*\]:|panic: |={20,})`)
	// genericMessages report a failure without its cause.
	genericMessages = regexp.MustCompile(`^(?:update|preview|destroy|refresh) (?:failed|canceled)$|resource monitor shut down|^context canceled$`)
)

// cleanDiagnostic returns a diagnostic as plain text: without colours, without the list around a single error, and without
// stack trace.
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

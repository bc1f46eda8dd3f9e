package engine

import (
	"regexp"
	"strings"
)

var (
	// markup is what the engine and terminals colour text with.
	markup = regexp.MustCompile(`<\{%[^%]*%\}>|\x1b\[[0-9;]*[A-Za-z]`)
	// severity is what the engine puts in front of its own words.
	severity = regexp.MustCompile(`^(?:error|warning|info): `)
	// listed is how Terraform's providers wrap errors: "2 errors occurred:\n\t* one\n\t* two".
	listed = regexp.MustCompile(`\d+ errors? occurred:\n(?:\s*\n)*\t\* `)
	// bullet begins one of the others.
	bullet = regexp.MustCompile(`\n\t\* `)
	// bridged is what Pulumi's bridge to those providers puts around an error.
	bridged = regexp.MustCompile(`^\s*sdk-v2/\S+: sdk\.helper_schema: |: provider=\w+@[\w.+-]+$`)
	// unhandled is how the engine begins the error that a program ended with.
	unhandled = regexp.MustCompile(`^(?:an unhandled error occurred: |go inline source runtime error, |an unhandled panic occurred: |program failed: )+`)
	// trace begins a stack trace.
	trace = regexp.MustCompile(`(?m)^(?:Stack Trace:|goroutine \d+ \[.*\]:|panic: |={20,})`)
	// hollow messages say that something failed, and not what.
	hollow = regexp.MustCompile(`^(?:update|preview|destroy|refresh) (?:failed|canceled)$|resource monitor shut down|^context canceled$`)
)

// clean turns a diagnostic into plain text: no colours, no wrapping of one error as a list of errors, no stack trace.
func clean(message string) string {
	message = markup.ReplaceAllString(message, "")
	message = severity.ReplaceAllString(strings.TrimSpace(message), "")
	if at := trace.FindStringIndex(message); at != nil && at[0] > 0 {
		message = message[:at[0]]
	}
	message = bridged.ReplaceAllString(strings.TrimSpace(message), "")
	message = unhandled.ReplaceAllString(message, "")
	message = listed.ReplaceAllString(message, "")
	message = bullet.ReplaceAllString(message, "\n")
	return strings.TrimSpace(message)
}

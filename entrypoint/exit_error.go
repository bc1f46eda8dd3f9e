package main

import "strings"

// The exit codes for failures before the application is started, as in sysexits and shells.
// Source: https://man7.org/linux/man-pages/man3/sysexits.h.3head.html
const (
	exitUsage         = 64
	exitTemporary     = 75
	exitConfiguration = 78
	exitNotExecutable = 126
	exitNotFound      = 127
)

// exitError is an error with its own exit code.
type exitError struct {
	code int
	error
}

func (f exitError) Unwrap() error { return f.error }

func configurationError(err error) error { return exitError{exitConfiguration, err} }

// errorLines splits an error into lines that cannot break out of their log line.
func errorLines(err error) []string {
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = printable(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// printable makes untrusted text safe to print on one line.
func printable(text string) string {
	const limit = 500
	text = strings.Join(strings.FieldsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7F }), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return strings.TrimSpace(text)
}

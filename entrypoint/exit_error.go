package main

import "strings"

// The exit codes of what fails before the application is started, as sysexits and shells have them.
// Source: https://man7.org/linux/man-pages/man3/sysexits.h.3head.html
const (
	exitUsage         = 64
	exitTemporary     = 75
	exitConfiguration = 78
	exitNotExecutable = 126
	exitNotFound      = 127
)

// exitError is an error that ends the process with a code of its own.
type exitError struct {
	code int
	error
}

func (f exitError) Unwrap() error { return f.error }

func configurationError(err error) error { return exitError{exitConfiguration, err} }

// errorLines are an error's lines. Nothing in them can begin another line of a log by accident.
func errorLines(err error) []string {
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = printable(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// printable makes one line of a text that others wrote.
func printable(text string) string {
	const limit = 500
	text = strings.Join(strings.FieldsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7F }), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return strings.TrimSpace(text)
}

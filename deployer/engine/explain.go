package engine

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

// The engine's messages about why it did not start a run.
var (
	stackLocked       = lazyregexp.New(`the stack is currently locked by|\[409\] Conflict: Another update is currently in progress`)
	lockHolder        = lazyregexp.New(`(?m)^\s+(\S+): created by (.+)@(\S+) \(pid (\d+)\) at (\S+)$`)
	stackNotFound     = lazyregexp.New(`no stack named .* found`)
	passphraseMissing = lazyregexp.New(`passphrase must be set with`)
	passphraseWrong   = lazyregexp.New(`incorrect passphrase`)
	// stateUnusable matches truncated and inconsistent states, and those of another version.
	stateUnusable = lazyregexp.New(`failed to load checkpoint: (?:place \d+: )?(.*)|snapshot integrity failure; refusing to use it: (.*)|(this stack's deployment .*|the stack '.*' is (?:too old|newer than) .*)`)
	// stateOfOtherVersion matches complete states of a version that this engine does not read.
	stateOfOtherVersion = lazyregexp.New(`unsupported checkpoint version|deployment (?:version )?is too|is (?:too old|newer than)`)
	// backendUnreachable matches errors of gocloud.dev's blobs, and of logins.
	backendUnreachable = lazyregexp.New(`blob \(key .*?\) \(code=\w+\): (.*)|(PULUMI_ACCESS_TOKEN must be set.*|could not open bucket.*|unable to open bucket.*|could not list bucket.*|problem logging in.*|unknown cloud URL.*)`)
)

func isError[T error](err error) bool {
	_, is := errors.AsType[T](err)
	return is
}

// explain converts the end of a run to one of this package's errors. The Automation API's helpers need its own error
// unwrapped.
func (h *Handle) explain(ctx context.Context, raw error, c *process, f Failure) error {
	f.Killed = c.code == exitSignaled && !stateTaken(ctx) // the lock of the stack may be another engine's
	if ctx.Err() != nil {
		return &InterruptedError{Failure: f, Cause: context.Cause(ctx), RunningPID: c.runningPID}
	}
	if auto.IsConcurrentUpdateError(raw) || stackLocked.MatchString(c.stderr) {
		return &ConcurrentUpdateError{Stack: h.stack.Name, Holders: parseHolders(c.stderr)}
	}
	switch err := h.startError(c); {
	case err != nil && f.StateWrite == nil:
		return err
	case err != nil: // it has started, and could not write what it did
		f.Resources = append(f.Resources, ResourceError{Message: err.Error()})
	}
	if len(f.Resources) == 0 {
		message := cleanDiagnostic(c.stderr)
		if message == "" {
			message = "the engine ended early: " + c.failure
		}
		f.Resources = []ResourceError{{Message: message}}
	}
	return &FailedError{Failure: f}
}

// startError returns why the engine did not start the run, or nil if it is another reason.
func (h *Handle) startError(c *process) error {
	switch {
	case c.code == cmdutil.ExitStackNotFound || stackNotFound.MatchString(c.stderr):
		return &NoStackError{Stack: h.stack.Name}
	case passphraseMissing.MatchString(c.stderr), passphraseWrong.MatchString(c.stderr):
		return &PassphraseError{Stack: h.stack.Name, Missing: passphraseMissing.MatchString(c.stderr)}
	}
	if reason, found := firstGroup(stateUnusable, c.stderr); found {
		return h.stateError(reason)
	}
	if reason, found := firstGroup(backendUnreachable, c.stderr); found {
		return &BackendError{URL: h.stack.redactedBackendURL(), Reason: reason}
	}
	return nil
}

// firstGroup returns the first group of a pattern that matched.
func firstGroup(pattern *lazyregexp.Regexp, text string) (string, bool) {
	match := pattern.FindStringSubmatch(text)
	if match == nil {
		return "", false
	}
	return sanitize.Text(strings.TrimSpace(withoutGate(strings.Join(match[1:], "")))), true
}

func parseHolders(text string) []Holder {
	var all []Holder
	for _, m := range lockHolder.FindAllStringSubmatch(text, -1) {
		pid, _ := strconv.Atoi(m[4])
		since, _ := time.Parse(time.RFC3339, m[5])
		lock, _, _ := strings.Cut(m[1], "?")
		all = append(all, Holder{Lock: lock, User: m[2], Host: m[3], PID: pid, Since: since})
	}
	return all
}

// redactedBackendURL returns the backend's URL without a password, or "" if it is not known.
func (s Stack) redactedBackendURL() string {
	if u, err := url.Parse(s.backendURL()); err == nil {
		return u.Redacted()
	}
	return ""
}

var (
	// markup is the colour codes of the engine and of terminals.
	markup = lazyregexp.New(`<\{%[^%]*%\}>|\x1b\[[0-9;]*[A-Za-z]`)
	// sdkLog matches the lines of the SDK's logger, which the engine and its providers write among their own.
	sdkLog = lazyregexp.New(`(?m)^SDK \d{4}/\d\d/\d\d \d\d:\d\d:\d\d (?:DEBUG|WARN) .*(?:\n|$)`)
	// severityPrefix precedes the engine's own messages.
	severityPrefix = lazyregexp.New(`^(?:error|warning|info): `)
	// errorListHeader precedes the errors of Terraform's providers: "2 errors occurred:\n\t* one\n\t* two".
	errorListHeader = lazyregexp.New(`\d+ errors? occurred:\n(?:\s*\n)*\t\* `)
	// errorListItem precedes each further error of such a list.
	errorListItem = lazyregexp.New(`\n\t\* `)
	// providerNoise is what Pulumi's bridge to those providers adds to an error.
	providerNoise = lazyregexp.New(`^\s*sdk-v2/\S+: sdk\.helper_schema: |: provider=\w+@[\w.+-]+$`)
	// stepPrefix precedes the error of a provider where it is repeated, with the step that it ended.
	stepPrefix = lazyregexp.New(`(?m)^[a-z]+ing urn:pulumi:\S+: `)
	// unhandledPrefix precedes the error that a program returned.
	unhandledPrefix = lazyregexp.New(`^(?:an unhandled error occurred: |go inline source runtime error, |an unhandled panic occurred: |program failed: )+`)
	// stackTrace is the start of a stack trace.
	stackTrace = lazyregexp.New(`(?m)^(?:Stack Trace:|goroutine \d+ \[.*\]:|panic: |={20,})`)
	// genericMessages report a failure without its cause.
	genericMessages = lazyregexp.New(`^(?:update|preview|destroy|refresh) (?:failed|canceled)$|resource monitor shut down|^context canceled$`)
)

// gateAddress matches the address of a GatedURL, as it is and escaped: it has a secret.
var gateAddress = lazyregexp.New(`(?i)http(?:://|%3A%2F%2F)127\.0\.0\.1(?::|%3A)\d+(?:/|%2F)[A-Z2-7]{26}`)

// withoutGate replaces the address of a GatedURL.
func withoutGate(text string) string {
	return gateAddress.ReplaceAllLiteralString(text, "the lock's keeper")
}

// cleanDiagnostic returns a diagnostic as plain and harmless text: without colours, without the list around a single error, and without
// stack trace.
func cleanDiagnostic(message string) string {
	message = withoutGate(message)
	message = sdkLog.ReplaceAllString(markup.ReplaceAllString(message, ""), "")
	message = severityPrefix.ReplaceAllString(strings.TrimSpace(message), "")
	if at := stackTrace.FindStringIndex(message); at != nil && at[0] > 0 {
		message = message[:at[0]]
	}
	message = providerNoise.ReplaceAllString(strings.TrimSpace(message), "")
	message = unhandledPrefix.ReplaceAllString(message, "")
	message = errorListHeader.ReplaceAllString(message, "")
	message = stepPrefix.ReplaceAllString(errorListItem.ReplaceAllString(message, "\n"), "")
	lines := strings.Split(strings.TrimSpace(message), "\n")
	return sanitize.Text(strings.Join(slices.Compact(lines), "\n"))
}

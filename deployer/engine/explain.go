package engine

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"
)

// What the engine writes where it cannot even begin.
var (
	conflict = regexp.MustCompile(`the stack is currently locked by|\[409\] Conflict: Another update is currently in progress`)
	holder   = regexp.MustCompile(`(?m)^\s+(\S+): created by (.+)@(\S+) \(pid (\d+)\) at (\S+)$`)
	noStack  = regexp.MustCompile(`no stack named .* found`)
	noPhrase = regexp.MustCompile(`passphrase must be set with`)
	notThis  = regexp.MustCompile(`incorrect passphrase`)
	// damaged states: cut ones, inconsistent ones, and those of another version.
	damage = regexp.MustCompile(`failed to load checkpoint: (?:place \d+: )?(.*)|snapshot integrity failure; refusing to use it: (.*)|(this stack's deployment .*|the stack '.*' is (?:too old|newer than) .*)`)
	// foreign states are whole, but of a version that this engine does not read.
	foreign = regexp.MustCompile(`unsupported checkpoint version|deployment (?:version )?is too|is (?:too old|newer than)`)
	// unreachable backends: the form of gocloud.dev's blobs, and logins.
	unreachable = regexp.MustCompile(`blob \(key .*?\) \(code=\w+\): (.*)|(PULUMI_ACCESS_TOKEN must be set.*|could not open bucket.*|unable to open bucket.*|could not list bucket.*|problem logging in.*|unknown cloud URL.*)`)
)

// is reports whether err is or wraps a T.
func is[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// explain turns the end of a run into one of this package's errors. The Automation API's own error must come as it
// is, as its helpers know no wrapped one.
func (h *Handle) explain(ctx context.Context, raw error, c *child, f Failure) error {
	f.Killed = c.code == signaled
	if ctx.Err() != nil {
		return &InterruptedError{Failure: f, Cause: context.Cause(ctx), Left: c.left}
	}
	if auto.IsConcurrentUpdateError(raw) || conflict.MatchString(c.stderr) {
		return &ConcurrentUpdateError{Stack: h.stack.Name, Holders: holders(c.stderr)}
	}
	switch err := h.refused(c); {
	case err != nil && f.Cut == nil:
		return err
	case err != nil: // it has begun, and could not write what it did
		f.Resources = append(f.Resources, ResourceError{Message: err.Error()})
	}
	if len(f.Resources) == 0 {
		message := clean(c.stderr)
		if message == "" {
			message = "the engine ended early: " + c.end
		}
		f.Resources = []ResourceError{{Message: message}}
	}
	return &FailedError{Failure: f}
}

// refused recognises the reasons for which the engine does not begin; nil where it is another one.
func (h *Handle) refused(c *child) error {
	switch {
	case c.code == cmdutil.ExitStackNotFound || noStack.MatchString(c.stderr):
		return &NoStackError{Stack: h.stack.Name}
	case noPhrase.MatchString(c.stderr), notThis.MatchString(c.stderr):
		return &PassphraseError{Stack: h.stack.Name, Missing: noPhrase.MatchString(c.stderr)}
	}
	if reason, damaged := first(damage, c.stderr); damaged {
		return h.damaged(reason)
	}
	if reason, apart := first(unreachable, c.stderr); apart {
		return &BackendError{URL: h.stack.backend(), Reason: reason}
	}
	return nil
}

// first returns the first group of a pattern that matched.
func first(pattern *regexp.Regexp, text string) (string, bool) {
	match := pattern.FindStringSubmatch(text)
	if match == nil {
		return "", false
	}
	return strings.TrimSpace(strings.Join(match[1:], "")), true
}

func holders(text string) []Holder {
	var all []Holder
	for _, m := range holder.FindAllStringSubmatch(text, -1) {
		pid, _ := strconv.Atoi(m[4])
		since, _ := time.Parse(time.RFC3339, m[5])
		lock, _, _ := strings.Cut(m[1], "?")
		all = append(all, Holder{Lock: lock, User: m[2], Host: m[3], PID: pid, Since: since})
	}
	return all
}

// backend is the backend's URL as far as it is known, without a password.
func (s Stack) backend() string {
	if u, err := url.Parse(s.backendURL()); err == nil {
		return u.Redacted()
	}
	return ""
}

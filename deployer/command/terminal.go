package command

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// A terminal is how a command talks to the person or the program that runs it.
type terminal struct {
	streams
	yes, quiet, verbose, debug, noColor bool
	// warnings counts them, for --strict.
	warnings atomic.Int64
	// writeErr is the first error of printf.
	writeErr error
}

func newTerminal(f globalFlags, s streams) *terminal {
	return &terminal{streams: s, yes: f.yes, quiet: f.quiet, verbose: f.verbose, debug: f.debug, noColor: f.noColor}
}

// printf writes to the result, and adds the flags in force to the commands in it.
func (t *terminal) printf(format string, args ...any) {
	printed := t.flags.addTo(fmt.Sprintf(format, args...))
	if !symbols(t.out) {
		printed = text.ASCII(printed)
	}
	t.print(printed)
}

// print writes to the result. Its error becomes the command's, unless the reader of a pipe is gone.
func (t *terminal) print(result string) {
	if _, err := io.WriteString(t.out, result); err != nil && !errors.Is(err, syscall.EPIPE) && t.writeErr == nil {
		t.writeErr = fmt.Errorf("write the result: %w", err)
	}
}

// withWriteError returns a command's error, joined with that of printf.
func (t *terminal) withWriteError(err error) error {
	if t.writeErr == nil {
		return err
	}
	return errors.Join(err, partialFailure{t.writeErr})
}

// warn reports an error that changes nothing of the command's result; nil is none.
func (t *terminal) warn(err error) {
	if err != nil {
		_, _ = fmt.Fprintln(t.err, wrapMessage(t.err, "deployer: warning: "+sanitize.Text(strings.TrimRight(err.Error(), "\n"))))
		t.warnings.Add(1)
	}
}

// log writes a line beside the progress; a warning even with --quiet.
func (t *terminal) log(message string) {
	warning := strings.HasPrefix(message, "warning:")
	if !t.quiet || warning {
		_, _ = fmt.Fprintln(t.err, wrapMessage(t.err, "deployer: "+message))
	}
	if warning {
		t.warnings.Add(1)
	}
}

// progress starts the display of a command's progress on standard error.
func (t *terminal) progress() *ui.Progress { return ui.NewProgress(t.err, t.progressOptions()) }

func (t *terminal) progressOptions() ui.ProgressOptions {
	return ui.ProgressOptions{
		Style: styleOf(t.err, t.noColor), Live: isTerminal(t.err) && os.Getenv("TERM") != "dumb" && !t.debug,
		Quiet: t.quiet, Verbose: t.verbose || t.debug, Actions: os.Getenv("GITHUB_ACTIONS") == "true", Now: time.Now,
		Columns: func() int { return t.errStyle().Width },
	}
}

// style returns how results are shown on standard output, errStyle on standard error.
func (t *terminal) style() ui.Style    { return styleOf(t.out, t.noColor) }
func (t *terminal) errStyle() ui.Style { return styleOf(t.err, t.noColor) }

func styleOf(stream any, noColor bool) ui.Style {
	file, ok := raw(stream).(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return ui.Style{ASCII: !unicode(os.Getenv)}
	}
	width, height, err := term.GetSize(int(file.Fd()))
	if err != nil || width == 0 {
		width, height = 80, 0
	}
	kind := os.Getenv("TERM")
	return ui.Style{
		Color: !noColor && kind != "dumb", Width: width, Height: max(0, height-1), // the prompt follows
		ASCII: !unicode(os.Getenv) || kind == "dumb" || kind == "linux",
	}
}

// wrapMessage breaks a message between words where a stream is a terminal that is narrower. Commands stay whole, so that they can be copied;
// they get the flags in force first, which make them longer.
func wrapMessage(stream io.Writer, message string) string {
	width := styleOf(stream, true).Width
	if width == 0 {
		return message
	}
	if w, ok := stream.(flaggedWriter); ok {
		message = w.flags.addTo(message)
	}
	return wrapWords(message, width)
}

// unbrokenSpace stands for a space at which no line is broken. It is a character of the private use area, which no message has.
const unbrokenSpace = "\ue000"

// unbroken matches what stays on one line: what is in backticks, and a line that is a command.
var unbroken = lazyregexp.New("(?m)`[^`\n]*`|^[ \t]*deployer [a-z][^\n]*$")

func wrapWords(message string, width int) string {
	kept := unbroken.ReplaceAllStringFunc(message, func(command string) string { return strings.ReplaceAll(command, " ", unbrokenSpace) })
	return strings.ReplaceAll(text.Wrap(kept, width, ""), unbrokenSpace, " ")
}

// symbols reports whether a stream can show characters beyond ASCII.
func symbols(stream any) bool { return !styleOf(stream, false).ASCII }

// An asciiWriter replaces the deployer's symbols in what it writes, which is text.
type asciiWriter struct{ io.Writer }

func (w asciiWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.Writer, text.ASCII(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Unwrap returns the stream below, such as a terminal.
func (w asciiWriter) Unwrap() io.Writer { return w.Writer }

// unicode reports whether the user's locale has characters beyond ASCII. No locale at all does not exclude them.
func unicode(variable func(string) string) bool {
	locale := strings.ToLower(cmp.Or(variable("LC_ALL"), variable("LC_CTYPE"), variable("LANG")))
	return locale == "" || strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
}

func isTerminal(stream any) bool {
	file, ok := raw(stream).(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// withOutputFile runs a command and writes its result to a file; to standard output where path is "".
func (t *terminal) withOutputFile(path string, run func() error) error {
	if path == "" {
		return run()
	}
	if err := checkOutput(path); err != nil {
		return err
	}
	var result bytes.Buffer
	out := t.out
	t.out = &result
	err := run()
	if result.Len() == 0 {
		return err
	}
	if writeErr := writeFileAtomic(path, result.Bytes()); writeErr != nil {
		_, _ = out.Write(result.Bytes()) // the command has run, and its result is not lost
		return errors.Join(err, partialFailure{fmt.Errorf("write the result: %w", writeErr)})
	}
	return err
}

// asks reports whether confirm asks.
func (t *terminal) asks() bool { return !t.yes && isTerminal(t.in) }

// confirm asks a person to type the name of what is about to change, for a reason. Without a terminal, --yes is needed.
func (t *terminal) confirm(ctx context.Context, action, name, reason string) error {
	if t.yes {
		return nil
	}
	if !isTerminal(t.in) {
		return hint.With(fmt.Errorf("%s, and there is no terminal to ask at", reason), "add --yes if you mean it")
	}
	question := fmt.Sprintf("You are about to %s %s; %s. Type its name to continue:", action, name, reason)
	_, _ = fmt.Fprint(t.err, wrapMessage(t.err, question)+" ")
	defer t.setChanging(t.setChanging(false)) // nothing is under way while a person thinks
	answer, err := readWithContext(ctx, func() (string, error) { return bufio.NewReader(t.in).ReadString('\n') })
	if ctx.Err() != nil {
		_, _ = fmt.Fprintln(t.err)
		return fmt.Errorf("%w at the question: nothing was changed", context.Cause(ctx))
	}
	if err != nil && answer == "" {
		return fmt.Errorf("read the answer: %w", err)
	}
	if strings.TrimSpace(answer) != name {
		return errors.New("the name was not given, nothing was changed")
	}
	return nil
}

// readPassword prompts for a line at the terminal and reads it without echo, which is restored in any case.
func (t *terminal) readPassword(ctx context.Context, prompt string) (string, error) {
	file, ok := t.in.(*os.File)
	if !ok {
		return "", errors.New("there is no terminal to ask at")
	}
	fd := int(file.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	_, _ = fmt.Fprintf(t.err, "%s: ", prompt)
	defer t.setChanging(t.setChanging(false))
	line, err := readWithContext(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	_, _ = fmt.Fprintln(t.err)
	if ctx.Err() != nil {
		return "", errors.Join(fmt.Errorf("%w: nothing was changed", context.Cause(ctx)), term.Restore(fd, before))
	}
	return string(line), err
}

// readWithContext waits for what a person types, and no longer than ctx. A read cannot be cancelled: it is abandoned.
func readWithContext[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	given := make(chan answer, 1)
	go func() {
		value, err := read()
		given <- answer{value, err}
	}()
	select {
	case a := <-given:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

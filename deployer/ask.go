package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/balancer/v3-backend-infra/deployer/hint"
)

func terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// confirm asks a person to type the name of what is about to change, because of a reason. Without a terminal nobody can
// be asked, and --yes is needed.
func (s settings) confirm(ctx context.Context, doing, name, reason string) error {
	if s.yes {
		return nil
	}
	if !isTerminal(s.in) {
		return hint.With(fmt.Errorf("%s, and there is no terminal to ask at", reason), "add --yes if you mean it")
	}
	_, _ = fmt.Fprintf(s.err, "You are about to %s %s; %s. Type its name to go on: ", doing, name, reason)
	answer, err := answered(ctx, func() (string, error) { return bufio.NewReader(s.in).ReadString('\n') })
	if err != nil && answer == "" {
		return fmt.Errorf("read the answer: %w", err)
	}
	if strings.TrimSpace(answer) != name {
		return errors.New("the name was not given, nothing was changed")
	}
	return nil
}

// answered waits for what a person types, and no longer than ctx. A read cannot be called back: it is left behind.
func answered[T any](ctx context.Context, read func() (T, error)) (T, error) {
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

// hidden reads a line at a terminal without echo. The echo is back in any case.
func hidden(ctx context.Context, file *os.File) (string, error) {
	fd := int(file.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	line, err := answered(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
	if ctx.Err() != nil {
		return "", errors.Join(context.Cause(ctx), term.Restore(fd, before))
	}
	return string(line), err
}

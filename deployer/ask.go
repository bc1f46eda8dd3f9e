package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

func terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// confirm asks a person to type the name of what is about to change. Without a terminal nobody can be asked, and --yes
// is needed.
func (s settings) confirm(doing, name string, needed bool) error {
	if !needed || s.yes {
		return nil
	}
	if !isTerminal(s.in) {
		return hinted{fmt.Errorf("%s is protected, and there is no terminal to ask at", name), "add --yes if you mean it"}
	}
	_, _ = fmt.Fprintf(s.err, "You are about to %s %s. Type its name to go on: ", doing, name)
	answer, err := bufio.NewReader(s.in).ReadString('\n')
	if err != nil && answer == "" {
		return fmt.Errorf("read the answer: %w", err)
	}
	if strings.TrimSpace(answer) != name {
		return errors.New("the name was not given, nothing was changed")
	}
	return nil
}

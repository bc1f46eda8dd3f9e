// Package hint keeps what to do about an error apart from what happened, so that each is printed separately.
package hint

import "errors"

// advised is an error with advice.
type advised struct {
	error
	advice string
}

// With gives an error advice: what to do about it.
func With(err error, advice string) error { return &advised{err, advice} }

// Of returns the hint that an error carries, of several the outermost; empty where there is none.
func Of(err error) string {
	var known interface{ Hint() string }
	if errors.As(err, &known) {
		return known.Hint()
	}
	return ""
}

// Hint returns what to do.
func (a *advised) Hint() string { return a.advice }

// Unwrap gives the fact.
func (a *advised) Unwrap() error { return a.error }

// Package lazyregexp compiles patterns of package variables at their first use: a command needs few of the program's hundred
// patterns, and would compile all of them before it starts.
package lazyregexp

import (
	"regexp"
	"sync"
)

// A Regexp is a pattern that is compiled when one of its methods is first called.
type Regexp struct {
	compiled func() *regexp.Regexp
}

// New returns the pattern. The first use panics if it cannot be parsed.
func New(pattern string) *Regexp {
	return &Regexp{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })}
}

// The methods do what those of regexp.Regexp do.

// MatchString reports whether the pattern matches anywhere in s.
func (r *Regexp) MatchString(s string) bool { return r.compiled().MatchString(s) }

// FindString returns the first match, or "".
func (r *Regexp) FindString(s string) string { return r.compiled().FindString(s) }

// FindStringIndex returns where the first match begins and ends, or nil.
func (r *Regexp) FindStringIndex(s string) []int { return r.compiled().FindStringIndex(s) }

// FindStringSubmatch returns the first match and its groups, or nil.
func (r *Regexp) FindStringSubmatch(s string) []string { return r.compiled().FindStringSubmatch(s) }

// FindStringSubmatchIndex returns where the first match and its groups begin and end, or nil.
func (r *Regexp) FindStringSubmatchIndex(s string) []int {
	return r.compiled().FindStringSubmatchIndex(s)
}

// FindAllString returns at most n matches, all if n is negative.
func (r *Regexp) FindAllString(s string, n int) []string { return r.compiled().FindAllString(s, n) }

// FindAllStringSubmatch returns at most n matches and their groups, all if n is negative.
func (r *Regexp) FindAllStringSubmatch(s string, n int) [][]string {
	return r.compiled().FindAllStringSubmatch(s, n)
}

// ReplaceAllString returns s with its matches replaced; $1 and ${name} in the replacement are groups.
func (r *Regexp) ReplaceAllString(s, replacement string) string {
	return r.compiled().ReplaceAllString(s, replacement)
}

// ReplaceAllLiteralString returns s with its matches replaced.
func (r *Regexp) ReplaceAllLiteralString(s, replacement string) string {
	return r.compiled().ReplaceAllLiteralString(s, replacement)
}

// ReplaceAllStringFunc returns s with each match replaced by what f returns for it.
func (r *Regexp) ReplaceAllStringFunc(s string, f func(string) string) string {
	return r.compiled().ReplaceAllStringFunc(s, f)
}

// ExpandString appends the template with the groups of a match to dst.
func (r *Regexp) ExpandString(dst []byte, template, s string, match []int) []byte {
	return r.compiled().ExpandString(dst, template, s, match)
}

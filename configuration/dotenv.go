package configuration

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// ParseDotenv reads a .env file: a line KEY=value for each variable, with or without `export` before it and space around
// the =. Blank lines, and those that begin with #, are ignored. A value ends at the end of its line, without the space
// around it, or at a # after space. In quotes of one of three kinds it ends at the next such quote and can have several
// lines: '…' and `…` are literal, "…" supports the escapes \n, \r, \t, \\, \", \$ and \`. Nothing is expanded: $ is a
// character like others. ${ is an error, because other readers of .env files expand it. So are a # right after the =,
// which some readers take for a value and some for a comment, and what looks like the rest of a value that was broken
// over several lines.
//
// The file is UTF-8, with or without a byte order mark; lines end with or without a carriage return.
func ParseDotenv(source string, content []byte) (*Settings, error) {
	text := strings.TrimPrefix(string(content), byteOrderMark)
	text = strings.ReplaceAll(text, "\r\n", "\n")
	r := newReader(source, text)
	if encoding, wrong := notUTF8(content); wrong {
		r.addProblem(0, "", encoding, "save it as UTF-8")
		return r.result()
	}
	// Problems of a .env file have a line even if there is only one.
	r.singleLine = false
	d := &dotenvReader{reader: r, lines: strings.Split(text, "\n"), seen: map[string]int{}}
	for d.next < len(d.lines) {
		d.readStatement()
	}
	return r.result()
}

// dotenvReader reads line by line.
type dotenvReader struct {
	*reader
	lines []string
	// next is the index of the next line.
	next int
	seen map[string]int
	// above is what the next line can continue by mistake: the end of the last statement's value, as far as it can be Base64. The
	// statement begins in aboveLine.
	above     string
	aboveLine int
	// open reports that the last statement is a value without quotes that ends where its line ends, and has nothing: A=
	open bool
	// certain reports that the next line continues the value whenever it can: the last one is a fault, or begins a key or certificate.
	certain bool
}

// readStatement reads one line, and the following ones if its value spans several.
func (d *dotenvReader) readStatement() {
	line := d.next + 1
	text := strings.TrimLeftFunc(d.lines[d.next], unicode.IsSpace)
	d.next++
	if text == "" || text[0] == '#' {
		return
	}
	if rest, found := strings.CutPrefix(text, "export"); found && strings.TrimLeftFunc(rest, unicode.IsSpace) != rest {
		text = strings.TrimLeftFunc(rest, unicode.IsSpace)
	}
	name, value, found := strings.Cut(text, "=")
	if !found {
		d.addProblem(line, "", "there is no = in this line", "write KEY=value, or # before a comment")
		d.follow(line, text, base64End.FindString(text) == text)
		return
	}
	if d.isContinuation(name, value) {
		message := "looks like a piece of a value"
		if d.aboveLine > 0 {
			message = fmt.Sprintf("looks like a piece of the value in line %d", d.aboveLine)
		}
		d.follow(cmp.Or(d.aboveLine, line), name, true)
		d.addProblem(line, "", message,
			`put a value of several lines in quotes; write "" for an empty value, and "=" for the value =`)
		return
	}
	ambiguous := strings.HasPrefix(value, "#")
	name, value = strings.TrimRightFunc(name, unicode.IsSpace), strings.TrimLeftFunc(value, unicode.IsSpace)
	if !d.checkName(line, name, d.seen) {
		name = ""
	}
	switch {
	case ambiguous:
		d.addProblem(line, name, "begins with #, as a comment does", "put the value in quotes, or space before a comment")
		d.follow(line, "", false)
	case value != "" && strings.ContainsRune("'\"`", rune(value[0])):
		d.quoted(line, name, value[0], value[1:])
	default:
		d.unquoted(line, name, value)
	}
}

// follow records the end of a statement, which the next line may continue, and the line where the value begins.
func (d *dotenvReader) follow(line int, value string, certain bool) {
	value = strings.TrimRight(strings.TrimSpace(value), `\`)
	d.above, d.aboveLine, d.open = base64End.FindString(value), line, false
	d.certain = certain && d.above != "" || strings.HasPrefix(value, "-----BEGIN ")
}

// base64End matches the end of a value, as far as it can be Base64, of either alphabet: base64:aHVudGVy.
var base64End = lazyregexp.New(`[A-Za-z0-9+/_-]+$`)

// isContinuation reports whether an assignment is more likely the end of a Base64 value that was broken over several
// lines: nothing but = follows the first =, or nothing at all, and the statement above can have its beginning: together both have
// whole groups of four characters. Such a text must not become a name, since names are printed. It must have small letters, and others
// or digits, as names rarely have: below a long value of random characters, either; below a short one or none, letters of both cases.
func (d *dotenvReader) isContinuation(name, value string) bool {
	if i := commentStart(value); i > 0 {
		value = value[:i]
	}
	value, name = strings.TrimSpace(value), strings.TrimSpace(name)
	if value != "" {
		return value == "="
	}
	if base64End.FindString(name) != name || name == "" {
		return false
	}
	small, capital := hasSmall(name), hasCapital(name)
	if d.certain {
		return small || hasDigit(name)
	}
	whole := (len(d.above)+len(name)+1)%4 == 0
	const long = 16
	switch {
	case d.open:
		return whole && small && capital
	case len(d.above) < long:
		return whole && small && capital && hasCapital(d.above)
	}
	return whole && small && (capital || hasDigit(name)) && hasSmall(d.above) && hasCapital(d.above) && hasDigit(d.above)
}

func hasSmall(text string) bool   { return strings.ToUpper(text) != text }
func hasCapital(text string) bool { return strings.ToLower(text) != text }
func hasDigit(text string) bool   { return strings.ContainsAny(text, "0123456789") }

// unquoted adds a variable whose value has no quotes. With an empty name it only checks the value.
func (d *dotenvReader) unquoted(line int, name, value string) {
	if i := commentStart(value); i >= 0 {
		value = value[:i]
	}
	value = strings.TrimRightFunc(value, unicode.IsSpace)
	d.follow(line, value, false)
	d.open = value == ""
	switch {
	case strings.ContainsFunc(value, func(c rune) bool { return unicode.IsControl(c) && c != '\t' }):
		d.addProblem(line, name, "contains a control character", `put it in double quotes, with \n, \r or \t for it`)
	case strings.Contains(value, "${"):
		d.addProblem(line, name, referenceMessage, referenceRemedy)
	case name != "":
		d.set(line, name, value)
	}
}

const (
	referenceMessage = "refers to another variable, and nothing is expanded here"
	referenceRemedy  = "write the value itself, or put it in single quotes if ${ is part of it"
)

// commentStart returns the index of the # that begins a comment, as the first character or after space, or -1.
func commentStart(text string) int {
	for i, c := range text {
		if c == '#' && (i == 0 || strings.ContainsRune(" \t", rune(text[i-1]))) {
			return i
		}
	}
	return -1
}

// quoted adds a variable whose value begins with a quote; rest is what follows the quote in its line.
func (d *dotenvReader) quoted(line int, name string, quote byte, rest string) {
	from, first := d.next, rest
	var value strings.Builder
	end := closingQuote(rest, quote)
	for ; end < 0; end = closingQuote(rest, quote) {
		if d.next == len(d.lines) {
			// The following lines are read by themselves, so that their problems are reported, too.
			d.next = from
			d.follow(line, first, true)
			d.addProblem(line, name, "begins with a quote that is never closed", "close it, or use quotes of another kind")
			return
		}
		value.WriteString(rest + "\n")
		rest = d.lines[d.next]
		d.next++
	}
	value.WriteString(rest[:end])
	d.follow(line, "", false)
	if after := strings.TrimSpace(rest[end+1:]); after != "" && after[0] != '#' {
		d.addProblem(line, name, "has text after the closing quote", `write \" for a quote in double quotes, or use quotes of another kind`)
		return
	}
	text, hasReference := value.String(), false
	if quote == '"' {
		text, hasReference = unescape(text)
	}
	d.follow(line, text, false)
	switch {
	case hasReference:
		d.addProblem(line, name, referenceMessage, referenceRemedy)
	case name != "":
		d.set(line, name, text)
	}
}

// closingQuote returns the index of the quote that ends a value, or -1. Double quotes can be escaped.
func closingQuote(text string, quote byte) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == quote:
			return i
		case quote == '"' && text[i] == '\\':
			i++
		}
	}
	return -1
}

// escapes maps the character after a backslash to what it stands for.
var escapes = map[byte]string{'n': "\n", 'r': "\r", 't': "\t", '\\': `\`, '"': `"`, '$': "$", '`': "`"}

// unescape replaces the escapes in double quotes. It keeps a backslash before any other character. hasReference reports
// a reference to another variable.
func unescape(text string) (plain string, hasReference bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			if replacement, ok := escapes[text[i+1]]; ok {
				b.WriteString(replacement)
				i++
				continue
			}
		}
		hasReference = hasReference || strings.HasPrefix(text[i:], "${")
		b.WriteByte(text[i])
	}
	return b.String(), hasReference
}

package logs

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	colours "github.com/jedib0t/go-pretty/v6/text"

	"github.com/balancer/v3-backend-infra/internal/sanitize"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// The formats of lines.
const (
	Text = "text"
	JSON = "json"
	Raw  = "raw"
)

// Printer writes lines in a format.
type Printer struct {
	Out    io.Writer
	Format string
	// Colour allows colours.
	Colour bool
	// Width is that of the widest source that is expected, so that messages are aligned.
	Width int
}

// Print writes one line. As text, a line that is a JSON object is written as level, message and the other fields as k=v, any other
// as it is.
func (p Printer) Print(e Event) error {
	var line string
	switch p.Format {
	case JSON:
		return p.json(e)
	case Raw:
		line = sanitize.Text(strings.TrimRight(e.Message, "\r\n"))
	default:
		line = p.text(e)
	}
	_, err := io.WriteString(p.Out, line+"\n")
	return err
}

// json writes the event as an object on one line; its data is the message if that is a JSON object.
func (p Printer) json(e Event) error {
	whole := struct {
		Event
		Data json.RawMessage `json:"data,omitempty"`
	}{Event: e}
	if _, ok := parseObject(e.Message); ok {
		whole.Data = json.RawMessage(e.Message)
	}
	line, err := json.Marshal(whole)
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.Out, escapeJSON(line)+"\n")
	return err
}

// escapeJSON escapes the characters that a terminal acts on. In JSON they occur only inside strings.
func escapeJSON(line []byte) string {
	var b strings.Builder
	for _, r := range string(line) {
		if text.IsControl(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// timeLayout has milliseconds, and is in UTC as in CloudWatch's console.
const timeLayout = "2006-01-02T15:04:05.000Z"

func (p Printer) text(e Event) string {
	source := sanitize.Text(e.source())
	head := p.colourise(e.Time.UTC().Format(timeLayout), colours.Faint) + " " + p.colourise(fmt.Sprintf("%-*s", p.Width, source), serviceColour(e.Service)) + " "
	s, ok := parseEntry(e.Message, e.Time)
	if !ok {
		return head + indentLines(e.Message)
	}
	var words, blocks []string
	if s.level != "" {
		words = append(words, p.colourise(fmt.Sprintf("%-5s", sanitize.Text(s.level)), levelColours[s.level]))
	}
	if s.message != "" {
		words = append(words, indentLines(s.message))
	}
	for _, f := range s.fields {
		name := p.colourise(sanitize.Text(f.name)+"=", colours.Faint)
		if long, ok := f.multiline(); ok {
			blocks = append(blocks, "\n"+indent+name+"\n"+indent+indentLines(long))
			continue
		}
		words = append(words, name+indentLines(f.text()))
	}
	return head + strings.Join(words, " ") + strings.Join(blocks, "")
}

const indent = "    "

// indentLines sanitizes a message, which was decoded from JSON, and indents its lines but the first.
func indentLines(message string) string {
	return strings.ReplaceAll(sanitize.Text(strings.TrimRight(message, "\r\n")), "\n", "\n"+indent)
}

func (p Printer) colourise(word string, colour colours.Color) string {
	if !p.Colour || colour == colours.Reset {
		return word
	}
	return colour.EscapeSeq() + word + colours.Reset.EscapeSeq()
}

var serviceColours = map[string]colours.Color{
	"api": colours.FgCyan, "worker": colours.FgMagenta, "scheduler": colours.FgBlue, "migration": colours.FgGreen,
}

func serviceColour(service string) colours.Color {
	if colour, known := serviceColours[service]; known {
		return colour
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(service))
	return []colours.Color{colours.FgHiCyan, colours.FgHiMagenta, colours.FgHiBlue, colours.FgHiGreen}[sum.Sum32()%4]
}

// levelColours are those of levels; others have none, which is colours.Reset.
var levelColours = map[string]colours.Color{
	"ERROR": colours.FgRed, "FATAL": colours.FgRed, "CRITICAL": colours.FgRed,
	"WARN": colours.FgYellow, "WARNING": colours.FgYellow, "DEBUG": colours.Faint, "TRACE": colours.Faint,
}

package logs

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// The forms in which lines are shown.
const (
	Text = "text"
	JSON = "json"
	Raw  = "raw"
)

// Printer writes lines in a form.
type Printer struct {
	Out    io.Writer
	Format string
	// Colour allows colours, Terminal says that Out is one: then raw lines are made harmless too.
	Colour, Terminal bool
	// Width is that of the widest source that is expected, so that messages begin in one column.
	Width int
}

// Print writes one line. In text, a line that is a JSON object is shown as level, message and the other fields as k=v;
// any other as it is.
func (p Printer) Print(e Event) error {
	var line string
	switch p.Format {
	case JSON:
		return p.json(e)
	case Raw:
		line = strings.TrimRight(e.Message, "\r\n")
		if p.Terminal {
			line = printable(line)
		}
	default:
		line = p.text(e)
	}
	_, err := io.WriteString(p.Out, line+"\n")
	return err
}

// json is the whole event; data is its message where that is JSON itself.
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
	_, err = p.Out.Write(append(escapeJSON(line), '\n'))
	return err
}

// timeLayout is a time with milliseconds, in UTC as CloudWatch shows it.
const timeLayout = "2006-01-02T15:04:05.000Z"

func (p Printer) text(e Event) string {
	source := printable(e.source())
	head := p.colourise(e.Time.UTC().Format(timeLayout), text.Faint) + " " + p.colourise(fmt.Sprintf("%-*s", p.Width, source), serviceColour(e.Service)) + " "
	s, ok := parseEntry(e.Message, e.Time)
	if !ok {
		return head + indentLines(e.Message)
	}
	var words, blocks []string
	if s.level != "" {
		words = append(words, p.colourise(fmt.Sprintf("%-5s", printable(s.level)), levelColour(s.level)))
	}
	if s.message != "" {
		words = append(words, indentLines(s.message))
	}
	for _, f := range s.fields {
		name := p.colourise(printable(f.name)+"=", text.Faint)
		if long, ok := f.multiline(); ok {
			blocks = append(blocks, "\n"+indent+name+"\n"+indent+indentLines(long))
			continue
		}
		words = append(words, name+indentLines(f.text()))
	}
	return head + strings.Join(words, " ") + strings.Join(blocks, "")
}

const indent = "    "

// indentLines is text that is harmless to a terminal, its further lines under the first.
func indentLines(message string) string {
	message = strings.ReplaceAll(strings.TrimRight(message, "\r\n"), "\r\n", "\n")
	return strings.ReplaceAll(printable(message), "\n", "\n"+indent)
}

func (p Printer) colourise(word string, colour text.Color) string {
	if !p.Colour || colour == text.Reset {
		return word
	}
	return colour.EscapeSeq() + word + text.Reset.EscapeSeq()
}

// serviceColour is a service's own colour, the same each time.
func serviceColour(service string) text.Color {
	switch service {
	case "api":
		return text.FgCyan
	case "worker":
		return text.FgMagenta
	case "scheduler":
		return text.FgBlue
	case "migration":
		return text.FgGreen
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(service))
	return []text.Color{text.FgHiCyan, text.FgHiMagenta, text.FgHiBlue, text.FgHiGreen}[sum.Sum32()%4]
}

func levelColour(level string) text.Color {
	switch level {
	case "ERROR", "FATAL", "CRITICAL":
		return text.FgRed
	case "WARN", "WARNING":
		return text.FgYellow
	case "DEBUG", "TRACE":
		return text.Faint
	}
	return text.Reset
}

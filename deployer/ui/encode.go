package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
)

// JSON writes a value for programs.
func JSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// show writes a value for programs in their formats, and in any other as the lines that add appends.
func show(w io.Writer, value any, format string, style Style, add func(*document)) error {
	switch format {
	case "json":
		return JSON(w, value)
	case "yaml":
		return YAML(w, value)
	}
	d := document{style: style}
	add(&d)
	return d.writeTo(w)
}

// jsonByEnvironment writes an array where several environments were selected, and else the one value itself.
func jsonByEnvironment[T any](w io.Writer, values []T, multiple bool) error {
	if !multiple && len(values) == 1 {
		return JSON(w, values[0])
	}
	return JSON(w, values)
}

// YAML writes a value for people and language models.
func YAML(w io.Writer, value any) error {
	body, err := yaml.MarshalWithOptions(value, yaml.UseJSONMarshaler(), yaml.IndentSequence(false))
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	_, err = w.Write(body)
	return err
}

// maxMarkdown is the longest text, in bytes, for a comment or an issue. GitHub accepts 65,536 characters.
const maxMarkdown = 60_000

// markdownByEnvironment writes an introduction and a part for each environment. A part ends before its share of what the
// introduction leaves of maxMarkdown is used up: limit is the length, in bytes, up to which the builder may be filled.
func markdownByEnvironment[T any](w io.Writer, introduction string, values []T, write func(b *strings.Builder, value T, limit int)) error {
	var b strings.Builder
	b.WriteString(introduction)
	room := maxMarkdown - len(introduction)
	for i, value := range values {
		if i > 0 {
			b.WriteString("\n")
		}
		write(&b, value, len(introduction)+room*(i+1)/len(values))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdownTable writes a table with as many rows as fit below limit bytes in all, and the number of those left out. It
// writes nothing where there are no rows.
func markdownTable(b *strings.Builder, header, rows []string, limit int) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| %s |\n|%s\n", strings.Join(header, " | "), strings.Repeat(" --- |", len(header)))
	for i, row := range rows {
		if b.Len()+len(row) > limit {
			fmt.Fprintf(b, "\n… and %d more.\n", len(rows)-i)
			return
		}
		b.WriteString(row)
	}
}

func markdownRow(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

// markdownCode returns text as code on one line, which a table can contain. The code begins and ends with more backticks than are
// together in the text.
// Source: https://github.github.com/gfm/#code-spans
func markdownCode(s string) string {
	s = strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
	mark := strings.Repeat("`", longestBackticks(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return mark + s + mark
}

// markdownBlock returns text as a block of code, whose fence is longer than any in the text.
// Source: https://github.github.com/gfm/#fenced-code-blocks
func markdownBlock(s string) string {
	fence := strings.Repeat("`", max(3, longestBackticks(s)+1))
	return fence + "\n" + strings.TrimRight(s, "\n") + "\n" + fence + "\n"
}

// longestBackticks returns how many backticks are together in a text, at most.
func longestBackticks(s string) int {
	longest, run := 0, 0
	for _, r := range s {
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

// escapeMarkdown keeps text from being read as Markdown or HTML, and on one line. An empty comment follows the signs of mentions and of
// references to issues: no one is notified, and what is copied is the text. Addresses of pages stay links: they show where they lead.
func escapeMarkdown(s string) string {
	return strings.NewReplacer(
		`\`, `\\`, "\n", "<br>", "|", `\|`, "&", "&amp;", "<", "&lt;", "*", `\*`, "_", `\_`, "~", `\~`, "`", "\\`", "[", `\[`, "]", `\]`,
		"@", "@<!-- -->", "#", "#<!-- -->",
	).Replace(s)
}

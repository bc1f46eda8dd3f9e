package mcp

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tiktoken-go/tokenizer/codec"

	"github.com/balancer/v3-backend-infra/deployer/hint"
)

// MaxTokens declares how many tokens the result of a call has at most, text and structured content together.
const MaxTokens = 2000

// reserve declares what is left of MaxTokens for models that split a text into more tokens than the vocabulary that counts here.
const reserve = 150

// maxBytes declares the length from which a result is not counted but taken as too long. Documents have about three bytes a token.
const maxBytes = 5 * MaxTokens

// vocabulary loads at the first call that needs it.
var vocabulary = sync.OnceValue(codec.NewO200kBase)

// isShort reports whether a text has at most MaxTokens, less the reserve.
func isShort(text string) (bool, error) {
	const most = MaxTokens - reserve
	if len(text) <= most || len(text) > maxBytes {
		return len(text) <= most, nil // a token has at least one byte
	}
	n, err := vocabulary().Count(text)
	return n <= most, err
}

// A part is a list of a document that can be shortened.
type part struct {
	name string
	all  int
	// keep keeps n items from an index on.
	keep func(from, n int)
	// more names how to ask for what is left out, besides offset.
	more string
	// newest keeps the last items instead of the first.
	newest bool
	// open marks a list of which more exists than was read.
	open bool
}

// list returns a list as a part. What it keeps is always part of the list as it is now.
func list[T any](name string, items *[]T, more string) part {
	all := *items
	if all == nil {
		all = []T{}
	}
	*items = all
	return part{name: name, all: len(all), more: more, keep: func(from, n int) { *items = all[from : from+n : from+n] }}
}

// A level is how far texts are shortened.
type level struct {
	// text is how many characters of a text are kept, items how many of a list within a detail.
	text, items int
	// least is how many items the most important list keeps; with fewer, the next level is tried.
	least int
}

// levels declares what is tried in this order until a document is short enough.
var levels = []level{{1000, 50, 5}, {400, 8, 3}, {160, 4, 2}, {80, 2, 0}}

// errTooLong reports a document that no level makes short enough.
var errTooLong = hint.With(errors.New("the result is too long"), "ask for less, with limit or only")

// fit returns a document as the result of a call, within MaxTokens, and notes what it leaves out.
func fit(tool string, doc document, page Page) (*sdk.CallToolResult, any, error) {
	f := fitter{tool: tool, doc: doc, page: page, before: doc.notes().Truncated}
	f.lists = append(doc.lists(), list("warnings", &doc.notes().Warnings, ""))
	if page.Offset > 0 && page.Offset >= f.lists[0].all {
		err := fmt.Errorf("offset %d: the list of %s has %d", page.Offset, f.lists[0].name, f.lists[0].all)
		return nil, nil, hint.With(err, "give a smaller offset")
	}
	for _, l := range levels {
		if shorten(reflect.ValueOf(doc), l, false) {
			f.shortened = l
		}
		if result, err := f.at(l); result != nil || err != nil {
			return result, doc, err
		}
	}
	return nil, nil, errTooLong
}

// fitter shortens the lists of a document.
type fitter struct {
	tool  string
	doc   document
	page  Page
	lists []part
	// before are the notes that the document had.
	before []string
	// shortened is how far texts were shortened; zero where none was.
	shortened level
}

// at returns the result with the texts as they are now; nil where the lists would be too short.
func (f *fitter) at(l level) (*sdk.CallToolResult, error) {
	kept := make([]int, len(f.lists))
	for i, c := range f.lists {
		kept[i] = f.most(i, c)
	}
	result, err := f.render(kept)
	for i := len(f.lists) - 1; i >= 0 && result == nil && err == nil; i-- {
		least := 0
		if i == 0 && len(f.lists) > 1 {
			least = min(l.least, kept[0])
		}
		// The greatest number that fits is between low, which is not known to, and high, which does not.
		low, high := least-1, kept[i]
		for high-low > 1 {
			kept[i] = (low + high) / 2
			found, err := f.render(kept)
			if err != nil {
				return nil, err
			}
			if found != nil {
				low = kept[i]
			} else {
				high = kept[i]
			}
		}
		if kept[i] = max(low, least); low >= least {
			result, err = f.render(kept)
		}
	}
	return result, err
}

// most returns how many items of a list are wanted.
func (f *fitter) most(i int, c part) int {
	if i > 0 {
		return c.all
	}
	left := c.all - f.page.Offset
	if f.page.Limit > 0 {
		return min(left, f.page.Limit)
	}
	return left
}

// render returns the result with that many items in each list; nil where it has too many tokens.
func (f *fitter) render(kept []int) (*sdk.CallToolResult, error) {
	notes := f.doc.notes()
	notes.Truncated = append([]string(nil), f.before...)
	for i, c := range f.lists {
		from := 0
		switch {
		case c.newest:
			from = c.all - kept[i]
		case i == 0:
			from = f.page.Offset
		}
		c.keep(from, kept[i])
		if kept[i] < c.all || c.open {
			notes.Truncated = append(notes.Truncated, f.note(c, from, kept[i]))
		}
	}
	if f.shortened.text > 0 {
		notes.Truncated = append(notes.Truncated, fmt.Sprintf("texts longer than %d characters end with …, lists within an item "+
			"have at most %d; a call for fewer items has room for more of each", f.shortened.text, f.shortened.items))
	}
	return inBothForms(f.doc)
}

// inBothForms returns a document as a result, as text and as structured content; nil where both together have too many tokens.
func inBothForms(doc any) (*sdk.CallToolResult, error) {
	encoded, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write the document: %w", err)
	}
	text, err := asYAML(encoded)
	if err != nil {
		return nil, fmt.Errorf("write the document: %w", err)
	}
	result := &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: text}}, StructuredContent: json.RawMessage(encoded)}
	whole, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("write the document: %w", err)
	}
	short, err := isShort(string(whole))
	if err != nil {
		return nil, fmt.Errorf("count the tokens: %w", err)
	}
	if !short {
		return nil, nil
	}
	return result, nil
}

// withoutOffset declares the tools that have no argument offset.
var withoutOffset = []string{"health", "logs", "outputs", "lock"}

// note describes what is left out of a list, and how to ask for it.
func (f *fitter) note(c part, from, n int) string {
	shown := fmt.Sprintf("%s: %d of %d", c.name, n, c.all)
	if c.open {
		shown = fmt.Sprintf("%s: %d of at least %d", c.name, n, c.all)
	}
	var how []string
	if c.more != "" {
		how = append(how, c.more)
	}
	pages := c.name == f.lists[0].name && !slices.Contains(withoutOffset, f.tool)
	if end := from + n; pages && n > 0 && end < c.all {
		how = append(how, fmt.Sprintf(`"offset" %d for the next ones`, end))
	}
	if len(how) == 0 {
		return shown
	}
	return shown + "; for others call " + f.tool + " with " + strings.Join(how, ", or with ")
}

// untouched declares the fields that stay as they are, because their values are to be used literally.
var untouched = []string{"Asleep", "Command", "Next", "Truncated"}

// shorten shortens the texts below a value, and the lists within items, and reports whether there was something to shorten. The
// lists of the document itself are left to fit.
func shorten(v reflect.Value, l level, inItem bool) (changed bool) {
	switch v.Kind() {
	case reflect.Pointer:
		return !v.IsNil() && shorten(v.Elem(), l, inItem)
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && !slices.Contains(untouched, field.Name) {
				changed = shorten(v.Field(i), l, inItem) || changed
			}
		}
	case reflect.Slice:
		if inItem && v.Len() > l.items {
			v.Set(v.Slice(0, l.items))
			changed = true
		}
		for i := range v.Len() {
			changed = shorten(v.Index(i), l, true) || changed
		}
	case reflect.String:
		short, less := shortText(v.String(), l)
		v.SetString(short)
		return less
	case reflect.Interface:
		if v.IsNil() {
			return false
		}
		short, less := shortValue(v.Interface(), l)
		v.Set(reflect.ValueOf(short))
		return less
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if inner := v.MapIndex(key); inner.Kind() == reflect.Interface && !inner.IsNil() {
				short, less := shortValue(inner.Interface(), l)
				v.SetMapIndex(key, reflect.ValueOf(short))
				changed = changed || less
			}
		}
	}
	return changed
}

// shortValue returns a value of JSON with its texts and lists shortened. Of a list the last items stay, as in a log.
func shortValue(value any, l level) (short any, changed bool) {
	switch value := value.(type) {
	case string:
		return shortText(value, l)
	case []any:
		if left := len(value) - l.items; left > 0 {
			value, changed = append([]any{fmt.Sprintf("… %d more", left)}, value[left:]...), true
		}
		for i := range value {
			inner, less := shortValue(value[i], l)
			value[i], changed = inner, changed || less
		}
		return value, changed
	case map[string]any:
		for key := range value {
			inner, less := shortValue(value[key], l)
			value[key], changed = inner, changed || less
		}
	case float64:
		if whole := int64(value); float64(whole) == value {
			return whole, false // YAML distinguishes 14 from 14.0
		}
	}
	return value, changed
}

func shortText(text string, l level) (string, bool) {
	if len(text) <= l.text {
		return text, false
	}
	runes := []rune(text)
	if len(runes) <= l.text {
		return text, false
	}
	return string(runes[:l.text-1]) + "…", true
}

// A failure is the document of an error.
type failure struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
	Next  []Call `json:"next,omitempty"`
}

// failed returns the result of a call that failed. An error of a tool is a result, which the model reads; withErrors has it in
// the schema of the tool's results.
func failed(err error, next []Call) (*sdk.CallToolResult, any, error) {
	f := failure{strings.TrimSpace(err.Error()), hint.Of(err), next}
	for _, l := range levels {
		f.Error, _ = shortText(f.Error, l)
		f.Hint, _ = shortText(f.Hint, l)
		result, err := inBothForms(f)
		if err != nil {
			return nil, nil, err
		}
		if result != nil {
			result.IsError = true
			return result, nil, nil
		}
	}
	if len(next) > 0 {
		return failed(err, nil)
	}
	return nil, nil, errTooLong
}

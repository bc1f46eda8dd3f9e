package logs

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// structured is a line that is a JSON object, taken apart.
type structured struct {
	level, message string
	// fields are the others, in the line's order.
	fields []field
}

type field struct {
	name  string
	value json.RawMessage
}

// The names that loggers give to a line's level, message and time.
var (
	levelNames   = []string{"level", "severity", "lvl", "log.level"}
	messageNames = []string{"msg", "message"}
	timeNames    = []string{"time", "timestamp", "ts", "@timestamp"}
)

// nearby is how far a line's own time may be from CloudWatch's and still say nothing new.
const nearby = time.Second

// parse takes a line apart; it reports false for one that is no JSON object.
func parse(line string, at time.Time) (structured, bool) {
	all, ok := object(line)
	if !ok {
		return structured{}, false
	}
	var s structured
	take := func(names []string, use func(json.RawMessage) bool) {
		i := slices.IndexFunc(all, func(f field) bool { return slices.Contains(names, strings.ToLower(f.name)) })
		if i >= 0 && use(all[i].value) {
			all = slices.Delete(all, i, i+1)
		}
	}
	take(levelNames, func(value json.RawMessage) bool { s.level = levelOf(value); return s.level != "" })
	take(messageNames, func(value json.RawMessage) bool { return json.Unmarshal(value, &s.message) == nil })
	take(timeNames, func(value json.RawMessage) bool {
		said, ok := timeOf(value)
		return ok && said.Sub(at).Abs() < nearby
	})
	s.fields = all
	return s, true
}

// object reads the members of a JSON object in their order.
func object(text string) ([]field, bool) {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return nil, false
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return nil, false
	}
	var all []field
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return nil, false
		}
		all = append(all, field{name.(string), value})
	}
	if _, err := decoder.Token(); err != nil {
		return nil, false
	}
	_, err := decoder.Token()
	return all, err == io.EOF
}

// levelOf is a level in capitals. Pino's are numbers.
// Source: https://getpino.io/#/docs/api?id=loggerlevels-object
func levelOf(value json.RawMessage) string {
	var word string
	if json.Unmarshal(value, &word) == nil {
		return strings.ToUpper(word)
	}
	return map[string]string{"10": "TRACE", "20": "DEBUG", "30": "INFO", "40": "WARN", "50": "ERROR", "60": "FATAL"}[string(value)]
}

// timeOf reads a time: RFC 3339, or seconds or milliseconds since 1970.
func timeOf(value json.RawMessage) (time.Time, bool) {
	var word string
	if json.Unmarshal(value, &word) == nil {
		at, err := time.Parse(time.RFC3339, word)
		return at, err == nil
	}
	number, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		return time.Time{}, false
	}
	if number < 1e11 { // seconds until the year 5138, milliseconds since 1973
		number *= 1000
	}
	return time.UnixMilli(int64(number)), true
}

// text is a field's value for people: a string without quotes where it needs none, anything else as compact JSON.
func (f field) text() string {
	var word string
	if json.Unmarshal(f.value, &word) == nil && bytes.HasPrefix(f.value, []byte(`"`)) {
		if word == "" || strings.ContainsAny(word, " \t=\"") {
			return strconv.Quote(word)
		}
		return word
	}
	var compact bytes.Buffer
	if json.Compact(&compact, f.value) != nil {
		return string(f.value)
	}
	return compact.String()
}

// long is a field's value where it is a text of several lines, such as a stack trace.
func (f field) long() (string, bool) {
	var word string
	if json.Unmarshal(f.value, &word) != nil || !strings.Contains(strings.TrimSpace(word), "\n") {
		return "", false
	}
	return strings.TrimSpace(word), true
}

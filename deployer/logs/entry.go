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

// entry is a line that is a JSON object.
type entry struct {
	level, message string
	// fields are the other members, in the line's order.
	fields []field
}

type field struct {
	name  string
	value json.RawMessage
}

// The names under which loggers write level, message and time.
var (
	levelNames   = []string{"level", "severity", "lvl", "log.level"}
	messageNames = []string{"msg", "message"}
	timeNames    = []string{"time", "timestamp", "ts", "@timestamp"}
)

// timeTolerance is how much a line's own time may differ from CloudWatch's without being shown.
const timeTolerance = time.Second

// parseEntry parses a line; it reports false if it is not a JSON object.
func parseEntry(line string, at time.Time) (entry, bool) {
	all, ok := parseObject(line)
	if !ok {
		return entry{}, false
	}
	var s entry
	take := func(names []string, use func(json.RawMessage) bool) {
		i := slices.IndexFunc(all, func(f field) bool { return slices.Contains(names, strings.ToLower(f.name)) })
		if i >= 0 && use(all[i].value) {
			all = slices.Delete(all, i, i+1)
		}
	}
	take(levelNames, func(value json.RawMessage) bool { s.level = parseLevel(value); return s.level != "" })
	take(messageNames, func(value json.RawMessage) bool { return json.Unmarshal(value, &s.message) == nil })
	take(timeNames, func(value json.RawMessage) bool {
		logged, ok := parseTime(value)
		return ok && logged.Sub(at).Abs() < timeTolerance
	})
	s.fields = all
	return s, true
}

// parseObject returns the members of a JSON object in their order.
func parseObject(text string) ([]field, bool) {
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

// parseLevel returns a level in capitals. Pino's levels are numbers.
// Source: https://getpino.io/#/docs/api?id=loggerlevels-object
func parseLevel(value json.RawMessage) string {
	var word string
	if json.Unmarshal(value, &word) == nil {
		return strings.ToUpper(word)
	}
	return map[string]string{"10": "TRACE", "20": "DEBUG", "30": "INFO", "40": "WARN", "50": "ERROR", "60": "FATAL"}[string(value)]
}

// parseTime parses RFC 3339, or seconds or milliseconds since 1970.
func parseTime(value json.RawMessage) (time.Time, bool) {
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

// text returns the value for people: a string without quotes where it needs none, anything else as compact JSON.
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

// multiline returns the value if it is a string of several lines, such as a stack trace.
func (f field) multiline() (string, bool) {
	var word string
	if json.Unmarshal(f.value, &word) != nil || !strings.Contains(strings.TrimSpace(word), "\n") {
		return "", false
	}
	return strings.TrimSpace(word), true
}

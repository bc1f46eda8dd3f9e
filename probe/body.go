package probe

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// The words for a status or a database in a health response. A word in neither list is no verdict about a database: "postgresql" is its
// type, and "16" its version.
// Source: https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check, https://docs.nestjs.com/recipes/terminus,
// https://docs.spring.io/spring-boot/reference/actuator/endpoints.html#actuator.endpoints.health and
// https://download.eclipse.org/microprofile/microprofile-health-4.0.1/microprofile-health-spec-4.0.1.html
var (
	healthyWords = []string{
		"healthy", "ok", "okay", "ready", "up", "connected", "pass", "passing", "warn", "available", "alive", "live", "running", "success", "online",
		"true",
	}
	unhealthyWords = []string{
		"unhealthy", "error", "errored", "fail", "failed", "failing", "failure", "down", "disconnected", "unavailable", "unreachable", "offline",
		"dead", "degraded", "critical", "refused", "timeout", "stopped", "broken", "unknown", "not", "false",
	}
)

// Fields of health responses, in the order in which they are looked for.
var (
	// statusFields have the status, of the whole or of a component: a word, or true or false.
	statusFields = []string{"status", "state", "health", "healthy", "ok", "ready", "alive", "up", "connected", "success"}
	// errorFields have the error of a component, where it has one.
	errorFields = []string{"error", "err", "errors"}
	// componentFields have the components: of Spring, MicroProfile and the draft, of ASP.NET, and of Terminus, whose details have both of its
	// others.
	componentFields = []string{"components", "checks", "details", "info", "error", "dependencies", "services", "entries", "results"}
	// nameFields have a component's name in a list.
	nameFields = []string{"name", "id", "component", "componentName", "componentId", "service", "key"}
)

// databaseName matches the names that libraries and people give the database, in words with hyphens between them, and what follows.
var databaseName = lazyregexp.New(`^(?:is-|has-)?(?:data-?base|db|data-?source|postgres|postgre-?sql|pg|rds|sql|prisma|type-?orm|sequelize|knex|` +
	`mikro-?orm)[0-9]*(?:-(.+))?$`)

// parseBody returns what a response in JSON has of the status and the database, or nil if it is no JSON object. It reads the forms of the
// common libraries, and ignores other fields, whatever they are.
func parseBody(content []byte) *Body {
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber() // a number that fits no float must not make the rest unreadable
	if decoder.Decode(&object) != nil || object == nil {
		return nil
	}
	return &Body{Status: statusOf(object), Database: databaseIn(object)}
}

// statusOf returns the status of a response: the word itself, up or down for true and false, or that of the first field that has one; ""
// where there is none.
func statusOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case bool:
		return upOrDown(value)
	case map[string]any:
		for _, field := range statusFields {
			if found := statusOf(value[field]); found != "" {
				return found
			}
		}
	}
	return ""
}

func upOrDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

// databaseIn returns the status of the database among the fields of a response and its components; "" where they have none. Of several
// the worst counts.
func databaseIn(object map[string]any) string {
	found := databasesIn(object)
	for _, field := range componentFields {
		switch components := object[field].(type) {
		case map[string]any:
			found = append(found, databasesIn(components)...)
		case []any:
			for _, component := range components {
				found = append(found, databasesIn(byName(component))...)
			}
		}
	}
	return worst(found)
}

// databasesIn returns the status of each field that is named as databases are. With further words in its name, such as db_version, a
// field has one only if it is a component of its own, or the word names a status: db_status, isDatabaseConnected.
func databasesIn(fields map[string]any) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		match := databaseName.FindStringSubmatch(hyphenated(name))
		if match == nil {
			continue
		}
		switch fields[name].(type) {
		case string, bool:
			if suffix := strings.TrimPrefix(match[1], "is-"); suffix != "" && !slices.Contains(statusFields, suffix) {
				continue
			}
		}
		found = append(found, componentStatus(fields[name]))
	}
	return found
}

// componentStatus returns the status of a component: of its own fields, or else the worst of its errors and of what it consists of; ""
// where there is no verdict.
func componentStatus(value any) string {
	switch value := value.(type) {
	case string:
		if healthy, known := verdict(value); healthy || known {
			return value
		}
	case bool:
		return upOrDown(value)
	case map[string]any:
		for _, field := range statusFields {
			if found := componentStatus(value[field]); found != "" {
				return found
			}
		}
		var found []string
		for _, name := range slices.Sorted(maps.Keys(value)) {
			switch element := value[name].(type) {
			case bool:
				// It can be anything, such as readOnly.
			case string:
				if slices.Contains(errorFields, name) && strings.TrimSpace(element) != "" {
					found = append(found, "error")
				} else {
					found = append(found, componentStatus(element))
				}
			case map[string]any:
				if slices.Contains(errorFields, name) && len(element) > 0 {
					found = append(found, "error")
				} else {
					found = append(found, componentStatus(element))
				}
			default:
				found = append(found, componentStatus(element))
			}
		}
		return worst(found)
	case []any:
		// The draft has a list of measurements for each component.
		var found []string
		for _, element := range value {
			found = append(found, componentStatus(element))
		}
		return worst(found)
	}
	return ""
}

// worst returns the first status that is not healthy, or else the first one; "" if there is none.
func worst(statuses []string) string {
	found := ""
	for _, status := range statuses {
		if status != "" && (found == "" || isHealthy(found) && !isHealthy(status)) {
			found = status
		}
	}
	return found
}

// verdict returns whether a status is healthy, and whether it is known to be either. Its first word counts, as in "OK (3 ms)", unless
// another one is unhealthy: "connection refused".
func verdict(status string) (healthy, known bool) {
	words := strings.FieldsFunc(strings.ToLower(status), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	if slices.ContainsFunc(words, func(word string) bool { return slices.Contains(unhealthyWords, word) }) {
		return false, true
	}
	healthy = len(words) > 0 && slices.Contains(healthyWords, words[0])
	return healthy, healthy
}

// isHealthy reports whether a status is healthy or missing.
func isHealthy(status string) bool {
	healthy, _ := verdict(status)
	return status == "" || healthy
}

// capital matches where a word begins in a name such as isDatabaseConnected or DBStatus; separator what is between the words of others.
var (
	capital   = lazyregexp.New(`([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])`)
	separator = lazyregexp.New(`[^a-z0-9]+`)
)

// hyphenated returns a name in small letters, with hyphens between its words.
func hyphenated(name string) string {
	return strings.Trim(separator.ReplaceAllString(strings.ToLower(capital.ReplaceAllString(name, "$1$3-$2$4")), "-"), "-")
}

// byName returns an element of a list of components by its name, as MicroProfile has it.
func byName(component any) map[string]any {
	object, _ := component.(map[string]any)
	for _, field := range nameFields {
		if name, ok := object[field].(string); ok {
			return map[string]any{name: component}
		}
	}
	return nil
}

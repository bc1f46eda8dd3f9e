package probe

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// healthyValues are the values of a status or a database in a healthy response.
// Source: https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check, https://docs.nestjs.com/recipes/terminus,
// https://docs.spring.io/spring-boot/reference/actuator/endpoints.html#actuator.endpoints.health and
// https://download.eclipse.org/microprofile/microprofile-health-4.0.1/microprofile-health-spec-4.0.1.html
var healthyValues = []string{
	"healthy", "ok", "okay", "ready", "up", "connected", "pass", "passing", "warn", "available", "alive", "live", "running", "success", "online",
}

// Fields of health responses, in the order in which they are looked for.
var (
	// statusFields have the status, of the whole or of a component: a word, or true or false.
	statusFields = []string{"status", "state", "health", "healthy", "ok", "ready", "alive", "up", "connected", "success"}
	// componentFields have the components: of Spring, MicroProfile and the draft, and of Terminus, whose details have both of its others.
	componentFields = []string{"components", "checks", "details", "info", "error", "dependencies", "services"}
)

// databaseName matches the names that libraries and people give the database.
var databaseName = regexp.MustCompile(`(?i)^(?:data-?base|db|data-?source|postgres(?:ql)?|rds|sql|prisma|type-?orm|sequelize|knex|mikro-?orm)(?:$|[^a-z])`)

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

// statusOf returns the status of a response or of a component: the word itself, up or down for true and false, or that of the first
// field that has one; "" where there is none.
func statusOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case bool:
		if value {
			return "up"
		}
		return "down"
	case map[string]any:
		for _, field := range statusFields {
			if found := statusOf(value[field]); found != "" {
				return found
			}
		}
	case []any:
		// The draft has a list of measurements for each component: the worst counts.
		worst := ""
		for _, element := range value {
			if found := statusOf(element); worst == "" || isHealthy(worst) && !isHealthy(found) {
				worst = found
			}
		}
		return worst
	}
	return ""
}

// databaseIn returns the status of the database among the fields of a response or, if it has none, among its components. Of several the
// worst counts.
func databaseIn(object map[string]any) string {
	found := worstDatabase(object)
	for _, field := range componentFields {
		if found != "" {
			return found
		}
		switch components := object[field].(type) {
		case map[string]any:
			found = worstDatabase(components)
		case []any:
			found = worstDatabase(byName(components))
		}
	}
	return found
}

// worstDatabase returns the status of the fields that are named as databases are.
func worstDatabase(fields map[string]any) string {
	var statuses []any
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if databaseName.MatchString(strings.TrimSpace(name)) {
			statuses = append(statuses, statusOf(fields[name]))
		}
	}
	return statusOf(statuses)
}

// byName returns the elements of a list by their names, as MicroProfile has them.
func byName(components []any) map[string]any {
	named := map[string]any{}
	for _, c := range components {
		if component, ok := c.(map[string]any); ok {
			if name, ok := component["name"].(string); ok {
				named[name] = component
			}
		}
	}
	return named
}

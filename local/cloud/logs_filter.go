package cloud

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// filterTerm matches a word, or a phrase in quotes, with an optional ? or - before it.
var filterTerm = lazyregexp.New(`^([-?]?)(?:"((?:[^"\\]|\\.)*)"|([A-Za-z0-9_]+))(?:\s+|$)`)

// filterProperty matches a comparison with one property of JSON lines.
var filterProperty = lazyregexp.New(`^\{\s*\$\.(\w+)\s*(=|!=)\s*(?:"([^"]*)"|([\w.]+))\s*\}$`)

// logFilter compiles a filter pattern: terms, or one property of JSON lines that is equal or not.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
func logFilter(pattern string) (func(line string) bool, error) {
	pattern = strings.TrimSpace(pattern)
	switch {
	case pattern == "":
		return func(string) bool { return true }, nil
	case strings.HasPrefix(pattern, "{") && strings.HasSuffix(pattern, "}"):
		m := filterProperty.FindStringSubmatch(pattern)
		if m == nil {
			return nil, apiError("NotSimulated", "local mode does not simulate the filter pattern %s", pattern)
		}
		return func(line string) bool {
			var object map[string]any
			if json.Unmarshal([]byte(line), &object) != nil {
				return false
			}
			value, has := object[m[1]]
			return has && (fmt.Sprint(value) == m[3]+m[4]) == (m[2] == "=")
		}, nil
	case strings.HasPrefix(pattern, "["), strings.HasPrefix(pattern, "%"):
		return nil, apiError("NotSimulated", "local mode does not simulate the filter pattern %s", pattern)
	}
	return termFilter(pattern)
}

// termFilter returns a filter for lines with every plain term, at least one of the terms with ?, and none with -.
func termFilter(pattern string) (func(line string) bool, error) {
	terms := map[string][]string{}
	for rest := pattern; rest != ""; {
		m := filterTerm.FindStringSubmatch(rest)
		if m == nil {
			return nil, &types.InvalidParameterException{Message: aws.String("Invalid filter pattern")}
		}
		terms[m[1]] = append(terms[m[1]], strings.ReplaceAll(m[2], `\"`, `"`)+m[3])
		rest = rest[len(m[0]):]
	}
	return func(line string) bool {
		for _, term := range terms[""] {
			if !strings.Contains(line, term) {
				return false
			}
		}
		for _, term := range terms["-"] {
			if strings.Contains(line, term) {
				return false
			}
		}
		matched := len(terms["?"]) == 0
		for _, term := range terms["?"] {
			matched = matched || strings.Contains(line, term)
		}
		return matched
	}, nil
}

package infra

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// matches evaluates a glob as the engine does: ** matches anything, * anything but a colon.
func matches(globs []string, urn string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		pattern := regexp.QuoteMeta(glob)
		pattern = strings.ReplaceAll(pattern, `\*\*`, `.*`)
		pattern = strings.ReplaceAll(pattern, `\*`, `[^:]*`)
		return regexp.MustCompile("^" + pattern + "$").MatchString(urn)
	})
}

func TestServiceURNsMatchOnlyServices(t *testing.T) {
	_, all := deployed(t, "production")
	for _, r := range all {
		inService := r.within("Service") || r.typ == componentPrefix+"Service"
		require.Equal(t, inService, matches(ServiceURNs(), r.urn), r.urn)
	}
}

func TestCodeIsTaskDefinitionsAndServices(t *testing.T) {
	_, all := deployed(t, "production")
	var code []string
	for _, r := range all {
		if IsCodeType(r.typ) {
			code = append(code, strings.TrimPrefix(r.urn, "urn:pulumi:production::v3-backend::"+componentPrefix))
		}
	}
	require.ElementsMatch(t, []string{
		"Migration$aws:ecs/taskDefinition:TaskDefinition::migration",
		"Service$aws:ecs/taskDefinition:TaskDefinition::api",
		"Service$aws:ecs/taskDefinition:TaskDefinition::worker",
		"Service$aws:ecs/taskDefinition:TaskDefinition::scheduler",
		"Service$aws:ecs/service:Service::api",
		"Service$aws:ecs/service:Service::worker",
		"Service$aws:ecs/service:Service::scheduler",
	}, code)
}

func TestComponentsCoverTheStackOnce(t *testing.T) {
	_, all := deployed(t, "production")
	for _, r := range all {
		if r.typ == "pulumi:providers:aws" {
			continue
		}
		var owners []string
		for _, c := range Components() {
			require.NotEmpty(t, c.Summary)
			if matches(c.URNs, r.urn) {
				owners = append(owners, c.Name)
			}
		}
		require.Lenf(t, owners, 1, "%s", r.urn)
	}
}

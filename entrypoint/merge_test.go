package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/configuration"
)

func TestMerge(t *testing.T) {
	const url, other = "postgresql://built", "postgresql://other"
	for name, test := range map[string]struct {
		existing, settings map[string]string
		url                string
		override           bool
		want, origins      map[string]string
	}{
		"existing variables win": {existing: map[string]string{"A": "old"}, settings: map[string]string{"A": "s", "B": "s"},
			want: map[string]string{"A": "old", "B": "s"}, origins: map[string]string{"A": fromEnvironment, "B": "s"}},
		"an empty variable is set": {existing: map[string]string{"A": ""}, settings: map[string]string{"A": "s"},
			want: map[string]string{"A": ""}, origins: map[string]string{"A": fromEnvironment}},
		"unless overridden": {existing: map[string]string{"A": "old"}, settings: map[string]string{"A": "s"}, override: true,
			want: map[string]string{"A": "s"}, origins: map[string]string{"A": "s"}},
		"a URL is built where there is none": {url: url, want: map[string]string{"DATABASE_URL": url}, origins: map[string]string{"DATABASE_URL": built}},
		"an empty URL is none": {existing: map[string]string{"DATABASE_URL": ""}, settings: map[string]string{"DATABASE_URL": ""}, url: url,
			want: map[string]string{"DATABASE_URL": url}, origins: map[string]string{"DATABASE_URL": built}},
		"the secret's URL wins over one that is built": {settings: map[string]string{"DATABASE_URL": other}, url: url,
			want: map[string]string{"DATABASE_URL": other}, origins: map[string]string{"DATABASE_URL": "s"}},
		"and over an empty one": {existing: map[string]string{"DATABASE_URL": ""}, settings: map[string]string{"DATABASE_URL": other},
			want: map[string]string{"DATABASE_URL": other}, origins: map[string]string{"DATABASE_URL": "s"}},
		"an empty URL stays where nothing is built": {settings: map[string]string{"DATABASE_URL": ""},
			want: map[string]string{"DATABASE_URL": ""}, origins: map[string]string{"DATABASE_URL": "s"}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.existing == nil {
				test.existing = map[string]string{}
			}
			got := merge(test.existing, &configuration.Settings{Source: "s", Values: test.settings}, test.url, test.override)
			require.Equal(t, test.want, got.values)
			require.Equal(t, test.origins, got.origins)
		})
	}
}

func TestListKeepsExistingVariables(t *testing.T) {
	environment := []string{"Z=1", "A=own", "A=again", "odd", "=C:=x"}
	all := merge(variables(environment), &configuration.Settings{Source: "s", Values: map[string]string{"B": "s", "A": "s"}}, "", false)
	require.Equal(t, []string{"Z=1", "A=own", "=C:=x", "B=s"}, without(all.list(environment), "odd="))
}

func without(list []string, entry string) []string {
	var rest []string
	for _, e := range list {
		if e != entry {
			rest = append(rest, e)
		}
	}
	return rest
}

func TestPrintable(t *testing.T) {
	require.Equal(t, "a b c", printable(" a\nb\r\n\tc\x00"))
	require.Equal(t, strings.Repeat("ä", 250)+"…", printable(strings.Repeat("ä", 300)))
}

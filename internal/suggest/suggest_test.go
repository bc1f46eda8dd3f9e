package suggest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNearest(t *testing.T) {
	environments := []string{"dev", "development", "prod", "production", "staging"}
	for word, test := range map[string]struct {
		names, want []string
	}{
		"stagin":       {environments, []string{"staging"}},
		"Staging":      {environments, []string{"staging"}},
		"prd":          {environments, []string{"prod"}},
		"prodction":    {environments, []string{"production"}},
		"devel":        {environments, []string{"development"}},
		"qa":           {environments, nil},
		"":             {environments, nil},
		"x":            {environments, nil},
		"ecs_servic":   {[]string{"ecs_service", "ecs_tasks", "image"}, []string{"ecs_service"}},
		"single ":      {[]string{"single"}, []string{"single"}},
		"sinlge":       {[]string{"single", "perZone"}, []string{"single"}},
		"protectd":     {[]string{"name", "protected", "prefix"}, []string{"protected"}},
		"earthquake":   {[]string{"task-crash", "alarm"}, nil},
		"certificate":  {[]string{"certificate-a", "certificate-b", "certificate-c", "certificate-d"}, []string{"certificate-a", "certificate-b", "certificate-c"}},
		"out-of-memor": {[]string{"task-out-of-memory"}, []string{"task-out-of-memory"}},
		"up":           {[]string{"ps"}, nil},
		"größe":        {[]string{"grösse"}, []string{"grösse"}},
	} {
		require.Equal(t, test.want, Nearest(word, test.names), word)
	}
}

func TestHint(t *testing.T) {
	names := []string{"single", "perZone"}
	require.Equal(t, "did you mean single? give single or perZone", Hint("sinlge", names, "give single or perZone"))
	require.Equal(t, "give single or perZone", Hint("none", names, "give single or perZone"))
	require.Equal(t, "did you mean abc1 or abc2? x", Hint("abc", []string{"abc1", "abc2"}, "x"))
}

// A short name is near only with fewer typing errors, or every word of two letters would be near to every other.
func TestLimit(t *testing.T) {
	const letters = "abcdefghijkl"
	for n, want := range map[int]int{1: 0, 2: 0, 3: 1, 4: 1, 5: 2, 8: 2, 9: 3, 12: 3} {
		require.Equal(t, want, limit(letters[:n], letters), "a word of %d letters", n)
		require.Equal(t, want, limit(letters, letters[:n]), "a name of %d letters", n)
	}
	for typed, want := range map[string][]string{"vers": {"version"}, "sion": {"version"}, "ver": nil, "ion": nil} {
		require.Equal(t, want, Nearest(typed, []string{"version"}), typed)
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"destroi", "destroy", 1}} {
		require.Equal(t, test.want, distance(test.from, test.to), test)
	}
}

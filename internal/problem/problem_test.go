package problem

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestErrorHasALineForEachProblem(t *testing.T) {
	err := &Error{Source: "f", Problems: []Problem{
		{Message: "it is empty", Remedy: "fill it"},
		{Line: 2, Path: "a.b", Message: "1 is out of range", Remedy: "give 2", Excerpt: "2 | a"},
		{Line: 2, Variable: "A", Message: "is missing", Remedy: "set it", Excerpt: "2 | a"},
	}}
	require.EqualError(t, err, "f: it is empty; fill it\nf:2: a.b: 1 is out of range; give 2\nf:2: A is missing; set it\n2 | a")
}

func TestLocation(t *testing.T) {
	require.Equal(t, "f", Location("f", 0))
	require.Equal(t, "f:3", Location("f", 3))
}
